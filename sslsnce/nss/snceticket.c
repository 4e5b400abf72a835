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
 * own. */

#include <stddef.h>

#include "keyhi.h"
#include "nss.h"
#include "pk11pub.h"
#include "prinit.h"
#include "prrwlock.h"
#include "secerr.h"
#include "sechash.h"
#include "secport.h"
#include "ssl.h"
#include "sslimpl.h"

#include "sncegate.h"
#include "snceint.h"
#include "sncestart.h"

#define TICKET_AES_BYTES 32
#define TICKET_HMAC_BYTES 32

/* The RSA key pair that wraps. Set by SSL_SetSessionTicketKeyPair, or else the
 * last RSA certificate that was configured. |lock| guards the other three; it
 * exists once |setup| has run. */
static struct {
    PRCallOnceType setup;
    PRRWLock *lock;
    SECKEYPublicKey *pubKey;
    SECKEYPrivateKey *privKey;
    PRBool explicitly; /* by SSL_SetSessionTicketKeyPair */
} wrapPair;

/* This process's keys: written once, under |setup|. */
static sslSelfEncryptKeys processKeys;

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
    PR_DestroyRWLock(wrapPair.lock);
    PORT_Memset(&wrapPair, 0, sizeof wrapPair);
    ssl_ResetSelfEncryptKeys();
    return SECSuccess;
}

static PRStatus
ticket_SetUpOnce(void)
{
    wrapPair.lock = PR_NewRWLock(PR_RWLOCK_RANK_NONE, NULL);
    if (!wrapPair.lock) {
        return PR_FAILURE;
    }
    if (NSS_RegisterShutdown(ticket_Shutdown, NULL) != SECSuccess) {
        PR_DestroyRWLock(wrapPair.lock);
        wrapPair.lock = NULL;
        return PR_FAILURE;
    }
    return PR_SUCCESS;
}

static SECStatus
ticket_SetUp(void)
{
    if (PR_CallOnce(&wrapPair.setup, ticket_SetUpOnce) != PR_SUCCESS) {
        PORT_SetError(SEC_ERROR_LIBRARY_FAILURE);
        return SECFailure;
    }
    return SECSuccess;
}

static SECStatus
ticket_SetPair(const SECKEYPublicKey *pubKey, const SECKEYPrivateKey *privKey,
               PRBool explicitly)
{
    SECKEYPublicKey *pub, *oldPub;
    SECKEYPrivateKey *priv, *oldPriv;

    if (ticket_CopyPair(&pub, &priv, pubKey, privKey) != SECSuccess) {
        return SECFailure;
    }
    PR_RWLock_Wlock(wrapPair.lock);
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
    PR_RWLock_Unlock(wrapPair.lock);
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

    if (ticket_SetUp() != SECSuccess) {
        return SECFailure;
    }
    PR_RWLock_Rlock(wrapPair.lock);
    explicitly = wrapPair.explicitly;
    PR_RWLock_Unlock(wrapPair.lock);
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

    *pubKey = NULL;
    *privKey = NULL;
    if (ticket_SetUp() != SECSuccess) {
        return SECFailure;
    }
    PR_RWLock_Rlock(wrapPair.lock);
    if (wrapPair.pubKey) {
        rv =
            ticket_CopyPair(pubKey, privKey, wrapPair.pubKey, wrapPair.privKey);
    }
    PR_RWLock_Unlock(wrapPair.lock);
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

/* The keys that all processes with this pair have: the recorded ones, or new
 * ones recorded. Of those who come at once, one wins, and the others throw away
 * what they made. On failure the caller's process goes on with its own. */
static SECStatus
ticket_Share(SECKEYPublicKey *pubKey, SECKEYPrivateKey *privKey, void *pwArg,
             PRUint8 keyName[SELF_ENCRYPT_KEY_VAR_NAME_LEN], PK11SymKey **aes,
             PK11SymKey **hmac)
{
    PRUint8 name[SNCE_KEY_NAME_BYTES];
    ticketRecord record;
    ticketRecord winner;
    snceResult result;
    size_t len = 0;

    *aes = NULL;
    *hmac = NULL;
    if (ticket_RecordName(pubKey, name) != SECSuccess) {
        return SECFailure;
    }
    result = ticket_Get(name, &record, &len);
    if (result == SNCE_MISS) {
        if (ticket_Generate(pwArg, keyName, aes, hmac) != SECSuccess) {
            return SECFailure;
        }
        PORT_Memset(&record, 0, sizeof record);
        if (ticket_Wrap(pubKey, keyName, *aes, *hmac, &record) != SECSuccess) {
            return SECSuccess; /* good keys, but this process's alone */
        }
        result = ticket_Put(name, &record, &winner, &len);
        if (result != SNCE_EXISTS) {
            return SECSuccess; /* recorded, or else this process's alone */
        }
        ticket_DestroyKeys(*aes, *hmac);
        *aes = NULL;
        *hmac = NULL;
        record = winner;
        result = SNCE_OK;
    }
    if (result != SNCE_OK ||
        ticket_Unwrap(privKey, &record, len, aes, hmac) != SECSuccess) {
        return SECFailure;
    }
    PORT_Memcpy(keyName, record.keyName, sizeof record.keyName);
    return SECSuccess;
}

/* ---- this process's keys ------------------------------------------------- */

static PRStatus
ticket_MakeKeysOnce(void *pwArg)
{
    PRUint8 suffix[SELF_ENCRYPT_KEY_VAR_NAME_LEN];
    SECKEYPublicKey *pubKey = NULL;
    SECKEYPrivateKey *privKey = NULL;
    PK11SymKey *aes = NULL;
    PK11SymKey *hmac = NULL;
    SECStatus rv = SECFailure;

    if (ticket_GetPair(&pubKey, &privKey) == SECSuccess && pubKey) {
        rv = ticket_Share(pubKey, privKey, pwArg, suffix, &aes, &hmac);
    }
    if (rv != SECSuccess) {
        rv = ticket_Generate(pwArg, suffix, &aes, &hmac);
    }
    if (pubKey) {
        ticket_DestroyPair(pubKey, privKey);
    }
    if (rv != SECSuccess) {
        return PR_FAILURE;
    }

    /* All at once, so that a failure leaves nothing half set. */
    PORT_Memcpy(processKeys.keyName, SELF_ENCRYPT_KEY_NAME_PREFIX,
                SELF_ENCRYPT_KEY_NAME_PREFIX_LEN);
    PORT_Memcpy(processKeys.keyName + SELF_ENCRYPT_KEY_NAME_PREFIX_LEN, suffix,
                sizeof suffix);
    processKeys.encKey = aes;
    processKeys.macKey = hmac;
    return PR_SUCCESS;
}

SECStatus
ssl_GetSelfEncryptKeys(sslSocket *ss, PRUint8 *keyName, PK11SymKey **encKey,
                       PK11SymKey **macKey)
{
    if (PR_CallOnceWithArg(&processKeys.setup, ticket_MakeKeysOnce,
                           ss->pkcs11PinArg) != PR_SUCCESS ||
        !processKeys.encKey || !processKeys.macKey) {
        PORT_SetError(SEC_ERROR_LIBRARY_FAILURE);
        return SECFailure;
    }
    PORT_Memcpy(keyName, processKeys.keyName, sizeof processKeys.keyName);
    *encKey = processKeys.encKey;
    *macKey = processKeys.macKey;
    return SECSuccess;
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
    PORT_Memset(&processKeys, 0, sizeof processKeys);
}
