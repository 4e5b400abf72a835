/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#define _GNU_SOURCE /* sched_setaffinity */

#include "bench.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROCESSES_MAX 64
#define SECONDS_MAX 600

const uint8_t bench_Address[SNCE_ADDRESS_BYTES] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1};
const snceTime bench_Time = {INT64_C(1700000000000000)};

void bench_Fail(const char *format, ...) {
  va_list args;

  va_start(args, format);
  vfprintf(stderr, format, args);
  va_end(args);
  fputc('\n', stderr);
  exit(1);
}

uint64_t bench_Ns(void) {
  struct timespec now;

  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t bench_Number(const char *what, const char *text, uint64_t max) {
  char *end;
  unsigned long long value;

  errno = 0;
  value = strtoull(text, &end, 10);
  if (errno || *end || end == text || *text == '-' || value == 0 ||
      value > max) {
    bench_Fail("%s is 1 to %llu, not \"%s\"", what, (unsigned long long)max,
               text);
  }
  return value;
}

void bench_Row(const benchRow *row, const char *unit, double value) {
  printf("%s,%s,%s,%u,%llu,%s,%s,%.6g\n", row->question,
         row->work ? row->work : "", row->mode ? row->mode : "",
         row->processes ? row->processes : 1, (unsigned long long)row->entries,
         row->subject, unit, value);
  fflush(stdout);
}

static int Compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;

  return (x > y) - (x < y);
}

double bench_Median(double *values, size_t count) {
  qsort(values, count, sizeof(*values), Compare);
  return count % 2 ? values[count / 2]
                   : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* ---- processes ----------------------------------------------------------- */

typedef struct {
  _Atomic unsigned ready;
  _Atomic unsigned go;
  double results[PROCESSES_MAX];
} meeting;

void bench_Bind(unsigned index) {
  cpu_set_t allowed, one;
  unsigned nth = 0;

  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) {
    return;
  }
  for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (CPU_ISSET(cpu, &allowed) && nth++ == index) {
      CPU_ZERO(&one);
      CPU_SET(cpu, &one);
      (void)sched_setaffinity(0, sizeof(one), &one);
    }
  }
}

static pid_t Start(meeting *at, unsigned count, unsigned index, benchWork work,
                   void *context) {
  pid_t pid = fork();

  if (pid < 0) {
    bench_Fail("no process: %s", strerror(errno));
  }
  if (pid > 0) {
    return pid;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  alarm(SECONDS_MAX);
  if (count <= (unsigned)sysconf(_SC_NPROCESSORS_ONLN)) {
    bench_Bind(index);
  }
  at->ready++;
  while (!at->go) {
    sched_yield();
  }
  at->results[index] = work(context, index);
  _exit(0);
}

void bench_Processes(unsigned count, benchWork work, void *context,
                     double *results) {
  meeting *at = mmap(NULL, sizeof(*at), PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t pids[PROCESSES_MAX];
  const char *fault = NULL;

  if (at == MAP_FAILED || count > PROCESSES_MAX) {
    bench_Fail("no room for %u processes", count);
  }
  for (unsigned i = 0; i < count; i++) {
    pids[i] = Start(at, count, i, work, context);
  }
  for (uint64_t until = bench_Ns() + UINT64_C(60000000000);
       at->ready < count && bench_Ns() < until;) {
    sched_yield();
  }
  at->go = 1;
  for (unsigned i = 0; i < count; i++) {
    int status = 0;

    if (waitpid(pids[i], &status, 0) < 0 || !WIFEXITED(status)) {
      fault = "died";
    } else if (WEXITSTATUS(status) != 0) {
      fault = "failed";
    }
    results[i] = at->results[i];
  }
  if (fault) {
    bench_Fail("a process %s", fault);
  }
  munmap(at, sizeof(*at));
}

/* ---- sessions ------------------------------------------------------------ */

void bench_Session(uint64_t serial, snceSession *out) {
  memset(out, 0, sizeof(*out));
  bench_Id(serial, out->id);
  out->idLen = SNCE_ID_MAX;
  memcpy(out->address, bench_Address, sizeof(out->address));
  out->sessionClass = SNCE_CLASS_SSL3;
  out->created = out->lastAccess = bench_Time;
  memset(out->state, (int)(serial % 251), sizeof(out->state));
  memcpy(out->state, &serial, sizeof(serial));
}

int bench_IsSession(const snceSession *session, uint64_t serial) {
  snceSession wanted;

  bench_Session(serial, &wanted);
  return session->idLen == wanted.idLen &&
         memcmp(session->id, wanted.id, sizeof(wanted.id)) == 0 &&
         memcmp(session->state, wanted.state, sizeof(wanted.state)) == 0;
}

snceRegion *bench_Region(uint64_t entries) {
  snceCacheOptions options = {.entries = entries,
                              .timeoutSec = {100, 86400},
                              .matchAddress = true,
                              .clockSkewSec = 2};
  snceRegion *region;
  snceResult result = snceRegion_Create(&region, &options, false);

  if (result != SNCE_OK) {
    bench_Fail("no region: %s", snceResult_Text(result));
  }
  return region;
}
