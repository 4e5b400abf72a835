/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncecut.h: which sessions a shrinking cache keeps. */
#ifndef SNCECUT_H
#define SNCECUT_H

#include "sncetable.h"

/* snceCut divides sessions by creation: those after it stay, those before it
 * go, and of those at it so many stay. */
typedef struct {
    int64_t created;
    uint64_t spare;
} snceCut;

/* snceCut_Find finds the cut that keeps the |keep| newest entries of |table|,
 * or all if there are no more. Returns SNCE_OK or SNCE_NO_MEMORY. The caller
 * has the turn. Reads the entries a few times, and keeps a count for each of
 * 4,096 ranges of time, nothing for each entry. */
snceResult snceCut_Find(snceCut *out, const snceTable *table, uint64_t keep);

/* snceCut_Keeps decides for one entry. */
bool snceCut_Keeps(snceCut *cut, const uint64_t *words);

#endif /* SNCECUT_H */
