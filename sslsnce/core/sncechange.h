/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncechange.h: changes of a virtual server under the administrative lock
 * (rules 9 and 13).
 *
 * A change marks the server in the header, prepares a backing store that nobody
 * uses, makes the change by one store of the state word, gives the other
 * backing store back, and takes the mark away. A process that takes the
 * administrative lock and finds a mark first ends the change of the process
 * that died. */
#ifndef SNCECHANGE_H
#define SNCECHANGE_H

#include "snceregion.h"

/* snceChange_Begin waits for the administrative lock, and ends a change that a
 * process left when it died. Returns SNCE_OK, or what snceLock_Take or
 * snceMove_Finish returns when it fails; the caller then does not hold the
 * lock. */
snceResult snceChange_Begin(snceRegion *region);

/* snceChange_Mark marks the server |number| as the one that is being
 * changed. */
void snceChange_Mark(const snceRegion *region, uint32_t number);

/* snceChange_End takes the mark away and releases the administrative lock. */
void snceChange_End(snceRegion *region);

/* snceChange_Bury ends the removal of a server in the phase LEAVING: it gives
 * back what the server has, and makes its entry free. */
void snceChange_Bury(const snceRegion *region, uint32_t number);

#endif /* SNCECHANGE_H */
