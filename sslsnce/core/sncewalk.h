/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncewalk.h: the entries of a table, one after the other.
 *
 * Pages that nobody has touched are passed over: to look at one would make it
 * resident, and there is nothing in it. */
#ifndef SNCEWALK_H
#define SNCEWALK_H

#include "sncetable.h"

typedef struct {
    const snceTable *table;
    uint64_t slot; /* the next one */
    uint64_t end;  /* slots before it have memory behind them */
    unsigned step; /* from slot to slot */
} snceWalk;

/* snceWalk_Begin begins at the first entry of |table|, which stays the
 * caller's. */
void snceWalk_Begin(snceWalk *walk, const snceTable *table);

/* snceWalk_BeginWay is the same for those that lie in |way| of their set. */
void snceWalk_BeginWay(snceWalk *walk, const snceTable *table, unsigned way);

/* snceWalk_Next copies the next entry that is whole, and notes where it was.
 * False after the last one. Makes system calls; the caller has the turn. */
bool snceWalk_Next(snceWalk *walk, snceSpot *spot,
                   uint64_t words[SNCE_ENTRY_WORDS]);

#endif /* SNCEWALK_H */
