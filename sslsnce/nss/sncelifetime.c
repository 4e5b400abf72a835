/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncelifetime.h"

#include "secport.h"
#include "sslproto.h"

#include "sncegate.h"
#include "snceint.h"

/* The limits of one cache and one version of TLS, in seconds. */
typedef struct {
    PRUint32 ticketSec;
    PRUint32 ageSec;
    PRUint32 skewSec;    /* how far ahead of the clock a ticket may be issued */
    PRTime refusedUntil; /* the rest is for tickets of other regions */
    PRBool sharesClientAuth;
} limits;

static PRUint32
lifetime_Or(PRUint32 seconds, PRUint32 byDefault)
{
    return seconds ? seconds : byDefault;
}

PRUint32
snceLifetime_Rotation(snceRegion *region)
{
    snceCacheOptions options;

    if (!region || snceCache_GetOptions(snceRegion_DefaultCache(region),
                                        &options) != SNCE_OK) {
        return DEFAULT_ROTATION_SEC;
    }
    return lifetime_Or(options.ticketRotationSec, DEFAULT_ROTATION_SEC);
}

PRUint32
snceLifetime_LongestTicket(snceRegion *region)
{
    PRUint32 longest = 0;
    PRUint32 next = 0;
    snceServerInfo info;

    while (region && snceServer_Next(region, next, &info) == SNCE_OK) {
        next = info.id.number + 1;
        longest = PR_MAX(longest, lifetime_Or(info.options.ticketTimeoutSec,
                                              DEFAULT_TICKET_TIMEOUT_SEC));
    }
    return lifetime_Or(longest, DEFAULT_TICKET_TIMEOUT_SEC);
}

/* Returns the limits of the cache to which the last ClientHello of |ss| belongs, for
 * the version of |ss|. */
static limits
lifetime_Limits(const sslSocket *ss)
{
    snceCacheOptions options;
    snceRegion *region;
    PRUint32 rotationSec = DEFAULT_ROTATION_SEC;
    PRUint32 pass;
    limits l;

    PORT_Memset(&options, 0, sizeof options);
    options.clockSkewSec = DEFAULT_CLOCK_SKEW_SEC;
    region = snceGate_Enter(&pass);
    if (region) {
        (void)snceCache_GetOptions(
            ssl_ServerCache(region, ss->sec.origin.cache), &options);
        rotationSec = snceLifetime_Rotation(region);
        snceGate_Leave(pass);
    }
    l.ticketSec =
        lifetime_Or(options.ticketTimeoutSec, DEFAULT_TICKET_TIMEOUT_SEC);
    l.ageSec =
        lifetime_Or(options.resumptionAgeSec, DEFAULT_RESUMPTION_AGE_SEC);
    if (ss->version < SSL_LIBRARY_VERSION_TLS_1_3 &&
        (options.withinTwoRotations || !options.resumptionAgeSec)) {
        l.ageSec = PR_MIN(l.ageSec, 2 * rotationSec);
    }
    l.skewSec = options.clockSkewSec;
    l.refusedUntil = options.refusedUntil.usec;
    l.sharesClientAuth = options.sharesClientAuth;
    return l;
}

PRTime
snceLifetime_Add(PRTime time, PRUint32 seconds)
{
    PRTime sum;

    if (__builtin_add_overflow(time, (PRTime)seconds * PR_USEC_PER_SEC, &sum)) {
        sum = PR_INT64_MAX;
    }
    return sum;
}

static PRTime
lifetime_End(const limits *l, PRTime began, PRTime issued)
{
    /* A clock may have been set back since the session began. */
    began = PR_MIN(began, issued);
    return PR_MIN(snceLifetime_Add(issued, l->ticketSec),
                  snceLifetime_Add(began, l->ageSec));
}

PRTime
snceLifetime_End(const sslSocket *ss, PRTime began, PRTime issued)
{
    const limits l = lifetime_Limits(ss);

    return lifetime_End(&l, began, issued);
}

/* Whether |time| is further ahead of |now| than clocks may differ. Unsigned,
 * because any two clocks may be compared: the difference may not fit a PRTime. */
static PRBool
lifetime_IsOfFuture(PRUint32 skewSec, PRTime now, PRTime time)
{
    return time > now &&
           (PRUint64)time - (PRUint64)now > (PRUint64)skewSec * PR_USEC_PER_SEC;
}

static snceTicketEvent
lifetime_Judge(const sslSocket *ss, const limits *l, PRUint32 skewSec,
               PRTime began, PRTime issued)
{
    PRTime now = ssl_Time(ss);

    if (now >= lifetime_End(l, began, issued)) {
        return now >= snceLifetime_Add(PR_MIN(began, issued), l->ageSec)
                   ? SNCE_TICKET_TOO_OLD
                   : SNCE_TICKET_EXPIRED;
    }
    return lifetime_IsOfFuture(skewSec, now, issued) ? SNCE_TICKET_FUTURE
                                                     : SNCE_TICKET_CURRENT;
}

snceTicketEvent
snceLifetime_Judge(const sslSocket *ss, PRTime began, PRTime issued)
{
    const limits l = lifetime_Limits(ss);

    return lifetime_Judge(ss, &l, l.skewSec, began, issued);
}

snceTicketEvent
snceLifetime_JudgeForeign(const sslSocket *ss, PRTime began, PRTime issued,
                          PRBool hasClientCert)
{
    const limits l = lifetime_Limits(ss);

    if (began <= l.refusedUntil) {
        return SNCE_TICKET_FLUSHED;
    }
    if (hasClientCert && !l.sharesClientAuth) {
        return SNCE_TICKET_FOREIGN;
    }
    return lifetime_Judge(ss, &l, PR_MAX(l.skewSec, SNCE_FLEET_SKEW_SEC), began,
                          issued);
}
