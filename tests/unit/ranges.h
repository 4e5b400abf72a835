/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* ranges.h: what the directory of a region says of the heap, for heap_test.cc.
 * In C, as the layout is. */
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

/* The table and the store of the home |home|, 0 or 1, of a virtual server. */
void GetRanges(const snceRegion *region, uint32_t number, int home,
               Range ranges[2]);
/* The segments of that store: up to |most| of them; returns how many. */
unsigned GetSegments(const snceRegion *region, uint32_t number, int home,
                     Range *out, unsigned most);
/* Makes every entry of the directory name as many ranges as it can, beyond the
 * end of the file, one after the other, the last one first. */
void NameManyRanges(const snceRegion *region);
/* Where the heap begins. */
uint64_t HeapBegin(void);

#ifdef __cplusplus
}
#endif

#endif /* SSLSNCE_TESTS_UNIT_RANGES_H_ */
