/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncebacking.h: a backing store, that is where the sessions of a virtual
 * server lie, as one operation uses it. */
#ifndef SNCEBACKING_H
#define SNCEBACKING_H

#include "snceblob.h"
#include "sncetable.h"

/* snceBacking is where sessions lie: a table, and the store of the certificates
 * to which its entries refer. */
typedef struct {
    snceTable table;
    snceLocalId id;
    uint64_t store; /* range word, not bounded yet: snceBacking_Store */
    snceBackingWords *words; /* the directory's words from which it was
                              * opened */
} snceBacking;

/* The words of a backing store as they were read, not bounded yet. */
typedef struct {
    uint64_t table;
    uint64_t store;
    snceSize size;
} snceBackingSeen;

/* snceBackingWords_Load loads the words of a backing store. Acquire: pairs with
 * the release stores (snceDirectory_Store) of a change that fills in words
 * which are not in use. If one of these stores is seen, the state word that is
 * loaded afterwards is another one. */
static inline void
snceBackingWords_Load(const snceBackingWords *backing, snceBackingSeen *out)
{
    out->table = atomic_load_explicit(&backing->table, memory_order_acquire);
    out->store = atomic_load_explicit(&backing->store, memory_order_acquire);
    out->size = atomic_load_explicit(&backing->size, memory_order_acquire);
}

/* snceBacking_Open opens the backing store of the server |id| whose |words|
 * were |seen|, and bounds its table (rule 1). snceBacking_Store bounds its
 * certificate store. Returns what snceTable_At returns. */
SNCE_INLINE snceResult
snceBacking_Open(snceBacking *out, const snceRegion *region, snceLocalId id,
                 snceBackingWords *words, const snceBackingSeen *seen)
{
    out->id = id;
    out->store = seen->store;
    out->words = words;
    return snceTable_At(&out->table, region, id, &words->table, seen->table,
                        seen->size);
}

/* snceBacking_Size returns the size word as it is now. Sequentially consistent:
 * pairs with the compare-and-swaps of sncesplit.c in the same way as the load
 * in snceView_Moved pairs with snceDirectory_Commit. */
static inline snceSize
snceBacking_Size(const snceBacking *backing)
{
    return atomic_load_explicit(&backing->words->size, memory_order_seq_cst);
}

/* snceBacking_Store opens the certificate store. Returns what snceBlob_At
 * returns. */
snceResult snceBacking_Store(snceBlob *out, const snceBacking *backing);

/* snceBacking_Retain counts one more entry that refers to |ref|, which may be
 * 0. Returns false, with nothing counted, if that certificate was evicted. */
bool snceBacking_Retain(const snceBacking *backing, snceBlobRef ref);

/* snceBacking_Release counts one entry less that refers to |ref|, which may be
 * 0. */
void snceBacking_Release(const snceBacking *backing, snceBlobRef ref);

/* snceBacking_LiveFigure returns the figure that counts the entries of a
 * backing store. */
static inline unsigned
snceBacking_LiveFigure(const snceBacking *backing)
{
    return SNCE_N_LIVE + snceRange_Side(backing->table.range);
}

/* snceBacking_Count counts |n| more entries, or one entry less if |n| is
 * (uint64_t)-1. */
void snceBacking_Count(const snceBacking *backing, uint64_t n);

/* snceBacking_Lose counts one entry less and releases its certificate. */
void snceBacking_Lose(const snceBacking *backing, snceBlobRef certificate);

/* snceBacking_Gone is a snceTable_Gone whose context is the backing store. It
 * counts one entry less and releases its certificate. */
void snceBacking_Gone(void *backing, const uint64_t *words);

#endif /* SNCEBACKING_H */
