/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncecancel.h: prevents that a thread is cancelled while it holds something.
 *
 * Some of the system calls that the core makes are cancellation points:
 * nanosleep, getrandom, fallocate, close. A thread that pthread_cancel ended
 * there would leave the administrative lock taken, or leak a mapping and a
 * descriptor. While cancellation is forbidden, such a thread goes on, and ends
 * at its next cancellation point after the call. */
#ifndef SNCECANCEL_H
#define SNCECANCEL_H

#include <pthread.h>
#include <stddef.h>

/* snceCancel_Forbid forbids the cancellation of this thread until
 * snceCancel_Restore. Returns the state that snceCancel_Restore takes. */
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
