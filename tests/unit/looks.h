/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* looks.h: sncelook.h, whose atomics C++ does not take, for look_test.cc. */
#ifndef SSLSNCE_TESTS_UNIT_LOOKS_H_
#define SSLSNCE_TESTS_UNIT_LOOKS_H_

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LOOKS_WAYS 10

enum { ORDER_OLDEST, ORDER_OLDEST_NOT_0, ORDER_IDLEST };

/* A set that is looked at, and how. */
typedef struct {
  uint64_t version[LOOKS_WAYS];
  uint32_t stamp[LOOKS_WAYS];
  uint64_t tag;
  uint32_t nowSec;
  uint32_t timeoutSec[2];
  uint32_t aheadSec;
  uint32_t ways; /* of which the longest are asked for */
  int order;     /* ORDER_... */
} Looked;

/* What is seen. */
typedef struct {
  uint32_t full, busy, visited, tagged;
  uint8_t hand;
  uint32_t taggedAgain;
  uint32_t expired;
} Seen;

/* By the loops, and by what this processor has; the same where it has none. */
Seen LookPlain(const Looked *looked);
Seen LookAsBuilt(const Looked *looked);

/* What the words of a version are made of. */
uint64_t FullVersion(uint32_t generation, uint64_t tag);
uint64_t BusyVersion(uint32_t generation, uint8_t ticket, uint64_t tag);
uint64_t UsedVersion(uint64_t version, uint32_t sec);
uint64_t TagOf(uint64_t hash);
unsigned NumberOfWays(uint32_t a, uint32_t b);

/* Those of |looked[0]| and of |looked[1]| that have been there longest. */
bool LongestPlain(const Looked looked[2], uint32_t ways[2]);
bool LongestAsBuilt(const Looked looked[2], uint32_t ways[2]);

#ifdef __cplusplus
}
#endif

#endif /* SSLSNCE_TESTS_UNIT_LOOKS_H_ */
