/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceretry.h: when to ask a token again that has failed.
 *
 * A token that is busy, or that somebody logged out, fails now and works later.
 * A token that signs with a key but does not decrypt never will. The failure
 * does not tell which it is. So the token is asked again after a second, and
 * then after pauses twice as long, up to five minutes. Thus a failure that
 * passes is over soon, and one that stays costs twelve operations with a
 * private key an hour, after the first ten minutes.
 *
 * The clock is the monotonic one, which setting the time does not change. No
 * two threads may use one snceRetry at once: the caller has a lock. */
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
    PRInt32 pauseSec; /* before |atMsec|; 0: no attempt is due */
} snceRetry;

/* snceRetry_Begin notes that the token has failed just now. */
void snceRetry_Begin(snceRetry *retry);

/* snceRetry_Due tells whether it is time to ask again. If so, it puts the next
 * time off, so that only one caller is told to ask. */
PRBool snceRetry_Due(snceRetry *retry);

/* snceRetry_IsTime tells whether it is time to ask again, and changes nothing. */
PRBool snceRetry_IsTime(const snceRetry *retry);

/* snceRetry_Pending tells whether there will be another attempt. */
static inline PRBool
snceRetry_Pending(const snceRetry *retry)
{
    return retry->pauseSec != 0;
}

/* snceRetry_MayTry tells whether nothing has failed, or it is time to ask again. */
static inline PRBool
snceRetry_MayTry(const snceRetry *retry)
{
    return !snceRetry_Pending(retry) || snceRetry_IsTime(retry);
}

/* snceRetry_Note notes that an attempt has worked, or that it has failed. */
void snceRetry_Note(snceRetry *retry, PRBool worked);

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCERETRY_H */
