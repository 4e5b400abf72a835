/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "test_growth.h"

#include <string.h>

#include "sncecarry.h"
#include "sncefind.h"
#include "sncesplit.h"
#include "snceview.h"

static snceBackingWords *Words(snceCache cache) {
  snceServerWords *entry = snceRegion_Server(cache.region, cache.id.number);
  return &entry->backing[snceState_Backing(atomic_load(&entry->state))];
}

Growth GrowthOf(snceCache cache) {
  const snceSize size = atomic_load(&Words(cache)->size);
  const Growth growth = {size, snceSize_Pages(size), snceSize_Used(size),
                         (size & SNCE_SIZE_SPLITTING) != 0,
                         (size & SNCE_SIZE_FROZEN) != 0};
  return growth;
}

void GrowthSet(snceCache cache, uint64_t word) {
  atomic_store(&Words(cache)->size, word);
}

uint64_t GrowthBegun(uint64_t word) { return snceSize_Begun(word); }
uint64_t GrowthEnded(uint64_t word) { return word & ~SNCE_SIZE_SPLITTING; }
uint64_t GrowthFrozen(uint64_t word) { return word | SNCE_SIZE_FROZEN; }
uint64_t GrowthFirst(uint64_t pages) { return snceSize_First(pages); }
uint64_t GrowthPageBytes(void) { return SNCE_PAGE; }
uint64_t GrowthPageSlots(void) { return SNCE_PAGE_SLOTS; }

/* The view of a cache that is there and not moving. */
static bool Open(snceCache cache, snceView *view) {
  return snceView_Open(view, cache.region, cache.id) == SNCE_OK;
}

void GrowthStep(snceCache cache, snceTime now) {
  snceView view;
  snceRule rule;

  if (Open(cache, &view)) {
    rule = snceView_Rule(&view, now);
    snceSplit_Grow(&view.now, &rule);
  }
}

/* Does the entry |words|, on that |side| of the page that is split, move? */
static bool Moves(const snceTable *table, const uint64_t *words, unsigned side,
                  snceLookupKey *lookupKey) {
  uint64_t page[2];

  snceCarry_LookupKey(lookupKey, table->region, words);
  snceTable_Pages(table, lookupKey->hash, page);
  return page[side] == snceTable_Last(table);
}

unsigned GrowthMove(snceCache cache, unsigned most, bool keep) {
  uint64_t words[SNCE_ENTRY_WORDS];
  snceLookupKey lookupKey;
  sncePosition from, to;
  unsigned moved = 0;
  uint64_t partner;
  snceView view;

  if (!Open(cache, &view) || !snceTable_IsSplitting(&view.now.table)) {
    return 0;
  }
  const snceCarry carry = {&view.now, &view.now,
                           snceView_Rule(&view, (snceTime){INT64_MIN}), NULL};
  partner =
      snceSize_Partner(snceTable_Last(&view.now.table), view.now.table.pages);
  for (unsigned i = 0; i < SNCE_PAGE_SLOTS && moved < most; i++) {
    if (!snceTable_Entry(&view.now.table, partner * SNCE_PAGE_SLOTS + i, &from,
                         words) ||
        !Moves(&view.now.table, words, i / SNCE_WAYS, &lookupKey) ||
        snceCarry_Copy(&carry, &lookupKey, &from, words, &to) != SNCE_OK) {
      continue;
    }
    moved++;
    if (!keep && snceTable_Take(&view.now.table, &from)) {
      snceBacking_Lose(&view.now, words[SNCE_W_CERTIFICATE]);
    }
  }
  return moved;
}

static void FillLookupKey(const snceRegion *region,
                          const uint8_t id[SNCE_ID_MAX], snceLookupKey *out) {
  memset(out, 0, sizeof(*out));
  memcpy(out->id, id, SNCE_ID_MAX);
  out->shape = SNCE_ID_MAX;
  snceLookupKey_Hash(out, region);
}

/* Finds the next slot that has an entry under |id|, from |*slot| on. */
static bool NextCopy(const snceTable *table, const uint8_t id[SNCE_ID_MAX],
                     uint64_t *slot, sncePosition *position) {
  const uint64_t slots = snceTable_Used(table) * SNCE_PAGE_SLOTS;
  uint64_t words[SNCE_ENTRY_WORDS];

  while (*slot < slots) {
    if (snceTable_Entry(table, (*slot)++, position, words) &&
        memcmp(&words[SNCE_W_ID], id, SNCE_ID_MAX) == 0) {
      return true;
    }
  }
  return false;
}

unsigned GrowthCopies(snceCache cache, const uint8_t id[SNCE_ID_MAX]) {
  unsigned copies = 0;
  uint64_t slot = 0;
  snceView view;
  sncePosition position;

  if (Open(cache, &view)) {
    while (NextCopy(&view.now.table, id, &slot, &position)) {
      copies++;
    }
  }
  return copies;
}

GrowthPlace GrowthWhere(snceCache cache, const uint8_t id[SNCE_ID_MAX]) {
  uint64_t slot = 0;
  snceLookupKey lookupKey;
  snceView view;
  sncePosition position;

  FillLookupKey(cache.region, id, &lookupKey);
  if (!Open(cache, &view) || !NextCopy(&view.now.table, id, &slot, &position)) {
    return GROWTH_NOWHERE;
  }
  if (snceTable_IsPlace(&view.now.table, lookupKey.hash, position.set)) {
    return GROWTH_IN_PLACE;
  }
  return snceTable_IsLookedAt(&view.now.table, lookupKey.hash, position.set)
             ? GROWTH_IN_OLD
             : GROWTH_OUTSIDE;
}

bool GrowthMovesLast(const snceRegion *region, const uint8_t id[SNCE_ID_MAX]) {
  snceLookupKey lookupKey;

  FillLookupKey(region, id, &lookupKey);
  return snceHash_Range(lookupKey.hash, 2) == 1 &&
         snceHash_Range(snceHash_Other(lookupKey.hash), 2) == 1;
}

bool GrowthReaches(snceCache cache, const uint8_t id[SNCE_ID_MAX]) {
  snceLookupKey lookupKey;
  snceView view;
  uint64_t page[2], last;

  FillLookupKey(cache.region, id, &lookupKey);
  if (!Open(cache, &view)) {
    return false;
  }
  view.now.table.size = snceSize_Begun(view.now.table.size);
  last = snceTable_Last(&view.now.table);
  snceTable_Pages(&view.now.table, lookupKey.hash, page);
  return page[0] == last || page[1] == last;
}

bool GrowthFits(snceCache cache, const uint8_t id[SNCE_ID_MAX], uint64_t slot) {
  snceLookupKey lookupKey;
  snceView view;

  FillLookupKey(cache.region, id, &lookupKey);
  return Open(cache, &view) &&
         snceTable_IsPlace(&view.now.table, lookupKey.hash,
                           snceTable_Set(&view.now.table, slot / SNCE_WAYS));
}

unsigned GrowthRoom(snceCache cache, const uint8_t id[SNCE_ID_MAX]) {
  unsigned most = 0;
  snceSet *set[2];
  snceLookupKey lookupKey;
  snceView view;

  FillLookupKey(cache.region, id, &lookupKey);
  if (!Open(cache, &view) ||
      !snceTable_Sets(&view.now.table, lookupKey.hash, set)) {
    return 0;
  }
  for (unsigned i = 0; i < 2; i++) {
    unsigned empty = 0;

    for (unsigned way = 0; way < SNCE_WAYS; way++) {
      empty += snceVersion_State(snceSlot_Version(&set[i]->version[way])) ==
               SNCE_STATE_EMPTY;
    }
    most = empty > most ? empty : most;
  }
  return most;
}

uint64_t GrowthSlot(snceCache cache, const uint8_t id[SNCE_ID_MAX]) {
  uint64_t slot = 0;
  snceView view;
  sncePosition position;

  return Open(cache, &view) && NextCopy(&view.now.table, id, &slot, &position)
             ? slot - 1
             : UINT64_MAX;
}

void GrowthVersions(snceCache cache, uint64_t used, uint64_t *out) {
  snceView view;

  if (!Open(cache, &view)) {
    return;
  }
  for (uint64_t i = 0; i < used * SNCE_PAGE_SLOTS; i++) {
    const snceSet *set = snceTable_Set(&view.now.table, i / SNCE_WAYS);

    out[i] = set ? snceSlot_Version(&set->version[i % SNCE_WAYS]) : 0;
  }
}
