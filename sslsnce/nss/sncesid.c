/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncesid.c: stores a server's sslSessionID in the cache, finds it and removes
 * it. */

#include "sncesid.h"

#include <stddef.h>
#include <string.h>

#include "cert.h"
#include "secerr.h"
#include "secitem.h"
#include "secport.h"
#include "ssl.h"
#include "sslerr.h"
#include "sslimpl.h"
#include "sslproto.h"

#include "snceerror.h"
#include "sncegate.h"
#include "snceint.h"
#include "snceorigin.h"
#include "sncepeer.h"

/* The fields of a session that libssl needs and the core does not know, packed
 * into the core's |state|. Each is as wide as the values of its field in
 * sslSessionID need: mechanisms have 32 bits in PKCS #11, named curves 16 in
 * TLS; groups and signature schemes also have values of NSS's own, beyond those
 * of TLS. Processes of one build share this format. The core's signature covers
 * the size; a change of meaning must change SNCE_STATE_BYTES or the core's
 * version too. */
typedef struct {
    PRUint8 wrapKeyId[SSL_WRAP_KEY_ID_BYTES];
    PRUint8 wrappedMasterSecretLen;
    PRUint8 resumable;
    PRUint8 extendedMasterSecretUsed;
    PRUint8 policy;
    PRUint16 version;
    PRUint16 cipherSuite;
    PRUint32 authKeyBits;
    PRUint32 keaKeyBits;
    PRUint32 keaGroup;
    PRUint32 sigScheme;
    PRUint16 namedCurve; /* its SSLNamedGroup, which is never 0; 0: none */
    PRUint16 port;
    PRUint8 authType;
    PRUint8 keaType;
    PRUint8 srvName;     /* the SNI callback chose the name */
    PRUint8 hasPeerCert; /* so that a session never loses its client's
                          * certificate */
} sidTraits;

/* What |state| contains. Nothing builds this struct: the secret is copied
 * straight to its place, so that there is no further copy to wipe. */
typedef struct {
    PRUint32 masterWrapMech;
    PRUint8 wrappedMasterSecret[WRAPPED_MASTER_SECRET_SIZE];
    sidTraits traits;
} sidState;

#define STATE_SECRET offsetof(sidState, wrappedMasterSecret)
#define STATE_TRAITS offsetof(sidState, traits)

PR_STATIC_ASSERT(sizeof(sidState) == SNCE_STATE_BYTES);
PR_STATIC_ASSERT(STATE_TRAITS + sizeof(sidTraits) == sizeof(sidState));
PR_STATIC_ASSERT(sizeof(PRIPv6Addr) == SNCE_ADDRESS_BYTES);
PR_STATIC_ASSERT(SSL3_SESSIONID_BYTES == SNCE_ID_MAX);
PR_STATIC_ASSERT(ssl_auth_size <= 256 && ssl_kea_size <= 256);

/* Most certificates fit into this; for a larger one a lookup allocates
 * memory. */
#define SID_CERT_BYTES 4096

/* How often a lookup tries: after each try it enlarges its buffer for the
 * certificate, which may be larger again the next time if the session was
 * replaced meanwhile. */
#define SID_LOOKUP_TRIES 4

static snceClass
sid_Class(const sslSessionID *sid)
{
    return sid->version < SSL_LIBRARY_VERSION_3_0 ? SNCE_CLASS_SSL2
                                                  : SNCE_CLASS_SSL3;
}

/* Stores one of the traits in |state|. */
#define SID_PUT(state, field, type, value)                                     \
    do {                                                                       \
        type put = (type)(value);                                              \
        PORT_Memcpy((state) + STATE_TRAITS + offsetof(sidTraits, field), &put, \
                    sizeof put);                                               \
    } while (0)

static void
sid_PackState(const sslSessionID *sid, PRUint8 out[SNCE_STATE_BYTES])
{
    PRUint32 mechanism = (PRUint32)sid->u.ssl3.masterWrapMech;

    PORT_Memcpy(out, &mechanism, sizeof mechanism);
    PORT_Memcpy(out + STATE_SECRET, sid->u.ssl3.keys.wrapped_master_secret,
                WRAPPED_MASTER_SECRET_SIZE);
    PORT_Memcpy(out + STATE_TRAITS + offsetof(sidTraits, wrapKeyId),
                sid->wrapKeyId, sizeof sid->wrapKeyId);
    SID_PUT(out, wrappedMasterSecretLen, PRUint8,
            sid->u.ssl3.keys.wrapped_master_secret_len);
    SID_PUT(out, resumable, PRUint8, sid->u.ssl3.keys.resumable);
    SID_PUT(out, extendedMasterSecretUsed, PRUint8,
            sid->u.ssl3.keys.extendedMasterSecretUsed);
    SID_PUT(out, policy, PRUint8, sid->u.ssl3.policy);
    SID_PUT(out, version, PRUint16, sid->version);
    SID_PUT(out, cipherSuite, PRUint16, sid->u.ssl3.cipherSuite);
    SID_PUT(out, authKeyBits, PRUint32, sid->authKeyBits);
    SID_PUT(out, keaKeyBits, PRUint32, sid->keaKeyBits);
    SID_PUT(out, keaGroup, PRUint32, sid->keaGroup);
    SID_PUT(out, sigScheme, PRUint32, sid->sigScheme);
    SID_PUT(out, namedCurve, PRUint16,
            sid->namedCurve ? sid->namedCurve->name : 0);
    SID_PUT(out, port, PRUint16, sid->port);
    SID_PUT(out, authType, PRUint8, sid->authType);
    SID_PUT(out, keaType, PRUint8, sid->keaType);
    SID_PUT(out, srvName, PRUint8, sid->u.ssl3.srvName.len != 0);
    SID_PUT(out, hasPeerCert, PRUint8, ssl_SidCertificate(sid) != NULL);
}

/* Wipes a state that nobody reads any more. Not explicit_bzero, which took 3 %
 * of the instructions of an insert, nor PORT_Memset, for which compilers take a
 * slow instruction. The asm statements keep the stores: they hide that the
 * words are zeros, and read them. */
static inline void
sid_WipeState(PRUint8 state[SNCE_STATE_BYTES])
{
    PRUint64 zeros = 0;
    unsigned int i;

    __asm__("" : "+r"(zeros));
#pragma GCC unroll 12
    for (i = 0; i < SNCE_STATE_BYTES; i += sizeof zeros) {
        PORT_Memcpy(state + i, &zeros, sizeof zeros);
    }
    __asm__ volatile("" : : "r"(state) : "memory");
}

/* Fails if sid_PackState cannot have written this state: what comes out of
 * shared memory is bounded before it is used (G8). */
static SECStatus
sid_UnpackState(sslSessionID *sid, const PRUint8 in[SNCE_STATE_BYTES],
                PRBool hasCertificate)
{
    PRUint32 mechanism;
    sidTraits traits;

    PORT_Memcpy(&mechanism, in, sizeof mechanism);
    PORT_Memcpy(&traits, in + STATE_TRAITS, sizeof traits);
    if (traits.wrappedMasterSecretLen > WRAPPED_MASTER_SECRET_SIZE ||
        !traits.hasPeerCert != !hasCertificate) {
        PORT_SetError(SEC_ERROR_BAD_DATABASE);
        return SECFailure;
    }

    sid->u.ssl3.masterWrapMech = (CK_MECHANISM_TYPE)mechanism;
    PORT_Memcpy(sid->u.ssl3.keys.wrapped_master_secret, in + STATE_SECRET,
                WRAPPED_MASTER_SECRET_SIZE);
    PORT_Memcpy(sid->wrapKeyId, traits.wrapKeyId, sizeof sid->wrapKeyId);
    sid->u.ssl3.keys.wrapped_master_secret_len = traits.wrappedMasterSecretLen;
    sid->u.ssl3.keys.resumable = traits.resumable;
    sid->u.ssl3.keys.extendedMasterSecretUsed = traits.extendedMasterSecretUsed;
    sid->u.ssl3.policy = traits.policy;
    sid->version = traits.version;
    sid->u.ssl3.cipherSuite = traits.cipherSuite;
    sid->authType = (SSLAuthType)traits.authType;
    sid->authKeyBits = traits.authKeyBits;
    sid->keaType = (SSLKEAType)traits.keaType;
    sid->keaKeyBits = traits.keaKeyBits;
    sid->keaGroup = (SSLNamedGroup)traits.keaGroup;
    sid->sigScheme = (SSLSignatureScheme)traits.sigScheme;
    if (traits.namedCurve) {
        sid->namedCurve =
            ssl_LookupNamedGroup((SSLNamedGroup)traits.namedCurve);
    }
    sid->port = traits.port;
    return SECSuccess;
}

/* Makes the sid that libssl gets. |found| is complete, with its buffers. */
static sslSessionID *
sid_FromSession(const sslSocket *ss, const snceSession *found, PRTime now,
                CERTCertDBHandle *dbHandle)
{
    sslSessionID *sid;

    /* Not PORT_ZNew: glibc's calloc does not use the thread's own free chunks,
     * which cost a lookup 150 instructions more. And not PORT_Memset, which
     * compilers replace by a slow instruction for this size. */
    sid = PORT_New(sslSessionID);
    if (!sid) {
        return NULL;
    }
    explicit_bzero(sid, sizeof *sid);
    sid->references = 1;

    if (sid_UnpackState(sid, found->state, found->certificate.len != 0) !=
        SECSuccess) {
        goto loser;
    }
    PORT_Memcpy(sid->u.ssl3.sessionID, found->id, found->idLen);
    sid->u.ssl3.sessionIDLength = (PRUint8)found->idLen;
    PORT_Memcpy(&sid->addr, found->address, sizeof sid->addr);
    sid->creationTime = found->created.usec;
    sid->lastAccessTime = now;
    sid->expirationTime = found->expires.usec;
    if (ss) {
        /* The lookup asked for this origin, so the session has it. */
        ssl_CopyServerOrigin(&sid->origin, &ss->sec.origin);
    }
    sid->cached = in_server_cache;

    /* No token has keys of the session yet, and 0 would name one. */
    sid->u.ssl3.masterModuleID = (SECMODModuleID)-1;
    sid->u.ssl3.masterSlotID = (CK_SLOT_ID)-1;
    sid->u.ssl3.clAuthModuleID = (SECMODModuleID)-1;
    sid->u.ssl3.clAuthSlotID = (CK_SLOT_ID)-1;

    if (found->state[offsetof(sidState, traits.srvName)] &&
        ssl_RestoreServerName(ss, sid) != SECSuccess) {
        goto loser;
    }
    if (found->certificate.len) {
        SECItem der = { siDERCertBuffer, found->certificate.data,
                        (unsigned int)found->certificate.len };

        /* A session without its client's certificate must not be returned. */
        if (ssl_SetSidCertificate(sid, dbHandle, &der) != SECSuccess) {
            goto loser;
        }
    }
    return sid;

loser:
    SECITEM_FreeItem(&sid->u.ssl3.srvName, PR_FALSE);
    PORT_ZFree(sid, sizeof *sid);
    return NULL;
}

/* Gives |buf| room for the |len| bytes that the core asks for, at most
 * |max|. */
static SECStatus
sid_GrowBuffer(snceBuffer *buf, PRUint8 **allocated, size_t max)
{
    if (buf->len <= buf->capacity) {
        return SECSuccess;
    }
    if (buf->len > max) {
        PORT_SetError(SEC_ERROR_BAD_DATABASE);
        return SECFailure;
    }
    PORT_Free(*allocated);
    *allocated = PORT_Alloc(buf->len);
    if (!*allocated) {
        buf->capacity = 0;
        return SECFailure;
    }
    buf->data = *allocated;
    buf->capacity = buf->len;
    return SECSuccess;
}

sslSessionID *
ssl_FindServerSession(const sslSocket *ss, PRTime now, const PRIPv6Addr *addr,
                      const PRUint8 *id, unsigned int idLen,
                      CERTCertDBHandle *dbHandle)
{
    static const sslServerCacheId defaultCache = { 0, 0, 0 };
    PRUint8 certBuf[SID_CERT_BYTES];
    /* sizeof reads nothing. */
    /* cppcheck-suppress ctunullpointer */
    PRUint8 name[sizeof ss->sec.origin.name];
    PRUint8 *bigCert = NULL;
    sslSessionID *sid = NULL;
    snceResult result = SNCE_TOO_LARGE;
    snceSession found;
    snceKey key;
    int tries;

    if (idLen == 0 || idLen > SNCE_ID_MAX) {
        PORT_SetError(SSL_ERROR_SESSION_NOT_FOUND);
        return NULL;
    }
    key.id = id;
    key.idLen = idLen;
    PORT_Memcpy(key.address, addr, sizeof key.address);
    /* G7. Without a socket no name is asked for: then a session of any name is
     * found. */
    key.name = ss ? name : NULL;
    key.nameLen = ss ? ssl_FoldServerName(&ss->sec.origin, name) : 0;

    found.certificate.data = certBuf;
    found.certificate.capacity = sizeof certBuf;
    found.certificate.len = 0;

    for (tries = 0; result == SNCE_TOO_LARGE && tries < SID_LOOKUP_TRIES;
         ++tries) {
        PRUint32 pass;
        snceRegion *region;

        /* Allocate what the last try asked for, outside the gate. */
        if (sid_GrowBuffer(&found.certificate, &bigCert,
                           SNCE_CERTIFICATE_MAX) != SECSuccess) {
            goto done;
        }
        region = snceGate_Enter(&pass);
        if (!region) {
            PORT_SetError(SSL_ERROR_SERVER_CACHE_NOT_CONFIGURED);
            goto done;
        }
        result = snceCache_Lookup(
            ssl_ServerCache(region, ss ? ss->sec.origin.cache : defaultCache),
            &key, ssl_TimeForCache(now), &found);
        snceGate_Leave(pass);
    }
    if (result != SNCE_OK) {
        (void)snceError_Status(result);
        goto done;
    }

    sid = sid_FromSession(ss, &found, now, dbHandle);
    snceSession_Wipe(&found);

done:
    if (bigCert) {
        PORT_Free(bigCert);
    }
    return sid;
}

sslSessionID *
ssl_LookupServerSession(sslSocket *ss, const SECItem *id)
{
    return ssl_FindServerSession(ss, ssl_Time(ss), &ss->sec.ci.peer, id->data,
                                 id->len, ss->dbHandle);
}

/* Has the type of ssl_sid_lookup, for code that has no socket. */
sslSessionID *
ssl_LookupInDefaultCache(PRTime now, const PRIPv6Addr *addr, unsigned char *id,
                         unsigned int idLen, CERTCertDBHandle *dbHandle)
{
    return ssl_FindServerSession(NULL, now, addr, id, idLen, dbHandle);
}

/* Whether |sid| may be stored. A sid is stored only once. A sid from a ticket
 * is not stored: it has the ID that the client put into its ClientHello, which
 * may be that of another client's session (RFC 5077 section 3.4). */
static PRBool
sid_Cacheable(const sslSessionID *sid)
{
    if (sid->fromTicket ||
        (sid->cached != never_cached && sid->cached != invalid_cache)) {
        return PR_FALSE;
    }
    if (sid->u.ssl3.sessionIDLength == 0 ||
        sid->u.ssl3.sessionIDLength > SNCE_ID_MAX) {
        PORT_SetError(SEC_ERROR_INVALID_ARGS);
        return PR_FALSE;
    }
    return PR_TRUE;
}

/* Fails if the certificate cannot be stored; then the session is not stored
 * either: if it came back without its client's certificate, it would pass for
 * an anonymous one. */
static SECStatus
sid_PackCertificate(const sslSessionID *sid, snceBuffer *out)
{
    const SECItem *der = ssl_SidCertificate(sid);

    out->data = NULL;
    out->len = 0;
    if (!der) {
        return SECSuccess;
    }
    if (!der->data || !der->len || der->len > SNCE_CERTIFICATE_MAX) {
        PORT_SetError(SEC_ERROR_INPUT_LEN);
        return SECFailure;
    }
    out->data = der->data;
    out->len = der->len;
    return SECSuccess;
}

void
ssl_ServerCacheSessionID(sslSessionID *sid, PRTime creationTime)
{
    PRUint8 name[sizeof sid->origin.name];
    snceSession session;
    snceRegion *region;
    snceResult result;
    snceTime expires;
    PRUint32 pass;
    PRTime now;

    PORT_Assert(sid);
    if (!sid || !sid_Cacheable(sid) ||
        sid_PackCertificate(sid, &session.certificate) != SECSuccess) {
        return;
    }
    if (!sid->creationTime) {
        sid->lastAccessTime = sid->creationTime = creationTime;
    }
    /* This call does not get the socket's clock, but |sid| has the clock's last
     * reading. */
    now = PR_MAX(sid->creationTime, sid->lastAccessTime);

    /* Set every field that an insert reads; lookups alone write the others. */
    PORT_Memcpy(session.id, sid->u.ssl3.sessionID, sizeof session.id);
    session.idLen = sid->u.ssl3.sessionIDLength;
    PORT_Memcpy(session.address, &sid->addr, sizeof session.address);
    session.sessionClass = sid_Class(sid);
    session.created = ssl_TimeForCache(sid->creationTime);
    session.lastAccess = ssl_TimeForCache(0);
    sid_PackState(sid, session.state);
    session.name = name;
    session.nameLen =
        sid->origin.nameLen ? ssl_FoldServerName(&sid->origin, name) : 0;

    region = snceGate_Enter(&pass);
    if (!region) {
        PORT_SetError(SSL_ERROR_SERVER_CACHE_NOT_CONFIGURED);
        goto done;
    }
    result = snceCache_InsertUntil(ssl_ServerCache(region, sid->origin.cache),
                                   &session, ssl_TimeForCache(now), &expires);
    snceGate_Leave(pass);
    /* Replace the caller's expiry, which follows from the lifetimes of
     * clients. */
    sid->expirationTime = expires.usec;

    if (result == SNCE_OK) {
        sid->cached = in_server_cache;
    } else {
        (void)snceError_Status(result);
    }

done:
    /* Not snceSession_Wipe, which would also wipe the certificate of |sid|. */
    sid_WipeState(session.state);
}

void
ssl_ServerUncacheSessionID(sslSessionID *sid)
{
    PRErrorCode err;
    snceRegion *region;
    snceKey key;
    PRUint32 pass;

    if (!sid) {
        return;
    }
    /* Keep the error that led to this call. */
    err = PR_GetError();

    key.id = sid->u.ssl3.sessionID;
    key.idLen = sid->u.ssl3.sessionIDLength;
    PORT_Memcpy(key.address, &sid->addr, sizeof key.address);
    key.name = NULL;
    key.nameLen = 0;
    /* The client chose the ID of a sid from a ticket, and could remove another
     * client's session by it. */
    if (!sid->fromTicket && key.idLen >= 1 && key.idLen <= SNCE_ID_MAX) {
        region = snceGate_Enter(&pass);
        if (region) {
            (void)snceCache_Remove(ssl_ServerCache(region, sid->origin.cache),
                                   &key);
            snceGate_Leave(pass);
        }
    }
    sid->cached = invalid_cache;
    PORT_SetError(err);
}
