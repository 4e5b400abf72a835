/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncewalk.h"

void
snceWalk_Begin(snceWalk *walk, const snceTable *table)
{
    walk->table = table;
    walk->slot = 0;
    walk->end = 0;
    walk->step = 1;
}

void
snceWalk_BeginWay(snceWalk *walk, const snceTable *table, unsigned way)
{
    snceWalk_Begin(walk, table);
    walk->slot = way;
    walk->step = SNCE_WAYS;
}

/* Goes on to the next stretch of the file that has memory. If the system does
 * not say where that is, all that is left is taken as one stretch. */
static bool
NextStretch(snceWalk *walk)
{
    const snceTable *table = walk->table;
    uint64_t slots = table->pages * SNCE_PAGE_SLOTS;
    uint64_t base = snceRange_Offset(table->range);
    uint64_t end = base + snceTable_Bytes(table->pages);
    uint64_t at = base + walk->slot / SNCE_WAYS * sizeof(snceSet);
    uint64_t data, hole, set;

    if (walk->slot >= slots) {
        return false;
    }
    data = snceRegion_NextMemory(table->region, at);
    if (data >= end) {
        return false;
    }
    hole = snceRegion_NextHole(table->region, data);
    if (hole == data) {
        hole = data + 1; /* its memory was given back meanwhile: look at one
                          * set */
    } else if (hole > end) {
        hole = end;
    }
    set = (data - base) / sizeof(snceSet);
    if (set > walk->slot / SNCE_WAYS) {
        walk->slot = set * SNCE_WAYS + walk->slot % walk->step;
    }
    set = (hole - base + sizeof(snceSet) - 1) / sizeof(snceSet);
    walk->end = set * SNCE_WAYS < slots ? set * SNCE_WAYS : slots;
    return true;
}

bool
snceWalk_Next(snceWalk *walk, sncePosition *position,
              uint64_t words[SNCE_ENTRY_WORDS])
{
    do {
        while (walk->slot < walk->end) {
            uint64_t slot = walk->slot;

            walk->slot += walk->step;
            if (snceTable_Entry(walk->table, slot, position, words)) {
                return true;
            }
        }
    } while (NextStretch(walk));
    return false;
}
