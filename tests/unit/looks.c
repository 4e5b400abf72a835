/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "looks.h"

#include <string.h>

#include "sncelook.h"

static_assert(LOOKS_WAYS == SNCE_WAYS, "");

static void Fill(snceSet *set, const Looked *looked) {
  memset(set, 0, sizeof(*set));
  for (unsigned way = 0; way < SNCE_WAYS; way++) {
    atomic_store(&set->version[way], looked->version[way]);
    atomic_store(&set->stamp[way], looked->stamp[way]);
  }
}

static snceLookOrder OrderOf(const Looked *looked) {
  return looked->order == ORDER_OLDEST         ? SNCE_OLDEST
         : looked->order == ORDER_OLDEST_NOT_0 ? SNCE_OLDEST_NOT_0
                                               : SNCE_IDLEST;
}

/* The same by each of two sets of functions. */
#define LOOK(name, called)                                                     \
  Seen Look##called(const Looked *looked) {                                    \
    const snceLookTimes times = {                                              \
        looked->nowSec,                                                        \
        {looked->timeoutSec[0], looked->timeoutSec[1]},                        \
        looked->aheadSec};                                                     \
    _Alignas(SNCE_LINE) snceSet set;                                           \
    snceLook look;                                                             \
                                                                               \
    Fill(&set, looked);                                                        \
    look = snceLook_At##name(&set, looked->tag);                               \
    return (Seen){look.full,                                                   \
                  look.busy,                                                   \
                  look.visited,                                                \
                  look.tagged,                                                 \
                  look.hand,                                                   \
                  snceLook_Tagged##name(&set, looked->tag),                    \
                  snceLook_Expired##name(&set, &times)};                       \
  }                                                                            \
                                                                               \
  bool Longest##called(const Looked looked[2], uint32_t ways[2]) {             \
    _Alignas(SNCE_LINE) snceSet set[2];                                        \
    snceSet *const sets[2] = {&set[0], &set[1]};                               \
                                                                               \
    for (int i = 0; i < 2; i++) {                                              \
      Fill(&set[i], &looked[i]);                                               \
      ways[i] = looked[i].ways;                                                \
    }                                                                          \
    return snceLook_Longest##name(sets, OrderOf(&looked[0]), looked[0].nowSec, \
                                  ways);                                       \
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
