/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncefork.h"

#include <pthread.h>

#define REGIONS_WATCHED 16

/* Guarded by watchLock, which a fork holds, so that the child gets it free. */
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

/* A child has its parent's mappings, but not the locks on them. And a thread that
 * had a turn is not in it: it had that turn under the parent's process id, which
 * is the child's own if each is the first process of a PID namespace, as in
 * containers. Then the child would wait for itself for ever. */
static void
AfterForkInChild(void)
{
    for (unsigned i = 0; i < REGIONS_WATCHED; i++) {
        if (watched[i]) {
            atomic_store_explicit(&watched[i]->turnHolder, 0,
                                  memory_order_relaxed);
        }
        if (watched[i] && watched[i]->locked) {
            watched[i]->locked = snceMap_Lock(watched[i]->map) == SNCE_OK;
        }
    }
    AfterFork();
}

/* When the library is loaded: at the first region, a fork could come between
 * taking the lock and registering what frees it in the child. */
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
