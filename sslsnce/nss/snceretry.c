/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "snceretry.h"

#include <time.h>

#include "secport.h"

/* Without a clock this returns 0 always: a token that has failed is not asked
 * again. */
static PRInt64
retry_NowMsec(void)
{
    struct timespec now = { 0, 0 };

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (PRInt64)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
retry_PutOff(snceRetry *retry, PRInt64 nowMsec, PRInt32 sec)
{
    retry->pauseSec = PR_MIN(sec, SNCE_RETRY_MOST_SEC);
    retry->atMsec = nowMsec + (PRInt64)retry->pauseSec * 1000;
}

void
snceRetry_Begin(snceRetry *retry)
{
    retry_PutOff(retry, retry_NowMsec(), SNCE_RETRY_FIRST_SEC);
}

PRBool
snceRetry_IsTime(const snceRetry *retry)
{
    /* Without reading the clock if nothing has failed. */
    return snceRetry_Pending(retry) && retry_NowMsec() >= retry->atMsec;
}

PRBool
snceRetry_Due(snceRetry *retry)
{
    if (!snceRetry_IsTime(retry)) {
        return PR_FALSE;
    }
    retry_PutOff(retry, retry_NowMsec(), 2 * retry->pauseSec);
    return PR_TRUE;
}

void
snceRetry_Note(snceRetry *retry, PRBool worked)
{
    if (worked) {
        PORT_Memset(retry, 0, sizeof *retry);
    } else if (!snceRetry_Pending(retry)) {
        snceRetry_Begin(retry);
    } else {
        (void)snceRetry_Due(retry); /* puts the next attempt off */
    }
}
