/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceattach.h: a process joins a region and leaves it. What snce.h says of
 * snceRegion_Attach and snceRegion_Close is here. */
#ifndef SNCEATTACH_H
#define SNCEATTACH_H

#include "snceregion.h"

/* snceAttach_Join counts this process among those that are attached to |region|,
 * which has a header and is mapped, and remembers what must not be read from it
 * again. */
void snceAttach_Join(snceRegion *region);

/* snceAttach_Decline undoes snceRegion_Attach. The descriptor stays the
 * caller's, and the contents stay: the others who use them are none of this
 * process's business. */
void snceAttach_Decline(snceRegion *region);

#endif /* SNCEATTACH_H */
