/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceticket.c: the self-encrypt keys, under which libssl encrypts session
 * tickets, cookies and whatever else it hands to clients to get it back.
 *
 * They are an AES and an HMAC key and a name that a ticket carries. A process
 * makes them once, at the first use. With an RSA key and a region, it records
 * them there, wrapped under the RSA key, and every process that has the same
 * RSA key takes the recorded ones; in every other case they are the process's
 * own. If it was the RSA key's token that failed, the process tries again after a
 * while (snceretry.h). What it protected under its own keys until then, tickets and
 * cookies that clients have, it goes on accepting. */

#include <pthread.h>
#include <stddef.h>

#include "keyhi.h"
#include "nss.h"
#include "pk11pub.h"
#include "secerr.h"
#include "sechash.h"
#include "secport.h"
#include "ssl.h"
#include "sslimpl.h"

#include "sncegate.h"
#include "snceint.h"
#include "snceretry.h"
#include "sncestart.h"

#define TICKET_AES_BYTES 32
#define TICKET_HMAC_BYTES 32

/* The RSA key pair that wraps. Set by SSL_SetSessionTicketKeyPair, or else the
 * last RSA certificate that was configured. Guarded by |pairLock|. */
static pthread_rwlock_t pairLock = PTHREAD_RWLOCK_INITIALIZER;
static struct {
    SECKEYPublicKey *pubKey;
    SECKEYPrivateKey *privKey;
    PRBool explicitly; /* by SSL_SetSessionTicketKeyPair */
} wrapPair;

static _Atomic PRBool watchingShutdown;

/* |processKeys| are those that this process protects with. |formerKeys| are those
 * that the shared ones took the place of: clients have tickets and cookies that they
 * protected, and handshakes may have the keys. |keysRetry| is pending while a token
 * has failed to give the shared keys, whether or not there are others. All are
 * guarded by |keysLock|, which nobody who has it waits with. */
static pthread_mutex_t keysLock = PTHREAD_MUTEX_INITIALIZER;
static sslSelfEncryptKeys processKeys;
static sslSelfEncryptKeys formerKeys;
static snceRetry keysRetry;

/* The record of the key log: the two wrapped keys follow each other in |data|.
 * A modulus of 16,064 bits still fits; the largest that NSS's TLS takes has
 * 8,192. */
#define TICKET_DATA_BYTES (SNCE_KEY_VALUE_MAX - 16)
typedef struct {
    PRUint8 keyName[SELF_ENCRYPT_KEY_VAR_NAME_LEN];
    PRUint16 aesLen;
    PRUint16 hmacLen;
    PRUint8 data[TICKET_DATA_BYTES];
} ticketRecord;

PR_STATIC_ASSERT(sizeof(ticketRecord) == SNCE_KEY_VALUE_MAX);
PR_STATIC_ASSERT(SNCE_KEY_TAG_BYTES + SHA256_LENGTH == SNCE_KEY_NAME_BYTES);

#define TICKET_RECORD_BYTES(r)                                                 \
    (offsetof(ticketRecord, data) + (r)->aesLen + (r)->hmacLen)

/* ---- the pair that wraps ------------------------------------------------- */

static void
ticket_DestroyPair(SECKEYPublicKey *pubKey, SECKEYPrivateKey *privKey)
{
    SECKEY_DestroyPublicKey(pubKey);
    SECKEY_DestroyPrivateKey(privKey);
}

static SECStatus
ticket_CopyPair(SECKEYPublicKey **toPub, SECKEYPrivateKey **toPriv,
                const SECKEYPublicKey *pubKey, const SECKEYPrivateKey *privKey)
{
    *toPub = SECKEY_CopyPublicKey(pubKey);
    *toPriv = SECKEY_CopyPrivateKey(privKey);
    if (!*toPub || !*toPriv) {
        ticket_DestroyPair(*toPub, *toPriv);
        *toPub = NULL;
        *toPriv = NULL;
        PORT_SetError(SEC_ERROR_NO_MEMORY);
        return SECFailure;
    }
    return SECSuccess;
}

/* At NSS_Shutdown, which no handshake survives. */
static SECStatus
ticket_Shutdown(void *appData, void *nssData)
{
    ticket_DestroyPair(wrapPair.pubKey, wrapPair.privKey);
    PORT_Memset(&wrapPair, 0, sizeof wrapPair);
    ssl_ResetSelfEncryptKeys();
    watchingShutdown = PR_FALSE;
    return SECSuccess;
}

static SECStatus
ticket_SetUp(void)
{
    if (ssl_WatchNssShutdown(ticket_Shutdown, &watchingShutdown) !=
        SECSuccess) {
        PORT_SetError(SEC_ERROR_LIBRARY_FAILURE);
        return SECFailure;
    }
    return SECSuccess;
}

/* Copying a key calls its token, which may come by a cancellation point: the thread
 * is not cancelled while it has the lock. */
static void
ticket_ReadLock(int *cancel)
{
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, cancel);
    pthread_rwlock_rdlock(&pairLock);
}

static void
ticket_WriteLock(int *cancel)
{
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, cancel);
    pthread_rwlock_wrlock(&pairLock);
}

static void
ticket_Unlock(int cancel)
{
    pthread_rwlock_unlock(&pairLock);
    (void)pthread_setcancelstate(cancel, NULL);
}

static SECStatus
ticket_SetPair(const SECKEYPublicKey *pubKey, const SECKEYPrivateKey *privKey,
               PRBool explicitly)
{
    SECKEYPublicKey *pub, *oldPub;
    SECKEYPrivateKey *priv, *oldPriv;
    int cancel;

    if (ticket_CopyPair(&pub, &priv, pubKey, privKey) != SECSuccess) {
        return SECFailure;
    }
    ticket_WriteLock(&cancel);
    if (wrapPair.explicitly && !explicitly) {
        /* somebody set one explicitly since the caller looked */
        oldPub = pub;
        oldPriv = priv;
    } else {
        oldPub = wrapPair.pubKey;
        oldPriv = wrapPair.privKey;
        wrapPair.pubKey = pub;
        wrapPair.privKey = priv;
        wrapPair.explicitly = explicitly;
    }
    ticket_Unlock(cancel);
    ticket_DestroyPair(oldPub, oldPriv);
    return SECSuccess;
}

SECStatus
SSL_SetSessionTicketKeyPair(SECKEYPublicKey *pubKey, SECKEYPrivateKey *privKey)
{
    if (ssl_StartServerCache() != SECSuccess) {
        return SECFailure;
    }
    if (!pubKey || !privKey || SECKEY_GetPublicKeyType(pubKey) != rsaKey ||
        SECKEY_GetPrivateKeyType(privKey) != rsaKey) {
        PORT_SetError(SEC_ERROR_INVALID_ARGS);
        return SECFailure;
    }
    if (ticket_SetUp() != SECSuccess) {
        return SECFailure;
    }
    return ticket_SetPair(pubKey, privKey, PR_TRUE);
}

/* libssl calls this for every RSA certificate that a socket gets. */
SECStatus
ssl_MaybeSetSelfEncryptKeyPair(const sslKeyPair *keyPair)
{
    PRBool explicitly;
    int cancel;

    if (ticket_SetUp() != SECSuccess) {
        return SECFailure;
    }
    ticket_ReadLock(&cancel);
    explicitly = wrapPair.explicitly;
    ticket_Unlock(cancel);
    if (explicitly) {
        return SECSuccess;
    }
    return ticket_SetPair(keyPair->pubKey, keyPair->privKey, PR_FALSE);
}

/* SECSuccess with two NULLs where there is no pair. */
static SECStatus
ticket_GetPair(SECKEYPublicKey **pubKey, SECKEYPrivateKey **privKey)
{
    SECStatus rv = SECSuccess;
    int cancel;

    *pubKey = NULL;
    *privKey = NULL;
    if (ticket_SetUp() != SECSuccess) {
        return SECFailure;
    }
    ticket_ReadLock(&cancel);
    if (wrapPair.pubKey) {
        rv =
            ticket_CopyPair(pubKey, privKey, wrapPair.pubKey, wrapPair.privKey);
    }
    ticket_Unlock(cancel);
    return rv;
}

/* ---- a set of keys ------------------------------------------------------- */

static void
ticket_DestroyKeys(PK11SymKey *aes, PK11SymKey *hmac)
{
    if (aes) {
        PK11_FreeSymKey(aes);
    }
    if (hmac) {
        PK11_FreeSymKey(hmac);
    }
}

static SECStatus
ticket_Generate(void *pwArg, PRUint8 keyName[SELF_ENCRYPT_KEY_VAR_NAME_LEN],
                PK11SymKey **aes, PK11SymKey **hmac)
{
    CK_MECHANISM_TYPE mechanisms[] = { CKM_AES_CBC, CKM_SHA256_HMAC };
    PK11SlotInfo *slot = NULL;

    *aes = NULL;
    *hmac = NULL;
    if (PK11_GenerateRandom(keyName, SELF_ENCRYPT_KEY_VAR_NAME_LEN) !=
        SECSuccess) {
        return SECFailure;
    }
    slot =
        PK11_GetBestSlotMultiple(mechanisms, PR_ARRAY_SIZE(mechanisms), pwArg);
    if (!slot) {
        return SECFailure;
    }
    *aes = PK11_KeyGen(slot, mechanisms[0], NULL, TICKET_AES_BYTES, pwArg);
    *hmac = PK11_KeyGen(slot, mechanisms[1], NULL, TICKET_HMAC_BYTES, pwArg);
    PK11_FreeSlot(slot);
    if (!*aes || !*hmac) {
        ticket_DestroyKeys(*aes, *hmac);
        *aes = NULL;
        *hmac = NULL;
        return SECFailure;
    }
    return SECSuccess;
}

/* Fails for a pair whose wrapped keys have no room in a record. */
static SECStatus
ticket_Wrap(SECKEYPublicKey *pubKey,
            const PRUint8 keyName[SELF_ENCRYPT_KEY_VAR_NAME_LEN],
            PK11SymKey *aes, PK11SymKey *hmac, ticketRecord *record)
{
    SECItem wrapped = { siBuffer, record->data, 0 };
    unsigned int modulusBytes = SECKEY_PublicKeyStrength(pubKey);

    if (modulusBytes == 0 || modulusBytes > sizeof record->data / 2) {
        PORT_SetError(SEC_ERROR_INVALID_KEY);
        return SECFailure;
    }
    PORT_Memcpy(record->keyName, keyName, sizeof record->keyName);

    wrapped.len = modulusBytes;
    if (PK11_PubWrapSymKey(CKM_RSA_PKCS, pubKey, aes, &wrapped) != SECSuccess) {
        return SECFailure;
    }
    record->aesLen = (PRUint16)wrapped.len;

    wrapped.data = record->data + record->aesLen;
    wrapped.len = modulusBytes;
    if (PK11_PubWrapSymKey(CKM_RSA_PKCS, pubKey, hmac, &wrapped) !=
        SECSuccess) {
        return SECFailure;
    }
    record->hmacLen = (PRUint16)wrapped.len;
    return SECSuccess;
}

/* |len| is what the region says that the record has. */
static SECStatus
ticket_Unwrap(SECKEYPrivateKey *privKey, ticketRecord *record, size_t len,
              PK11SymKey **aes, PK11SymKey **hmac)
{
    SECItem wrapped = { siBuffer, record->data, 0 };

    *aes = NULL;
    *hmac = NULL;
    if (len < offsetof(ticketRecord, data) ||
        record->aesLen > sizeof record->data ||
        record->hmacLen > sizeof record->data - record->aesLen ||
        len != TICKET_RECORD_BYTES(record)) {
        PORT_SetError(SEC_ERROR_BAD_DATABASE);
        return SECFailure;
    }
    wrapped.len = record->aesLen;
    *aes = PK11_PubUnwrapSymKey(privKey, &wrapped, CKM_AES_CBC, CKA_DECRYPT, 0);
    wrapped.data = record->data + record->aesLen;
    wrapped.len = record->hmacLen;
    *hmac =
        PK11_PubUnwrapSymKey(privKey, &wrapped, CKM_SHA256_HMAC, CKA_SIGN, 0);
    /* The lengths, because a token may answer a padding that is wrong with a
     * key made up, so as to tell an attacker nothing. */
    if (!*aes || !*hmac || PK11_GetKeyLength(*aes) != TICKET_AES_BYTES ||
        PK11_GetKeyLength(*hmac) != TICKET_HMAC_BYTES) {
        ticket_DestroyKeys(*aes, *hmac);
        *aes = NULL;
        *hmac = NULL;
        PORT_SetError(SEC_ERROR_BAD_KEY);
        return SECFailure;
    }
    return SECSuccess;
}

/* ---- the record ---------------------------------------------------------- */

/* A record's name has the hash of the RSA key that wraps it. Two processes with
 * different RSA keys cannot read each other's, and so do not stand in each
 * other's way either. */
static SECStatus
ticket_RecordName(const SECKEYPublicKey *pubKey,
                  PRUint8 name[SNCE_KEY_NAME_BYTES])
{
    SECItem *spki;
    SECStatus rv;

    PORT_Memset(name, 0, SNCE_KEY_NAME_BYTES);
    PORT_Memcpy(name, SNCE_KEY_TAG_TICKET, sizeof SNCE_KEY_TAG_TICKET);
    spki = SECKEY_EncodeDERSubjectPublicKeyInfo(pubKey);
    if (!spki) {
        return SECFailure;
    }
    rv = HASH_HashBuf(HASH_AlgSHA256, name + SNCE_KEY_TAG_BYTES, spki->data,
                      spki->len);
    SECITEM_FreeItem(spki, PR_TRUE);
    return rv;
}

/* SNCE_MISS without a region: there is nothing to find and nobody to tell. */
static snceResult
ticket_Get(const PRUint8 name[SNCE_KEY_NAME_BYTES], ticketRecord *record,
           size_t *len)
{
    snceRegion *region;
    snceResult result;
    PRUint32 pass;

    region = snceGate_Enter(&pass);
    if (!region) {
        return SNCE_MISS;
    }
    result =
        snceKeyLog_Get(region, name, (PRUint8 *)record, sizeof *record, len);
    snceGate_Leave(pass);
    return result;
}

static snceResult
ticket_Put(const PRUint8 name[SNCE_KEY_NAME_BYTES], const ticketRecord *record,
           ticketRecord *winner, size_t *winnerLen)
{
    snceRegion *region;
    snceResult result;
    PRUint32 pass;

    region = snceGate_Enter(&pass);
    if (!region) {
        return SNCE_OK;
    }
    result = snceKeyLog_Put(region, name, (const PRUint8 *)record,
                            TICKET_RECORD_BYTES(record), (PRUint8 *)winner,
                            sizeof *winner, winnerLen);
    snceGate_Leave(pass);
    return result;
}

/* A set of keys. */
typedef struct {
    PRUint8 keyName[SELF_ENCRYPT_KEY_VAR_NAME_LEN];
    PK11SymKey *aes;
    PK11SymKey *hmac;
} ticketKeys;

/* What became of the keys that processes share. */
typedef enum {
    ticketKeys_final, /* these are they, or there will never be any */
    ticketKeys_forNow /* a token failed, or memory was short */
} ticketKeysKind;

/* The keys that all processes with this pair have: the recorded ones, or new
 * ones recorded. Of those who come at once, one wins, and the others throw away
 * what they made. On failure |*keys| are none, and the caller's process goes on with
 * its own. */
static SECStatus
ticket_Share(SECKEYPublicKey *pubKey, SECKEYPrivateKey *privKey, void *pwArg,
             ticketKeys *keys, ticketKeysKind *kind)
{
    PRUint8 name[SNCE_KEY_NAME_BYTES];
    ticketRecord record;
    ticketRecord winner;
    snceResult result;
    size_t len = 0;

    *kind = ticketKeys_forNow;
    if (ticket_RecordName(pubKey, name) != SECSuccess) {
        return SECFailure;
    }
    result = ticket_Get(name, &record, &len);
    if (result == SNCE_MISS) {
        if (ticket_Generate(pwArg, keys->keyName, &keys->aes, &keys->hmac) !=
            SECSuccess) {
            return SECFailure;
        }
        PORT_Memset(&record, 0, sizeof record);
        if (ticket_Wrap(pubKey, keys->keyName, keys->aes, keys->hmac,
                        &record) != SECSuccess) {
            return SECSuccess; /* good keys, but this process's alone */
        }
        result = ticket_Put(name, &record, &winner, &len);
        if (result != SNCE_EXISTS) {
            if (result != SNCE_NO_MEMORY) {
                *kind = ticketKeys_final;
            }
            return SECSuccess; /* recorded, or else this process's alone */
        }
        ticket_DestroyKeys(keys->aes, keys->hmac);
        keys->aes = NULL;
        keys->hmac = NULL;
        record = winner;
        result = SNCE_OK;
    }
    if (result != SNCE_OK) {
        if (result != SNCE_NO_MEMORY) {
            *kind = ticketKeys_final; /* the record is torn */
        }
        return SECFailure;
    }
    if (ticket_Unwrap(privKey, &record, len, &keys->aes, &keys->hmac) !=
        SECSuccess) {
        return SECFailure;
    }
    PORT_Memcpy(keys->keyName, record.keyName, sizeof record.keyName);
    *kind = ticketKeys_final;
    return SECSuccess;
}

/* ---- this process's keys ------------------------------------------------- */

static void
ticket_LockKeys(void)
{
    pthread_mutex_lock(&keysLock);
}

static void
ticket_UnlockKeys(void)
{
    pthread_mutex_unlock(&keysLock);
}

/* Held across fork, as the lock of sncering.c and for its reasons. */
__attribute__((constructor)) static void
ticket_WatchForks(void)
{
    (void)pthread_atfork(ticket_LockKeys, ticket_UnlockKeys, ticket_UnlockKeys);
}

/* Counts keys that could not be shared, for the socket's cache. */
static void
ticket_CountFailure(const sslSocket *ss)
{
    snceRegion *region;
    PRUint32 pass;

    region = snceGate_Enter(&pass);
    if (region) {
        snceCache_CountKeyFailure(
            ssl_ServerCache(region, ss->sec.origin.cache));
        snceGate_Leave(pass);
    }
}

/* Whom to ask for keys. */
typedef enum {
    ticketSource_shared, /* the token for those that processes share; if it fails,
                          * the process makes some of its own */
    ticketSource_own     /* the process only: the token failed a moment ago */
} ticketSource;

/* On failure |*keys| are none, and |*kind| says why. */
static SECStatus
ticket_Make(const sslSocket *ss, ticketSource source, ticketKeys *keys,
            ticketKeysKind *kind)
{
    SECKEYPublicKey *pubKey = NULL;
    SECKEYPrivateKey *privKey = NULL;
    SECStatus rv = SECFailure;

    PORT_Memset(keys, 0, sizeof *keys);
    *kind = ticketKeys_forNow;
    if (source == ticketSource_shared) {
        if (ticket_GetPair(&pubKey, &privKey) == SECSuccess) {
            *kind = ticketKeys_final;
        }
        if (pubKey) {
            rv = ticket_Share(pubKey, privKey, ss->pkcs11PinArg, keys, kind);
            ticket_DestroyPair(pubKey, privKey);
        }
        if (*kind == ticketKeys_forNow) {
            ticket_CountFailure(ss);
        }
    }
    if (rv != SECSuccess) {
        rv = ticket_Generate(ss->pkcs11PinArg, keys->keyName, &keys->aes,
                             &keys->hmac);
    }
    return rv;
}

/* The caller has the lock. */
static PRBool
ticket_HaveKeys(void)
{
    return processKeys.encKey && processKeys.macKey;
}

/* Takes |*keys|, which may be none, over, and into use, if there are none, or only
 * some for now that these are better than. Notes that the shared ones are still to
 * be had. */
static void
ticket_Use(ticketKeys *keys, ticketKeysKind kind)
{
    PRBool none;

    ticket_LockKeys();
    none = !ticket_HaveKeys();
    if (none && kind == ticketKeys_forNow && !snceRetry_Pending(&keysRetry)) {
        snceRetry_Begin(&keysRetry);
    }
    if (keys->aes &&
        (none || (kind == ticketKeys_final && snceRetry_Pending(&keysRetry)))) {
        if (!none) {
            formerKeys = processKeys; /* there are none: this happens once */
        }
        PORT_Memcpy(processKeys.keyName, SELF_ENCRYPT_KEY_NAME_PREFIX,
                    SELF_ENCRYPT_KEY_NAME_PREFIX_LEN);
        PORT_Memcpy(processKeys.keyName + SELF_ENCRYPT_KEY_NAME_PREFIX_LEN,
                    keys->keyName, sizeof keys->keyName);
        processKeys.encKey = keys->aes;
        processKeys.macKey = keys->hmac;
        if (kind == ticketKeys_final) {
            PORT_Memset(&keysRetry, 0, sizeof keysRetry);
        }
        keys->aes = NULL;
        keys->hmac = NULL;
    }
    ticket_UnlockKeys();
    ticket_DestroyKeys(keys->aes, keys->hmac);
}

SECStatus
ssl_GetSelfEncryptKeys(sslSocket *ss, PRUint8 *keyName, PK11SymKey **encKey,
                       PK11SymKey **macKey)
{
    ticketSource source = ticketSource_own;
    ticketKeysKind kind;
    ticketKeys keys;
    PRBool none;

    ticket_LockKeys();
    none = !ticket_HaveKeys();
    if (snceRetry_Pending(&keysRetry) ? snceRetry_Due(&keysRetry) : none) {
        source = ticketSource_shared;
    }
    ticket_UnlockKeys();
    /* Several threads may do this at once; none waits for another one's token. A
     * failure of the process to make any is tried again by the next caller. */
    if (none || source == ticketSource_shared) {
        (void)ticket_Make(ss, source, &keys, &kind);
        ticket_Use(&keys, kind);
    }

    ticket_LockKeys();
    PORT_Memcpy(keyName, processKeys.keyName, sizeof processKeys.keyName);
    *encKey = processKeys.encKey;
    *macKey = processKeys.macKey;
    ticket_UnlockKeys();
    if (!*encKey || !*macKey) {
        PORT_SetError(SEC_ERROR_LIBRARY_FAILURE);
        return SECFailure;
    }
    return SECSuccess;
}

SECStatus
ssl_FindSelfEncryptKeys(sslSocket *ss, const PRUint8 *in, unsigned int inLen,
                        PRUint8 *keyName, PK11SymKey **encKey,
                        PK11SymKey **macKey)
{
    /* First, because it may be the call that makes the keys former ones. */
    SECStatus rv = ssl_GetSelfEncryptKeys(ss, keyName, encKey, macKey);

    ticket_LockKeys();
    if (formerKeys.encKey && inLen >= sizeof formerKeys.keyName &&
        PORT_Memcmp(in, formerKeys.keyName, sizeof formerKeys.keyName) == 0) {
        PORT_Memcpy(keyName, formerKeys.keyName, sizeof formerKeys.keyName);
        *encKey = formerKeys.encKey;
        *macKey = formerKeys.macKey;
    }
    ticket_UnlockKeys();
    return rv;
}

/* For NSS's gtests, which put keys of their own there. */
sslSelfEncryptKeys *
ssl_GetSelfEncryptKeysInt(void)
{
    return &processKeys;
}

/* The next use makes new ones, or takes the recorded ones. No handshake may be
 * under way. */
void
ssl_ResetSelfEncryptKeys(void)
{
    ticket_DestroyKeys(processKeys.encKey, processKeys.macKey);
    ticket_DestroyKeys(formerKeys.encKey, formerKeys.macKey);
    PORT_Memset(&processKeys, 0, sizeof processKeys);
    PORT_Memset(&formerKeys, 0, sizeof formerKeys);
    PORT_Memset(&keysRetry, 0, sizeof keysRetry);
}
