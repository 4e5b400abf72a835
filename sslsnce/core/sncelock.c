/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncelock.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "sncecancel.h"

#define TRIES 2000
#define PAUSE_NSEC 1000000 /* with TRIES: two seconds */

/* The lock is on the first byte of the file; which byte it is has no
 * meaning. */
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

/* Excludes the other threads of this process, which a record lock does not:
 * that belongs to the process. |lockHolder| in a child that was forked while a
 * thread of its parent held the lock is the parent's process id, which is not
 * the child's and so does not stop it. Where both have the same id, in PID
 * namespaces, the fork handler has cleared it (sncefork.c). Acquire: pairs with
 * the release store in snceLock_Give. */
static bool
TakeFromThreads(snceRegion *region)
{
    int self = (int)getpid();
    int holder =
        atomic_load_explicit(&region->lockHolder, memory_order_relaxed);

    return holder != self && atomic_compare_exchange_strong_explicit(
                                 &region->lockHolder, &holder, self,
                                 memory_order_acquire, memory_order_relaxed);
}

/* Takes the lock of a region without a file: a mutex in the region, which
 * forked children share. */
static bool
TakeMutex(const snceRegion *region)
{
    pthread_mutex_t *mutex = &snceRegion_Header(region)->mutex;
    int error = pthread_mutex_trylock(mutex);

    if (error == EOWNERDEAD) { /* rule 13 repairs what the dead holder left */
        error = pthread_mutex_consistent(mutex);
    }
    return error == 0;
}

static bool
TakeOnce(snceRegion *region)
{
    if (region->anonymous) {
        return TakeMutex(region);
    }
    if (!TakeFromThreads(region)) {
        return false;
    }
    if (SetLock(region, F_WRLCK)) {
        return true;
    }
    atomic_store_explicit(&region->lockHolder, 0, memory_order_release);
    return false;
}

/* Tries |tries| times to take the lock. The caller has made sure that it is not
 * cancelled meanwhile. */
static snceResult
Take(snceRegion *region, unsigned tries)
{
    const struct timespec pause = { 0, PAUSE_NSEC };

    if (!region->anonymous && !snceRegion_CheckDescriptor(region)) {
        return SNCE_BAD_DESCRIPTOR;
    }
    for (unsigned try = 0; try < tries; try++) {
        if (try > 0) {
            (void)nanosleep(&pause, NULL);
        }
        if (TakeOnce(region)) {
            return SNCE_OK;
        }
    }
    return SNCE_BUSY;
}

static snceResult
TakeUncancelled(snceRegion *region, unsigned tries)
{
    int cancel = snceCancel_Forbid();
    snceResult result = Take(region, tries);

    if (result == SNCE_OK) {
        region->lockCancel = cancel;
    } else {
        snceCancel_Restore(cancel);
    }
    return result;
}

snceResult
snceLock_Take(snceRegion *region)
{
    return region->access == SNCE_ACCESS_ADMIN ? TakeUncancelled(region, TRIES)
                                               : SNCE_READ_ONLY;
}

snceResult
snceLock_Try(const snceRegion *region)
{
    /* The cast removes const: only this module changes the region's fields for
     * the lock's holder. */
    return region->access != SNCE_ACCESS_READ
               ? TakeUncancelled((snceRegion *)region, 1)
               : SNCE_READ_ONLY;
}

void
snceLock_Give(const snceRegion *constant)
{
    snceRegion *region = (snceRegion *)constant;
    int cancel = region->lockCancel;

    if (region->anonymous) {
        (void)pthread_mutex_unlock(&snceRegion_Header(region)->mutex);
    } else {
        (void)SetLock(region, F_UNLCK);
        atomic_store_explicit(&region->lockHolder, 0, memory_order_release);
    }
    snceCancel_Restore(cancel);
}

bool
snceLock_Init(const snceRegion *region)
{
    pthread_mutexattr_t attributes;
    bool done;

    if (!region->anonymous) {
        return true;
    }
    if (pthread_mutexattr_init(&attributes) != 0) {
        return false;
    }
    done =
        pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) ==
            0 &&
        pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0 &&
        pthread_mutex_init(&snceRegion_Header(region)->mutex, &attributes) == 0;
    (void)pthread_mutexattr_destroy(&attributes);
    return done;
}
