/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncecarry.h"

#include <string.h>

#include "sncefind.h"
#include "sncestep.h"

void
snceCarry_Probe(snceProbe *probe, const snceRegion *region,
                const uint64_t words[SNCE_ENTRY_WORDS])
{
    memcpy(probe->id, &words[SNCE_W_ID], sizeof(probe->id));
    memcpy(probe->address, &words[SNCE_W_ADDRESS], sizeof(probe->address));
    probe->shape = words[SNCE_W_SHAPE] & 0xff;
    probe->matchAddress = true;
    snceProbe_Hash(probe, region);
}

/* Makes |words| refer to the certificate in the new home. False if it was
 * evicted, and the session with it. */
static bool
Refer(const snceCarry *carry, uint64_t words[SNCE_ENTRY_WORDS])
{
    snceBlobRef ref = words[SNCE_W_CERTIFICATE];
    snceBlob old, now;
    size_t len;

    if (!carry->der || ref == 0) {
        return snceHome_Retain(carry->now, ref);
    }
    if (snceHome_Store(&old, carry->old) != SNCE_OK ||
        snceHome_Store(&now, carry->now) != SNCE_OK) {
        return false;
    }
    now.hasTurn = true;
    return snceBlob_Read(&old, ref, carry->der, SNCE_CERTIFICATE_MAX, &len) ==
               SNCE_OK &&
           snceBlob_Hold(&now, carry->der, len, &words[SNCE_W_CERTIFICATE]) ==
               SNCE_OK;
}

/* Takes a copy that was stored at |to| back if the table has grown meanwhile, and it is
 * not where sessions are stored now. A copy from a page that is being split stays where
 * lookups look: another process may have seen it, and taken the old one out for it. */
static snceResult
Settle(const snceHome *now, bool splitting, const snceProbe *probe,
       const uint64_t words[SNCE_ENTRY_WORDS], const snceSpot *to)
{
    snceTable later = now->table;
    snceSize size = snceHome_Size(now);

    if (size == now->table.size ||
        (snceTable_Resize(&later, size) &&
         (splitting ? snceTable_IsLookedAt(&later, probe->hash, to->set)
                    : snceTable_IsPlace(&later, probe->hash, to->set)))) {
        return SNCE_OK;
    }
    if (snceTable_Take(&now->table, to)) {
        snceHome_Lose(now, words[SNCE_W_CERTIFICATE]);
    }
    return SNCE_DROPPED;
}

snceResult
snceCarry_Copy(const snceCarry *carry, const snceProbe *probe,
               const snceSpot *from, uint64_t words[SNCE_ENTRY_WORDS],
               snceSpot *to)
{
    snceHome *now = carry->now;
    bool splitting = carry->old == now;
    const snceSource source = { *from, splitting ? &now->words->size : NULL,
                                now->table.size };
    snceTaken taken = { 0 };
    snceResult result = SNCE_NO_MEMORY;
    snceSet *set[2];

    if (!splitting && !snceTable_Resize(&now->table, snceHome_Size(now))) {
        return SNCE_DROPPED;
    }
    if (!Refer(carry, words)) {
        return SNCE_MISS;
    }
    if (snceTable_Sets(&now->table, probe->hash, set)) {
        result = snceTable_Place(&now->table, set, probe, &carry->rule, words,
                                 (const uint8_t *)&words[SNCE_W_STATE], &source,
                                 to, &taken);
    }
    if (taken.full) {
        snceHome_Count(now, (uint64_t)-1);
        snceHome_Release(now, taken.certificate);
    }
    if (taken.spoiled) {
        snceHome_Count(now, (uint64_t)-1);
    }
    if (result != SNCE_OK) {
        snceHome_Release(now, words[SNCE_W_CERTIFICATE]);
        return result;
    }
    snceHome_Count(now, 1);
    SNCE_STEP("carry-copied");
    return Settle(now, splitting, probe, words, to);
}
