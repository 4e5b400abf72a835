/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#define _GNU_SOURCE          /* memfd_create, F_ADD_SEALS */
#define _FILE_OFFSET_BITS 64 /* regions are large, on 32 bits too */

#include "snceregion.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

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

/* Growing a file past RLIMIT_FSIZE raises SIGXFSZ, so look before. */
bool
snceRegion_SizeIsAllowed(uint64_t bytes)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_FSIZE, &limit) != 0 ||
           limit.rlim_cur == RLIM_INFINITY || bytes <= limit.rlim_cur;
}

static snceResult
MakeFile(int *out, uint64_t bytes, bool inheritable)
{
    unsigned flags = MFD_ALLOW_SEALING | MFD_CLOEXEC;
    snceResult result;
    int fd;

    if (!snceRegion_SizeIsAllowed(bytes)) {
        return SNCE_LIMIT;
    }
    fd = memfd_create("sslsnce", flags | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL) {
        fd = memfd_create("sslsnce", flags);
    }
    if (fd < 0) {
        return ResultOfErrno(errno);
    }
    if (ftruncate(fd, (off_t)bytes) != 0 || fcntl(fd, F_ADD_SEALS, SEALS) ||
        (inheritable && fcntl(fd, F_SETFD, 0) != 0)) {
        result = ResultOfErrno(errno);
        (void)close(fd);
        return result;
    }
    *out = fd;
    return SNCE_OK;
}

/* Maps the file. A process that asked for all its future memory to be locked
 * (mlockall) would have the whole reservation made resident by mmap; a mapping
 * without access is spared, and unlocked before access is given. */
static snceResult
MapFile(snceRegion *region)
{
    int protection =
        region->access == SNCE_ACCESS_READ ? PROT_READ : PROT_READ | PROT_WRITE;
    void *base;

    if (region->bytes > SIZE_MAX / 2) { /* 32 bits */
        return SNCE_NO_MEMORY;
    }
    base = mmap(NULL, region->bytes, PROT_NONE, MAP_SHARED | MAP_NORESERVE,
                region->fd, 0);
    if (base == MAP_FAILED) {
        return SNCE_NO_MEMORY;
    }
    (void)munlock(base, region->bytes);
    if (mprotect(base, region->bytes, protection) != 0) {
        (void)munmap(base, region->bytes);
        return SNCE_NO_MEMORY;
    }
    (void)madvise(base, region->bytes, MADV_DONTDUMP);
    region->base = base;
    return SNCE_OK;
}

snceResult
snceRegion_CheckFile(int fd, uint64_t *bytes)
{
    struct stat status;
    int seals;

    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        return SNCE_BAD_DESCRIPTOR;
    }
    seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0) {
        return SNCE_BAD_DESCRIPTOR;
    }
    /* Without the seals another process could cut the file under us; one that
     * cannot be written is not of snceRegion_Create. */
    if ((seals & (SEALS | F_SEAL_WRITE)) != SEALS ||
        status.st_size % SNCE_PAGE != 0 ||
        (uint64_t)status.st_size < SNCE_AT_HEAP) {
        return SNCE_FOREIGN;
    }
    *bytes = (uint64_t)status.st_size;
    return SNCE_OK;
}

snceResult
snceRegion_Map(snceRegion **out, int fd, uint64_t bytes, snceAccess access)
{
    snceRegion *region = calloc(1, sizeof(*region));
    struct stat status;
    snceResult result;

    if (!region) {
        return SNCE_NO_MEMORY;
    }
    region->fd = fd;
    region->bytes = bytes;
    region->access = access;
    result = fstat(fd, &status) == 0 ? MapFile(region) : SNCE_BAD_DESCRIPTOR;
    if (result != SNCE_OK) {
        free(region);
        return result;
    }
    region->device = status.st_dev;
    region->inode = status.st_ino;
    *out = region;
    return SNCE_OK;
}

snceResult
snceRegion_Make(snceRegion **out, uint64_t bytes, bool inheritable)
{
    int fd = -1;
    snceResult result = MakeFile(&fd, bytes, inheritable);

    if (result != SNCE_OK) {
        return result;
    }
    result = snceRegion_Map(out, fd, bytes, SNCE_ACCESS_ADMIN);
    if (result != SNCE_OK) {
        (void)close(fd);
    }
    return result;
}

void
snceRegion_Discharge(snceRegion *region)
{
    if (region->base) {
        (void)munmap(region->base, region->bytes);
    }
    if (region->fd >= 0) {
        (void)close(region->fd);
    }
    free(region);
}

/* ---- locks in memory ------------------------------------------------------
 *
 * A page of the whole reservation is locked when it is touched: to lock only what
 * is in use, every process would have to make a system call for each table that
 * any of them makes, and lookups make none. That RLIMIT_MEMLOCK counts the
 * reservation is dealt with in sncecreate.c. */

snceResult
snceRegion_LockMemory(const snceRegion *region)
{
    if (mlock2(region->base, region->bytes, MLOCK_ONFAULT) == 0) {
        return SNCE_OK;
    }
    /* EPERM: the limit is 0. EAGAIN: some of it could not be locked. */
    return errno == ENOSYS || errno == EINVAL ? SNCE_UNSUPPORTED
                                              : SNCE_LOCK_LIMIT;
}

/* ---- the descriptor and the pages ---------------------------------------- */

bool
snceRegion_IsFile(const snceRegion *region, int fd)
{
    struct stat status;

    return fd >= 0 && fstat(fd, &status) == 0 &&
           status.st_dev == region->device && status.st_ino == region->inode;
}

bool
snceRegion_CheckDescriptor(const snceRegion *region)
{
    return snceRegion_IsFile(region, region->fd);
}

int
snceRegion_Descriptor(const snceRegion *region)
{
    return snceRegion_CheckDescriptor(region) ? region->fd : -1;
}

bool
snceRegion_IsLocked(const snceRegion *region)
{
    return region->locked;
}

uint64_t
snceRegion_Bytes(const snceRegion *region)
{
    return region->bytes;
}

uint64_t
snceRegion_ResidentBytes(const snceRegion *region)
{
    struct stat status;

    if (region->fd < 0 || fstat(region->fd, &status) != 0 ||
        status.st_ino != region->inode || status.st_dev != region->device) {
        return 0;
    }
    return (uint64_t)status.st_blocks * 512;
}

/* These move the file's position, which nobody uses. */

uint64_t
snceRegion_NextMemory(const snceRegion *region, uint64_t offset)
{
    off_t found = lseek(region->fd, (off_t)offset, SEEK_DATA);

    if (found >= 0) {
        return (uint64_t)found;
    }
    return errno == ENXIO ? region->bytes : offset;
}

uint64_t
snceRegion_NextHole(const snceRegion *region, uint64_t offset)
{
    off_t found = lseek(region->fd, (off_t)offset, SEEK_HOLE);

    return found < 0 ? region->bytes : (uint64_t)found;
}

bool
snceRegion_Discard(const snceRegion *region, uint64_t offset, uint64_t bytes)
{
    bytes = snceLayout_InPages(bytes);
    /* The second is for memory that the process locked. */
    return madvise(region->base + offset, bytes, MADV_REMOVE) == 0 ||
           (snceRegion_CheckDescriptor(region) &&
            fallocate(region->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                      (off_t)offset, (off_t)bytes) == 0);
}

void
snceRegion_DiscardAll(const snceRegion *region)
{
    if (region->locked) { /* a locked page is not given back */
        (void)munlock(region->base, region->bytes);
    }
    (void)snceRegion_Discard(region, 0, region->bytes);
}
