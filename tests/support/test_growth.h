/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* test_growth.h: a table that grows, looked at from outside, and stopped at any
 * point of a split. In C, as the core's headers are. */
#ifndef SSLSNCE_TESTS_SUPPORT_TEST_GROWTH_H_
#define SSLSNCE_TESTS_SUPPORT_TEST_GROWTH_H_

#include "sslsnce/snce.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the size word of a cache's home says. */
typedef struct {
  uint64_t word;
  uint64_t pages; /* that it may have */
  uint64_t used;
  bool splitting, frozen;
} Growth;
Growth GrowthOf(snceCache cache);
void GrowthSet(snceCache cache, uint64_t word);
/* The word when one page more begins to come into use; when that is done; when
 * the table is being left. */
uint64_t GrowthBegun(uint64_t word);
uint64_t GrowthEnded(uint64_t word);
uint64_t GrowthFrozen(uint64_t word);
/* With how many pages a table of |pages| pages begins. */
uint64_t GrowthFirst(uint64_t pages);
/* The bytes of a page; its slots. */
uint64_t GrowthPageBytes(void);
uint64_t GrowthPageSlots(void);

/* snceSplit_Grow, as an insert at |now| calls it. */
void GrowthStep(snceCache cache, snceTime now);
/* What a process does that splits the last page and stops on its way: takes
 * over at most |most| sessions from the page that it is split from. Returns how
 * many it did. |keep|: the old ones stay, as if it stopped before it took each
 * out. */
unsigned GrowthMove(snceCache cache, unsigned most, bool keep);

/* How many slots have an entry under |id|, wherever they are in the table. */
unsigned GrowthCopies(snceCache cache, const uint8_t id[SNCE_ID_MAX]);
/* Where the entry under |id| is. */
typedef enum {
  GROWTH_NOWHERE,
  GROWTH_IN_PLACE, /* where inserts store it */
  GROWTH_IN_OLD, /* in the page that is being split, from where it will move */
  GROWTH_OUTSIDE /* where lookups do not look */
} GrowthPlace;
GrowthPlace GrowthWhere(snceCache cache, const uint8_t id[SNCE_ID_MAX]);
/* Does a session of that ID move when a table doubles the pages that it has, in
 * whichever of its sets it lies? That depends on the region's secret keys. */
bool GrowthMovesLast(const snceRegion* region, const uint8_t id[SNCE_ID_MAX]);
/* How many empty slots the emptier one of the two sets has where inserts store
 * it; with few, an insert makes the table grow. */
unsigned GrowthRoom(snceCache cache, const uint8_t id[SNCE_ID_MAX]);
#define GROWTH_CROWDED 3
/* The number of the first slot that has it; UINT64_MAX for none. */
uint64_t GrowthSlot(snceCache cache, const uint8_t id[SNCE_ID_MAX]);
/* The versions of all slots in use, |used| pages of them. */
void GrowthVersions(snceCache cache, uint64_t used, uint64_t* out);

#ifdef __cplusplus
}
#endif

#endif /* SSLSNCE_TESTS_SUPPORT_TEST_GROWTH_H_ */
