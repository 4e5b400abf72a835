/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#define _GNU_SOURCE          /* memfd_create, F_ADD_SEALS */
#define _FILE_OFFSET_BITS 64 /* regions are large, on 32 bits too */

#include "snceregion.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sncecancel.h"
#include "sncechange.h"
#include "sncelife.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3 warns when it is left out */
#endif

/* ---- locks in memory ------------------------------------------------------
 *
 * A page of the whole reservation is locked when it is touched: to lock only what
 * is in use, every process would have to make a system call for each table that
 * any of them makes, and lookups make none. That RLIMIT_MEMLOCK counts the
 * reservation is dealt with in snceRegion_Create. */

static snceResult
LockInMemory(const snceRegion *region)
{
    if (mlock2(region->base, region->bytes, MLOCK_ONFAULT) == 0) {
        return SNCE_OK;
    }
    /* EPERM: the limit is 0. EAGAIN: some of it could not be locked. */
    return errno == ENOSYS || errno == EINVAL ? SNCE_UNSUPPORTED
                                              : SNCE_LOCK_LIMIT;
}

/* ---- forks ---------------------------------------------------------------
 *
 * snceRegion_Close may drop a region's contents only if no other process sees
 * them. Attaching is counted; a fork is noted here, in every region of this
 * process, before it happens: a child may not have run yet when its parent
 * closes. A region that finds no place in the table counts as shared.
 *
 * vfork and posix_spawn run no handlers. A process that they start has another
 * program soon, which finds the region by its inheritance string only; so a region
 * counts as shared once it was exported. */

#define REGIONS_WATCHED 16

/* A process that dies attached is never counted off, and the count has 32 bits:
 * before it can wrap, the region counts as shared. */
#define ATTACHED_MANY (UINT32_C(1) << 31)

/* Guarded by watchLock, which a fork holds, so that the child gets it free. */
static snceRegion *watched[REGIONS_WATCHED];
static bool watching;
static pthread_mutex_t watchLock = PTHREAD_MUTEX_INITIALIZER;

static void
NoteShared(const snceRegion *region)
{
    if (region->access != SNCE_ACCESS_READ) {
        atomic_store_explicit(&snceRegion_Header(region)->shared, 1,
                              memory_order_relaxed);
    }
}

static void
BeforeFork(void)
{
    (void)pthread_mutex_lock(&watchLock);
    for (unsigned i = 0; i < REGIONS_WATCHED; i++) {
        if (watched[i]) {
            NoteShared(watched[i]);
        }
    }
}

static void
AfterFork(void)
{
    (void)pthread_mutex_unlock(&watchLock);
}

/* A child has its parent's mappings, but not the locks on them. And a thread that
 * had a turn is not in it: it had that turn under the parent's process id, which
 * is the child's own if each is the first process of a PID namespace, as in
 * containers. Then the child would wait for itself for ever. */
static void
AfterForkInChild(void)
{
    for (unsigned i = 0; i < REGIONS_WATCHED; i++) {
        if (watched[i]) {
            atomic_store_explicit(&watched[i]->turnHolder, 0,
                                  memory_order_relaxed);
        }
        if (watched[i] && watched[i]->locked) {
            watched[i]->locked = LockInMemory(watched[i]) == SNCE_OK;
        }
    }
    AfterFork();
}

/* When the library is loaded: at the first region, a fork could come between
 * taking the lock and registering what frees it in the child. */
__attribute__((constructor)) static void
WatchForks(void)
{
    watching = pthread_atfork(BeforeFork, AfterFork, AfterForkInChild) == 0;
}

static void
Watch(snceRegion *region)
{
    unsigned place = REGIONS_WATCHED;

    (void)pthread_mutex_lock(&watchLock);
    for (unsigned i = 0; watching && i < REGIONS_WATCHED; i++) {
        if (!watched[i]) {
            place = i;
        }
    }
    if (place < REGIONS_WATCHED) {
        watched[place] = region;
    } else {
        NoteShared(region);
    }
    (void)pthread_mutex_unlock(&watchLock);
}

static void
Unwatch(const snceRegion *region)
{
    (void)pthread_mutex_lock(&watchLock);
    for (unsigned i = 0; i < REGIONS_WATCHED; i++) {
        if (watched[i] == region) {
            watched[i] = NULL;
        }
    }
    (void)pthread_mutex_unlock(&watchLock);
}

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
static bool
SizeIsAllowed(uint64_t bytes)
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

    if (!SizeIsAllowed(bytes)) {
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

static uint64_t
HeaderSum(const snceHeader *header)
{
    const uint64_t fields[] = {
        header->signature, header->bytes, header->id[0],
        header->id[1],     header->seed,  header->lock
    };
    snceHash hash;

    snceHash_Init(&hash, SNCE_MAGIC);
    return snceHash_Words(&hash, 1, fields, sizeof(fields) / 8);
}

/* The region's id is 128 random bits. Half of them tell apart the few regions
 * that a process ever has; 0 stands for no region. */
static uint64_t
IdentityOf(const snceHeader *header)
{
    return header->id[0] ? header->id[0] : 1;
}

static snceResult
Remember(snceRegion *region)
{
    struct stat status;

    if (fstat(region->fd, &status) != 0) {
        return SNCE_BAD_DESCRIPTOR;
    }
    region->device = status.st_dev;
    region->inode = status.st_ino;
    region->identity = IdentityOf(snceRegion_Header(region));
    snceHash_Init(&region->hash, snceRegion_Header(region)->seed);
    if (region->access != SNCE_ACCESS_READ &&
        atomic_fetch_add_explicit(&snceRegion_Header(region)->attached, 1,
                                  memory_order_relaxed) >= ATTACHED_MANY) {
        NoteShared(region);
    }
    Watch(region);
    return SNCE_OK;
}

static void
Discharge(snceRegion *region)
{
    if (region->base) {
        (void)munmap(region->base, region->bytes);
    }
    if (region->fd >= 0) {
        (void)close(region->fd);
    }
    free(region);
}

static snceResult
Create(snceRegion **out, const snceCacheOptions *options, uint64_t bytes,
       bool inheritable)
{
    snceRegion *region = calloc(1, sizeof(*region));
    snceResult result;
    snceHeader *header;
    snceShape shape;
    uint64_t random[3];

    if (!region) {
        return SNCE_NO_MEMORY;
    }
    region->fd = -1;
    region->bytes = bytes;
    region->access = SNCE_ACCESS_ADMIN;
    result = MakeFile(&region->fd, bytes, inheritable);
    if (result == SNCE_OK) {
        result = MapFile(region);
    }
    if (result != SNCE_OK) {
        goto loser;
    }
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        result = SNCE_UNSUPPORTED;
        goto loser;
    }

    header = snceRegion_Header(region);
    header->signature = snceLayout_Signature();
    header->bytes = bytes;
    header->id[0] = random[0];
    header->id[1] = random[1];
    header->seed = random[2];
    header->lock = options->lock;
    header->sum = HeaderSum(header);
    atomic_store_explicit(&header->heap, SNCE_AT_HEAP, memory_order_relaxed);
    atomic_store_explicit(&header->servers, 1, memory_order_relaxed);
    snceHash_Init(&region->hash, header->seed);

    shape = snceShape_Of(options);
    result = snceChange_Furnish(region, 0, 0, &shape);
    if (result != SNCE_OK) {
        goto loser;
    }
    snceChange_Retime(snceRegion_Server(region, 0), options);
    snceChange_Commit(snceRegion_Server(region, 0),
                      snceLife_Born(0, snceChange_Flags(options)));
    if (options->lock) {
        result = LockInMemory(region);
        if (result != SNCE_OK) {
            goto loser;
        }
        region->locked = true;
    }
    /* Release: pairs with the acquire load in CheckHeader. */
    atomic_store_explicit(&header->magic, SNCE_MAGIC, memory_order_release);
    result = Remember(region);
    if (result != SNCE_OK) {
        goto loser;
    }
    *out = region;
    return SNCE_OK;

loser:
    Discharge(region);
    return result;
}

uint64_t
snceRegion_LeastBytes(const snceCacheOptions *options)
{
    snceShape shape;

    if (snceChange_CheckOptions(options) != SNCE_OK) {
        return 0;
    }
    shape = snceShape_Of(options);
    return SNCE_AT_HEAP + snceShape_Bytes(&shape);
}

static snceResult
CreateFitting(snceRegion **out, const snceCacheOptions *options,
              bool inheritable)
{
    uint64_t least, room;
    snceResult result = snceChange_CheckOptions(options);

    if (result != SNCE_OK) {
        return result;
    }
    least = snceRegion_LeastBytes(options);

    /* Address space for growth and for virtual servers to come costs nothing
     * until it is touched: 1,024 of them with 10,000 sessions and as many
     * certificates of any size take 230 GiB. A process whose address space is
     * limited, or what it may lock of it, gets by with less. */
    room = least > UINT64_C(1) << 40 ? least : UINT64_C(1) << 40;
    for (; room >= UINT64_C(64) << 20; room /= 8) {
        uint64_t bytes = least + room / SNCE_PAGE * SNCE_PAGE;

        if (SizeIsAllowed(bytes)) {
            result = Create(out, options, bytes, inheritable);
            if (result != SNCE_NO_MEMORY && result != SNCE_LOCK_LIMIT) {
                return result;
            }
        }
    }
    return Create(out, options, least, inheritable);
}

snceResult
snceRegion_Create(snceRegion **out, const snceCacheOptions *options,
                  bool inheritable)
{
    int cancel = snceCancel_Forbid();
    snceResult result = CreateFitting(out, options, inheritable);

    snceCancel_Restore(cancel);
    return result;
}

/* ---- attaching ----------------------------------------------------------- */

static snceResult
CheckHeader(const snceRegion *region)
{
    const snceHeader *header = snceRegion_Header(region);

    if (atomic_load_explicit(&header->magic, memory_order_acquire) !=
            SNCE_MAGIC ||
        header->signature != snceLayout_Signature()) {
        return SNCE_FOREIGN;
    }
    if (header->sum != HeaderSum(header) || header->bytes != region->bytes) {
        return SNCE_CORRUPT;
    }
    return SNCE_OK;
}

snceResult
snceRegion_Attach(snceRegion **out, int fd, snceAccess access)
{
    snceRegion *region;
    struct stat status;
    snceResult result;
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

    region = calloc(1, sizeof(*region));
    if (!region) {
        return SNCE_NO_MEMORY;
    }
    region->fd = fd;
    region->bytes = (uint64_t)status.st_size;
    region->access = access;
    result = MapFile(region);
    if (result == SNCE_OK) {
        result = CheckHeader(region);
    }
    /* A reader puts nothing into it. */
    if (result == SNCE_OK && access != SNCE_ACCESS_READ &&
        snceRegion_Header(region)->lock) {
        result = LockInMemory(region);
        region->locked = result == SNCE_OK;
    }
    if (result == SNCE_OK) {
        result = Remember(region);
    }
    if (result != SNCE_OK) {
        region->fd = -1; /* still the caller's */
        Discharge(region);
        return result;
    }
    *out = region;
    return SNCE_OK;
}

/* Undoes snceRegion_Attach. The descriptor stays the caller's, and the contents
 * stay: the others who use them are none of this process's business. */
static void
Decline(snceRegion *region)
{
    atomic_fetch_sub_explicit(&snceRegion_Header(region)->attached, 1,
                              memory_order_relaxed);
    Unwatch(region);
    region->fd = -1;
    Discharge(region);
}

/* ---- the inheritance string ----------------------------------------------
 *
 * "snce1:FD:BYTES:SIGNATURE:ID0:ID1", FD decimal, the others 16 hexadecimal
 * digits. Fixed widths leave one spelling for each region. */

#define STRING_FORM                                                            \
    "snce1:%d:%016" PRIx64 ":%016" PRIx64 ":%016" PRIx64 ":%016" PRIx64

static int
FormString(char *buf, size_t bufLen, int fd, uint64_t bytes, uint64_t signature,
           const uint64_t id[2])
{
    return snprintf(buf, bufLen, STRING_FORM, fd, bytes, signature, id[0],
                    id[1]);
}

snceResult
snceRegion_Export(const snceRegion *region, char *buf, size_t bufLen)
{
    const snceHeader *header = snceRegion_Header(region);
    int flags, len;

    if (!snceRegion_CheckDescriptor(region)) {
        return SNCE_BAD_DESCRIPTOR;
    }
    flags = fcntl(region->fd, F_GETFD);
    if (flags < 0 || (flags & FD_CLOEXEC)) {
        return SNCE_BAD_DESCRIPTOR;
    }
    len = FormString(buf, bufLen, region->fd, region->bytes, header->signature,
                     header->id);
    if (len <= 0 || (size_t)len >= bufLen) {
        return SNCE_TOO_LARGE;
    }
    NoteShared(region);
    return SNCE_OK;
}

/* What a string says. */
typedef struct {
    int fd;
    uint64_t bytes;
    uint64_t signature;
    uint64_t id[2];
} regionName;

/* Reads what FormString writes; anything that would not be written the same
 * way again is refused, which rules out signs, spaces and overflows. */
static bool
ParseString(const char *string, regionName *out)
{
    char again[SNCE_STRING_MAX];
    int len;

    if (!string || strnlen(string, SNCE_STRING_MAX) == SNCE_STRING_MAX ||
        sscanf(string,
               "snce1:%9d:%16" SCNx64 ":%16" SCNx64 ":%16" SCNx64 ":%16" SCNx64,
               &out->fd, &out->bytes, &out->signature, &out->id[0],
               &out->id[1]) != 5 ||
        out->fd < 0) {
        return false;
    }
    len = FormString(again, sizeof(again), out->fd, out->bytes, out->signature,
                     out->id);
    return len > 0 && strcmp(again, string) == 0;
}

static bool
HasName(const snceRegion *region, const regionName *name)
{
    const snceHeader *header = snceRegion_Header(region);

    return region->bytes == name->bytes && header->id[0] == name->id[0] &&
           header->id[1] == name->id[1];
}

static bool
IsFileOf(const snceRegion *region, int fd)
{
    struct stat status;

    return fd >= 0 && fstat(fd, &status) == 0 &&
           status.st_dev == region->device && status.st_ino == region->inode;
}

snceResult
snceRegion_IsNamed(const snceRegion *region, const char *string)
{
    regionName name;

    if (!ParseString(string, &name)) {
        return SNCE_BAD_STRING;
    }
    return name.signature == snceLayout_Signature() && HasName(region, &name) &&
                   IsFileOf(region, name.fd)
               ? SNCE_OK
               : SNCE_MISS;
}

uint64_t
snceRegion_StringBytes(const char *string)
{
    regionName name;

    return ParseString(string, &name) ? name.bytes : 0;
}

snceResult
snceRegion_Inherit(snceRegion **out, const char *string)
{
    snceRegion *region;
    snceResult result;
    regionName name;

    if (!ParseString(string, &name)) {
        return SNCE_BAD_STRING;
    }
    if (name.signature != snceLayout_Signature()) {
        return SNCE_FOREIGN;
    }
    result = snceRegion_Attach(&region, name.fd, SNCE_ACCESS_ADMIN);
    if (result != SNCE_OK) {
        return result;
    }
    if (!HasName(region, &name)) {
        Decline(region);
        return SNCE_FOREIGN;
    }
    *out = region;
    return SNCE_OK;
}

snceResult
snceRegion_CheckString(const char *string)
{
    snceRegion *region;
    snceResult result = snceRegion_Inherit(&region, string);

    if (result == SNCE_OK) {
        Decline(region);
    }
    return result;
}

/* ---- the rest ------------------------------------------------------------ */

void
snceRegion_Close(snceRegion *region)
{
    int cancel;

    if (!region) {
        return;
    }
    cancel = snceCancel_Forbid();
    Unwatch(region);
    if (region->access != SNCE_ACCESS_READ) {
        snceHeader *header = snceRegion_Header(region);
        uint32_t before = atomic_fetch_sub_explicit(&header->attached, 1,
                                                    memory_order_relaxed);

        if (before == 1 &&
            !atomic_load_explicit(&header->shared, memory_order_relaxed)) {
            if (region->locked) { /* a locked page is not given back */
                (void)munlock(region->base, region->bytes);
            }
            (void)snceRegion_Discard(region, 0, region->bytes);
        }
    }
    if (!snceRegion_CheckDescriptor(region)) {
        region->fd = -1; /* the application closed it, perhaps reused it */
    }
    Discharge(region);
    snceCancel_Restore(cancel);
}

bool
snceRegion_CheckDescriptor(const snceRegion *region)
{
    return IsFileOf(region, region->fd);
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

snceCache
snceRegion_Cache(snceRegion *region, snceServerId id)
{
    /* No server has the number of a foreign id's handle. */
    const snceCache cache = { region,
                              { id.region == region->identity ? id.number
                                                              : UINT32_MAX,
                                id.generation } };

    return cache;
}

snceCache
snceRegion_DefaultCache(snceRegion *region)
{
    const snceCache cache = { region, { 0, SNCE_DEFAULT_GENERATION } };

    return cache;
}

snceServerId
snceCache_Id(snceCache cache)
{
    return snceRegion_Id(cache.region, cache.id.number, cache.id.generation);
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
