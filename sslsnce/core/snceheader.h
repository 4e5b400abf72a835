/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceheader.h: the header of a region: what says that it is one, and which. */
#ifndef SNCEHEADER_H
#define SNCEHEADER_H

#include "snceregion.h"

/* snceHeader_Write fills in the header of a new region, all but the magic number:
 * nobody can attach yet. |lock| says whether those who attach lock it in memory.
 * Returns SNCE_OK or SNCE_UNSUPPORTED (the system has no random numbers). */
snceResult snceHeader_Write(const snceRegion *region, bool lock);

/* snceHeader_Publish makes the region one that others can attach to. What was
 * stored in it before is seen by whoever attaches. */
void snceHeader_Publish(snceHeader *header);

/* snceHeader_Check returns SNCE_OK; SNCE_FOREIGN (no region of this build); or
 * SNCE_CORRUPT (the header was written over, or is of another size). */
snceResult snceHeader_Check(const snceRegion *region);

/* snceHeader_Identity returns snceServerId.region of the region's servers. */
uint64_t snceHeader_Identity(const snceHeader *header);

#endif /* SNCEHEADER_H */
