/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncewrap.c: the keys that wrap the sessions' master secrets, in the cache and
 * in tickets. Takes the place of ssl3con.c's.
 *
 * Each server key has a wrapping key of its own for each mechanism, itself
 * wrapped under that server key, so that the region holds no secret in the
 * clear. A record of the region's key log is written once; the first process to
 * write one gives all others with that server key its wrapping key.
 *
 * A process that cannot share a key (it has no region, the key log is full, its
 * token signs with the server key but does not decrypt) has one of its own, and
 * the sessions that it makes resume in that process. If it was the token that
 * failed, the process asks it again after a while (snceretry.h), and counts. It does
 * so from the first failure on, whether it met it with a session to wrap or with one
 * to resume.
 *
 * The mechanisms are those of PK11_GetBestWrapMechanism, which are block
 * ciphers without any integrity: unwrapping with the wrong key succeeds, gives
 * another master secret, and the handshake fails at its end. So each wrapping
 * key has an identifier, at random, and a session or a ticket carries that of
 * the key that wrapped it. Where it is not that of the key at hand, the session
 * is not resumed, and its client makes a full handshake. */

#include <stddef.h>

#include "keyhi.h"
#include "pk11pub.h"
#include "secerr.h"
#include "sechash.h"
#include "secport.h"
#include "ssl.h"
#include "sslerr.h"
#include "sslimpl.h"

#include "sncegate.h"
#include "snceint.h"
#include "sncering.h"
#include "sncesid.h"

/* A wrapping key's name: 'R' or 'E', the mechanism, and the two parts of the
 * public key. An RSA exponent is as long as the modulus at most. */
#define WRAP_NAME_HEAD_BYTES 9
#define WRAP_NAME_BYTES (WRAP_NAME_HEAD_BYTES + 2 * (SSL_MAX_RSA_KEY_BITS / 8))

typedef struct {
    SECItem item; /* what the name is, in |bytes| */
    PRUint8 bytes[WRAP_NAME_BYTES];
} wrapName;

/* The record of the key log. */
#define WRAP_DATA_BYTES (SNCE_KEY_VALUE_MAX - 16)
typedef struct {
    PRUint8 id[SSL_WRAP_KEY_ID_BYTES];
    PRUint16 publicLen;  /* EC: bytes of the ephemeral public value; RSA: 0 */
    PRUint16 wrappedLen; /* bytes of the wrapped key, which follow it */
    PRUint8 data[WRAP_DATA_BYTES];
} wrapRecord;

PR_STATIC_ASSERT(sizeof(wrapRecord) == SNCE_KEY_VALUE_MAX);
PR_STATIC_ASSERT(SNCE_KEY_TAG_BYTES + SHA256_LENGTH == SNCE_KEY_NAME_BYTES);
/* The largest RSA key that libssl takes fits. */
PR_STATIC_ASSERT(SSL_MAX_RSA_KEY_BITS / 8 <= WRAP_DATA_BYTES);

#define WRAP_RECORD_BYTES(r)                                                   \
    (offsetof(wrapRecord, data) + (r)->publicLen + (r)->wrappedLen)

/* ---- names --------------------------------------------------------------- */

static void
wrap_PutNumber(PRUint8 *to, PRUint32 number)
{
    to[0] = (PRUint8)(number >> 24);
    to[1] = (PRUint8)(number >> 16);
    to[2] = (PRUint8)(number >> 8);
    to[3] = (PRUint8)number;
}

/* Fails for a kind of key that nothing is wrapped under: neither RSA nor EC. */
static SECStatus
wrap_Name(wrapName *name, const SECKEYPublicKey *pubKey, CK_MECHANISM_TYPE mech)
{
    const SECItem *first;
    const SECItem *second;
    /* The array's place, not what is in it. */
    /* cppcheck-suppress ctuuninitvar */
    PRUint8 *at = name->bytes;

    if (pubKey->keyType == rsaKey) { /* a certificate for PSS has one too */
        first = &pubKey->u.rsa.modulus;
        second = &pubKey->u.rsa.publicExponent;
    } else if (pubKey->keyType == ecKey) {
        first = &pubKey->u.ec.publicValue;
        second = &pubKey->u.ec.DEREncodedParams;
    } else {
        PORT_SetError(SEC_ERROR_INVALID_KEY);
        return SECFailure;
    }
    if (first->len == 0 ||
        first->len > sizeof name->bytes - WRAP_NAME_HEAD_BYTES ||
        second->len > sizeof name->bytes - WRAP_NAME_HEAD_BYTES - first->len) {
        PORT_SetError(SEC_ERROR_INVALID_KEY);
        return SECFailure;
    }
    *at++ = pubKey->keyType == ecKey ? 'E' : 'R';
    wrap_PutNumber(at, (PRUint32)mech);
    wrap_PutNumber(at + 4, first->len); /* so that the parts cannot shift */
    at += 8;
    PORT_Memcpy(at, first->data, first->len);
    at += first->len;
    PORT_Memcpy(at, second->data, second->len);
    at += second->len;

    name->item.type = siBuffer;
    name->item.data = name->bytes;
    name->item.len = (unsigned int)(at - name->bytes);
    return SECSuccess;
}

/* Its record has a digest of it, so that each server key has records of its
 * own, however many there are. */
static SECStatus
wrap_RecordName(const wrapName *name, PRUint8 out[SNCE_KEY_NAME_BYTES])
{
    PORT_Memcpy(out, SNCE_KEY_TAG_WRAP, sizeof SNCE_KEY_TAG_WRAP);
    return HASH_HashBuf(HASH_AlgSHA256, out + SNCE_KEY_TAG_BYTES,
                        name->item.data, name->item.len);
}

/* ---- under a server key -------------------------------------------------- */

/* The secret that a server's EC key and an ephemeral one agree on, as a key for
 * |mech| that may do |operation|. */
static PK11SymKey *
wrap_Agree(SECKEYPrivateKey *privKey, SECKEYPublicKey *pubKey,
           CK_MECHANISM_TYPE mech, CK_ATTRIBUTE_TYPE operation)
{
    return PK11_PubDeriveWithKDF(privKey, pubKey, PR_FALSE, NULL, NULL,
                                 CKM_ECDH1_DERIVE, mech, operation, 0, CKD_NULL,
                                 NULL, NULL);
}

static SECStatus
wrap_UnderRSA(SECKEYPublicKey *pubKey, PK11SymKey *key, wrapRecord *record)
{
    SECItem wrapped = { siBuffer, record->data, sizeof record->data };

    if (PK11_PubWrapSymKey(CKM_RSA_PKCS, pubKey, key, &wrapped) != SECSuccess) {
        return SECFailure;
    }
    record->publicLen = 0;
    record->wrappedLen = (PRUint16)wrapped.len;
    return SECSuccess;
}

/* An ephemeral key agrees with the server's, and its public value goes into the
 * record, so that whoever has the server's private key can agree again. */
static SECStatus
wrap_UnderEC(const sslKeyPair *pair, CK_MECHANISM_TYPE mech, PK11SymKey *key,
             wrapRecord *record)
{
    SECKEYPrivateKey *ephemeral = NULL;
    SECKEYPublicKey *ephemeralPub = NULL;
    PK11SymKey *agreed = NULL;
    SECItem wrapped = { siBuffer, NULL, 0 };
    const SECItem *value;
    SECStatus rv = SECFailure;

    ephemeral = SECKEY_CreateECPrivateKey(&pair->pubKey->u.ec.DEREncodedParams,
                                          &ephemeralPub, NULL);
    if (!ephemeral) {
        goto loser;
    }
    value = &ephemeralPub->u.ec.publicValue;
    if (value->len >= sizeof record->data) {
        PORT_SetError(SEC_ERROR_INVALID_KEY);
        goto loser;
    }
    /* Not with the ephemeral private key: that the server's own key can do this
     * on its token is found out here, not by those who come to unwrap. */
    agreed = wrap_Agree(pair->privKey, ephemeralPub, mech, CKA_WRAP);
    if (!agreed) {
        goto loser;
    }
    PORT_Memcpy(record->data, value->data, value->len);
    wrapped.data = record->data + value->len;
    wrapped.len = sizeof record->data - value->len;
    rv = PK11_WrapSymKey(mech, NULL, agreed, key, &wrapped);
    if (rv == SECSuccess) {
        record->publicLen = (PRUint16)value->len;
        record->wrappedLen = (PRUint16)wrapped.len;
    }

loser:
    if (agreed) {
        PK11_FreeSymKey(agreed);
    }
    SECKEY_DestroyPrivateKey(ephemeral);
    SECKEY_DestroyPublicKey(ephemeralPub);
    return rv;
}

static SECStatus
wrap_Wrap(const sslKeyPair *pair, CK_MECHANISM_TYPE mech, PK11SymKey *key,
          const PRUint8 id[SSL_WRAP_KEY_ID_BYTES], wrapRecord *record)
{
    PORT_Memset(record, 0, sizeof *record);
    PORT_Memcpy(record->id, id, sizeof record->id);
    return pair->pubKey->keyType == rsaKey
               ? wrap_UnderRSA(pair->pubKey, key, record)
               : wrap_UnderEC(pair, mech, key, record);
}

static PK11SymKey *
wrap_FromUnderEC(const sslKeyPair *pair, CK_MECHANISM_TYPE mech,
                 wrapRecord *record, SECItem *wrapped)
{
    SECKEYPublicKey ephemeralPub;
    PK11SymKey *agreed;
    PK11SymKey *key;

    /* of the server key's curve */
    PORT_Memset(&ephemeralPub, 0, sizeof ephemeralPub);
    ephemeralPub.keyType = ecKey;
    ephemeralPub.pkcs11ID = CK_INVALID_HANDLE;
    ephemeralPub.u.ec.DEREncodedParams = pair->pubKey->u.ec.DEREncodedParams;
    ephemeralPub.u.ec.publicValue.data = record->data;
    ephemeralPub.u.ec.publicValue.len = record->publicLen;

    agreed = wrap_Agree(pair->privKey, &ephemeralPub, mech, CKA_UNWRAP);
    if (!agreed) {
        return NULL;
    }
    key = PK11_UnwrapSymKey(agreed, mech, NULL, wrapped, mech, CKA_UNWRAP, 0);
    PK11_FreeSymKey(agreed);
    return key;
}

/* |len| is what the region says that the record has. */
static PK11SymKey *
wrap_Unwrap(const sslKeyPair *pair, CK_MECHANISM_TYPE mech, wrapRecord *record,
            size_t len)
{
    SECItem wrapped = { siBuffer, NULL, 0 };

    if (len < offsetof(wrapRecord, data) ||
        record->publicLen > sizeof record->data ||
        record->wrappedLen > sizeof record->data - record->publicLen ||
        len != WRAP_RECORD_BYTES(record)) {
        PORT_SetError(SEC_ERROR_BAD_DATABASE);
        return NULL;
    }
    wrapped.data = record->data + record->publicLen;
    wrapped.len = record->wrappedLen;
    return pair->pubKey->keyType == rsaKey
               ? PK11_PubUnwrapSymKey(pair->privKey, &wrapped, mech, CKA_UNWRAP,
                                      0)
               : wrap_FromUnderEC(pair, mech, record, &wrapped);
}

/* ---- the record ---------------------------------------------------------- */

/* SNCE_MISS without a region: there is nothing to find and nobody to tell. */
static snceResult
wrap_Get(const PRUint8 recordName[SNCE_KEY_NAME_BYTES], wrapRecord *record,
         size_t *len)
{
    snceRegion *region;
    snceResult result;
    PRUint32 pass;

    region = snceGate_Enter(&pass);
    if (!region) {
        return SNCE_MISS;
    }
    result = snceKeyLog_Get(region, recordName, (PRUint8 *)record,
                            sizeof *record, len);
    snceGate_Leave(pass);
    return result;
}

/* SNCE_EXISTS: there was one already, |*record| is now that one. Anything else:
 * the caller's counts, whether or not others get it. */
static snceResult
wrap_Put(const PRUint8 recordName[SNCE_KEY_NAME_BYTES], wrapRecord *record,
         size_t *len)
{
    wrapRecord winner;
    snceRegion *region;
    snceResult result;
    PRUint32 pass;

    region = snceGate_Enter(&pass);
    if (!region) {
        return SNCE_OK;
    }
    result = snceKeyLog_Put(region, recordName, (const PRUint8 *)record,
                            WRAP_RECORD_BYTES(record), (PRUint8 *)&winner,
                            sizeof winner, len);
    snceGate_Leave(pass);
    if (result == SNCE_EXISTS) {
        *record = winner;
    }
    return result;
}

/* ---- a wrapping key ------------------------------------------------------ */

static PK11SymKey *
wrap_Generate(PK11SlotInfo *slot, CK_MECHANISM_TYPE mech, void *pwArg,
              PRUint8 id[SSL_WRAP_KEY_ID_BYTES])
{
    /* 0 is for "of one length only", and for an error, which KeyGen meets. */
    int length = PK11_GetBestKeyLength(slot, mech);

    if (PK11_GenerateRandom(id, SSL_WRAP_KEY_ID_BYTES) != SECSuccess) {
        return NULL;
    }
    return PK11_KeyGen(slot, mech, NULL, length, pwArg);
}

/* Counts a key that a token would not wrap or unwrap under a server key. */
static void
wrap_CountFailure(sslServerCacheId asker)
{
    snceRegion *region;
    PRUint32 pass;

    region = snceGate_Enter(&pass);
    if (region) {
        snceCache_CountKeyFailure(ssl_ServerCache(region, asker));
        snceGate_Leave(pass);
    }
}

/* What wrap_Share is asked for. */
typedef struct {
    const sslKeyPair *pair;
    const wrapName *name;
    PK11SlotInfo *slot; /* to make a key in, or NULL */
    CK_MECHANISM_TYPE mech;
    void *pwArg;
    sslServerCacheId asker;
} wrapRequest;

/* The key that all processes with this server key have: the recorded one, or,
 * with a slot to make it in, a new one recorded. Of those who come at once, one
 * wins, and the others throw away what they made. One that cannot be recorded, or
 * unwrapped, stays the caller's process's own; |*kind| tells if that may change.
 *
 * A caller who has a key of his own already gives it as |own|, with its |id|, to be
 * recorded if there is none, and gets it back if there is no other one; it stays
 * his. */
static PK11SymKey *
wrap_Share(const wrapRequest *request, PK11SymKey *own,
           PRUint8 id[SSL_WRAP_KEY_ID_BYTES], snceRingKind *kind)
{
    const sslKeyPair *pair = request->pair;
    PRUint8 recordName[SNCE_KEY_NAME_BYTES];
    wrapRecord record;
    PK11SymKey *recorded = NULL;
    PK11SymKey *made = NULL;
    snceResult result;
    size_t len = 0;

    *kind = snceRing_final;
    if (wrap_RecordName(request->name, recordName) != SECSuccess) {
        *kind = snceRing_forNow;
        return own;
    }
    result = wrap_Get(recordName, &record, &len);
    if (result == SNCE_MISS) {
        if (!own && request->slot) {
            own = made =
                wrap_Generate(request->slot, request->mech, request->pwArg, id);
        }
        if (!own) {
            return NULL;
        }
        if (wrap_Wrap(pair, request->mech, own, id, &record) != SECSuccess) {
            wrap_CountFailure(request->asker);
            *kind = snceRing_forNow;
            return own;
        }
        result = wrap_Put(recordName, &record, &len);
        if (result == SNCE_EXISTS) {
            result = SNCE_OK;
        } else if (result != SNCE_NO_MEMORY) {
            return own;
        }
    }
    if (result == SNCE_NO_MEMORY) { /* it may be within reach later */
        *kind = snceRing_forNow;
    }
    if (result == SNCE_OK) {
        recorded = wrap_Unwrap(pair, request->mech, &record, len);
        if (!recorded) {
            wrap_CountFailure(request->asker);
            *kind = snceRing_forNow;
        }
    }
    if (recorded) {
        if (made) {
            PK11_FreeSymKey(made);
        }
        PORT_Memcpy(id, record.id, sizeof record.id);
        return recorded;
    }
    if (!own && request->slot) {
        own = wrap_Generate(request->slot, request->mech, request->pwArg, id);
    }
    return own;
}

/* The wrapping key of |pair|, and its |id|, for a handshake of |ss|. Without a |slot|
 * to make one in, NULL is no error: there is none, or the token failed, just now or
 * a moment ago. */
static PK11SymKey *
wrap_Find(const sslSocket *ss, const sslKeyPair *pair, PK11SlotInfo *slot,
          CK_MECHANISM_TYPE mech, void *pwArg,
          PRUint8 id[SSL_WRAP_KEY_ID_BYTES])
{
    wrapName name;
    wrapRequest request = {
        pair, &name, slot, mech, pwArg, ss->sec.origin.cache
    };
    snceRingKind kind;
    PK11SymKey *own;
    PK11SymKey *key;
    PRUint32 turn;
    PRBool ask;

    if (wrap_Name(&name, pair->pubKey, mech) != SECSuccess) {
        return NULL;
    }
    own = snceRing_Find(&name.item, id, &ask);
    if (!ask && (own || !slot)) {
        return own;
    }
    /* Before the region is looked at: see snceRing_Empty. Several threads may
     * do the rest at once; none waits for another one's private key. */
    turn = snceRing_Turn();
    if (ask) {
        key = wrap_Share(&request, own, id, &kind);
    } else {
        key = wrap_Generate(slot, mech, pwArg, id);
        kind = snceRing_forNow;
    }
    if (!key && kind == snceRing_final) {
        return NULL; /* nobody has made one */
    }
    if (own && key == own && kind == snceRing_forNow) {
        return own; /* as it was */
    }
    if (own && key != own) {
        PK11_FreeSymKey(own);
    }
    return snceRing_Add(&name.item, key, id, kind, turn);
}

/* The key that wrapped the secret of |sid|, if it is that of |cert|. */
static PK11SymKey *
wrap_FindForSession(sslSocket *ss, const sslServerCert *cert,
                    const sslSessionID *sid)
{
    PRUint8 id[SSL_WRAP_KEY_ID_BYTES];
    PK11SymKey *key;

    if (!cert || !cert->serverKeyPair || !cert->serverKeyPair->privKey ||
        !cert->serverKeyPair->pubKey) {
        PORT_SetError(SEC_ERROR_LIBRARY_FAILURE);
        return NULL;
    }
    key = wrap_Find(ss, cert->serverKeyPair, NULL, sid->u.ssl3.masterWrapMech,
                    ss->pkcs11PinArg, id);
    if (key && PORT_Memcmp(id, sid->wrapKeyId, sizeof id) != 0) {
        PK11_FreeSymKey(key);
        key = NULL;
        PORT_SetError(SSL_ERROR_SESSION_NOT_FOUND);
    }
    return key;
}

PRBool
ssl_SessionFitsCert(sslSocket *ss, const sslServerCert *cert,
                    const sslSessionID *sid)
{
    PK11SymKey *key = wrap_FindForSession(ss, cert, sid);

    if (!key) {
        return PR_FALSE;
    }
    PK11_FreeSymKey(key);
    return PR_TRUE;
}

/* With |slot|, to wrap a new secret of |sid|; without, to unwrap the one that
 * it has. */
PK11SymKey *
ssl3_GetWrappingKey(sslSocket *ss, sslSessionID *sid, PK11SlotInfo *slot,
                    CK_MECHANISM_TYPE mech, void *pwArg)
{
    const sslServerCert *cert = ss->sec.serverCert;

    if (!slot) {
        return wrap_FindForSession(ss, cert, sid);
    }
    PORT_Assert(cert && cert->serverKeyPair);
    if (!cert || !cert->serverKeyPair || !cert->serverKeyPair->privKey ||
        !cert->serverKeyPair->pubKey) {
        PORT_SetError(SEC_ERROR_LIBRARY_FAILURE);
        return NULL;
    }
    return wrap_Find(ss, cert->serverKeyPair, slot, mech, pwArg,
                     sid->wrapKeyId);
}

/* ---- the process --------------------------------------------------------- */

SECStatus
SSL3_ShutdownServerCache(void)
{
    snceRing_Empty();
    return SECSuccess;
}

/* The ring's lock needs neither: it is there before the process begins. */
SECStatus
ssl_InitSymWrapKeysLock(void)
{
    return SECSuccess;
}

SECStatus
ssl_FreeSymWrapKeysLock(void)
{
    return SECSuccess;
}
