/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#define _GNU_SOURCE /* memmem, mincore */

#include "memory.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "handshake.h"

#define MIB (1024UL * 1024)
#define LOOK_PAGE 4096UL /* the smallest page size of any kernel */
#define LOOK_BYTES (256 * MIB)
#define MOST_SPACE (64UL * 1024 * MIB)

typedef struct {
    uintptr_t begin, end;
    int readable, shared;
} Mapping;

/* Reads the next mapping of an open /proc/self/maps. Returns 0 at its end. */
static int
NextMapping(FILE *maps, Mapping *out)
{
    char line[1000], access[5];
    unsigned long begin, end;

    while (fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx %4s ", &begin, &end, access) == 3) {
            out->begin = begin;
            out->end = end;
            out->readable = access[0] == 'r';
            out->shared = access[3] == 's';
            return 1;
        }
    }
    return 0;
}

static FILE *
Open(const char *path)
{
    FILE *file = fopen(path, "r");

    if (!file) {
        Fail("system: /proc");
    }
    return file;
}

static unsigned long
SharedResident(void)
{
    FILE *file = Open("/proc/self/smaps");
    char line[1000], access[5];
    unsigned long begin, end, kib, sum = 0;
    int shared = 0;

    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "%lx-%lx %4s ", &begin, &end, access) == 3) {
            shared = access[3] == 's';
        } else if (shared && sscanf(line, "Rss: %lu kB", &kib) == 1) {
            sum += kib;
        }
    }
    fclose(file);
    return sum;
}

MemoryStatus
Memory_Status(void)
{
    MemoryStatus out = { 0 };
    FILE *file = Open("/proc/self/status");
    char line[1000];

    while (fgets(line, sizeof line, file)) {
        (void)(sscanf(line, "VmSize: %lu kB", &out.size) == 1 ||
               sscanf(line, "VmRSS: %lu kB", &out.resident) == 1 ||
               sscanf(line, "VmLck: %lu kB", &out.locked) == 1);
    }
    fclose(file);
    out.shared = SharedResident();
    return out;
}

unsigned long
Memory_Space(void)
{
    struct {
        void *base;
        size_t bytes;
    } taken[200];
    size_t bytes = MOST_SPACE / 2, sum = 0;
    int count = 0;

    while (bytes >= MIB / 4 && sum < MOST_SPACE && count < 200) {
        void *base = mmap(NULL, bytes, PROT_NONE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        if (base == MAP_FAILED) {
            bytes /= 2;
        } else {
            taken[count].base = base;
            taken[count++].bytes = bytes;
            sum += bytes;
        }
    }
    while (count > 0) {
        --count;
        munmap(taken[count].base, taken[count].bytes);
    }
    return sum / 1024;
}

unsigned long
Memory_ReadAll(unsigned long mostMib)
{
    static char buffer[1024 * 1024];
    FILE *maps = Open("/proc/self/maps");
    int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    unsigned long sum = 0;
    Mapping mapping;

    if (mem < 0) {
        Fail("system: /proc/self/mem");
    }
    while (NextMapping(maps, &mapping)) {
        uintptr_t at = mapping.begin;
        ssize_t got = 1;

        while (got > 0 && at < mapping.end && sum < mostMib * MIB) {
            size_t bytes = mapping.end - at;

            if (bytes > sizeof buffer) {
                bytes = sizeof buffer;
            }
            got = pread(mem, buffer, bytes, (off_t)at);
            if (got > 0) {
                at += (uintptr_t)got;
                sum += (unsigned long)got;
            }
        }
    }
    close(mem);
    fclose(maps);
    return sum / 1024;
}

/* |begin| and |end| are at most LOOK_BYTES apart. */
static int
ResidentHas(uintptr_t begin, uintptr_t end, const unsigned char *wanted,
            size_t len)
{
    static unsigned char resident[LOOK_BYTES / LOOK_PAGE];
    size_t pages = (end - begin) / LOOK_PAGE, page;

    if (mincore((void *)begin, end - begin, resident) != 0) {
        Fail("system: mincore");
    }
    for (page = 0; page < pages; ++page) {
        if ((resident[page] & 1) && memmem((void *)(begin + page * LOOK_PAGE),
                                           LOOK_PAGE, wanted, len)) {
            return 1;
        }
    }
    return 0;
}

static int
MappingsHave(const unsigned char *wanted, size_t len)
{
    FILE *maps = Open("/proc/self/maps");
    Mapping mapping;
    int found = 0;

    while (!found && NextMapping(maps, &mapping)) {
        uintptr_t at, next;

        if (!mapping.shared || !mapping.readable) {
            continue;
        }
        for (at = mapping.begin; !found && at < mapping.end; at = next) {
            next =
                mapping.end - at > LOOK_BYTES ? at + LOOK_BYTES : mapping.end;
            found = ResidentHas(at, next, wanted, len);
        }
    }
    fclose(maps);
    return found;
}

/* Returns 1 if the file has the bytes, else 0. Skips the file's holes. */
static int
FileHas(const char *path, const unsigned char *wanted, size_t len)
{
    static unsigned char buffer[MIB];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t at = 0;
    int found = 0;

    while (fd >= 0 && !found && (at = lseek(fd, at, SEEK_DATA)) >= 0) {
        ssize_t got = pread(fd, buffer, sizeof buffer, at);

        if (got <= 0) {
            break;
        }
        found = memmem(buffer, (size_t)got, wanted, len) != NULL;
        /* The bytes may lie across the buffer's end: read its end again. */
        at += got > (ssize_t)len ? got - (ssize_t)len : got;
    }
    if (fd >= 0) {
        close(fd);
    }
    return found;
}

static int
FilesHave(const unsigned char *wanted, size_t len)
{
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *entry;
    int found = 0;

    while (dir && !found && (entry = readdir(dir))) {
        char path[300], target[300];
        ssize_t got;

        snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
        got = readlink(path, target, sizeof target - 1);
        if (got > 0) {
            target[got] = '\0';
            found = strstr(target, " (deleted)") && FileHas(path, wanted, len);
        }
    }
    if (dir) {
        closedir(dir);
    }
    return found;
}

int
Memory_SharedHas(const unsigned char *wanted, size_t len)
{
    return MappingsHave(wanted, len) || FilesHave(wanted, len);
}
