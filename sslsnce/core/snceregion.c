/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#define _GNU_SOURCE          /* memfd_create, F_ADD_SEALS, O_TMPFILE */
#define _FILE_OFFSET_BITS 64 /* regions are large, on 32 bits too */

#include "snceregion.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

/* The file may grow, so there is no F_SEAL_GROW: its holders then map more of
 * it. */
#define SEALS (F_SEAL_SHRINK | F_SEAL_SEAL)

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3 warns when it is left out */
#endif

/* ---- the file ------------------------------------------------------------ */

static snceResult
ResultOfErrno(int error)
{
    switch (error) {
        case EMFILE:
        case ENFILE:
            return SNCE_NO_DESCRIPTOR;
        case EFBIG:
            return SNCE_LIMIT;
        case ENOSYS:
        case EINVAL:
        case EPERM:
            return SNCE_UNSUPPORTED;
        default:
            return SNCE_NO_MEMORY;
    }
}

/* The kernel raises SIGXFSZ if a file would grow past RLIMIT_FSIZE, so check
 * first. */
static bool
SizeIsAllowed(uint64_t bytes)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_FSIZE, &limit) != 0 ||
           limit.rlim_cur == RLIM_INFINITY || bytes <= limit.rlim_cur;
}

/* Returns a new memory file, or -1: errno says why not. */
static int
MakeMemoryFile(void)
{
    const unsigned flags = MFD_ALLOW_SEALING | MFD_CLOEXEC;
    int fd = memfd_create("sslsnce", flags | MFD_NOEXEC_SEAL);

    return fd < 0 && errno == EINVAL ? memfd_create("sslsnce", flags) : fd;
}

static bool
IsInMemory(int fd)
{
    struct statfs system;

    return fstatfs(fd, &system) == 0 && (uint64_t)system.f_type == TMPFS_MAGIC;
}

/* Returns a new file without a name on a memory file system, or -1 if there is
 * none. */
static int
MakeUnnamedFile(void)
{
    static const char *const places[] = { "/dev/shm", "/run", "/tmp" };

    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        int fd = open(places[i], O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);

        if (fd >= 0 && IsInMemory(fd)) {
            return fd;
        }
        if (fd >= 0) {
            (void)close(fd);
        }
    }
    return -1;
}

static snceResult
MakeFile(int *out, bool inheritable)
{
    bool sealed = true;
    int error = 0;
    int fd;

    if (!SizeIsAllowed(SNCE_AT_HEAP)) {
        return SNCE_LIMIT;
    }
    fd = MakeMemoryFile();
    if (fd < 0) {
        error = errno;
        if (ResultOfErrno(error) == SNCE_UNSUPPORTED) {
            sealed = false;
            fd = MakeUnnamedFile();
        }
    }
    if (fd < 0) {
        errno = error; /* of memfd_create */
        return ResultOfErrno(error);
    }
    if (ftruncate(fd, (off_t)SNCE_AT_HEAP) != 0 ||
        (sealed && fcntl(fd, F_ADD_SEALS, SEALS) != 0) ||
        (inheritable && fcntl(fd, F_SETFD, 0) != 0)) {
        error = errno;
        (void)close(fd);
        return ResultOfErrno(error);
    }
    *out = fd;
    return SNCE_OK;
}

/* Can nobody shrink the file while this process has it mapped? A memory file
 * must be sealed. A file without a name has no seals, but only processes that
 * were given its descriptor can shrink it. */
static bool
IsWhole(int fd, const struct stat *status)
{
    int seals = fcntl(fd, F_GET_SEALS);

    if (seals < 0) {
        return false;
    }
    if ((seals & (SEALS | F_SEAL_WRITE)) == SEALS) {
        return true; /* snceRegion_Make never makes a file that cannot be
                      * written */
    }
    return (seals & ~F_SEAL_SEAL) == 0 && status->st_nlink == 0 &&
           status->st_uid == geteuid() && (status->st_mode & 0177) == 0 &&
           IsInMemory(fd);
}

snceResult
snceRegion_CheckFile(int fd)
{
    struct stat status;

    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) ||
        fcntl(fd, F_GET_SEALS) < 0) {
        return SNCE_BAD_DESCRIPTOR;
    }
    return IsWhole(fd, &status) && (uint64_t)status.st_size >= SNCE_AT_HEAP &&
                   (uint64_t)status.st_size <= SNCE_BYTES_MAX
               ? SNCE_OK
               : SNCE_FOREIGN;
}

/* Is |fd| open on the region's file? If so, |*status| is the file's. */
static bool
IsRegions(const snceRegion *region, int fd, struct stat *status)
{
    return fd >= 0 && fstat(fd, status) == 0 &&
           status->st_dev == region->device && status->st_ino == region->inode;
}

bool
snceRegion_IsFile(const snceRegion *region, int fd)
{
    struct stat status;

    return IsRegions(region, fd, &status);
}

bool
snceRegion_CheckDescriptor(const snceRegion *region)
{
    return snceRegion_IsFile(region, region->fd);
}

uint64_t
snceRegion_Identity(const snceRegion *region)
{
    return region->identity;
}

int
snceRegion_Descriptor(const snceRegion *region)
{
    return snceRegion_CheckDescriptor(region) ? region->fd : -1;
}

/* ---- the size of the file ------------------------------------------------ */

static void
NoteBytes(snceMap *map, uint64_t bytes)
{
    uint64_t before = atomic_load_explicit(&map->bytes, memory_order_relaxed);

    if (bytes > SNCE_BYTES_MAX) {
        bytes = SNCE_BYTES_MAX;
    }
    while (bytes > before && !atomic_compare_exchange_weak_explicit(
                                 &map->bytes, &before, bytes,
                                 memory_order_relaxed, memory_order_relaxed)) {
    }
}

/* Notes how large the file is. Returns false if its descriptor is closed. */
static bool
LookAtFile(const snceRegion *region)
{
    struct stat status;

    if (!IsRegions(region, region->fd, &status)) {
        return false;
    }
    NoteBytes(region->map, (uint64_t)status.st_size);
    return true;
}

uint64_t
snceRegion_Bytes(const snceRegion *region)
{
    (void)LookAtFile(region);
    return atomic_load_explicit(&region->map->bytes, memory_order_relaxed);
}

uint64_t
snceRegion_NowSec(void)
{
    struct timespec now = { 0, 0 };

    (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec;
}

/* After a failure to map a chunk, or to look at the file, no attempt is made
 * for a second: otherwise each operation that needs it would make system calls
 * in vain. */
static bool
Pausing(const snceRegion *region)
{
    return snceRegion_NowSec() <
           atomic_load_explicit(&region->map->pauseSec, memory_order_relaxed);
}

static void
Pause(const snceRegion *region)
{
    atomic_store_explicit(&region->map->pauseSec, snceRegion_NowSec() + 1,
                          memory_order_relaxed);
}

void
snceRegion_Refresh(const snceRegion *region)
{
    atomic_store_explicit(&region->map->pauseSec, 0, memory_order_relaxed);
    (void)snceRegion_Bytes(region);
}

/* Checks bytes beyond the end of the file as it was last seen. The file grows
 * before the directory names a range in its new part, and in between the serial
 * of the header is counted up. So while the serial is the one that this process
 * read before its last look at the file, the file has no honest range beyond
 * what was seen then, and another look would show nothing new. */
snceResult
snceRegion_Reach(const snceRegion *region, uint64_t bytes)
{
    snceMap *map = region->map;
    uint64_t serial;

    if (bytes > SNCE_BYTES_MAX || region->anonymous) {
        return SNCE_CORRUPT;
    }
    /* Acquire: pairs with the release store in NextSerial (snceheap.c). */
    serial = atomic_load_explicit(&snceRegion_Header(region)->serial,
                                  memory_order_acquire);
    if (serial ==
        atomic_load_explicit(&map->seenSerial, memory_order_relaxed)) {
        return bytes > atomic_load_explicit(&map->bytes, memory_order_relaxed)
                   ? SNCE_CORRUPT
                   : SNCE_OK;
    }
    if (Pausing(region)) {
        return SNCE_NO_MEMORY;
    }
    if (!LookAtFile(region)) {
        Pause(region);
        return SNCE_NO_MEMORY;
    }
    if (bytes <= atomic_load_explicit(&map->bytes, memory_order_relaxed)) {
        return SNCE_OK;
    }
    atomic_store_explicit(&map->seenSerial, serial, memory_order_relaxed);
    return SNCE_CORRUPT;
}

/* Makes the file longer. An application that closes descriptors which are not
 * its own, and opens a file in another thread, may do both between the check of
 * the descriptor and the call that uses it. Then another file has our
 * descriptor's number. The harm is kept small: the check is the last thing
 * before the call, so this hardly happens; the other file only gets zeros at
 * its end; and the caller looks at the file afterwards, so it does not take the
 * region to be larger than it is. A descriptor of our own (dup, or
 * /proc/self/fd) would be safe from this, but closing it would release every
 * record lock that the process has on the region, the administrative lock too.
 *
 * ftruncate would also cut another file that is larger. So fallocate asks for
 * the last byte instead, which cuts nothing and costs a page of memory. */
static int
Lengthen(int fd, uint64_t bytes)
{
    if (fallocate(fd, 0, (off_t)bytes - 1, 1) == 0) {
        return 0;
    }
    return errno == EOPNOTSUPP || ResultOfErrno(errno) == SNCE_UNSUPPORTED
               ? ftruncate(fd, (off_t)bytes)
               : -1;
}

snceResult
snceRegion_Grow(const snceRegion *region, uint64_t bytes)
{
    bytes = SNCE_ALIGNED(bytes, SNCE_GRAIN);
    if (snceRegion_Bytes(region) >= bytes) {
        return SNCE_OK;
    }
    if (region->anonymous || bytes > SNCE_BYTES_MAX) {
        return SNCE_NO_MEMORY;
    }
    if (!SizeIsAllowed(bytes)) {
        return SNCE_LIMIT;
    }
    if (!snceRegion_CheckDescriptor(region)) {
        return SNCE_BAD_DESCRIPTOR;
    }
    if (Lengthen(region->fd, bytes) != 0) {
        return errno == EFBIG ? SNCE_LIMIT : SNCE_NO_MEMORY;
    }
    return snceRegion_Bytes(region) >= bytes ? SNCE_OK : SNCE_BAD_DESCRIPTOR;
}

/* ---- mapping ------------------------------------------------------------- */

snceResult
snceRegion_MapRange(const snceRegion *region, uint64_t offset, uint64_t bytes)
{
    const snceMapFile file = { region->fd,
                               region->access == SNCE_ACCESS_READ
                                   ? PROT_READ
                                   : PROT_READ | PROT_WRITE,
                               region->locked, region->device, region->inode };
    uint64_t first = offset >> SNCE_CHUNK_SHIFT;
    uint64_t end = (offset + bytes + SNCE_CHUNK_BYTES - 1) >> SNCE_CHUNK_SHIFT;

    while (first < end && snceMap_At(region->map, first << SNCE_CHUNK_SHIFT)) {
        first++;
    }
    if (first == end) {
        return SNCE_OK;
    }
    if (!snceRegion_CheckDescriptor(region)) {
        return SNCE_BAD_DESCRIPTOR;
    }
    return snceMap_Add(region->map, &file, first, end - first);
}

uint8_t *
snceRegion_MapMore(const snceRegion *region, uint64_t offset)
{
    int error = errno; /* a lookup must not change errno */

    if (region->anonymous || Pausing(region)) {
        return NULL;
    }
    if (snceRegion_MapRange(region, offset, 1) != SNCE_OK) {
        Pause(region);
    }
    errno = error;
    return snceMap_At(region->map, offset);
}

snceCounters *
snceRegion_MapCounters(const snceRegion *region, uint32_t server)
{
    snceCounters *counters =
        snceRegion_Place(region, snceRegion_CountersOffset(server));

    atomic_store_explicit(&region->map->counters[server], counters,
                          memory_order_relaxed);
    return counters;
}

snceResult
snceRegion_LockMemory(snceRegion *region)
{
    region->locked = true;
    return snceMap_Lock(region->map);
}

/* Returns a region with nothing mapped, or NULL. */
static snceRegion *
New(int fd, snceAccess access, bool lock)
{
    snceRegion *region = calloc(1, sizeof(*region));

    if (!region) {
        return NULL;
    }
    region->map = snceMap_Make();
    if (!region->map) {
        free(region);
        return NULL;
    }
    region->fd = fd;
    region->access = access;
    region->locked = lock;
    return region;
}

snceResult
snceRegion_Map(snceRegion **out, int fd, snceAccess access, bool lock)
{
    snceRegion *region = New(fd, access, lock);
    struct stat status;
    snceResult result = SNCE_BAD_DESCRIPTOR;

    if (!region) {
        return SNCE_NO_MEMORY;
    }
    if (fstat(fd, &status) == 0) {
        region->device = status.st_dev;
        region->inode = status.st_ino;
        NoteBytes(region->map, (uint64_t)status.st_size);
        result = snceRegion_MapRange(region, 0, SNCE_CHUNK_BYTES);
    }
    if (result != SNCE_OK) {
        region->fd = -1; /* still the caller's */
        snceRegion_Discharge(region);
        return result;
    }
    *out = region;
    return SNCE_OK;
}

static snceResult
MakeAnonymous(snceRegion **out, bool lock, uint64_t room)
{
    uint64_t chunks =
        SNCE_ALIGNED(SNCE_AT_HEAP + room, SNCE_CHUNK_BYTES) >> SNCE_CHUNK_SHIFT;
    snceRegion *region = New(-1, SNCE_ACCESS_ADMIN, lock);
    snceResult result;

    if (!region) {
        return SNCE_NO_MEMORY;
    }
    region->anonymous = true;
    NoteBytes(region->map, chunks << SNCE_CHUNK_SHIFT);
    result = snceMap_AddAnonymous(region->map, chunks);
    if (result == SNCE_OK && lock) {
        result = snceMap_Lock(region->map);
    }
    if (result != SNCE_OK) {
        snceRegion_Discharge(region);
        return result;
    }
    *out = region;
    return SNCE_OK;
}

snceResult
snceRegion_Make(snceRegion **out, bool inheritable, bool lock, uint64_t room)
{
    int fd = -1;
    snceResult result = MakeFile(&fd, inheritable);

    if (result == SNCE_UNSUPPORTED && !inheritable) {
        return MakeAnonymous(out, lock, room);
    }
    if (result != SNCE_OK) {
        return result;
    }
    result = snceRegion_Map(out, fd, SNCE_ACCESS_ADMIN, lock);
    if (result != SNCE_OK) {
        (void)close(fd);
    }
    return result;
}

void
snceRegion_Discharge(snceRegion *region)
{
    snceMap_Free(region->map);
    if (region->fd >= 0) {
        (void)close(region->fd);
    }
    free(region);
}

bool
snceRegion_IsLocked(const snceRegion *region)
{
    return region->locked;
}

/* ---- pages --------------------------------------------------------------- */

uint64_t
snceRegion_ResidentBytes(const snceRegion *region)
{
    struct stat status;

    return IsRegions(region, region->fd, &status)
               ? (uint64_t)status.st_blocks * 512
               : 0;
}

/* Returns the first offset, at |offset| or behind it, where the file has memory
 * (SEEK_DATA) or has none (SEEK_HOLE). Returns -1 if the system does not
 * answer, or if the descriptor may be another file's (Lengthen): where that has
 * memory says nothing about the region. Moves the file's position, which nobody
 * uses. */
static off_t
Seek(const snceRegion *region, uint64_t offset, int whence)
{
    off_t found;

    if (!snceRegion_CheckDescriptor(region)) {
        return -1;
    }
    found = lseek(region->fd, (off_t)offset, whence);
    if (found < 0 && errno == ENXIO) {
        found = (off_t)snceRegion_Bytes(region);
    }
    return snceRegion_CheckDescriptor(region) ? found : -1;
}

uint64_t
snceRegion_NextMemory(const snceRegion *region, uint64_t offset)
{
    off_t found = Seek(region, offset, SEEK_DATA);

    return found < 0 ? offset : (uint64_t)found;
}

uint64_t
snceRegion_NextHole(const snceRegion *region, uint64_t offset)
{
    off_t found = Seek(region, offset, SEEK_HOLE);

    return found < 0 ? snceRegion_Bytes(region) : (uint64_t)found;
}

/* Wipes the words that are not zero. Relaxed: nobody uses the memory. */
static void
Wipe(void *at, uint64_t bytes)
{
    snceWord *word = at;

    for (uint64_t i = 0; i < bytes / sizeof(*word); i++) {
        if (atomic_load_explicit(&word[i], memory_order_relaxed) != 0) {
            atomic_store_explicit(&word[i], 0, memory_order_relaxed);
        }
    }
}

/* Wipes the parts of |bytes| bytes at |offset| that have memory; they are
 * mapped at |at|. Reading the other parts would give them memory. */
static void
WipeMemory(const snceRegion *region, uint64_t offset, uint8_t *at,
           uint64_t bytes)
{
    uint64_t end = offset + bytes;
    uint64_t from = offset;

    while ((from = snceRegion_NextMemory(region, from)) < end) {
        uint64_t hole = snceRegion_NextHole(region, from);

        if (hole <= from ||
            hole > end) { /* given back meanwhile, or beyond the end */
            hole = end;
        }
        Wipe(at + (from - offset), hole - from);
        from = hole;
    }
}

/* Does MADV_REMOVE really give memory back? qemu-user reports success and does
 * nothing, so it is tried once, on memory of the same kind. That memory is
 * unlocked first, because the process may lock all its memory (mlockall). */
static bool
GivesBack(snceMap *map)
{
    int answer = atomic_load_explicit(&map->givesBack, memory_order_relaxed);

    if (answer == 0) {
        snceWord *page = mmap(NULL, SNCE_GRAIN, PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        if (page == MAP_FAILED) {
            return false;
        }
        (void)munlock(page, SNCE_GRAIN);
        atomic_store_explicit(page, 1, memory_order_relaxed);
        answer = madvise(page, SNCE_GRAIN, MADV_REMOVE) == 0 &&
                         atomic_load_explicit(page, memory_order_relaxed) == 0
                     ? 1
                     : -1;
        (void)munmap(page, SNCE_GRAIN);
        atomic_store_explicit(&map->givesBack, answer, memory_order_relaxed);
    }
    return answer > 0;
}

/* Gives |bytes| bytes, whole grains, back to the system, or wipes them if it does
 * not take them. */
static void
GiveBack(const snceRegion *region, uint64_t offset, uint8_t *at, size_t bytes)
{
    if (region->locked) { /* a locked page is not given back */
        (void)munlock(at, bytes);
    }
    if (!GivesBack(region->map) || madvise(at, bytes, MADV_REMOVE) != 0) {
        WipeMemory(region, offset, at, bytes);
    }
    if (region->locked) {
        (void)mlock2(at, bytes, MLOCK_ONFAULT);
    }
}

/* Discards |bytes| bytes at |offset|, which lie in one chunk, through the
 * mapping. The system takes only whole pages back; those of a range belong to
 * it alone. A hostile process may have made the file end within a grain. */
static bool
DiscardMapped(const snceRegion *region, uint64_t offset, size_t bytes)
{
    size_t grains =
        offset % SNCE_GRAIN == 0 ? bytes & ~(size_t)(SNCE_GRAIN - 1) : 0;
    uint8_t *at;

    /* Without memory there is nothing to discard, and no reason to map the
     * chunk. */
    if (!snceMap_At(region->map, offset) &&
        snceRegion_NextMemory(region, offset) >= offset + bytes) {
        return true;
    }
    at = snceRegion_Place(region, offset);
    if (!at) {
        return false;
    }
    if (grains != 0) {
        GiveBack(region, offset, at, grains);
    }
    Wipe(at + grains, bytes - grains);
    return true;
}

/* Discards through the mapping only, never by a hole in the descriptor's file:
 * the application may have closed the descriptor and opened another file under
 * its number, and a hole would destroy what is there. */
bool
snceRegion_Discard(const snceRegion *region, uint64_t offset, uint64_t bytes)
{
    uint64_t end = offset + bytes;
    bool done = true;

    while (offset < end) {
        uint64_t next = (offset & ~(SNCE_CHUNK_BYTES - 1)) + SNCE_CHUNK_BYTES;

        next = next < end ? next : end;
        done = DiscardMapped(region, offset, (size_t)(next - offset)) && done;
        offset = next;
    }
    return done;
}

void
snceRegion_DiscardAll(const snceRegion *region)
{
    (void)snceRegion_Discard(region, 0, snceRegion_Bytes(region));
}
