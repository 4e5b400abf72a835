/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* bench.h: the common parts of the benchmarks: a clock, rows, processes that
 * begin together, sessions by number.
 *
 * A program answers one question. It prints rows (comma-separated, described
 * by bench_Row) on standard output and nothing else. It checks its own sums,
 * and ends by bench_Fail if they do not balance. tests/bench/report takes
 * medians and ratios. */
#ifndef SSLSNCE_TESTS_BENCH_BENCH_H_
#define SSLSNCE_TESTS_BENCH_BENCH_H_

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "sslsnce/snce.h"

/* bench_Fail prints a sentence on standard error and ends the process with
 * status 1. */
void bench_Fail(const char *format, ...)
    __attribute__((format(printf, 1, 2), noreturn));

/* bench_Ns returns nanoseconds of a clock that only goes forwards. */
uint64_t bench_Ns(void);

/* bench_Number reads the argument |text|, named |what| in the complaint, from
 * 1 to |max|. */
uint64_t bench_Number(const char *what, const char *text, uint64_t max);

/* benchRow is the subject of a row; an unset string is an empty field. */
typedef struct {
  const char *question; /* the program: libssl, core, peers ... */
  const char *work;     /* hit, miss, insert ... */
  const char *mode;     /* single, multi; hot, cold; a trace's name ... */
  unsigned processes;
  uint64_t entries;
  const char *subject; /* stock, ours, floor, lmdb ... */
} benchRow;

/* bench_Row prints a row: the six fields of |row|, |unit|, |value|. */
void bench_Row(const benchRow *row, const char *unit, double value);

/* bench_Median sorts |values| and returns their median. */
double bench_Median(double *values, size_t count);

/* bench_Processes forks |count| children that begin |work| at the same time,
 * and stores the values that they return in |results|, in order. Each child is
 * bound to a processor of its own if there are enough. A child that fails,
 * dies, or takes longer than ten minutes ends the program. */
typedef double (*benchWork)(void *context, unsigned index);
void bench_Processes(unsigned count, benchWork work, void *context,
                     double *results);

/* bench_Bind binds this process to the |index|-th of the processors that it may
 * use. Does nothing if there are not so many. */
void bench_Bind(unsigned index);

/* bench_Mix spreads every bit of |x| over the result (a bijection). */
static inline uint64_t bench_Mix(uint64_t x) {
  x += UINT64_C(0x9e3779b97f4a7c15);
  x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
  return x ^ (x >> 31);
}

/* bench_Next steps a generator of random numbers. */
static inline uint64_t bench_Next(uint64_t *state) {
  return bench_Mix((*state)++);
}

/* bench_Range maps |random| evenly onto 0 .. |count| - 1. */
static inline uint64_t bench_Range(uint64_t random, uint64_t count) {
  __extension__ typedef unsigned __int128 wide;

  return (uint64_t)((wide)random * count >> 64);
}

/* bench_Id writes session ID number |serial|: 32 bytes, different for each
 * serial. It is cheap, because it is timed together with the use of the ID. */
static inline void bench_Id(uint64_t serial, uint8_t id[SNCE_ID_MAX]) {
  uint64_t first = bench_Mix(serial);
  uint64_t words[SNCE_ID_MAX / 8] = {
      first, first * UINT64_C(0xd1342543de82ef95),
      first * UINT64_C(0xda942042e4dd58b5), ~first};

  memcpy(id, words, SNCE_ID_MAX);
}

/* The client address of every session of a benchmark. */
extern const uint8_t bench_Address[SNCE_ADDRESS_BYTES];

/* The clock of the sessions; nothing expires unless a benchmark moves it. */
extern const snceTime bench_Time;

/* bench_Session fills in |*out| as session |serial|; its state holds
 * |serial|. */
void bench_Session(uint64_t serial, snceSession *out);

/* bench_IsSession returns whether |*session| is session |serial|. */
int bench_IsSession(const snceSession *session, uint64_t serial);

/* bench_Region makes a region whose default cache has |entries| and the longest
 * timeouts; the caller ends with snceRegion_Close. */
snceRegion *bench_Region(uint64_t entries);

#endif /* SSLSNCE_TESTS_BENCH_BENCH_H_ */
