/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#define _GNU_SOURCE          /* mlock2, MAP_ANONYMOUS */
#define _FILE_OFFSET_BITS 64 /* regions are large, on 32 bits too */

#include "sncemap.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>

snceMap *
snceMap_Make(void)
{
    /* The map takes memory as chunks are mapped: one page of it for each 512 of
     * them. */
    void *map = mmap(NULL, sizeof(snceMap), PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return map == MAP_FAILED ? NULL : map;
}

/* Returns how many chunks may be mapped; none lies behind the file's end. */
static uint64_t
Chunks(const snceMap *map)
{
    uint64_t bytes = atomic_load_explicit(&map->bytes, memory_order_relaxed);

    return (bytes + SNCE_CHUNK_BYTES - 1) >> SNCE_CHUNK_SHIFT;
}

void
snceMap_Free(snceMap *map)
{
    if (!map) {
        return;
    }
    for (uint64_t i = 0, end = Chunks(map); i < end; i++) {
        uint8_t *at = snceMap_At(map, i << SNCE_CHUNK_SHIFT);

        if (at) {
            (void)munmap(at, SNCE_CHUNK_BYTES);
        }
    }
    (void)munmap(map, sizeof(snceMap));
}

static snceResult
LockAt(const void *at, size_t bytes)
{
    if (mlock2(at, bytes, MLOCK_ONFAULT) == 0) {
        return SNCE_OK;
    }
    /* EPERM: the limit is 0. EAGAIN: some of it could not be locked. */
    return errno == ENOSYS || errno == EINVAL ? SNCE_UNSUPPORTED
                                              : SNCE_LOCK_LIMIT;
}

snceResult
snceMap_Lock(const snceMap *map)
{
    snceResult result = SNCE_OK;

    for (uint64_t i = 0, end = Chunks(map); i < end && result == SNCE_OK; i++) {
        uint8_t *at = snceMap_At(map, i << SNCE_CHUNK_SHIFT);

        if (at) {
            result = LockAt(at, SNCE_CHUNK_BYTES);
        }
    }
    return result;
}

/* Reserves |bytes| bytes of address space that begin on a multiple of a chunk.
 * Returns their address, or NULL. */
static uint8_t *
FindSpace(size_t bytes)
{
    const size_t chunk = SNCE_CHUNK_BYTES;
    uint8_t *space, *begin;
    size_t before;

    if (bytes > SIZE_MAX - chunk) { /* 32 bits */
        return NULL;
    }
    space = mmap(NULL, bytes + chunk, PROT_NONE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (space == MAP_FAILED) {
        return NULL;
    }
    before = -(uintptr_t)space & (chunk - 1);
    begin = space + before;
    if (before) {
        (void)munmap(space, before);
    }
    if (before < chunk) {
        (void)munmap(begin + bytes, chunk - before);
    }
    return begin;
}

/* Is the descriptor still open on the region's file? Another thread may have
 * closed it, and opened something else under its number, before mmap used
 * it. */
static bool
IsStill(const snceMapFile *file)
{
    struct stat status;

    return file->fd < 0 ||
           (fstat(file->fd, &status) == 0 && status.st_dev == file->device &&
            status.st_ino == file->inode);
}

/* Maps |count| chunks of the file from |first| on. If the process has all its
 * future memory locked (mlockall), mmap would make the whole mapping resident.
 * It does not do so for a mapping without access. So the chunks are mapped
 * without access, unlocked, and then given access. */
static snceResult
MapRun(const snceMapFile *file, int flags, uint64_t first, uint64_t count,
       uint8_t **out)
{
    const off_t offset = (off_t)(first << SNCE_CHUNK_SHIFT);
    const size_t bytes = (size_t)(count << SNCE_CHUNK_SHIFT);
    snceResult result = SNCE_NO_MEMORY;
    uint8_t *at;

    if (count > SIZE_MAX >> SNCE_CHUNK_SHIFT) { /* 32 bits */
        return SNCE_NO_MEMORY;
    }
    at = FindSpace(bytes);
    if (!at) {
        return SNCE_NO_MEMORY;
    }
    if (mmap(at, bytes, PROT_NONE,
             MAP_SHARED | MAP_FIXED | MAP_NORESERVE | flags, file->fd,
             offset) == MAP_FAILED) {
        goto loser;
    }
    if (!IsStill(file)) {
        result = SNCE_BAD_DESCRIPTOR;
        goto loser;
    }
    (void)munlock(at, bytes);
    /* Before access is given: another thread may fork or crash in between. */
    (void)madvise(at, bytes, MADV_DONTDUMP);
    if (mprotect(at, bytes, file->protection) != 0) {
        goto loser;
    }
    if (file->lock) {
        result = LockAt(at, bytes);
        if (result != SNCE_OK) {
            goto loser;
        }
    }
    *out = at;
    return SNCE_OK;

loser:
    (void)munmap(at, bytes);
    return result;
}

/* Enters |count| chunks from |first| on, which are mapped at |at|. Unmaps those
 * that another thread has entered meanwhile. */
static void
Enter(snceMap *map, uint64_t first, uint64_t count, uint8_t *at)
{
    for (uint64_t i = 0; i < count; i++) {
        uint8_t *none = NULL, *chunk = at + (i << SNCE_CHUNK_SHIFT);

        if (!atomic_compare_exchange_strong_explicit(
                &map->chunk[first + i], &none, chunk, memory_order_release,
                memory_order_relaxed)) {
            (void)munmap(chunk, SNCE_CHUNK_BYTES);
        }
    }
}

snceResult
snceMap_Add(snceMap *map, const snceMapFile *file, uint64_t first,
            uint64_t count)
{
    snceResult result = SNCE_OK;
    uint64_t end = first + count;

    while (first < end && result == SNCE_OK) {
        uint64_t run = 0;
        uint8_t *at;

        while (first < end && snceMap_At(map, first << SNCE_CHUNK_SHIFT)) {
            first++;
        }
        while (first + run < end &&
               !snceMap_At(map, (first + run) << SNCE_CHUNK_SHIFT)) {
            run++;
        }
        if (run) {
            result = MapRun(file, 0, first, run, &at);
        }
        if (run && result == SNCE_OK) {
            Enter(map, first, run, at);
        }
        first += run;
    }
    return result;
}

snceResult
snceMap_AddAnonymous(snceMap *map, uint64_t count)
{
    const snceMapFile none = { .fd = -1, .protection = PROT_READ | PROT_WRITE };
    uint8_t *at;
    snceResult result = MapRun(&none, MAP_ANONYMOUS, 0, count, &at);

    if (result == SNCE_OK) {
        Enter(map, 0, count, at);
    }
    return result;
}
