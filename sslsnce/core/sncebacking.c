/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncebacking.h"

#include "sncecount.h"

snceResult
snceBacking_Store(snceBlob *out, const snceBacking *backing)
{
    return snceBlob_At(out, backing->table.region, backing->id, backing->store,
                       snceSize_Cells(backing->table.size));
}

bool
snceBacking_Retain(const snceBacking *backing, snceBlobRef ref)
{
    snceBlob store;

    return ref == 0 || (snceBacking_Store(&store, backing) == SNCE_OK &&
                        snceBlob_Retain(&store, ref));
}

void
snceBacking_Release(const snceBacking *backing, snceBlobRef ref)
{
    snceBlob store;

    if (ref && snceBacking_Store(&store, backing) == SNCE_OK) {
        snceBlob_Release(&store, ref);
    }
}

void
snceBacking_Count(const snceBacking *backing, uint64_t n)
{
    snceCount_Add(backing->table.region, backing->id.number,
                  snceBacking_LiveFigure(backing), n);
}

void
snceBacking_Lose(const snceBacking *backing, snceBlobRef certificate)
{
    snceBacking_Count(backing, (uint64_t)-1);
    snceBacking_Release(backing, certificate);
}

void
snceBacking_Gone(void *context, const uint64_t *words)
{
    snceBacking_Lose(context, words[SNCE_W_CERTIFICATE]);
}
