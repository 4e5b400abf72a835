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

/* A set that is looked at, and how. */
typedef struct {
  uint64_t version[LOOKS_WAYS];
  uint32_t stamp[LOOKS_WAYS];
  uint64_t tag;
  uint32_t nowSec;
  uint32_t timeoutSec[2];
  uint32_t aheadSec;
} Looked;

/* What is seen. */
typedef struct {
  uint32_t full, busy, visited, tagged;
  uint32_t taggedAgain;
  uint32_t expired;
  uint64_t ranked; /* the ways, first the lowest four bits */
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

/* Whether both are full, without the tag of the first; if so, how many were
 * used. */
bool CrowdedPlain(const Looked looked[2], unsigned *used);
bool CrowdedAsBuilt(const Looked looked[2], unsigned *used);

/* Of the words themselves: how many seconds none of the |ways| expires; which
 * of them were stored first of all before |sec|, and how long before. */
unsigned HandOf(const Looked *looked, unsigned *unused);
uint32_t LeftOf(const Looked *looked, uint32_t ways);
uint32_t OldestBefore(const Looked *looked, uint32_t ways, uint32_t sec,
                      uint32_t *age);
uint32_t IdleOf(const Looked *looked, unsigned way);

/* snceorder.h. */
uint64_t OrderMake(uint64_t ways, unsigned unused, uint32_t base, uint32_t sec);
uint32_t OrderLeft(uint64_t order, uint32_t base);
bool OrderIsFresh(uint64_t order, uint32_t base);
uint32_t OrderSince(uint64_t order, uint32_t base);
unsigned OrderUnused(uint64_t order);
unsigned OrderWayAt(uint64_t order, unsigned place);
uint64_t OrderFirstUsed(uint64_t order);
uint64_t OrderStored(uint64_t order, unsigned way);
uint64_t OrderForget(uint64_t order);

#ifdef __cplusplus
}
#endif

#endif /* SSLSNCE_TESTS_UNIT_LOOKS_H_ */
