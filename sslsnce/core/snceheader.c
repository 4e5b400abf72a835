/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "snceheader.h"

#include <sys/random.h>

static uint64_t
HeaderSum(const snceHeader *header)
{
    const uint64_t fields[] = { header->signature, header->id[0], header->id[1],
                                header->seed, header->lock };
    snceHash hash;

    snceHash_Init(&hash, SNCE_MAGIC);
    return snceHash_Words(&hash, 1, fields, sizeof(fields) / 8);
}

/* The region's id is 128 random bits. One half is enough to tell apart the few
 * regions that a process ever has. 0 stands for no region. */
uint64_t
snceHeader_Identity(const snceHeader *header)
{
    return header->id[0] ? header->id[0] : 1;
}

snceResult
snceHeader_Write(const snceRegion *region, bool lock)
{
    snceHeader *header = snceRegion_Header(region);
    uint64_t random[3];

    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        return SNCE_UNSUPPORTED;
    }
    header->signature = snceLayout_Signature();
    header->id[0] = random[0];
    header->id[1] = random[1];
    header->seed = random[2];
    header->lock = lock;
    header->sum = HeaderSum(header);
    atomic_store_explicit(&header->heap, SNCE_AT_HEAP, memory_order_relaxed);
    atomic_store_explicit(&header->servers, 1, memory_order_relaxed);
    return SNCE_OK;
}

void
snceHeader_Publish(snceHeader *header)
{
    /* Release: pairs with the acquire load in snceHeader_Check. */
    atomic_store_explicit(&header->magic, SNCE_MAGIC, memory_order_release);
}

snceResult
snceHeader_Check(const snceRegion *region)
{
    const snceHeader *header = snceRegion_Header(region);

    if (atomic_load_explicit(&header->magic, memory_order_acquire) !=
            SNCE_MAGIC ||
        header->signature != snceLayout_Signature()) {
        return SNCE_FOREIGN;
    }
    if (header->sum != HeaderSum(header)) {
        return SNCE_CORRUPT;
    }
    return SNCE_OK;
}
