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
    /* A page of this stands behind each 512 chunks that are mapped. */
    void *map = mmap(NULL, sizeof(snceMap), PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return map == MAP_FAILED ? NULL : map;
}

/* How many chunks may be mapped: none lies behind the file's end. */
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
LockAt(const void *at, uint64_t bytes)
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

/* Finds |bytes| bytes of address space that begin on a multiple of a chunk.
 * Returns where, or NULL. */
static uint8_t *
FindSpace(uint64_t bytes)
{
    uint8_t *space, *begin;
    uint64_t before;

    if (bytes > SIZE_MAX - SNCE_CHUNK_BYTES) { /* 32 bits */
        return NULL;
    }
    space = mmap(NULL, bytes + SNCE_CHUNK_BYTES, PROT_NONE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (space == MAP_FAILED) {
        return NULL;
    }
    before = -(uintptr_t)space & (SNCE_CHUNK_BYTES - 1);
    begin = space + before;
    if (before) {
        (void)munmap(space, before);
    }
    if (before < SNCE_CHUNK_BYTES) {
        (void)munmap(begin + bytes, SNCE_CHUNK_BYTES - before);
    }
    return begin;
}

/* Is the descriptor still open on the file? Another thread may have closed it, and
 * opened something else, before mmap took it. */
static bool
IsStill(const snceMapFile *file)
{
    struct stat status;

    return file->fd < 0 ||
           (fstat(file->fd, &status) == 0 && status.st_dev == file->device &&
            status.st_ino == file->inode);
}

/* Maps |bytes| bytes of the file. A process that asked for all its future memory
 * to be locked (mlockall) would have all of it made resident by mmap; a mapping
 * without access is spared, and unlocked before access is given. */
static snceResult
MapRun(const snceMapFile *file, int flags, uint64_t offset, uint64_t bytes,
       uint8_t **out)
{
    uint8_t *at = FindSpace(bytes);
    snceResult result = SNCE_NO_MEMORY;

    if (!at) {
        return SNCE_NO_MEMORY;
    }
    if (mmap(at, bytes, PROT_NONE,
             MAP_SHARED | MAP_FIXED | MAP_NORESERVE | flags, file->fd,
             (off_t)offset) == MAP_FAILED) {
        goto loser;
    }
    if (!IsStill(file)) {
        result = SNCE_BAD_DESCRIPTOR;
        goto loser;
    }
    (void)munlock(at, bytes);
    /* Before there is access: a fork or a crash of another thread may come in
     * between. */
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

/* Enters |count| chunks that are mapped at |at|; unmaps those that another thread
 * has entered meanwhile. */
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
            result = MapRun(file, 0, first << SNCE_CHUNK_SHIFT,
                            run << SNCE_CHUNK_SHIFT, &at);
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
    snceResult result =
        MapRun(&none, MAP_ANONYMOUS, 0, count << SNCE_CHUNK_SHIFT, &at);

    if (result == SNCE_OK) {
        Enter(map, 0, count, at);
    }
    return result;
}
