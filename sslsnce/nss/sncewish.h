/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncewish.h: what an application, or the file of caches, asks of a cache. */
#ifndef SSLSNCE_NSS_SNCEWISH_H
#define SSLSNCE_NSS_SNCEWISH_H

#include "prtypes.h"
#include "seccomon.h"

#include "sslsnce/snce.h"

SEC_BEGIN_PROTOS

/* What an application asks of a cache, in the terms of sslsnce.h: 0 is a
 * default, timeouts are in seconds and not clamped. */
typedef struct {
    PRUint32 entries;
    PRUint32 certificates;
    PRUint32 ssl2Timeout;
    PRUint32 ssl3Timeout;
    PRBool anyAddress;
    PRBool unlisted;
    PRBool lock; /* of the default cache: the whole region is locked */
    PRUint32 clockSkewSec;
} sslServerCacheWish;

/* sslsnce.h states these; the first and the last are what 0 asks for. */
#define DEFAULT_ENTRIES 10000
#define MIN_TIMEOUT_SEC 5 /* seconds */
#define MAX_SSL2_TIMEOUT_SEC 100
#define MAX_SSL3_TIMEOUT_SEC 86400
#define MIN_CLOCK_SKEW_SEC 1
#define MAX_CLOCK_SKEW_SEC SNCE_CLOCK_SKEW_MAX
#define DEFAULT_CLOCK_SKEW_SEC 2

/* ssl_ServerCacheOptions turns a wish into what the core is to make. */
snceCacheOptions ssl_ServerCacheOptions(const sslServerCacheWish *wish);

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCEWISH_H */
