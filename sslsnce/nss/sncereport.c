/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncereport.c: the figures of the server cache, through the experimental
 * API. */

#include "secerr.h"
#include "secport.h"
#include "ssl.h"
#include "sslerr.h"
#include "sslexp.h"
#include "sslimpl.h"

#include "sslsnce/sslsnce.h"

#include "sncegate.h"
#include "sncehosts.h"
#include "sncestart.h"

/* With the name before it, `strings libssl3.so` shows the version of a library
 * file. */
#define LIBRARY "sslsnce "
static const char libraryVersion[] = LIBRARY SSLSNCE_VERSION;

PR_STATIC_ASSERT(sizeof(SSLSNCE_VERSION) <=
                 sizeof(((SSLServerCacheFigures *)0)->version));

SECStatus
SSLExp_GetServerCacheFigures(const char *name, SSLServerCacheFigures *figures,
                             PRUintn len)
{
    const char *version = libraryVersion + sizeof LIBRARY - 1;
    SSLServerCacheFigures out;
    snceCacheOptions options;
    snceFigures counts;
    snceRegion *region;
    snceCache cache;
    PRUint32 pass;
    SECStatus rv;

    if (ssl_StartServerCache() != SECSuccess) {
        return SECFailure;
    }
    if (!figures || len < sizeof figures->length) {
        PORT_SetError(SEC_ERROR_INVALID_ARGS);
        return SECFailure;
    }
    PORT_Memset(&out, 0, sizeof out);
    /* Hides from the compiler where |version| points: otherwise it copies the
     * characters from its own code, and the linker drops the string. */
    __asm__("" : "+r"(version));

    region = snceGate_Enter(&pass);
    if (!region) {
        PORT_SetError(SSL_ERROR_SERVER_CACHE_NOT_CONFIGURED);
        return SECFailure;
    }
    rv = ssl_FindServerCache(region, name, &cache);
    if (rv == SECSuccess) {
        rv = ssl_HostStatus(snceCache_GetFigures(cache, &counts));
    }
    if (rv == SECSuccess) {
        rv = ssl_HostStatus(snceCache_GetOptions(cache, &options));
    }
    out.regionBytes = snceRegion_Bytes(region);
    out.residentBytes = snceRegion_ResidentBytes(region);
    snceGate_Leave(pass);
    if (rv != SECSuccess) {
        return rv;
    }

    out.length = (PRUint32)PR_MIN(len, sizeof out);
    out.ssl2TimeoutSec = options.timeoutSec[SNCE_CLASS_SSL2];
    out.ssl3TimeoutSec = options.timeoutSec[SNCE_CLASS_SSL3];
    out.closed = options.closed;
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
    out.overridden = counts.overridden;
    out.missesFuture = counts.missesFuture;
    out.keyFailures = counts.keyFailures;
    out.unmapped = counts.unmapped;
    out.ticketsMade = counts.tickets[SNCE_TICKET_MADE];
    out.ticketsCurrent = counts.tickets[SNCE_TICKET_CURRENT];
    out.ticketsOlder = counts.tickets[SNCE_TICKET_OLDER];
    out.ticketsNext = counts.tickets[SNCE_TICKET_NEXT];
    out.ticketsUnknown = counts.tickets[SNCE_TICKET_UNKNOWN];
    out.ticketsExpired = counts.tickets[SNCE_TICKET_EXPIRED];
    out.ticketsTooOld = counts.tickets[SNCE_TICKET_TOO_OLD];
    out.ticketsFlushed = counts.tickets[SNCE_TICKET_FLUSHED];
    out.ticketsDamaged = counts.tickets[SNCE_TICKET_DAMAGED];
    out.ticketsFuture = counts.tickets[SNCE_TICKET_FUTURE];
    out.ticketsForeign = counts.tickets[SNCE_TICKET_FOREIGN];
    out.earlyDataAccepted = counts.tickets[SNCE_EARLY_ACCEPTED];
    out.earlyDataRejected = counts.tickets[SNCE_EARLY_REJECTED];
    PORT_Memcpy(out.version, version, sizeof SSLSNCE_VERSION);
    PORT_Memcpy(figures, &out, out.length);
    return SECSuccess;
}
