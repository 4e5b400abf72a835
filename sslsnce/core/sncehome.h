/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncehome.h: where the sessions of a virtual server lie, as one operation uses
 * it. */
#ifndef SNCEHOME_H
#define SNCEHOME_H

#include "snceblob.h"
#include "sncetable.h"

/* snceHome is where sessions lie: a table, and the store of the certificates
 * that its entries refer to. */
typedef struct {
    snceTable table;
    snceLocalId id;
    uint64_t store;       /* range word, not bounded yet: snceHome_Store */
    snceHomeWords *words; /* from which it was opened */
} snceHome;

/* The words of a home, not bounded yet. */
typedef struct {
    uint64_t table;
    uint64_t store;
    snceSize size;
} snceHomeSeen;

/* snceHomeWords_Load reads them. Acquire: pairs with the release stores of what
 * nobody lives in any more (snceDirectory_Store), so that the life word loaded
 * afterwards is then another. */
static inline void
snceHomeWords_Load(const snceHomeWords *home, snceHomeSeen *out)
{
    out->table = atomic_load_explicit(&home->table, memory_order_acquire);
    out->store = atomic_load_explicit(&home->store, memory_order_acquire);
    out->size = atomic_load_explicit(&home->size, memory_order_acquire);
}

/* snceHome_Open bounds what was |seen| of a home's |words|, of the server |id| (rule 1);
 * its store is bounded by snceHome_Store. Returns as snceTable_At. */
SNCE_INLINE snceResult
snceHome_Open(snceHome *out, const snceRegion *region, snceLocalId id,
              snceHomeWords *words, const snceHomeSeen *seen)
{
    out->id = id;
    out->store = seen->store;
    out->words = words;
    return snceTable_At(&out->table, region, id, seen->table, seen->size);
}

/* snceHome_Size returns the size word as it is now. Sequentially consistent: pairs with
 * the compare-and-swaps of sncesplit.c as the load of snceView_Moved does with
 * snceDirectory_Commit. */
static inline snceSize
snceHome_Size(const snceHome *home)
{
    return atomic_load_explicit(&home->words->size, memory_order_seq_cst);
}

/* snceHome_Store opens the store. Returns as snceBlob_At. */
snceResult snceHome_Store(snceBlob *out, const snceHome *home);

/* snceHome_Retain counts one entry more with |ref|, which may be 0. False, and
 * nothing is counted, if that was evicted. */
bool snceHome_Retain(const snceHome *home, snceBlobRef ref);

/* snceHome_Release counts one entry less. */
void snceHome_Release(const snceHome *home, snceBlobRef ref);

/* snceHome_LiveFigure returns which figure counts the entries of a home. */
static inline unsigned
snceHome_LiveFigure(const snceHome *home)
{
    return SNCE_N_LIVE + snceRange_Side(home->table.range);
}

/* snceHome_Count counts |n| entries more, or with (uint64_t)-1 one less. */
void snceHome_Count(const snceHome *home, uint64_t n);

/* snceHome_Lose counts an entry less and releases its certificate. */
void snceHome_Lose(const snceHome *home, snceBlobRef certificate);

/* snceHome_Gone is a snceTable_Gone whose context is the home: an entry less,
 * and its certificate released. */
void snceHome_Gone(void *home, const uint64_t *words);

#endif /* SNCEHOME_H */
