/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncecancel.h: no thread is cancelled while it holds something.
 *
 * Some of the system calls that the core makes are cancellation points: nanosleep,
 * getrandom, fallocate, close. A thread that pthread_cancel ends there would leave
 * the turn for rare changes taken, or a mapping and a descriptor behind. It ends at
 * its next cancellation point after the call instead. */
#ifndef SNCECANCEL_H
#define SNCECANCEL_H

#include <pthread.h>
#include <stddef.h>

/* snceCancel_Forbid puts off cancellation of this thread, and returns what is
 * given to snceCancel_Restore. */
static inline int
snceCancel_Forbid(void)
{
    int before = PTHREAD_CANCEL_ENABLE;

    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    return before;
}

static inline void
snceCancel_Restore(int before)
{
    (void)pthread_setcancelstate(before, NULL);
}

#endif /* SNCECANCEL_H */
