/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "ranges.h"

#include "sncecell.h"
#include "snceregion.h"

static Range Of(uint64_t word, uint64_t pages) {
  Range range = {0, 0};
  if (word) {
    range.offset = snceRange_Offset(word);
    range.bytes = pages * SNCE_PAGE;
  }
  return range;
}

void GetRanges(const snceRegion *region, uint32_t number, int home,
               Range ranges[2]) {
  const snceServerWords *entry = snceRegion_Server(region, number);
  const uint64_t pages = atomic_load(&entry->pages[home]);
  ranges[0] = Of(atomic_load(&entry->home[home].table), snceWord_High(pages));
  ranges[1] = Of(atomic_load(&entry->home[home].store), snceWord_Low(pages));
}

unsigned GetSegments(const snceRegion *region, uint32_t number, int home,
                     Range *out, unsigned most) {
  const snceHomeWords *words = &snceRegion_Server(region, number)->home[home];
  const uint64_t store = atomic_load(&words->store);
  const uint64_t cells = snceWord_Low(atomic_load(&words->shape));
  const snceStoreHead *head;
  unsigned count = 0;

  if (!store) {
    return 0;
  }
  head = snceRegion_Place(region, snceRange_Offset(store));
  for (unsigned which = 0; which < SNCE_CELL_CLASSES; which++) {
    for (unsigned i = 0; i < SNCE_SEGMENTS && count < most; i++) {
      const uint64_t page = atomic_load(&head->segment[which][i]);

      if (page) {
        out[count].offset = page * SNCE_PAGE;
        out[count++].bytes =
            SNCE_ALIGNED(snceCell_SegmentBytes(which, cells, i), SNCE_GRAIN);
      }
    }
  }
  return count;
}

uint64_t HeapBegin(void) { return SNCE_AT_HEAP; }
