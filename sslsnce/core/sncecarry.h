/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncecarry.h: one entry copied to where it is to lie from now on: in another home
 * (sncemove.c), or in another page of its table (sncesplit.c). */
#ifndef SNCECARRY_H
#define SNCECARRY_H

#include "sncehome.h"

/* snceCarry_Probe makes the probe that finds an entry from the entry itself. */
void snceCarry_Probe(snceProbe *probe, const snceRegion *region,
                     const uint64_t words[SNCE_ENTRY_WORDS]);

/* snceCarry is a way from one home to another, or within one. */
typedef struct {
    snceHome *old;
    snceHome *now; /* the same one: from a page that is being split */
    snceRule rule;
    uint8_t
        *der; /* room for SNCE_CERTIFICATE_MAX bytes, not owned; NULL: both have
                   * the same store */
} snceCarry;

/* snceCarry_Copy stores a copy of |words|, which were read at |from| in the old home, in
 * the new one, if they still stand in the old one and their key is not in the new one
 * yet. |words| then refer to the certificate there. Each copy counts, in the figures and
 * for its certificate: who takes one out counts it off (rule 8). Returns as
 * snceTable_Place, or SNCE_MISS (the certificate was evicted).
 *
 * The new home may grow meanwhile: |carry->now| is then as it is now. A page that is
 * being split is left alone once it has been split. */
snceResult snceCarry_Copy(const snceCarry *carry, const snceProbe *probe,
                          const snceSpot *from,
                          uint64_t words[SNCE_ENTRY_WORDS], snceSpot *to);

#endif /* SNCECARRY_H */
