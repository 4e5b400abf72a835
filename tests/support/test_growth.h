/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* test_growth.h: reads the state of a growing table, and stops a split at any
 * point. In C, as the core's headers are. */
#ifndef SSLSNCE_TESTS_SUPPORT_TEST_GROWTH_H_
#define SSLSNCE_TESTS_SUPPORT_TEST_GROWTH_H_

#include "sslsnce/snce.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The size word of a cache's backing store, decoded. */
typedef struct {
  uint64_t word;
  uint64_t pages; /* how many the table may have */
  uint64_t used;
  bool splitting, frozen;
} Growth;
Growth GrowthOf(snceCache cache);
void GrowthSet(snceCache cache, uint64_t word);
/* The word after |word| when a split begins, when the split ends, and when the
 * table is frozen because the cache moves. */
uint64_t GrowthBegun(uint64_t word);
uint64_t GrowthEnded(uint64_t word);
uint64_t GrowthFrozen(uint64_t word);
/* How many pages a table of |pages| pages uses at first. */
uint64_t GrowthFirst(uint64_t pages);
/* The bytes of a page; its number of slots. */
uint64_t GrowthPageBytes(void);
uint64_t GrowthPageSlots(void);

/* snceSplit_Grow, as an insert at |now| calls it. */
void GrowthStep(snceCache cache, snceTime now);
/* Does what a process does that splits the last page and stops on the way:
 * copies at most |most| sessions from the old page to the new one. Returns how
 * many it copied. |keep| leaves the old copies, as if the process stopped
 * before it took each one out. */
unsigned GrowthMove(snceCache cache, unsigned most, bool keep);

/* How many slots have an entry under |id|, wherever they are in the table. */
unsigned GrowthCopies(snceCache cache, const uint8_t id[SNCE_ID_MAX]);
/* Where the entry under |id| lies. */
typedef enum {
  GROWTH_NOWHERE,
  GROWTH_IN_PLACE, /* where inserts store it */
  GROWTH_IN_OLD,   /* in the old page of a split, from which it will move */
  GROWTH_OUTSIDE   /* where no lookup looks */
} GrowthPlace;
GrowthPlace GrowthWhere(snceCache cache, const uint8_t id[SNCE_ID_MAX]);
/* Whether a session with that ID moves when a table doubles its pages, in
 * whichever of its sets it lies. That depends on the region's secret keys. */
bool GrowthMovesLast(const snceRegion* region, const uint8_t id[SNCE_ID_MAX]);
/* Whether one of its two sets changes with the next page that comes into
 * use. */
bool GrowthReaches(snceCache cache, const uint8_t id[SNCE_ID_MAX]);
/* Whether an insert may store it in the set of |slot|. */
bool GrowthFits(snceCache cache, const uint8_t id[SNCE_ID_MAX], uint64_t slot);
/* How many empty slots the emptier of the ID's two sets has. With few, an
 * insert makes the table grow. */
unsigned GrowthRoom(snceCache cache, const uint8_t id[SNCE_ID_MAX]);
#define GROWTH_CROWDED 3
/* The number of the first slot that holds it; UINT64_MAX if none does. */
uint64_t GrowthSlot(snceCache cache, const uint8_t id[SNCE_ID_MAX]);
/* Writes the version words of all slots in use, |used| pages of them, to
 * |out|. */
void GrowthVersions(snceCache cache, uint64_t used, uint64_t* out);

#ifdef __cplusplus
}
#endif

#endif /* SSLSNCE_TESTS_SUPPORT_TEST_GROWTH_H_ */
