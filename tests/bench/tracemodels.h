/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* tracemodels.h: models of the caches that ours is compared with.
 *
 * A model keeps no sessions, only which clients have one in the cache: a client
 * always offers the session that it got last, so only one session of each
 * client counts. A session that is offered after its expiry is a miss and is
 * taken out. */
#ifndef SSLSNCE_TESTS_BENCH_TRACEMODELS_H_
#define SSLSNCE_TESTS_BENCH_TRACEMODELS_H_

#include "tracesource.h"

/* traceSums balance: inserts = live + evicted + expired + givenUp. */
typedef struct {
  uint64_t hits;
  uint64_t inserts;
  uint64_t live;
  uint64_t evicted; /* taken out live, to make room */
  uint64_t expired; /* taken out after their expiry */
  uint64_t givenUp; /* taken out because no visit will use them */
} traceSums;

typedef struct traceModelStr traceModel;

typedef struct {
  const char *subject;
  const void *variant; /* argument of |make| */
  /* Makes a cache of |entries| for the clients of one server of |t|. |t| must
   * live as long as the model. */
  traceModel *(*make)(const trace *t, unsigned server, uint64_t entries,
                      const void *variant);
  /* Plays visit number |visit|. Returns whether its session was resumed. */
  bool (*visit)(traceModel *m, uint32_t visit);
  /* Returns the sums; counts the live sessions anew. */
  void (*sums)(const traceModel *m, traceSums *out);
  void (*end)(traceModel *m);
} traceKind;

/* Exact LRU, SIEVE, CLOCK, S3-FIFO; and the best possible, which knows the
 * future. All of them take an expired session out before they evict a live
 * one. */
extern const traceKind traceModels_List[];
extern const unsigned traceModels_ListCount;
extern const traceKind traceModels_Lru;
extern const traceKind traceModels_Belady;

/* Stock NSS: sets of 128 entries, chosen by the ID, each a ring. Stock's
 * timeouts do not work; in the model they do, because else it would resume
 * expired sessions. */
extern const traceKind traceSets_Stock;

/* Our table, with each rule of replacement that was compared. */
extern const traceKind traceSets_Ours[];
extern const unsigned traceSets_OursCount;

#endif /* SSLSNCE_TESTS_BENCH_TRACEMODELS_H_ */
