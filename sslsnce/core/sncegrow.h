/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncegrow.h: growing a live cache (rule 11). */
#ifndef SNCEGROW_H
#define SNCEGROW_H

#include "snceserver.h"

/* snceGrow_To makes the server's table hold |entries| sessions and carries the
 * live ones over; first it finishes what a process that died growing left. The
 * caller has the turn for rare changes. Returns SNCE_OK (also when the table
 * is large enough), SNCE_NO_MEMORY or SNCE_CORRUPT. */
snceResult snceGrow_To(snceRegion *region, uint32_t server, uint64_t entries,
                       const snceRule *rule);

#endif /* SNCEGROW_H */
