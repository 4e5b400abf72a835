/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* ranges.h: the ranges of the heap that a region's directory names, for
 * heap_test.cc. In C, as the layout is. */
#ifndef SSLSNCE_TESTS_UNIT_RANGES_H_
#define SSLSNCE_TESTS_UNIT_RANGES_H_

#include "sslsnce/snce.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  uint64_t offset; /* 0: none */
  uint64_t bytes;
} Range;

/* Reads the ranges of the table and of the store of |backing|, 0 or 1, a
 * backing store of a virtual server. */
void GetRanges(const snceRegion *region, uint32_t number, int backing,
               Range ranges[2]);
/* Reads the segments of that store, at most |most|; returns how many. */
unsigned GetSegments(const snceRegion *region, uint32_t number, int backing,
                     Range *out, unsigned most);
/* Makes every entry of the directory name as many ranges as it can. They lie
 * beyond the end of the file, one after the other, the last one first. */
void NameManyRanges(const snceRegion *region);
/* Where the heap begins. */
uint64_t HeapBegin(void);
/* Where the ticket keys lie. */
uint64_t TicketKeysOffset(void);
/* Where the filters for early data lie: 8 heads of 8 words, and from 4096 bytes
 * on 32,768 pairs of words. */
uint64_t ReplayOffset(void);

#ifdef __cplusplus
}
#endif

#endif /* SSLSNCE_TESTS_UNIT_RANGES_H_ */
