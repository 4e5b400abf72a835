/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncedirectory.h: how the holder of the turn reads and writes the words of the
 * directory and of the header (rule 9). */
#ifndef SNCEDIRECTORY_H
#define SNCEDIRECTORY_H

#include "sncelayout.h"
#include "sncelife.h"

/* snceDirectory_Load reads a word. Relaxed: only the holder of the turn writes
 * these. */
static inline uint64_t
snceDirectory_Load(const snceWord *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

/* snceDirectory_Store writes a word. Release: pairs with the loads in
 * snceView_Open, which, if one of them sees this, find that the life word is
 * another; and keeps the stores in the order in which a death may come between
 * them. */
static inline void
snceDirectory_Store(snceWord *word, uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_release);
}

/* snceDirectory_Commit makes the change that |life| says. Sequentially
 * consistent: pairs with the loads in snceView_Open and snceView_Moved. What was
 * stored before it is seen by whoever sees it. */
static inline void
snceDirectory_Commit(snceServerWords *entry, snceLife life)
{
    atomic_store_explicit(&entry->life, life, memory_order_seq_cst);
}

#endif /* SNCEDIRECTORY_H */
