/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* memory.h: how much memory this process has and can get, and which bytes are
 * in it. A function calls Fail if it cannot read what the kernel reports. */
#ifndef SSLSNCE_TESTS_HOSTILE_MEMORY_H
#define SSLSNCE_TESTS_HOSTILE_MEMORY_H

#include <stddef.h>

/* MemoryStatus is the memory of the process, in KiB. */
typedef struct {
    unsigned long size;     /* address space */
    unsigned long resident; /* memory */
    unsigned long locked;   /* address space that is locked in memory */
    unsigned long shared;   /* memory in shared mappings, the cache's */
} MemoryStatus;

MemoryStatus Memory_Status(void);

/* Memory_Space returns how much address space can still be got, in KiB; at most
 * 64 GiB are tried. */
unsigned long Memory_Space(void);

/* Memory_ReadAll reads the process's memory as a debugger does, mapping by
 * mapping, until it has read |mostMib| MiB. Returns how many KiB it read. */
unsigned long Memory_ReadAll(unsigned long mostMib);

/* Memory_SharedHas returns 1 if the |len| bytes |wanted|, at most 32, lie in a
 * shared mapping, or in an open file that is in no directory; else 0. It does
 * not touch memory that is not resident, so that nothing becomes resident by
 * it. */
int Memory_SharedHas(const unsigned char *wanted, size_t len);

#endif /* SSLSNCE_TESTS_HOSTILE_MEMORY_H */
