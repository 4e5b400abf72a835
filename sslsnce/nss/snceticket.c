/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceticket.c: the self-encrypt keys, under which libssl encrypts session
 * tickets, cookies and everything else that it hands to clients to get back.
 *
 * libssl's calls; which keys there are is in sncerotate.c, and what processes share
 * them by in snceregionkey.c. */

#include <pthread.h>
#include <stdatomic.h>

#include "keyhi.h"
#include "secerr.h"
#include "secport.h"
#include "ssl.h"
#include "sslimpl.h"

#include "selfencrypt.h" /* after sslimpl.h, whose types it uses */

#include "sncefleet.h"
#include "sncegate.h"
#include "snceint.h"
#include "sncelifetime.h"
#include "snceorigin.h"
#include "snceregionkey.h"
#include "sncerotate.h"
#include "sncestart.h"

static _Atomic PRBool watchingShutdown; /* ssl_WatchNssShutdown's */

/* |inUse| is the key that encrypts, as NSS's gtests see and change it
 * (ssl_GetSelfEncryptKeysInt), and |inUseId| is its id. |keysLock| guards both; a
 * thread that has it waits for nothing. */
static pthread_mutex_t keysLock = PTHREAD_MUTEX_INITIALIZER;
static sslSelfEncryptKeys inUse;
static PRUint64 inUseId;

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

/* The lock is held across fork, as is that of sncekeycache.c, for the same
 * reasons. */
__attribute__((constructor)) static void
ticket_WatchForks(void)
{
    (void)pthread_atfork(ticket_LockKeys, ticket_UnlockKeys, ticket_UnlockKeys);
}

/* ---- server keys ----------------------------------------------------------- */

/* NSS calls this at NSS_Shutdown, after which no handshake goes on. */
static SECStatus
ticket_Shutdown(void *appData, void *nssData)
{
    snceRegionKey_Forget();
    ssl_ResetSelfEncryptKeys();
    /* Relaxed: as in ssl_WatchNssShutdown. */
    atomic_store_explicit(&watchingShutdown, PR_FALSE, memory_order_relaxed);
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

SECStatus
SSL_SetSessionTicketKeyPair(SECKEYPublicKey *pubKey, SECKEYPrivateKey *privKey)
{
    sslKeyPair *keyPair;
    SECStatus rv;

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
    privKey = SECKEY_CopyPrivateKey(privKey);
    pubKey = SECKEY_CopyPublicKey(pubKey);
    keyPair = pubKey && privKey ? ssl_NewKeyPair(privKey, pubKey) : NULL;
    if (!keyPair) {
        SECKEY_DestroyPrivateKey(privKey);
        SECKEY_DestroyPublicKey(pubKey);
        PORT_SetError(SEC_ERROR_NO_MEMORY);
        return SECFailure;
    }
    rv = snceRegionKey_Offer(keyPair, PR_TRUE);
    ssl_FreeKeyPair(keyPair);
    return rv;
}

/* libssl calls this for every certificate that a socket gets. */
SECStatus
ssl_MaybeSetSelfEncryptKeyPair(const sslKeyPair *keyPair)
{
    if (ticket_SetUp() != SECSuccess) {
        return SECFailure;
    }
    return snceRegionKey_Offer(keyPair, PR_FALSE);
}

/* ---- keys ------------------------------------------------------------------ */

/* Refers to the keys that are in use. The caller has the lock. */
static void
ticket_Refer(PRUint8 *keyName, PK11SymKey **encKey, PK11SymKey **macKey)
{
    PORT_Memcpy(keyName, inUse.keyName, sizeof inUse.keyName);
    *encKey = PK11_ReferenceSymKey(inUse.encKey);
    *macKey = PK11_ReferenceSymKey(inUse.macKey);
}

SECStatus
ssl_GetSelfEncryptKeys(sslSocket *ss, PRUint8 *keyName, PK11SymKey **encKey,
                       PK11SymKey **macKey)
{
    snceRotateKeys old = { 0 };
    snceRotateKeys keys;

    snceFleet_Look(ss);
    if (ticket_SetUp() != SECSuccess ||
        snceRotate_Current(ss, NULL, &keys) != SECSuccess) {
        PORT_SetError(SEC_ERROR_LIBRARY_FAILURE);
        return SECFailure;
    }
    ticket_LockKeys();
    if (inUseId != keys.id) {
        old.encKey = inUse.encKey;
        old.macKey = inUse.macKey;
        PORT_Memcpy(inUse.keyName, keys.name, sizeof inUse.keyName);
        inUse.encKey = PK11_ReferenceSymKey(keys.encKey);
        inUse.macKey = PK11_ReferenceSymKey(keys.macKey);
        inUseId = keys.id;
    }
    ticket_Refer(keyName, encKey, macKey);
    ticket_UnlockKeys();
    snceRotate_Free(&keys);
    snceRotate_Free(&old);
    return SECSuccess;
}

SECStatus
ssl_FindSelfEncryptKeys(sslSocket *ss, const PRUint8 *in, unsigned int inLen,
                        PRUint8 *keyName, PK11SymKey **encKey,
                        PK11SymKey **macKey)
{
    snceRotateKeys keys;

    snceFleet_Look(ss);
    if (inLen < SELF_ENCRYPT_KEY_NAME_LEN ||
        !snceRotate_Find(ss, NULL, in, &keys)) {
        /* Its name differs, and the client makes a full handshake. */
        return ssl_GetSelfEncryptKeys(ss, keyName, encKey, macKey);
    }
    ticket_LockKeys();
    if (inUseId == keys.id && inUse.encKey && inUse.macKey) {
        ticket_Refer(keyName, encKey, macKey);
    } else {
        PORT_Memcpy(keyName, keys.name, sizeof keys.name);
        *encKey = keys.encKey;
        *macKey = keys.macKey;
        keys.encKey = keys.macKey = NULL;
    }
    ticket_UnlockKeys();
    snceRotate_Free(&keys);
    return SECSuccess;
}

/* ---- tickets --------------------------------------------------------------- */

/* Is the common space that of the tickets of |ss|? */
static PRBool
ticket_IsCommon(const sslSocket *ss, snceRotateSpace *space)
{
    *space = snceRotate_SpaceOf(ss);
    return space->number == 0 && space->epoch == 0;
}

/* Counts what became of a ticket in the figures of the cache of |ss|. */
static void
ticket_Count(const sslSocket *ss, snceTicketEvent event)
{
    PRUint32 pass;
    snceRegion *region = snceGate_Enter(&pass);

    if (region) {
        snceCache_CountTicket(ssl_ServerCache(region, ss->sec.origin.cache),
                              event);
        snceGate_Leave(pass);
    }
}

static SECStatus
ticket_Protect(sslSocket *ss, const PRUint8 *in, unsigned int inLen,
               PRUint8 *out, unsigned int *outLen, unsigned int maxOutLen)
{
    snceRotateSpace space;
    snceRotateKeys keys;
    SECStatus rv;

    if (ticket_IsCommon(ss, &space)) {
        return ssl_SelfEncryptProtect(ss, in, inLen, out, outLen, maxOutLen);
    }
    snceFleet_Look(ss);
    if (ticket_SetUp() != SECSuccess ||
        snceRotate_Current(ss, &space, &keys) != SECSuccess) {
        PORT_SetError(SEC_ERROR_LIBRARY_FAILURE);
        return SECFailure;
    }
    rv = ssl_SelfEncryptProtectInt(keys.encKey, keys.macKey, keys.name, in,
                                   inLen, out, outLen, maxOutLen);
    snceRotate_Free(&keys);
    return rv;
}

/* Opens a ticket of the common space. NSS looks at the form of a ticket before it looks
 * at the key's name, and in TLS 1.2 the handshake fails if the form is wrong. The ticket
 * may be another server program's, though, so look at the name first. */
static SECStatus
ticket_UnprotectCommon(sslSocket *ss, const PRUint8 *in, unsigned int inLen,
                       PRUint8 *out, unsigned int *outLen,
                       unsigned int maxOutLen)
{
    PRUint8 name[SELF_ENCRYPT_KEY_NAME_LEN];
    PK11SymKey *encKey;
    PK11SymKey *macKey;
    SECStatus rv;

    rv = ssl_FindSelfEncryptKeys(ss, in, inLen, name, &encKey, &macKey);
    if (rv != SECSuccess) {
        return SECFailure;
    }
    if (inLen < sizeof name || PORT_Memcmp(in, name, sizeof name) != 0) {
        PORT_SetError(SEC_ERROR_NOT_A_RECIPIENT); /* a full handshake */
        rv = SECFailure;
    } else {
        rv = ssl_SelfEncryptUnprotectInt(encKey, macKey, name, in, inLen, out,
                                         outLen, maxOutLen);
    }
    PK11_FreeSymKey(encKey);
    PK11_FreeSymKey(macKey);
    return rv;
}

SECStatus
ssl_ProtectTicket(sslSocket *ss, const PRUint8 *in, unsigned int inLen,
                  PRUint8 *out, unsigned int *outLen, unsigned int maxOutLen)
{
    SECStatus rv = ticket_Protect(ss, in, inLen, out, outLen, maxOutLen);

    if (rv == SECSuccess) {
        (void)snceRotate_CountUse(ss, out, SNCE_USE_MADE);
        ticket_Count(ss, SNCE_TICKET_MADE);
    }
    return rv;
}

static SECStatus
ticket_Unprotect(sslSocket *ss, const PRUint8 *in, unsigned int inLen,
                 PRUint8 *out, unsigned int *outLen, unsigned int maxOutLen)
{
    snceRotateSpace space;
    snceRotateKeys keys;
    SECStatus rv;

    if (ticket_IsCommon(ss, &space)) {
        return ticket_UnprotectCommon(ss, in, inLen, out, outLen, maxOutLen);
    }
    snceFleet_Look(ss);
    if (ticket_SetUp() != SECSuccess || inLen < SELF_ENCRYPT_KEY_NAME_LEN ||
        !snceRotate_Find(ss, &space, in, &keys)) {
        PORT_SetError(SEC_ERROR_NOT_A_RECIPIENT); /* a full handshake */
        return SECFailure;
    }
    rv = ssl_SelfEncryptUnprotectInt(keys.encKey, keys.macKey, keys.name, in,
                                     inLen, out, outLen, maxOutLen);
    snceRotate_Free(&keys);
    return rv;
}

SECStatus
ssl_UnprotectTicket(sslSocket *ss, const PRUint8 *in, unsigned int inLen,
                    PRUint8 *out, unsigned int *outLen, unsigned int maxOutLen)
{
    SECStatus rv = ticket_Unprotect(ss, in, inLen, out, outLen, maxOutLen);

    if (rv == SECSuccess) {
        PORT_Memcpy(ss->sec.ticketKeyName, in, sizeof ss->sec.ticketKeyName);
    } else {
        PRErrorCode error = PORT_GetError();

        ticket_Count(ss, error == SEC_ERROR_NOT_A_RECIPIENT
                             ? SNCE_TICKET_UNKNOWN
                             : SNCE_TICKET_DAMAGED);
        PORT_SetError(error);
    }
    return rv;
}

PRBool
ssl_TicketCounts(sslSocket *ss, PRTime issued, const SECItem *origin,
                 PRBool hasClientCert)
{
    snceTicketEvent event = snceOrigin_Judge(ss, issued, origin, hasClientCert);
    PRBool counts = event == SNCE_TICKET_CURRENT;

    if (counts) {
        event =
            snceRotate_CountUse(ss, ss->sec.ticketKeyName, SNCE_USE_ACCEPTED);
    }
    ticket_Count(ss, event);
    return counts;
}

void
ssl_CountEarlyData(const sslSocket *ss, PRBool accepted)
{
    ticket_Count(ss, accepted ? SNCE_EARLY_ACCEPTED : SNCE_EARLY_REJECTED);
}

/* The time for which the client may keep the ticket that |ss| is about to send, in
 * seconds: until it, the session, or the key that encrypts it ends. At least 1; 0
 * would mean that the client decides (RFC 5077 section 3.3). */
PRUint32
ssl_TicketLifetime(sslSocket *ss)
{
    sslSessionID *sid = ss->sec.ci.sid;
    PRTime now = ssl_Time(ss);
    PRTime end = snceLifetime_End(ss, ssl_BeginOfSession(sid, now), now);
    PRTime keyEnd = snceRotate_CurrentEnd(ss);

    if (keyEnd) {
        end = PR_MIN(end, keyEnd);
    }
    sid->expirationTime = end;
    return end > now && end - now > PR_USEC_PER_SEC
               ? (PRUint32)((end - now) / PR_USEC_PER_SEC)
               : 1;
}

/* For NSS's gtests, which put in keys of their own. */
sslSelfEncryptKeys *
ssl_GetSelfEncryptKeysInt(void)
{
    return &inUse;
}

/* Drops the keys; the next use makes new ones, or takes those of the region or of the
 * files. No
 * handshake may be going on. */
void
ssl_ResetSelfEncryptKeys(void)
{
    snceRotateKeys old = { 0 };

    snceRotate_Reset();
    snceFleet_Reset();
    snceRegionKey_Reset();
    old.encKey = inUse.encKey;
    old.macKey = inUse.macKey;
    PORT_Memset(&inUse, 0, sizeof inUse);
    inUseId = 0;
    snceRotate_Free(&old);
}
