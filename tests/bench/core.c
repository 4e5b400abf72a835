/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* core.c: what does a lookup cost, compared with the least that it could cost?
 *
 *   core ENTRIES ROUNDS LOOKUPS [evict]
 *
 * The floor is one read and copy of a slot's words out of the cache's own
 * table, at random. In the floor and in a lookup, the bytes read last determine
 * what is read next, so that the processor cannot begin the next read before
 * this one has ended. The two take turns, ROUNDS times. The time of a hit
 * includes making its ID, which is not the cache's work; "no lookup" is the
 * time of that alone.
 *
 * With "evict" the cache is then filled, and LOOKUPS sessions more are stored,
 * each in the place of another one. In the rows "evict" none of these sessions
 * is looked up; in "evict used" three of every four are, at once. */

#include "bench.h"
#include "snceview.h"

/* Copies the words of |reads| slots at random, each chosen by the one before.
 * Returns the nanoseconds of one read. */
static double Floor(const snceTable *table, uint64_t reads, uint64_t seed) {
  uint64_t slots = table->pages * SNCE_PAGE_SLOTS, serial = seed, sum = 0;
  uint64_t begin = bench_Ns();

  for (uint64_t i = 0; i < reads; i++) {
    uint64_t at = bench_Range(bench_Mix(serial + seed + i), slots);
    const snceSlotWords *slot =
        &snceTable_Set(table, at / SNCE_WAYS)->slot[at % SNCE_WAYS];
    uint64_t copy[SNCE_ENTRY_WORDS];

    for (unsigned w = 0; w < SNCE_ENTRY_WORDS; w++) {
      copy[w] = atomic_load_explicit(&slot->word[w], memory_order_relaxed);
    }
    __asm__ volatile("" : : "r"(copy) : "memory");
    serial = copy[SNCE_W_STATE]; /* the session's serial; 0 in an empty slot */
    sum += serial;
  }
  begin = bench_Ns() - begin;
  if (sum == 0 && reads > 100) { /* 60 % of the slots have a session */
    bench_Fail("the floor read nothing");
  }
  return (double)begin / (double)reads;
}

/* Does what LookUp does without the lookup: chooses a session and makes its ID.
 * Returns the nanoseconds of one. */
static double NoLookUp(uint64_t count, uint64_t ids, uint64_t seed) {
  uint64_t serial = seed, begin = bench_Ns();

  for (uint64_t i = 0; i < ids; i++) {
    uint8_t id[SNCE_ID_MAX];

    bench_Id(bench_Range(bench_Mix(serial + seed + i), count), id);
    __asm__ volatile("" : : "r"(id) : "memory");
    memcpy(&serial, id, sizeof(serial));
  }
  begin = bench_Ns() - begin;
  return (double)begin / (double)ids;
}

/* Looks up |count| serials from |first| on, stored ones or others, |lookups|
 * times, which must all have the result |expected|. Returns the nanoseconds of
 * one. */
static double LookUp(snceCache cache, uint64_t first, uint64_t count,
                     uint64_t lookups, uint64_t seed, snceResult expected) {
  uint64_t serial = seed, wrong = 0, begin;
  snceSession session;
  snceKey key;

  memset(&session, 0, sizeof(session));
  memset(&key, 0, sizeof(key));
  memcpy(key.address, bench_Address, sizeof(key.address));
  begin = bench_Ns();
  for (uint64_t i = 0; i < lookups; i++) {
    uint64_t wanted = bench_Range(bench_Mix(serial + seed + i), count);
    uint8_t id[SNCE_ID_MAX];
    snceResult result;

    bench_Id(first + wanted, id);
    key.id = id;
    key.idLen = sizeof(id);
    result = snceCache_Lookup(cache, &key, bench_Time, &session);
    if (result == SNCE_OK) {
      memcpy(&serial, session.state, sizeof(serial));
      wrong += serial != first + wanted;
    } else {
      serial = (uint64_t)result;
    }
    wrong += result != expected;
  }
  begin = bench_Ns() - begin;
  if (wrong) {
    bench_Fail("%llu of %llu lookups did not end as they must",
               (unsigned long long)wrong, (unsigned long long)lookups);
  }
  return (double)begin / (double)lookups;
}

static uint64_t Fill(snceCache cache, uint64_t count) {
  uint64_t stored = 0;
  snceSession session;

  for (uint64_t serial = 0; serial < count; serial++) {
    bench_Session(serial, &session);
    stored += snceCache_Insert(cache, &session, bench_Time) == SNCE_OK;
  }
  return stored;
}

/* Makes a region whose cache of |entries| has |stored| sessions, and has
 * evicted none. While a table grows, one session in some ten million evicts
 * another one: then MakeFilled makes another region, in which sessions lie
 * elsewhere. */
static snceRegion *MakeFilled(uint64_t entries, uint64_t stored) {
  for (unsigned try = 0; try < 5; try++) {
    snceRegion *region = bench_Region(entries);
    snceCache cache = snceRegion_DefaultCache(region);
    snceFigures figures;

    if (Fill(cache, stored) != stored) {
      bench_Fail("a cache of %llu did not take %llu sessions",
                 (unsigned long long)entries, (unsigned long long)stored);
    }
    if (snceCache_GetFigures(cache, &figures) == SNCE_OK &&
        figures.replacedLive == 0) {
      return region;
    }
    snceRegion_Close(region);
  }
  bench_Fail("sessions are evicted from a cache of %llu that is 60 %% full",
             (unsigned long long)entries);
  return NULL;
}

/* Inserts |count| sessions from |first| on, and looks up |ofFour| of every four
 * at once. The clock goes on by a second with every hundredth of |entries|.
 * Returns the nanoseconds of one insert. */
static double Replace(snceCache cache, uint64_t first, uint64_t count,
                      uint64_t entries, unsigned ofFour) {
  snceSession session, found;
  uint64_t wrong = 0, ns = 0;
  snceKey key = {.idLen = SNCE_ID_MAX};

  memset(&found, 0, sizeof(found));
  memcpy(key.address, bench_Address, sizeof(key.address));
  for (uint64_t i = 0; i < count; i++) {
    snceTime now = {bench_Time.usec +
                    (int64_t)((first + i) * 100 / entries) * 1000000};
    uint64_t begin;

    bench_Session(first + i, &session);
    session.created = session.lastAccess = now;
    begin = bench_Ns();
    wrong += snceCache_Insert(cache, &session, now) != SNCE_OK;
    ns += bench_Ns() - begin;
    if (bench_Mix(i) % 4 < ofFour) {
      key.id = session.id;
      wrong += snceCache_Lookup(cache, &key, now, &found) != SNCE_OK;
    }
  }
  if (wrong) {
    bench_Fail("%llu of %llu sessions were not stored",
               (unsigned long long)wrong, (unsigned long long)count);
  }
  return (double)ns / (double)count;
}

int main(int argc, char **argv) {
  benchRow row = {.question = "core", .mode = "dependent"};
  uint64_t rounds, lookups, stored, used = 0;
  snceFigures figures;
  snceRegion *region;
  snceCache cache;
  snceView view;

  if (argc != 4 && (argc != 5 || strcmp(argv[4], "evict") != 0)) {
    bench_Fail("usage: core ENTRIES ROUNDS LOOKUPS [evict]");
  }
  row.entries = bench_Number("ENTRIES", argv[1], SNCE_ENTRIES_MAX);
  rounds = bench_Number("ROUNDS", argv[2], 1000);
  lookups = bench_Number("LOOKUPS", argv[3], 1000000000);

  /* The cache is 60 % full, as stock's is in the other measurements, so that
   * nothing is evicted. */
  stored = row.entries * 6 / 10 ? row.entries * 6 / 10 : 1;
  region = MakeFilled(row.entries, stored);
  cache = snceRegion_DefaultCache(region);
  if (snceView_Open(&view, region, cache.id) != SNCE_OK) {
    bench_Fail("the cache's table cannot be found");
  }

  for (uint64_t round = 0; round < rounds; round++) {
    uint64_t seed = bench_Mix(round);
    double ns;

    /* Once to warm up the processor's cache. */
    (void)Floor(&view.now.table, lookups / 10 + 1, seed);
    row.work = "read";
    row.subject = "floor";
    ns = Floor(&view.now.table, lookups, seed);
    bench_Row(&row, "ns", ns);

    row.subject = "ours";
    row.work = "no lookup";
    ns = NoLookUp(stored, lookups, seed);
    bench_Row(&row, "ns", ns);

    row.work = "hit";
    (void)LookUp(cache, 0, stored, lookups / 10 + 1, seed, SNCE_OK);
    ns = LookUp(cache, 0, stored, lookups, seed, SNCE_OK);
    bench_Row(&row, "ns", ns);

    row.work = "miss";
    ns = LookUp(cache, UINT64_C(1) << 40, stored, lookups, seed, SNCE_MISS);
    bench_Row(&row, "ns", ns);
    used += 2 * lookups + lookups / 10 + 1;
  }
  if (snceCache_GetFigures(cache, &figures) != SNCE_OK ||
      figures.inserts != stored ||
      figures.live + figures.replacedLive != stored ||
      figures.hits + figures.missesUnknown != used) {
    bench_Fail("the cache's figures do not add up");
  }

  row.subject = "ours";
  for (unsigned ofFour = 0; argc == 5 && ofFour <= 3; ofFour += 3) {
    uint64_t first = stored + ofFour * 4 * (row.entries + lookups);
    double ns;

    row.work = ofFour ? "evict used" : "evict";
    (void)Replace(cache, first, 3 * row.entries, row.entries, ofFour);
    first += 3 * row.entries;
    ns = Replace(cache, first, lookups, row.entries, ofFour);
    bench_Row(&row, "ns", ns);
  }
  snceRegion_Close(region);
  return 0;
}
