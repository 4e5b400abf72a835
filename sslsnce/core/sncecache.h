/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncecache.h: what lookups, inserts and removals of sessions share. */
#ifndef SNCECACHE_H
#define SNCECACHE_H

#include <string.h>

#include "sncecount.h"
#include "sncetable.h"
#include "snceview.h"
#include "snceword.h"

/* snceFound is the entry that a lookup found, and where. */
typedef struct {
    const snceBacking *backing;
    sncePosition position;
    uint64_t
        words[SNCE_ENTRY_WORDS]; /* with its state: the caller wipes that */
    bool otherAddress; /* nothing: the ID is there for another client address */
} snceFound;

/* snceCache_Count counts one more of |figure|. */
SNCE_INLINE void
snceCache_Count(const snceView *view, unsigned figure)
{
    snceCount_One(view->region, view->id.number, figure);
}

/* snceCache_CountUnmapped counts an operation that did nothing because this process
 * cannot map what it needs. */
void snceCache_CountUnmapped(snceCache cache);

/* snceCache_MakeKey makes |*out| of a session ID and a client address. False if no
 * session can have that ID. */
SNCE_INLINE bool
snceCache_MakeKey(snceCache cache, const uint8_t *id, size_t idLen,
                  const uint8_t address[SNCE_ADDRESS_BYTES], snceLookupKey *out)
{
    if (idLen == 0 || idLen > SNCE_ID_MAX) {
        return false;
    }
    if (SNCE_RARELY(idLen != SNCE_ID_MAX)) { /* NSS makes none */
        uint8_t filled[SNCE_ID_MAX] = { 0 };

        memcpy(filled, id, idLen);
        snceWord_Read(out->id, filled, SNCE_ID_MAX / 8);
    } else {
        snceWord_Read(out->id, id, SNCE_ID_MAX / 8);
    }
    snceWord_Read(out->address, address, SNCE_ADDRESS_BYTES / 8);
    out->shape = idLen;
    out->matchAddress = true;
    snceLookupKey_Hash(out, cache.region);
    return true;
}

/* snceCache_Find looks for the entry of |lookupKey| in both backing stores, the old
 * one first, from which it may be moved meanwhile. Returns SNCE_OK, SNCE_MISS,
 * SNCE_CORRUPT or SNCE_NO_MEMORY as snceTable_Find, or SNCE_GONE (the cache). |*view|
 * is what it saw of the cache. */
snceResult snceCache_Find(snceCache cache, snceLookupKey *lookupKey,
                          snceView *view, snceFound *found);

/* snceCache_RemoveFrom removes the sessions of |lookupKey| from |backing|, as
 * snceTable_Remove, and adds to |*removed|. It counts the unfinished inserts that go
 * with them. */
void snceCache_RemoveFrom(const snceView *view, const snceBacking *backing,
                          const snceLookupKey *lookupKey,
                          const sncePosition *except, const uint64_t *only,
                          snceRemoved *removed);

#endif /* SNCECACHE_H */
