/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceregion.h: the shared memory as this process sees it.
 *
 * Private to the core. What lies in the region is in sncelayout.h; what is
 * here belongs to one process and holds what must never be read from shared
 * memory again: the address, the size, the keys of the hash. */
#ifndef SNCEREGION_H
#define SNCEREGION_H

#include "sncehash.h"
#include "sncelayout.h"
#include "sncemap.h"
#include "sncerange.h"

struct snceRegionStr {
    snceMap *map; /* owned */
    snceHash hash;
    snceAccess access;
    bool locked;    /* in memory, in this process */
    int fd;         /* owned; -1 once it was found closed, or where there is no
                      * file */
    bool anonymous; /* memory without a file, which no other program can have */
    uint64_t device; /* what fd must still be */
    uint64_t inode;
    const uint64_t *ticks;  /* a test's clock, read in place of the machine's
                            * (sncepatience.h); else NULL. Not owned */
    uint64_t identity;      /* snceServerId.region of its servers */
    _Atomic int turnHolder; /* pid of the process whose thread has the turn
                             * in this process (sncelock.c), or 0 */
    int turnCancel; /* that thread's cancellation state before it had the turn */
};

/* ---- the ways to the memory ----------------------------------------------
 *
 * Nothing else makes an address of an offset, but for the calls in snceregion.c
 * that discard memory. Nothing makes an offset of an address. */

/* snceRegion_MapMore maps the chunk that |offset| lies in. NULL if it cannot be
 * had. System calls. */
uint8_t *snceRegion_MapMore(const snceRegion *region, uint64_t offset);

/* snceRegion_Place returns where the byte at |offset| lies, and with it all up to
 * the end of its chunk; or NULL if this process cannot map that. The caller knows
 * that it is in the region: it belongs to one of its fixed parts, or to a range
 * that snceRegion_Bound bounded. A system call only where this process has not
 * mapped the chunk yet. */
static inline void *
snceRegion_Place(const snceRegion *region, uint64_t offset)
{
    uint8_t *chunk = snceMap_At(region->map, offset);

    if (SNCE_RARELY(!chunk)) {
        chunk = snceRegion_MapMore(region, offset);
        if (!chunk) {
            return NULL;
        }
    }
    return chunk + (offset & (SNCE_CHUNK_BYTES - 1));
}

/* snceRegion_Bound tells whether |bytes| bytes at |offset| all lie in the heap, on a
 * range's beginning. An offset that was read in shared memory is not used before
 * this (rule 1). |bytes| is below 2^62, and |offset| comes from a range word. Returns
 * SNCE_OK; SNCE_CORRUPT; or SNCE_NO_MEMORY if that lies beyond what this process has
 * seen of the file, at which it cannot look any more. Beyond what was seen a system
 * call, unless no range was taken since the last one: then there is nothing. */
snceResult snceRegion_Reach(const snceRegion *region, uint64_t bytes);
static inline snceResult
snceRegion_Bound(const snceRegion *region, uint64_t offset, uint64_t bytes)
{
    if (offset < SNCE_AT_HEAP || offset % SNCE_GRAIN != 0) {
        return SNCE_CORRUPT;
    }
    /* Relaxed: the file never shrinks. */
    return SNCE_RARELY(
               offset + bytes >
               atomic_load_explicit(&region->map->bytes, memory_order_relaxed))
               ? snceRegion_Reach(region, offset + bytes)
               : SNCE_OK;
}

/* snceRegion_First returns a part that lies in the first chunk, which is always
 * mapped. */
static inline void *
snceRegion_First(const snceRegion *region, uint64_t offset)
{
    return snceMap_At(region->map, 0) + offset;
}

static inline snceHeader *
snceRegion_Header(const snceRegion *region)
{
    return (snceHeader *)snceRegion_First(region, 0);
}

/* |server| is below SNCE_SERVERS, here and in snceRegion_CountersOffset. */
static inline snceServerWords *
snceRegion_Server(const snceRegion *region, uint32_t server)
{
    return (snceServerWords *)snceRegion_First(region, SNCE_AT_DIRECTORY) +
           server;
}

static inline snceNames *
snceRegion_Names(const snceRegion *region)
{
    return (snceNames *)snceRegion_First(region, SNCE_AT_NAMES);
}

static inline snceKeyLog *
snceRegion_KeyLog(const snceRegion *region)
{
    return (snceKeyLog *)snceRegion_First(region, SNCE_AT_KEY_LOG);
}

/* snceRegion_KeyCell returns a cell, |index| below SNCE_KEY_CELLS, or NULL as
 * snceRegion_Place does. */
static inline snceKeyCell *
snceRegion_KeyCell(const snceRegion *region, uint64_t index)
{
    return (snceKeyCell *)snceRegion_Place(
        region, SNCE_AT_KEY_CELLS + index * sizeof(snceKeyCell));
}

/* snceRegion_CountersOffset returns where a server's counters are. */
static inline uint64_t
snceRegion_CountersOffset(uint32_t server)
{
    return SNCE_AT_COUNTERS +
           server / SNCE_COUNTERS_IN_BLOCK * SNCE_COUNTERS_BLOCK +
           server % SNCE_COUNTERS_IN_BLOCK * sizeof(snceCounters);
}

/* snceRegion_Counters returns them, or NULL as snceRegion_Place does. */
snceCounters *snceRegion_MapCounters(const snceRegion *region, uint32_t server);
static inline snceCounters *
snceRegion_Counters(const snceRegion *region, uint32_t server)
{
    /* Relaxed: the address was valid before it was stored. */
    snceCounters *counters = atomic_load_explicit(
        &region->map->counters[server], memory_order_relaxed);

    return SNCE_RARELY(!counters) ? snceRegion_MapCounters(region, server)
                                  : counters;
}

/* ---- the file and its mapping -------------------------------------------- */

/* snceRegion_Make makes a region of SNCE_AT_HEAP zeros, for administration: in a
 * memory file; where the kernel forbids those, in an unnamed file of a memory file
 * system; else, unless it is |inheritable|, in shared memory without a file, with
 * |room| bytes more, which forked children have but no other program, and which
 * cannot grow. There is no header in it yet. Returns SNCE_OK (the caller owns
 * |*out|), SNCE_NO_DESCRIPTOR, SNCE_LIMIT, SNCE_LOCK_LIMIT, SNCE_UNSUPPORTED or
 * SNCE_NO_MEMORY. */
snceResult snceRegion_Make(snceRegion **out, bool inheritable, bool lock,
                           uint64_t room);

/* snceRegion_CheckFile tells whether |fd| may be a region's file. Returns SNCE_OK,
 * SNCE_BAD_DESCRIPTOR or SNCE_FOREIGN. */
snceResult snceRegion_CheckFile(int fd);

/* snceRegion_Map opens the file behind |fd|, maps its first chunk, and takes the
 * descriptor over on SNCE_OK only. What is in it is not believed yet. Returns
 * SNCE_OK, SNCE_NO_MEMORY, SNCE_LOCK_LIMIT or SNCE_BAD_DESCRIPTOR. */
snceResult snceRegion_Map(snceRegion **out, int fd, snceAccess access,
                          bool lock);

/* snceRegion_MapRange maps |bytes| bytes at |offset|, which the caller has bounded,
 * as far as they are not mapped. Returns SNCE_OK, SNCE_NO_MEMORY,
 * SNCE_LOCK_LIMIT, SNCE_UNSUPPORTED or SNCE_BAD_DESCRIPTOR. */
snceResult snceRegion_MapRange(const snceRegion *region, uint64_t offset,
                               uint64_t bytes);

/* snceRegion_Grow makes the file at least |bytes| bytes large. The caller has the
 * turn. Returns SNCE_OK, SNCE_LIMIT (RLIMIT_FSIZE), SNCE_NO_MEMORY or
 * SNCE_BAD_DESCRIPTOR. */
snceResult snceRegion_Grow(const snceRegion *region, uint64_t bytes);

/* snceRegion_Refresh looks how large the file is, and ends the pause after a failure
 * to map: for who has the turn, and must see all that there is. System calls. */
void snceRegion_Refresh(const snceRegion *region);

/* snceRegion_LockMemory locks the region's memory, each page when it is touched,
 * and all that is mapped later. Returns SNCE_OK, SNCE_UNSUPPORTED or
 * SNCE_LOCK_LIMIT. */
snceResult snceRegion_LockMemory(snceRegion *region);

/* snceRegion_Discharge unmaps the region, closes its descriptor unless that is
 * -1, and frees |region|. */
void snceRegion_Discharge(snceRegion *region);

/* snceRegion_IsFile tells whether |fd| is open on the region's file. One system
 * call. */
bool snceRegion_IsFile(const snceRegion *region, int fd);

/* snceRegion_CheckDescriptor tells whether the region's descriptor is still
 * open on the region's file. One system call. */
bool snceRegion_CheckDescriptor(const snceRegion *region);

/* snceRegion_NextMemory returns where, at |offset| or behind it, the system has
 * given the region memory, and snceRegion_NextHole where it has not: the
 * region's end if nowhere. Without an answer from the system there is memory at
 * |offset|, and up to the end. The caller has the turn. One system call. */
uint64_t snceRegion_NextMemory(const snceRegion *region, uint64_t offset);
uint64_t snceRegion_NextHole(const snceRegion *region, uint64_t offset);

/* snceRegion_Discard makes |bytes| bytes at |offset| zeros: it gives their memory
 * back to the system, or wipes it where the system keeps it. False if this process
 * can do neither. */
bool snceRegion_Discard(const snceRegion *region, uint64_t offset,
                        uint64_t bytes);

/* snceRegion_DiscardAll is the same for all of the region. Nobody uses it any
 * more. */
void snceRegion_DiscardAll(const snceRegion *region);

#endif /* SNCEREGION_H */
