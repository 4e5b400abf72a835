/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceattach.h: a process attaches to a region and leaves it. Implements
 * snceRegion_Attach and snceRegion_Close of snce.h. */
#ifndef SNCEATTACH_H
#define SNCEATTACH_H

#include "snceregion.h"

/* snceAttach_Join counts this process among those attached to |region|, which
 * has a header and is mapped. It also copies into |region| what must not be
 * read from shared memory again. */
void snceAttach_Join(snceRegion *region);

/* snceAttach_Decline undoes snceRegion_Attach. The descriptor stays the
 * caller's. The contents stay too, because other processes may use them. */
void snceAttach_Decline(snceRegion *region);

#endif /* SNCEATTACH_H */
