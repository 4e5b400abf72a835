/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "tracesource.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define SECOND 1000.0 /* times are in milliseconds */
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

/* A trace that is being made. */
typedef struct {
  trace *out;
  uint32_t clientRoom;
  uint32_t visitRoom;
  uint64_t random;
} maker;

static void *Room(void *old, uint32_t *room, uint32_t used, size_t each) {
  void *grown = old;

  if (used == *room) {
    *room = used ? 2 * used : 1024;
    if (used > TRACE_NEVER / 4 || !(grown = realloc(old, *room * each))) {
      bench_Fail("no memory for a trace of %u", used);
    }
  }
  return grown;
}

static uint32_t AddClient(maker *m, unsigned server, unsigned sessionClass,
                          uint32_t certificate) {
  trace *t = m->out;
  traceClient client = {(uint8_t)server, (uint8_t)sessionClass, certificate};

  t->clients = Room(t->clients, &m->clientRoom, t->clientCount, sizeof(client));
  t->clients[t->clientCount] = client;
  return t->clientCount++;
}

static void AddVisit(maker *m, double ms, uint32_t client) {
  trace *t = m->out;
  traceVisit visit = {(uint32_t)ms, client};

  t->visits = Room(t->visits, &m->visitRoom, t->visitCount, sizeof(visit));
  t->visits[t->visitCount++] = visit;
}

/* ---- chance -------------------------------------------------------------- */

/* Returns a random number above 0, at most 1. */
static double Uniform(maker *m) {
  return ((double)(bench_Next(&m->random) >> 11) + 1) * 0x1p-53;
}

static bool Chance(maker *m, double probability) {
  return Uniform(m) <= probability;
}

static double Exponential(maker *m, double mean) {
  return -mean * log(Uniform(m));
}

/* Returns a random number with this median. With |spread| 1 two thirds are
 * within a factor of e of the median. */
static double LogNormal(maker *m, double median, double spread) {
  double radius = sqrt(-2 * log(Uniform(m)));

  return median * exp(spread * radius * cos(2 * M_PI * Uniform(m)));
}

/* A choice among ranks 0 to |count| - 1; rank k has a weight of (k + 1) ^
 * -exponent. */
typedef struct {
  double *sum;
  uint32_t count;
} zipf;

static zipf Zipf(uint32_t count, double exponent) {
  zipf z = {malloc(count * sizeof(double)), count};
  double sum = 0;

  if (!z.sum) {
    bench_Fail("no memory for %u ranks", count);
  }
  for (uint32_t k = 0; k < count; k++) {
    sum += pow(k + 1, -exponent);
    z.sum[k] = sum;
  }
  return z;
}

static uint32_t Draw(maker *m, const zipf *z) {
  double wanted = Uniform(m) * z->sum[z->count - 1];
  uint32_t low = 0, high = z->count - 1;

  while (low < high) {
    uint32_t middle = low + (high - low) / 2;

    if (z->sum[middle] < wanted) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/* ---- traces -------------------------------------------------------------- */

static void SetSizes(maker *m, const uint32_t percent[TRACE_SIZES]) {
  memcpy(m->out->percent, percent, sizeof(m->out->percent));
}

/* Regular clients that come at any time for half a day, the more often the
 * smaller their rank. */
static void MakeZipf(maker *m, uint32_t regulars, double exponent) {
  zipf z = Zipf(regulars, exponent);
  uint32_t visits = 10 * regulars;

  SetSizes(m, (const uint32_t[TRACE_SIZES]){1, 5, 15, 40});
  for (uint32_t k = 0; k < regulars; k++) {
    AddClient(m, 0, SNCE_CLASS_SSL3, 0);
  }
  for (uint32_t i = 0; i < visits; i++) {
    AddVisit(m, 12 * HOUR * i / visits, Draw(m, &z));
  }
  free(z.sum);
}

/* The same for six hours, and also clients that come once. With |floods| there
 * are so many floods of five minutes, each of as many clients as there are
 * regulars; without, such a client comes for each visit of a regular. */
static void MakeFlood(maker *m, uint32_t regulars, double floods) {
  zipf z = Zipf(regulars, 0.9);
  uint32_t visits = 8 * regulars;

  SetSizes(m, (const uint32_t[TRACE_SIZES]){2, 5, 15, 40});
  for (uint32_t k = 0; k < regulars; k++) {
    AddClient(m, 0, SNCE_CLASS_SSL3, 0);
  }
  for (uint32_t i = 0; i < visits; i++) {
    double at = 6 * HOUR * i / visits;

    AddVisit(m, at, Draw(m, &z));
    if (floods < 1) {
      AddVisit(m, at, AddClient(m, 0, SNCE_CLASS_SSL3, 0));
    }
  }
  for (unsigned flood = 0; flood < (unsigned)floods; flood++) {
    for (uint32_t i = 0; i < regulars; i++) {
      AddVisit(m, (flood + 0.5) * 6 * HOUR / floods + 5 * MINUTE * Uniform(m),
               AddClient(m, 0, SNCE_CLASS_SSL3, 0));
    }
  }
  free(z.sum);
}

/* Regulars with a client certificate. Each holder has three programs, which
 * share the certificate. */
static void MakeCertificates(maker *m, uint32_t regulars, double exponent) {
  uint32_t holders = regulars / 3 ? regulars / 3 : 1;
  zipf z = Zipf(holders, exponent);
  uint32_t visits = 8 * holders * 3;

  SetSizes(m, (const uint32_t[TRACE_SIZES]){2, 8, 20, 45});
  for (uint32_t k = 0; k < 3 * holders; k++) {
    AddClient(m, 0, SNCE_CLASS_SSL3, k / 3 + 1);
  }
  for (uint32_t i = 0; i < visits; i++) {
    uint32_t program = Chance(m, 0.6) ? 0 : Chance(m, 0.7) ? 1 : 2;
    uint32_t holder = Draw(m, &z);

    AddVisit(m, 12 * HOUR * i / visits, 3 * holder + program);
  }
  free(z.sum);
}

/* Adds visits of |client| in bursts from |at| until |end|: about one every
 * |gap|, |each| of them on average, then a pause of about |pause|. */
static void Bursts(maker *m, uint32_t client, double at, double end, double gap,
                   double each, double pause) {
  while (at < end) {
    AddVisit(m, at, client);
    at += Chance(m, 1 / each) ? LogNormal(m, pause, 1) : Exponential(m, gap);
  }
}

/* Sessions of both classes in one cache: those of old clients expire soon, the
 * others do not. */
static void MakeClasses(maker *m, uint32_t regulars, double oldShare) {
  double end = 4 * HOUR;

  SetSizes(m, (const uint32_t[TRACE_SIZES]){1, 3, 10, 30});
  m->out->timeoutSec[0][SNCE_CLASS_SSL2] = 100;
  for (uint32_t k = 0; k < regulars; k++) {
    bool old = Chance(m, oldShare);
    double at = end * Uniform(m), gap = LogNormal(m, 10 * SECOND, 0.7);
    double pause = LogNormal(m, HOUR, 0.5);

    Bursts(m, AddClient(m, 0, old ? SNCE_CLASS_SSL2 : SNCE_CLASS_SSL3, 0), at,
           end, gap, 6, pause);
  }
}

/* Three virtual servers with caches of the same size. Their timeouts are the
 * shortest that NSS allows, five minutes, and a day. */
static void MakeServers(maker *m, uint32_t regulars, double clientsEach) {
  static const uint32_t timeouts[TRACE_SERVERS] = {5, 300, 86400};
  double end = 4 * HOUR;

  (void)clientsEach;
  SetSizes(m, (const uint32_t[TRACE_SIZES]){1, 3, 10, 30});
  m->out->servers = TRACE_SERVERS;
  for (unsigned s = 0; s < TRACE_SERVERS; s++) {
    m->out->timeoutSec[s][SNCE_CLASS_SSL3] = timeouts[s];
  }
  for (uint32_t k = 0; k < regulars; k++) {
    unsigned s = k % TRACE_SERVERS;
    double at = end * Uniform(m), pause = LogNormal(m, HOUR, 0.5);

    Bursts(m, AddClient(m, s, SNCE_CLASS_SSL3, 0), at, end,
           s == 0 ? SECOND : 10 * SECOND, 8, pause);
  }
}

/* Returns how busy a site is at |ms| of the day: at most 1, in the
 * afternoon. */
static double Curve(double ms) {
  return 0.55 + 0.45 * cos(2 * M_PI * (ms / HOUR - 15) / 24);
}

/* 24 hours of a site. New clients arrive all day, look at some pages, and
 * perhaps come back in minutes or hours. From three to four in the afternoon
 * bots flood the site, as many as all other clients; each comes once. */
static void MakeDay(maker *m, uint32_t regulars, double timeoutSec) {
  double end = 24 * HOUR;

  SetSizes(m, (const uint32_t[TRACE_SIZES]){1, 3, 8, 25});
  m->out->timeoutSec[0][SNCE_CLASS_SSL3] = (uint32_t)timeoutSec;
  for (uint32_t k = 0; k < regulars; k++) {
    uint32_t client = AddClient(m, 0, SNCE_CLASS_SSL3, 0);
    double at = end * Uniform(m);

    while (!Chance(m, Curve(at))) {
      at = end * Uniform(m);
    }
    while (at < end) {
      AddVisit(m, at, client);
      if (Chance(m, 0.75)) {
        at += LogNormal(m, 15 * SECOND, 1); /* the next page */
      } else if (Chance(m, 0.55)) {
        at += Chance(m, 0.5) ? LogNormal(m, 20 * MINUTE, 1)
                             : LogNormal(m, 5 * HOUR, 0.6);
      } else {
        break;
      }
    }
  }
  for (uint32_t i = 0; i < regulars; i++) {
    AddVisit(m, 15 * HOUR + HOUR * Uniform(m),
             AddClient(m, 0, SNCE_CLASS_SSL3, 0));
  }
}

static const struct {
  const char *name;
  void (*make)(maker *m, uint32_t regulars, double parameter);
  double parameter;
} sources[] = {
    {"zipf-0.7", MakeZipf, 0.7},   {"zipf-0.9", MakeZipf, 0.9},
    {"zipf-1.1", MakeZipf, 1.1},   {"floods", MakeFlood, 6},
    {"once-always", MakeFlood, 0}, {"certificates", MakeCertificates, 0.9},
    {"classes", MakeClasses, 0.5}, {"servers", MakeServers, 0},
    {"day", MakeDay, 86400},       {"day-1h", MakeDay, 3600},
};

#define SOURCES (sizeof(sources) / sizeof(sources[0]))

const char *traceSource_Name(unsigned index) {
  return index < SOURCES ? sources[index].name : NULL;
}

static int Earlier(const void *a, const void *b) {
  const traceVisit *x = a, *y = b;

  if (x->ms != y->ms) {
    return x->ms < y->ms ? -1 : 1;
  }
  return (x->client > y->client) - (x->client < y->client);
}

/* Computes for each visit the client's next one, going backwards through the
 * trace. */
static void LookAhead(trace *t) {
  uint32_t *first = malloc(t->clientCount * sizeof(*first));

  t->next = malloc(t->visitCount * sizeof(*t->next));
  if (!first || !t->next) {
    bench_Fail("no memory for a trace of %u", t->visitCount);
  }
  for (uint32_t client = 0; client < t->clientCount; client++) {
    first[client] = TRACE_NEVER;
  }
  for (uint32_t i = t->visitCount; i-- > 0;) {
    uint32_t client = t->visits[i].client;

    t->next[i] = first[client];
    t->offers += first[client] != TRACE_NEVER;
    first[client] = i;
  }
  for (uint32_t client = 0; client < t->clientCount; client++) {
    if (first[client] != TRACE_NEVER &&
        t->visits[first[client]].ms + traceSource_Lifetime(t, client) <=
            t->visits[t->visitCount - 1].ms) {
      t->expires = true;
    }
  }
  free(first);
}

void traceSource_Make(trace *out, unsigned index, uint32_t regulars,
                      uint64_t seed) {
  maker m = {.out = out, .random = bench_Mix(seed ^ bench_Mix(index))};

  memset(out, 0, sizeof(*out));
  out->name = sources[index].name;
  out->servers = 1;
  out->regulars = regulars;
  for (unsigned s = 0; s < TRACE_SERVERS; s++) {
    out->timeoutSec[s][SNCE_CLASS_SSL2] = 100;
    out->timeoutSec[s][SNCE_CLASS_SSL3] = 86400;
  }
  sources[index].make(&m, regulars, sources[index].parameter);
  qsort(out->visits, out->visitCount, sizeof(*out->visits), Earlier);
  LookAhead(out);
}

void traceSource_Free(trace *t) {
  free(t->clients);
  free(t->visits);
  free(t->next);
  memset(t, 0, sizeof(*t));
}

uint64_t traceSource_Lifetime(const trace *t, uint32_t client) {
  const traceClient *c = &t->clients[client];

  return t->timeoutSec[c->server][c->sessionClass] * UINT64_C(1000);
}

size_t traceSource_Certificate(uint32_t number,
                               uint8_t out[TRACE_CERTIFICATE_MAX]) {
  uint64_t random = bench_Mix(number);
  size_t len =
      TRACE_CERTIFICATE_MIN +
      bench_Range(random, TRACE_CERTIFICATE_MAX - TRACE_CERTIFICATE_MIN + 1);

  if (number == 0) {
    return 0;
  }
  for (size_t at = 0; at < len; at += sizeof(random)) {
    random += UINT64_C(0x9e3779b97f4a7c15);
    memcpy(out + at, &random,
           len - at < sizeof(random) ? len - at : sizeof(random));
  }
  return len;
}
