/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "collisions.h"

#include <string.h>

#include "sncefind.h"
#include "snceview.h"

/* Some fifty times what it takes on average in two sets. */
#define TRIES UINT64_C(1000000000)

static uint64_t HashOf(snceCache cache, const uint8_t id[SNCE_ID_MAX]) {
  snceLookupKey lookupKey = {.shape = SNCE_ID_MAX};

  memcpy(lookupKey.id, id, SNCE_ID_MAX);
  snceLookupKey_Hash(&lookupKey, cache.region);
  return lookupKey.hash;
}

/* In an empty cache a session lies at the best way of its first set. */
static bool Meets(const snceTable *table, uint64_t hash, uint64_t other) {
  snceLookupPlaces at, there;

  if (snceVersion_Tag(hash) != snceVersion_Tag(other)) {
    return false;
  }
  if (!snceTable_MappedPlaces(table, hash, &at) ||
      !snceTable_MappedPlaces(table, other, &there)) {
    return false;
  }
  for (int i = 0; i < 2; i++) {
    if (there.set[i] == at.set[0] && there.way[i] == at.way[0]) {
      return true;
    }
  }
  return false;
}

bool FindCollision(snceCache cache, const uint8_t id[SNCE_ID_MAX],
                   uint8_t other[SNCE_ID_MAX]) {
  uint64_t hash = HashOf(cache, id);
  snceView view;

  if (snceView_Open(&view, cache.region, cache.id) != SNCE_OK) {
    return false;
  }
  memset(other, 1, SNCE_ID_MAX);
  for (uint64_t i = 0; i < TRIES; i++) {
    memcpy(other, &i, sizeof(i));
    if (Meets(&view.now.table, hash, HashOf(cache, other))) {
      return memcmp(id, other, SNCE_ID_MAX) != 0;
    }
  }
  return false;
}
