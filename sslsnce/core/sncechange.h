/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncechange.h: changing a virtual server under the turn (rules 9 and 13).
 *
 * A change marks the server in the header, fills in what nobody looks at, makes
 * the change by one store of the life word, gives back what nobody looks at any
 * more, and takes the mark away. Who takes the turn and finds a mark ends the
 * change of the process that died. */
#ifndef SNCECHANGE_H
#define SNCECHANGE_H

#include "snceregion.h"

/* snceChange_Begin waits for the turn, and ends what a process that died left.
 * Returns SNCE_OK, or what snceLock_Take does, or SNCE_NO_MEMORY. */
snceResult snceChange_Begin(snceRegion *region);

/* snceChange_Mark says that the server |number| is being changed from here on.
 */
void snceChange_Mark(const snceRegion *region, uint32_t number);

/* snceChange_End takes the mark away and gives the turn back. */
void snceChange_End(snceRegion *region);

/* snceChange_Bury ends the removal of a server that is leaving. */
void snceChange_Bury(const snceRegion *region, uint32_t number);

#endif /* SNCECHANGE_H */
