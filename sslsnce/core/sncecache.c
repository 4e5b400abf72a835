/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* The sessions of one virtual server: what the words of a slot mean. */
#include <string.h>

#include "sncecount.h"
#include "sncefind.h"
#include "snceplace.h"
#include "snceslot.h"
#include "sncesplit.h"
#include "snceview.h"
#include "snceword.h"

/* A lookup whose session is replaced or carried over, and its certificate with
 * it, looks again so often. */
#define LOOKUP_TRIES 4

SNCE_INLINE void
Count(const snceView *view, unsigned figure)
{
    snceCount_One(view->region, view->id.number, figure);
}

/* Counts an operation that did nothing because this process cannot map what it
 * needs. */
static void
CountUnmapped(snceCache cache)
{
    if (cache.id.number < SNCE_SERVERS) {
        snceCount_Add(cache.region, cache.id.number, SNCE_N_UNMAPPED, 1);
    }
}

SNCE_INLINE bool
MakeProbe(snceCache cache, const uint8_t *id, size_t idLen,
          const uint8_t address[SNCE_ADDRESS_BYTES], snceProbe *out)
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
    snceProbe_Hash(out, cache.region);
    return true;
}

static void
TakeOut(const snceHome *home, const snceSpot *spot, snceBlobRef certificate)
{
    if (home->table.region->access != SNCE_ACCESS_READ &&
        snceTable_Take(&home->table, spot)) {
        snceHome_Lose(home, certificate);
    }
}

/* Removes |probe|'s key from |home|, as snceTable_Remove; returns the number of
 * sessions, and counts the unfinished inserts that went with them. |*unmapped|
 * becomes true if this process cannot look. */
static unsigned
RemoveFrom(const snceView *view, const snceHome *home, const snceProbe *probe,
           const snceSpot *except, const uint64_t *only, bool *unmapped)
{
    snceRemoved removed = snceTable_Remove(&home->table, probe, except, only,
                                           snceHome_Gone, (void *)home);

    if (SNCE_RARELY(removed.claims)) {
        snceCount_Add(view->region, view->id.number, SNCE_N_OVERRIDDEN,
                      removed.claims);
    }
    *unmapped |= removed.unmapped;
    return removed.entries;
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

/* ---- finding ------------------------------------------------------------- */

/* Finds the entry for |probe|: |*view| is then what was looked at, |*home| the
 * one of its homes that the entry is in. */
static snceResult
Find(snceCache cache, snceProbe *probe, uint64_t words[SNCE_ENTRY_WORDS],
     snceView *view, const snceHome **home, snceSpot *spot, bool *otherAddress)
{
    snceResult result = SNCE_MISS;

    for (unsigned try = 0; try < SNCE_VIEW_TRIES; try++) {
        bool unmapped = false; /* this process cannot look in the old home */

        result = snceView_Open(view, cache.region, cache.id);
        if (result != SNCE_OK) {
            return result;
        }
        if (snceView_Closed(view)) {
            return SNCE_MISS;
        }
        probe->matchAddress = snceView_MatchesAddress(view);
        if (view->moving) {
            *home = &view->old;
            result = snceTable_Find(&view->old.table, probe, words, spot,
                                    otherAddress);
            if (result == SNCE_OK) {
                return result;
            }
            unmapped = result == SNCE_NO_MEMORY;
        }
        *home = &view->now;
        result =
            snceTable_Find(&view->now.table, probe, words, spot, otherAddress);
        if (result == SNCE_OK || !snceView_Moved(view, probe->hash)) {
            return result == SNCE_MISS && unmapped ? SNCE_NO_MEMORY : result;
        }
    }
    return result;
}

/* ---- inserting ----------------------------------------------------------- */

/* Counts one entry more that refers to |certificate|. */
static __attribute__((noinline)) snceResult
Hold(const snceHome *home, const snceBuffer *certificate, snceBlobRef *ref)
{
    snceBlob store;
    snceResult result;

    if (certificate->len > SNCE_CERTIFICATE_MAX) {
        return SNCE_TOO_LARGE;
    }
    result = snceHome_Store(&store, home);
    if (result == SNCE_OK) {
        result =
            snceBlob_Hold(&store, certificate->data, certificate->len, ref);
    }
    return result;
}

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
        snceHome_Release(&view->now, taken->certificate);
    }
    if (placed) {
        snceLane_Add(lane, SNCE_N_INSERT, 1);
    }
    if (more != 0) {
        snceLane_Add(lane, snceHome_LiveFigure(&view->now), (uint64_t)more);
    }
}

/* Counts one that took a live entry's place, which had no certificate: what most
 * inserts into a full cache do. */
SNCE_INLINE void
CountEvicted(snceCache cache)
{
    snceLane *lane = snceCount_Lane(cache.region, cache.id.number);

    snceLane_Add(lane, SNCE_N_REPLACED_LIVE, 1);
    snceLane_Add(lane, SNCE_N_INSERT, 1);
}

/* The words of a session's entry that are neither its key nor its state. */
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

/* The same key may wait in the old home, or in a page that is being split, or be on its
 * way from there: then either it is seen here or who carries it sees it gone. Two
 * processes that carried it at once may have left two copies; only one was replaced. */
static __attribute__((noinline)) void
RemoveOthers(const snceView *view, const snceProbe *probe, const snceSpot *spot)
{
    bool unmapped = false;

    SNCE_STEP("insert-doubled");
    if (view->moving) {
        (void)RemoveFrom(view, &view->old, probe, NULL, NULL, &unmapped);
    }
    (void)RemoveFrom(view, &view->now, probe, spot, NULL, &unmapped);
}

/* An entry was stored at |spot|, but something has changed since |view| was
 * opened. If it is not where lookups look, it is taken back rather than stored
 * anew: a removal might fall between the two and miss it (G5). */
static snceResult
SettleOnce(const snceView *view, snceCache cache, snceProbe *probe,
           const snceSession *session, snceBlobRef certificate,
           const snceSpot *spot)
{
    uint64_t others[SNCE_ENTRY_WORDS];
    bool otherAddress, unmapped = false;
    const snceHome *home;
    snceSpot found;
    snceView later;
    snceResult result = snceView_Open(&later, cache.region, cache.id);
    bool grown =
        result == SNCE_OK && later.now.table.range == view->now.table.range;

    if (grown && snceTable_IsPlace(&later.now.table, probe->hash, spot->set)) {
        /* Whoever moves it from here later on sees it. What was of the same key may
         * have been moved meanwhile, from where an insert looks to where it does
         * not. */
        RemoveOthers(&later, probe, spot);
        return snceView_Moved(&later, probe->hash) ? SNCE_BUSY : SNCE_OK;
    }
    if (snceTable_Take(&view->now.table, spot)) {
        snceHome_Lose(&view->now, certificate);
        if (grown || (result == SNCE_OK && later.moving &&
                      later.old.table.range == view->now.table.range)) {
            uint64_t words[SNCE_ENTRY_WORDS];

            /* A copy of it may be on its way to where lookups look, or there. */
            memcpy(&words[SNCE_W_ID], probe->id, sizeof(probe->id));
            memcpy(&words[SNCE_W_ADDRESS], probe->address,
                   sizeof(probe->address));
            MakeWords(cache, session, probe->shape, certificate, words);
            snceWord_Read(&words[SNCE_W_STATE], session->state,
                          SNCE_STATE_BYTES / 8);
            (void)RemoveFrom(&later, &later.now, probe, NULL, words, &unmapped);
            snceWord_Wipe(&words[SNCE_W_STATE], SNCE_STATE_BYTES / 8);
        }
        return result == SNCE_GONE ? SNCE_GONE : SNCE_DROPPED;
    }
    /* It was carried over, evicted or removed, or its page was given back
     * before anybody saw it. */
    result = Find(cache, probe, others, &later, &home, &found, &otherAddress);
    explicit_bzero(others, sizeof(others));
    return result == SNCE_MISS ? SNCE_DROPPED : result;
}

/* The same until nothing changes meanwhile. */
static __attribute__((noinline)) snceResult
Settle(const snceView *view, snceCache cache, snceProbe *probe,
       const snceSession *session, snceBlobRef certificate,
       const snceSpot *spot)
{
    snceResult result = SNCE_BUSY;

    for (unsigned try = 0; result == SNCE_BUSY && try < SNCE_VIEW_TRIES;
         try++) {
        result = SettleOnce(view, cache, probe, session, certificate, spot);
    }
    return result == SNCE_BUSY ? SNCE_OK : result;
}

/* Counts an insert that ended as |result| under |figure|, and returns what the caller
 * is told: one that this process cannot map a place for is dropped. SNCE_OK and
 * SNCE_GONE are not counted. */
static __attribute__((noinline)) snceResult
CountLost(snceCache cache, unsigned figure, snceResult result)
{
    if (result == SNCE_OK || result == SNCE_GONE) {
        return result;
    }
    if (result == SNCE_NO_MEMORY) {
        CountUnmapped(cache);
        return SNCE_DROPPED;
    }
    if (result == SNCE_DROPPED) {
        figure = SNCE_N_DROPPED;
    }
    snceCount_Add(cache.region, cache.id.number, figure, 1);
    return result;
}

/* What an insert stores. What it is told of may be in registers, so it is copied for
 * the functions that are rarely called. */
typedef struct {
    snceCache cache;
    const snceSession *session;
    const uint8_t *id; /* of the session, SNCE_ID_MAX bytes, zero-filled */
    snceBlobRef certificate;
    snceTime now;
} insert;

/* Makes the probe of its session, but for what follows from the ID. */
static inline snceProbe
ProbeOf(const insert *in, const snceView *view)
{
    snceProbe probe;

    snceWord_Read(probe.id, in->id, SNCE_ID_MAX / 8);
    snceWord_Read(probe.address, in->session->address, SNCE_ADDRESS_BYTES / 8);
    probe.shape = in->session->idLen;
    probe.matchAddress = snceView_MatchesAddress(view);
    probe.sum = 0;
    probe.hash = 0;
    return probe;
}

/* Sees after an insert to what moves, or may lie in another slot: the entry was stored
 * at |spot|, and counted. */
static __attribute__((noinline)) snceResult
EndMoving(const insert *in, const snceView *view, const snceSpot *spot,
          bool doubled)
{
    snceProbe probe = ProbeOf(in, view);

    snceProbe_Hash(&probe, in->cache.region);
    if (view->moving || doubled || snceTable_IsSplitting(&view->now.table)) {
        RemoveOthers(view, &probe, spot);
    }
    if (!snceView_Moved(view, probe.hash)) {
        return SNCE_OK;
    }
    SNCE_STEP("insert-moved");
    return CountLost(
        in->cache, SNCE_N_DROPPED,
        Settle(view, in->cache, &probe, in->session, in->certificate, spot));
}

/* What an insert does at last for those that come after it. A cache whose sets are
 * crowded grows, unless sessions that have expired make room. */
SNCE_INLINE void
TidyUp(const snceView *view, const snceProbe *probe, const snceRule *rule,
       const snceTaken *took)
{
    bool turn = (probe->hash >> SNCE_TICKET_SHIFT & 3) == 0;
    unsigned swept = 0;

    /* If a live entry was evicted, neither set has one that has expired: these are
     * evicted first. */
    if ((turn || took->crowded) && (!took->full || took->expired)) {
        swept = snceTable_Sweep(&view->now.table, probe, rule, snceHome_Gone,
                                (void *)&view->now);
    }
    if (took->crowded && swept == 0) {
        snceHome home = view->now;

        snceSplit_Grow(&home, rule);
    }
}

/* Counts an insert that ended as |result|, and what it |took|, and ends it. */
SNCE_INLINE snceResult
End(const insert *in, const snceView *view, const snceProbe *probe,
    const snceRule *rule, const snceTaken *took, const snceSpot *spot,
    snceResult result)
{
    CountPlaced(view, took, result == SNCE_OK);
    if (SNCE_RARELY(result != SNCE_OK)) {
        snceHome_Release(&view->now, in->certificate);
        return CountLost(in->cache, SNCE_N_DROPPED, result);
    }
    if (SNCE_RARELY(view->moving || took->doubled ||
                    snceTable_IsSplitting(&view->now.table) ||
                    snceView_Moved(view, probe->hash))) {
        result = EndMoving(in, view, spot, took->doubled);
        if (result != SNCE_OK || snceView_Moved(view, probe->hash)) {
            return result;
        }
    }
    TidyUp(view, probe, rule, took);
    return SNCE_OK;
}

/* Stores a session, whose ID makes |sum| and |hash|, where it does not simply evict
 * another one; in the two sets |set|, or if that is NULL in those that this process has
 * yet to map. */
static __attribute__((noinline)) snceResult
Place(const insert *in, const snceView *view, snceSet *const *set, uint64_t sum,
      uint64_t hash, const uint64_t *words)
{
    snceProbe probe = ProbeOf(in, view);
    snceRule rule = snceView_Rule(view, in->now);
    snceTaken taken = { 0 };
    snceResult result = SNCE_NO_MEMORY;
    snceSet *mapped[2];
    snceSpot spot;

    probe.sum = sum;
    probe.hash = hash;
    rule.skewSec = snceView_ClockSkew(view);
    if (!set && snceTable_Sets(&view->now.table, hash, mapped)) {
        set = mapped;
    }
    if (set) {
        result = snceTable_Place(&view->now.table, set, &probe, &rule, words,
                                 in->session->state, NULL, &spot, &taken);
    }
    return End(in, view, &probe, &rule, &taken, &spot, result);
}

/* Stores a session in the slot of |victim|, under |claim|, where an entry goes that has
 * expired or has a certificate. */
static __attribute__((noinline)) snceResult
Replace(const insert *in, const snceView *view, const uint64_t *words,
        const snceVictim *victim, snceVersion claim)
{
    const snceTable *table = &view->now.table;
    snceProbe probe = ProbeOf(in, view);
    snceRule rule = snceView_Rule(view, in->now);
    const snceWhen when = snceWhen_Of(&rule);
    snceSpot spot = { victim->set, victim->way, victim->seen };
    snceTaken taken = { 0 };
    snceResult result = SNCE_OK;

    snceProbe_Hash(&probe, in->cache.region);
    rule.skewSec = snceView_ClockSkew(view);
    snceTable_NoteTaken(table, &spot, &rule, &taken);
    if (!snceTable_Fill(table, &spot, claim, probe.sum, in->id, words,
                        in->session->state, &rule, &when, victim->order)) {
        taken.spoiled = snceTable_CleanUp(table, &spot);
        result = SNCE_DROPPED;
    }
    return End(in, view, &probe, &rule, &taken, &spot, result);
}

/* Ends an insert whose claim of the slot at |spot| was overridden. */
static __attribute__((noinline)) snceResult
LoseClaim(const insert *in, const snceView *view, const snceSpot *spot)
{
    snceTaken taken = { .full = true };

    taken.spoiled = snceTable_CleanUp(&view->now.table, spot);
    CountPlaced(view, &taken, false);
    snceHome_Release(&view->now, in->certificate);
    return CountLost(in->cache, SNCE_N_DROPPED, SNCE_DROPPED);
}

/* Stores |session|, whose ID is that of |probe| and has the bytes |id|, zero-filled, in
 * the cache that |view| saw. In line: mostly it takes the slot of a session that is
 * alive and has no certificate. */
SNCE_INLINE snceResult
Store(const snceView *view, snceCache cache, const snceSession *session,
      const snceProbe *probe, const uint8_t *id, snceBlobRef certificate,
      const snceRule *rule)
{
    const snceWhen when = snceWhen_Of(rule);
    uint64_t words[SNCE_ENTRY_WORDS];
    snceVersion claim;
    snceVictim victim;
    snceSet *set[2];
    snceSpot spot;

    MakeWords(cache, session, probe->shape, certificate, words);
    if (SNCE_RARELY(
            !snceTable_MappedSets(&view->now.table, probe->hash, set))) {
        const insert in = { cache, session, id, certificate, rule->now };
        const snceView seen = *view;

        return Place(&in, &seen, NULL, probe->sum, probe->hash, words);
    }
    if (SNCE_RARELY(
            !snceTable_IsGrown(&view->now.table) ||
            !snceTable_ClaimVictim(set, probe->hash, &when, &victim, &claim))) {
        const insert in = { cache, session, id, certificate, rule->now };
        snceSet *const its[2] = { set[0], set[1] };
        const snceView seen = *view;

        return Place(&in, &seen, its, probe->sum, probe->hash, words);
    }
    if (SNCE_RARELY(
            !snceTable_IsPlain(victim.set->slot[victim.way].word, rule))) {
        const insert in = { cache, session, id, certificate, rule->now };
        const snceView seen = *view;
        const snceVictim its = victim;

        return Replace(&in, &seen, words, &its, claim);
    }
    spot.set = victim.set;
    spot.way = victim.way;
    if (SNCE_RARELY(!snceTable_Fill(&view->now.table, &spot, claim, probe->sum,
                                    id, words, session->state, rule, &when,
                                    victim.order))) {
        const insert in = { cache, session, id, certificate, rule->now };
        const snceView seen = *view;
        const snceSpot its = { victim.set, victim.way, victim.seen };

        return LoseClaim(&in, &seen, &its);
    }
    CountEvicted(cache);
    if (SNCE_RARELY(view->moving || snceView_Moved(view, probe->hash))) {
        const insert in = { cache, session, id, certificate, rule->now };
        const snceView seen = *view;
        const snceSpot its = spot;

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
    snceProbe probe;
    snceRule rule;

    if (!MakeProbe(cache, session->id, session->idLen, session->address,
                   &probe) ||
        (unsigned)session->sessionClass >= SNCE_CLASSES) {
        result = SNCE_INVALID;
    } else if (session->nameLen > SNCE_NAME_MAX) {
        result = SNCE_TOO_LARGE;
    } else if (session->certificate.len) {
        result = Hold(&view->now, &session->certificate, &certificate);
        /* That takes most of an insert's time: the table may have grown. */
        (void)snceTable_Resize(&view->now.table, snceHome_Size(&view->now));
    }
    if (result != SNCE_OK) {
        return CountLost(cache, SNCE_N_REFUSED, result);
    }
    rule = snceView_Rule(view, now);
    return Store(view, cache, session, &probe, (const uint8_t *)probe.id,
                 certificate, &rule);
}

/* Stores it in a cache that does not rest, or in none: a region that only may be read
 * tells the expiry all the same. */
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
        CountUnmapped(cache);
        return SNCE_DROPPED;
    }
    if (result != SNCE_OK) {
        return result;
    }
    if (snceView_Closed(&view)) {
        Count(&view, SNCE_N_REFUSED);
        return SNCE_CLOSED;
    }
    return StoreAny(&view, cache, session, now);
}

snceResult
snceCache_InsertUntil(snceCache cache, const snceSession *session, snceTime now,
                      snceTime *expires)
{
    snceProbe probe;
    snceView view;
    snceRule rule;

    if (SNCE_RARELY(cache.region->access == SNCE_ACCESS_READ ||
                    !snceView_OpenResting(&view, cache.region, cache.id))) {
        return StoreMoving(cache, session, now, expires);
    }
    rule = snceView_Rule(&view, now);
    *expires = snceRule_Expiry(&rule, session->sessionClass, session->created);
    /* As NSS makes them, but for a client's certificate. */
    if (SNCE_RARELY(session->idLen != SNCE_ID_MAX ||
                    (unsigned)session->sessionClass >= SNCE_CLASSES ||
                    session->nameLen > SNCE_NAME_MAX ||
                    session->certificate.len != 0)) {
        snceView seen = view;

        return StoreAny(&seen, cache, session, now);
    }
    (void)MakeProbe(cache, session->id, SNCE_ID_MAX, session->address, &probe);
    return Store(&view, cache, session, &probe, session->id, 0, &rule);
}

snceResult
snceCache_Insert(snceCache cache, const snceSession *session, snceTime now)
{
    snceTime expires;

    return snceCache_InsertUntil(cache, session, now, &expires);
}

/* ---- looking up ---------------------------------------------------------- */

/* Does an entry made under the name that hashes to |made| belong to the server
 * name that is asked for? */
static bool
NameFits(const snceKey *key, snceCache cache, uint64_t made)
{
    return !key->name ||
           made == snceHash_Name(&cache.region->hash, key->name, key->nameLen);
}

/* Copies the certificate |ref|, to which an entry refers: it, or the session is
 * not there. Returns SNCE_DROPPED if the entry has gone elsewhere meanwhile. */
static snceResult
ReadCertificate(const snceView *view, const snceHome *home,
                const snceSpot *spot, snceBlobRef ref, snceBuffer *out)
{
    snceBlob store;
    snceResult result = snceHome_Store(&store, home);

    if (result == SNCE_OK) {
        result =
            snceBlob_Read(&store, ref, out->data, out->capacity, &out->len);
    }
    if (result == SNCE_NO_MEMORY) { /* other processes can have it */
        Count(view, SNCE_N_UNMAPPED);
        return SNCE_MISS;
    }
    if (result == SNCE_MISS) {
        if (!snceSlot_Unchanged(&spot->set->version[spot->way], spot->seen)) {
            return SNCE_DROPPED;
        }
        TakeOut(home, spot, ref);
        Count(view, SNCE_N_CERTIFICATE);
    }
    return result;
}

/* Moves the time of the last access. It is outside the checksum, so a reader
 * that comes late can at worst move that of another entry which was last used
 * in the same microsecond (rule 6). */
static void
MoveAccess(const snceSpot *spot, uint64_t from, snceTime now)
{
    if (from != (uint64_t)now.usec) {
        (void)atomic_compare_exchange_strong_explicit(
            &spot->set->slot[spot->way].word[SNCE_W_ACCESS], &from,
            (uint64_t)now.usec, memory_order_relaxed, memory_order_relaxed);
    }
}

/* What a lookup looks for, and where the answer goes. */
typedef struct {
    snceCache cache;
    const snceKey *key;
    snceTime now;
    snceSession *out;
} lookup;

/* Looks again at an entry that is not plainly alive. It may have expired: then it
 * is taken out. Or it was created after |now|: then it is alive unless it lies too
 * far ahead. By value, so that the hit path need not put the entry into memory. */
static __attribute__((noinline)) bool
IsBarelyAlive(const snceView *view, const snceHome *home, const snceSpot *spot,
              int64_t created, snceBlobRef certificate, snceTime now)
{
    uint64_t ahead = (uint64_t)created - (uint64_t)now.usec;

    if (created <= now.usec) {
        TakeOut(home, spot, certificate);
        Count(view, SNCE_N_EXPIRED);
        return false;
    }
    if (ahead > (uint64_t)snceView_ClockSkewSec(view) * SNCE_USEC_PER_SEC) {
        Count(view, SNCE_N_FUTURE);
        return false;
    }
    return true;
}

/* Answers with the entry |words| at |spot|, if it is alive and under that name;
 * its state is the caller's business. Returns SNCE_DROPPED if it went elsewhere
 * before its certificate was read. */
SNCE_INLINE snceResult
Answer(const lookup *l, const snceView *view, const snceHome *home,
       const snceSpot *spot, const snceProbe *probe,
       const uint64_t words[SNCE_ENTRY_WORDS])
{
    snceRule rule = snceView_Rule(view, l->now);
    unsigned sessionClass = snceTable_ClassOf(words);
    snceSession *out = l->out;

    if (SNCE_RARELY(!snceRule_Live(&rule, sessionClass,
                                   (int64_t)words[SNCE_W_CREATED])) &&
        !IsBarelyAlive(view, home, spot, (int64_t)words[SNCE_W_CREATED],
                       words[SNCE_W_CERTIFICATE], l->now)) {
        return SNCE_MISS;
    }
    if (SNCE_RARELY(!NameFits(l->key, l->cache, words[SNCE_W_NAME]))) {
        Count(view, SNCE_N_NAME);
        return SNCE_MISS;
    }
    if (words[SNCE_W_CERTIFICATE]) {
        snceResult result = ReadCertificate(
            view, home, spot, words[SNCE_W_CERTIFICATE], &out->certificate);

        if (result != SNCE_OK) {
            return result;
        }
    } else {
        out->certificate.len = 0;
    }

    snceWord_Write(out->id, probe->id, SNCE_ID_MAX / 8);
    out->idLen = l->key->idLen;
    snceWord_Write(out->address, &words[SNCE_W_ADDRESS],
                   SNCE_ADDRESS_BYTES / 8);
    out->sessionClass = (snceClass)sessionClass;
    out->created.usec = (int64_t)words[SNCE_W_CREATED];
    out->lastAccess.usec = (int64_t)words[SNCE_W_ACCESS];
    out->expires = snceRule_Expiry(&rule, out->sessionClass, out->created);
    if (l->cache.region->access != SNCE_ACCESS_READ) {
        snceTable_Use(spot, words, l->now);
        MoveAccess(spot, words[SNCE_W_ACCESS], l->now);
    }
    Count(view, SNCE_N_HIT);
    return SNCE_OK;
}

/* The end of a lookup that found |result| somewhere in |home|. */
static snceResult
EndLookup(const lookup *l, const snceProbe *probe, const snceView *view,
          const snceHome *home, const snceSpot *spot,
          uint64_t words[SNCE_ENTRY_WORDS], snceResult result,
          bool otherAddress)
{
    if (result == SNCE_CORRUPT) {
        /* A slot spoiled by a writer that lost its claim: one entry less. */
        Count(view, SNCE_N_CORRUPT);
        result = SNCE_MISS;
    }
    if (result == SNCE_NO_MEMORY) {
        Count(view, SNCE_N_UNMAPPED);
        return SNCE_MISS;
    }
    if (result != SNCE_OK) {
        Count(view, otherAddress ? SNCE_N_ADDRESS : SNCE_N_UNKNOWN);
        return result;
    }
    result = Answer(l, view, home, spot, probe, words);
    if (result == SNCE_OK) {
        snceWord_Write(l->out->state, &words[SNCE_W_STATE],
                       SNCE_STATE_BYTES / 8);
    }
    snceWord_Wipe(&words[SNCE_W_STATE], SNCE_STATE_BYTES / 8);
    return result;
}

/* One try at a lookup, whatever happens to the cache meanwhile. Returns
 * SNCE_DROPPED if it is worth another. */
static snceResult
LookUp(const lookup *l, snceProbe *probe)
{
    uint64_t words[SNCE_ENTRY_WORDS];
    bool otherAddress = false;
    const snceHome *home = NULL;
    snceResult result;
    snceSpot spot;
    snceView view;

    result = Find(l->cache, probe, words, &view, &home, &spot, &otherAddress);
    if (result == SNCE_GONE) {
        return SNCE_MISS;
    }
    return EndLookup(l, probe, &view, home, &spot, words, result, otherAddress);
}

static __attribute__((noinline)) snceResult
LookUpMoving(const lookup *l, snceProbe *probe)
{
    snceResult result = SNCE_DROPPED;

    for (unsigned try = 0; result == SNCE_DROPPED && try < LOOKUP_TRIES;
         try++) {
        result = LookUp(l, probe);
    }
    return result == SNCE_DROPPED ? SNCE_MISS : result;
}

/* The same in the cache that |view| saw at rest. SNCE_DROPPED if it did not rest. */
static __attribute__((noinline)) snceResult
LookUpAt(const lookup *l, const snceProbe *probe, const snceView *view)
{
    uint64_t words[SNCE_ENTRY_WORDS];
    bool otherAddress;
    snceSpot spot;
    snceResult result =
        snceTable_Find(&view->now.table, probe, words, &spot, &otherAddress);

    if (result != SNCE_OK && snceView_Moved(view, probe->hash)) {
        return SNCE_DROPPED;
    }
    return EndLookup(l, probe, view, &view->now, &spot, words, result,
                     otherAddress);
}

/* The same in line, for a session that lies where it is best: that is most of them.
 * LookUpAt is told of things where they lie, so nothing is copied for it; and they
 * lie in memory, all but the way from the hash to the slot. */
SNCE_INLINE snceResult
LookUpResting(const lookup *l, snceProbe *probe)
{
    const uint64_t hash = probe->hash;
    uint64_t words[SNCE_ENTRY_WORDS];
    snceProbePlaces at;
    snceResult result;
    snceSpot spot;
    snceView view;

    if (SNCE_RARELY(
            !snceView_OpenResting(&view, l->cache.region, l->cache.id))) {
        return SNCE_DROPPED;
    }
    probe->matchAddress = snceView_MatchesAddress(&view);
    if (SNCE_RARELY(!snceTable_MappedPlaces(&view.now.table, hash, &at))) {
        return LookUpAt(l, probe, &view);
    }
    snceProbePlaces_Fetch(&at);
    if (SNCE_RARELY(!snceTable_FindBest(&view.now.table, probe, &at, words,
                                        l->out->state, &spot))) {
        return LookUpAt(l, probe, &view);
    }
    result = Answer(l, &view, &view.now, &spot, probe, words);
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
    snceProbe probe;
    snceResult result;

    if (!MakeProbe(cache, key->id, key->idLen, key->address, &probe)) {
        return SNCE_INVALID;
    }
    result = LookUpResting(&l, &probe);
    return result == SNCE_DROPPED ? LookUpMoving(&l, &probe) : result;
}

snceResult
snceCache_Remove(snceCache cache, const snceKey *key)
{
    unsigned removed = 0;
    bool unmapped = false;
    snceProbe probe;
    snceView view;

    if (cache.region->access == SNCE_ACCESS_READ) {
        return SNCE_READ_ONLY;
    }
    if (!MakeProbe(cache, key->id, key->idLen, key->address, &probe)) {
        return SNCE_INVALID;
    }
    for (unsigned try = 0; try < SNCE_VIEW_TRIES; try++) {
        snceResult result = snceView_Open(&view, cache.region, cache.id);

        if (result == SNCE_GONE) {
            return removed ? SNCE_OK : SNCE_MISS;
        }
        if (result != SNCE_OK) {
            if (result == SNCE_NO_MEMORY) {
                CountUnmapped(cache);
            }
            return result;
        }
        probe.matchAddress = snceView_MatchesAddress(&view);
        if (view.moving) {
            removed +=
                RemoveFrom(&view, &view.old, &probe, NULL, NULL, &unmapped);
        }
        removed += RemoveFrom(&view, &view.now, &probe, NULL, NULL, &unmapped);
        if (!snceView_Moved(&view, probe.hash)) {
            break;
        }
    }
    snceCount_Add(cache.region, cache.id.number, SNCE_N_REMOVED, removed);
    if (unmapped) {
        CountUnmapped(cache);
        return SNCE_NO_MEMORY;
    }
    return removed ? SNCE_OK : SNCE_MISS;
}
