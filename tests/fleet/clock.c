/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* clock.so, loaded by LD_PRELOAD: a process sees the wall clock CLOCK_AHEAD
 * seconds ahead (a negative number: behind). Clocks that only count, such as
 * CLOCK_MONOTONIC, stay as they are. */

#define _GNU_SOURCE

#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* Set before |main|; 0 until then. */
static time_t ahead;

__attribute__((constructor)) static void
Begin(void)
{
    const char *text = getenv("CLOCK_AHEAD");

    ahead = text ? (time_t)atoll(text) : 0;
}

int
clock_gettime(clockid_t id, struct timespec *out)
{
    int rv = (int)syscall(SYS_clock_gettime, id, out);

    if (rv == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        out->tv_sec += ahead;
    }
    return rv;
}

int
gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec now;

    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) {
        return -1;
    }
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t
time(time_t *out)
{
    struct timespec now = { 0 };

    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (out) {
        *out = now.tv_sec;
    }
    return now.tv_sec;
}
