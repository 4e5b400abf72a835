/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* peers.h: the operations that the load of peers.c needs of each peer. */
#ifndef SSLSNCE_TESTS_BENCH_PEERS_H_
#define SSLSNCE_TESTS_BENCH_PEERS_H_

#include <stdbool.h>
#include <stdint.h>

#include "bench.h"

/* peerRecord is the value that the peers keep under the session's ID: all other
 * fields of an snceSession that outlive a call. All peers store the same bytes,
 * whichever of them they compare. */
typedef struct {
  uint64_t idLen;
  uint8_t address[SNCE_ADDRESS_BYTES];
  uint64_t sessionClass;
  int64_t created;
  int64_t lastAccess;
  int64_t expires;
  uint8_t state[SNCE_STATE_BYTES];
  uint64_t certificateLen;
  uint64_t nameLen;
  uint64_t name; /* a hash of it */
} peerRecord;

_Static_assert(sizeof(peerRecord) == 176, "a record has no holes");

/* peer_Record fills in |*out| from |*session|. */
static inline void peer_Record(const snceSession *session, peerRecord *out) {
  out->idLen = session->idLen;
  memcpy(out->address, session->address, sizeof(out->address));
  out->sessionClass = session->sessionClass;
  out->created = session->created.usec;
  out->lastAccess = session->lastAccess.usec;
  out->expires = session->created.usec + INT64_C(86400000000);
  memcpy(out->state, session->state, sizeof(out->state));
  out->certificateLen = session->certificate.len;
  out->nameLen = session->nameLen;
  out->name = 0;
}

/* peer_IsLive returns whether a lookup may use the record: it has not expired,
 * and its client address is the right one. Ours checks the same itself. */
static inline bool peer_IsLive(const peerRecord *record) {
  return record->expires > bench_Time.usec &&
         memcmp(record->address, bench_Address, sizeof(bench_Address)) == 0;
}

/* peerSums are a peer's own counts after the run; PEER_UNKNOWN if it does not
 * count that. */
typedef struct {
  uint64_t there; /* records at the end */
  uint64_t hits;
  uint64_t puts;
  uint64_t lost; /* evicted, expired */
} peerSums;

#define PEER_UNKNOWN UINT64_MAX

/* peerSubject is a peer. A call that fails ends the process with a message; a
 * record that is not there is not a failure. */
typedef struct {
  const char *name;
  /* Makes an empty store with room for |entries|; files go into |directory|. */
  void (*start)(const char *directory, uint64_t entries);
  /* Each process that uses it joins before and leaves after. */
  void (*join)(void);
  void (*leave)(void);
  void (*put)(const snceSession *session);
  /* Returns the state in a copy of the record, valid until the next call, or
   * NULL if there is no record. */
  const uint8_t *(*get)(const uint8_t id[SNCE_ID_MAX]);
  bool (*remove)(const uint8_t id[SNCE_ID_MAX]);
  void (*sums)(peerSums *out);
  /* Ends the store. May be called after a failure, and twice. */
  void (*stop)(void);
} peerSubject;

extern const peerSubject peer_Lmdb;
extern const peerSubject peer_Memcached;
extern const peerSubject peer_Redis;

/* The files that the peers make in the directory; peers.c removes them. */
#define PEER_LMDB_FILES "data.mdb", "lock.mdb"
#define PEER_SOCKET "socket"

#endif /* SSLSNCE_TESTS_BENCH_PEERS_H_ */
