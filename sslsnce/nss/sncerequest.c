/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncerequest.h"

#include "secport.h"

static PRUint32
ssl_Timeout(PRUint32 seconds, PRUint32 byDefault, PRUint32 max)
{
    if (seconds == 0) {
        return byDefault;
    }
    return PR_MIN(PR_MAX(seconds, MIN_TIMEOUT_SEC), max);
}

snceCacheOptions
ssl_ServerCacheOptions(const sslServerCacheRequest *request)
{
    snceCacheOptions options;

    PORT_Memset(&options, 0, sizeof options);
    options.entries = request->entries ? request->entries : DEFAULT_ENTRIES;
    /* A cache has no use for more certificates than sessions. */
    options.certificates = PR_MIN(request->certificates, options.entries);
    options.timeoutSec[SNCE_CLASS_SSL2] = ssl_Timeout(
        request->ssl2Timeout, DEFAULT_SSL2_TIMEOUT_SEC, MAX_SSL2_TIMEOUT_SEC);
    options.timeoutSec[SNCE_CLASS_SSL3] = ssl_Timeout(
        request->ssl3Timeout, DEFAULT_SSL3_TIMEOUT_SEC, MAX_SSL3_TIMEOUT_SEC);
    options.matchAddress = !request->anyAddress;
    options.unlisted = request->unlisted != PR_FALSE;
    options.lock = request->lock != PR_FALSE;
    options.clockSkewSec = request->clockSkewSec ? PR_MIN(request->clockSkewSec,
                                                          SNCE_CLOCK_SKEW_MAX)
                                                 : DEFAULT_CLOCK_SKEW_SEC;
    options.ticketTimeoutSec =
        ssl_Timeout(request->ticketTimeout, DEFAULT_TICKET_TIMEOUT_SEC,
                    MAX_TICKET_TIMEOUT_SEC);
    options.resumptionAgeSec =
        ssl_Timeout(request->maxResumptionAge, DEFAULT_RESUMPTION_AGE_SEC,
                    MAX_RESUMPTION_AGE_SEC);
    options.withinTwoRotations =
        request->withinTwoRotations || !request->maxResumptionAge;
    options.ticketEpoch = request->ticketEpoch;
    options.sharesClientAuth = request->sharesClientAuth != PR_FALSE;
    options.ticketRotationSec =
        request->ticketRotation
            ? PR_MIN(PR_MAX(request->ticketRotation, MIN_ROTATION_SEC),
                     MAX_ROTATION_SEC)
            : DEFAULT_ROTATION_SEC;
    return options;
}

void
ssl_CopyTicketOptions(snceCacheOptions *to, const snceCacheOptions *from)
{
    to->ticketTimeoutSec = from->ticketTimeoutSec;
    to->resumptionAgeSec = from->resumptionAgeSec;
    to->withinTwoRotations = from->withinTwoRotations;
    to->ticketEpoch = from->ticketEpoch;
    to->sharesClientAuth = from->sharesClientAuth;
    to->ticketRotationSec = from->ticketRotationSec;
}
