/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* libssl_floor.c: what is left of an operation of libssl.c without a cache?
 *
 *   libssl-floor WORK MODE PROCESSES ENTRIES OPERATIONS
 *
 * The part that libssl and the benchmark do with any cache:
 *
 *   hit     build an ID, make an empty session, free it
 *   miss    build an ID, set the error
 *   insert  make the socket's session a new one, and call a cache function that
 *           only marks it as cached
 *
 * No cache can be faster. Stock's time, divided by this, is the most that a
 * cache can gain. MODE, PROCESSES and ENTRIES only go into the row, so that it
 * stands beside those of libssl.c. */

#include "prerror.h"
#include "secport.h"
#include "socket.h"
#include "ssl.h"
#include "sslerr.h"

#define TIMED_NS UINT64_C(200000000)

typedef uint64_t (*operationsFn)(sslSocket *ss, uint64_t first, uint64_t count);

static uint64_t Hits(sslSocket *ss, uint64_t first, uint64_t count) {
  uint64_t done = 0;

  (void)ss;
  for (uint64_t i = 0; i < count; i++) {
    uint8_t id[SNCE_ID_MAX];
    sslSessionID *sid;

    bench_Id(first + i, id);
    sid = PORT_New(sslSessionID);
    if (!sid) {
      bench_Fail("no memory");
    }
    PORT_Memset(sid, 0, sizeof(*sid));
    memcpy(sid->u.ssl3.sessionID, id, sizeof(id));
    sid->references = 1;
    sid->cached = in_server_cache;
    done += sid->u.ssl3.sessionID[0] == id[0];
    ssl_FreeSID(sid);
  }
  return done;
}

static uint64_t Misses(sslSocket *ss, uint64_t first, uint64_t count) {
  uint64_t done = 0;

  (void)ss;
  for (uint64_t i = 0; i < count; i++) {
    uint8_t id[SNCE_ID_MAX];

    bench_Id(first + i, id);
    __asm__ volatile("" : : "r"(id) : "memory");
    PR_SetError(SSL_ERROR_SESSION_NOT_FOUND, 0);
    done += PR_GetError() == SSL_ERROR_SESSION_NOT_FOUND;
  }
  return done;
}

static void Nowhere(sslSessionID *sid) { sid->cached = in_server_cache; }

static uint64_t Inserts(sslSocket *ss, uint64_t first, uint64_t count) {
  uint64_t done = 0;

  ss->sec.cache = Nowhere;
  for (uint64_t i = 0; i < count; i++) {
    done += bench_Put(ss, first + i);
  }
  return done;
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    operationsFn operations;
  } works[] = {{"hit", Hits}, {"miss", Misses}, {"insert", Inserts}};
  benchRow row = {.question = "libssl", .subject = "floor"};
  uint64_t operations, done = 0, ns = 0;
  operationsFn run = NULL;
  sslSocket *ss;

  if (argc != 6) {
    bench_Fail("usage: libssl-floor WORK MODE PROCESSES ENTRIES OPERATIONS");
  }
  for (size_t i = 0; i < sizeof(works) / sizeof(*works); i++) {
    if (strcmp(works[i].name, argv[1]) == 0) {
      run = works[i].operations;
    }
  }
  if (!run) {
    bench_Fail("WORK is hit, miss or insert, not \"%s\"", argv[1]);
  }
  row.work = argv[1];
  row.mode = argv[2];
  row.processes = (unsigned)bench_Number("PROCESSES", argv[3], 16);
  row.entries = bench_Number("ENTRIES", argv[4], SNCE_ENTRIES_MAX);
  operations = bench_Number("OPERATIONS", argv[5], 1000000000);
  ss = bench_Socket(false);
  bench_Bind(0);
  (void)run(ss, 0, operations / 10 + 1);
  while (ns < TIMED_NS) {
    uint64_t begin = bench_Ns();

    if (run(ss, done, operations) != operations) {
      bench_Fail("not every operation was done");
    }
    ns += bench_Ns() - begin;
    done += operations;
  }
  bench_Row(&row, "ns", (double)ns / (double)done);
  return 0;
}
