/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncedirectory.h: how the holder of the administrative lock reads and writes the
 * words of the directory and of the header (rule 9). */
#ifndef SNCEDIRECTORY_H
#define SNCEDIRECTORY_H

#include "sncelayout.h"
#include "sncestate.h"

/* snceDirectory_Load loads a word. Relaxed: only the holder of the
 * administrative lock writes these words. */
static inline uint64_t
snceDirectory_Load(const snceWord *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

/* snceDirectory_Store stores a word. Release: pairs with the acquire loads in
 * snceView_Open; if one of them sees this word, the state word that is loaded
 * afterwards is another one. It also keeps the stores in their order, so that a
 * death leaves the earlier ones without the later ones. */
static inline void
snceDirectory_Store(snceWord *word, uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_release);
}

/* snceDirectory_Commit makes the change that |state| says, by storing it as the
 * state word. Sequentially consistent: pairs with the loads in snceView_Open
 * and snceView_Moved. A process that sees the new word sees everything that was
 * stored before it. */
static inline void
snceDirectory_Commit(snceServerWords *entry, snceState state)
{
    atomic_store_explicit(&entry->state, state, memory_order_seq_cst);
}

#endif /* SNCEDIRECTORY_H */
