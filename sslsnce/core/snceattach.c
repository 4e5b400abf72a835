/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "snceattach.h"

#include "sncecancel.h"
#include "sncefork.h"
#include "snceheader.h"
#include "snceshape.h"

/* The count of attached processes has 32 bits, and each process that dies
 * attached leaves it one too high. Long before it can wrap, the region counts
 * as shared. */
#define ATTACHED_MANY (UINT32_C(1) << 31)

void
snceAttach_Join(snceRegion *region)
{
    region->identity = snceHeader_Identity(snceRegion_Header(region));
    snceHash_Init(&region->hash, snceRegion_Header(region)->seed);
    if (region->access != SNCE_ACCESS_READ &&
        atomic_fetch_add_explicit(&snceRegion_Header(region)->attached, 1,
                                  memory_order_relaxed) >= ATTACHED_MANY) {
        snceFork_NoteShared(region);
    }
    snceFork_Watch(region);
}

snceResult
snceRegion_Attach(snceRegion **out, int fd, snceAccess access)
{
    snceRegion *region;
    snceResult result = snceRegion_CheckFile(fd);

    if (result == SNCE_OK) {
        result = snceRegion_Map(&region, fd, access, false);
    }
    if (result != SNCE_OK) {
        return result;
    }
    result = snceHeader_Check(region);
    /* A reader puts no secrets into it. */
    if (result == SNCE_OK && access != SNCE_ACCESS_READ &&
        snceRegion_Header(region)->lock) {
        result = snceRegion_LockMemory(region);
    }
    /* A reader maps nothing in advance: it may want to look at one cache of
     * many. */
    if (result == SNCE_OK && access != SNCE_ACCESS_READ) {
        result = snceShape_MapAll(region);
    }
    if (result != SNCE_OK) {
        region->fd = -1; /* still the caller's */
        snceRegion_Discharge(region);
        return result;
    }
    snceAttach_Join(region);
    *out = region;
    return SNCE_OK;
}

void
snceAttach_Decline(snceRegion *region)
{
    atomic_fetch_sub_explicit(&snceRegion_Header(region)->attached, 1,
                              memory_order_relaxed);
    snceFork_Unwatch(region);
    region->fd = -1;
    snceRegion_Discharge(region);
}

void
snceRegion_Close(snceRegion *region)
{
    int cancel;

    if (!region) {
        return;
    }
    cancel = snceCancel_Forbid();
    snceFork_Unwatch(region);
    if (region->access != SNCE_ACCESS_READ) {
        snceHeader *header = snceRegion_Header(region);
        uint32_t before = atomic_fetch_sub_explicit(&header->attached, 1,
                                                    memory_order_relaxed);

        if (before == 1 &&
            !atomic_load_explicit(&header->shared, memory_order_relaxed)) {
            snceRegion_DiscardAll(region);
        }
    }
    if (!snceRegion_CheckDescriptor(region)) {
        region->fd = -1; /* the application closed it, perhaps reused it */
    }
    snceRegion_Discharge(region);
    snceCancel_Restore(cancel);
}
