/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* tracesource.h: traces, which say which client visits a server at which time.
 *
 * A trace is a sequence of visits, not of session IDs: a client comes back with
 * the ID that it got last, which depends on the cache. The same seed and size
 * give the same trace. */
#ifndef SSLSNCE_TESTS_BENCH_TRACESOURCE_H_
#define SSLSNCE_TESTS_BENCH_TRACESOURCE_H_

#include <stdbool.h>
#include <stdint.h>

#include "sslsnce/snce.h"

#define TRACE_SERVERS 3
#define TRACE_SIZES 5
#define TRACE_NEVER UINT32_MAX

#define TRACE_CERTIFICATE_MIN 1024
#define TRACE_CERTIFICATE_MAX 4096

typedef struct {
  uint32_t ms; /* since the trace began */
  uint32_t client;
} traceVisit;

typedef struct {
  uint8_t server;       /* below |servers| */
  uint8_t sessionClass; /* snceClass */
  uint32_t certificate; /* 0: none; several clients may have the same */
} traceClient;

typedef struct {
  const char *name;
  unsigned servers; /* virtual servers, each with clients of its own */
  uint32_t timeoutSec[TRACE_SERVERS][SNCE_CLASSES];
  uint32_t percent[TRACE_SIZES]; /* cache sizes in % of |regulars|; 0: end */
  uint32_t regulars;             /* clients that may come back */
  uint32_t clientCount;          /* all clients, also those that come once */
  traceClient *clients;
  uint32_t visitCount;
  traceVisit *visits;
  uint32_t *next;  /* by visit: the client's next one, or TRACE_NEVER */
  uint64_t offers; /* visits of clients that came before */
  bool expires;    /* some session can outlive its timeout */
} trace;

/* traceSource_Name returns the name of trace |index|, or NULL if there is
 * none. */
const char *traceSource_Name(unsigned index);

/* traceSource_Make makes trace |index|, for about |regulars| clients that come
 * back. The caller ends with traceSource_Free. */
void traceSource_Make(trace *out, unsigned index, uint32_t regulars,
                      uint64_t seed);
void traceSource_Free(trace *t);

/* traceSource_Lifetime returns the milliseconds that a client's sessions live.
 */
uint64_t traceSource_Lifetime(const trace *t, uint32_t client);

/* traceSource_Certificate writes the certificate |number| to |out| and returns
 * its length; 0 for none. */
size_t traceSource_Certificate(uint32_t number,
                               uint8_t out[TRACE_CERTIFICATE_MAX]);

#endif /* SSLSNCE_TESTS_BENCH_TRACESOURCE_H_ */
