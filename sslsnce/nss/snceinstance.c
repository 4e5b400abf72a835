/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "snceinstance.h"

#include <stdio.h>

#include "secerr.h"
#include "secport.h"
#include "ssl.h"
#include "sslerr.h"
#include "sslimpl.h"

#include "snceerror.h"
#include "sncegate.h"
#include "sncehosts.h"
#include "sncestart.h"

/* Makes the virtual server of |cache|, under the first name instance-0,
 * instance-1, ... that is free. The caller has the lock. */
static SECStatus
instance_Add(snceRegion *region, snceCacheOptions *options, cacheDesc *cache)
{
    snceResult result = SNCE_EXISTS;
    unsigned int number;

    for (number = 0; result == SNCE_EXISTS && number <= SNCE_SERVERS_MAX;
         ++number) {
        char name[32];
        snceServerId id;

        (void)snprintf(name, sizeof name, "instance-%u", number);
        result = ssl_AddServerCache(region, name, options, &id);
        if (result == SNCE_OK) {
            cache->id = ssl_IdOfServerCache(id);
            cache->configured = PR_TRUE;
        }
    }
    return ssl_HostStatus(result);
}

SECStatus
SSL_ConfigServerSessionIDCacheInstance(cacheDesc *cache, int maxCacheEntries,
                                       PRUint32 ssl2_timeout,
                                       PRUint32 ssl3_timeout,
                                       const char *directory, PRBool shared)
{
    sslServerCacheRequest request = { 0 };
    sslServerCacheRequest defaultRequest = { 0 };
    snceCacheOptions options;
    snceRegion *region;
    SECStatus rv = SECSuccess;
    PRBool exists;

    if (ssl_StartServerCache() != SECSuccess) {
        return SECFailure;
    }
    if (maxCacheEntries < 0) {
        PORT_SetError(SEC_ERROR_INVALID_ARGS);
        return SECFailure;
    }
    request.entries = maxCacheEntries;
    request.ssl2Timeout = ssl2_timeout;
    request.ssl3Timeout = ssl3_timeout;
    if (!cache) {
        return ssl_ConfigServerCache(&request, shared);
    }
    request.unlisted = PR_TRUE;
    options = ssl_ServerCacheOptions(&request);

    exists = snceGate_Lock() != NULL;
    snceGate_Unlock();
    if (!exists) {
        rv = ssl_ConfigServerCache(&defaultRequest, shared);
        if (rv != SECSuccess) {
            return rv;
        }
    }
    region = snceGate_Lock();
    if (!region) {
        PORT_SetError(SSL_ERROR_SERVER_CACHE_NOT_CONFIGURED);
        rv = SECFailure;
    } else {
        snceResult result = SNCE_GONE;

        if (cache->configured) {
            result = ssl_ChangeServerCache(ssl_ServerCache(region, cache->id),
                                           &options);
        }
        /* SNCE_GONE: it was never made, or was removed, or it was in a region
         * that the process has shut down. */
        rv = result == SNCE_GONE ? instance_Add(region, &options, cache)
                                 : ssl_HostStatus(result);
    }
    snceGate_Unlock();
    return rv;
}

SECStatus
SSL_InheritMPServerSIDCacheInstance(cacheDesc *cache, const char *envString)
{
    SECStatus rv = ssl_InheritServerCache(envString);

    if (rv == SECSuccess && cache && !cache->configured) {
        /* A child by exec gets the region, but not the cacheDesc that names one
         * of its caches. */
        PORT_SetError(SSL_ERROR_SERVER_CACHE_NOT_CONFIGURED);
        rv = SECFailure;
    }
    return rv;
}

SECStatus
SSL_ShutdownServerSessionIDCacheInstance(cacheDesc *cache)
{
    snceRegion *region;

    if (!cache) {
        ssl_ShutdownServerCache();
        return SECSuccess;
    }
    region = snceGate_Lock();
    if (region && cache->configured && cache->id.number) {
        snceServerId id = { cache->id.number, cache->id.generation,
                            cache->id.region };

        (void)snceServer_Remove(region, id);
    }
    snceGate_Unlock();
    PORT_Memset(cache, 0, sizeof *cache);
    return SECSuccess;
}

void
ssl_BindServerCacheInstance(sslSocket *ss, const cacheDesc *cache)
{
    ss->sec.boundToCache = cache->configured;
    ss->sec.boundCache = cache->id;
}
