/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncelayout.h"

#include "sncehash.h"
#include "snceversion.h"

/* Counted up when the meaning of the region changes but none of the sizes and
 * offsets below. */
#define LAYOUT_REVISION 13

uint64_t
snceLayout_Signature(void)
{
    const uint64_t shape[] = {
        LAYOUT_REVISION,
        sizeof(snceHeader),
        sizeof(snceServerWords),
        sizeof(snceNames),
        sizeof(snceSet),
        sizeof(snceSlotWords),
        sizeof(snceCellSet),
        sizeof(snceCounters),
        sizeof(snceKeyLog),
        sizeof(snceStoreHead),
        offsetof(snceHeader, heap),
        offsetof(snceServerWords, backing),
        offsetof(snceSet, stamp),
        offsetof(snceSet, order),
        offsetof(snceSet, slot),
        SNCE_AT_DIRECTORY,
        SNCE_AT_NAMES,
        SNCE_AT_COUNTERS,
        SNCE_AT_KEY_LOG,
        SNCE_AT_KEY_CELLS,
        SNCE_AT_REPLAY,
        SNCE_AT_HEAP,
        SNCE_GRAIN,
        SNCE_CHUNK_BYTES,
        SNCE_WAYS,
        SNCE_CELL_WAYS,
        SNCE_FIGURES,
        SNCE_KEY_VALUE_MAX,
        SNCE_STATE_BYTES,
        SNCE_TAG_BITS,
    };
    snceHash hash;

    /* The byte order needs no part of its own: with the other one, a header's
     * magic number and signature read as other numbers, and snceHeader_Check
     * refuses the region. */
    snceHash_Init(&hash, SNCE_MAGIC);
    return snceHash_Words(&hash, 0, shape, sizeof(shape) / sizeof(shape[0]));
}
