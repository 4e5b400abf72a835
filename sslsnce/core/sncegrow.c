/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncegrow.h"

#include <string.h>

#include "sncecount.h"
#include "snceslot.h"

static void
TookOut(const snceRegion *region, uint32_t server, const snceRefs *refs)
{
    snceCount_Add(region, server, SNCE_N_OUT, 1);
    snceServer_Release(region, server, refs);
}

/* Carries one entry over. The probe is made from the entry itself. While both
 * copies stand, each counts, in the figures and for its certificate and name:
 * whoever takes one of them out, here or by a removal, counts it off (rule 8).
 */
static void
Carry(const snceTables *tables, const snceRegion *region, uint32_t server,
      const snceRule *rule, const snceSpot *from,
      uint64_t words[SNCE_ENTRY_WORDS])
{
    const snceRefs refs = { words[SNCE_W_CERTIFICATE], words[SNCE_W_NAME] };
    snceResult result = SNCE_DROPPED;
    snceTaken taken = { 0 };
    snceProbe probe;
    snceSpot to;

    memcpy(probe.id, &words[SNCE_W_ID], sizeof(probe.id));
    memcpy(probe.address, &words[SNCE_W_ADDRESS], sizeof(probe.address));
    probe.shape = words[SNCE_W_SHAPE] & 0xff;
    probe.matchAddress = true;
    snceProbe_Hash(&probe, region);

    if (snceServer_Retain(region, server, &refs)) {
        result = snceTable_Place(&tables->now, &probe, rule, words, from, &to,
                                 &taken);
        if (result == SNCE_OK) {
            snceCount_Add(region, server, SNCE_N_OUT, (uint64_t)-1);
        } else {
            snceServer_Release(region, server, &refs);
        }
    }
    SNCE_STEP("grow-copied");
    if (taken.full) {
        const snceRefs gone = { taken.certificate, taken.name };

        TookOut(region, server, &gone);
    }
    if (snceTable_Take(from)) {
        TookOut(region, server, &refs);
    } else if (result == SNCE_OK && snceTable_Take(&to)) {
        /* The old one was removed or replaced since; its copy must not stay.
         */
        TookOut(region, server, &refs);
    }
}

/* Empties the previous table into the one that takes inserts. A process that
 * dies in it leaves the pair as it is; the next one begins again with what is
 * left. */
static snceResult
Finish(snceRegion *region, uint32_t server, const snceRule *rule)
{
    snceServer *entry = snceRegion_Server(region, server);
    uint64_t words[SNCE_ENTRY_WORDS];
    snceTables tables;
    snceSpot spot;

    if (snceServer_Tables(&tables, region, server) != SNCE_OK) {
        return SNCE_CORRUPT;
    }
    if (tables.growing) {
        uint64_t slots = tables.old.setCount * SNCE_WAYS;

        for (uint64_t i = 0; i < slots; i++) {
            if (snceTable_Entry(&tables.old, i, &spot, words)) {
                Carry(&tables, region, server, rule, &spot, words);
            }
        }
    }
    SNCE_STEP("grow-emptied");
    atomic_store_explicit(&entry->previous, 0, memory_order_seq_cst);
    if (tables.growing) {
        /* What a slow writer still stores there is lost; it checks
         * (snceServer_Moved). The range is not used again. */
        snceRegion_Discard(
            region, (uint64_t)((uint8_t *)tables.old.head - region->base),
            snceTable_Bytes(tables.old.setCount));
    }
    explicit_bzero(words, sizeof(words));
    return SNCE_OK;
}

snceResult
snceGrow_To(snceRegion *region, uint32_t server, uint64_t entries,
            const snceRule *rule)
{
    snceServer *entry = snceRegion_Server(region, server);
    uint64_t sets = snceTable_SetsFor(entries);
    snceTables tables;
    snceResult result;
    uint64_t table;

    result = Finish(region, server, rule);
    if (result != SNCE_OK) {
        return result;
    }
    if (snceServer_Tables(&tables, region, server) != SNCE_OK) {
        return SNCE_CORRUPT;
    }
    if (tables.now.setCount >= sets) {
        if (entries >
            atomic_load_explicit(&entry->entries, memory_order_relaxed)) {
            atomic_store_explicit(&entry->entries, entries,
                                  memory_order_relaxed);
        }
        return SNCE_OK;
    }
    table = snceRegion_Allocate(region, snceTable_Bytes(sets));
    if (!table) {
        return SNCE_NO_MEMORY;
    }
    snceTable_Init(region, table, sets);
    atomic_store_explicit(&entry->entries, entries, memory_order_relaxed);
    /* In this order: see snceServer_Tables. */
    atomic_store_explicit(&entry->previous, tables.stamp, memory_order_seq_cst);
    SNCE_STEP("grow-began");
    atomic_store_explicit(&entry->table, table, memory_order_seq_cst);
    SNCE_STEP("grow-switched");
    return Finish(region, server, rule);
}
