/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* peers.c: what do the same record and the same load cost in the stores that
 * servers share sessions by today?
 *
 *   peers SUBJECT WORK ACCESS PROCESSES ENTRIES ROUNDS OPERATIONS
 *
 * SUBJECT is ours, lmdb, memcached or redis. WORK is hit, insert or 90/10 (ten
 * of a hundred operations are inserts). With ACCESS dependent, the record read
 * last determines which one is read next, as in core.c; with independent it
 * does not, and the processor may begin a read before the last one has ended.
 * Each of PROCESSES does OPERATIONS in each of ROUNDS, in a store for ENTRIES
 * that is 60 % full. Inserts come in portions of a tenth of ENTRIES; after each
 * portion its sessions are removed, untimed, so that nothing grows and nothing
 * is evicted. Every answer is checked: before the timed part in all its bytes,
 * in it by its serial. */

#include "peers.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#define PROCESSES_MAX 64
#define PATIENCE_NS UINT64_C(120000000000)

/* ---- ours ---------------------------------------------------------------- */

static snceRegion *region;
static snceCache cache;

static void StartOurs(const char *directory, uint64_t entries) {
  (void)directory; /* it has no files */
  region = bench_Region(entries);
  cache = snceRegion_DefaultCache(region);
}

static void JoinOurs(void) {}
static void LeaveOurs(void) {}

static void PutOurs(const snceSession *session) {
  snceResult result = snceCache_Insert(cache, session, bench_Time);

  if (result != SNCE_OK) {
    bench_Fail("ours: insert: %s", snceResult_Text(result));
  }
}

static void KeyOf(const uint8_t id[SNCE_ID_MAX], snceKey *key) {
  memset(key, 0, sizeof(*key));
  key->id = id;
  key->idLen = SNCE_ID_MAX;
  memcpy(key->address, bench_Address, sizeof(key->address));
}

static const uint8_t *GetOurs(const uint8_t id[SNCE_ID_MAX]) {
  static snceSession session;
  snceResult result;
  snceKey key;

  KeyOf(id, &key);
  result = snceCache_Lookup(cache, &key, bench_Time, &session);
  if (result != SNCE_OK && result != SNCE_MISS) {
    bench_Fail("ours: lookup: %s", snceResult_Text(result));
  }
  return result == SNCE_OK ? session.state : NULL;
}

static bool RemoveOurs(const uint8_t id[SNCE_ID_MAX]) {
  snceResult result;
  snceKey key;

  KeyOf(id, &key);
  result = snceCache_Remove(cache, &key);
  if (result != SNCE_OK && result != SNCE_MISS) {
    bench_Fail("ours: remove: %s", snceResult_Text(result));
  }
  return result == SNCE_OK;
}

static void SumsOurs(peerSums *out) {
  snceFigures figures;

  if (snceCache_GetFigures(cache, &figures) != SNCE_OK) {
    bench_Fail("ours: no figures");
  }
  out->there = figures.live;
  out->hits = figures.hits;
  out->puts = figures.inserts;
  out->lost = figures.replacedLive + figures.replacedExpired + figures.wiped +
              figures.dropped + figures.corrupt;
}

static void StopOurs(void) {
  snceRegion_Close(region);
  region = NULL;
}

static const peerSubject ours = {"ours",     StartOurs, JoinOurs,
                                 LeaveOurs,  PutOurs,   GetOurs,
                                 RemoveOurs, SumsOurs,  StopOurs};

/* ---- the load ------------------------------------------------------------ */

/* Memory that the processes of a round share, with counts of their
 * operations. */
typedef struct {
  _Atomic unsigned arrived;
  _Atomic unsigned turn;
  uint64_t met;  /* when the last one arrived, which writes it before |turn| */
  uint64_t wall; /* nanoseconds of the timed parts; process 0 writes it */
  struct {
    uint64_t gets, puts, removals;
  } done[PROCESSES_MAX];
} common;

typedef struct {
  const peerSubject *subject;
  unsigned inserts; /* of a hundred operations */
  bool dependent;
  unsigned processes;
  uint64_t stored;  /* sessions that stay in the store: 0, 1 ... */
  uint64_t portion; /* inserts of one process before it removes them */
  uint64_t operations;
  uint64_t round;
  common *shared;
} load;

/* One process's part of the load. */
typedef struct {
  const load *of;
  unsigned index;
  uint64_t first, next; /* inserted, not yet removed: |first| .. |next| - 1 */
  uint64_t random;
  uint64_t last; /* the serial read last */
  uint64_t gets, puts, removals;
} worker;

/* Waits until all processes of the round have arrived, and returns the time of
 * that. A waiting process yields the processor: there may be fewer processors
 * than processes, or a server may need one. */
static uint64_t Meet(common *shared, unsigned processes) {
  unsigned turn = shared->turn;

  if (++shared->arrived == processes) {
    shared->arrived = 0;
    shared->met = bench_Ns();
    shared->turn++;
    return shared->met;
  }
  for (uint64_t until = bench_Ns() + PATIENCE_NS; shared->turn == turn;) {
    if (bench_Ns() > until) {
      bench_Fail("a process does not come");
    }
    sched_yield();
  }
  return shared->met;
}

static void Operate(worker *self, uint64_t operations) {
  const load *of = self->of;
  uint64_t last = self->last, wrong = 0;

  for (uint64_t i = 0; i < operations; i++) {
    uint64_t random = bench_Next(&self->random), wanted;
    uint8_t id[SNCE_ID_MAX];
    const uint8_t *state;

    if (of->inserts && bench_Range(random, 100) < of->inserts) {
      snceSession session;

      bench_Session(self->next++, &session);
      of->subject->put(&session);
      self->puts++;
      continue;
    }
    wanted = bench_Range(bench_Mix(random + last), of->stored);
    bench_Id(wanted, id);
    state = of->subject->get(id);
    self->gets++;
    if (state) {
      memcpy(&last, state, sizeof(last));
      wrong += last != wanted;
    } else {
      wrong++;
    }
    last = of->dependent ? last : 0;
  }
  self->last = last;
  if (wrong) {
    bench_Fail("%s: %llu of %llu lookups did not find what they must",
               of->subject->name, (unsigned long long)wrong,
               (unsigned long long)operations);
  }
}

/* Does |operations| at the same time as the other processes, then removes the
 * sessions that it inserted. Returns the nanoseconds of the operations. */
static uint64_t Portion(worker *self, uint64_t operations) {
  const load *of = self->of;
  uint64_t all, begin, spent;

  all = Meet(of->shared, of->processes);
  begin = bench_Ns();
  Operate(self, operations);
  spent = bench_Ns() - begin;
  all = Meet(of->shared, of->processes) - all;
  if (self->index == 0) {
    of->shared->wall += all;
  }
  for (; self->first < self->next; self->first++, self->removals++) {
    uint8_t id[SNCE_ID_MAX];

    bench_Id(self->first, id);
    if (!of->subject->remove(id)) {
      bench_Fail("%s: what was inserted is not there", of->subject->name);
    }
  }
  return spent;
}

/* Looks up stored sessions, as many as there will be operations, and compares
 * every byte. So each process has touched the memory that it will use. */
static void Verify(worker *self) {
  const load *of = self->of;
  uint64_t count = of->stored < of->operations ? of->stored : of->operations;

  for (uint64_t serial = 0; serial < count; serial++) {
    snceSession session;
    const uint8_t *state;

    bench_Session(serial, &session);
    state = of->subject->get(session.id);
    self->gets++;
    if (!state || memcmp(state, session.state, sizeof(session.state)) != 0) {
      bench_Fail("%s: session %llu is not as it was stored", of->subject->name,
                 (unsigned long long)serial);
    }
  }
}

static double Work(void *context, unsigned index) {
  const load *of = context;
  uint64_t portion =
      of->inserts ? of->portion * 100 / of->inserts : of->operations;
  uint64_t spent = 0, todo;
  worker self = {.of = of, .index = index};

  portion = portion < of->operations ? portion : of->operations;
  /* No two inserts have the same serial: each process has 2^32 in each
   * round. */
  self.first = self.next = (of->round * PROCESSES_MAX + index + 1) << 32;
  self.random = bench_Mix(self.first);
  of->subject->join();
  Verify(&self);
  if (of->inserts) {
    /* The first portion is a warm-up: it touches the memory of inserts. */
    (void)Portion(&self, portion);
  }
  if (index == 0) {
    of->shared->wall = 0;
  }
  for (todo = of->operations; todo > 0;) {
    uint64_t now = todo < portion ? todo : portion;

    spent += Portion(&self, now);
    todo -= now;
  }
  of->subject->leave();
  of->shared->done[index].gets = self.gets;
  of->shared->done[index].puts = self.puts;
  of->shared->done[index].removals = self.removals;
  return (double)spent / (double)of->operations;
}

/* ---- the program --------------------------------------------------------- */

static char directory[] = "/dev/shm/sslsnce-peers-XXXXXX";
static const peerSubject *running;
static pid_t owner;

/* Removes the directory; a signal handler may call it. */
static void RemoveFiles(void) {
  static const char *const files[] = {PEER_LMDB_FILES, PEER_SOCKET};
  int place = open(directory, O_DIRECTORY | O_CLOEXEC);

  for (size_t i = 0; place >= 0 && i < sizeof(files) / sizeof(*files); i++) {
    (void)unlinkat(place, files[i], 0);
  }
  if (place >= 0) {
    close(place);
    rmdir(directory);
  }
}

static void CleanUp(void) {
  if (getpid() == owner) {
    running->stop();
    RemoveFiles();
  }
}

/* Handles a signal. The server and the processes die with their parent
 * (PR_SET_PDEATHSIG). */
static void Interrupted(int signal) {
  if (getpid() == owner) {
    RemoveFiles();
  }
  _exit(128 + signal);
}

/* Makes the directory, which must be in memory, not on a disk. */
static void MakeDirectory(void) {
  struct statfs system;

  if (!mkdtemp(directory)) {
    bench_Fail("no directory %s: %s", directory, strerror(errno));
  }
  owner = getpid();
  atexit(CleanUp);
  signal(SIGINT, Interrupted);
  signal(SIGTERM, Interrupted);
  signal(SIGHUP, Interrupted);
  if (statfs(directory, &system) != 0 || system.f_type != TMPFS_MAGIC) {
    bench_Fail("%s is not in memory", directory);
  }
}

static const peerSubject *Subject(const char *name) {
  const peerSubject *all[] = {&ours, &peer_Lmdb, &peer_Memcached, &peer_Redis};

  for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
    if (strcmp(all[i]->name, name) == 0) {
      return all[i];
    }
  }
  bench_Fail("SUBJECT is ours, lmdb, memcached or redis, not \"%s\"", name);
}

/* Returns the index of |text| in |names|; fails if it is none of them. */
static size_t Choice(const char *what, const char *text,
                     const char *const *names, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (strcmp(names[i], text) == 0) {
      return i;
    }
  }
  bench_Fail("no %s \"%s\"", what, text);
}

static void Fill(const load *of) {
  of->subject->join();
  for (uint64_t serial = 0; serial < of->stored; serial++) {
    snceSession session;

    bench_Session(serial, &session);
    of->subject->put(&session);
  }
  of->subject->leave();
}

/* Fails if the store does not hold the records put less those removed, or if
 * the subject's own counts differ from the processes' operations. */
static void Balance(const load *of, uint64_t gets, uint64_t puts,
                    uint64_t removals) {
  peerSums sums;

  of->subject->join();
  of->subject->sums(&sums);
  of->subject->leave();
  if (sums.there != puts - removals || sums.there != of->stored ||
      sums.lost != 0 || (sums.hits != PEER_UNKNOWN && sums.hits != gets) ||
      (sums.puts != PEER_UNKNOWN && sums.puts != puts)) {
    bench_Fail(
        "%s: %llu there, %llu hits, %llu puts, %llu lost; by count %llu "
        "there, %llu hits, %llu puts",
        of->subject->name, (unsigned long long)sums.there,
        (unsigned long long)sums.hits, (unsigned long long)sums.puts,
        (unsigned long long)sums.lost, (unsigned long long)(puts - removals),
        (unsigned long long)gets, (unsigned long long)puts);
  }
}

int main(int argc, char **argv) {
  static const char *const works[] = {"hit", "90/10", "insert"};
  static const unsigned inserts[] = {0, 10, 100};
  static const char *const modes[] = {"independent", "dependent"};
  benchRow row = {.question = "peers"};
  uint64_t rounds, gets = 0, puts, removals = 0;
  load of = {0};

  if (argc != 8) {
    bench_Fail(
        "usage: peers SUBJECT WORK ACCESS PROCESSES ENTRIES ROUNDS OPERATIONS");
  }
  of.subject = running = Subject(argv[1]);
  row.subject = of.subject->name;
  of.inserts = inserts[Choice("WORK", argv[2], works, 3)];
  row.work = argv[2];
  of.dependent = Choice("ACCESS", argv[3], modes, 2) == 1;
  row.mode = argv[3];
  of.processes = row.processes =
      (unsigned)bench_Number("PROCESSES", argv[4], PROCESSES_MAX);
  row.entries = bench_Number("ENTRIES", argv[5], SNCE_ENTRIES_MAX);
  rounds = bench_Number("ROUNDS", argv[6], 1000);
  of.operations = bench_Number("OPERATIONS", argv[7], 1000000000);
  if (row.entries < 1000) {
    bench_Fail("ENTRIES is at least 1000, for portions of a tenth");
  }
  puts = of.stored = row.entries * 6 / 10;
  of.portion = row.entries / 10 / of.processes;
  of.shared = mmap(NULL, sizeof(*of.shared), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (of.shared == MAP_FAILED) {
    bench_Fail("no memory");
  }

  MakeDirectory();
  of.subject->start(directory, row.entries);
  Fill(&of);
  for (of.round = 0; of.round < rounds; of.round++) {
    double ns[PROCESSES_MAX], total = 0;

    memset(of.shared, 0, sizeof(*of.shared));
    bench_Processes(of.processes, Work, &of, ns);
    for (unsigned i = 0; i < of.processes; i++) {
      total += ns[i];
      gets += of.shared->done[i].gets;
      puts += of.shared->done[i].puts;
      removals += of.shared->done[i].removals;
    }
    bench_Row(&row, "ns", total / of.processes);
    if (of.processes > 1) {
      bench_Row(&row, "per second",
                (double)(of.operations * of.processes) * 1e9 /
                    (double)of.shared->wall);
    }
  }
  Balance(&of, gets, puts, removals);
  return 0;
}
