/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* traces.c: of the sessions that clients offer, how many does a cache still
 * have?
 *
 *   traces CLIENTS SEED [TRACE]
 *
 * Each trace (tracesource.h), for about CLIENTS clients that come back, runs
 * through our cache and through models of others (tracemodels.h), all of which
 * have the same number of bytes. A client that comes back offers the session
 * that it got last. If that is not there, or has expired, there is a full
 * handshake and a new session under a new ID. The value of a row is the
 * percentage resumed of all sessions that were offered, expired or not; its
 * mode is the size of the cache in percent of CLIENTS.
 *
 *   ours               the core
 *   belady             the best possible, which knows the future
 *   lru ... clock      exact, over all entries
 *   stock              in as many bytes as ours took, certificates included
 *   stock-entries      with as many entries as ours was asked for
 *   table-...          models of our table, with rules of replacement */

#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "tracemodels.h"

/* Bytes of a session, certificates aside. In ours ten slots take 2048 bytes,
 * hints included. An exact LRU gets as many entries: after 192 bytes for the
 * record it has 12.8 for two links and its part of an index. Stock's figure was
 * measured, in one process; there a certificate takes another cell, whatever
 * its size. */
#define SLOT_BYTES 204.8
#define STOCK_BYTES 523.0
#define STOCK_CELL 4096.0

/* ---- ours ---------------------------------------------------------------- */

/* The result of one run of ours. */
typedef struct {
  uint64_t hits;
  uint64_t slots[TRACE_SERVERS];
  double certificateBytes;
} outcome;

typedef struct {
  const trace *t;
  snceRegion *region;
  snceCache cache[TRACE_SERVERS];
  uint64_t *last; /* by client: serial of its last session, or 0 */
} ours;

static snceTime At(uint32_t ms) {
  snceTime time = {bench_Time.usec + (int64_t)ms * 1000};

  return time;
}

static void Open(ours *o, const trace *t, uint64_t entries) {
  snceResult result = SNCE_OK;

  memset(o, 0, sizeof(*o));
  o->t = t;
  for (unsigned s = 0; s < t->servers && result == SNCE_OK; s++) {
    snceCacheOptions options = {.entries = entries, .matchAddress = true};
    char name[2] = {(char)('a' + s), 0};
    snceServerId id;

    memcpy(options.timeoutSec, t->timeoutSec[s], sizeof(options.timeoutSec));
    if (s == 0) {
      result = snceRegion_Create(&o->region, &options, false);
      if (result == SNCE_OK) {
        o->cache[s] = snceRegion_DefaultCache(o->region);
      }
    } else {
      result =
          snceServer_Add(o->region, (const uint8_t *)name, 1, &options, &id);
      if (result == SNCE_OK) {
        o->cache[s] = snceRegion_Cache(o->region, id);
      }
    }
  }
  if (result != SNCE_OK) {
    bench_Fail("no cache of %llu: %s", (unsigned long long)entries,
               snceResult_Text(result));
  }
  o->last = calloc(t->clientCount, sizeof(*o->last));
  if (!o->last) {
    bench_Fail("no memory for %u clients", t->clientCount);
  }
}

/* Offers the client's session. Returns true if it resumed; fails if another
 * session came. */
static bool Offer(const ours *o, uint32_t client, snceTime now) {
  static uint8_t wanted[TRACE_CERTIFICATE_MAX], found[TRACE_CERTIFICATE_MAX];
  snceSession session = {.certificate = {found, 0, sizeof(found)}};
  const traceClient *c = &o->t->clients[client];
  uint64_t serial = o->last[client];
  snceKey key = {.idLen = SNCE_ID_MAX};
  uint8_t id[SNCE_ID_MAX];
  snceResult result;
  size_t len;

  bench_Id(serial, id);
  key.id = id;
  memcpy(key.address, bench_Address, sizeof(key.address));
  result = snceCache_Lookup(o->cache[c->server], &key, now, &session);
  if (result == SNCE_MISS) {
    return false;
  }
  len = traceSource_Certificate(c->certificate, wanted);
  if (result != SNCE_OK || !bench_IsSession(&session, serial) ||
      session.expires.usec <= now.usec || session.certificate.len != len ||
      memcmp(wanted, found, len) != 0) {
    bench_Fail("a lookup of %llu gave %s, or something else",
               (unsigned long long)serial, snceResult_Text(result));
  }
  return true;
}

static void Insert(const ours *o, uint32_t client, snceTime now) {
  static uint8_t certificate[TRACE_CERTIFICATE_MAX];
  const traceClient *c = &o->t->clients[client];
  snceSession session;
  snceResult result;

  bench_Session(o->last[client], &session);
  session.sessionClass = (snceClass)c->sessionClass;
  session.created = session.lastAccess = now;
  session.certificate.data = certificate;
  session.certificate.len =
      traceSource_Certificate(c->certificate, certificate);
  result = snceCache_Insert(o->cache[c->server], &session, now);
  if (result != SNCE_OK) {
    bench_Fail("an insert ended: %s", snceResult_Text(result));
  }
}

/* Fails if sums do not balance: each session that was stored is live or was
 * counted when it left, and each offer was a hit or a miss. */
static void CheckFigures(const ours *o, uint64_t offered, outcome *out) {
  uint64_t inserts = 0, hits = 0, asked = 0;

  for (unsigned s = 0; s < o->t->servers; s++) {
    snceFigures f;

    if (snceCache_GetFigures(o->cache[s], &f) != SNCE_OK ||
        f.inserts != f.live + f.replacedExpired + f.replacedLive + f.removals +
                         f.wiped ||
        f.wiped < f.missesExpired || f.live > f.slots || f.dropped ||
        f.refused || f.corrupt || f.reclaimed) {
      bench_Fail("the figures of cache %u do not add up", s);
    }
    inserts += f.inserts;
    hits += f.hits;
    asked += f.hits + f.missesUnknown + f.missesExpired + f.missesCertificate;
    out->slots[s] = f.slots;
  }
  if (hits != out->hits || asked != offered ||
      inserts != o->t->visitCount - hits) {
    bench_Fail("the caches counted otherwise");
  }
}

static void RunOurs(const trace *t, uint64_t entries, outcome *out) {
  uint64_t serial = 0, offered = 0, before;
  double table = 0, taken;
  ours o;

  memset(out, 0, sizeof(*out));
  Open(&o, t, entries);
  before = snceRegion_ResidentBytes(o.region);
  for (uint32_t i = 0; i < t->visitCount; i++) {
    uint32_t client = t->visits[i].client;
    snceTime now = At(t->visits[i].ms);

    if (o.last[client]) {
      offered++;
      if (Offer(&o, client, now)) {
        out->hits++;
        continue;
      }
    }
    o.last[client] = ++serial;
    Insert(&o, client, now);
  }
  if (offered != t->offers) {
    bench_Fail("the trace's offers do not add up");
  }
  CheckFigures(&o, offered, out);

  /* The cache took no more memory than SLOT_BYTES for each slot, and a page for
   * each beginning and end of a range, and the counters' lanes. */
  for (unsigned s = 0; s < t->servers; s++) {
    table += (double)out->slots[s] * SLOT_BYTES;
  }
  taken = (double)(snceRegion_ResidentBytes(o.region) - before);
  if (t->clients[0].certificate) {
    out->certificateBytes = taken > table ? taken - table : 0;
  } else if (taken > table + 16 * 4096 * t->servers) {
    bench_Fail("%.0f bytes were taken, not %.0f", taken, table);
  }
  free(o.last);
  snceRegion_Close(o.region);
}

/* ---- models -------------------------------------------------------------- */

/* Runs the trace through a model with |entries| for each server, or with
 * |pooled| through one cache for all of them. Returns the hits. */
static uint64_t RunModel(const trace *t, const traceKind *kind,
                         uint64_t entries, bool pooled) {
  unsigned servers = pooled ? 1 : t->servers;
  traceModel *m[TRACE_SERVERS];
  uint64_t hits = 0, counted = 0, inserts = 0;

  for (unsigned s = 0; s < servers; s++) {
    m[s] = kind->make(t, s, pooled ? entries * t->servers : entries,
                      kind->variant);
  }
  for (uint32_t i = 0; i < t->visitCount; i++) {
    unsigned s = pooled ? 0 : t->clients[t->visits[i].client].server;

    hits += kind->visit(m[s], i);
  }
  for (unsigned s = 0; s < servers; s++) {
    traceSums sums;

    kind->sums(m[s], &sums);
    counted += sums.hits;
    inserts += sums.inserts;
    if (sums.inserts !=
        sums.live + sums.evicted + sums.expired + sums.givenUp) {
      bench_Fail("%s: the sums of %s do not balance", t->name, kind->subject);
    }
    kind->end(m[s]);
  }
  if (hits != counted || hits + inserts != t->visitCount) {
    bench_Fail("%s: %s counted otherwise", t->name, kind->subject);
  }
  return hits;
}

/* ---- rows ---------------------------------------------------------------- */

typedef struct {
  benchRow row;
  const trace *t;
  uint64_t best; /* Belady's hits */
} table;

static void Row(table *to, const char *subject, uint64_t hits) {
  /* If sessions expire, the best possible is only nearly the best
   * (tracemodels.c). */
  if (hits > to->best && !to->t->expires) {
    bench_Fail("%s, %s: %s resumed %llu, the best possible %llu", to->t->name,
               to->row.mode, subject, (unsigned long long)hits,
               (unsigned long long)to->best);
  }
  to->row.subject = subject;
  bench_Row(&to->row, "percent", 100.0 * (double)hits / (double)to->t->offers);
}

static void RunSize(const trace *t, uint32_t percent) {
  char mode[16];
  table to = {.row = {.question = "traces", .work = t->name, .mode = mode},
              .t = t};
  uint64_t slots, stock;
  outcome result;
  double bytes;

  snprintf(mode, sizeof(mode), "%u%%", percent);
  to.row.entries = (uint64_t)t->regulars * percent / 100 / t->servers;
  if (to.row.entries == 0) {
    to.row.entries = 1;
  }
  RunOurs(t, to.row.entries, &result);
  slots = result.slots[0];
  bytes = (double)slots * SLOT_BYTES + result.certificateBytes;
  stock = (uint64_t)(bytes / (STOCK_BYTES +
                              (t->clients[0].certificate ? STOCK_CELL : 0)));

  to.best = RunModel(t, &traceModels_Belady, slots, false);
  Row(&to, "belady", to.best);
  Row(&to, "ours", result.hits);
  Row(&to, "lru", RunModel(t, &traceModels_Lru, slots, false));
  for (unsigned i = 0; i < traceModels_ListCount; i++) {
    Row(&to, traceModels_List[i].subject,
        RunModel(t, &traceModels_List[i], slots, false));
  }
  Row(&to, "stock", RunModel(t, &traceSets_Stock, stock, true));
  Row(&to, "stock-entries",
      RunModel(t, &traceSets_Stock, to.row.entries, true));
  for (unsigned i = 0; i < traceSets_OursCount; i++) {
    Row(&to, traceSets_Ours[i].subject,
        RunModel(t, &traceSets_Ours[i], slots, false));
  }
}

/* Fails if LRU with room for all clients is not as good as the best
 * possible. */
static void CheckUnlimited(const trace *t) {
  uint64_t best = RunModel(t, &traceModels_Belady, t->clientCount, false);

  if (RunModel(t, &traceModels_Lru, t->clientCount, false) != best) {
    bench_Fail("%s: LRU without limit is not the best possible", t->name);
  }
  for (unsigned i = 0; i < traceModels_ListCount; i++) {
    if (RunModel(t, &traceModels_List[i], t->clientCount, false) != best) {
      bench_Fail("%s: %s without limit is not the best possible", t->name,
                 traceModels_List[i].subject);
    }
  }
}

int main(int argc, char **argv) {
  uint64_t clients, seed;
  bool any = false;

  if (argc != 3 && argc != 4) {
    bench_Fail("usage: traces CLIENTS SEED [TRACE]");
  }
  clients = bench_Number("CLIENTS", argv[1], 10000000);
  seed = bench_Number("SEED", argv[2], UINT64_MAX);
  for (unsigned i = 0; traceSource_Name(i); i++) {
    trace t;

    if (argc == 4 && strcmp(argv[3], traceSource_Name(i)) != 0) {
      continue;
    }
    any = true;
    traceSource_Make(&t, i, (uint32_t)clients, seed);
    CheckUnlimited(&t);
    for (unsigned k = 0; k < TRACE_SIZES && t.percent[k]; k++) {
      RunSize(&t, t.percent[k]);
    }
    traceSource_Free(&t);
  }
  if (!any) {
    bench_Fail("there is no trace \"%s\"", argv[3]);
  }
  return 0;
}
