/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* Models of caches in which a session's ID chooses its set: stock's and
 * ours. */
#include <stdlib.h>

#include "bench.h"
#include "tracemodels.h"

#define STOCK_WAYS 128
#define WAYS 10         /* ways of our sets */
#define NEAR (2 * WAYS) /* slots that a session may lie in */
#define NOWHERE UINT32_MAX

typedef struct {
  uint32_t client;  /* NOWHERE: empty */
  uint32_t created; /* ms */
  uint32_t access;  /* ms */
  uint8_t visited;  /* the session was looked up */
  uint8_t span;     /* SpanCode of the seconds from |created| to |access| */
} slot;

typedef unsigned (*rule)(traceModel *m, const uint32_t set[2], uint32_t ms);

struct traceModelStr {
  const trace *t;
  traceSums sums;
  slot *slots;
  uint32_t *clock; /* by set: how many sessions were stored there */
  uint64_t sets;
  uint32_t *at;    /* by client: the slot of its session, or NOWHERE */
  uint64_t serial; /* the last session's */
  unsigned ways;
  rule victim;
};

static void *Zeros(size_t count, size_t each) {
  void *p = calloc(count ? count : 1, each);

  if (!p) {
    bench_Fail("no memory for a model of %zu", count);
  }
  return p;
}

static traceModel *MakeSets(const trace *t, uint64_t sets, unsigned ways) {
  traceModel *m = Zeros(1, sizeof(*m));

  m->t = t;
  m->sets = sets;
  m->ways = ways;
  m->slots = Zeros(sets * ways, sizeof(*m->slots));
  m->clock = Zeros(sets, sizeof(*m->clock));
  m->at = Zeros(t->clientCount, sizeof(*m->at));
  for (uint64_t i = 0; i < sets * ways; i++) {
    m->slots[i].client = NOWHERE;
  }
  for (uint32_t i = 0; i < t->clientCount; i++) {
    m->at[i] = NOWHERE;
  }
  return m;
}

static void End(traceModel *m) {
  free(m->slots);
  free(m->clock);
  free(m->at);
  free(m);
}

static void Sums(const traceModel *m, traceSums *out) {
  *out = m->sums;
  out->live = 0;
  for (uint32_t i = 0; i < m->t->clientCount; i++) {
    out->live += m->at[i] != NOWHERE;
  }
}

static bool IsExpired(const traceModel *m, const slot *s, uint32_t ms) {
  return s->created + traceSource_Lifetime(m->t, s->client) <= ms;
}

/* Empties the slot and counts its session as expired or evicted. */
static void Empty(traceModel *m, slot *s, uint32_t ms) {
  if (s->client != NOWHERE) {
    *(IsExpired(m, s, ms) ? &m->sums.expired : &m->sums.evicted) += 1;
    m->at[s->client] = NOWHERE;
    s->client = NOWHERE;
  }
}

static slot *Meet(traceModel *m, uint32_t visit) {
  uint32_t client = m->t->visits[visit].client, ms = m->t->visits[visit].ms;
  slot *s = m->at[client] == NOWHERE ? NULL : &m->slots[m->at[client]];

  if (s && IsExpired(m, s, ms)) {
    Empty(m, s, ms);
    s = NULL;
  }
  m->sums.hits += s != NULL;
  return s;
}

static void Fill(traceModel *m, uint64_t set, unsigned way, uint32_t visit) {
  uint32_t client = m->t->visits[visit].client, ms = m->t->visits[visit].ms;
  slot *s = &m->slots[set * m->ways + way];

  Empty(m, s, ms);
  m->clock[set]++;
  *s = (slot){client, ms, ms, 0, 0};
  m->at[client] = (uint32_t)(set * m->ways + way);
  m->sums.inserts++;
}

/* ---- stock --------------------------------------------------------------- */

/* Stock has whole sets only. In the model they are a little smaller, so that
 * all sets together have as many entries as fit the memory. */
static traceModel *StockMake(const trace *t, unsigned server, uint64_t entries,
                             const void *variant) {
  uint64_t sets = (entries + STOCK_WAYS - 1) / STOCK_WAYS;

  (void)server;
  (void)variant;
  return sets ? MakeSets(t, sets, (unsigned)(entries / sets))
              : MakeSets(t, 1, 1);
}

static bool StockVisit(traceModel *m, uint32_t visit) {
  uint64_t set;

  if (Meet(m, visit)) {
    return true;
  }
  set = bench_Range(bench_Mix(m->serial++), m->sets);
  Fill(m, set, m->clock[set] % m->ways, visit);
  return false;
}

const traceKind traceSets_Stock = {"stock",    NULL, StockMake,
                                   StockVisit, Sums, End};

/* ---- ours ---------------------------------------------------------------- */

/* Returns the |step|-th of a session's slots. It counts each set from its
 * clock, so that of equally good sessions the one that was stored first is
 * evicted first. */
static unsigned Step(const traceModel *m, const uint32_t set[2],
                     unsigned step) {
  return step / WAYS * WAYS + (m->clock[set[step / WAYS]] + step) % WAYS;
}

static slot *Near(const traceModel *m, const uint32_t set[2], unsigned i) {
  return &m->slots[(uint64_t)set[i / WAYS] * WAYS + i % WAYS];
}

/* The rule of our first table: evict the oldest session that was never looked
 * up; else the oldest, and then all in its set count as never looked up. */
static unsigned OldestUnvisited(traceModel *m, const uint32_t set[2],
                                uint32_t ms) {
  uint64_t best = 0;
  unsigned found = 0;

  for (unsigned step = 0; step < NEAR; step++) {
    unsigned i = Step(m, set, step);
    const slot *s = Near(m, set, i);
    uint64_t rank = ms / 1000 - s->created / 1000 + 1;

    rank += s->visited ? 0 : UINT64_C(1) << 32;
    if (rank > best) {
      best = rank;
      found = i;
    }
  }
  if (best < UINT64_C(1) << 32) {
    for (unsigned way = 0; way < WAYS; way++) {
      Near(m, set, found / WAYS * WAYS + way)->visited = 0;
    }
  }
  return found;
}

/* LRU among the slots that a session may take. Beside exact LRU it shows what
 * the division into sets costs. */
static unsigned LeastRecent(traceModel *m, const uint32_t set[2], uint32_t ms) {
  unsigned found = 0;

  (void)ms;
  for (unsigned i = 1; i < NEAR; i++) {
    if (Near(m, set, i)->access < Near(m, set, found)->access) {
      found = i;
    }
  }
  return found;
}

/* Returns a number of seconds in 7 bits: exact up to 8, then four steps to each
 * doubling. */
static uint8_t SpanCode(uint32_t sec) {
  unsigned shift = 0;

  while (sec >> shift >= 8) {
    shift++;
  }
  return (uint8_t)(4 * shift + (sec >> shift));
}

/* Returns the largest number of seconds that has this code. */
static uint32_t SpanSeconds(uint8_t code) {
  unsigned shift = code < 8 ? 0 : code / 4u - 1;

  return (((code - 4 * shift + 1) << shift) - 1);
}

/* Evicts the session whose last access is longest ago, as precisely as the
 * slot's hints know it: by the second and by SpanCode. But if two fifths or
 * more of the slots hold sessions that were never looked up, evicts one of
 * these.
 *
 * With LRU alone, clients that come once would fill the cache. A rule that
 * always evicts sessions that were never looked up first would keep those that
 * were looked up long ago. Shares from a quarter to three fifths were tried on
 * all traces. With a smaller share, clients that come in bursts cost a point
 * and more beside LRU; with a larger one, clients that come once do. */
static unsigned LongestIdle(traceModel *m, const uint32_t set[2], uint32_t ms) {
  unsigned found = 0, fresh = 0;
  uint64_t best = 0;

  for (unsigned i = 0; i < NEAR; i++) {
    fresh += !Near(m, set, i)->visited;
  }
  for (unsigned step = 0; step < NEAR; step++) {
    unsigned i = Step(m, set, step);
    const slot *s = Near(m, set, i);
    uint32_t age = ms / 1000 - s->created / 1000;
    uint32_t span = SpanSeconds(s->span);
    uint64_t rank;

    if (s->visited) {
      rank = 2 * (uint64_t)(span < age ? age - span : 0) + 1;
    } else {
      rank = 2 * (uint64_t)age + 2;
      rank += 5 * fresh >= 2 * NEAR ? UINT64_C(1) << 33 : 0;
    }
    if (rank > best) {
      best = rank;
      found = i;
    }
  }
  return found;
}

static traceModel *OursMake(const trace *t, unsigned server, uint64_t entries,
                            const void *variant) {
  uint64_t sets = (entries + WAYS / 2) / WAYS;
  traceModel *m = MakeSets(t, sets < 2 ? 2 : sets, WAYS);

  (void)server;
  m->victim = *(const rule *)variant;
  return m;
}

/* Returns an empty slot, in the set that has more of them; else one whose
 * session has expired; else the one that the rule chooses. */
static unsigned Choose(traceModel *m, const uint32_t set[2], uint32_t ms) {
  unsigned empty[2] = {0}, way[2] = {0}, expired = NEAR;

  for (unsigned i = 0; i < NEAR; i++) {
    const slot *s = Near(m, set, i);

    if (s->client == NOWHERE) {
      empty[i / WAYS]++;
      way[i / WAYS] = i;
    } else if (IsExpired(m, s, ms)) {
      expired = i;
    }
  }
  if (empty[0] || empty[1]) {
    return way[empty[1] > empty[0]];
  }
  return expired < NEAR ? expired : m->victim(m, set, ms);
}

static bool OursVisit(traceModel *m, uint32_t visit) {
  uint32_t ms = m->t->visits[visit].ms;
  slot *s = Meet(m, visit);
  uint32_t set[2];
  uint64_t random;
  unsigned found;

  if (s) {
    s->visited = 1;
    s->access = ms;
    s->span = SpanCode(ms / 1000 - s->created / 1000);
    return true;
  }
  random = bench_Mix(m->serial++);
  set[0] = (uint32_t)bench_Range(random, m->sets);
  set[1] = set[0] + 1 + (uint32_t)bench_Range(bench_Mix(random), m->sets - 1);
  set[1] -= set[1] >= m->sets ? (uint32_t)m->sets : 0;
  found = Choose(m, set, ms);
  Fill(m, set[found / WAYS], found % WAYS, visit);
  return false;
}

static const rule unvisited = OldestUnvisited;
static const rule recent = LeastRecent;
static const rule idle = LongestIdle;

const traceKind traceSets_Ours[] = {
    {"table-unvisited", &unvisited, OursMake, OursVisit, Sums, End},
    {"table-lru", &recent, OursMake, OursVisit, Sums, End},
    {"table-idle", &idle, OursMake, OursVisit, Sums, End},
};
const unsigned traceSets_OursCount =
    sizeof(traceSets_Ours) / sizeof(traceSets_Ours[0]);
