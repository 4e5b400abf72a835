/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceshape.h: homes made in a shape, and given back. */
#ifndef SNCESHAPE_H
#define SNCESHAPE_H

#include "snceregion.h"

/* snceShape is what a home is to be. */
typedef struct {
    uint64_t pages; /* of the table; a rough number (sncesize.h), as |cells| */
    uint64_t used;  /* of them, from the beginning */
    uint64_t cells;
    uint64_t store; /* range word of the store to keep; 0: a new one */
    uint64_t asked; /* as in snceServerWords */
} snceShape;

/* snceShape_Of returns the shape for a new cache. */
snceShape snceShape_Of(const snceCacheOptions *options);

/* snceShape_Bytes returns the address space that it takes at most, before there are
 * certificates. */
uint64_t snceShape_Bytes(const snceShape *shape);

/* snceShape_Furnish makes a home that nobody lives in. The caller has the turn
 * and has marked the server, or the region to itself. Returns SNCE_OK, or
 * SNCE_LIMIT, SNCE_NO_MEMORY or SNCE_BAD_DESCRIPTOR (and the home is none). */
snceResult snceShape_Furnish(snceRegion *region, uint32_t number, unsigned home,
                             const snceShape *shape);

/* snceShape_Vacate gives back a home that nobody lives in, but not what it
 * shares with the other one. */
void snceShape_Vacate(const snceRegion *region, uint32_t number, unsigned home);

/* snceShape_MapAll maps what was configured, so that only what is made later needs
 * the region's descriptor. Returns as snceRegion_MapRange. */
snceResult snceShape_MapAll(const snceRegion *region);

#endif /* SNCESHAPE_H */
