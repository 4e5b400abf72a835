/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* pages_check SIZE: does this kernel, or pages.so, have pages of SIZE bytes and
 * keep the rules that follow from that? Prints each rule that is broken; exit
 * status 1 if any is. The rules are those of Linux: pages_check also passes on
 * a real kernel with such pages. */

#define _GNU_SOURCE /* memfd_create, MADV_REMOVE */

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t page;
static int broken;

static void
Check(int kept, const char *rule)
{
    if (!kept) {
        printf("broken: %s\n", rule);
        broken = 1;
    }
}

/* Returns whether a call that returned |rv| failed because of its alignment. */
static int
Refused(int rv)
{
    return rv == -1 && errno == EINVAL;
}

static void
CheckSize(void)
{
    Check((size_t)sysconf(_SC_PAGESIZE) == page, "sysconf gives the size");
    Check((size_t)getpagesize() == page, "getpagesize gives the size");
    Check(getauxval(AT_PAGESZ) == page, "getauxval gives the size");
}

static void
CheckMaps(int fd)
{
    char *base = mmap(NULL, page + 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                      (off_t)page);

    if (base == MAP_FAILED) {
        Check(0, "a file is mapped from one of its pages");
        return;
    }
    Check((uintptr_t)base % page == 0, "a mapping begins at a page");
    base[2 * page - 1] = 1;
    Check(base[2 * page - 1] == 1, "a mapping ends with its last page");
    Check(mmap(NULL, page, PROT_READ, MAP_SHARED, fd, (off_t)page / 2) ==
              MAP_FAILED,
          "mmap refuses an offset inside of a page");
    Check(mmap(base + page / 2, page, PROT_READ, MAP_SHARED | MAP_FIXED, fd,
               0) == MAP_FAILED,
          "mmap refuses a fixed start inside of a page");
    Check(Refused(munmap(base + page / 2, page / 2)),
          "munmap refuses a start inside of a page");
    Check(munmap(base, page + 1) == 0 &&
              msync(base + page, page, MS_ASYNC) == -1 && errno == ENOMEM,
          "munmap rounds its length up");
}

static void
CheckTail(void)
{
    int fd = memfd_create("pages_check", MFD_CLOEXEC);
    char *base;

    if (fd < 0 || ftruncate(fd, 100) != 0) {
        exit(2);
    }
    base = mmap(NULL, 100, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    Check(base != MAP_FAILED && base[page - 1] == 0,
          "the last page of a file can be read to its end");
    close(fd);
}

static void
CheckDiscard(char *base)
{
    memset(base, 1, 3 * page);
    Check(Refused(madvise(base + page / 2, page / 2, MADV_REMOVE)),
          "madvise refuses a start inside of a page");
    Check(madvise(base + page, 1, MADV_REMOVE) == 0,
          "madvise takes any length");
    Check(base[page - 1] == 1 && base[page] == 0 && base[2 * page - 1] == 0 &&
              base[2 * page] == 1,
          "madvise discards whole pages, and no more");
}

static void
CheckLock(const char *base)
{
    Check(mlock(base + page / 2, 1) == 0, "mlock takes any start and length");
    Check(munlock(base + page / 2, 1) == 0, "munlock does too");
    Check(Refused(mprotect((char *)base + page / 2, page, PROT_READ)),
          "mprotect refuses a start inside of a page");
}

int
main(int argc, char **argv)
{
    int fd = memfd_create("pages_check", MFD_CLOEXEC);
    char *base;

    page = argc == 2 ? (size_t)atol(argv[1]) : 0;
    if (!page || fd < 0 || ftruncate(fd, (off_t)(4 * page)) != 0) {
        fprintf(stderr, "usage: pages_check SIZE\n");
        return 2;
    }
    base = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) {
        return 2;
    }
    CheckSize();
    CheckMaps(fd);
    CheckTail();
    CheckDiscard(base);
    CheckLock(base);
    return broken;
}
