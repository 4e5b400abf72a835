/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncecarry.h: one entry is copied to where it is to lie from now on: in
 * another backing store (sncemove.c), or in another page of its table
 * (sncesplit.c). */
#ifndef SNCECARRY_H
#define SNCECARRY_H

#include "sncebacking.h"

/* snceCarry_LookupKey makes the lookup key of an entry from the entry
 * itself. */
void snceCarry_LookupKey(snceLookupKey *lookupKey, const snceRegion *region,
                         const uint64_t words[SNCE_ENTRY_WORDS]);

/* snceCarry says from which backing store entries are carried to which. */
typedef struct {
    snceBacking *old;
    snceBacking *now; /* the same one if a page is being split */
    snceRule rule;
    uint8_t
        *der; /* room for SNCE_CERTIFICATE_MAX bytes, not owned; NULL if both
               * backing stores have the same certificate store */
} snceCarry;

/* snceCarry_Copy stores a copy of the entry |words|, which was read at |from|
 * in the old backing store, in the new one. It does so only if the entry still
 * stands in the old one, and its key is not in the new one yet. Afterwards
 * |words| refer to the certificate in the new backing store. Each copy is
 * counted in the figures and for its certificate; a process that takes a copy
 * out counts it off (rule 8). Returns what snceTable_Place returns, or
 * SNCE_MISS (the certificate was evicted).
 *
 * The new backing store may grow meanwhile: |carry->now| is updated to its
 * size. Once a page has been split, nothing more is copied out of it. */
snceResult snceCarry_Copy(const snceCarry *carry,
                          const snceLookupKey *lookupKey,
                          const sncePosition *from,
                          uint64_t words[SNCE_ENTRY_WORDS], sncePosition *to);

#endif /* SNCECARRY_H */
