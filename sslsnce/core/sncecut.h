/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncecut.h: which sessions a shrinking cache keeps. */
#ifndef SNCECUT_H
#define SNCECUT_H

#include "sncetable.h"

/* snceCut divides sessions by their time of creation. Those created after
 * |created| stay, those created before it go, and of those created at that time
 * |spare| stay. */
typedef struct {
    int64_t created;
    uint64_t spare;
} snceCut;

/* snceCut_Find finds the cut that keeps the |keep| newest entries of |table|,
 * or all entries if there are no more than |keep|. Returns SNCE_OK or
 * SNCE_NO_MEMORY. The caller holds the administrative lock. It reads the
 * entries a few times. It keeps a count for each of 4,096 ranges of time, and
 * nothing for each entry. */
snceResult snceCut_Find(snceCut *out, const snceTable *table, uint64_t keep);

/* snceCut_Keeps tells whether the entry |words| stays. It counts |cut->spare|
 * down. */
bool snceCut_Keeps(snceCut *cut, const uint64_t *words);

#endif /* SNCECUT_H */
