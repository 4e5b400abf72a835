/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceint.h: what the files of the adapter share.
 *
 * The adapter takes the place of NSS's lib/ssl/sslsnce.c. It offers NSS's
 * interface to libssl, and calls the core (sslsnce/snce.h):
 *
 *   sslsnce.c     the calls of ssl.h that configure, inherit and shut down
 *   sncesid.c     stores a sslSessionID in the cache, finds it, removes it
 *   sncewrap.c    the keys that wrap master secrets
 *   sncekeycache.c    those of them that this process has unwrapped
 *   sncelifetime.c  how long a session may be resumed by tickets
 *   snceresume.c  whether a session may resume, after the SNI callback
 *   snceearly.c   early data is accepted once, whichever process gets it
 *   snceticket.c  the self-encrypt (ticket) keys: libssl's calls
 *   snceknown.c   the ticket keys that this process knows
 *   sncesecret.c  those that are derived from a fleet's secret
 *   snceset.c     which set of keys from files is in force
 *   snceshare.c   ticket keys learned from the region, and stored there
 *   sncerotate.c  which ticket key encrypts, and which one a ticket is under
 *   sncefleet.c   those that are from files
 *   snceticketcalls.c  the experimental calls for ticket keys
 *   snceregionkey.c  the keys under which a region's ticket keys lie
 *   snceunder.c   a key encrypted under a server key
 *   sncederive.c  keys and names derived from a key
 *   snceorigin.c  where a session was made: its cache, its server name
 *   sncehosts.c   the experimental calls for virtual servers
 *   snceinstance.c  the ...Instance calls that NSS never exported
 *   sncefile.c    reads the file that SSL_SERVER_CACHE_CONFIG names
 *   sncekeyfile.c  reads files of ticket keys and ticket secrets
 *   snceparse.c   its lines
 *   sncevalue.c   its parameters and their values
 *   snceconfig.c  applies it to the caches
 *   snceundo.c    undoes what a strict file has changed, if the call fails
 *   sncenotice.c  reports its faults in words
 *   sncelog.c     writes a message to stderr and to syslog
 *   sncereport.c  the figures
 *   snceretry.c   when a token that failed is asked again
 *   sncegate.c    which threads are inside the region, for Shutdown to wait for them
 *   sncestart.c   initializes NSPR, before the first call
 *   sncerequest.c    turns what an application asks of a cache into the core's options
 *   snceerror.c   turns a core result into an NSS error */
#ifndef SSLSNCE_NSS_SNCEINT_H
#define SSLSNCE_NSS_SNCEINT_H

#include "prtypes.h"
#include "prtime.h"
#include "seccomon.h"
#include "sslimpl.h"

#include "sslsnce/snce.h"

#include "sncerequest.h"

SEC_BEGIN_PROTOS

/* ssl_TimeForCache turns NSPR's time into the core's; both are microseconds
 * since 1970. */
static inline snceTime
ssl_TimeForCache(PRTime time)
{
    snceTime t = { time };
    return t;
}

/* ssl_IdOfServerCache and ssl_ServerCache turn the core's id of a cache into
 * libssl's and back. libssl's id of the default cache is all zero, whatever the
 * region, so that a socket whose fields were never set has the default cache.
 * The id of another cache fits one region only: a socket that was bound before
 * a Shutdown and a new Config finds and stores nothing. */
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

/* These do what the calls of ssl.h do, without the arguments that only those
 * have; sslsnce.h says what they promise. |shared| exports the region to
 * children by exec. */
SECStatus ssl_ConfigServerCache(const sslServerCacheRequest *request,
                                PRBool shared);
SECStatus ssl_InheritServerCache(const char *envString);
void ssl_ShutdownServerCache(void);

/* Tags of eight bytes, with which the names of records in a region's key log
 * begin. */
#define SNCE_KEY_TAG_BYTES 8
#define SNCE_KEY_TAG_WRAP "wrapkey"
#define SNCE_KEY_TAG_REGION "region1"

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCEINT_H */
