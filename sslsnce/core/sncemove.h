/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncemove.h: a live cache into another home: growing, shrinking, flushing
 * (rule 11). What snce.h says of snceCache_Configure and snceCache_Flush is
 * here. */
#ifndef SNCEMOVE_H
#define SNCEMOVE_H

#include "snceregion.h"

/* snceMove_Finish carries over what is still in the old home of the server
 * |number|, which is moving, and gives that back. The caller has the turn.
 * Returns SNCE_OK or SNCE_NO_MEMORY (and it is still moving). */
snceResult snceMove_Finish(snceRegion *region, uint32_t number);

#endif /* SNCEMOVE_H */
