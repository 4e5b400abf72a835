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
 *   snceresume.c  whether a session may resume, after the SNI callback
 *   snceticket.c  the self-encrypt (ticket) keys
 *   snceorigin.c  where a session was made: its cache, its server name
 *   sncehosts.c   the experimental calls for virtual servers
 *   snceinstance.c  the ...Instance calls that NSS never exported
 *   sncefile.c    the file that SSL_SERVER_CACHE_CONFIG names, as bytes
 *   snceparse.c   its lines
 *   sncevalue.c   its parameters and their values
 *   snceconfig.c  what it makes of the caches
 *   snceundo.c    what a strict one has changed, for a call that fails
 *   sncenotice.c  what is wrong with it, in words
 *   sncelog.c     a message to stderr and to syslog
 *   sncereport.c  the figures
 *   snceretry.c   when a token that failed is asked again
 *   sncegate.c    who is inside the region, so that Shutdown can wait for them
 *   sncestart.c   NSPR, before the first call
 *   sncewish.c    what an application asks of a cache, as the core has it
 *   snceerror.c   a core result as an NSS error
 */
#ifndef SSLSNCE_NSS_SNCEINT_H
#define SSLSNCE_NSS_SNCEINT_H

#include "prtypes.h"
#include "prtime.h"
#include "seccomon.h"
#include "sslimpl.h"

#include "sslsnce/snce.h"

#include "sncewish.h"

SEC_BEGIN_PROTOS

/* ssl_TimeForCache turns NSPR's time into the core's; both are microseconds
 * since 1970. */
static inline snceTime
ssl_TimeForCache(PRTime time)
{
    snceTime t = { time };
    return t;
}

/* ssl_IdOfServerCache and ssl_ServerCache turn the core's name of a cache into
 * libssl's and back. The default cache is all zero there, in every region, so
 * that a socket that nobody told anything has it. Another cache's name fits one
 * region only: a socket that was bound before a Shutdown and a new Config finds
 * and stores nothing. */
static inline sslServerCacheId
ssl_IdOfServerCache(snceServerId id)
{
    static const sslServerCacheId defaultCache = { 0, 0, 0 };
    sslServerCacheId own = { id.number, id.generation, id.region };
    return own.number ? own : defaultCache;
}

static inline snceCache
ssl_ServerCache(snceRegion *region, sslServerCacheId own)
{
    snceServerId id = { own.number, own.generation, own.region };
    return own.number ? snceRegion_Cache(region, id)
                      : snceRegion_DefaultCache(region);
}

/* The calls of ssl.h below the arguments that only they have; sslsnce.h says
 * what they do. |shared| exports the region to children by exec. */
SECStatus ssl_ConfigServerCache(const sslServerCacheWish *wish, PRBool shared);
SECStatus ssl_InheritServerCache(const char *envString);
void ssl_ShutdownServerCache(void);

/* The tags that begin the names of the records in a region's key log, eight
 * bytes each. */
#define SNCE_KEY_TAG_BYTES 8
#define SNCE_KEY_TAG_WRAP "wrapkey"
#define SNCE_KEY_TAG_TICKET "ticket1"

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCEINT_H */
