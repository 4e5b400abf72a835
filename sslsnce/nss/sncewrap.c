/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncewrap.c: the keys that wrap the sessions' master secrets, in the cache and
 * in tickets. It replaces that part of ssl3con.c.
 *
 * Each server key has a wrapping key of its own for each mechanism. The
 * wrapping key is itself wrapped under the server key, so that the region holds
 * no secret in the clear. A record of the region's key log is written once: the
 * first process to write one gives its wrapping key to all others with that
 * server key.
 *
 * A process that cannot share a key (it has no region, the key log is full, its
 * token signs with the server key but does not decrypt) has a wrapping key of
 * its own, and the sessions that it makes resume in that process only. If it
 * was the token that failed, the process counts the failure and asks the token
 * again after a while (snceretry.h), from the first failure on, whether it
 * happened with a session to wrap or with one to resume.
 *
 * The mechanisms are those of PK11_GetBestWrapMechanism: block ciphers without
 * any integrity. Unwrapping with the wrong key succeeds and gives another
 * master secret, and the handshake fails at its end. So each wrapping key has a
 * random identifier, and a session or a ticket carries the identifier of the
 * key that wrapped it. If that is not the identifier of the key at hand, the
 * session is not resumed, and its client makes a full handshake.
 *
 * While the ticket keys are from files (sncefleet.h), so are the wrapping keys of
 * tickets: every machine with the file and the server key has them. The identifier
 * then begins with that of the key or secret in the file. */

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
#include "sncederive.h"
#include "sncefleet.h"
#include "sncekeycache.h"
#include "sncerotate.h"
#include "snceset.h"
#include "sncesid.h"
#include "snceunder.h"

/* A wrapping key's name: 'R' or 'E', the mechanism, and the two parts of the
 * public key. An RSA exponent is as long as the modulus at most. */
#define WRAP_NAME_HEAD_BYTES 9
#define WRAP_NAME_BYTES (WRAP_NAME_HEAD_BYTES + 2 * (SSL_MAX_RSA_KEY_BITS / 8))

/* The id of a key or secret of a file, at the end of a name and the beginning of an
 * identifier. */
#define WRAP_ROOT_ID_BYTES 8

typedef struct {
    SECItem item; /* points to the name, in |bytes| */
    PRUint8 bytes[WRAP_NAME_BYTES + WRAP_ROOT_ID_BYTES];
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

/* Makes the name of the wrapping key for |pubKey| and |mech|. Fails for a key
 * that is neither RSA nor EC, under which nothing is wrapped. */
static SECStatus
wrap_Name(wrapName *name, const SECKEYPublicKey *pubKey, CK_MECHANISM_TYPE mech)
{
    const SECItem *first;
    const SECItem *second;
    /* Takes the array's address, and does not read it. */
    /* cppcheck-suppress ctuuninitvar */
    PRUint8 *at = name->bytes;

    if (pubKey->keyType == rsaKey) { /* also that of a certificate for PSS */
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
    wrap_PutNumber(at + 4, first->len); /* so that no other two parts give the
                                         * same bytes */
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

/* Makes the name of the key's record: a digest of |name|, so that each server
 * key has records of its own, however many there are. */
static SECStatus
wrap_RecordName(const wrapName *name, PRUint8 out[SNCE_KEY_NAME_BYTES])
{
    PORT_Memcpy(out, SNCE_KEY_TAG_WRAP, sizeof SNCE_KEY_TAG_WRAP);
    return HASH_HashBuf(HASH_AlgSHA256, out + SNCE_KEY_TAG_BYTES,
                        name->item.data, name->item.len);
}

/* ---- under a server key -------------------------------------------------- */

/* How a server's EC key and an ephemeral one agree on a secret that wraps by |mech|. */
static snceUnderAgreement
wrap_Agreement(CK_MECHANISM_TYPE mech)
{
    snceUnderAgreement how = { mech, 0, CKD_NULL, NULL };

    return how;
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

/* Wraps |key| under the secret on which an ephemeral key and the server's
 * agree. The ephemeral public value goes into the record, so that every process
 * with the server's private key can derive that secret again. */
static SECStatus
wrap_UnderEC(const sslKeyPair *pair, CK_MECHANISM_TYPE mech, PK11SymKey *key,
             wrapRecord *record)
{
    const snceUnderAgreement how = wrap_Agreement(mech);

    return snceUnder_EncryptEC(pair->pubKey, pair->privKey, &how, key,
                               record->data, sizeof record->data,
                               &record->publicLen, &record->wrappedLen);
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
                 wrapRecord *record)
{
    const snceUnderAgreement how = wrap_Agreement(mech);

    return snceUnder_DecryptEC(pair->pubKey, pair->privKey, &how, record->data,
                               record->publicLen, record->wrappedLen, mech,
                               CKA_UNWRAP);
}

/* |len| is the record's length according to the region. */
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
               : wrap_FromUnderEC(pair, mech, record);
}

/* ---- the record ---------------------------------------------------------- */

/* Returns SNCE_MISS if there is no region. */
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

/* Records |*record|. Returns SNCE_EXISTS if there was a record already, which
 * |*record| is now. With any other result the caller uses its own key, whether
 * or not other processes get it. */
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
    /* 0 means "this mechanism has one length only", or an error, which
     * PK11_KeyGen meets again. */
    int length = PK11_GetBestKeyLength(slot, mech);

    if (PK11_GenerateRandom(id, SSL_WRAP_KEY_ID_BYTES) != SECSuccess) {
        return NULL;
    }
    return PK11_KeyGen(slot, mech, NULL, length, pwArg);
}

/* Counts a failure of a token to wrap or unwrap a key under a server key. */
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

/* The arguments of wrap_Share. */
typedef struct {
    const sslKeyPair *pair;
    const wrapName *name;
    PK11SlotInfo *slot; /* to make a key in; NULL: make none */
    CK_MECHANISM_TYPE mech;
    void *pwArg;
    sslServerCacheId asker;
} wrapRequest;

/* Returns the key that all processes with this server key share: the recorded
 * one, or if there is a slot to make one in, a new one that this records. If
 * several processes record a key at once, one wins, and the others drop what
 * they made. A key that cannot be recorded, or a record that cannot be
 * unwrapped, leaves this process with a key of its own; |*kind| tells whether
 * that may change.
 *
 * A caller that has a key of the process's own already passes it as |own|, with
 * its |id|. This records it if there is no record, and returns it if there is
 * no other key; it stays the caller's. */
static PK11SymKey *
wrap_Share(const wrapRequest *request, PK11SymKey *own,
           PRUint8 id[SSL_WRAP_KEY_ID_BYTES], snceKeyCacheKind *kind)
{
    const sslKeyPair *pair = request->pair;
    PRUint8 recordName[SNCE_KEY_NAME_BYTES];
    wrapRecord record;
    PK11SymKey *recorded = NULL;
    PK11SymKey *made = NULL;
    snceResult result;
    size_t len = 0;

    *kind = snceKeyCache_final;
    if (wrap_RecordName(request->name, recordName) != SECSuccess) {
        *kind = snceKeyCache_forNow;
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
            *kind = snceKeyCache_forNow;
            return own;
        }
        result = wrap_Put(recordName, &record, &len);
        if (result == SNCE_EXISTS) {
            result = SNCE_OK;
        } else if (result != SNCE_NO_MEMORY) {
            return own;
        }
    }
    if (result == SNCE_NO_MEMORY) { /* the record may come within reach later */
        *kind = snceKeyCache_forNow;
    }
    if (result == SNCE_OK) {
        recorded = wrap_Unwrap(pair, request->mech, &record, len);
        if (!recorded) {
            wrap_CountFailure(request->asker);
            *kind = snceKeyCache_forNow;
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

/* Returns the wrapping key of |pair|, and its |id|, for a handshake of |ss|. If
 * |slot| is NULL, no key is made, and NULL is no error: there is no key, or the
 * token failed, just now or a moment ago. */
static PK11SymKey *
wrap_Find(const sslSocket *ss, const sslKeyPair *pair, PK11SlotInfo *slot,
          CK_MECHANISM_TYPE mech, void *pwArg,
          PRUint8 id[SSL_WRAP_KEY_ID_BYTES])
{
    wrapName name;
    wrapRequest request = {
        pair, &name, slot, mech, pwArg, ss->sec.origin.cache
    };
    snceKeyCacheKind kind;
    PK11SymKey *own;
    PK11SymKey *key;
    PRUint32 generation;
    PRBool ask;

    if (wrap_Name(&name, pair->pubKey, mech) != SECSuccess) {
        return NULL;
    }
    own = snceKeyCache_Find(&name.item, id, &ask);
    if (!ask && (own || !slot)) {
        return own;
    }
    /* Before this thread looks at the region: see snceKeyCache_Empty. Several
     * threads may do the rest at once; none waits for another one's private
     * key. */
    generation = snceKeyCache_Generation();
    if (ask) {
        key = wrap_Share(&request, own, id, &kind);
    } else {
        key = wrap_Generate(slot, mech, pwArg, id);
        kind = snceKeyCache_forNow;
    }
    if (!key && kind == snceKeyCache_final) {
        return NULL; /* no process has made one */
    }
    if (own && key == own && kind == snceKeyCache_forNow) {
        return own; /* it is in the key cache already */
    }
    if (own && key != own) {
        PK11_FreeSymKey(own);
    }
    return snceKeyCache_Add(&name.item, key, id, kind, generation);
}

/* ---- of a fleet ---------------------------------------------------------- */

/* Returns the wrapping key of |pair|, and its |id|, that is derived from |root|, whose
 * id is |rootId|. */
static PK11SymKey *
wrap_OfRoot(const sslKeyPair *pair, PK11SymKey *root, PRUint64 rootId,
            PRUint8 id[SSL_WRAP_KEY_ID_BYTES])
{
    PRUint32 generation = snceKeyCache_Generation();
    PRUint8 hash[SHA256_LENGTH];
    SECItem context = { siBuffer, hash, sizeof hash };
    PK11SymKey *key;
    wrapName name;
    PRBool ask;

    PR_STATIC_ASSERT(sizeof rootId == WRAP_ROOT_ID_BYTES);
    if (wrap_Name(&name, pair->pubKey, CKM_AES_ECB) != SECSuccess ||
        HASH_HashBuf(HASH_AlgSHA256, hash, name.item.data, name.item.len) !=
            SECSuccess) {
        return NULL;
    }
    name.bytes[0] |= 0x20; /* no name of another key begins so */
    PORT_Memcpy(name.bytes + name.item.len, &rootId, sizeof rootId);
    name.item.len += sizeof rootId;
    key = snceKeyCache_Find(&name.item, id, &ask);
    if (key) {
        return key;
    }
    PORT_Memcpy(id, &rootId, sizeof rootId);
    if (snceDerive_Bytes(root, "sslsnce wrap id", &context, id + sizeof rootId,
                         SSL_WRAP_KEY_ID_BYTES - sizeof rootId) != SECSuccess) {
        return NULL;
    }
    key = snceDerive_Key(root, "sslsnce wrap secrets", &context,
                         snceDerive_wrapEcb);
    return key ? snceKeyCache_Add(&name.item, key, id, snceKeyCache_final,
                                  generation)
               : NULL;
}

/* Returns the key that wraps the secrets of tickets now, and its |id|; NULL while keys
 * are made at random. A handshake wraps the secret before it asks for the ticket key,
 * so it looks for changed files here: both must be of one file, or other machines
 * cannot resume by the ticket. */
static PK11SymKey *
wrap_Fleet(sslSocket *ss, const sslKeyPair *pair,
           PRUint8 id[SSL_WRAP_KEY_ID_BYTES])
{
    PK11SymKey *key = NULL;
    PK11SymKey *root;
    PRUint64 rootId;

    snceFleet_Look(ss);
    root = snceRotate_FleetRoot(ss, &rootId);
    if (root) {
        key = wrap_OfRoot(pair, root, rootId, id);
        PK11_FreeSymKey(root);
    }
    return key;
}

/* Returns the key for the secret of a ticket, if |wanted| begins with the id of a key
 * or secret of a file, and writes the |id| that it has with |pair|. */
static PK11SymKey *
wrap_FindFleet(const sslKeyPair *pair, const PRUint8 *wanted,
               PRUint8 id[SSL_WRAP_KEY_ID_BYTES])
{
    PK11SymKey *key = NULL;
    PK11SymKey *root;
    PRUint64 rootId;

    PORT_Memcpy(&rootId, wanted, sizeof rootId);
    root = snceSet_FindRoot(rootId);
    if (root) {
        key = wrap_OfRoot(pair, root, rootId, id);
        PK11_FreeSymKey(root);
    }
    return key;
}

/* ---- for libssl ---------------------------------------------------------- */

/* Returns the wrapping key of |cert|, if it is the one that wrapped the secret
 * of |sid|. */
static PK11SymKey *
wrap_FindForSession(sslSocket *ss, const sslServerCert *cert,
                    const sslSessionID *sid)
{
    PRUint8 id[SSL_WRAP_KEY_ID_BYTES];
    PK11SymKey *key = NULL;

    if (!cert || !cert->serverKeyPair || !cert->serverKeyPair->privKey ||
        !cert->serverKeyPair->pubKey) {
        PORT_SetError(SEC_ERROR_LIBRARY_FAILURE);
        return NULL;
    }
    if (sid->fromTicket) {
        key = wrap_FindFleet(cert->serverKeyPair, sid->wrapKeyId, id);
    }
    if (!key) {
        key = wrap_Find(ss, cert->serverKeyPair, NULL,
                        sid->u.ssl3.masterWrapMech, ss->pkcs11PinArg, id);
    }
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

/* Returns the key to wrap a new secret of |sid|, made in |slot| if there is
 * none, or if |slot| is NULL the key to unwrap the secret that |sid| has. */
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
    if (sid->fromTicket) {
        PK11SymKey *key = wrap_Fleet(ss, cert->serverKeyPair, sid->wrapKeyId);

        if (key) {
            return key;
        }
    }
    return wrap_Find(ss, cert->serverKeyPair, slot, mech, pwArg,
                     sid->wrapKeyId);
}

/* ---- the process --------------------------------------------------------- */

SECStatus
SSL3_ShutdownServerCache(void)
{
    snceKeyCache_Empty();
    return SECSuccess;
}

/* The key cache's lock is initialized statically: there is nothing to make or
 * to free. */
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
