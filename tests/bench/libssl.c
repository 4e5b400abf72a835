/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* libssl.c: what does the cache cost libssl, stock's and ours?
 *
 *   libssl-SUBJECT WORK MODE PROCESSES ENTRIES OPERATIONS [system-clock]
 *
 * One source, linked with each libssl. A cache of ENTRIES, made by the call for
 * one process (MODE single) or for several (multi), is filled to 60 %. Then
 * each of PROCESSES children, or this process alone if single, does OPERATIONS
 * of WORK, again and again until 0.2 s have been timed:
 *
 *   hit     build an ID, look it up, free the session; the session found
 *           determines the next one, so that no two lookups overlap
 *   miss    the same for sessions that were never there
 *   insert  store a new session; small caches become full, and evict
 *   mixed   9 hits among the process's own newest sessions for one insert
 *   remove  remove the process's own sessions; others are stored in their
 *           place, untimed
 *
 * The socket's clock stands still, and costs stock and ours the same. With
 * "system-clock" the sockets read the system's clock, as a socket does by
 * default.
 *
 * Rows: WORK in ns, the mean of the processes; for several processes their
 * total per second; and which part of the sessions that were looked up was
 * found, in percent, as "kept" (hit), "kept-insert" and "kept-mixed". Stock's
 * sets evict their oldest session even when the cache as a whole is not
 * full. */

#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "prerror.h"
#include "socket.h"
#include "ssl.h"
#ifdef NSS_SSL_SNCE
#include "sslsnce/sslsnce.h"
#endif

#define PROCESSES 16
#define TIMED_NS UINT64_C(200000000)
#define TAIL_OPERATIONS 1000

/* The first sessions are numbered from 0; those that a process stores, from a
 * number of its own; those that are never stored, from STRANGERS. */
#define OWN_SHIFT 40
#define STRANGERS (UINT64_C(1) << 60)

/* A process's operations, timed or not. */
typedef struct {
  uint64_t hits, misses, puts, lost, drops;
  uint64_t askedFor, kept; /* lookups of stored sessions; those that hit */
} tally;

/* In memory that the processes share. */
typedef struct {
  _Atomic unsigned ready;
  _Atomic unsigned done;
  tally of[PROCESSES];
} board;

typedef struct workerStr worker;
typedef uint64_t (*operationsFn)(worker *by, uint64_t count);

typedef struct {
  const char *name;
  const char *kept; /* name of the row with the part that was kept, or NULL */
  operationsFn operations;
} work;

typedef struct {
  const work *work;
  bool multi;
  unsigned processes;
  uint64_t entries, operations;
  uint64_t stored; /* the first sessions */
  uint64_t share;  /* how many of them belong to each process */
  sslSocket *ss;
  board *board;
} trial;

struct workerStr {
  const trial *run;
  unsigned index;
  uint64_t next; /* own sessions so far, with the share of the first ones */
  uint64_t last; /* the session that the last lookup found */
  uint64_t steps;
  tally *tally;
};

/* ---- operations ---------------------------------------------------------- */

static uint64_t Own(const worker *by, uint64_t number) {
  return number < by->run->share
             ? by->index * by->run->share + number
             : ((uint64_t)(by->index + 1) << OWN_SHIFT) + number;
}

static bool Find(worker *by, uint64_t serial) {
  uint64_t found;

  if (!bench_Find(by->run->ss, serial, &found)) {
    by->tally->misses++;
    by->last = serial;
    return false;
  }
  if (found != serial) {
    bench_Fail("session %llu came out as %llu", (unsigned long long)serial,
               (unsigned long long)found);
  }
  by->tally->hits++;
  by->last = found;
  return true;
}

static void FindKept(worker *by, uint64_t serial) {
  by->tally->askedFor++;
  by->tally->kept += Find(by, serial);
}

static void Put(worker *by) {
  if (bench_Put(by->run->ss, Own(by, by->next++))) {
    by->tally->puts++;
  } else {
    by->tally->lost++;
  }
}

/* Returns a number below |count|, which depends on the session found last. */
static uint64_t Choose(worker *by, uint64_t count) {
  return bench_Range(bench_Mix(by->last + by->steps++), count);
}

/* Each of these returns the nanoseconds that |count| operations took. */

static uint64_t Hits(worker *by, uint64_t count) {
  uint64_t begin = bench_Ns();

  for (uint64_t i = 0; i < count; i++) {
    FindKept(by, Choose(by, by->run->stored));
  }
  return bench_Ns() - begin;
}

static uint64_t Misses(worker *by, uint64_t count) {
  uint64_t begin = bench_Ns(), found = 0;

  for (uint64_t i = 0; i < count; i++) {
    found += Find(by, STRANGERS + Choose(by, UINT64_C(1) << OWN_SHIFT));
  }
  begin = bench_Ns() - begin;
  if (found) {
    bench_Fail("%llu sessions were found that were never stored",
               (unsigned long long)found);
  }
  return begin;
}

static uint64_t Inserts(worker *by, uint64_t count) {
  uint64_t begin = bench_Ns();

  for (uint64_t i = 0; i < count; i++) {
    Put(by);
  }
  return bench_Ns() - begin;
}

/* Returns the oldest of the process's newest sessions, which are as many as its
 * share at first. If all processes store equally fast, these fill 60 % of the
 * cache. */
static uint64_t OldestOfNewest(const worker *by) {
  return by->next - by->run->share;
}

static uint64_t Mixed(worker *by, uint64_t count) {
  uint64_t begin = bench_Ns();

  for (uint64_t i = 0; i < count; i++) {
    if (by->steps % 10 == 0) {
      Put(by);
      by->steps++;
    } else {
      FindKept(by, Own(by, OldestOfNewest(by) + Choose(by, by->run->share)));
    }
  }
  return bench_Ns() - begin;
}

static uint64_t Removes(worker *by, uint64_t count) {
  uint64_t ns = 0, part;

  for (uint64_t i = 0; i < count; i += part) {
    uint64_t first = OldestOfNewest(by), found = 0, begin;

    part = count - i < by->run->share ? count - i : by->run->share;
    begin = bench_Ns();
    for (uint64_t n = 0; n < part; n++) {
      bench_Drop(by->run->ss, Own(by, first + n));
    }
    ns += bench_Ns() - begin;
    by->tally->drops += part;
    for (uint64_t n = 0; n < part; n++) {
      found += Find(by, Own(by, first + n));
      Put(by);
    }
    if (found) {
      bench_Fail("%llu sessions were found that had been removed",
                 (unsigned long long)found);
    }
  }
  return ns;
}

static const work works[] = {
    {"hit", "kept", Hits},
    {"miss", NULL, Misses},
    {"insert", "kept-insert", Inserts},
    {"mixed", "kept-mixed", Mixed},
    {"remove", NULL, Removes},
};

/* ---- a process ----------------------------------------------------------- */

static void Wait(const trial *run, _Atomic unsigned *count) {
  for (++*count; *count < run->processes;) {
    sched_yield(); /* bench_Processes reports a process that does not come */
  }
}

static double Time(void *context, unsigned index) {
  const trial *run = context;
  worker by = {.run = run,
               .index = index,
               .next = run->share,
               .tally = &run->board->of[index]};
  operationsFn operations = run->work->operations;
  uint64_t ns = 0, done = 0;

  if (run->multi && SSL_InheritMPServerSIDCache(NULL) != SECSuccess) {
    bench_Fail("not inherited: %s", PR_ErrorToName(PR_GetError()));
  }
  /* Warm up: this process maps every page, and takes every branch. */
  for (uint64_t i = 0; i < run->stored; i++) {
    (void)Find(&by, i);
  }
  (void)operations(&by, run->operations / 10 + 1);
  Wait(run, &run->board->ready);
  by.tally->askedFor = by.tally->kept = 0;
  while (ns < TIMED_NS) {
    ns += operations(&by, run->operations);
    done += run->operations;
  }
  /* Go on until all are done, so that no process is timed while others rest. */
  for (++run->board->done; run->board->done < run->processes;) {
    (void)operations(&by, TAIL_OPERATIONS);
  }
  if (operations == Inserts) {
    for (uint64_t i = OldestOfNewest(&by); i < by.next; i++) {
      FindKept(&by, Own(&by, i));
    }
  }
  return (double)ns / (double)done;
}

/* ---- sums ---------------------------------------------------------------- */

/* Returns the sum of the parent's tally, |fill|, and its children's. */
static tally Sum(const trial *run, const tally *fill) {
  tally sum = *fill;

  for (unsigned i = 0; i < run->processes; i++) {
    const tally *one = &run->board->of[i];

    sum.hits += one->hits;
    sum.misses += one->misses;
    sum.puts += one->puts;
    sum.lost += one->lost;
    sum.drops += one->drops;
    sum.askedFor += one->askedFor;
    sum.kept += one->kept;
  }
  return sum;
}

#ifdef NSS_SSL_SNCE
/* If two processes carry a session at the same moment, because the cache grows,
 * it is there twice. That happened to one session in one of forty runs. */
#define TWICE_AT_MOST 8
/* While a table grows, one session in some ten million finds both its sets
 * full, and evicts another one. */
#define EVICTED_AT_MOST 4

static void CheckFigures(const trial *run, const tally *sum) {
  uint64_t twice = run->processes > 1 ? TWICE_AT_MOST : 0;
  SSLServerCacheFigures f;
  uint64_t there, evicted;

  if (SSL_GetServerCacheFigures(NULL, &f, sizeof(f)) != SECSuccess) {
    bench_Fail("no figures: %s", PR_ErrorToName(PR_GetError()));
  }
  there = f.live + f.replacedLive + f.removals;
  evicted = f.replacedLive <= EVICTED_AT_MOST ? f.replacedLive : 0;
  if (f.hits != sum->hits || f.missesUnknown != sum->misses ||
      f.inserts != sum->puts || f.dropped != sum->lost || there < f.inserts ||
      there > f.inserts + twice) {
    bench_Fail(
        "the cache's figures do not add up: %llu and %llu hits, %llu and %llu "
        "misses, %llu and %llu inserts, %llu and %llu dropped, %llu live, %llu "
        "replaced, %llu removed",
        (unsigned long long)f.hits, (unsigned long long)sum->hits,
        (unsigned long long)f.missesUnknown, (unsigned long long)sum->misses,
        (unsigned long long)f.inserts, (unsigned long long)sum->puts,
        (unsigned long long)f.dropped, (unsigned long long)sum->lost,
        (unsigned long long)f.live, (unsigned long long)f.replacedLive,
        (unsigned long long)f.removals);
  }
  /* A cache that is 60 % full evicts nothing, so each removal finds its
   * session, unless the insert had lost its races. */
  if (run->work->operations == Removes &&
      (f.removals + sum->lost > sum->drops ||
       f.removals + sum->lost + evicted < sum->drops)) {
    bench_Fail("of %llu sessions %llu were removed, %llu had not been stored",
               (unsigned long long)sum->drops, (unsigned long long)f.removals,
               (unsigned long long)sum->lost);
  }
  if (f.reclaimed || f.corrupt) {
    bench_Fail(
        "%llu places were taken back from processes that run, %llu "
        "sessions spoiled",
        (unsigned long long)f.reclaimed, (unsigned long long)f.corrupt);
  }
  if (run->work->operations == Hits && sum->kept != sum->askedFor &&
      evicted == 0) {
    bench_Fail("%llu of %llu sessions were lost of a cache that is not full",
               (unsigned long long)(sum->askedFor - sum->kept),
               (unsigned long long)sum->askedFor);
  }
}
#else
/* Stock has no call for figures. */
static void CheckFigures(const trial *run, const tally *sum) {
  if (sum->lost || (run->work->operations == Hits && sum->kept == 0)) {
    bench_Fail("sessions were not stored");
  }
}
#endif

/* ---- main ---------------------------------------------------------------- */

static const work *FindWork(const char *name) {
  for (size_t i = 0; i < sizeof(works) / sizeof(*works); i++) {
    if (strcmp(works[i].name, name) == 0) {
      return &works[i];
    }
  }
  bench_Fail("WORK is hit, miss, insert, mixed or remove, not \"%s\"", name);
}

static void Configure(const trial *run) {
  int entries = (int)run->entries;

  if ((run->multi ? SSL_ConfigMPServerSIDCache(entries, 100, 86400, NULL)
                  : SSL_ConfigServerSessionIDCache(entries, 100, 86400,
                                                   NULL)) != SECSuccess) {
    bench_Fail("no cache: %s", PR_ErrorToName(PR_GetError()));
  }
}

static void Fill(const trial *run, tally *fill) {
  memset(fill, 0, sizeof(*fill));
  for (uint64_t serial = 0; serial < run->stored; serial++) {
    fill->puts += bench_Put(run->ss, serial);
  }
  if (fill->puts != run->stored) {
    bench_Fail("of %llu sessions %llu were stored",
               (unsigned long long)run->stored, (unsigned long long)fill->puts);
  }
}

static void Report(const trial *run, const tally *sum, const double *ns) {
  benchRow row = {.question = "libssl",
                  .work = run->work->name,
                  .mode = run->multi ? "multi" : "single",
                  .processes = run->processes,
                  .entries = run->entries,
                  .subject = BENCH_SUBJECT};
  double mean = 0, perSecond = 0;

  for (unsigned i = 0; i < run->processes; i++) {
    mean += ns[i] / run->processes;
    perSecond += 1e9 / ns[i];
  }
  bench_Row(&row, "ns", mean);
  if (run->processes > 1) {
    bench_Row(&row, "per second", perSecond);
  }
  if (run->work->kept) {
    row.work = run->work->kept;
    bench_Row(&row, "percent", 100 * (double)sum->kept / (double)sum->askedFor);
  }
}

int main(int argc, char **argv) {
  double ns[PROCESSES];
  tally fill, sum;
  trial run;

  if (argc < 6 || argc > 7 || (argc == 7 && strcmp(argv[6], "system-clock"))) {
    bench_Fail("usage: libssl-" BENCH_SUBJECT
               " WORK MODE PROCESSES ENTRIES OPERATIONS [system-clock]");
  }
  run.work = FindWork(argv[1]);
  run.multi = strcmp(argv[2], "multi") == 0;
  if (!run.multi && strcmp(argv[2], "single") != 0) {
    bench_Fail("MODE is single or multi, not \"%s\"", argv[2]);
  }
  run.processes =
      (unsigned)bench_Number("PROCESSES", argv[3], run.multi ? PROCESSES : 1);
  run.entries = bench_Number("ENTRIES", argv[4], SNCE_ENTRIES_MAX);
  run.operations = bench_Number("OPERATIONS", argv[5], 1000000000);
  run.share = run.entries * 6 / 10 / run.processes;
  run.stored = run.share * run.processes;
  if (run.share == 0) {
    bench_Fail("ENTRIES are too few for %u processes", run.processes);
  }
  run.board = mmap(NULL, sizeof(*run.board), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (run.board == MAP_FAILED) {
    bench_Fail("no memory");
  }
  run.ss = bench_Socket(argc == 7);
  Configure(&run);
  Fill(&run, &fill);
  if (run.multi) {
    bench_Processes(run.processes, Time, &run, ns);
  } else {
    bench_Bind(0);
    ns[0] = Time(&run, 0);
  }
  sum = Sum(&run, &fill);
  CheckFigures(&run, &sum);
  Report(&run, &sum, ns);
  return 0;
}
