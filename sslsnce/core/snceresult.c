/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sslsnce/snce.h"

const char *
snceResult_Text(snceResult result)
{
    static const char *const text[] = {
        [SNCE_OK] = "success",
        [SNCE_MISS] = "no such session",
        [SNCE_EXISTS] = "that name is taken",
        [SNCE_GONE] = "the virtual server was removed",
        [SNCE_CLOSED] = "the cache is closed",
        [SNCE_DROPPED] = "another writer was faster",
        [SNCE_INVALID] = "an argument is out of range",
        [SNCE_TOO_LARGE] = "it does not fit",
        [SNCE_FULL] = "the table is full",
        [SNCE_NO_MEMORY] = "out of memory or address space",
        [SNCE_NO_DESCRIPTOR] = "out of file descriptors",
        [SNCE_LIMIT] = "the limit on file size (RLIMIT_FSIZE) forbids it",
        [SNCE_LOCK_LIMIT] =
            "the limit on locked memory (RLIMIT_MEMLOCK) forbids it",
        [SNCE_UNSUPPORTED] =
            ("the kernel allows no memory file (memfd_create) and no file in a "
             "memory file system (open with O_TMPFILE)"),
        [SNCE_BAD_STRING] = "the inheritance string is not of its form",
        [SNCE_BAD_DESCRIPTOR] = "the cache's file descriptor is not open",
        [SNCE_FOREIGN] = "the cache is of another build or another server",
        [SNCE_CORRUPT] = "the cache failed a check",
        [SNCE_READ_ONLY] = "the cache was attached for reading",
        [SNCE_BUSY] = "another process is changing the cache",
    };

    return (unsigned)result < sizeof(text) / sizeof(text[0]) ? text[result]
                                                             : "unknown result";
}
