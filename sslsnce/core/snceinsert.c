/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* A session stored in a cache: what snce.h promises of inserts. */
#include "snceplace.h"
#include "snceslot.h"
#include "sncesplit.h"
#include "sncecache.h"

/* The arguments of an insert, copied for the functions that are rarely called: in the
 * usual path they stay in registers. */
typedef struct {
    snceCache cache;
    const snceSession *session;
    const uint8_t *id; /* of the session, SNCE_ID_MAX bytes, zero-filled */
    snceBlobRef certificate;
    snceTime now;
} insert;

/* An insert that does not go the usual way. */
typedef struct {
    snceLookupKey lookupKey;
    snceRule rule;
    snceTaken taken;
    sncePosition position;
} placing;

/* ---- the parts of an entry ------------------------------------------------ */

/* Stores |certificate|, or counts one more entry that refers to it. */
static __attribute__((noinline)) snceResult
Hold(const snceBacking *backing, const snceBuffer *certificate,
     snceBlobRef *ref)
{
    snceBlob store;
    snceResult result;

    if (certificate->len > SNCE_CERTIFICATE_MAX) {
        return SNCE_TOO_LARGE;
    }
    result = snceBacking_Store(&store, backing);
    if (result == SNCE_OK) {
        result =
            snceBlob_Hold(&store, certificate->data, certificate->len, ref);
    }
    return result;
}

/* Makes the words of a session's entry between its ID and its state. */
SNCE_INLINE void
MakeWords(snceCache cache, const snceSession *session, uint64_t shape,
          snceBlobRef certificate, uint64_t words[SNCE_ENTRY_WORDS])
{
    memcpy(&words[SNCE_W_ADDRESS], session->address, SNCE_ADDRESS_BYTES);
    words[SNCE_W_CREATED] = (uint64_t)session->created.usec;
    words[SNCE_W_SHAPE] = shape | (uint64_t)session->sessionClass << 8;
    words[SNCE_W_CERTIFICATE] = certificate;
    words[SNCE_W_NAME] = session->nameLen == 0
                             ? 0
                             : snceHash_Name(&cache.region->hash, session->name,
                                             session->nameLen);
    words[SNCE_W_ACCESS] = (uint64_t)session->lastAccess.usec;
}

/* Makes the lookup key of the session, without |sum| and |hash|. */
static inline snceLookupKey
LookupKeyOf(const insert *in, const snceView *view)
{
    snceLookupKey lookupKey;

    snceWord_Read(lookupKey.id, in->id, SNCE_ID_MAX / 8);
    snceWord_Read(lookupKey.address, in->session->address,
                  SNCE_ADDRESS_BYTES / 8);
    lookupKey.shape = in->session->idLen;
    lookupKey.matchAddress = snceView_MatchesAddress(view);
    lookupKey.sum = 0;
    lookupKey.hash = 0;
    return lookupKey;
}

/* ---- figures --------------------------------------------------------------- */

/* Counts an insert into |view->now| that ended as |placed| says. */
SNCE_INLINE void
CountPlaced(const snceView *view, const snceTaken *taken, bool placed)
{
    snceLane *lane = snceCount_Lane(view->region, view->id.number);
    int more = placed - taken->full - taken->spoiled;

    if (taken->reclaimed) {
        snceLane_Add(lane, SNCE_N_RECLAIMED, 1);
    }
    if (taken->full) {
        snceLane_Add(
            lane,
            taken->expired ? SNCE_N_REPLACED_EXPIRED : SNCE_N_REPLACED_LIVE, 1);
        snceBacking_Release(&view->now, taken->certificate);
    }
    if (placed) {
        snceLane_Add(lane, SNCE_N_INSERT, 1);
    }
    if (more != 0) {
        snceLane_Add(lane, snceBacking_LiveFigure(&view->now), (uint64_t)more);
    }
}

/* Counts an insert that failed with |result| under |figure|, and returns the result
 * for the caller. An insert for which this process can map no memory is dropped.
 * SNCE_OK and SNCE_GONE are not counted. */
static __attribute__((noinline)) snceResult
CountLost(snceCache cache, unsigned figure, snceResult result)
{
    if (result == SNCE_OK || result == SNCE_GONE) {
        return result;
    }
    if (result == SNCE_NO_MEMORY) {
        snceCache_CountUnmapped(cache);
        return SNCE_DROPPED;
    }
    if (result == SNCE_DROPPED) {
        figure = SNCE_N_DROPPED;
    }
    snceCount_Add(cache.region, cache.id.number, figure, 1);
    return result;
}

/* ---- when the cache changes meanwhile -------------------------------------- */

/* Removes other entries of the same key. One may wait in the old backing store or in a
 * page that is being split, or be in flight from there: either this removal sees it, or
 * the process that carries it sees that it has gone. And two processes that carried one
 * at once may have left two copies, of which the insert replaced one. */
static __attribute__((noinline)) void
RemoveOthers(const snceView *view, const snceLookupKey *lookupKey,
             const sncePosition *position)
{
    snceRemoved removed = { 0, 0, false };

    SNCE_STEP("insert-doubled");
    if (view->moving) {
        snceCache_RemoveFrom(view, &view->old, lookupKey, NULL, NULL, &removed);
    }
    snceCache_RemoveFrom(view, &view->now, lookupKey, position, NULL, &removed);
}

/* Removes the copies of the entry that another process may have carried from
 * |view->now|, where it was stored, to |later->now|. */
static void
RemoveCopies(const insert *in, const snceView *later,
             const snceLookupKey *lookupKey)
{
    snceRemoved removed = { 0, 0, false };
    uint64_t words[SNCE_ENTRY_WORDS];

    memcpy(&words[SNCE_W_ID], lookupKey->id, sizeof(lookupKey->id));
    memcpy(&words[SNCE_W_ADDRESS], lookupKey->address,
           sizeof(lookupKey->address));
    MakeWords(in->cache, in->session, lookupKey->shape, in->certificate, words);
    snceWord_Read(&words[SNCE_W_STATE], in->session->state,
                  SNCE_STATE_BYTES / 8);
    snceCache_RemoveFrom(later, &later->now, lookupKey, NULL, words, &removed);
    snceWord_Wipe(&words[SNCE_W_STATE], SNCE_STATE_BYTES / 8);
}

/* Confirms an insert into |view|, after which the cache was seen to have changed. If
 * the entry at |position| is not where lookups look by now, it is taken back rather
 * than stored anew: a removal might fall between the two and miss it (G5). Returns
 * SNCE_BUSY if the cache has changed once more. */
static snceResult
ConfirmOnce(const insert *in, const snceView *view, snceLookupKey *lookupKey,
            const sncePosition *position)
{
    snceView later;
    snceFound found;
    snceResult result = snceView_Open(&later, in->cache.region, in->cache.id);
    bool sameTable =
        result == SNCE_OK && later.now.table.range == view->now.table.range;
    bool isOld = result == SNCE_OK && later.moving &&
                 later.old.table.range == view->now.table.range;

    if (sameTable &&
        snceTable_IsPlace(&later.now.table, lookupKey->hash, position->set)) {
        /* A process that moves the entry from here later on sees it. But another entry
         * of the same key may have been moved meanwhile, to where this insert has not
         * looked. */
        RemoveOthers(&later, lookupKey, position);
        return snceView_Moved(&later, lookupKey->hash) ? SNCE_BUSY : SNCE_OK;
    }
    if (snceTable_Take(&view->now.table, position)) {
        snceBacking_Lose(&view->now, in->certificate);
        if (sameTable || isOld) {
            RemoveCopies(in, &later, lookupKey);
        }
        return result == SNCE_GONE ? SNCE_GONE : SNCE_DROPPED;
    }
    /* The entry was carried over, evicted or removed, or its page was given back
     * before another process saw it. */
    result = snceCache_Find(in->cache, lookupKey, &later, &found);
    explicit_bzero(found.words, sizeof(found.words));
    return result == SNCE_MISS ? SNCE_DROPPED : result;
}

/* The same until the cache does not change meanwhile. */
static __attribute__((noinline)) snceResult
Confirm(const insert *in, const snceView *view, snceLookupKey *lookupKey,
        const sncePosition *position)
{
    snceResult result = SNCE_BUSY;

    for (unsigned try = 0; result == SNCE_BUSY && try < SNCE_VIEW_TRIES;
         try++) {
        result = ConfirmOnce(in, view, lookupKey, position);
    }
    return result == SNCE_BUSY ? SNCE_OK : result;
}

/* Ends an insert into a cache that moves or grows, or in which the key may lie in
 * another slot too. The entry was stored at |position|, and counted. */
static __attribute__((noinline)) snceResult
EndMoving(const insert *in, const snceView *view, const sncePosition *position,
          bool doubled)
{
    snceLookupKey lookupKey = LookupKeyOf(in, view);

    snceLookupKey_Hash(&lookupKey, in->cache.region);
    if (view->moving || doubled || snceTable_IsSplitting(&view->now.table)) {
        RemoveOthers(view, &lookupKey, position);
    }
    if (!snceView_Moved(view, lookupKey.hash)) {
        return SNCE_OK;
    }
    SNCE_STEP("insert-moved");
    return CountLost(in->cache, SNCE_N_DROPPED,
                     Confirm(in, view, &lookupKey, position));
}

/* ---- the rare ways ----------------------------------------------------------- */

/* Makes room for later inserts, as the last step of an insert. A cache whose sets are
 * crowded grows, unless sessions that have expired make room. */
SNCE_INLINE void
TidyUp(const snceView *view, const snceLookupKey *lookupKey,
       const snceRule *rule, const snceTaken *took)
{
    bool isFourth = (lookupKey->hash >> SNCE_TICKET_SHIFT & 3) == 0;
    unsigned swept = 0;

    /* If a live entry was evicted, neither set has one that has expired: these are
     * evicted first. */
    if ((isFourth || took->crowded) && (!took->full || took->expired)) {
        swept = snceTable_Sweep(&view->now.table, lookupKey, rule,
                                snceBacking_Gone, (void *)&view->now);
    }
    if (took->crowded && swept == 0) {
        snceBacking backing = view->now;

        snceSplit_Grow(&backing, rule);
    }
}

static inline void
BeginPlacing(const insert *in, const snceView *view, placing *it)
{
    it->lookupKey = LookupKeyOf(in, view);
    it->rule = snceView_Rule(view, in->now);
    it->rule.skewSec = snceView_ClockSkew(view);
    it->taken = (snceTaken){ 0 };
}

/* Counts an insert that ended as |result|, and what it took, and ends it. */
static snceResult
EndPlacing(const insert *in, const snceView *view, const placing *it,
           snceResult result)
{
    CountPlaced(view, &it->taken, result == SNCE_OK);
    if (SNCE_RARELY(result != SNCE_OK)) {
        snceBacking_Release(&view->now, in->certificate);
        return CountLost(in->cache, SNCE_N_DROPPED, result);
    }
    if (SNCE_RARELY(view->moving || it->taken.doubled ||
                    snceTable_IsSplitting(&view->now.table) ||
                    snceView_Moved(view, it->lookupKey.hash))) {
        result = EndMoving(in, view, &it->position, it->taken.doubled);
        if (result != SNCE_OK || snceView_Moved(view, it->lookupKey.hash)) {
            return result;
        }
    }
    TidyUp(view, &it->lookupKey, &it->rule, &it->taken);
    return SNCE_OK;
}

/* Stores a session in a cache that may grow, has empty slots, or holds the same ID.
 * |set| are its two sets; NULL if this process has yet to map them. |sum| and |hash|
 * are those of the ID. */
static __attribute__((noinline)) snceResult
Place(const insert *in, const snceView *view, snceSet *const *set, uint64_t sum,
      uint64_t hash, const uint64_t *words)
{
    const snceTable *table = &view->now.table;
    snceResult result = SNCE_NO_MEMORY;
    snceSet *mapped[2];
    placing it;

    BeginPlacing(in, view, &it);
    it.lookupKey.sum = sum;
    it.lookupKey.hash = hash;
    if (!set && snceTable_Sets(table, hash, mapped)) {
        set = mapped;
    }
    if (set) {
        result =
            snceTable_Place(table, set, &it.lookupKey, &it.rule, words,
                            in->session->state, NULL, &it.position, &it.taken);
    }
    return EndPlacing(in, view, &it, result);
}

/* Stores a session in the slot of |victim|, under |claim|, in place of an entry that
 * has expired or has a certificate. */
static __attribute__((noinline)) snceResult
Replace(const insert *in, const snceView *view, const uint64_t *words,
        const snceVictim *victim, snceVersion claim)
{
    const snceTable *table = &view->now.table;
    snceResult result = SNCE_OK;
    snceWhen when;
    placing it;

    BeginPlacing(in, view, &it);
    snceLookupKey_Hash(&it.lookupKey, in->cache.region);
    it.position = (sncePosition){ victim->set, victim->way, victim->seen };
    when = snceWhen_Of(&it.rule);
    snceTable_NoteTaken(table, &it.position, &it.rule, &it.taken);
    if (!snceTable_Fill(table, &it.position, claim, it.lookupKey.sum, in->id,
                        words, in->session->state, &it.rule, &when,
                        victim->order)) {
        it.taken.spoiled =
            snceTable_CleanUp(table, &it.position, in->session->state);
        result = SNCE_DROPPED;
    }
    return EndPlacing(in, view, &it, result);
}

/* Ends an insert whose claim of the slot at |position| was overridden. */
static __attribute__((noinline)) snceResult
LoseClaim(const insert *in, const snceView *view, const sncePosition *position)
{
    snceTaken taken = { .full = true };

    taken.spoiled =
        snceTable_CleanUp(&view->now.table, position, in->session->state);
    CountPlaced(view, &taken, false);
    snceBacking_Release(&view->now, in->certificate);
    return CountLost(in->cache, SNCE_N_DROPPED, SNCE_DROPPED);
}

/* ---- the usual way ------------------------------------------------------------ */

/* Stores |session|, whose ID is that of |lookupKey| and has the bytes |id|, zero-
 * filled, in the cache that |view| saw. In line for the usual case: in a full cache,
 * the new session evicts a live one that has no certificate. */
SNCE_INLINE snceResult
Store(const snceView *view, snceCache cache, const snceSession *session,
      const snceLookupKey *lookupKey, const uint8_t *id,
      snceBlobRef certificate, const snceRule *rule)
{
    const snceWhen when = snceWhen_Of(rule);
    uint64_t words[SNCE_ENTRY_WORDS];
    snceVersion claim;
    snceVictim victim;
    snceSet *set[2];
    sncePosition position;

    MakeWords(cache, session, lookupKey->shape, certificate, words);
    if (SNCE_RARELY(!snceTable_IsGrown(&view->now.table) ||
                    !snceTable_MappedSetsOfAll(&view->now.table,
                                               lookupKey->hash, set))) {
        const insert in = { cache, session, id, certificate, rule->now };
        const snceView seen = *view;

        return Place(&in, &seen, NULL, lookupKey->sum, lookupKey->hash, words);
    }
    if (SNCE_RARELY(!snceTable_ClaimVictim(set, lookupKey->hash, &when, &victim,
                                           &claim))) {
        const insert in = { cache, session, id, certificate, rule->now };
        snceSet *const its[2] = { set[0], set[1] };
        const snceView seen = *view;

        return Place(&in, &seen, its, lookupKey->sum, lookupKey->hash, words);
    }
    if (SNCE_RARELY(
            !snceTable_IsPlain(victim.set->slot[victim.way].word, rule))) {
        const insert in = { cache, session, id, certificate, rule->now };
        const snceView seen = *view;
        const snceVictim its = victim;

        return Replace(&in, &seen, words, &its, claim);
    }
    position.set = victim.set;
    position.way = victim.way;
    if (SNCE_RARELY(!snceTable_Fill(&view->now.table, &position, claim,
                                    lookupKey->sum, id, words, session->state,
                                    rule, &when, victim.order))) {
        const insert in = { cache, session, id, certificate, rule->now };
        const snceView seen = *view;
        const sncePosition its = { victim.set, victim.way, victim.seen };

        return LoseClaim(&in, &seen, &its);
    }
    snceLane_Add(snceCount_Lane(cache.region, cache.id.number), SNCE_N_EVICTED,
                 1);
    if (SNCE_RARELY(!snceView_IsStable(view))) {
        const insert in = { cache, session, id, certificate, rule->now };
        const snceView seen = *view;
        const sncePosition its = position;

        return EndMoving(&in, &seen, &its, false);
    }
    return SNCE_OK;
}

/* Stores any |session| in the cache that |view| saw. */
static __attribute__((noinline)) snceResult
StoreAny(snceView *view, snceCache cache, const snceSession *session,
         snceTime now)
{
    snceBlobRef certificate = 0;
    snceResult result = SNCE_OK;
    snceLookupKey lookupKey;
    snceRule rule;

    if (!snceCache_MakeKey(cache, session->id, session->idLen, session->address,
                           &lookupKey) ||
        (unsigned)session->sessionClass >= SNCE_CLASSES) {
        result = SNCE_INVALID;
    } else if (session->nameLen > SNCE_NAME_MAX) {
        result = SNCE_TOO_LARGE;
    } else if (session->certificate.len) {
        result = Hold(&view->now, &session->certificate, &certificate);
        /* The table may have grown: storing a certificate takes most of an insert's
         * time. */
        (void)snceTable_Resize(&view->now.table, snceBacking_Size(&view->now));
    }
    if (result != SNCE_OK) {
        return CountLost(cache, SNCE_N_REFUSED, result);
    }
    rule = snceView_Rule(view, now);
    return Store(view, cache, session, &lookupKey,
                 (const uint8_t *)lookupKey.id, certificate, &rule);
}

/* Stores a session in a cache that moves, or in a region that was attached for
 * reading only: there it only computes |*expires|. */
static __attribute__((noinline)) snceResult
StoreMoving(snceCache cache, const snceSession *session, snceTime now,
            snceTime *expires)
{
    snceView view;
    snceResult result = snceView_OpenAny(&view, cache.region, cache.id);

    *expires = session->created;
    if (result == SNCE_OK) {
        snceRule rule = snceView_Rule(&view, now);

        *expires =
            snceRule_Expiry(&rule, session->sessionClass, session->created);
    }
    if (cache.region->access == SNCE_ACCESS_READ) {
        return SNCE_READ_ONLY;
    }
    if (result == SNCE_NO_MEMORY) {
        snceCache_CountUnmapped(cache);
        return SNCE_DROPPED;
    }
    if (result != SNCE_OK) {
        return result;
    }
    if (snceView_Closed(&view)) {
        snceCache_Count(&view, SNCE_N_REFUSED);
        return SNCE_CLOSED;
    }
    return StoreAny(&view, cache, session, now);
}

snceResult
snceCache_InsertUntil(snceCache cache, const snceSession *session, snceTime now,
                      snceTime *expires)
{
    snceLookupKey lookupKey;
    snceView view;
    snceRule rule;

    if (SNCE_RARELY(cache.region->access == SNCE_ACCESS_READ ||
                    !snceView_OpenResting(&view, cache.region, cache.id))) {
        return StoreMoving(cache, session, now, expires);
    }
    rule = snceView_Rule(&view, now);
    *expires = snceRule_Expiry(&rule, session->sessionClass, session->created);
    /* NSS makes only IDs of SNCE_ID_MAX bytes: a client's certificate is the usual reason
     * to come here. */
    if (SNCE_RARELY(session->idLen != SNCE_ID_MAX ||
                    (unsigned)session->sessionClass >= SNCE_CLASSES ||
                    session->nameLen > SNCE_NAME_MAX ||
                    session->certificate.len != 0)) {
        snceView seen = view;

        return StoreAny(&seen, cache, session, now);
    }
    (void)snceCache_MakeKey(cache, session->id, SNCE_ID_MAX, session->address,
                            &lookupKey);
    return Store(&view, cache, session, &lookupKey, session->id, 0, &rule);
}

snceResult
snceCache_Insert(snceCache cache, const snceSession *session, snceTime now)
{
    snceTime expires;

    return snceCache_InsertUntil(cache, session, now, &expires);
}
