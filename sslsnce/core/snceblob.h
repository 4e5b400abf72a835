/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceblob.h: a store of client certificates, equal ones kept once.
 *
 * A session refers to a blob by place and generation, so that a blob that was
 * evicted takes its sessions along: their reference no longer fits (rule 8).
 * Blobs lie in classes of size, each a table of sets of cells that grows as it
 * fills (sncecell.h). */
#ifndef SNCEBLOB_H
#define SNCEBLOB_H

#include "snceregion.h"
#include "snceslot.h"

/* snceBlobRef names one generation of one cell; 0 names none.
 *   generation << 32 | cell's index in its class << 3 | class + 1 */
typedef uint64_t snceBlobRef;

/* snceBlob is this process's view of one store: a bounded place (rule 1). */
typedef struct {
    const snceRegion *region;
    snceStoreHead *head;
    uint64_t cells;  /* bounded */
    uint64_t range;  /* its word */
    uint32_t server; /* whose figures count */
    bool hasTurn;    /* the caller has the turn, and need not take it to grow */
    snceLot lot;
} snceBlob;

/* snceBlob_At opens the store for |cells| blobs in |range|, which belongs to the
 * server |id|. A range of zeros is an empty store. Returns as snceRegion_Bound;
 * SNCE_NO_MEMORY also if this process cannot map it. */
snceResult snceBlob_At(snceBlob *out, const snceRegion *region, snceLocalId id,
                       uint64_t range, uint64_t cells);

/* snceBlob_Prepare gives a new store its first cells of the usual sizes, and room for
 * what is in the |old| one, so that inserts find some while another process changes
 * the region: for |stored| blobs in each class that the old one has cells of, but not
 * more than twice its cells. |old| may be NULL. The caller has the turn, and |store|
 * says so. Returns SNCE_OK, SNCE_LIMIT, SNCE_NO_MEMORY or SNCE_BAD_DESCRIPTOR. */
snceResult snceBlob_Prepare(const snceBlob *store, const snceBlob *old,
                            uint64_t stored);

/* snceBlob_Map maps all cells that a store has, up to |*left| bytes, which it counts
 * down; 0 if there were more. Returns as snceRegion_MapRange. */
snceResult snceBlob_Map(const snceBlob *store, uint64_t *left);

/* snceBlob_Discard gives back the memory of all cells of a store that nobody uses
 * any more. The caller has the turn, and gives back the store's range after it. */
void snceBlob_Discard(const snceBlob *store);

/* snceBlob_Hold finds or stores |data| and counts one session more that refers
 * to it. Where it would take a cell from a session it gives the store more cells,
 * if that may have more. Returns SNCE_OK; SNCE_TOO_LARGE; SNCE_DROPPED (the store has
 * to grow while another process changes the region, or is being given back);
 * SNCE_FULL (all cells were being written, or there is no memory for more);
 * SNCE_CORRUPT; SNCE_NO_MEMORY (this process cannot map the cells that there are).
 * |len| is at least 1. */
snceResult snceBlob_Hold(const snceBlob *store, const uint8_t *data, size_t len,
                         snceBlobRef *ref);

/* snceBlob_Retain counts one session more that refers to a blob which is held
 * already. False if it was evicted. */
bool snceBlob_Retain(const snceBlob *store, snceBlobRef ref);

/* snceBlob_Release counts one session less; the last one wipes the blob. */
void snceBlob_Release(const snceBlob *store, snceBlobRef ref);

/* snceBlob_Read copies the blob into |buf|. Returns SNCE_OK; SNCE_MISS (it was
 * evicted); SNCE_TOO_LARGE (|*len| is its length); SNCE_CORRUPT (what should hold it
 * cannot lie there); SNCE_NO_MEMORY (this process cannot map it). |*len| is the length
 * on SNCE_OK. */
snceResult snceBlob_Read(const snceBlob *store, snceBlobRef ref, uint8_t *buf,
                         size_t bufLen, size_t *len);

#endif /* SNCEBLOB_H */
