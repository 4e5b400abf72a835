/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* servers.c: what does it cost to choose among 1,024 virtual servers by the
 * name in a ClientHello?
 *
 *   servers MODE ENTRIES OPERATIONS
 *
 * Every ClientHello has a name, one of 1,024 in random order; every session was
 * made under one. MODE says where the sessions are:
 *
 *   sni1024              1,024 virtual servers share ENTRIES; the name chooses
 *   bound                the same, but each socket is bound to its server
 *   default-without-any  the default cache has ENTRIES; there are no others
 *
 * sni1024 and bound differ only in the choice. Rows, in ns:
 *
 *   hit   the work of libssl for a ClientHello that offers a session: note the
 *         name and choose; look up; compare the names; free the session
 *   note  the first of these alone
 *
 * OPERATIONS of each take turns until 0.2 s of each have been timed. The
 * sessions fill 60 % of ENTRIES. */

#include <stdio.h>

#include "prerror.h"
#include "socket.h"
#include "ssl.h"
#include "ssl3ext.h"
#include "sslsnce/sslsnce.h"

#define SERVERS 1024
#define TIMED_NS UINT64_C(200000000)
#define HELLO_HEADER 5 /* bytes of a ServerNameList before its only name */

typedef struct {
  char name[32];
  uint8_t hello[HELLO_HEADER + 32];
  uint32_t helloLen;
  sslServerCacheId bound;
} server;

static server servers[SERVERS];

static void Name(server *one, unsigned number) {
  uint32_t len = (uint32_t)snprintf(one->name, sizeof(one->name),
                                    "www.host%u.example.org", number);

  one->helloLen = HELLO_HEADER + len;
  one->hello[1] = (uint8_t)(len + 3);
  one->hello[2] = sni_nametype_hostname;
  one->hello[4] = (uint8_t)len;
  memcpy(one->hello + HELLO_HEADER, one->name, len);
}

/* Adds the virtual server, and saves the state of a socket that is bound to
 * it. */
static void Add(sslSocket *ss, server *one, uint64_t entries) {
  SSLServerCacheParams params = {.length = sizeof(params),
                                 .entries = (uint32_t)entries};

  if (SSL_AddServerCache(one->name, &params) != SECSuccess ||
      SSL_BindServerCache(ss->fd, one->name) != SECSuccess) {
    bench_Fail("no virtual server: %s", PR_ErrorToName(PR_GetError()));
  }
  one->bound = ss->sec.boundCache;
}

/* Does what libssl does with a ClientHello for |one| until it has noted the
 * server's name. */
static inline void Hello(sslSocket *ss, TLSExtension *extension, server *one) {
  extension->data.data = one->hello;
  extension->data.len = one->helloLen;
  if (ss->sec.boundToCache) {
    ss->sec.boundCache = one->bound;
  }
  ssl_NoteServerOrigin(ss);
}

static uint64_t Fill(sslSocket *ss, TLSExtension *extension, uint64_t stored) {
  uint64_t puts = 0;

  for (uint64_t serial = 0; serial < stored; serial++) {
    Hello(ss, extension, &servers[serial % SERVERS]);
    ss->sec.ci.sid->origin = ss->sec.origin;
    puts += bench_Put(ss, serial);
  }
  return puts;
}

__attribute__((noinline)) static double Hits(sslSocket *ss,
                                             TLSExtension *extension,
                                             uint64_t stored, uint64_t count,
                                             uint64_t *last) {
  uint64_t wrong = 0, begin = bench_Ns();

  for (uint64_t i = 0; i < count; i++) {
    uint64_t serial = bench_Range(bench_Mix(*last + i), stored);
    uint8_t id[SNCE_ID_MAX];
    SECItem item = {siBuffer, id, sizeof(id)};
    sslSessionID *sid;

    Hello(ss, extension, &servers[serial % SERVERS]);
    bench_Id(serial, id);
    sid = ssl_LookupServerSession(ss, &item);
    if (!sid || !ssl_IsOfServerOrigin(ss, sid)) {
      bench_Fail("session %llu was not found", (unsigned long long)serial);
    }
    memcpy(last, sid->u.ssl3.keys.wrapped_master_secret, sizeof(*last));
    ssl_FreeSID(sid);
    wrong += *last != serial;
  }
  begin = bench_Ns() - begin;
  if (wrong) {
    bench_Fail("%llu sessions were others", (unsigned long long)wrong);
  }
  return (double)begin;
}

__attribute__((noinline)) static double Notes(sslSocket *ss,
                                              TLSExtension *extension,
                                              uint64_t stored, uint64_t count,
                                              uint64_t *last) {
  uint64_t wrong = 0, begin = bench_Ns();

  for (uint64_t i = 0; i < count; i++) {
    uint64_t serial = bench_Range(bench_Mix(*last + i), stored);
    server *one = &servers[serial % SERVERS];

    Hello(ss, extension, one);
    wrong += ss->sec.origin.cache.number != one->bound.number;
    *last = serial + ss->sec.origin.nameLen;
  }
  begin = bench_Ns() - begin;
  if (wrong) {
    bench_Fail("%llu names chose others' servers", (unsigned long long)wrong);
  }
  return (double)begin;
}

/* Fails if the caches' figures do not add up to the sessions stored and
 * found. */
static void CheckFigures(bool withServers, uint64_t stored, uint64_t hits) {
  SSLServerCacheFigures f;

  for (unsigned i = 0; i < (withServers ? SERVERS : 1); i++) {
    if (SSL_GetServerCacheFigures(withServers ? servers[i].name : NULL, &f,
                                  sizeof(f)) != SECSuccess) {
      bench_Fail("no figures: %s", PR_ErrorToName(PR_GetError()));
    }
    stored -= f.inserts;
    hits -= f.hits;
    if (f.live != f.inserts || f.missesUnknown || f.missesName) {
      bench_Fail("sessions went astray");
    }
  }
  if (stored || hits) {
    bench_Fail("the figures do not add up");
  }
}

int main(int argc, char **argv) {
  benchRow row = {.question = "servers", .subject = BENCH_SUBJECT};
  uint64_t operations, room, stored, done = 0, last = 0;
  double hitNs = 0, noteNs = 0;
  bool withServers, bound;
  TLSExtension extension = {.type = ssl_server_name_xtn};
  sslSocket *ss;

  if (argc != 4) {
    bench_Fail("usage: servers MODE ENTRIES OPERATIONS");
  }
  row.mode = argv[1];
  bound = strcmp(row.mode, "bound") == 0;
  withServers = bound || strcmp(row.mode, "sni1024") == 0;
  if (!withServers && strcmp(row.mode, "default-without-any") != 0) {
    bench_Fail("MODE is sni1024, bound or default-without-any, not \"%s\"",
               row.mode);
  }
  row.entries = bench_Number("ENTRIES", argv[2], SNCE_ENTRIES_MAX);
  operations = bench_Number("OPERATIONS", argv[3], 1000000000);
  room = row.entries / SERVERS;
  stored = room * 6 / 10 * SERVERS;
  if (stored == 0) {
    bench_Fail("ENTRIES are too few for %d servers", SERVERS);
  }

  ss = bench_Socket(false);
  if (SSL_ConfigServerSessionIDCache((int)row.entries, 100, 86400, NULL) !=
      SECSuccess) {
    bench_Fail("no cache: %s", PR_ErrorToName(PR_GetError()));
  }
  for (unsigned i = 0; i < SERVERS; i++) {
    Name(&servers[i], i);
    if (withServers) {
      Add(ss, &servers[i], room);
    }
  }
  ss->sec.boundToCache = bound;
  PR_APPEND_LINK(&extension.link, &ss->ssl3.hs.remoteExtensions);
  if (Fill(ss, &extension, stored) != stored) {
    bench_Fail("not all of %llu sessions were stored",
               (unsigned long long)stored);
  }

  bench_Bind(0);
  (void)Hits(ss, &extension, stored, operations, &last);
  while (hitNs < TIMED_NS || noteNs < TIMED_NS) {
    hitNs += Hits(ss, &extension, stored, operations, &last);
    noteNs += Notes(ss, &extension, stored, operations, &last);
    done += operations;
  }
  CheckFigures(withServers, stored, done + operations);
  row.work = "hit";
  bench_Row(&row, "ns", hitNs / (double)done);
  row.work = "note";
  bench_Row(&row, "ns", noteNs / (double)done);
  PR_REMOVE_LINK(&extension.link);
  return 0;
}
