/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncehome.h"

#include "sncecount.h"

snceResult
snceHome_Store(snceBlob *out, const snceHome *home)
{
    return snceBlob_At(out, home->table.region, home->id, home->store,
                       snceSize_Cells(home->table.size));
}

bool
snceHome_Retain(const snceHome *home, snceBlobRef ref)
{
    snceBlob store;

    return ref == 0 || (snceHome_Store(&store, home) == SNCE_OK &&
                        snceBlob_Retain(&store, ref));
}

void
snceHome_Release(const snceHome *home, snceBlobRef ref)
{
    snceBlob store;

    if (ref && snceHome_Store(&store, home) == SNCE_OK) {
        snceBlob_Release(&store, ref);
    }
}

void
snceHome_Count(const snceHome *home, uint64_t n)
{
    snceCount_Add(home->table.region, home->id.number,
                  snceHome_LiveFigure(home), n);
}

void
snceHome_Lose(const snceHome *home, snceBlobRef certificate)
{
    snceHome_Count(home, (uint64_t)-1);
    snceHome_Release(home, certificate);
}

void
snceHome_Gone(void *context, const uint64_t *words)
{
    snceHome_Lose(context, words[SNCE_W_CERTIFICATE]);
}
