/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncemove.h: the sessions of a live cache are carried into another backing
 * store, which is larger or smaller (rule 11). */
#ifndef SNCEMOVE_H
#define SNCEMOVE_H

#include "snceregion.h"

/* snceMove_Finish carries over what is still in the old backing store of the
 * server |number|, which is moving, and gives that backing store back. The
 * caller holds the administrative lock. Returns SNCE_OK; or SNCE_NO_MEMORY,
 * SNCE_LOCK_LIMIT, SNCE_UNSUPPORTED or SNCE_BAD_DESCRIPTOR, as
 * snceRegion_MapRange does, and the server is still moving. */
snceResult snceMove_Finish(snceRegion *region, uint32_t number);

#endif /* SNCEMOVE_H */
