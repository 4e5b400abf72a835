/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncecache.h"

void
snceCache_CountUnmapped(snceCache cache)
{
    if (cache.id.number < SNCE_SERVERS) {
        snceCount_Add(cache.region, cache.id.number, SNCE_N_UNMAPPED, 1);
    }
}

void
snceSession_Wipe(snceSession *session)
{
    snceBuffer certificate = session->certificate;
    size_t filled = certificate.len < certificate.capacity
                        ? certificate.len
                        : certificate.capacity;

    if (filled) {
        explicit_bzero(certificate.data, filled);
    }
    explicit_bzero(session, sizeof(*session));
    session->certificate.data = certificate.data;
    session->certificate.capacity = certificate.capacity;
}

snceResult
snceCache_Find(snceCache cache, snceLookupKey *lookupKey, snceView *view,
               snceFound *found)
{
    snceResult result = SNCE_MISS;

    found->otherAddress = false;
    for (unsigned try = 0; try < SNCE_VIEW_TRIES; try++) {
        bool oldUnmapped = false;

        result = snceView_Open(view, cache.region, cache.id);
        if (result != SNCE_OK) {
            return result;
        }
        if (snceView_Closed(view)) {
            return SNCE_MISS;
        }
        lookupKey->matchAddress = snceView_MatchesAddress(view);
        if (view->moving) {
            found->backing = &view->old;
            result = snceTable_Find(&view->old.table, lookupKey, found->words,
                                    &found->position, &found->otherAddress);
            if (result == SNCE_OK) {
                return result;
            }
            oldUnmapped = result == SNCE_NO_MEMORY;
        }
        found->backing = &view->now;
        result = snceTable_Find(&view->now.table, lookupKey, found->words,
                                &found->position, &found->otherAddress);
        if (result == SNCE_OK || !snceView_Moved(view, lookupKey->hash)) {
            return result == SNCE_MISS && oldUnmapped ? SNCE_NO_MEMORY : result;
        }
    }
    return result;
}

void
snceCache_RemoveFrom(const snceView *view, const snceBacking *backing,
                     const snceLookupKey *lookupKey, const sncePosition *except,
                     const uint64_t *only, snceRemoved *removed)
{
    snceRemoved its = snceTable_Remove(&backing->table, lookupKey, except, only,
                                       snceBacking_Gone, (void *)backing);

    if (SNCE_RARELY(its.claims)) {
        snceCount_Add(view->region, view->id.number, SNCE_N_OVERRIDDEN,
                      its.claims);
    }
    removed->entries += its.entries;
    removed->claims += its.claims;
    removed->unmapped |= its.unmapped;
}

snceResult
snceCache_Remove(snceCache cache, const snceKey *key)
{
    snceRemoved removed = { 0, 0, false };
    snceLookupKey lookupKey;
    snceView view;

    if (cache.region->access == SNCE_ACCESS_READ) {
        return SNCE_READ_ONLY;
    }
    if (!snceCache_MakeKey(cache, key->id, key->idLen, key->address,
                           &lookupKey)) {
        return SNCE_INVALID;
    }
    for (unsigned try = 0; try < SNCE_VIEW_TRIES; try++) {
        snceResult result = snceView_Open(&view, cache.region, cache.id);

        if (result == SNCE_GONE) {
            return removed.entries ? SNCE_OK : SNCE_MISS;
        }
        if (result != SNCE_OK) {
            if (result == SNCE_NO_MEMORY) {
                snceCache_CountUnmapped(cache);
            }
            return result;
        }
        lookupKey.matchAddress = snceView_MatchesAddress(&view);
        if (view.moving) {
            snceCache_RemoveFrom(&view, &view.old, &lookupKey, NULL, NULL,
                                 &removed);
        }
        snceCache_RemoveFrom(&view, &view.now, &lookupKey, NULL, NULL,
                             &removed);
        if (!snceView_Moved(&view, lookupKey.hash)) {
            break;
        }
    }
    snceCount_Add(cache.region, cache.id.number, SNCE_N_REMOVED,
                  removed.entries);
    if (removed.unmapped) {
        snceCache_CountUnmapped(cache);
        return SNCE_NO_MEMORY;
    }
    return removed.entries ? SNCE_OK : SNCE_MISS;
}
