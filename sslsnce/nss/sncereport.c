/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncereport.c: the figures of the server cache, by the experimental API. */

#include "secerr.h"
#include "secport.h"
#include "ssl.h"
#include "sslerr.h"
#include "sslexp.h"
#include "sslimpl.h"

#include "sslsnce/sslsnce.h"

#include "snceerror.h"
#include "sncegate.h"
#include "snceint.h"

SECStatus
SSLExp_GetServerCacheFigures(SSLServerCacheFigures *figures, PRUintn len)
{
    SSLServerCacheFigures out;
    snceCacheOptions options;
    snceFigures counts;
    snceRegion *region;
    snceCache cache;
    snceResult result;
    PRUint32 pass;

    if (!figures || len < sizeof figures->length) {
        PORT_SetError(SEC_ERROR_INVALID_ARGS);
        return SECFailure;
    }
    PORT_Memset(&out, 0, sizeof out);

    region = snceGate_Enter(&pass);
    if (!region) {
        PORT_SetError(SSL_ERROR_SERVER_CACHE_NOT_CONFIGURED);
        return SECFailure;
    }
    cache = ssl_ServerCacheByIndex(region, 0);
    result = snceCache_GetFigures(cache, &counts);
    if (result == SNCE_OK) {
        result = snceCache_GetOptions(cache, &options);
    }
    out.regionBytes = snceRegion_Bytes(region);
    out.residentBytes = snceRegion_ResidentBytes(region);
    snceGate_Leave(pass);
    if (snceError_Status(result) != SECSuccess) {
        return SECFailure;
    }

    out.length = (PRUint32)PR_MIN(len, sizeof out);
    out.ssl2TimeoutSec = options.timeoutSec[SNCE_CLASS_SSL2];
    out.ssl3TimeoutSec = options.timeoutSec[SNCE_CLASS_SSL3];
    out.entries = options.entries;
    out.slots = counts.slots;
    out.live = counts.live;
    out.certificates = counts.certificates;
    out.hits = counts.hits;
    out.missesUnknown = counts.missesUnknown;
    out.missesExpired = counts.missesExpired;
    out.missesAddress = counts.missesAddress;
    out.missesName = counts.missesName;
    out.missesCertificate = counts.missesCertificate;
    out.inserts = counts.inserts;
    out.replacedExpired = counts.replacedExpired;
    out.replacedLive = counts.replacedLive;
    out.dropped = counts.dropped;
    out.refused = counts.refused;
    out.removals = counts.removals;
    out.reclaimed = counts.reclaimed;
    out.corrupt = counts.corrupt;
    out.wiped = counts.wiped;
    PORT_Memcpy(figures, &out, out.length);
    return SECSuccess;
}
