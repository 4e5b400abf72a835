/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncecell.h: how large the cells of a certificate store are, and where in
 * their segment they lie, as arithmetic.
 *
 * The sets of a class of cells lie in segments. The first segment has few sets.
 * Each other one has as many as all before it together, up to what the class
 * may have. The number of a segment says which sets are in it; only the page on
 * which it begins is read from shared memory. */
#ifndef SNCECELL_H
#define SNCECELL_H

#include "sncelayout.h"

/* snceCellClass is a class of sizes. */
typedef struct {
    uint32_t dataBytes; /* the longest blob of this class */
    uint32_t share;     /* cells of this class in 32nds of the store's */
    uint32_t firstSets; /* sets of the first segment */
} snceCellClass;

/* The three usual sizes have twice the cells that were asked for, because a
 * full set evicts even while other sets have room. */
static const snceCellClass snceCellClasses[SNCE_CELL_CLASSES] = {
    { 1024, 64, 3 }, { 2048, 64, 3 }, { 4096, 64, 2 },
    { 8192, 16, 1 }, { 16384, 4, 1 }, { 65536, 1, 1 },
};

/* The first so many classes have a segment in every store from the beginning:
 * most certificates have up to 4,096 bytes. */
#define SNCE_CELL_USUAL 3

static inline uint64_t
snceCell_Bytes(unsigned which)
{
    return SNCE_CELL_HEAD * sizeof(uint64_t) + snceCellClasses[which].dataBytes;
}

static inline uint64_t
snceCell_SetBytes(unsigned which)
{
    return sizeof(snceCellSet) + SNCE_CELL_WAYS * snceCell_Bytes(which);
}

/* snceCell_SetsMost returns how many sets a class may have in a store for |cells|
 * blobs. */
static inline uint64_t
snceCell_SetsMost(unsigned which, uint64_t cells)
{
    uint64_t sets =
        (cells * snceCellClasses[which].share / 32 + SNCE_CELL_WAYS - 1) /
        SNCE_CELL_WAYS;

    return sets ? sets : 1;
}

/* snceCell_SetsBefore returns how many sets the first |segments| segments have
 * together. */
static inline uint64_t
snceCell_SetsBefore(unsigned which, uint64_t cells, unsigned segments)
{
    uint64_t most = snceCell_SetsMost(which, cells);
    uint64_t sets = segments ? (uint64_t)snceCellClasses[which].firstSets
                                   << (segments - 1)
                             : 0;

    return sets < most ? sets : most;
}

/* snceCell_Offset returns where in its segment a set begins. No set straddles
 * two chunks. */
static inline uint64_t
snceCell_Offset(unsigned which, uint64_t set)
{
    uint64_t bytes = snceCell_SetBytes(which);
    uint64_t inChunk = SNCE_CHUNK_BYTES / bytes;

    return set / inChunk * SNCE_CHUNK_BYTES + set % inChunk * bytes;
}

/* snceCell_SegmentBytes returns how large a segment is; 0 if all sets of the
 * class are in the segments before it. */
static inline uint64_t
snceCell_SegmentBytes(unsigned which, uint64_t cells, unsigned segment)
{
    uint64_t sets = snceCell_SetsBefore(which, cells, segment + 1) -
                    snceCell_SetsBefore(which, cells, segment);

    return sets ? snceCell_Offset(which, sets - 1) + snceCell_SetBytes(which)
                : 0;
}

/* snceCell_FirstOffset returns where in a store's range the first segment of
 * one of the usual classes begins; for SNCE_CELL_USUAL, where the range
 * ends. */
static inline uint64_t
snceCell_FirstOffset(unsigned which, uint64_t cells)
{
    uint64_t offset = SNCE_GRAIN; /* the head */

    for (unsigned i = 0; i < which; i++) {
        offset += SNCE_ALIGNED(snceCell_SegmentBytes(i, cells, 0),
                               (uint64_t)SNCE_GRAIN);
    }
    return offset;
}

/* snceCell_StoreBytes returns how large a store's range is. */
static inline uint64_t
snceCell_StoreBytes(uint64_t cells)
{
    return snceCell_FirstOffset(SNCE_CELL_USUAL, cells);
}

#endif /* SNCECELL_H */
