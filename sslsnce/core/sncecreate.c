/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* A region is made, with its default cache: what snce.h says of snceRegion_Create
 * and snceRegion_LeastBytes. */
#include "snceattach.h"
#include "sncecancel.h"
#include "sncedirectory.h"
#include "snceheader.h"
#include "snceoptions.h"
#include "snceshape.h"

static snceResult
Create(snceRegion **out, const snceCacheOptions *options, uint64_t bytes,
       bool inheritable)
{
    snceRegion *region;
    snceResult result = snceRegion_Make(&region, bytes, inheritable);
    snceShape shape;

    if (result != SNCE_OK) {
        return result;
    }
    result = snceHeader_Write(region, options->lock);
    if (result != SNCE_OK) {
        goto loser;
    }
    snceHash_Init(&region->hash, snceRegion_Header(region)->seed);

    shape = snceShape_Of(options);
    result = snceShape_Furnish(region, 0, 0, &shape);
    if (result != SNCE_OK) {
        goto loser;
    }
    snceOptions_Retime(snceRegion_Server(region, 0), options);
    snceDirectory_Commit(snceRegion_Server(region, 0),
                         snceLife_Born(0, snceOptions_Flags(options)));
    if (options->lock) {
        result = snceRegion_LockMemory(region);
        if (result != SNCE_OK) {
            goto loser;
        }
        region->locked = true;
    }
    snceHeader_Publish(snceRegion_Header(region));
    snceAttach_Join(region);
    *out = region;
    return SNCE_OK;

loser:
    snceRegion_Discharge(region);
    return result;
}

uint64_t
snceRegion_LeastBytes(const snceCacheOptions *options)
{
    snceShape shape;

    if (snceOptions_Check(options) != SNCE_OK) {
        return 0;
    }
    shape = snceShape_Of(options);
    return SNCE_AT_HEAP + snceShape_Bytes(&shape);
}

static snceResult
CreateFitting(snceRegion **out, const snceCacheOptions *options,
              bool inheritable)
{
    uint64_t least, room;
    snceResult result = snceOptions_Check(options);

    if (result != SNCE_OK) {
        return result;
    }
    least = snceRegion_LeastBytes(options);

    /* Address space for growth and for virtual servers to come costs nothing
     * until it is touched: 1,024 of them with 10,000 sessions and as many
     * certificates of any size take 230 GiB. A process whose address space is
     * limited, or what it may lock of it, gets by with less. */
    room = least > UINT64_C(1) << 40 ? least : UINT64_C(1) << 40;
    for (; room >= UINT64_C(64) << 20; room /= 8) {
        uint64_t bytes = least + room / SNCE_PAGE * SNCE_PAGE;

        if (snceRegion_SizeIsAllowed(bytes)) {
            result = Create(out, options, bytes, inheritable);
            if (result != SNCE_NO_MEMORY && result != SNCE_LOCK_LIMIT) {
                return result;
            }
        }
    }
    return Create(out, options, least, inheritable);
}

snceResult
snceRegion_Create(snceRegion **out, const snceCacheOptions *options,
                  bool inheritable)
{
    int cancel = snceCancel_Forbid();
    snceResult result = CreateFitting(out, options, inheritable);

    snceCancel_Restore(cancel);
    return result;
}
