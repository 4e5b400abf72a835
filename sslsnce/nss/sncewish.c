/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncewish.h"

#include "secport.h"

static PRUint32
ssl_ClampTimeout(PRUint32 seconds, PRUint32 max)
{
    if (seconds == 0 || seconds > max) {
        return max;
    }
    return PR_MAX(seconds, MIN_TIMEOUT_SEC);
}

snceCacheOptions
ssl_ServerCacheOptions(const sslServerCacheWish *wish)
{
    snceCacheOptions options;

    PORT_Memset(&options, 0, sizeof options);
    options.entries = wish->entries ? wish->entries : DEFAULT_ENTRIES;
    /* More certificates than sessions have no use. */
    options.certificates = PR_MIN(wish->certificates, options.entries);
    options.timeoutSec[SNCE_CLASS_SSL2] =
        ssl_ClampTimeout(wish->ssl2Timeout, MAX_SSL2_TIMEOUT_SEC);
    options.timeoutSec[SNCE_CLASS_SSL3] =
        ssl_ClampTimeout(wish->ssl3Timeout, MAX_SSL3_TIMEOUT_SEC);
    options.matchAddress = !wish->anyAddress;
    options.unlisted = wish->unlisted != PR_FALSE;
    options.lock = wish->lock != PR_FALSE;
    options.clockSkewSec = wish->clockSkewSec
                               ? PR_MIN(wish->clockSkewSec, SNCE_CLOCK_SKEW_MAX)
                               : DEFAULT_CLOCK_SKEW_SEC;
    return options;
}
