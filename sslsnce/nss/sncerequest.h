/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncerequest.h: what an application, or the configuration file, asks of a
 * cache. */
#ifndef SSLSNCE_NSS_SNCEREQUEST_H
#define SSLSNCE_NSS_SNCEREQUEST_H

#include "prtypes.h"
#include "seccomon.h"

#include "sslsnce/snce.h"

SEC_BEGIN_PROTOS

/* A request for a cache, in the terms of sslsnce.h: 0 asks for the default,
 * timeouts are in seconds and not yet clamped. */
typedef struct {
    PRUint32 entries;
    PRUint32 certificates;
    PRUint32 ssl2Timeout;
    PRUint32 ssl3Timeout;
    PRBool anyAddress;
    PRBool unlisted;
    PRBool lock; /* for the default cache: lock the whole region */
    PRUint32 clockSkewSec;
    PRUint32 ticketTimeout;
    PRUint32 maxResumptionAge;
    PRBool withinTwoRotations; /* before TLS 1.3, whatever maxResumptionAge
                                * says */
    PRUint32 ticketEpoch;
    PRBool sharesClientAuth; /* ticketClientAuth=shared */
    PRUint32 ticketRotation; /* for the default cache: of the whole region */
} sslServerCacheRequest;

/* The defaults, for which 0 asks, and the limits, as sslsnce.h states them. */
#define DEFAULT_ENTRIES 10000
#define DEFAULT_SSL2_TIMEOUT_SEC 100
#define DEFAULT_SSL3_TIMEOUT_SEC 86400
#define MIN_TIMEOUT_SEC 5
#define MAX_SSL2_TIMEOUT_SEC 100
#define MAX_SSL3_TIMEOUT_SEC 86400
#define MIN_CLOCK_SKEW_SEC 1
#define MAX_CLOCK_SKEW_SEC SNCE_CLOCK_SKEW_MAX
#define DEFAULT_CLOCK_SKEW_SEC 2
#define DEFAULT_TICKET_TIMEOUT_SEC 172800
#define MAX_TICKET_TIMEOUT_SEC 604800 /* RFC 9846 section 4.7.1 */
/* In TLS 1.3; before, the default is two rotations (RFC 9325 section 3.4). */
#define DEFAULT_RESUMPTION_AGE_SEC 604800
#define MAX_RESUMPTION_AGE_SEC 604800
#define DEFAULT_ROTATION_SEC 86400
#define MIN_ROTATION_SEC 60
#define MAX_ROTATION_SEC 604800 /* RFC 9325 section 3.4 */

/* ssl_ServerCacheOptions turns a request into the options with which the core
 * makes the cache. */
snceCacheOptions ssl_ServerCacheOptions(const sslServerCacheRequest *request);

/* ssl_CopyTicketOptions copies what options have about tickets. */
void ssl_CopyTicketOptions(snceCacheOptions *to, const snceCacheOptions *from);

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCEREQUEST_H */
