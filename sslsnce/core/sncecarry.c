/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncecarry.h"

#include <string.h>

#include "sncefind.h"
#include "sncestep.h"

void
snceCarry_LookupKey(snceLookupKey *lookupKey, const snceRegion *region,
                    const uint64_t words[SNCE_ENTRY_WORDS])
{
    memcpy(lookupKey->id, &words[SNCE_W_ID], sizeof(lookupKey->id));
    memcpy(lookupKey->address, &words[SNCE_W_ADDRESS],
           sizeof(lookupKey->address));
    lookupKey->shape = words[SNCE_W_SHAPE] & 0xff;
    lookupKey->matchAddress = true;
    snceLookupKey_Hash(lookupKey, region);
}

/* Makes |words| refer to the certificate in the new backing store. Returns
 * false if the certificate, and with it the session, was evicted. */
static bool
Refer(const snceCarry *carry, uint64_t words[SNCE_ENTRY_WORDS])
{
    snceBlobRef ref = words[SNCE_W_CERTIFICATE];
    snceBlob old, now;
    size_t len;

    if (!carry->der || ref == 0) {
        return snceBacking_Retain(carry->now, ref);
    }
    if (snceBacking_Store(&old, carry->old) != SNCE_OK ||
        snceBacking_Store(&now, carry->now) != SNCE_OK) {
        return false;
    }
    now.hasLock = true;
    return snceBlob_Read(&old, ref, carry->der, SNCE_CERTIFICATE_MAX, &len) ==
               SNCE_OK &&
           snceBlob_Hold(&now, carry->der, len, &words[SNCE_W_CERTIFICATE]) ==
               SNCE_OK;
}

/* Takes out the copy that was stored at |to| if the table has grown meanwhile,
 * and the copy is not where sessions are stored now. While a page is being
 * split, a copy stays if it is where lookups look: another process may have
 * seen it, and taken the old entry out because of it. */
static snceResult
Confirm(const snceBacking *now, bool splitting, const snceLookupKey *lookupKey,
        const uint64_t words[SNCE_ENTRY_WORDS], const sncePosition *to)
{
    snceTable later = now->table;
    snceSize size = snceBacking_Size(now);

    if (size == now->table.size ||
        (snceTable_Resize(&later, size) &&
         (splitting ? snceTable_IsLookedAt(&later, lookupKey->hash, to->set)
                    : snceTable_IsPlace(&later, lookupKey->hash, to->set)))) {
        return SNCE_OK;
    }
    if (snceTable_Take(&now->table, to)) {
        snceBacking_Lose(now, words[SNCE_W_CERTIFICATE]);
    }
    return SNCE_DROPPED;
}

snceResult
snceCarry_Copy(const snceCarry *carry, const snceLookupKey *lookupKey,
               const sncePosition *from, uint64_t words[SNCE_ENTRY_WORDS],
               sncePosition *to)
{
    snceBacking *now = carry->now;
    bool splitting = carry->old == now;
    const snceSource source = { *from, splitting ? &now->words->size : NULL,
                                now->table.size };
    snceTaken taken = { 0 };
    snceResult result = SNCE_NO_MEMORY;
    snceSet *set[2];

    if (!splitting && !snceTable_Resize(&now->table, snceBacking_Size(now))) {
        return SNCE_DROPPED;
    }
    if (!Refer(carry, words)) {
        return SNCE_MISS;
    }
    if (snceTable_Sets(&now->table, lookupKey->hash, set)) {
        result = snceTable_Place(&now->table, set, lookupKey, &carry->rule,
                                 words, (const uint8_t *)&words[SNCE_W_STATE],
                                 &source, to, &taken);
    }
    if (taken.full) {
        snceBacking_Count(now, (uint64_t)-1);
        snceBacking_Release(now, taken.certificate);
    }
    if (taken.spoiled) {
        snceBacking_Count(now, (uint64_t)-1);
    }
    if (result != SNCE_OK) {
        snceBacking_Release(now, words[SNCE_W_CERTIFICATE]);
        return result;
    }
    snceBacking_Count(now, 1);
    SNCE_STEP("carry-copied");
    return Confirm(now, splitting, lookupKey, words, to);
}
