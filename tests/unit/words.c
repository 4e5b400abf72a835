/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "words.h"

#include <string.h>

#include "sncefind.h"
#include "snceregion.h"
#include "sncestate.h"
#include "sncetable.h"

static const snceBackingWords *Backing(const snceRegion *region,
                                       uint32_t number) {
  const snceServerWords *entry = snceRegion_Server(region, number);
  return &entry->backing[snceState_Backing(atomic_load(&entry->state))];
}

static void *AtRange(const snceRegion *region, uint64_t word) {
  return snceRegion_Place(region, snceRange_Offset(word));
}

static snceSet *SetOf(const snceRegion *region, uint32_t number,
                      uint64_t slot) {
  return (snceSet *)AtRange(region, WordsTable(region, number)) +
         slot / SNCE_WAYS;
}

static snceWord *VersionOf(const snceRegion *region, uint32_t number,
                           uint64_t slot) {
  return &SetOf(region, number, slot)->version[slot % SNCE_WAYS];
}

static snceCellSet *CellsOf(const snceRegion *region, uint32_t number) {
  const snceStoreHead *head =
      AtRange(region, atomic_load(&Backing(region, number)->store));

  return AtRange(region, atomic_load(&head->segment[0][0]));
}

uint64_t WordsSlots(const snceRegion *region, uint32_t number) {
  return snceSize_Pages(atomic_load(&Backing(region, number)->size)) *
         SNCE_PAGE_SLOTS;
}

uint64_t WordsVersion(const snceRegion *region, uint32_t number,
                      uint64_t slot) {
  return atomic_load(VersionOf(region, number, slot));
}

void WordsSetVersion(const snceRegion *region, uint32_t number, uint64_t slot,
                     uint64_t version) {
  atomic_store(VersionOf(region, number, slot), version);
}

bool WordsPublish(const snceRegion *region, uint32_t number, uint64_t slot,
                  uint64_t claim) {
  return snceSlot_Publish(VersionOf(region, number, slot), claim);
}

uint32_t WordsTag(const snceRegion *region, const uint8_t id[SNCE_ID_MAX]) {
  snceLookupKey lookupKey = {.shape = SNCE_ID_MAX};

  memcpy(lookupKey.id, id, SNCE_ID_MAX);
  snceLookupKey_Hash(&lookupKey, region);
  return (uint32_t)(snceVersion_Tag(lookupKey.hash) >> SNCE_TAG_SHIFT);
}

/* One try at adding |step| to the version of a full slot. */
static bool AddTo(snceWord *version, uint64_t mask, uint64_t step) {
  uint64_t seen = atomic_load(version);

  if (snceVersion_State(seen) != SNCE_STATE_FULL) {
    return false;
  }
  (void)atomic_compare_exchange_strong(version, &seen,
                                       (seen & ~mask) | ((seen + step) & mask));
  return true;
}

bool WordsNoteUse(const snceRegion *region, uint32_t number, uint64_t slot) {
  return AddTo(VersionOf(region, number, slot), SNCE_TICKET_MASK,
               UINT64_C(1) << SNCE_TICKET_SHIFT);
}

bool WordsRenew(const snceRegion *region, uint32_t number, uint64_t slot) {
  return AddTo(VersionOf(region, number, slot), UINT64_C(0xff) << 32,
               UINT64_C(1) << SNCE_GENERATION_SHIFT);
}

uint64_t WordsEmpty(uint32_t generation) {
  return (uint64_t)generation << SNCE_GENERATION_SHIFT;
}

uint64_t WordsClaimed(uint32_t generation, uint8_t ticket, uint32_t tag) {
  return WordsEmpty(generation) | (uint64_t)ticket << SNCE_TICKET_SHIFT |
         (((uint64_t)tag << SNCE_TAG_SHIFT) & SNCE_TAG_MASK) | SNCE_STATE_BUSY;
}

void WordsSetCell(const snceRegion *region, uint32_t number, unsigned way,
                  uint64_t version) {
  atomic_store(&CellsOf(region, number)->version[way], version);
}

uint64_t WordsCell(const snceRegion *region, uint32_t number, unsigned way) {
  return atomic_load(&CellsOf(region, number)->version[way]);
}

uint64_t WordsReferences(const snceRegion *region, uint32_t number,
                         unsigned way) {
  return atomic_load(&CellsOf(region, number)->count[way]);
}

void WordsSetReferences(const snceRegion *region, uint32_t number, unsigned way,
                        uint64_t word) {
  atomic_store(&CellsOf(region, number)->count[way], word);
}

uint64_t WordsState(const snceRegion *region, uint32_t number) {
  return atomic_load(&snceRegion_Server(region, number)->state);
}

void WordsSetState(const snceRegion *region, uint32_t number, uint64_t state) {
  atomic_store(&snceRegion_Server(region, number)->state, state);
}

uint64_t WordsTable(const snceRegion *region, uint32_t number) {
  return atomic_load(&Backing(region, number)->table);
}

void WordsSetTable(const snceRegion *region, uint32_t number, uint64_t word) {
  snceServerWords *entry = snceRegion_Server(region, number);

  atomic_store(
      &entry->backing[snceState_Backing(atomic_load(&entry->state))].table,
      word);
}

void WordsSetRested(const snceRegion *region) {
  atomic_store(&snceRegion_Header(region)->dropped, 0);
}

void WordsSetSerial(const snceRegion *region, uint64_t serial) {
  atomic_store(&snceRegion_Header(region)->serial, serial);
}

void WordsSetAttached(const snceRegion *region, uint32_t attached) {
  atomic_store(&snceRegion_Header(region)->attached, attached);
}

void WordsAddHits(const snceRegion *region, uint32_t number, uint64_t n) {
  atomic_fetch_add(
      &snceRegion_Counters(region, number)->lane[0].count[SNCE_N_HIT], n);
}
