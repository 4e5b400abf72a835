/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "tracemodels.h"

#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define NOBODY UINT32_MAX

static void *Zeros(size_t count, size_t each) {
  void *p = calloc(count ? count : 1, each);

  if (!p) {
    bench_Fail("no memory for a model of %zu", count);
  }
  return p;
}

/* ---- lists of clients ---------------------------------------------------- */

/* Lists that share links: a client is on at most one of them at a time. */
typedef struct {
  uint32_t *older; /* by client */
  uint32_t *newer;
} links;

typedef struct {
  links link;
  uint32_t newest;
  uint32_t oldest;
  uint64_t count;
} list;

static links Links(uint32_t clients) {
  links l = {Zeros(clients, sizeof(uint32_t)),
             Zeros(clients, sizeof(uint32_t))};

  return l;
}

static void LinksEnd(links *l) {
  free(l->older);
  free(l->newer);
}

static void ListBegin(list *l, links link) {
  l->link = link;
  l->newest = l->oldest = NOBODY;
  l->count = 0;
}

static void Push(list *l, uint32_t client) {
  l->link.newer[client] = NOBODY;
  l->link.older[client] = l->newest;
  if (l->newest == NOBODY) {
    l->oldest = client;
  } else {
    l->link.newer[l->newest] = client;
  }
  l->newest = client;
  l->count++;
}

static void Unlink(list *l, uint32_t client) {
  uint32_t older = l->link.older[client], newer = l->link.newer[client];

  *(newer == NOBODY ? &l->newest : &l->link.older[newer]) = older;
  *(older == NOBODY ? &l->oldest : &l->link.newer[older]) = newer;
  l->count--;
}

/* ---- common parts of the models ------------------------------------------ */

enum { OUT = 0, IN, IN_MAIN, GHOST };

typedef struct {
  void (*enter)(traceModel *m, uint32_t client);
  void (*use)(traceModel *m, uint32_t client);
  void (*leave)(traceModel *m, uint32_t client);
  uint32_t (*victim)(traceModel *m);
} policy;

struct traceModelStr {
  const trace *t;
  const policy *rule;
  uint64_t entries;
  traceSums sums;
  uint8_t *where;           /* by client */
  uint8_t *uses;            /* by client: since it came, or was passed over */
  uint32_t *created;        /* by client, ms */
  list born[SNCE_CLASSES];  /* in the order of creation, and so of expiry */
  list queue, main, ghosts; /* each policy has its own use of these */
  uint32_t hand;
  uint32_t *heap; /* Belady's: the client that comes again last is first */
  uint32_t *at;   /* by client: place in the heap */
  uint32_t *next; /* by client: its next visit */
};

static bool IsIn(const traceModel *m, uint32_t client) {
  return m->where[client] == IN || m->where[client] == IN_MAIN;
}

static bool IsExpired(const traceModel *m, uint32_t client, uint32_t ms) {
  return m->created[client] + traceSource_Lifetime(m->t, client) <= ms;
}

static void TakeOut(traceModel *m, uint32_t client) {
  m->rule->leave(m, client);
  Unlink(&m->born[m->t->clients[client].sessionClass], client);
  if (m->where[client] != GHOST) {
    m->where[client] = OUT;
  }
  m->sums.live--;
}

static bool TakeOutExpired(traceModel *m, uint32_t ms) {
  for (unsigned c = 0; c < SNCE_CLASSES; c++) {
    uint32_t oldest = m->born[c].oldest;

    if (oldest != NOBODY && IsExpired(m, oldest, ms)) {
      TakeOut(m, oldest);
      m->sums.expired++;
      return true;
    }
  }
  return false;
}

static void Enter(traceModel *m, uint32_t client, uint32_t ms) {
  m->created[client] = ms;
  m->uses[client] = 0;
  Push(&m->born[m->t->clients[client].sessionClass], client);
  m->rule->enter(m, client);
  m->sums.live++;
  m->sums.inserts++;
}

/* Returns true if the client has a live session. Takes an expired one out. */
static bool Meet(traceModel *m, uint32_t client, uint32_t ms) {
  if (!IsIn(m, client)) {
    return false;
  }
  if (IsExpired(m, client, ms)) {
    TakeOut(m, client);
    m->sums.expired++;
    return false;
  }
  m->sums.hits++;
  return true;
}

static bool Visit(traceModel *m, uint32_t visit) {
  uint32_t client = m->t->visits[visit].client, ms = m->t->visits[visit].ms;

  if (Meet(m, client, ms)) {
    m->rule->use(m, client);
    return true;
  }
  if (m->sums.live == m->entries && !TakeOutExpired(m, ms)) {
    TakeOut(m, m->rule->victim(m));
    m->sums.evicted++;
  }
  Enter(m, client, ms);
  return false;
}

static traceModel *Make(const trace *t, unsigned server, uint64_t entries,
                        const void *variant) {
  traceModel *m = Zeros(1, sizeof(*m));
  links queue = Links(t->clientCount), born = Links(t->clientCount);

  (void)server;
  m->t = t;
  m->rule = variant;
  m->entries = entries;
  m->where = Zeros(t->clientCount, sizeof(*m->where));
  m->uses = Zeros(t->clientCount, sizeof(*m->uses));
  m->created = Zeros(t->clientCount, sizeof(*m->created));
  ListBegin(&m->queue, queue);
  ListBegin(&m->main, queue);
  ListBegin(&m->ghosts, queue);
  for (unsigned c = 0; c < SNCE_CLASSES; c++) {
    ListBegin(&m->born[c], born);
  }
  m->hand = NOBODY;
  return m;
}

static void End(traceModel *m) {
  LinksEnd(&m->queue.link);
  LinksEnd(&m->born[0].link);
  free(m->where);
  free(m->uses);
  free(m->created);
  free(m->heap);
  free(m->at);
  free(m->next);
  free(m);
}

static void Sums(const traceModel *m, traceSums *out) {
  *out = m->sums;
  out->live = 0;
  for (uint32_t client = 0; client < m->t->clientCount; client++) {
    out->live += IsIn(m, client);
  }
}

/* ---- exact LRU ----------------------------------------------------------- */

static void QueueEnter(traceModel *m, uint32_t client) {
  m->where[client] = IN;
  Push(&m->queue, client);
}

static void QueueLeave(traceModel *m, uint32_t client) {
  Unlink(&m->queue, client);
}

static void LruUse(traceModel *m, uint32_t client) {
  Unlink(&m->queue, client);
  Push(&m->queue, client);
}

static uint32_t LruVictim(traceModel *m) { return m->queue.oldest; }

/* ---- CLOCK: evicts the oldest, but a used one goes round once more ------- */

static void NoteUse(traceModel *m, uint32_t client) { m->uses[client] = 1; }

static uint32_t ClockVictim(traceModel *m) {
  while (m->uses[m->queue.oldest]) {
    m->uses[m->queue.oldest] = 0;
    LruUse(m, m->queue.oldest);
  }
  return m->queue.oldest;
}

/* ---- SIEVE: the same, but a used one stays where it is ------------------- */

static void SieveLeave(traceModel *m, uint32_t client) {
  if (m->hand == client) {
    m->hand = m->queue.link.newer[client];
  }
  Unlink(&m->queue, client);
}

static uint32_t SieveVictim(traceModel *m) {
  if (m->hand == NOBODY) {
    m->hand = m->queue.oldest;
  }
  while (m->uses[m->hand]) {
    m->uses[m->hand] = 0;
    m->hand = m->queue.link.newer[m->hand];
    if (m->hand == NOBODY) {
      m->hand = m->queue.oldest;
    }
  }
  return m->hand;
}

/* ---- S3-FIFO: a tenth on trial, the rest proven -------------------------- */

/* A client whose session was evicted from the trial queue not long ago goes to
 * the main queue when it returns. A real session cache could not know that,
 * because the new session has a new ID: the model favours S3-FIFO here. */
static void S3Enter(traceModel *m, uint32_t client) {
  if (m->where[client] == GHOST) {
    Unlink(&m->ghosts, client);
    m->where[client] = IN_MAIN;
    Push(&m->main, client);
  } else {
    QueueEnter(m, client);
  }
}

static void S3Use(traceModel *m, uint32_t client) {
  if (m->uses[client] < 3) {
    m->uses[client]++;
  }
}

static void S3Leave(traceModel *m, uint32_t client) {
  if (m->where[client] == IN_MAIN || m->where[client] == IN) {
    Unlink(m->where[client] == IN ? &m->queue : &m->main, client);
  }
}

static uint32_t S3Main(traceModel *m) {
  uint32_t client = m->main.oldest;

  while (m->uses[client]) {
    m->uses[client]--;
    Unlink(&m->main, client);
    Push(&m->main, client);
    client = m->main.oldest;
  }
  return client;
}

static uint32_t S3Victim(traceModel *m) {
  while (m->queue.count > 0 &&
         (m->queue.count * 10 >= m->entries || m->main.count == 0)) {
    uint32_t client = m->queue.oldest;

    Unlink(&m->queue, client);
    if (m->uses[client] > 1) {
      m->uses[client] = 0;
      m->where[client] = IN_MAIN;
      Push(&m->main, client);
      continue;
    }
    if (m->ghosts.count >= m->entries * 9 / 10 && m->ghosts.count > 0) {
      m->where[m->ghosts.oldest] = OUT;
      Unlink(&m->ghosts, m->ghosts.oldest);
    }
    m->where[client] = GHOST;
    Push(&m->ghosts, client);
    return client;
  }
  return S3Main(m);
}

/* ---- the best possible --------------------------------------------------- */

/* Evicts the client whose next visit is farthest away, which may be the new
 * one; and takes out each client that comes again after its session has
 * expired, or never. If nothing expires, no cache can do better (Belady 1966).
 * If sessions expire, losing one that is about to expire may cost nothing,
 * because the next one lives longer: the best possible may be a little better
 * than this. */

static void Put(traceModel *m, uint32_t place, uint32_t client) {
  m->heap[place] = client;
  m->at[client] = place;
}

static void Rise(traceModel *m, uint32_t place, uint32_t client) {
  while (place > 0) {
    uint32_t above = (place - 1) / 2;

    if (m->next[m->heap[above]] >= m->next[client]) {
      break;
    }
    Put(m, place, m->heap[above]);
    place = above;
  }
  Put(m, place, client);
}

static void Sink(traceModel *m, uint32_t count, uint32_t place,
                 uint32_t client) {
  for (;;) {
    uint32_t below = 2 * place + 1;

    if (below + 1 < count &&
        m->next[m->heap[below + 1]] > m->next[m->heap[below]]) {
      below++;
    }
    if (below >= count || m->next[m->heap[below]] <= m->next[client]) {
      break;
    }
    Put(m, place, m->heap[below]);
    place = below;
  }
  Put(m, place, client);
}

static void BeladyEnter(traceModel *m, uint32_t client) {
  m->where[client] = IN;
  Rise(m, (uint32_t)m->sums.live, client);
}

static void BeladyLeave(traceModel *m, uint32_t client) {
  uint32_t count = (uint32_t)m->sums.live - 1, place = m->at[client];
  uint32_t last = m->heap[count];

  if (last != client) {
    Sink(m, count, place, last);
    Rise(m, m->at[last], last);
  }
}

static bool BeladyVisit(traceModel *m, uint32_t visit) {
  uint32_t client = m->t->visits[visit].client, ms = m->t->visits[visit].ms;
  uint32_t next = m->t->next[visit];
  bool hit = Meet(m, client, ms);
  uint64_t expires =
      (hit ? m->created[client] : ms) + traceSource_Lifetime(m->t, client);
  bool useful = next != TRACE_NEVER && m->t->visits[next].ms < expires;

  if (hit) {
    if (!useful) {
      TakeOut(m, client);
      m->sums.givenUp++;
    } else {
      m->next[client] = next;
      Rise(m, m->at[client], client);
    }
    return true;
  }
  if (useful && m->sums.live == m->entries) {
    uint32_t last = m->heap[0];

    if (m->next[last] < next) {
      useful = false;
    } else {
      TakeOut(m, last);
      m->sums.evicted++;
    }
  }
  if (useful) {
    m->next[client] = next;
    Enter(m, client, ms);
  } else {
    m->sums.inserts++;
    m->sums.givenUp++;
  }
  return false;
}

static traceModel *BeladyMake(const trace *t, unsigned server, uint64_t entries,
                              const void *variant) {
  traceModel *m = Make(t, server, entries, variant);

  m->heap = Zeros(t->clientCount, sizeof(*m->heap));
  m->at = Zeros(t->clientCount, sizeof(*m->at));
  m->next = Zeros(t->clientCount, sizeof(*m->next));
  return m;
}

static const policy lru = {QueueEnter, LruUse, QueueLeave, LruVictim};
static const policy sieve = {QueueEnter, NoteUse, SieveLeave, SieveVictim};
static const policy clocks = {QueueEnter, NoteUse, QueueLeave, ClockVictim};
static const policy s3fifo = {S3Enter, S3Use, S3Leave, S3Victim};
static const policy belady = {BeladyEnter, NULL, BeladyLeave, NULL};

const traceKind traceModels_Lru = {"lru", &lru, Make, Visit, Sums, End};
const traceKind traceModels_Belady = {"belady",    &belady, BeladyMake,
                                      BeladyVisit, Sums,    End};
const traceKind traceModels_List[] = {
    {"sieve", &sieve, Make, Visit, Sums, End},
    {"s3fifo", &s3fifo, Make, Visit, Sums, End},
    {"clock", &clocks, Make, Visit, Sums, End},
};
const unsigned traceModels_ListCount =
    sizeof(traceModels_List) / sizeof(traceModels_List[0]);
