/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* pages: imitates a kernel with larger pages for a program that has this
 * library in LD_PRELOAD. The environment variable HOSTILE_PAGE_SIZE is the page
 * size in bytes.
 *
 * The calls below obey that kernel's rules. A start or an offset that is not at
 * the beginning of a page is EINVAL. A length is rounded up to whole pages, so
 * the bytes that follow in the last page are unmapped, protected or wiped too.
 * A mapping begins at a page, and the part of its last page behind the file's
 * end is memory that reads as zero. fallocate counts in bytes on every kernel,
 * so it is not interposed.
 *
 * The C library's and the loader's own mappings do not come here. The calls
 * that this library does not imitate end the process: mremap, remap_file_pages
 * and mincore. */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REAL_PAGE ((size_t)4096)

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

static size_t
PageSize(void)
{
    static size_t size;

    if (!size) {
        const char *wanted = getenv("HOSTILE_PAGE_SIZE");

        size = wanted ? (size_t)atol(wanted) : REAL_PAGE;
    }
    return size;
}

static size_t
RoundUp(size_t bytes, size_t page)
{
    return (bytes + page - 1) / page * page;
}

static int
Misaligned(uintptr_t at)
{
    return at % PageSize() != 0;
}

static int
Refuse(int error)
{
    errno = error;
    return -1;
}

/* ---- the page size ---- */

long
sysconf(int name)
{
    static long (*real)(int);

    if (name == _SC_PAGESIZE) {
        return (long)PageSize();
    }
    if (!real) {
        real = (long (*)(int))dlsym(RTLD_NEXT, "sysconf");
    }
    return real(name);
}

int
getpagesize(void)
{
    return (int)PageSize();
}

unsigned long
getauxval(unsigned long type)
{
    static unsigned long (*real)(unsigned long);

    if (type == AT_PAGESZ) {
        return PageSize();
    }
    if (!real) {
        real = (unsigned long (*)(unsigned long))dlsym(RTLD_NEXT, "getauxval");
    }
    return real(type);
}

/* ---- mappings ---- */

static void *
Map(void *at, size_t bytes, int access, int flags, int fd, off_t offset)
{
    return (void *)syscall(SYS_mmap, at, bytes, access, flags, fd, offset);
}

/* Returns free address space of |bytes| bytes that begins at a page, or
 * MAP_FAILED. */
static void *
FindRoom(size_t bytes)
{
    size_t page = PageSize();
    char *found = Map(NULL, bytes + page, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    char *begin;

    if (found == MAP_FAILED) {
        return found;
    }
    begin = (char *)RoundUp((size_t)found, page);
    if (begin > found) {
        syscall(SYS_munmap, found, (size_t)(begin - found));
    }
    syscall(SYS_munmap, begin + bytes, (size_t)(found + page - begin));
    return begin;
}

/* The real kernel ends a file's mapping at its own, smaller, page. MapTail maps
 * memory from there to the end of the imitated page. */
static void
MapTail(char *base, size_t bytes, int access, int fd, off_t offset)
{
    struct stat status;
    size_t end, tailEnd;

    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) ||
        status.st_size <= offset) {
        return;
    }
    end = RoundUp((size_t)(status.st_size - offset), REAL_PAGE);
    tailEnd = RoundUp(end, PageSize());
    if (tailEnd > bytes) {
        tailEnd = bytes;
    }
    if (end < tailEnd) {
        Map(base + end, tailEnd - end, access,
            MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    }
}

void *
mmap(void *at, size_t len, int access, int flags, int fd, off_t offset)
{
    int fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
    size_t bytes = RoundUp(len, PageSize());
    void *base = at;

    if (len == 0 || Misaligned((uintptr_t)offset) ||
        (fixed && Misaligned((uintptr_t)at))) {
        errno = EINVAL;
        return MAP_FAILED;
    }
    if (bytes < len) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    if (!fixed) {
        base = FindRoom(bytes);
        if (base == MAP_FAILED) {
            return MAP_FAILED;
        }
        flags |= MAP_FIXED;
    }
    base = Map(base, bytes, access, flags, fd, offset);
    if (base != MAP_FAILED && !(flags & MAP_ANONYMOUS)) {
        MapTail(base, bytes, access, fd, offset);
    }
    return base;
}

void *
mmap64(void *at, size_t len, int access, int flags, int fd, off_t offset)
{
    return mmap(at, len, access, flags, fd, offset);
}

int
munmap(void *at, size_t len)
{
    if (Misaligned((uintptr_t)at)) {
        return Refuse(EINVAL);
    }
    return (int)syscall(SYS_munmap, at, RoundUp(len, PageSize()));
}

int
mprotect(void *at, size_t len, int access)
{
    if (Misaligned((uintptr_t)at)) {
        return Refuse(EINVAL);
    }
    return (int)syscall(SYS_mprotect, at, RoundUp(len, PageSize()), access);
}

int
madvise(void *at, size_t len, int advice)
{
    if (Misaligned((uintptr_t)at)) {
        return Refuse(EINVAL);
    }
    return (int)syscall(SYS_madvise, at, RoundUp(len, PageSize()), advice);
}

int
msync(void *at, size_t len, int flags)
{
    if (Misaligned((uintptr_t)at)) {
        return Refuse(EINVAL);
    }
    return (int)syscall(SYS_msync, at, RoundUp(len, PageSize()), flags);
}

/* ---- calls that are not imitated ---- */

static void
GiveUp(const char *call)
{
    fprintf(stderr, "pages: %s is not imitated\n", call);
    abort();
}

void *
mremap(void *at, size_t len, size_t newLen, int flags, ...)
{
    GiveUp("mremap");
    return MAP_FAILED;
}

int
remap_file_pages(void *at, size_t len, int access, size_t page, int flags)
{
    GiveUp("remap_file_pages");
    return -1;
}

int
mincore(void *at, size_t len, unsigned char *resident)
{
    GiveUp("mincore");
    return -1;
}

/* ---- locks: they cover every page that has a byte of the range ---- */

static int
Lock(long call, const void *at, size_t len, unsigned flags)
{
    uintptr_t page = PageSize();
    uintptr_t begin = (uintptr_t)at / page * page;

    return (int)syscall(call, begin, RoundUp((uintptr_t)at + len - begin, page),
                        flags);
}

int
mlock(const void *at, size_t len)
{
    return Lock(SYS_mlock, at, len, 0);
}

int
mlock2(const void *at, size_t len, unsigned flags)
{
    return Lock(SYS_mlock2, at, len, flags);
}

int
munlock(const void *at, size_t len)
{
    return Lock(SYS_munlock, at, len, 0);
}
