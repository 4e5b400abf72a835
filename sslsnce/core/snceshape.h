/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceshape.h: backing stores are made, with the size that a shape says, and
 * given back. */
#ifndef SNCESHAPE_H
#define SNCESHAPE_H

#include "snceregion.h"

/* snceShape says how large a backing store is to be. */
typedef struct {
    uint64_t pages; /* pages of the table; a rough number (sncesize.h), as
                     * |cells| is */
    uint64_t used;  /* how many of the pages are in use from the beginning */
    uint64_t cells;
    uint64_t store; /* range word of the certificate store to keep; 0 for a new
                     * one */
    uint64_t asked; /* as |asked| in snceServerWords */
} snceShape;

/* snceShape_Of returns the shape for a new cache. */
snceShape snceShape_Of(const snceCacheOptions *options);

/* snceShape_Bytes returns how much address space a backing store takes at most
 * before it has certificates. */
uint64_t snceShape_Bytes(const snceShape *shape);

/* snceShape_Furnish makes the backing store |backing| of the server |number|,
 * which is not in use yet. The caller holds the administrative lock and has
 * marked the server, or is the only process that has the region. Returns
 * SNCE_OK; or SNCE_LIMIT, SNCE_NO_MEMORY or SNCE_BAD_DESCRIPTOR, and the server
 * then has no such backing store. */
snceResult snceShape_Furnish(snceRegion *region, uint32_t number,
                             unsigned backing, const snceShape *shape);

/* snceShape_Vacate gives back a backing store that is not in use, except for a
 * certificate store that the other backing store has too. */
void snceShape_Vacate(const snceRegion *region, uint32_t number,
                      unsigned backing);

/* snceShape_MapAll maps everything that exists: keys, counters, tables and
 * certificate stores. Afterwards only what is made later needs the region's
 * descriptor. Returns what snceRegion_MapRange returns. */
snceResult snceShape_MapAll(const snceRegion *region);

#endif /* SNCESHAPE_H */
