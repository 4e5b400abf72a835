/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "looks.h"

#include <string.h>

#include "sncelook.h"
#include "snceorder.h"

static_assert(LOOKS_WAYS == SNCE_WAYS, "");

static void Fill(snceSet *set, const Looked *looked) {
  memset(set, 0, sizeof(*set));
  for (unsigned way = 0; way < SNCE_WAYS; way++) {
    atomic_store(&set->version[way], looked->version[way]);
    atomic_store(&set->stamp[way], looked->stamp[way]);
  }
}

/* The same by each of two sets of functions. */
#define LOOK(name, called)                                                  \
  Seen Look##called(const Looked *looked) {                                 \
    const snceLookTimes times = {                                           \
        looked->nowSec,                                                     \
        {looked->timeoutSec[0], looked->timeoutSec[1]},                     \
        looked->aheadSec};                                                  \
    _Alignas(SNCE_LINE) snceSet set;                                        \
    snceLook look;                                                          \
    unsigned unused;                                                        \
                                                                            \
    Fill(&set, looked);                                                     \
    look = snceLook_At##name(&set, looked->tag);                            \
    return (Seen){look.full,                                                \
                  look.busy,                                                \
                  look.visited,                                             \
                  look.tagged,                                              \
                  snceLook_Tagged##name(&set, looked->tag),                 \
                  snceLook_Expired##name(&set, &times),                     \
                  snceLook_Ranked##name(&set, snceLook_Hand(&set, &unused), \
                                        looked->nowSec)};                   \
  }                                                                         \
                                                                            \
  bool Crowded##called(const Looked looked[2], unsigned *used) {            \
    _Alignas(SNCE_LINE) snceSet set[2];                                     \
    snceSet *const sets[2] = {&set[0], &set[1]};                            \
                                                                            \
    Fill(&set[0], &looked[0]);                                              \
    Fill(&set[1], &looked[1]);                                              \
    *used = snceLook_Used##name(sets);                                      \
    return snceLook_Crowded##name(sets, looked[0].tag);                     \
  }

LOOK(Plain, Plain)
LOOK(, AsBuilt)

uint64_t FullVersion(uint32_t generation, uint64_t tag) {
  return (uint64_t)generation << SNCE_GENERATION_SHIFT | tag | SNCE_STATE_FULL;
}

uint64_t BusyVersion(uint32_t generation, uint8_t ticket, uint64_t tag) {
  return (uint64_t)generation << SNCE_GENERATION_SHIFT |
         (uint64_t)ticket << SNCE_TICKET_SHIFT | tag | SNCE_STATE_BUSY;
}

uint64_t UsedVersion(uint64_t version, uint32_t sec) {
  return snceVersion_Used(version, sec);
}

uint64_t TagOf(uint64_t hash) { return snceVersion_Tag(hash); }

unsigned NumberOfWays(uint32_t a, uint32_t b) { return snceLook_Number(a, b); }

unsigned HandOf(const Looked *looked, unsigned *unused) {
  snceSet set;

  Fill(&set, looked);
  return snceLook_Hand(&set, unused);
}

uint32_t LeftOf(const Looked *looked, uint32_t ways) {
  const snceLookTimes times = {looked->nowSec,
                               {looked->timeoutSec[0], looked->timeoutSec[1]},
                               looked->aheadSec};
  snceSet set;

  Fill(&set, looked);
  return snceLook_Left(&set, ways, &times);
}

uint32_t OldestBefore(const Looked *looked, uint32_t ways, uint32_t sec,
                      uint32_t *age) {
  snceSet set;

  Fill(&set, looked);
  return snceLook_OldestBefore(&set, ways, sec, age);
}

uint32_t IdleOf(const Looked *looked, unsigned way) {
  return snceLook_Idle(looked->version[way], looked->stamp[way],
                       looked->nowSec);
}

uint64_t OrderMake(uint64_t ways, unsigned unused, uint32_t base,
                   uint32_t sec) {
  return snceOrder_Make(ways, unused, base, sec);
}
uint32_t OrderLeft(uint64_t order, uint32_t base) {
  return snceOrder_Left(order, base);
}
bool OrderIsFresh(uint64_t order, uint32_t base) {
  return snceOrder_IsFresh(order, base);
}
uint32_t OrderSince(uint64_t order, uint32_t base) {
  return snceOrder_Since(order, base);
}
unsigned OrderUnused(uint64_t order) { return snceOrder_Unused(order); }
unsigned OrderWayAt(uint64_t order, unsigned place) {
  return snceOrder_WayAt(order, place);
}
uint64_t OrderFirstUsed(uint64_t order) { return snceOrder_FirstUsed(order); }
uint64_t OrderStored(uint64_t order, unsigned way) {
  return snceOrder_Stored(order, way);
}
uint64_t OrderForget(uint64_t order) { return snceOrder_Forget(order); }
