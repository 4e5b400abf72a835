/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* growth.c: what changes when a cache is larger?
 *
 *   growth ENTRIES [FILL-ENTRIES]
 *
 * The program makes a region for ENTRIES, fills it to FILL-ENTRIES (60 % of
 * ENTRIES), uses it, attaches to it and, if FILL-ENTRIES is not given, fills it
 * completely. Another cache grows from half of ENTRIES to all of them, half as
 * full. If memory is short, fewer sessions are stored (RESERVE bytes stay
 * free); the rows say how many.
 *
 *   create   microseconds until a region is made; |servers|: with as many
 *            virtual servers as there can be, which share half of ENTRIES
 *   insert   |fill|: into a new cache, which takes its memory meanwhile;
 *            |longest|: the longest insert, the smallest of ROUNDS caches,
 *            because now and then another process gets the processor;
 *            |refill|: a portion of new sessions, which are then removed
 *   hit, miss   each lookup depends on the last one's answer, as in core.c
 *   attach   microseconds; |descriptor|: in this process; |inherit|: in a
 *            process that was forked and executed; |lookup|: the same, until it
 *            has looked up its first session
 *   memory   |empty|, |filled|, |full|: resident bytes; |growing|: the most
 *            that was seen while the cache grew
 *   grow     microseconds, while another process looks sessions up; |lookup| is
 *            the mean of these lookups */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define ROUNDS 5
#define LOOKUPS 1000000
#define CERTIFICATES 1000000
#define PATIENCE_MS 60000
#define ATTACHED "--attached"

/* Serials from UNKNOWN on are never stored; those from REFILL on are
 * refills. */
#define UNKNOWN (UINT64_C(1) << 40)
#define REFILL (UINT64_C(1) << 41)

/* Bytes of memory. RESERVE stays free. SESSION_MAX is the most for a session in
 * a full cache. LONELY is for a session that lies alone: an insert reads two
 * sets and writes a slot of one. WALKED is what the old table gains when such a
 * session is moved: each of sixteen passes may touch a page at either end of
 * what it finds. */
#define RESERVE (UINT64_C(1536) << 20)
#define SESSION_MAX 256
#define LONELY (3 * 4096)
#define WALKED (2 * 16 * 4096)
#define STEP 16384 /* inserts between two looks at the available memory */

/* A cache, and counts of the operations on it, which its figures must equal. */
typedef struct {
  snceRegion *region;
  snceCache cache;
  uint64_t inserts, hits, misses, removals;
} subject;

static snceCacheOptions Options(uint64_t entries) {
  snceCacheOptions options = {.entries = entries,
                              .timeoutSec = {100, 86400},
                              .matchAddress = true,
                              .clockSkewSec = 2};

  return options;
}

static void Must(const char *what, snceResult result) {
  if (result != SNCE_OK) {
    bench_Fail("%s: %s", what, snceResult_Text(result));
  }
}

static void Open(subject *out, uint64_t entries) {
  snceCacheOptions options = Options(entries);

  memset(out, 0, sizeof(*out));
  Must("create", snceRegion_Create(&out->region, &options, true));
  out->cache = snceRegion_DefaultCache(out->region);
}

/* Fails if the figures do not balance: every session that was stored is live or
 * was counted when it left, and hits and misses are those that were seen. In
 * this benchmark nothing expires or fails. */
static void Balance(const subject *of) {
  snceFigures figures;
  uint64_t left;

  Must("figures", snceCache_GetFigures(of->cache, &figures));
  left = figures.replacedExpired + figures.replacedLive + figures.removals +
         figures.wiped;
  if (figures.inserts != of->inserts || figures.live != of->inserts - left ||
      figures.removals != of->removals || figures.hits != of->hits ||
      figures.missesUnknown != of->misses ||
      figures.missesExpired + figures.missesAddress + figures.missesName +
              figures.missesCertificate + figures.dropped + figures.refused +
              figures.reclaimed + figures.corrupt + figures.wiped +
              figures.replacedExpired !=
          0) {
    bench_Fail(
        "figures: %llu inserts, %llu live, %llu removals, %llu hits, %llu "
        "misses; by count %llu, %llu, %llu, %llu, %llu",
        (unsigned long long)figures.inserts, (unsigned long long)figures.live,
        (unsigned long long)figures.removals, (unsigned long long)figures.hits,
        (unsigned long long)figures.missesUnknown,
        (unsigned long long)of->inserts,
        (unsigned long long)(of->inserts - left),
        (unsigned long long)of->removals, (unsigned long long)of->hits,
        (unsigned long long)of->misses);
  }
}

static uint64_t Live(const subject *of) {
  snceFigures figures;

  Must("figures", snceCache_GetFigures(of->cache, &figures));
  return figures.live;
}

/* ---- memory -------------------------------------------------------------- */

/* Returns how many bytes are available without swapping, by the kernel's
 * estimate. */
static uint64_t Available(void) {
  FILE *file = fopen("/proc/meminfo", "re");
  unsigned long long kilobytes = 0;
  char line[128];

  while (file && fgets(line, sizeof(line), file) &&
         sscanf(line, "MemAvailable: %llu kB", &kilobytes) != 1) {
  }
  if (!file || kilobytes == 0) {
    bench_Fail("no MemAvailable in /proc/meminfo");
  }
  fclose(file);
  return kilobytes * 1024;
}

/* Returns the most bytes that are resident of a table for |entries| with
 * |sessions|, each of which costs |each| bytes if it lies alone. */
static uint64_t Bound(uint64_t entries, uint64_t sessions, uint64_t each) {
  uint64_t scattered = sessions * each, full = entries * SESSION_MAX;

  return scattered < full ? scattered : full;
}

/* Inserts the sessions |first| .. |first| + |count| - 1, but stops before fewer
 * than |keep| bytes of memory are available. Returns how many it inserted, and
 * their nanoseconds in |*spent|. */
static uint64_t Fill(subject *of, uint64_t first, uint64_t count, uint64_t keep,
                     uint64_t *spent) {
  uint64_t stored = 0;

  *spent = 0;
  while (stored < count) {
    uint64_t now = count - stored < STEP ? count - stored : STEP, begin;

    if (Available() < keep + now * LONELY) {
      break;
    }
    begin = bench_Ns();
    for (uint64_t i = 0; i < now; i++, stored++) {
      snceSession session;

      bench_Session(first + stored, &session);
      Must("insert", snceCache_Insert(of->cache, &session, bench_Time));
    }
    *spent += bench_Ns() - begin;
  }
  of->inserts += stored;
  return stored;
}

static void Memory(const subject *of, benchRow *row, const char *mode) {
  uint64_t live = Live(of), bytes = snceRegion_ResidentBytes(of->region);

  if (bytes == 0) {
    bench_Fail("how much is resident cannot be found out");
  }
  row->work = "memory";
  row->mode = mode;
  bench_Row(row, "sessions", (double)live);
  bench_Row(row, "bytes", (double)bytes);
  if (live) {
    bench_Row(row, "bytes a session", (double)bytes / (double)live);
  }
}

/* ---- lookups ------------------------------------------------------------- */

static void KeyOf(const uint8_t id[SNCE_ID_MAX], snceKey *key) {
  memset(key, 0, sizeof(*key));
  key->id = id;
  key->idLen = SNCE_ID_MAX;
  memcpy(key->address, bench_Address, sizeof(key->address));
}

/* Looks up |serial| and compares the whole session. */
static bool Find(snceCache cache, uint64_t serial) {
  snceSession session = {.certificate = {NULL, 0, 0}};
  uint8_t id[SNCE_ID_MAX];
  snceResult result;
  snceKey key;

  bench_Id(serial, id);
  KeyOf(id, &key);
  result = snceCache_Lookup(cache, &key, bench_Time, &session);
  if (result == SNCE_MISS) {
    return false;
  }
  Must("lookup", result);
  if (!bench_IsSession(&session, serial)) {
    bench_Fail("session %llu is not as it was stored",
               (unsigned long long)serial);
  }
  return true;
}

/* Returns how many of the sessions 0 .. |count| - 1 are found. */
static uint64_t Found(subject *of, uint64_t count) {
  uint64_t found = 0;

  for (uint64_t serial = 0; serial < count; serial++) {
    found += Find(of->cache, serial);
  }
  of->hits += found;
  of->misses += count - found;
  return found;
}

/* Looks up LOOKUPS of the |count| serials from |first| on, which must all have
 * the result |expected|. Returns the nanoseconds of one lookup. */
static double LookUp(subject *of, uint64_t first, uint64_t count, uint64_t seed,
                     snceResult expected) {
  uint64_t serial = seed, wrong = 0, begin;
  snceSession session = {.certificate = {NULL, 0, 0}};
  uint8_t id[SNCE_ID_MAX];
  snceKey key;

  KeyOf(id, &key);
  begin = bench_Ns();
  for (uint64_t i = 0; i < LOOKUPS; i++) {
    uint64_t wanted = first + bench_Range(bench_Mix(serial + seed + i), count);
    snceResult result;

    bench_Id(wanted, id);
    result = snceCache_Lookup(of->cache, &key, bench_Time, &session);
    wrong += result != expected;
    if (result == SNCE_OK) {
      memcpy(&serial, session.state, sizeof(serial));
      wrong += serial != wanted;
    } else {
      serial = (uint64_t)result;
    }
  }
  begin = bench_Ns() - begin;
  if (wrong) {
    bench_Fail("%llu of %u lookups did not end as they must",
               (unsigned long long)wrong, LOOKUPS);
  }
  of->hits += expected == SNCE_OK ? LOOKUPS : 0;
  of->misses += expected == SNCE_OK ? 0 : LOOKUPS;
  return (double)begin / LOOKUPS;
}

static void TimeLookups(subject *of, benchRow *row, uint64_t stored) {
  row->mode = "dependent";
  for (uint64_t round = 0; round <= ROUNDS; round++) {
    uint64_t seed = bench_Mix(round);
    double hit = LookUp(of, 0, stored, seed, SNCE_OK);
    double miss = LookUp(of, UNKNOWN, stored, seed, SNCE_MISS);

    if (round == 0) { /* this round only warms up the processor's cache */
      continue;
    }
    row->work = "hit";
    bench_Row(row, "ns", hit);
    row->work = "miss";
    bench_Row(row, "ns", miss);
  }
}

/* ---- inserts ------------------------------------------------------------- */

/* Returns how long the longest of |count| inserts into a new cache takes. */
static uint64_t Longest(uint64_t entries, uint64_t count) {
  uint64_t longest = 0;
  subject of;

  Open(&of, entries);
  for (uint64_t serial = 0; serial < count; serial++) {
    snceSession session;
    uint64_t spent;

    bench_Session(serial, &session);
    spent = bench_Ns();
    Must("insert", snceCache_Insert(of.cache, &session, bench_Time));
    spent = bench_Ns() - spent;
    longest = spent > longest ? spent : longest;
  }
  of.inserts = count;
  Balance(&of);
  snceRegion_Close(of.region);
  return longest;
}

static void TimeLongest(benchRow *row, uint64_t entries, uint64_t count) {
  uint64_t least = UINT64_MAX;

  count = count < LOOKUPS ? count : LOOKUPS;
  for (unsigned round = 0; round < ROUNDS; round++) {
    uint64_t longest = Longest(entries, count);

    least = longest < least ? longest : least;
  }
  row->work = "insert";
  row->mode = "longest";
  bench_Row(row, "ns", (double)least);
}

/* Times inserts in portions, which it removes after each. A portion is a sixth
 * of the sessions: a tenth of a cache that is 60 % full. */
static void TimeRefills(subject *of, benchRow *row, uint64_t filled) {
  uint64_t portion = filled / 6 ? filled / 6 : 1;

  portion = portion < LOOKUPS ? portion : LOOKUPS;
  row->work = "insert";
  row->mode = "refill";
  for (uint64_t round = 0; round <= ROUNDS; round++) {
    uint64_t first = REFILL + round * LOOKUPS, spent, stored;

    stored = Fill(of, first, portion, RESERVE, &spent);
    for (uint64_t serial = first; serial < first + stored; serial++) {
      uint8_t id[SNCE_ID_MAX];
      snceResult result;
      snceKey key;

      bench_Id(serial, id);
      KeyOf(id, &key);
      result = snceCache_Remove(of->cache, &key);
      of->removals += result == SNCE_OK;
      if (result != SNCE_MISS) { /* a full cache may have evicted it */
        Must("remove", result);
      }
    }
    if (stored < portion) {
      fprintf(stderr, "growth: no memory for a portion of %llu\n",
              (unsigned long long)portion);
      return;
    }
    if (round > 0) {
      bench_Row(row, "ns", (double)spent / (double)stored);
    }
  }
}

/* ---- beginning ----------------------------------------------------------- */

/* Adds as many virtual servers as there can be. Together they have room for a
 * million certificates: for one with each of 50 million sessions a region does
 * not have the address space. */
static void AddServers(snceRegion *region, uint64_t entries) {
  snceCacheOptions options =
      Options(entries > SNCE_SERVERS_MAX ? entries / SNCE_SERVERS_MAX : 1);

  options.certificates = CERTIFICATES / SNCE_SERVERS_MAX;
  for (unsigned i = 0; i < SNCE_SERVERS_MAX; i++) {
    char name[32];
    snceServerId id;
    int length = snprintf(name, sizeof(name), "s%u.example", i);

    Must("add", snceServer_Add(region, (const uint8_t *)name, (size_t)length,
                               &options, &id));
  }
}

static void TimeCreation(benchRow *row, uint64_t entries) {
  row->work = "create";
  for (unsigned i = 0; i < 2 * ROUNDS; i++) {
    bool servers = i >= ROUNDS;
    uint64_t begin = bench_Ns();
    subject made;

    Open(&made, servers ? entries / 2 : entries);
    if (servers) {
      AddServers(made.region, entries - entries / 2);
    }
    begin = bench_Ns() - begin;
    row->mode = servers ? "servers" : "";
    bench_Row(row, "microseconds", (double)begin / 1000);
    if (Find(made.cache, 0)) {
      bench_Fail("a new cache is not empty");
    }
    snceRegion_Close(made.region);
  }
}

/* The child of TimeInheritance: reports how long it took to attach, and until
 * it had found session 0. */
static int Attached(const char *string) {
  uint64_t begin = bench_Ns(), attached;
  snceRegion *region;
  double times[2];

  Must("inherit", snceRegion_Inherit(&region, string));
  attached = bench_Ns();
  if (!Find(snceRegion_DefaultCache(region), 0)) {
    bench_Fail("inherit: a session is not there");
  }
  times[0] = (double)(attached - begin) / 1000;
  times[1] = (double)(bench_Ns() - begin) / 1000;
  snceRegion_Close(region);
  return write(STDOUT_FILENO, times, sizeof(times)) == sizeof(times) ? 0 : 1;
}

static void Inherit(const char *string, double times[2]) {
  int ends[2], status = 0;
  struct pollfd ready;
  ssize_t got = 0;
  pid_t pid;

  if (pipe(ends) != 0 || (pid = fork()) < 0) {
    bench_Fail("no process: %s", strerror(errno));
  }
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(ends[1], STDOUT_FILENO);
    execl("/proc/self/exe", "growth", ATTACHED, string, (char *)NULL);
    _exit(127);
  }
  close(ends[1]);
  ready = (struct pollfd){.fd = ends[0], .events = POLLIN};
  if (poll(&ready, 1, PATIENCE_MS) == 1) {
    got = read(ends[0], times, 2 * sizeof(*times));
  } else {
    kill(pid, SIGKILL);
  }
  close(ends[0]);
  if (waitpid(pid, &status, 0) != pid || status != 0 ||
      got != 2 * sizeof(*times)) {
    bench_Fail("a process that inherits failed");
  }
}

static void TimeAttaching(subject *of, benchRow *row) {
  char string[SNCE_STRING_MAX];

  Must("export", snceRegion_Export(of->region, string, sizeof(string)));
  row->work = "attach";
  for (unsigned i = 0; i < ROUNDS; i++) {
    int fd = dup(snceRegion_Descriptor(of->region));
    snceRegion *again;
    double times[2];
    uint64_t begin = bench_Ns();

    Must("attach", snceRegion_Attach(&again, fd, SNCE_ACCESS_WORK));
    begin = bench_Ns() - begin;
    row->mode = "descriptor";
    bench_Row(row, "microseconds", (double)begin / 1000);
    if (!Find(snceRegion_DefaultCache(again), 0)) {
      bench_Fail("attach: a session is not there");
    }
    snceRegion_Close(again);

    Inherit(string, times);
    row->mode = "inherit";
    bench_Row(row, "microseconds", times[0]);
    row->mode = "lookup";
    bench_Row(row, "microseconds", times[1]);
    of->hits += 2;
  }
}

/* ---- growing ------------------------------------------------------------- */

typedef struct {
  snceRegion *region;
  snceCache cache;
  uint64_t entries, stored;
  struct {
    _Atomic bool grown;
    uint64_t lookups;
    uint64_t peak; /* the most resident bytes that were seen meanwhile */
  } * shared;
} growth;

/* Process 0 makes the cache grow, and returns the microseconds. Process 1 looks
 * sessions up until that is done, and returns the nanoseconds of a lookup. */
static double Grow(void *context, unsigned index) {
  growth *of = context;
  uint64_t random = 0, lookups = 0, peak = 0, begin = bench_Ns();

  if (index == 0) {
    snceCacheOptions options = Options(of->entries);
    snceResult result = snceCache_Configure(of->cache, &options);

    begin = bench_Ns() - begin;
    of->shared->grown = true;
    Must("grow", result);
    return (double)begin / 1000;
  }
  while (!of->shared->grown || lookups == 0) {
    if (!Find(of->cache, bench_Range(bench_Next(&random), of->stored))) {
      bench_Fail("a session is not there while the cache grows");
    }
    if (lookups++ % 1024 == 0) {
      uint64_t bytes = snceRegion_ResidentBytes(of->region);

      peak = bytes > peak ? bytes : peak;
    }
  }
  of->shared->lookups = lookups;
  of->shared->peak = peak;
  return (double)(bench_Ns() - begin) / (double)lookups;
}

static void TimeGrowth(benchRow *row, uint64_t entries, uint64_t wanted) {
  growth of = {.entries = entries};
  double results[2];
  uint64_t spent, keep = RESERVE;
  subject grown;

  of.shared = mmap(NULL, sizeof(*of.shared), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (of.shared == MAP_FAILED) {
    bench_Fail("no memory");
  }
  Open(&grown, entries / 2);
  of.region = grown.region;
  of.cache = grown.cache;
  /* While the cache grows, there are two tables: leave memory for both. */
  for (uint64_t step = STEP; of.stored < wanted; of.stored += step) {
    step = wanted - of.stored < STEP ? wanted - of.stored : STEP;
    keep = RESERVE + Bound(entries, of.stored + step, LONELY) +
           Bound(entries / 2, of.stored + step, WALKED);
    if (Fill(&grown, of.stored, step, keep, &spent) < step) {
      break;
    }
  }
  if (of.stored == 0) {
    bench_Fail("no memory to let a cache grow");
  }
  bench_Processes(2, Grow, &of, results);
  grown.hits += of.shared->lookups;
  row->work = "grow";
  row->mode = "";
  bench_Row(row, "microseconds", results[0]);
  bench_Row(row, "sessions", (double)of.stored);
  row->mode = "lookup";
  bench_Row(row, "ns", results[1]);
  row->work = "memory";
  row->mode = "growing";
  bench_Row(row, "bytes", (double)of.shared->peak);
  if (Found(&grown, of.stored) != of.stored) {
    bench_Fail("not all sessions are there after the cache grew");
  }
  Balance(&grown);
  snceRegion_Close(grown.region);
  munmap(of.shared, sizeof(*of.shared));
}

/* ---- the program --------------------------------------------------------- */

static void Brim(subject *of, benchRow *row, uint64_t stored,
                 uint64_t entries) {
  uint64_t spent;

  if (stored + Fill(of, stored, entries - stored, RESERVE, &spent) < entries) {
    fprintf(stderr, "growth: no memory for %llu sessions\n",
            (unsigned long long)entries);
    return;
  }
  Memory(of, row, "full");
  if (Found(of, entries) != Live(of)) {
    bench_Fail("what is found in a full cache is not what is there");
  }
}

int main(int argc, char **argv) {
  benchRow row = {.question = "growth", .subject = "ours"};
  uint64_t wanted, stored, spent;
  subject of;

  if (argc == 3 && strcmp(argv[1], ATTACHED) == 0) {
    return Attached(argv[2]);
  }
  if (argc != 2 && argc != 3) {
    bench_Fail("usage: growth ENTRIES [FILL-ENTRIES]");
  }
  row.entries = bench_Number("ENTRIES", argv[1], SNCE_ENTRIES_MAX);
  if (row.entries < 1000) {
    bench_Fail("ENTRIES is at least 1000");
  }
  wanted = argc == 3
               ? bench_Number("FILL-ENTRIES", argv[2], row.entries * 6 / 10)
               : row.entries * 6 / 10;

  TimeCreation(&row, row.entries);
  TimeLongest(&row, row.entries, wanted);
  Open(&of, row.entries);
  Memory(&of, &row, "empty");
  stored = Fill(&of, 0, wanted, RESERVE, &spent);
  if (stored == 0) {
    bench_Fail("no memory but the reserve");
  }
  row.work = "insert";
  row.mode = "fill";
  bench_Row(&row, "ns", (double)spent / (double)stored);
  Memory(&of, &row, "filled");
  if (Live(&of) != stored) {
    bench_Fail("not all %llu sessions are there", (unsigned long long)stored);
  }
  TimeLookups(&of, &row, stored);
  TimeRefills(&of, &row, stored);
  TimeAttaching(&of, &row);
  if (argc == 2) {
    Brim(&of, &row, stored, row.entries);
  }
  Balance(&of);
  snceRegion_Close(of.region);
  TimeGrowth(&row, row.entries, wanted / 2);
  return 0;
}
