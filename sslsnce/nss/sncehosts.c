/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncehosts.c: the calls for virtual servers, through the experimental API.
 * sslsnce/sslsnce.h says what they promise. */

#include "sncehosts.h"

#include <stddef.h>
#include <string.h>

#include "prerror.h"
#include "secerr.h"
#include "secport.h"
#include "ssl.h"
#include "sslerr.h"
#include "sslexp.h"

#include "sslsnce/sslsnce.h"

#include "snceerror.h"
#include "sncegate.h"
#include "sncestart.h"

SECStatus
ssl_HostStatus(snceResult result)
{
    switch (result) {
        case SNCE_EXISTS:
            PORT_SetError(PR_FILE_EXISTS_ERROR);
            return SECFailure;
        case SNCE_MISS:
        case SNCE_GONE:
            PORT_SetError(PR_FILE_NOT_FOUND_ERROR);
            return SECFailure;
        default:
            return snceError_Status(result);
    }
}

SECStatus
ssl_FindServerCache(snceRegion *region, const char *name, snceCache *cache)
{
    snceServerId id;
    SECStatus rv;

    if (!name || strcmp(name, "*") == 0) {
        *cache = snceRegion_DefaultCache(region);
        return SECSuccess;
    }
    rv = ssl_HostStatus(
        snceServer_Find(region, (const PRUint8 *)name, strlen(name), &id));
    if (rv == SECSuccess) {
        *cache = snceRegion_Cache(region, id);
    }
    return rv;
}

snceResult
ssl_AddServerCache(snceRegion *region, const char *name,
                   snceCacheOptions *options, snceServerId *id)
{
    const snceCache defaultCache = snceRegion_DefaultCache(region);
    snceResult result;

    options->closed = !snceCache_IsOpen(defaultCache);
    result = snceServer_Add(region, (const PRUint8 *)name, strlen(name),
                            options, id);
    if (result == SNCE_OK && !options->closed &&
        !snceCache_IsOpen(defaultCache)) {
        /* Meanwhile another process closed all caches that it found, perhaps
         * not this new one. */
        options->closed = true;
        result = snceCache_Configure(snceRegion_Cache(region, *id), options);
    }
    return result;
}

snceResult
ssl_ChangeServerCache(snceCache cache, snceCacheOptions *options)
{
    options->keepClosed = true;
    return snceCache_Configure(cache, options);
}

/* Reads |*params| of an application that may have been built against another
 * release, with more fields or fewer. */
static SECStatus
hosts_Request(const SSLServerCacheParams *params,
              sslServerCacheRequest *request)
{
    SSLServerCacheParams own;

    PORT_Memset(&own, 0, sizeof own);
    if (params) {
        if (params->length < sizeof params->length) {
            PORT_SetError(SEC_ERROR_INVALID_ARGS);
            return SECFailure;
        }
        PORT_Memcpy(&own, params, PR_MIN(params->length, sizeof own));
    }
    PORT_Memset(request, 0, sizeof *request);
    request->entries = own.entries;
    request->certificates = own.certificates;
    request->ssl2Timeout = own.ssl2TimeoutSec;
    request->ssl3Timeout = own.ssl3TimeoutSec;
    request->anyAddress = own.anyClientAddress;
    request->clockSkewSec = own.clockSkewSec;
    request->ticketTimeout = own.ticketTimeoutSec;
    request->maxResumptionAge = own.maxResumptionAgeSec;
    request->ticketRotation = own.ticketRotationSec;
    request->ticketEpoch = own.ticketEpoch;
    request->sharesClientAuth = own.sharesClientAuth;
    return SECSuccess;
}

/* Takes the gate's lock and finds the cache |name|. The caller releases the
 * lock, also if this fails. */
static SECStatus
hosts_Lock(const char *name, snceCache *cache)
{
    snceRegion *region = snceGate_Lock();

    if (!region) {
        PORT_SetError(SSL_ERROR_SERVER_CACHE_NOT_CONFIGURED);
        return SECFailure;
    }
    return ssl_FindServerCache(region, name, cache);
}

SECStatus
SSLExp_AddServerCache(const char *name, const SSLServerCacheParams *params)
{
    sslServerCacheRequest request;
    snceCacheOptions options;
    snceRegion *region;
    snceServerId id;
    SECStatus rv;

    if (ssl_StartServerCache() != SECSuccess) {
        return SECFailure;
    }
    if (!name) {
        PORT_SetError(SEC_ERROR_INVALID_ARGS);
        return SECFailure;
    }
    rv = hosts_Request(params, &request);
    if (rv != SECSuccess) {
        return rv;
    }
    if (request.ticketRotation) { /* the default cache has the one for all */
        PORT_SetError(SEC_ERROR_INVALID_ARGS);
        return SECFailure;
    }
    options = ssl_ServerCacheOptions(&request);
    region = snceGate_Lock();
    if (region) {
        rv = ssl_HostStatus(ssl_AddServerCache(region, name, &options, &id));
    } else {
        PORT_SetError(SSL_ERROR_SERVER_CACHE_NOT_CONFIGURED);
        rv = SECFailure;
    }
    snceGate_Unlock();
    return rv;
}

/* Keeps what |cache| has about tickets, if |params| are those of an application that
 * was built before there were fields for it. */
static void
hosts_KeepUnsaid(const SSLServerCacheParams *params, snceCache cache,
                 snceCacheOptions *options)
{
    snceCacheOptions now;

    if (params &&
        params->length <= offsetof(SSLServerCacheParams, ticketTimeoutSec) &&
        snceCache_GetOptions(cache, &now) == SNCE_OK) {
        ssl_CopyTicketOptions(options, &now);
    }
}

SECStatus
SSLExp_ChangeServerCache(const char *name, const SSLServerCacheParams *params)
{
    sslServerCacheRequest request;
    snceCacheOptions options;
    snceCache cache;
    SECStatus rv;

    if (ssl_StartServerCache() != SECSuccess) {
        return SECFailure;
    }
    rv = hosts_Request(params, &request);
    if (rv != SECSuccess) {
        return rv;
    }
    options = ssl_ServerCacheOptions(&request);
    rv = hosts_Lock(name, &cache);
    if (rv == SECSuccess && request.ticketRotation && cache.id.number != 0) {
        PORT_SetError(SEC_ERROR_INVALID_ARGS);
        rv = SECFailure;
    }
    if (rv == SECSuccess) {
        hosts_KeepUnsaid(params, cache, &options);
        rv = ssl_HostStatus(ssl_ChangeServerCache(cache, &options));
    }
    snceGate_Unlock();
    return rv;
}

/* From now on |cache| refuses the tickets of other machines whose sessions have begun by
 * now. Its own region counts flushes, which no clock disturbs. */
static SECStatus
hosts_RefuseTickets(snceCache cache)
{
    return ssl_HostStatus(
        snceCache_RefuseTickets(cache, ssl_TimeForCache(PR_Now())));
}

SECStatus
SSLExp_FlushServerCache(const char *name)
{
    snceCache cache;
    SECStatus rv;

    if (ssl_StartServerCache() != SECSuccess) {
        return SECFailure;
    }
    rv = hosts_Lock(name, &cache);
    if (rv == SECSuccess) {
        rv = hosts_RefuseTickets(cache);
    }
    if (rv == SECSuccess) {
        rv = ssl_HostStatus(snceCache_Flush(cache));
    }
    snceGate_Unlock();
    return rv;
}

SECStatus
SSLExp_RemoveServerCache(const char *name)
{
    snceCache cache;
    SECStatus rv;

    if (ssl_StartServerCache() != SECSuccess) {
        return SECFailure;
    }
    if (!name) {
        PORT_SetError(SEC_ERROR_INVALID_ARGS);
        return SECFailure;
    }
    rv = hosts_Lock(name, &cache);
    if (rv == SECSuccess && cache.id.number != 0) {
        rv = hosts_RefuseTickets(cache);
    }
    if (rv == SECSuccess) {
        rv = ssl_HostStatus(
            snceServer_Remove(cache.region, snceCache_Id(cache)));
    }
    snceGate_Unlock();
    return rv;
}

SECStatus
SSLExp_BindServerCache(PRFileDesc *fd, const char *name)
{
    sslServerCacheId id = { 0, 0, 0 };
    SECStatus rv = SECSuccess;
    sslSocket *ss;

    if (ssl_StartServerCache() != SECSuccess) {
        return SECFailure;
    }
    ss = ssl_FindSocket(fd);
    if (!ss) {
        return SECFailure; /* its error is set */
    }
    if (name) {
        snceRegion *region;
        snceCache cache;
        PRUint32 pass;

        region = snceGate_Enter(&pass);
        if (!region) {
            PORT_SetError(SSL_ERROR_SERVER_CACHE_NOT_CONFIGURED);
            return SECFailure;
        }
        rv = ssl_FindServerCache(region, name, &cache);
        snceGate_Leave(pass);
        if (rv != SECSuccess) {
            return rv;
        }
        id = ssl_IdOfServerCache(snceCache_Id(cache));
    }
    ssl_Get1stHandshakeLock(ss);
    ssl_GetSSL3HandshakeLock(ss);
    ss->sec.boundToCache = name != NULL;
    ss->sec.boundCache = id;
    ssl_ReleaseSSL3HandshakeLock(ss);
    ssl_Release1stHandshakeLock(ss);
    return SECSuccess;
}

/* Returns the resumption age as SSLServerCacheParams has it. */
static PRUint32
hosts_ResumptionAge(const snceCacheOptions *options)
{
    return options->withinTwoRotations &&
                   options->resumptionAgeSec == DEFAULT_RESUMPTION_AGE_SEC
               ? 0
               : options->resumptionAgeSec;
}

SECStatus
SSLExp_ListServerCaches(SSLServerCacheVisitor visit, void *arg)
{
    PRUint32 next = 0;
    SECStatus rv = SECSuccess;

    if (ssl_StartServerCache() != SECSuccess) {
        return SECFailure;
    }
    if (!visit) {
        PORT_SetError(SEC_ERROR_INVALID_ARGS);
        return SECFailure;
    }
    while (rv == SECSuccess) {
        SSLServerCacheParams params;
        snceServerInfo info;
        snceRegion *region;
        snceResult result;
        PRUint32 pass;

        region = snceGate_Enter(&pass);
        if (!region) {
            PORT_SetError(SSL_ERROR_SERVER_CACHE_NOT_CONFIGURED);
            return SECFailure;
        }
        result = snceServer_Next(region, next, &info);
        snceGate_Leave(pass);
        if (result == SNCE_MISS) {
            break;
        }
        rv = snceError_Status(result);
        if (rv != SECSuccess) {
            break;
        }
        next = info.id.number + 1;
        if (info.options.unlisted) {
            continue;
        }
        PORT_Memset(&params, 0, sizeof params);
        params.length = sizeof params;
        params.entries = (PRUint32)info.options.entries;
        params.certificates = (PRUint32)info.options.certificates;
        params.ssl2TimeoutSec = info.options.timeoutSec[SNCE_CLASS_SSL2];
        params.ssl3TimeoutSec = info.options.timeoutSec[SNCE_CLASS_SSL3];
        params.anyClientAddress = !info.options.matchAddress;
        params.clockSkewSec = info.options.clockSkewSec;
        params.ticketTimeoutSec = info.options.ticketTimeoutSec;
        params.maxResumptionAgeSec = hosts_ResumptionAge(&info.options);
        params.ticketEpoch = info.options.ticketEpoch;
        params.sharesClientAuth = info.options.sharesClientAuth;
        params.ticketRotationSec =
            info.nameLen ? 0 : info.options.ticketRotationSec;
        rv = visit(arg, info.nameLen ? (const char *)info.name : NULL, &params);
    }
    return rv;
}
