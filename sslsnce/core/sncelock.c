/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncelock.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "sncecancel.h"

#define TRIES 2000
#define PAUSE_NSEC 1000000 /* times TRIES is two seconds */

/* The lock is on the first byte of the file; its range has no meaning. */
static bool
SetLock(const snceRegion *region, short type)
{
    struct flock lock = { 0 };
    int rv;

    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = 0;
    lock.l_len = 1;
    do {
        rv = fcntl(region->fd, F_SETLK, &lock);
    } while (rv != 0 && errno == EINTR);
    return rv == 0;
}

/* Record locks belong to processes, so threads of this one need another. A
 * child forked while a thread of its parent had the turn finds that parent's
 * pid and passes over it; where both have the same one, in PID namespaces, it
 * finds 0 (snceregion.c). Acquire: pairs with the release in snceLock_Give. */
static bool
TakeFromThreads(snceRegion *region)
{
    int self = (int)getpid();
    int holder =
        atomic_load_explicit(&region->turnHolder, memory_order_relaxed);

    return holder != self && atomic_compare_exchange_strong_explicit(
                                 &region->turnHolder, &holder, self,
                                 memory_order_acquire, memory_order_relaxed);
}

/* The caller is not cancelled meanwhile. */
static snceResult
Take(snceRegion *region)
{
    const struct timespec pause = { 0, PAUSE_NSEC };

    if (region->access != SNCE_ACCESS_ADMIN) {
        return SNCE_READ_ONLY;
    }
    if (!snceRegion_CheckDescriptor(region)) {
        return SNCE_BAD_DESCRIPTOR;
    }
    for (unsigned try = 0; try < TRIES; try++) {
        if (TakeFromThreads(region)) {
            if (SetLock(region, F_WRLCK)) {
                return SNCE_OK;
            }
            atomic_store_explicit(&region->turnHolder, 0, memory_order_release);
        }
        (void)nanosleep(&pause, NULL);
    }
    return SNCE_BUSY;
}

snceResult
snceLock_Take(snceRegion *region)
{
    int cancel = snceCancel_Forbid();
    snceResult result = Take(region);

    if (result == SNCE_OK) {
        region->turnCancel = cancel;
    } else {
        snceCancel_Restore(cancel);
    }
    return result;
}

void
snceLock_Give(snceRegion *region)
{
    int cancel = region->turnCancel;

    (void)SetLock(region, F_UNLCK);
    atomic_store_explicit(&region->turnHolder, 0, memory_order_release);
    snceCancel_Restore(cancel);
}
