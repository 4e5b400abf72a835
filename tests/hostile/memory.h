/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* memory.h: what memory this process has and can get, and what is in it. Each
 * function ends the process by Fail if the kernel does not answer. */
#ifndef SSLSNCE_TESTS_HOSTILE_MEMORY_H
#define SSLSNCE_TESTS_HOSTILE_MEMORY_H

#include <stddef.h>

/* What the process has, in KiB. */
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
 * mapping, until |mostMib| are read. Returns how much was read, in KiB. */
unsigned long Memory_ReadAll(unsigned long mostMib);

/* Memory_SharedHas returns 1 if the |len| bytes |wanted| lie in a shared mapping,
 * or in an open file that is in no directory, else 0. At most 32 bytes. Memory
 * that is not resident is left alone. */
int Memory_SharedHas(const unsigned char *wanted, size_t len);

#endif /* SSLSNCE_TESTS_HOSTILE_MEMORY_H */
