/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* peers.h: what the load of peers.c needs from who bears it. */
#ifndef SSLSNCE_TESTS_BENCH_PEERS_H_
#define SSLSNCE_TESTS_BENCH_PEERS_H_

#include <stdbool.h>
#include <stdint.h>

#include "bench.h"

/* peerRecord is what the peers keep under the session's ID: everything else
 * that an snceSession has. What lasts longer than a call is kept for all of
 * them in the same bytes, whatever they compare of it. */
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

/* peer_Record makes |*out| of |*session|. */
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

/* peer_IsLive says what a lookup must ask of a record before it is used: did
 * it expire, and is it that client's? Ours asks the same of itself. */
static inline bool peer_IsLive(const peerRecord *record) {
  return record->expires > bench_Time.usec &&
         memcmp(record->address, bench_Address, sizeof(bench_Address)) == 0;
}

/* What a peer says about itself when all is done; PEER_UNKNOWN where it does
 * not count that. */
typedef struct {
  uint64_t there; /* records now */
  uint64_t hits;
  uint64_t puts;
  uint64_t lost; /* evicted, expired */
} peerSums;

#define PEER_UNKNOWN UINT64_MAX

/* Who bears the load. A call that fails for another reason than that nothing is
 * there ends the process with a complaint. */
typedef struct {
  const char *name;
  /* Makes it, empty, with room for |entries|; files go into |directory|. */
  void (*start)(const char *directory, uint64_t entries);
  /* Each process that uses it joins before and leaves after. */
  void (*join)(void);
  void (*leave)(void);
  void (*put)(const snceSession *session);
  /* Returns the state in a copy of the record, good until the next call, or
   * NULL if there is none. */
  const uint8_t *(*get)(const uint8_t id[SNCE_ID_MAX]);
  bool (*remove)(const uint8_t id[SNCE_ID_MAX]);
  void (*sums)(peerSums *out);
  /* Ends what start began; also after a failure, and twice. */
  void (*stop)(void);
} peerSubject;

extern const peerSubject peer_Lmdb;
extern const peerSubject peer_Memcached;
extern const peerSubject peer_Redis;

/* The files that they make in the directory, for removing. */
#define PEER_LMDB_FILES "data.mdb", "lock.mdb"
#define PEER_SOCKET "socket"

#endif /* SSLSNCE_TESTS_BENCH_PEERS_H_ */
