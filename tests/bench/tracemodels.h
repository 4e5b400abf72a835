/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* tracemodels.h: caches that ours is measured against, as models.
 *
 * A model keeps no sessions, only who has one in the cache: each client offers
 * the one that it got last, so there is at most one that counts for each. What
 * is met and has expired is a miss and taken out. */
#ifndef SSLSNCE_TESTS_BENCH_TRACEMODELS_H_
#define SSLSNCE_TESTS_BENCH_TRACEMODELS_H_

#include "tracesource.h"

/* inserts = live + evicted + expired + given up. */
typedef struct {
  uint64_t hits;
  uint64_t inserts;
  uint64_t live;
  uint64_t evicted; /* to make room */
  uint64_t expired; /* taken out after that */
  uint64_t givenUp; /* known never to be of use again */
} traceSums;

typedef struct traceModelStr traceModel;

typedef struct {
  const char *subject;
  const void *variant; /* for |make| */
  /* A cache of |entries| for the clients of one server of |t|, which must stay
   * as long as the model. */
  traceModel *(*make)(const trace *t, unsigned server, uint64_t entries,
                      const void *variant);
  /* Goes through the visit; tells whether the session was resumed. */
  bool (*visit)(traceModel *m, uint32_t visit);
  /* Counts again what is live. */
  void (*sums)(const traceModel *m, traceSums *out);
  void (*end)(traceModel *m);
} traceKind;

/* Exact LRU, SIEVE, CLOCK, S3-FIFO; and the best possible, which knows the
 * future. All of them put an expired session out before a live one. */
extern const traceKind traceModels_List[];
extern const unsigned traceModels_ListCount;
extern const traceKind traceModels_Lru;
extern const traceKind traceModels_Belady;

/* What stock NSS does: sets of 128, chosen by the ID, each a ring. Its own
 * timeouts do nothing; here they work, or it would resume what it must not. */
extern const traceKind traceSets_Stock;

/* Our table with the rules of replacement that were compared. */
extern const traceKind traceSets_Ours[];
extern const unsigned traceSets_OursCount;

#endif /* SSLSNCE_TESTS_BENCH_TRACEMODELS_H_ */
