/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncecut.h"

#include <stdlib.h>
#include <string.h>

#include "sncewalk.h"

#define BUCKETS 4096

/* Maps creation times to unsigned numbers in the same order. */
static uint64_t
OrderOf(int64_t created)
{
    return (uint64_t)created ^ (UINT64_C(1) << 63);
}

static int64_t
TimeOf(uint64_t order)
{
    return (int64_t)(order ^ (UINT64_C(1) << 63));
}

static bool
NextOrder(snceWalk *walk, uint64_t *order)
{
    uint64_t words[SNCE_ENTRY_WORDS];
    sncePosition position;

    if (!snceWalk_Next(walk, &position, words)) {
        return false;
    }
    *order = OrderOf((int64_t)words[SNCE_W_CREATED]);
    explicit_bzero(words, sizeof(words));
    return true;
}

/* Returns the number of entries, and the first and the last of their times. */
static uint64_t
Survey(const snceTable *table, uint64_t *least, uint64_t *most)
{
    uint64_t count = 0, order;
    snceWalk walk;

    *least = UINT64_MAX;
    *most = 0;
    snceWalk_Begin(&walk, table);
    while (NextOrder(&walk, &order)) {
        *least = order < *least ? order : *least;
        *most = order > *most ? order : *most;
        count++;
    }
    return count;
}

snceResult
snceCut_Find(snceCut *out, const snceTable *table, uint64_t keep)
{
    uint64_t *bucket;
    uint64_t least, most, order;
    snceWalk walk;

    if (Survey(table, &least, &most) <= keep) {
        out->created = INT64_MIN;
        out->spare = UINT64_MAX;
        return SNCE_OK;
    }
    bucket = malloc(BUCKETS * sizeof(*bucket));
    if (!bucket) {
        return SNCE_NO_MEMORY;
    }
    /* The cut lies between |least| and |most|, and of the entries between them
     * |keep| stay. Each round reduces the time between to one 4,096th. If
     * entries are removed meanwhile, at worst some room is left. */
    while (least < most) {
        unsigned shift = 0, i = BUCKETS - 1;

        while ((most - least) >> shift >= BUCKETS) {
            shift++;
        }
        memset(bucket, 0, BUCKETS * sizeof(*bucket));
        snceWalk_Begin(&walk, table);
        while (NextOrder(&walk, &order)) {
            if (order >= least && order <= most) {
                bucket[(order - least) >> shift]++;
            }
        }
        while (i > 0 && bucket[i] < keep) {
            keep -= bucket[i--];
        }
        least += (uint64_t)i << shift;
        if (most - least >= UINT64_C(1) << shift) {
            most = least + ((UINT64_C(1) << shift) - 1);
        }
    }
    free(bucket);
    out->created = TimeOf(least);
    out->spare = keep;
    return SNCE_OK;
}

bool
snceCut_Keeps(snceCut *cut, const uint64_t *words)
{
    int64_t created = (int64_t)words[SNCE_W_CREATED];

    if (created != cut->created) {
        return created > cut->created;
    }
    if (cut->spare == 0) {
        return false;
    }
    cut->spare--;
    return true;
}
