/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncewalk.h: a walk through the entries of a table, one after the other.
 *
 * A walk skips pages that nobody has touched: looking at such a page would make
 * it resident, and there is nothing in it. */
#ifndef SNCEWALK_H
#define SNCEWALK_H

#include "sncetable.h"

typedef struct {
    const snceTable *table;
    uint64_t slot; /* the slot to look at next */
    uint64_t end;  /* slots before this one have memory */
    unsigned step; /* how many slots to go on each time */
} snceWalk;

/* snceWalk_Begin begins a walk at the first entry of |table|, which stays the
 * caller's. */
void snceWalk_Begin(snceWalk *walk, const snceTable *table);

/* snceWalk_BeginWay begins a walk through the entries that lie in |way| of
 * their set. */
void snceWalk_BeginWay(snceWalk *walk, const snceTable *table, unsigned way);

/* snceWalk_Next copies the next complete entry, and writes where it was.
 * Returns false after the last one. Makes system calls; the caller holds the
 * administrative lock. */
bool snceWalk_Next(snceWalk *walk, sncePosition *position,
                   uint64_t words[SNCE_ENTRY_WORDS]);

#endif /* SNCEWALK_H */
