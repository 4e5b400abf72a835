/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceregion.h: the shared memory as this process sees it.
 *
 * Private to the core. sncelayout.h describes the region itself. The structure
 * here belongs to one process. It keeps what must not be read from shared
 * memory a second time: the address, the size, the keys of the hash. */
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
    bool locked;     /* this process locks the region in memory */
    int fd;          /* owned; -1 where there is no file, or once the descriptor
                      * was found closed */
    bool anonymous;  /* shared memory without a file, which no other program can
                      * attach to */
    uint64_t device; /* device and inode that fd must still have */
    uint64_t inode;
    const uint64_t *ticks; /* a test's clock, read instead of the machine's
                            * (sncepatience.h), or NULL. Not owned */
    uint64_t identity;     /* snceServerId.region of its servers */
    /* Id of the process one of whose threads holds the administrative lock, as
     * this process sees it, or 0: sncelock.c. */
    _Atomic int lockHolder;
    int lockCancel; /* that thread's cancellation state before the lock */
};

/* ---- from an offset to an address ----------------------------------------
 *
 * Only this part makes an address from an offset. Exceptions are the calls in
 * snceregion.c that discard memory, and the search for a table's sets that are
 * mapped already (snceTable_MappedIn, snceTable_IsPlace). Nothing makes an
 * offset from an address. */

/* snceRegion_MapMore maps the chunk in which |offset| lies, and returns its
 * address, or NULL if this process cannot map it. Makes system calls. */
uint8_t *snceRegion_MapMore(const snceRegion *region, uint64_t offset);

/* snceRegion_Place returns the address of the byte at |offset|; all bytes up to
 * the end of its chunk follow it. Returns NULL if this process cannot map the
 * chunk. The caller must know that |offset| is inside the region: it belongs to
 * a part with a fixed offset, or to a range that snceRegion_Bound has checked.
 * Makes system calls only if this process has not mapped the chunk yet. */
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

/* snceRegion_Bound tells whether |bytes| bytes at |offset| lie in the heap,
 * beginning where a range may begin. No offset that was read from shared memory
 * is used before this check (rule 1). |bytes| is below 2^62, and |offset| comes
 * from a range word. Returns SNCE_OK, SNCE_CORRUPT, or SNCE_NO_MEMORY if the
 * bytes lie beyond the end of the file as this process has last seen it, and it
 * cannot look at the file now.
 *
 * Makes a system call only for bytes beyond that end, and only if a range was
 * taken since the last look at the file: otherwise the file has not grown. */
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

/* snceRegion_First returns the address of |offset|, which lies in the first
 * chunk. That chunk is always mapped. */
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

/* snceRegion_KeyCell returns the cell |index|, below SNCE_KEY_CELLS, or NULL if
 * this process cannot map it. */
static inline snceKeyCell *
snceRegion_KeyCell(const snceRegion *region, uint64_t index)
{
    return (snceKeyCell *)snceRegion_Place(
        region, SNCE_AT_KEY_CELLS + index * sizeof(snceKeyCell));
}

/* snceRegion_CountersOffset returns the offset of a server's counters. */
static inline uint64_t
snceRegion_CountersOffset(uint32_t server)
{
    return SNCE_AT_COUNTERS +
           server / SNCE_COUNTERS_IN_BLOCK * SNCE_COUNTERS_BLOCK +
           server % SNCE_COUNTERS_IN_BLOCK * sizeof(snceCounters);
}

/* snceRegion_Counters returns a server's counters, or NULL if this process
 * cannot map them. */
snceCounters *snceRegion_MapCounters(const snceRegion *region, uint32_t server);
static inline snceCounters *
snceRegion_Counters(const snceRegion *region, uint32_t server)
{
    /* Relaxed: the memory was mapped before its address was stored. */
    snceCounters *counters = atomic_load_explicit(
        &region->map->counters[server], memory_order_relaxed);

    return SNCE_RARELY(!counters) ? snceRegion_MapCounters(region, server)
                                  : counters;
}

/* ---- the file and its mapping -------------------------------------------- */

/* snceRegion_Make makes a region of SNCE_AT_HEAP zeros, with administrative
 * access and without a header. It takes a memory file; where the kernel forbids
 * those, an unnamed file on a memory file system; and where there is none of
 * those either, unless the region is to be |inheritable|, shared memory without
 * a file. That memory has |room| more bytes, cannot grow, and is shared with
 * forked children but with no other program. Returns SNCE_OK (the caller owns
 * |*out|), SNCE_NO_DESCRIPTOR, SNCE_LIMIT, SNCE_LOCK_LIMIT, SNCE_UNSUPPORTED or
 * SNCE_NO_MEMORY. */
snceResult snceRegion_Make(snceRegion **out, bool inheritable, bool lock,
                           uint64_t room);

/* snceRegion_CheckFile tells whether |fd| may be a region's file. Returns
 * SNCE_OK, SNCE_BAD_DESCRIPTOR or SNCE_FOREIGN. */
snceResult snceRegion_CheckFile(int fd);

/* snceRegion_Map opens the file behind |fd| and maps its first chunk. The
 * region owns the descriptor on SNCE_OK only. Does not check the contents.
 * Returns SNCE_OK, SNCE_NO_MEMORY, SNCE_LOCK_LIMIT or SNCE_BAD_DESCRIPTOR. */
snceResult snceRegion_Map(snceRegion **out, int fd, snceAccess access,
                          bool lock);

/* snceRegion_MapRange maps the chunks of |bytes| bytes at |offset| that are not
 * mapped yet. The caller has checked |offset| and |bytes| (rule 1). Returns
 * SNCE_OK, SNCE_NO_MEMORY, SNCE_LOCK_LIMIT, SNCE_UNSUPPORTED or
 * SNCE_BAD_DESCRIPTOR. */
snceResult snceRegion_MapRange(const snceRegion *region, uint64_t offset,
                               uint64_t bytes);

/* snceRegion_Grow makes the file at least |bytes| bytes large. The caller holds the
 * administrative lock. Returns SNCE_OK, SNCE_LIMIT (RLIMIT_FSIZE), SNCE_NO_MEMORY or
 * SNCE_BAD_DESCRIPTOR. */
snceResult snceRegion_Grow(const snceRegion *region, uint64_t bytes);

/* snceRegion_Refresh looks how large the file is, and ends the pause after a
 * failed mapping. The holder of the administrative lock calls it, because it
 * must see all of the region. Makes system calls. */
void snceRegion_Refresh(const snceRegion *region);

/* snceRegion_LockMemory locks the region in memory, each page when it is
 * touched, and also what is mapped later. Returns SNCE_OK, SNCE_UNSUPPORTED or
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

/* snceRegion_NowSec returns the seconds of the machine's monotonic clock, a few
 * milliseconds late. The clock is never set, and stands still while the machine
 * is suspended. Makes no system call (vDSO). */
uint64_t snceRegion_NowSec(void);

/* snceRegion_NextMemory returns the first offset, at |offset| or behind it,
 * where the system has given the file memory; snceRegion_NextHole returns the
 * first one where it has not. Both return the region's end if there is none. If
 * the system does not answer, they assume that there is memory from |offset| to
 * the end. The caller holds the administrative lock. Three system calls. */
uint64_t snceRegion_NextMemory(const snceRegion *region, uint64_t offset);
uint64_t snceRegion_NextHole(const snceRegion *region, uint64_t offset);

/* snceRegion_Discard turns |bytes| bytes at |offset| into zeros: it gives their
 * memory back to the system, or wipes it where the system keeps it. Returns
 * false if this process can do neither. */
bool snceRegion_Discard(const snceRegion *region, uint64_t offset,
                        uint64_t bytes);

/* snceRegion_DiscardAll discards the whole region. Nobody may use the region
 * any more. */
void snceRegion_DiscardAll(const snceRegion *region);

#endif /* SNCEREGION_H */
