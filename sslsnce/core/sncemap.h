/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncemap.h: where this process has mapped the region, chunk by chunk.
 *
 * A process maps a chunk when it first needs it, and keeps it mapped as long as
 * it uses the region. Mapping needs the region's descriptor. If that is closed,
 * or the system refuses, the chunk stays unmapped, and an operation that needs
 * it is a miss or is dropped. Chunks are mapped at multiples of
 * SNCE_CHUNK_BYTES, so that the system may use large pages. */
#ifndef SNCEMAP_H
#define SNCEMAP_H

#include "sncelayout.h"

/* snceMap belongs to one process. Nothing in it is read from shared memory. */
typedef struct {
    _Atomic uint64_t bytes; /* bytes that the file has at least; never
                             * lowered */
    _Atomic uint64_t
        pauseSec; /* after a failure to map: no attempt before this time */
    _Atomic uint64_t seenSerial; /* snceHeader.serial as it was before a look
                                  * that found the file too small:
                                  * snceRegion_Reach */
    _Atomic int
        givesBack; /* does the system give memory back: 1 yes, -1 no, 0 not
                    * tried yet */
    /* Where the counters of each server are, or NULL if that was not looked up
     * yet. */
    _Atomic(snceCounters *) counters[SNCE_SERVERS];
    /* Where each chunk is mapped, or NULL. Written once, by the thread that
     * mapped it. Release: pairs with the acquire load in snceMap_At. */
    _Atomic(uint8_t *) chunk[SNCE_CHUNKS];
} snceMap;

/* snceMapFile says what is mapped, and how. */
typedef struct {
    int fd;          /* the region's file; -1 for memory without a file */
    int protection;  /* as for mmap */
    bool lock;       /* lock each page in memory when it is touched */
    uint64_t device; /* device and inode that fd must have */
    uint64_t inode;
} snceMapFile;

/* snceMap_Make returns an empty map, or NULL. The caller owns it. */
snceMap *snceMap_Make(void);

/* snceMap_Free unmaps everything and frees |map|, which may be NULL. */
void snceMap_Free(snceMap *map);

/* snceMap_At returns where the chunk with |offset| is mapped, or NULL. |offset|
 * is below SNCE_BYTES_MAX. Acquire: pairs with the release store in Enter
 * (sncemap.c). */
static inline uint8_t *
snceMap_At(const snceMap *map, uint64_t offset)
{
    return atomic_load_explicit(&map->chunk[offset >> SNCE_CHUNK_SHIFT],
                                memory_order_acquire);
}

/* snceMap_Add maps those of the |count| chunks from |first| on that are not
 * mapped yet. Any thread may call it at any time. Returns SNCE_OK,
 * SNCE_NO_MEMORY, SNCE_LOCK_LIMIT, SNCE_UNSUPPORTED or SNCE_BAD_DESCRIPTOR;
 * some of the chunks may be mapped even if it fails. */
snceResult snceMap_Add(snceMap *map, const snceMapFile *file, uint64_t first,
                       uint64_t count);

/* snceMap_AddAnonymous maps the first |count| chunks, as new memory without a
 * file that forked children share. Returns SNCE_OK or SNCE_NO_MEMORY. */
snceResult snceMap_AddAnonymous(snceMap *map, uint64_t count);

/* snceMap_Lock locks all mapped chunks in memory. Returns SNCE_OK,
 * SNCE_UNSUPPORTED or SNCE_LOCK_LIMIT. */
snceResult snceMap_Lock(const snceMap *map);

#endif /* SNCEMAP_H */
