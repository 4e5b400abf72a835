/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceretry.h: when to ask a token again that has failed.
 *
 * A token that is busy, or that somebody logged out, fails now and works later. One
 * that signs with a key but does not decrypt never will. Neither says which it is.
 * So it is asked again after a second, and then after pauses twice as long, up to
 * five minutes: a failure that passes is over soon, and one that stays costs twelve
 * operations with a private key an hour, after the first ten minutes.
 *
 * The clock is the monotonic one, so that nobody who sets the time changes it. Not
 * for several threads at once: the caller has a lock. */
#ifndef SSLSNCE_NSS_SNCERETRY_H
#define SSLSNCE_NSS_SNCERETRY_H

#include "prtypes.h"
#include "seccomon.h"

SEC_BEGIN_PROTOS

#define SNCE_RETRY_FIRST_SEC 1
#define SNCE_RETRY_MOST_SEC 300

/* All zero: nothing has failed. */
typedef struct {
    PRInt64 atMsec;
    PRInt32 pauseSec; /* before |atMsec|; 0: there is no next time */
} snceRetry;

/* snceRetry_Begin notes a failure of just now. */
void snceRetry_Begin(snceRetry *retry);

/* snceRetry_Due tells whether it is time to ask again, and if so, puts the next
 * time off, so that one caller is told it. */
PRBool snceRetry_Due(snceRetry *retry);

/* snceRetry_Pending tells whether there is a next time. */
static inline PRBool
snceRetry_Pending(const snceRetry *retry)
{
    return retry->pauseSec != 0;
}

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCERETRY_H */
