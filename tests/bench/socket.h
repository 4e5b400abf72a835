/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* socket.h: a server's socket and its sessions, through the functions that
 * libssl itself calls. It is compiled with the internal headers of an NSS tree:
 * with NSS_SSL_SNCE ours, without it stock's. */
#ifndef SSLSNCE_TESTS_BENCH_SOCKET_H_
#define SSLSNCE_TESTS_BENCH_SOCKET_H_

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "bench.h"
#include "sslimpl.h"

#ifdef NSS_SSL_SNCE
#define BENCH_SUBJECT "ours"
#else
#define BENCH_SUBJECT "stock"
#endif

/* bench_Socket starts NSS without a database and returns a server's socket,
 * whose client is at bench_Address, with a session as protocol code makes it.
 * The socket's time is bench_Time, or the system's clock with |systemClock|. */
sslSocket *bench_Socket(bool systemClock);

/* bench_BecomeSession turns the socket's session into session |serial|, as a
 * new handshake does: the ID and the secret are new, and the rest is the
 * same. */
static inline void bench_BecomeSession(sslSocket *ss, uint64_t serial) {
  sslSessionID *sid = ss->sec.ci.sid;

  bench_Id(serial, sid->u.ssl3.sessionID);
  memcpy(sid->u.ssl3.keys.wrapped_master_secret, &serial, sizeof(serial));
  sid->cached = never_cached;
}

/* bench_Put stores session |serial|. Returns false if the cache did not take
 * it. */
static inline bool bench_Put(sslSocket *ss, uint64_t serial) {
  bench_BecomeSession(ss, serial);
  ssl_CacheSessionID(ss);
  return ss->sec.ci.sid->cached == in_server_cache;
}

/* bench_Drop removes the session |serial|. */
static inline void bench_Drop(sslSocket *ss, uint64_t serial) {
  bench_BecomeSession(ss, serial);
  ssl_UncacheSessionID(ss);
}

/* bench_Find looks session |serial| up as the ClientHello's handler does, and
 * frees it. Returns true if it found a session, and stores the serial in that
 * session in |*found|. */
static inline bool bench_Find(sslSocket *ss, uint64_t serial, uint64_t *found) {
  uint8_t id[SNCE_ID_MAX];
  SECItem item = {siBuffer, id, sizeof(id)};
  sslSessionID *sid;

  bench_Id(serial, id);
#ifdef NSS_SSL_SNCE
  sid = ssl_LookupServerSession(ss, &item);
#else
  sid = ssl_sid_lookup(ssl_Time(ss), &ss->sec.ci.peer, item.data, item.len,
                       ss->dbHandle);
#endif
  if (!sid) {
    return false;
  }
  memcpy(found, sid->u.ssl3.keys.wrapped_master_secret, sizeof(*found));
  ssl_FreeSID(sid);
  return true;
}

#endif /* SSLSNCE_TESTS_BENCH_SOCKET_H_ */
