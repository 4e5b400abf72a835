/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceblob.h: a store of client certificates, equal ones stored once.
 *
 * A session refers to a certificate, here a blob, by cell and generation. When
 * a blob is evicted, the references no longer fit, and the sessions that have
 * them are gone too (rule 8). Blobs lie in classes by size. Each class is a
 * table of sets of cells that grows as it fills (sncecell.h). */
#ifndef SNCEBLOB_H
#define SNCEBLOB_H

#include "snceregion.h"
#include "snceslot.h"

/* snceBlobRef names one generation of one cell; 0 names none.
 *   generation << 32 | cell's index in its class << 3 | class + 1 */
typedef uint64_t snceBlobRef;

/* snceBlob is this process's view of one store; its place is bounded (rule
 * 1). */
typedef struct {
    const snceRegion *region;
    snceStoreHead *head;
    uint64_t cells;  /* how many blobs it is for; bounded */
    uint64_t range;  /* its range word */
    uint32_t server; /* the server in whose figures operations are counted */
    bool hasLock;    /* the caller holds the administrative lock already */
    snceEpoch epoch;
} snceBlob;

/* snceBlob_At opens the store for |cells| blobs in |range|, which belongs to
 * the server |id|. A range of zeros is an empty store. Returns what
 * snceRegion_Bound returns; SNCE_NO_MEMORY also if this process cannot map the
 * store's head. */
snceResult snceBlob_At(snceBlob *out, const snceRegion *region, snceLocalId id,
                       uint64_t range, uint64_t cells);

/* snceBlob_Prepare gives a new store its first cells of the usual sizes. It
 * also gives it room for what is in the |old| store, so that inserts find cells
 * while another process changes the region: in each class in which the old
 * store has cells, room for |stored| blobs, but at most for twice as many as it
 * has cells there. |old| may be NULL. The caller holds the administrative lock,
 * and |store->hasLock| says so. Returns SNCE_OK, SNCE_LIMIT, SNCE_NO_MEMORY or
 * SNCE_BAD_DESCRIPTOR. */
snceResult snceBlob_Prepare(const snceBlob *store, const snceBlob *old,
                            uint64_t stored);

/* snceBlob_Map maps the cells that a store has, up to |*left| bytes in all. It
 * subtracts from |*left| what the cells take, or sets it to 0 if there were
 * more. Returns what snceRegion_MapRange returns. */
snceResult snceBlob_Map(const snceBlob *store, uint64_t *left);

/* snceBlob_Discard gives back the memory of all cells of a store that nobody
 * uses any more. The caller holds the administrative lock, and gives the
 * store's range back afterwards. */
void snceBlob_Discard(const snceBlob *store);

/* snceBlob_Hold finds |data| in the store, or stores it, and counts one more
 * session that refers to it. If it would have to take a cell from a session, it
 * adds cells to the store, as long as the store may have more. |len| is at
 * least 1. Returns
 *
 *   SNCE_OK         |*ref| refers to the data
 *   SNCE_TOO_LARGE  the data fits into no cell
 *   SNCE_DROPPED    the store has to grow while another process changes the region,
 *                   or the store is being given back
 *   SNCE_FULL       all cells were being written, or there is no memory for more
 *   SNCE_CORRUPT    the store failed a check
 *   SNCE_NO_MEMORY  this process cannot map the existing cells */
snceResult snceBlob_Hold(const snceBlob *store, const uint8_t *data, size_t len,
                         snceBlobRef *ref);

/* snceBlob_Retain counts one more session that refers to a stored blob. Returns
 * false if the blob was evicted. */
bool snceBlob_Retain(const snceBlob *store, snceBlobRef ref);

/* snceBlob_Release counts one session less that refers to a blob. If it was the
 * last one, wipes the blob. */
void snceBlob_Release(const snceBlob *store, snceBlobRef ref);

/* snceBlob_Read copies the blob into |buf|. Returns SNCE_OK (|*len| is its
 * length); SNCE_MISS (it was evicted); SNCE_TOO_LARGE (|*len| is the length
 * that is needed); SNCE_CORRUPT (no cell of the store can have this reference);
 * or SNCE_NO_MEMORY (this process cannot map the cell). */
snceResult snceBlob_Read(const snceBlob *store, snceBlobRef ref, uint8_t *buf,
                         size_t bufLen, size_t *len);

#endif /* SNCEBLOB_H */
