/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* looks.h: sncelook.h for look_test.cc: its atomics do not compile in C++. */
#ifndef SSLSNCE_TESTS_UNIT_LOOKS_H_
#define SSLSNCE_TESTS_UNIT_LOOKS_H_

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LOOKS_WAYS 10

/* A set, and the arguments with which it is looked at. */
typedef struct {
  uint64_t version[LOOKS_WAYS];
  uint32_t stamp[LOOKS_WAYS];
  uint64_t tag;
  uint32_t nowSec;
  uint32_t timeoutSec[2];
  uint32_t aheadSec;
} Looked;

/* The results of the functions of sncelook.h. */
typedef struct {
  uint32_t full, busy, visited, tagged;
  uint32_t taggedAgain;
  uint32_t expired;
  uint64_t ranked; /* the ways by rank, the first in the lowest four bits */
} Seen;

/* By the plain loops, and as built for this processor; both are the same where
 * it has no vector instructions. */
Seen LookPlain(const Looked *looked);
Seen LookAsBuilt(const Looked *looked);

/* Make version words. */
uint64_t FullVersion(uint32_t generation, uint64_t tag);
uint64_t BusyVersion(uint32_t generation, uint8_t ticket, uint64_t tag);
uint64_t UsedVersion(uint64_t version, uint32_t sec);
uint64_t TagOf(uint64_t hash);
unsigned NumberOfWays(uint32_t a, uint32_t b);

/* Whether all ways of both sets are full and none has the tag of the first;
 * |*used| is how many were looked up. */
bool CrowdedPlain(const Looked looked[2], unsigned *used);
bool CrowdedAsBuilt(const Looked looked[2], unsigned *used);

/* LeftOf returns for how many seconds none of the |ways| expires. OldestBefore
 * returns which of them were stored longest before |sec|, and in |*age| how
 * long before. */
unsigned HandOf(const Looked *looked, unsigned *unused);
uint32_t LeftOf(const Looked *looked, uint32_t ways);
uint32_t OldestBefore(const Looked *looked, uint32_t ways, uint32_t sec,
                      uint32_t *age);
uint32_t IdleOf(const Looked *looked, unsigned way);

/* The functions of snceorder.h. */
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
