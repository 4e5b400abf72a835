/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "ranges.h"

#include "sncecell.h"
#include "snceregion.h"
#include "sncesize.h"

static Range Of(uint64_t word, uint64_t pages) {
  Range range = {0, 0};
  if (word) {
    range.offset = snceRange_Offset(word);
    range.bytes = pages * SNCE_PAGE;
  }
  return range;
}

void GetRanges(const snceRegion *region, uint32_t number, int backing,
               Range ranges[2]) {
  const snceServerWords *entry = snceRegion_Server(region, number);
  const uint64_t pages = atomic_load(&entry->pages[backing]);
  ranges[0] =
      Of(atomic_load(&entry->backing[backing].table), snceWord_High(pages));
  ranges[1] =
      Of(atomic_load(&entry->backing[backing].store), snceWord_Low(pages));
}

unsigned GetSegments(const snceRegion *region, uint32_t number, int backing,
                     Range *out, unsigned most) {
  const snceBackingWords *words =
      &snceRegion_Server(region, number)->backing[backing];
  const uint64_t store = atomic_load(&words->store);
  const uint64_t cells = snceSize_Cells(atomic_load(&words->size));
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

/* Stores' heads at the end of the file, and segments that follow each other. */
#define HEADS 256
#define IN_A_ROW 4

void NameManyRanges(const snceRegion *region) {
  const uint64_t end = snceRegion_Bytes(region) / SNCE_PAGE;
  const uint64_t first = end - HEADS * SNCE_GRAIN_PAGES;
  const uint64_t cells = SNCE_CELLS_MAX, far = UINT64_C(60000000);
  uint64_t page = end;

  for (uint64_t i = HEADS; i-- > 0;) {
    snceStoreHead *head =
        snceRegion_Place(region, (first + i * SNCE_GRAIN_PAGES) * SNCE_PAGE);

    for (unsigned which = SNCE_CELL_CLASSES; which-- > 0;) {
      for (unsigned j = SNCE_SEGMENTS; j-- > 0;) {
        atomic_store(&head->segment[which][j], j < IN_A_ROW ? page : far);
        if (j < IN_A_ROW) {
          page +=
              SNCE_ALIGNED(snceCell_SegmentBytes(which, cells, j), SNCE_GRAIN) /
              SNCE_PAGE;
        }
      }
    }
  }
  for (uint32_t i = 1; i < SNCE_SERVERS; i++) {
    snceServerWords *entry = snceRegion_Server(region, i);

    for (unsigned backing = 0; backing < 2; backing++) {
      const uint64_t which = (2 * i + backing) * HEADS / (2 * SNCE_SERVERS);

      atomic_store(&entry->backing[backing].size, snceSize_Of(1, 1, 1, cells));
      atomic_store(&entry->pages[backing], snceWord_Pair(16, 16));
      atomic_store(&entry->backing[backing].store,
                   snceRange_Of(1, first + which * SNCE_GRAIN_PAGES));
      atomic_store(&entry->grown[backing], 1);
    }
  }
  atomic_store(&snceRegion_Header(region)->servers, SNCE_SERVERS);
}

uint64_t HeapBegin(void) { return SNCE_AT_HEAP; }
uint64_t TicketKeysOffset(void) { return SNCE_AT_TICKET_KEYS; }
uint64_t ReplayOffset(void) { return SNCE_AT_REPLAY; }
