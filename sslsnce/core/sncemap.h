/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncemap.h: where this process has mapped the region, chunk by chunk.
 *
 * A chunk is mapped when the process first needs it and stays mapped as long as
 * the region. Mapping needs the region's descriptor: without it, and where the
 * system refuses, the chunk is not there, and an operation that needs it is a miss
 * or is dropped. Chunks lie at addresses that are multiples of SNCE_CHUNK_BYTES,
 * so that the system may use large pages. */
#ifndef SNCEMAP_H
#define SNCEMAP_H

#include "sncelayout.h"

/* snceMap belongs to one process. Nothing in it is read from shared memory. */
typedef struct {
    _Atomic uint64_t bytes;   /* the file has at least as many; never lowered */
    _Atomic int64_t pauseSec; /* no attempt before this time, after a failure */
    _Atomic uint64_t seenSerial; /* snceHeader.serial before a look at the file
                                  * that was too small: snceRegion_Reach */
    /* Where the counters of each server are, or NULL: found once. */
    _Atomic(snceCounters *) counters[SNCE_SERVERS];
    /* Where each chunk is, or NULL. Written once, by whoever mapped it: release,
     * pairs with the acquire load in snceMap_At. */
    _Atomic(uint8_t *) chunk[SNCE_CHUNKS];
} snceMap;

/* snceMapFile says what is mapped, and how. */
typedef struct {
    int fd;          /* the region's file; -1: everything is mapped already */
    int protection;  /* as for mmap */
    bool lock;       /* in memory, each page when it is touched */
    uint64_t device; /* what fd must be */
    uint64_t inode;
} snceMapFile;

/* snceMap_Make returns an empty map, or NULL. The caller owns it. */
snceMap *snceMap_Make(void);

/* snceMap_Free unmaps everything. NULL is none. */
void snceMap_Free(snceMap *map);

/* snceMap_At returns where the chunk with |offset| is mapped, or NULL. |offset|
 * is below SNCE_BYTES_MAX. */
static inline uint8_t *
snceMap_At(const snceMap *map, uint64_t offset)
{
    return atomic_load_explicit(&map->chunk[offset >> SNCE_CHUNK_SHIFT],
                                memory_order_acquire);
}

/* snceMap_Add maps those of the |count| chunks from |first| on that are not there.
 * Any thread may call it at any time. Returns SNCE_OK, SNCE_NO_MEMORY,
 * SNCE_LOCK_LIMIT, SNCE_UNSUPPORTED or SNCE_BAD_DESCRIPTOR; some may be there then. */
snceResult snceMap_Add(snceMap *map, const snceMapFile *file, uint64_t first,
                       uint64_t count);

/* snceMap_AddAnonymous maps the first |count| chunks of a new memory without a
 * file, which forked children share. Returns SNCE_OK or SNCE_NO_MEMORY. */
snceResult snceMap_AddAnonymous(snceMap *map, uint64_t count);

/* snceMap_Lock locks what is mapped in memory. Returns SNCE_OK, SNCE_UNSUPPORTED
 * or SNCE_LOCK_LIMIT. */
snceResult snceMap_Lock(const snceMap *map);

#endif /* SNCEMAP_H */
