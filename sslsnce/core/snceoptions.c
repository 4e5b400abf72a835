/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "snceoptions.h"

#include "sncestate.h"
#include "sncestep.h"

#define TIMEOUT_MAX_SEC (100u * 365 * 86400)

snceResult
snceOptions_Check(const snceCacheOptions *options)
{
    if (options->entries == 0 || options->entries > SNCE_ENTRIES_MAX ||
        options->certificates > SNCE_ENTRIES_MAX ||
        options->timeoutSec[SNCE_CLASS_SSL2] > TIMEOUT_MAX_SEC ||
        options->timeoutSec[SNCE_CLASS_SSL3] > TIMEOUT_MAX_SEC ||
        options->clockSkewSec > SNCE_CLOCK_SKEW_MAX) {
        return SNCE_INVALID;
    }
    return SNCE_OK;
}

unsigned
snceOptions_Flags(const snceCacheOptions *options)
{
    return (options->matchAddress ? SNCE_SERVER_ADDRESS : 0) |
           (options->unlisted ? SNCE_SERVER_UNLISTED : 0) |
           (options->closed ? SNCE_SERVER_CLOSED : 0);
}

void
snceOptions_Retime(snceServerWords *entry, const snceCacheOptions *options)
{
    atomic_store_explicit(&entry->clockSkewSec, options->clockSkewSec,
                          memory_order_release);
    atomic_store_explicit(&entry->ticketTimeoutSec, options->ticketTimeoutSec,
                          memory_order_release);
    atomic_store_explicit(&entry->resumptionAgeSec, options->resumptionAgeSec,
                          memory_order_release);
    atomic_store_explicit(&entry->ticketRotationSec, options->ticketRotationSec,
                          memory_order_release);
    atomic_store_explicit(&entry->ticketEpoch, options->ticketEpoch,
                          memory_order_release);
    atomic_store_explicit(&entry->withinTwoRotations,
                          options->withinTwoRotations, memory_order_release);
    atomic_store_explicit(&entry->sharesClientAuth, options->sharesClientAuth,
                          memory_order_release);
    for (unsigned i = 0; i < SNCE_CLASSES; i++) {
        atomic_store_explicit(&entry->timeoutSec[i], options->timeoutSec[i],
                              memory_order_release);
        SNCE_STEP("change-retimed");
    }
}
