/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncechange.h"

#include <string.h>

#include "sncedirectory.h"
#include "snceheap.h"
#include "sncelock.h"
#include "sncemove.h"
#include "sncename.h"
#include "snceshape.h"
#include "sncestep.h"

void
snceChange_Bury(const snceRegion *region, uint32_t number)
{
    snceServerWords *entry = snceRegion_Server(region, number);

    snceName_Leave(region, number);
    SNCE_STEP("remove-forgotten");
    snceShape_Vacate(region, number, 0);
    snceShape_Vacate(region, number, 1);
    (void)snceRegion_Discard(region, snceRegion_CountersOffset(number),
                             sizeof(snceCounters));
    SNCE_STEP("remove-emptied");
    snceDirectory_Commit(
        entry, snceState_Next(snceDirectory_Load(&entry->state),
                              SNCE_SERVER_FREE, SNCE_SERVER_PHASE_MASK));
}

/* Ends the change of |number| that a process began before it died. */
static snceResult
Repair(snceRegion *region, uint32_t number)
{
    snceServerWords *entry = snceRegion_Server(region, number);
    snceState state = snceDirectory_Load(&entry->state);

    switch (snceState_Phase(state)) {
        case SNCE_SERVER_LIVE:
            if (state & SNCE_SERVER_MOVING) {
                return snceMove_Finish(region, number);
            }
            snceShape_Vacate(region, number, !snceState_Backing(state));
            return SNCE_OK;
        case SNCE_SERVER_LEAVING:
            snceChange_Bury(region, number);
            return SNCE_OK;
        default: /* a server was being added */
            snceShape_Vacate(region, number, 0);
            snceShape_Vacate(region, number, 1);
            snceName_Tidy(region);
            return SNCE_OK;
    }
}

snceResult
snceChange_Begin(snceRegion *region)
{
    snceHeader *header = snceRegion_Header(region);
    snceResult result = snceLock_Take(region);
    uint64_t mark;

    if (result != SNCE_OK) {
        return result;
    }
    snceRegion_Refresh(region);
    SNCE_STEP("change-began");
    mark = snceDirectory_Load(&header->change);
    if (mark > 0 && mark <= SNCE_SERVERS) {
        result = Repair(region, (uint32_t)mark - 1);
        SNCE_STEP("change-repaired");
    }
    if (result != SNCE_OK) {
        snceLock_Give(region);
        return result;
    }
    snceDirectory_Store(&header->change, 0);
    return SNCE_OK;
}

void
snceChange_Mark(const snceRegion *region, uint32_t number)
{
    snceDirectory_Store(&snceRegion_Header(region)->change,
                        (uint64_t)number + 1);
}

/* Wipes the stack below this function. A change has copied entries there, and
 * compilers keep parts of a copy where nobody can wipe them one by one. A
 * change goes about 2 KiB deep. */
static __attribute__((noinline)) void
WipeStack(void)
{
    uint8_t below[2 * SNCE_PAGE];

    explicit_bzero(below, sizeof(below));
}

void
snceChange_End(snceRegion *region)
{
    snceHeader *header = snceRegion_Header(region);
    uint64_t mark = snceDirectory_Load(&header->change);

    /* If memory runs out, a cache may be left moving. Then the mark stays, and
     * the next change goes on with the move. */
    if (mark == 0 || mark > SNCE_SERVERS ||
        !(snceDirectory_Load(
              &snceRegion_Server(region, (uint32_t)mark - 1)->state) &
          SNCE_SERVER_MOVING)) {
        snceDirectory_Store(&header->change, 0);
    }
    snceHeap_Sweep(region);
    SNCE_STEP("change-ended");
    snceLock_Give(region);
    WipeStack();
}
