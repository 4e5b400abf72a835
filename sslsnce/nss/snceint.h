/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceint.h: what the files of the adapter share.
 *
 * The adapter takes the place of NSS's lib/ssl/sslsnce.c. It speaks NSS on one
 * side and the core (sslsnce/snce.h) on the other:
 *
 *   sslsnce.c     the calls of ssl.h that configure, inherit and shut down
 *   sncesid.c     a sslSessionID into the cache and out of it
 *   sncewrap.c    the keys that wrap master secrets
 *   sncering.c    those that this process has unwrapped
 *   sncecert.c    the certificate that a session is resumed under
 *   snceticket.c  the self-encrypt (ticket) keys
 *   sncereport.c  the figures
 *   sncegate.c    who is inside the region, so that Shutdown can wait for them
 *   snceerror.c   a core result as an NSS error
 */
#ifndef SSLSNCE_NSS_SNCEINT_H
#define SSLSNCE_NSS_SNCEINT_H

#include "prtypes.h"
#include "prtime.h"
#include "seccomon.h"

#include "sslsnce/snce.h"

SEC_BEGIN_PROTOS

/* ssl_TimeForCache turns NSPR's time into the core's; both are microseconds
 * since 1970. */
static inline snceTime
ssl_TimeForCache(PRTime time)
{
    snceTime t = { time };
    return t;
}

/* ssl_ServerCacheByIndex returns the cache that a socket or a session names as
 * its |serverCache|, or NULL if |region| has none of that number. It lives as
 * long as |region|. */
snceCache *ssl_ServerCacheByIndex(snceRegion *region, PRUint32 number);

/* The tags that begin the names of the records in a region's key log, eight
 * bytes each. */
#define SNCE_KEY_TAG_BYTES 8
#define SNCE_KEY_TAG_WRAP "wrapkey"
#define SNCE_KEY_TAG_TICKET "ticket1"

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCEINT_H */
