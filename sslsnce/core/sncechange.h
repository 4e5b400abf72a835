/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncechange.h: changing a virtual server under the turn (rules 9 and 13).
 *
 * A change marks the server in the header, fills in what nobody looks at, makes
 * the change by one store of the life word, gives back what nobody looks at any
 * more, and takes the mark away. Who takes the turn and finds a mark ends the
 * change of the process that died. */
#ifndef SNCECHANGE_H
#define SNCECHANGE_H

#include "sncelife.h"
#include "snceregion.h"

/* snceChange_CheckOptions returns SNCE_OK or SNCE_INVALID. */
snceResult snceChange_CheckOptions(const snceCacheOptions *options);

/* snceChange_Flags returns the bits of a life word for |options|. */
unsigned snceChange_Flags(const snceCacheOptions *options);

/* snceChange_Begin waits for the turn, and ends what a process that died left.
 * Returns SNCE_OK, or what snceLock_Take does, or SNCE_NO_MEMORY. */
snceResult snceChange_Begin(snceRegion *region);

/* snceChange_Mark says that the server |number| is being changed from here on.
 */
void snceChange_Mark(const snceRegion *region, uint32_t number);

/* snceChange_End takes the mark away and gives the turn back. */
void snceChange_End(snceRegion *region);

/* snceChange_Commit makes the change that |life| says. */
void snceChange_Commit(snceServerWords *entry, snceLife life);

/* snceShape is what a home is to be. */
typedef struct {
    uint64_t sets;
    uint64_t cells;
    uint64_t store; /* range word of the store to keep; 0: a new one */
    uint64_t asked; /* as in snceServerWords */
} snceShape;

/* snceShape_Of returns the shape for a new cache. */
snceShape snceShape_Of(const snceCacheOptions *options);

/* snceShape_Bytes returns the address space that it takes. */
uint64_t snceShape_Bytes(const snceShape *shape);

/* snceChange_Furnish makes a home that nobody lives in. The caller has the turn
 * and has marked the server, or the region to itself. Returns SNCE_OK or
 * SNCE_NO_MEMORY (and the home is none). */
snceResult snceChange_Furnish(snceRegion *region, uint32_t number,
                              unsigned home, const snceShape *shape);

/* snceChange_Vacate gives back a home that nobody lives in, but not what it
 * shares with the other one. */
void snceChange_Vacate(const snceRegion *region, uint32_t number,
                       unsigned home);

/* snceChange_Retime sets the timeouts and the clock skew, which count at once. */
void snceChange_Retime(snceServerWords *entry, const snceCacheOptions *options);

/* snceChange_Bury ends the removal of a server that is leaving. */
void snceChange_Bury(const snceRegion *region, uint32_t number);

#endif /* SNCECHANGE_H */
