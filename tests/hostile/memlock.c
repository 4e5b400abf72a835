/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* memlock: imitates RLIMIT_MEMLOCK for a program that has this library in
 * LD_PRELOAD. It is for a process that may not set the real limit but has
 * CAP_IPC_LOCK, so that the real limit does not apply to it. The environment
 * variable HOSTILE_MEMLOCK is the limit in bytes.
 *
 * The kernel refuses a lock that would exceed the limit before it locks
 * anything. This library locks the range, reads how much is locked, and unlocks
 * the range again if that exceeds the limit. It does not refuse mappings that
 * are locked when they are made (MAP_LOCKED). */

#define _GNU_SOURCE

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static unsigned long
Limit(void)
{
    const char *bytes = getenv("HOSTILE_MEMLOCK");

    return bytes ? (unsigned long)atol(bytes) : 0;
}

static unsigned long
Locked(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    unsigned long kib = 0;
    char line[1000];

    while (file && fgets(line, sizeof line, file) &&
           sscanf(line, "VmLck: %lu kB", &kib) != 1) {
    }
    if (file) {
        fclose(file);
    }
    return kib * 1024;
}

int
getrlimit(__rlimit_resource_t resource, struct rlimit *out)
{
    if (resource == RLIMIT_MEMLOCK) {
        out->rlim_cur = out->rlim_max = Limit();
        return 0;
    }
    return (int)syscall(SYS_prlimit64, 0, resource, NULL, out);
}

int
mlock2(const void *at, size_t len, unsigned flags)
{
    if (syscall(SYS_mlock2, at, len, flags) != 0) {
        return -1;
    }
    if (Locked() > Limit()) {
        syscall(SYS_munlock, at, len);
        errno = Limit() ? ENOMEM : EPERM;
        return -1;
    }
    return 0;
}

int
mlock(const void *at, size_t len)
{
    return mlock2(at, len, 0);
}
