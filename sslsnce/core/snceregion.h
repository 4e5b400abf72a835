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
#include "sncerange.h"

struct snceRegionStr {
    uint8_t *base;
    uint64_t bytes;
    snceHash hash;
    snceAccess access;
    bool locked;     /* in memory, in this process */
    int fd;          /* owned; -1 once it was found closed */
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
 * that map, lock and discard memory. Nothing makes an offset of an address: the
 * difference of two addresses is taken within one range only. */

/* snceRegion_Within returns where the |bytes| bytes at |offset| lie. The caller
 * knows that they are in the region: they are one of its fixed parts, or lie in a
 * range that snceRegion_At bounded. */
static inline void *
snceRegion_Within(const snceRegion *region, uint64_t offset, uint64_t bytes)
{
    (void)bytes; /* all of the region is mapped in one piece */
    return region->base + offset;
}

/* snceRegion_At returns where |bytes| bytes at |offset| lie, or NULL if they
 * do not all lie in the heap, on a page's beginning. The only way from an
 * offset read in shared memory to an address (rule 1). */
static inline void *
snceRegion_At(const snceRegion *region, uint64_t offset, uint64_t bytes)
{
    if (offset < SNCE_AT_HEAP || offset % SNCE_PAGE != 0 ||
        offset > region->bytes || bytes > region->bytes - offset) {
        return NULL;
    }
    return snceRegion_Within(region, offset, bytes);
}

/* snceRegion_AtRange is snceRegion_At for the range that the word |range| names. */
static inline void *
snceRegion_AtRange(const snceRegion *region, uint64_t range, uint64_t bytes)
{
    return snceRegion_At(region, snceRange_Offset(range), bytes);
}

/* snceRegion_Header and what follows it return the fixed parts of the region.
 * |server| is below SNCE_SERVERS. */
static inline snceHeader *
snceRegion_Header(const snceRegion *region)
{
    return (snceHeader *)snceRegion_Within(region, 0, sizeof(snceHeader));
}

static inline snceServerWords *
snceRegion_Server(const snceRegion *region, uint32_t server)
{
    return (snceServerWords *)snceRegion_Within(
        region, SNCE_AT_DIRECTORY + server * sizeof(snceServerWords),
        sizeof(snceServerWords));
}

static inline snceNames *
snceRegion_Names(const snceRegion *region)
{
    return (snceNames *)snceRegion_Within(region, SNCE_AT_NAMES,
                                          sizeof(snceNames));
}

/* snceRegion_CountersOffset returns where a server's counters are. */
static inline uint64_t
snceRegion_CountersOffset(uint32_t server)
{
    return SNCE_AT_COUNTERS + server * sizeof(snceCounters);
}

static inline snceCounters *
snceRegion_Counters(const snceRegion *region, uint32_t server)
{
    return (snceCounters *)snceRegion_Within(
        region, snceRegion_CountersOffset(server), sizeof(snceCounters));
}

static inline snceKeyRecords *
snceRegion_Keys(const snceRegion *region)
{
    return (snceKeyRecords *)snceRegion_Within(region, SNCE_AT_KEYS,
                                               sizeof(snceKeyRecords));
}

/* ---- the file and its mapping -------------------------------------------- */

/* snceRegion_SizeIsAllowed tells whether this process may make a file of that
 * size. */
bool snceRegion_SizeIsAllowed(uint64_t bytes);

/* snceRegion_Make makes a memory file of |bytes| zeros and maps it, for
 * administration. There is no header in it yet. Returns SNCE_OK (the caller owns
 * |*out|), SNCE_NO_DESCRIPTOR, SNCE_LIMIT, SNCE_UNSUPPORTED or SNCE_NO_MEMORY. */
snceResult snceRegion_Make(snceRegion **out, uint64_t bytes, bool inheritable);

/* snceRegion_CheckFile tells whether |fd| may be a region's file, and writes its
 * size. Returns SNCE_OK, SNCE_BAD_DESCRIPTOR or SNCE_FOREIGN. */
snceResult snceRegion_CheckFile(int fd, uint64_t *bytes);

/* snceRegion_Map maps the file behind |fd|, which has |bytes| bytes, and takes
 * the descriptor over on SNCE_OK only. What is in it is not believed yet. Returns
 * SNCE_OK, SNCE_NO_MEMORY or SNCE_BAD_DESCRIPTOR. */
snceResult snceRegion_Map(snceRegion **out, int fd, uint64_t bytes,
                          snceAccess access);

/* snceRegion_LockMemory locks the region's memory, each page when it is touched.
 * Returns SNCE_OK, SNCE_UNSUPPORTED or SNCE_LOCK_LIMIT. */
snceResult snceRegion_LockMemory(const snceRegion *region);

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

/* snceRegion_Discard gives the pages of a range back to the system; it then
 * reads as zeros. False if the system would not. */
bool snceRegion_Discard(const snceRegion *region, uint64_t offset,
                        uint64_t bytes);

/* snceRegion_DiscardAll is the same for all of the region. Nobody uses it any
 * more. */
void snceRegion_DiscardAll(const snceRegion *region);

#endif /* SNCEREGION_H */
