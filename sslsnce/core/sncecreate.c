/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* Makes a region with its default cache. Implements snceRegion_Create and
 * snceRegion_LeastBytes of snce.h. */
#include "snceattach.h"
#include "sncecancel.h"
#include "sncedirectory.h"
#include "snceheader.h"
#include "sncelock.h"
#include "snceoptions.h"
#include "snceshape.h"

static snceResult
Furnish(snceRegion *region, const snceCacheOptions *options)
{
    snceShape shape = snceShape_Of(options);
    snceResult result = snceHeader_Write(region, options->lock);

    if (result != SNCE_OK) {
        return result;
    }
    if (!snceLock_Init(region)) {
        return SNCE_UNSUPPORTED;
    }
    snceHash_Init(&region->hash, snceRegion_Header(region)->seed);
    result = snceShape_Furnish(region, 0, 0, &shape);
    if (result != SNCE_OK) {
        return result;
    }
    snceOptions_Retime(snceRegion_Server(region, 0), options);
    snceDirectory_Commit(snceRegion_Server(region, 0),
                         snceState_Born(0, snceOptions_Flags(options)));
    return snceShape_MapAll(region);
}

uint64_t
snceRegion_LeastBytes(const snceCacheOptions *options)
{
    snceShape shape;

    if (snceOptions_Check(options) != SNCE_OK) {
        return 0;
    }
    shape = snceShape_Of(options);
    /* The first chunk, the chunk of the first keys, and the backing store. */
    return 2 * SNCE_CHUNK_BYTES + snceShape_Bytes(&shape);
}

static snceResult
Create(snceRegion **out, const snceCacheOptions *options, bool inheritable)
{
    snceResult result = snceOptions_Check(options);
    snceRegion *region;
    snceShape shape;

    if (result != SNCE_OK) {
        return result;
    }
    shape = snceShape_Of(options);
    result = snceRegion_Make(&region, inheritable, options->lock,
                             snceShape_Bytes(&shape));
    if (result != SNCE_OK) {
        return result;
    }
    result = Furnish(region, options);
    if (result != SNCE_OK) {
        snceRegion_Discharge(region);
        return result;
    }
    snceHeader_Publish(snceRegion_Header(region));
    snceAttach_Join(region);
    *out = region;
    return SNCE_OK;
}

snceResult
snceRegion_Create(snceRegion **out, const snceCacheOptions *options,
                  bool inheritable)
{
    int cancel = snceCancel_Forbid();
    snceResult result = Create(out, options, inheritable);

    snceCancel_Restore(cancel);
    return result;
}
