/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceheader.h: the header of a region, which identifies the region and its
 * build. */
#ifndef SNCEHEADER_H
#define SNCEHEADER_H

#include "snceregion.h"

/* snceHeader_Write fills in the header of a new region, except for the magic
 * number, so that nobody can attach yet. |lock| says whether processes that
 * attach lock the region in memory. Returns SNCE_OK or SNCE_UNSUPPORTED (the
 * system has no random numbers). */
snceResult snceHeader_Write(const snceRegion *region, bool lock);

/* snceHeader_Publish stores the magic number, so that others can attach to the
 * region. A process that attaches sees everything that was stored in the region
 * before. */
void snceHeader_Publish(snceHeader *header);

/* snceHeader_Check checks the header. Returns SNCE_OK, SNCE_FOREIGN (it is not
 * a region, or one of another build), or SNCE_CORRUPT (the header fails its
 * checksum). */
snceResult snceHeader_Check(const snceRegion *region);

/* snceHeader_Identity returns the number that snceServerId.region has for the
 * region's servers. */
uint64_t snceHeader_Identity(const snceHeader *header);

#endif /* SNCEHEADER_H */
