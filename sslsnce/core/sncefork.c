/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncefork.h"

#include <pthread.h>

#define REGIONS_WATCHED 16

/* Guarded by watchLock. A fork holds that lock, so that the child finds the
 * table in order and can release the lock. */
static snceRegion *watched[REGIONS_WATCHED];
static bool watching;
static pthread_mutex_t watchLock = PTHREAD_MUTEX_INITIALIZER;

void
snceFork_NoteShared(const snceRegion *region)
{
    if (region->access != SNCE_ACCESS_READ) {
        atomic_store_explicit(&snceRegion_Header(region)->shared, 1,
                              memory_order_relaxed);
    }
}

static void
BeforeFork(void)
{
    (void)pthread_mutex_lock(&watchLock);
    for (unsigned i = 0; i < REGIONS_WATCHED; i++) {
        if (watched[i]) {
            snceFork_NoteShared(watched[i]);
        }
    }
}

static void
AfterFork(void)
{
    (void)pthread_mutex_unlock(&watchLock);
}

/* A child has its parent's mappings, but memory locks are not inherited, so it
 * takes its own.
 *
 * Nor does it have the thread that held the administrative lock at the fork.
 * |lockHolder| names the parent's process id then. That is the child's own id
 * too if each of them is the first process of a PID namespace, as in
 * containers, and then the child would wait for itself for ever. So it is
 * cleared. */
static void
AfterForkInChild(void)
{
    for (unsigned i = 0; i < REGIONS_WATCHED; i++) {
        if (watched[i]) {
            atomic_store_explicit(&watched[i]->lockHolder, 0,
                                  memory_order_relaxed);
        }
        if (watched[i] && watched[i]->locked) {
            watched[i]->locked = snceMap_Lock(watched[i]->map) == SNCE_OK;
        }
    }
    AfterFork();
}

/* Registers the fork handlers when the library is loaded. If that were left to
 * the first region, a fork could come after watchLock was taken and before its
 * release in the child was registered. */
__attribute__((constructor)) static void
WatchForks(void)
{
    watching = pthread_atfork(BeforeFork, AfterFork, AfterForkInChild) == 0;
}

void
snceFork_Watch(snceRegion *region)
{
    unsigned place = REGIONS_WATCHED;

    (void)pthread_mutex_lock(&watchLock);
    for (unsigned i = 0; watching && i < REGIONS_WATCHED; i++) {
        if (!watched[i]) {
            place = i;
        }
    }
    if (place < REGIONS_WATCHED) {
        watched[place] = region;
    } else {
        snceFork_NoteShared(region);
    }
    (void)pthread_mutex_unlock(&watchLock);
}

void
snceFork_Unwatch(const snceRegion *region)
{
    (void)pthread_mutex_lock(&watchLock);
    for (unsigned i = 0; i < REGIONS_WATCHED; i++) {
        if (watched[i] == region) {
            watched[i] = NULL;
        }
    }
    (void)pthread_mutex_unlock(&watchLock);
}
