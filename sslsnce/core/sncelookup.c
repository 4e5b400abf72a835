/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* A session looked up in a cache: what snce.h promises of lookups.
 *
 * LookUpBest in line: the cache is at rest, and the session lies at a best way.
 * LookUpAtRest: it may lie anywhere in its two sets. LookUpOnce: the cache may move or
 * grow. LookUpChanging: the same again, while the entry goes elsewhere under each
 * look. Each passes on what it cannot answer to the next. */
#include "sncecache.h"
#include "sncefind.h"
#include "snceslot.h"

/* Looks at a cache in which the entry, or its certificate, is replaced or moved under
 * each look. */
#define LOOKUP_TRIES 4

/* The arguments of a lookup. */
typedef struct {
    snceCache cache;
    const snceKey *key;
    snceTime now;
    snceSession *out;
} lookup;

/* ---- the answer ----------------------------------------------------------- */

/* Takes out an entry that is not to be found again. */
static void
TakeOut(const snceBacking *backing, const sncePosition *position,
        snceBlobRef certificate)
{
    if (backing->table.region->access != SNCE_ACCESS_READ &&
        snceTable_Take(&backing->table, position)) {
        snceBacking_Lose(backing, certificate);
    }
}

/* Does an entry, made under the server name that hashes to |made|, belong to the name
 * that |key| asks for? */
static bool
NameFits(const snceKey *key, snceCache cache, uint64_t made)
{
    return !key->name ||
           made == snceHash_Name(&cache.region->hash, key->name, key->nameLen);
}

/* Copies the certificate |ref| of the entry at |position|. A session whose
 * certificate has gone is a miss. Returns SNCE_DROPPED if the entry itself has moved
 * or gone meanwhile. */
static snceResult
ReadCertificate(const snceView *view, const snceBacking *backing,
                const sncePosition *position, snceBlobRef ref, snceBuffer *out)
{
    snceBlob store;
    snceResult result = snceBacking_Store(&store, backing);

    if (result == SNCE_OK) {
        result =
            snceBlob_Read(&store, ref, out->data, out->capacity, &out->len);
    }
    if (result == SNCE_NO_MEMORY) { /* other processes may be able to map it */
        snceCache_Count(view, SNCE_N_UNMAPPED);
        return SNCE_MISS;
    }
    /* SNCE_CORRUPT too: the memory of a store that was given back may hold anything
     * by now. */
    if ((result == SNCE_MISS || result == SNCE_CORRUPT) &&
        !snceSlot_Unchanged(&position->set->version[position->way],
                            position->seen)) {
        return SNCE_DROPPED;
    }
    if (result == SNCE_MISS) {
        TakeOut(backing, position, ref);
        snceCache_Count(view, SNCE_N_CERTIFICATE);
    }
    return result;
}

/* Moves the time of the last access. It is outside the checksum, so a reader
 * that comes late can at worst move that of another entry which was last used
 * in the same microsecond (rule 6). */
static void
MoveAccess(const sncePosition *position, uint64_t from, snceTime now)
{
    if (from != (uint64_t)now.usec) {
        (void)atomic_compare_exchange_strong_explicit(
            &position->set->slot[position->way].word[SNCE_W_ACCESS], &from,
            (uint64_t)now.usec, memory_order_relaxed, memory_order_relaxed);
    }
}

/* Is an entry alive that is not plainly alive? One that has expired is not, and is
 * taken out. One that was created after |now| is, unless it lies too far ahead of the
 * clock. Arguments are passed by value, so that the hit path need not store the entry
 * in memory. */
static __attribute__((noinline)) bool
IsBarelyAlive(const snceView *view, const snceBacking *backing,
              const sncePosition *position, int64_t created,
              snceBlobRef certificate, snceTime now)
{
    uint64_t ahead = (uint64_t)created - (uint64_t)now.usec;

    if (created <= now.usec) {
        TakeOut(backing, position, certificate);
        snceCache_Count(view, SNCE_N_EXPIRED);
        return false;
    }
    if (ahead > (uint64_t)snceView_ClockSkewSec(view) * SNCE_USEC_PER_SEC) {
        snceCache_Count(view, SNCE_N_FUTURE);
        return false;
    }
    return true;
}

/* Answers with the entry |words| at |position|, if it is alive and of that server
 * name. The caller copies its state. Returns SNCE_DROPPED if the entry moved or went
 * before its certificate was read. */
SNCE_INLINE snceResult
Answer(const lookup *l, const snceView *view, const snceBacking *backing,
       const sncePosition *position, const snceLookupKey *lookupKey,
       const uint64_t words[SNCE_ENTRY_WORDS])
{
    snceRule rule = snceView_Rule(view, l->now);
    unsigned sessionClass = snceTable_ClassOf(words);
    snceSession *out = l->out;

    if (SNCE_RARELY(!snceRule_Live(&rule, sessionClass,
                                   (int64_t)words[SNCE_W_CREATED])) &&
        !IsBarelyAlive(view, backing, position, (int64_t)words[SNCE_W_CREATED],
                       words[SNCE_W_CERTIFICATE], l->now)) {
        return SNCE_MISS;
    }
    if (SNCE_RARELY(!NameFits(l->key, l->cache, words[SNCE_W_NAME]))) {
        snceCache_Count(view, SNCE_N_NAME);
        return SNCE_MISS;
    }
    if (words[SNCE_W_CERTIFICATE]) {
        snceResult result =
            ReadCertificate(view, backing, position, words[SNCE_W_CERTIFICATE],
                            &out->certificate);

        if (result != SNCE_OK) {
            return result;
        }
    } else {
        out->certificate.len = 0;
    }

    snceWord_Write(out->id, lookupKey->id, SNCE_ID_MAX / 8);
    out->idLen = l->key->idLen;
    snceWord_Write(out->address, &words[SNCE_W_ADDRESS],
                   SNCE_ADDRESS_BYTES / 8);
    out->sessionClass = (snceClass)sessionClass;
    out->created.usec = (int64_t)words[SNCE_W_CREATED];
    out->lastAccess.usec = (int64_t)words[SNCE_W_ACCESS];
    out->expires = snceRule_Expiry(&rule, out->sessionClass, out->created);
    if (l->cache.region->access != SNCE_ACCESS_READ) {
        snceTable_Use(position, words, l->now);
        MoveAccess(position, words[SNCE_W_ACCESS], l->now);
    }
    snceCache_Count(view, SNCE_N_HIT);
    return SNCE_OK;
}

/* Ends a lookup in |view|: answers with |found| if |result| is SNCE_OK, else counts
 * why there is no answer. */
static snceResult
EndLookup(const lookup *l, const snceLookupKey *lookupKey, const snceView *view,
          snceFound *found, snceResult result)
{
    if (result == SNCE_CORRUPT) {
        /* A writer that lost its claim spoiled the slot: one entry is lost. */
        snceCache_Count(view, SNCE_N_CORRUPT);
        result = SNCE_MISS;
    }
    if (result == SNCE_NO_MEMORY) {
        snceCache_Count(view, SNCE_N_UNMAPPED);
        return SNCE_MISS;
    }
    if (result != SNCE_OK) {
        snceCache_Count(view,
                        found->otherAddress ? SNCE_N_ADDRESS : SNCE_N_UNKNOWN);
        return result;
    }
    result = Answer(l, view, found->backing, &found->position, lookupKey,
                    found->words);
    if (result == SNCE_OK) {
        snceWord_Write(l->out->state, &found->words[SNCE_W_STATE],
                       SNCE_STATE_BYTES / 8);
    }
    snceWord_Wipe(&found->words[SNCE_W_STATE], SNCE_STATE_BYTES / 8);
    return result;
}

/* ---- the looks -------------------------------------------------------------- */

/* Looks into a cache that may move or grow meanwhile. Returns SNCE_DROPPED if the entry
 * went elsewhere before its certificate was read. */
static snceResult
LookUpOnce(const lookup *l, snceLookupKey *lookupKey)
{
    snceView view;
    snceFound found;
    snceResult result = snceCache_Find(l->cache, lookupKey, &view, &found);

    if (result == SNCE_GONE) {
        return SNCE_MISS;
    }
    return EndLookup(l, lookupKey, &view, &found, result);
}

static __attribute__((noinline)) snceResult
LookUpChanging(const lookup *l, snceLookupKey *lookupKey)
{
    snceResult result = SNCE_DROPPED;

    for (unsigned try = 0; result == SNCE_DROPPED && try < LOOKUP_TRIES;
         try++) {
        result = LookUpOnce(l, lookupKey);
    }
    return result == SNCE_DROPPED ? SNCE_MISS : result;
}

/* Looks into the cache that |view| saw at rest. SNCE_DROPPED if it did not rest. */
static __attribute__((noinline)) snceResult
LookUpAtRest(const lookup *l, const snceLookupKey *lookupKey,
             const snceView *view)
{
    snceFound found;
    snceResult result = snceTable_Find(&view->now.table, lookupKey, found.words,
                                       &found.position, &found.otherAddress);

    if (result != SNCE_OK && snceView_Moved(view, lookupKey->hash)) {
        return SNCE_DROPPED;
    }
    found.backing = &view->now;
    return EndLookup(l, lookupKey, view, &found, result);
}

/* Looks where most sessions lie: at a best way of a cache at rest. What LookUpAtRest
 * needs lies in memory already, so that it gets pointers and nothing is copied for
 * it; only |hash| and |at| stay in registers. SNCE_DROPPED if the cache does not
 * rest. */
SNCE_INLINE snceResult
LookUpBest(const lookup *l, snceLookupKey *lookupKey)
{
    const uint64_t hash = lookupKey->hash;
    uint64_t words[SNCE_ENTRY_WORDS];
    snceLookupPlaces at;
    snceResult result;
    sncePosition position;
    snceView view;

    if (SNCE_RARELY(
            !snceView_OpenResting(&view, l->cache.region, l->cache.id))) {
        return SNCE_DROPPED;
    }
    lookupKey->matchAddress = snceView_MatchesAddress(&view);
    if (SNCE_RARELY(!snceTable_MappedPlaces(&view.now.table, hash, &at))) {
        return LookUpAtRest(l, lookupKey, &view);
    }
    snceLookupPlaces_Fetch(&at);
    if (SNCE_RARELY(!snceTable_FindBest(&view.now.table, lookupKey, &at, words,
                                        l->out->state, &position))) {
        return LookUpAtRest(l, lookupKey, &view);
    }
    result = Answer(l, &view, &view.now, &position, lookupKey, words);
    if (result != SNCE_OK) {
        explicit_bzero(l->out->state, SNCE_STATE_BYTES);
    }
    return result;
}

snceResult
snceCache_Lookup(snceCache cache, const snceKey *key, snceTime now,
                 snceSession *out)
{
    const lookup l = { cache, key, now, out };
    snceLookupKey lookupKey;
    snceResult result;

    if (!snceCache_MakeKey(cache, key->id, key->idLen, key->address,
                           &lookupKey)) {
        return SNCE_INVALID;
    }
    result = LookUpBest(&l, &lookupKey);
    return result == SNCE_DROPPED ? LookUpChanging(&l, &lookupKey) : result;
}
