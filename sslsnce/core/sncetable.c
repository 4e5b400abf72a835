/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncefind.h"

#include <string.h>

#include "sncelook.h"
#include "snceorder.h"
#include "sncepatience.h"
#include "snceplace.h"

/* Tries at a slot that other processes are changing too. Each failure means
 * that one of them succeeded. */
#define PLACE_TRIES 4
#define REMOVE_TRIES 64
#define CLEAN_TRIES 4

/* Room to spare. With two sets to choose from, an eighth keeps 99.83 % of a full
 * cache, at 100,000 entries and at 1,000,000 (G10 wants 99.5 %); it costs 26
 * bytes a session. */
#define SPARE 8

/* A table grows if the emptier set of an insert has so few empty slots. With three it is
 * half full while it grows, 49 to 54 %, and of a million sessions none finds both sets
 * full before the table has all its pages; with two, 300 do; with four it takes more than
 * twice the memory of a full one. */
#define CROWDED 3

/* ---- where things lie ---------------------------------------------------- */

/* Small caches, in which chance plays a larger part, get some sets more; most for
 * their size those below 200 entries, where one session lost is more than 0.5 %.
 * In 20,000 trials each, 100, 128, 150, 180 and 199 entries lost none. */
static uint64_t
SetsMore(uint64_t entries)
{
    if (entries < 200) {
        return 2 + entries / 32;
    }
    if (entries < 1024) {
        return 5;
    }
    return 2 + (entries < 2048 ? entries : 2048) / 256;
}

uint64_t
snceTable_PagesFor(uint64_t entries)
{
    uint64_t slots = entries + entries / SPARE;
    uint64_t sets = (slots + SNCE_WAYS - 1) / SNCE_WAYS + SetsMore(entries);

    return snceRough_Up((sets + 1) / 2);
}

uint64_t
snceTable_UsedFor(uint64_t entries, uint64_t pages)
{
    uint64_t first = snceSize_First(pages);
    uint64_t used = 2 * entries / SNCE_PAGE_SLOTS + 1; /* half full */

    used = used > first ? used : first;
    return used < pages ? used : pages;
}

/* ---- times ---------------------------------------------------------------- */

static snceLookTimes
TimesOf(const snceRule *rule)
{
    /* A second more, for stamps are rounded down. */
    snceLookTimes times = { snceSeconds(rule->now.usec),
                            { rule->timeoutSec[0], rule->timeoutSec[1] },
                            1 + (rule->skewSec ? snceRule_SkewSec(rule->skewSec)
                                               : 0) };

    return times;
}

/* ---- finding ------------------------------------------------------------- */

/* Copies an entry to where WipeState finds all of it. Left alone, a compiler
 * keeps the words in registers, some of those on the stack, and none in |words|.
 */
static void
LoadEntry(uint64_t words[SNCE_ENTRY_WORDS], const snceWord *from)
{
    snceSlot_Load(words, from, SNCE_ENTRY_WORDS);
    __asm__ volatile("" : : "r"(words) : "memory");
}

/* Wipes the part of a copy that is secret. */
static void
WipeState(uint64_t words[SNCE_ENTRY_WORDS])
{
    snceWord_Wipe(&words[SNCE_W_STATE], SNCE_STATE_BYTES / 8);
}

/* Looks for the key at the |ways| of |set|, each seen anew. Of an entry that is
 * not the answer no secret stays in |words|. */
static snceResult
FindAmong(const snceTable *table, const snceProbe *probe, snceSet *set,
          uint32_t ways, uint64_t words[SNCE_ENTRY_WORDS], snceSpot *spot,
          bool *otherAddress)
{
    while (ways) {
        snceResult result;

        *spot = snceSpot_At(set, snceLook_Way(&ways));
        result = snceTable_ReadMatching(table, probe, words, spot);
        if (result == SNCE_OK && snceProbe_IsAddress(probe, words)) {
            return SNCE_OK;
        }
        WipeState(words);
        if (result == SNCE_OK) {
            *otherAddress = true;
        } else if (result != SNCE_MISS) {
            return result;
        }
    }
    return SNCE_MISS;
}

/* Finds the sets of a page that is being split in which the session of |hash| may still
 * lie; NULL for none. They are looked at before the others, so that a session that is
 * moved meanwhile is found here or there. False if this process cannot map one. */
static bool
MapOld(const snceTable *table, uint64_t hash, snceSet *set[2])
{
    uint64_t page[2];

    set[0] = set[1] = NULL;
    if (!snceTable_IsSplitting(table)) {
        return true;
    }
    snceTable_Pages(table, hash, page);
    for (unsigned i = 0; i < 2; i++) {
        if (page[i] == snceTable_Last(table)) {
            set[i] = snceTable_Set(
                table, 2 * snceSize_Partner(page[i], table->pages) + i);
            if (!set[i]) {
                return false;
            }
        }
    }
    return true;
}

/* Finds all the sets that the session may lie in, those first; the last two are there. */
static bool
MapAll(const snceTable *table, uint64_t hash, snceSet *set[4])
{
    return MapOld(table, hash, set) && snceTable_Sets(table, hash, set + 2);
}

/* snceTable_Find in a page that is being split. */
static __attribute__((noinline)) snceResult
FindInOld(const snceTable *table, const snceProbe *probe,
          uint64_t words[SNCE_ENTRY_WORDS], snceSpot *spot, bool *otherAddress)
{
    uint64_t tag = snceVersion_Tag(probe->hash);
    snceResult result = SNCE_MISS;
    snceSet *set[2];

    if (!MapOld(table, probe->hash, set)) {
        return SNCE_NO_MEMORY;
    }
    for (unsigned i = 0; i < 2 && result == SNCE_MISS; i++) {
        if (set[i]) {
            result =
                FindAmong(table, probe, set[i], snceLook_Tagged(set[i], tag),
                          words, spot, otherAddress);
        }
    }
    return result;
}

snceResult
snceTable_Find(const snceTable *table, const snceProbe *probe,
               uint64_t words[SNCE_ENTRY_WORDS], snceSpot *spot,
               bool *otherAddress)
{
    uint64_t tag = snceVersion_Tag(probe->hash);
    snceResult result = SNCE_MISS;
    snceSet *set[2];

    *otherAddress = false;
    if (SNCE_RARELY(snceTable_IsSplitting(table))) {
        result = FindInOld(table, probe, words, spot, otherAddress);
    }
    if (result == SNCE_MISS && !snceTable_Sets(table, probe->hash, set)) {
        result = SNCE_NO_MEMORY;
    }
    for (unsigned i = 0; i < 2 && result == SNCE_MISS; i++) {
        uint32_t ways = snceLook_Tagged(set[i], tag);

        if (ways) {
            result = FindAmong(table, probe, set[i], ways, words, spot,
                               otherAddress);
        }
    }
    return result;
}

bool
snceTable_MapPlaces(const snceTable *table, uint64_t hash)
{
    uint64_t offset[2];

    snceTable_Offsets(table, hash, offset);
    return snceRegion_Place(table->region, offset[0]) &&
           snceRegion_Place(table->region, offset[1]);
}

bool
snceTable_IsPlace(const snceTable *table, uint64_t hash, const snceSet *set)
{
    uint64_t offset[2];

    snceTable_Offsets(table, hash, offset);
    for (unsigned i = 0; i < 2; i++) {
        const uint8_t *chunk = snceMap_At(table->region->map, offset[i]);

        if (chunk && (const uint8_t *)set ==
                         chunk + (offset[i] & (SNCE_CHUNK_BYTES - 1))) {
            return true;
        }
    }
    return false;
}

bool
snceTable_IsLookedAt(const snceTable *table, uint64_t hash, const snceSet *set)
{
    snceSet *its[4];

    if (!MapAll(table, hash, its)) {
        return false;
    }
    for (unsigned i = 0; i < 4; i++) {
        if (set == its[i]) {
            return true;
        }
    }
    return false;
}

bool
snceTable_SamePlaces(const snceTable *before, const snceTable *now,
                     uint64_t hash)
{
    uint64_t was[2], is[2];

    snceTable_Pages(before, hash, was);
    snceTable_Pages(now, hash, is);
    for (unsigned i = 0; i < 2; i++) {
        if (was[i] != is[i] ||
            (snceTable_IsSplitting(now) && is[i] == snceTable_Last(now))) {
            return false;
        }
    }
    return true;
}

bool
snceTable_Entry(const snceTable *table, uint64_t index, snceSpot *spot,
                uint64_t words[SNCE_ENTRY_WORDS])
{
    snceSet *set = snceTable_Set(table, index / SNCE_WAYS);

    if (!set) {
        return false;
    }
    *spot = snceSpot_At(set, (unsigned)(index % SNCE_WAYS));
    return snceVersion_State(spot->seen) == SNCE_STATE_FULL &&
           snceTable_Read(table, spot, words) == SNCE_OK;
}

/* ---- taking out ---------------------------------------------------------- */

/* Gives a claimed slot back. */
static void
Empty(const snceTable *table, snceSet *set, unsigned way, snceVersion claim)
{
    snceTick tick = claim & SNCE_OVERRODE ? snceTick_Now(table->region) : 0;

    (void)snceSlot_Vacate(&set->version[way], claim, tick);
}

/* Wipes a claimed slot and gives it back. */
static void
Vacate(const snceTable *table, snceSet *set, unsigned way, snceVersion claim)
{
    SNCE_STEP("vacate");
    snceSlot_Wipe(set->slot[way].word, SNCE_ENTRY_WORDS);
    atomic_store_explicit(&set->stamp[way], 0, memory_order_relaxed);
    SNCE_STEP("vacate-wiped");
    Empty(table, set, way, claim);
    SNCE_STEP("vacated");
}

bool
snceTable_Take(const snceTable *table, const snceSpot *spot)
{
    snceWord *version = &spot->set->version[spot->way];
    snceVersion seen = spot->seen, claim;

    for (unsigned try = 0; try < 3; try++) { /* others may note something */
        if (snceSlot_Claim(version, &table->lot, seen, 0, &claim)) {
            Vacate(table, spot->set, spot->way, claim);
            return true;
        }
        seen = snceSlot_Version(version);
        if (!snceVersion_Same(seen, spot->seen)) {
            return false;
        }
    }
    return false;
}

bool
snceTable_IsSame(const uint64_t *a, const uint64_t *b)
{
    return memcmp(&a[SNCE_W_ID], &b[SNCE_W_ID],
                  (SNCE_W_CERTIFICATE - SNCE_W_ID) * sizeof(*a)) == 0 &&
           memcmp(&a[SNCE_W_NAME], &b[SNCE_W_NAME],
                  (SNCE_W_SUMMED - SNCE_W_NAME) * sizeof(*a)) == 0;
}

/* What a removal asks of every slot, and what it did. */
typedef struct {
    const snceTable *table;
    const snceProbe *probe;
    const uint64_t *only;
    snceTable_Gone gone;
    void *context;
    snceRemoved removed;
} removal;

typedef enum {
    IS_KEYS,     /* the session that is to go */
    IS_ANOTHERS, /* a whole entry that is not */
    IS_SPOILED   /* it fails its sum */
} belonging;

/* Judges the |words| that were copied from |spot|, a full one. An entry that fails
 * its sum was spoiled by a late writer and refers to no certificate that counts:
 * its reference is cleared. */
static belonging
Judge(const removal *r, const snceSpot *spot, uint64_t words[SNCE_ENTRY_WORDS])
{
    bool same = snceProbe_IsId(r->probe, words) &&
                snceProbe_IsAddress(r->probe, words) &&
                (!r->only || snceTable_IsSame(words, r->only));

    if (same && !words[SNCE_W_CERTIFICATE]) {
        return IS_KEYS;
    }
    if (words[SNCE_W_SUM] == snceTable_Sum(r->table, spot, spot->seen, words)) {
        return same ? IS_KEYS : IS_ANOTHERS;
    }
    words[SNCE_W_CERTIFICATE] = 0;
    return same ? IS_KEYS : IS_SPOILED;
}

/* Empties a slot that changed under every try, whatever it holds now: the key must
 * be gone when a removal returns. Nobody else's claim or entry fits the version
 * that this claim makes. */
static void
TakeWhateverIsThere(removal *r, snceSet *set, unsigned way, snceVersion last)
{
    snceVersion claim = snceVersion_Claimed(last + (UINT64_C(1) << 63),
                                            snceLot_Start(&r->table->lot), 0) |
                        SNCE_OVERRODE;
    /* Sequentially consistent: as snceSlot_Claim. */
    const snceSpot spot = { set, way,
                            atomic_exchange_explicit(&set->version[way], claim,
                                                     memory_order_seq_cst) };
    unsigned state = snceVersion_State(spot.seen);
    uint64_t words[SNCE_ENTRY_WORDS];

    if (state == SNCE_STATE_FULL) {
        LoadEntry(words, set->slot[way].word);
        r->removed.entries += Judge(r, &spot, words) == IS_KEYS;
        WipeState(words);
    }
    Vacate(r->table, set, way, claim);
    if (state == SNCE_STATE_FULL) {
        r->gone(r->context, words);
    }
    r->removed.claims += state == SNCE_STATE_BUSY;
}

/* Empties one slot if it holds the key, or may come to hold it, and counts what
 * that was. */
static void
RemoveFrom(removal *r, snceSet *set, unsigned way)
{
    uint64_t tag = snceVersion_Tag(r->probe->hash);
    snceWord *version = &set->version[way];

    for (unsigned try = 0;; try++) {
        uint64_t words[SNCE_ENTRY_WORDS];
        belonging found = IS_KEYS;
        snceVersion claim;
        /* Sequentially consistent: pairs with snceSlot_Claim and the check of
         * |source| in snceTable_Place. */
        snceVersion v = atomic_load_explicit(version, memory_order_seq_cst);
        bool full = snceVersion_Matches(v, SNCE_STATE_FULL, tag);

        if (!full && !snceVersion_Matches(v, SNCE_STATE_BUSY, tag)) {
            return;
        }
        if (try == REMOVE_TRIES) {
            TakeWhateverIsThere(r, set, way, v);
            return;
        }
        if (full) {
            const snceSpot spot = { set, way, v };

            LoadEntry(words, set->slot[way].word);
            if (!snceSlot_Unchanged(version, v)) {
                WipeState(words);
                continue;
            }
            found = Judge(r, &spot, words);
            WipeState(words);
            /* What is spoiled goes: it may be the key's, and a second late
             * writer, of the same session, would make it whole again. */
            if (found == IS_ANOTHERS) {
                return;
            }
        }
        if (snceSlot_Claim(version, &r->table->lot, v, 0, &claim)) {
            SNCE_STEP("remove-claimed");
            Vacate(r->table, set, way, claim);
            if (full) {
                r->gone(r->context, words);
            }
            r->removed.entries += full && found == IS_KEYS;
            r->removed.claims += !full;
            return;
        }
    }
}

/* Asks for the two sets of a hash: sncefind.h. */
static void
Fetch(uint64_t hash, snceSet *const set[2])
{
    snceProbePlaces at = { snceVersion_Tag(hash), { set[0], set[1] }, { 0 } };

    snceTable_BestWays(hash, at.way);
    snceProbePlaces_Fetch(&at);
}

snceRemoved
snceTable_Remove(const snceTable *table, const snceProbe *probe,
                 const snceSpot *except, const uint64_t *only,
                 snceTable_Gone gone, void *context)
{
    removal r = { table, probe, only, gone, context, { 0, 0, false } };
    snceSet *set[4];

    if (!MapAll(table, probe->hash, set)) {
        r.removed.unmapped = true;
        return r.removed;
    }
    Fetch(probe->hash, set + 2);
    for (unsigned i = 0; i < 4 * SNCE_WAYS; i++) {
        snceSet *in = set[i / SNCE_WAYS];
        unsigned way = i % SNCE_WAYS;

        if (in && (!except || except->set != in || except->way != way)) {
            RemoveFrom(&r, in, way);
        }
    }
    return r.removed;
}

unsigned
snceTable_Sweep(const snceTable *table, const snceProbe *probe,
                const snceRule *rule, snceTable_Gone gone, void *context)
{
    const snceLookTimes times = TimesOf(rule);
    unsigned swept = 0;
    snceSet *set[2];

    if (!snceTable_Sets(table, probe->hash, set)) {
        return 0;
    }
    for (unsigned i = 0; i < 2; i++) {
        for (uint32_t left = snceLook_Expired(set[i], &times); left;) {
            unsigned way = snceLook_Way(&left);
            uint64_t words[SNCE_ENTRY_WORDS];
            snceSpot spot = snceSpot_At(set[i], way);

            if (snceVersion_State(spot.seen) != SNCE_STATE_FULL) {
                continue;
            }
            if (snceTable_Read(table, &spot, words) == SNCE_OK &&
                snceRule_Expired(rule, snceTable_ClassOf(words),
                                 (int64_t)words[SNCE_W_CREATED]) &&
                snceTable_Take(table, &spot)) {
                gone(context, words);
                swept++;
            }
            WipeState(words);
        }
    }
    return swept;
}

/* ---- putting in ---------------------------------------------------------- */

/* The two sets of an ID as an insert saw them. */
typedef struct {
    snceSet *set[2];
    uint64_t tag;
    snceLook look[2];
    unsigned
        spare; /* empty slots from which on the fuller set has some to spare */
} view;

/* So many while a table grows: its sets are balanced when their pages are split. */
#define SPARE_GROWING 3
#define SPARE_GROWN 5

/* Finds the slot that has the key already. */
static bool
FindSame(const view *v, const snceProbe *probe, snceSpot *out)
{
    for (unsigned i = 0; i < 2; i++) {
        for (uint32_t left = v->look[i].tagged; left;) {
            uint64_t words[SNCE_W_STATE]; /* up to what is secret */

            *out = snceSpot_At(v->set[i], snceLook_Way(&left));
            /* Torn words at worst hide it, and then there are two, which
             * snceTable_Remove expects. */
            snceSlot_Load(words, out->set->slot[out->way].word, SNCE_W_STATE);
            if (snceVersion_Matches(out->seen, SNCE_STATE_FULL, v->tag) &&
                snceProbe_IsId(probe, words) &&
                snceProbe_IsAddress(probe, words)) {
                return true;
            }
        }
    }
    return false;
}

/* Finds a claim among the |ways| of a set that is to be taken back, and notes
 * the others as passed. Each claim is loaded before the clock is read: read
 * earlier, the clock would be behind a note that another writer makes meanwhile. */
static bool
FindAbandoned(const snceTable *table, snceSet *set, uint32_t ways,
              snceSpot *out)
{
    while (ways) {
        *out = snceSpot_At(set, snceLook_Way(&ways));
        if (snceClaim_Abandoned(&set->version[out->way], out->seen,
                                snceTick_Now(table->region))) {
            return true;
        }
    }
    return false;
}

/* The |ways| of a set, all empty, without those that have to rest. */
static uint32_t
Rested(const snceTable *table, snceSet *set, uint32_t ways, uint32_t overrode)
{
    for (overrode &= ways; overrode;) {
        snceSpot spot = snceSpot_At(set, snceLook_Way(&overrode));

        if (!snceSlot_Rested(spot.seen, snceTick_Now(table->region))) {
            ways &= ~(UINT32_C(1) << spot.way);
        }
    }
    return ways;
}

/* Is the best way of a set among the |empty| ones? */
static bool
BestIsFree(const view *v, const unsigned best[2], unsigned which,
           uint32_t empty, snceSpot *out)
{
    *out = snceSpot_At(v->set[which], best[which]);
    return empty >> out->way & 1;
}

/* Finds an empty slot: that at the best way of the set that has more of them;
 * that of the other set if it has some to spare; else in the set that has more,
 * the next one round its hand. So 90 % of the sessions lie at a best way in a
 * cache that is 60 % full, 68 % in a full one. */
static bool
FindEmpty(const view *v, uint64_t hash, const uint32_t empty[2], snceSpot *out)
{
    const unsigned number[2] = { snceLook_Number(empty[0], 0),
                                 snceLook_Number(empty[1], 0) };
    unsigned better = number[1] > number[0], best[2], unused;
    uint32_t ways = empty[better], ahead;

    if (!ways) {
        return false;
    }
    snceTable_BestWays(hash, best);
    if (BestIsFree(v, best, better, ways, out) ||
        (number[!better] >= v->spare &&
         BestIsFree(v, best, !better, empty[!better], out))) {
        return true;
    }
    ahead = ways & (SNCE_ALL_WAYS << snceLook_Hand(v->set[better], &unused));
    *out = snceSpot_At(v->set[better], snceLook_Way(ahead ? &ahead : &ways));
    return true;
}

/* Finds a slot that holds no entry: one whose writer died; else an empty one. */
static bool
FindFree(const snceTable *table, const view *v, uint64_t hash, snceSpot *out,
         bool *reclaimed)
{
    uint32_t empty[2], overrode[2];

    if (v->look[0].full == SNCE_ALL_WAYS && v->look[1].full == SNCE_ALL_WAYS) {
        return false;
    }
    for (unsigned i = 0; i < 2; i++) {
        empty[i] = SNCE_ALL_WAYS & ~(v->look[i].full | v->look[i].busy);
        overrode[i] = empty[i] & v->look[i].visited;
    }
    if (SNCE_RARELY(v->look[0].busy | v->look[1].busy | overrode[0] |
                    overrode[1])) {
        for (unsigned i = 0; i < 2; i++) {
            if (FindAbandoned(table, v->set[i], v->look[i].busy, out)) {
                *reclaimed = true;
                return true;
            }
            empty[i] = Rested(table, v->set[i], empty[i], overrode[i]);
        }
    }
    return FindEmpty(v, hash, empty, out);
}

/* Finds an empty slot that has yet to rest, where there is nothing else. */
static bool
FindResting(const view *v, uint64_t hash, snceSpot *out)
{
    uint32_t empty[2];

    for (unsigned i = 0; i < 2; i++) {
        empty[i] = SNCE_ALL_WAYS & ~(v->look[i].full | v->look[i].busy);
    }
    return FindEmpty(v, hash, empty, out);
}

/* Finds a claim to take back at once, where both sets hold nothing else: without
 * that, so many deaths would stop all inserts there until the patience with one of
 * them is over. It is the next claim round the hand, so that each is overridden
 * in its turn. */
static bool
FindAmongClaims(const view *v, snceSpot *out)
{
    unsigned unused;

    if ((v->look[0].busy & v->look[1].busy) != SNCE_ALL_WAYS) {
        return false;
    }
    *out = snceSpot_At(v->set[0], snceLook_Hand(v->set[0], &unused));
    return true;
}

/* Makes and keeps the order of a set none of whose sessions expires for |left|
 * seconds. */
static snceOrder
Rank(snceSet *set, const snceWhen *when, uint32_t left)
{
    unsigned unused, hand = snceLook_Hand(set, &unused);
    snceOrder order = snceOrder_Make(snceLook_Ranked(set, hand, when->nowSec),
                                     unused, when->base, left);

    /* Relaxed: a hint. */
    atomic_store_explicit(&set->order, order, memory_order_relaxed);
    return order;
}

snceOrder
snceTable_Rank(snceSet *set, snceOrder order, const snceWhen *when)
{
    return Rank(set, when, snceOrder_Left(order, when->base));
}

/* Weighs one of the two sets. Returns those of the |full| ways that have expired, or
 * that lookups refuse because they lie too far ahead of the clock; while there are
 * any, the order is stale at once. */
static uint32_t
Weigh(snceSet *set, uint32_t full, const snceRule *rule)
{
    const snceLookTimes times = TimesOf(rule);
    const snceWhen when = snceWhen_Of(rule);
    uint32_t expired = full & snceLook_Expired(set, &times);

    (void)Rank(set, &when, expired ? 0 : snceLook_Left(set, full, &times));
    return expired;
}

bool
snceTable_FindAnyVictim(snceSet *const set[2], const snceOrder order[2],
                        unsigned used, uint64_t hash, const snceWhen *when,
                        snceVictim *out)
{
    snceOrder first = order[0], second = order[1];
    snceVersion seen[2] = { 0, 0 };
    unsigned way[2];
    bool other;

    if (snceTable_EvictsUnused(2 * SNCE_WAYS - used, 2 * SNCE_WAYS)) {
        way[0] = snceTable_FindUnused(set[0], &first, &seen[0]);
        way[1] = snceTable_FindUnused(set[1], &second, &seen[1]);
        if (way[0] == SNCE_WAYS) {
            other = true;
        } else if (way[1] == SNCE_WAYS) {
            other = false;
        } else {
            uint32_t later = (snceLook_StampOf(set[0], way[0]) -
                              snceLook_StampOf(set[1], way[1])) &
                             SNCE_AGE_MAX;

            other = later == 0 ? snceTable_PrefersSecond(hash)
                               : later < SNCE_HALF_A_TURN;
        }
    } else {
        uint32_t idle[2];

        way[0] =
            snceTable_FindIdlestIn(set[0], &first, when, &seen[0], &idle[0]);
        way[1] =
            snceTable_FindIdlestIn(set[1], &second, when, &seen[1], &idle[1]);
        other = snceTable_Longer(idle, hash);
    }
    out->set = set[other];
    out->way = way[other];
    out->seen = seen[other];
    out->order = other ? second : first;
    if (out->way >= SNCE_WAYS ||
        snceVersion_State(out->seen) != SNCE_STATE_FULL ||
        snceTable_IsAhead(out->set, out->order, when->nowSec)) {
        return false;
    }
    out->order = snceOrder_Stored(out->order, out->way);
    return true;
}

/* Finds the one of the |ways| that has been idle longest, and for how long. */
static unsigned
FindIdlestOf(snceSet *set, uint32_t ways, uint32_t nowSec, uint32_t *idle)
{
    unsigned found = SNCE_WAYS;

    for (*idle = 0; ways;) {
        unsigned way = snceLook_Way(&ways);
        uint32_t its = snceLook_Idle(snceSlot_Version(&set->version[way]),
                                     snceLook_StampOf(set, way), nowSec);

        if (its > *idle) {
            *idle = its;
            found = way;
        }
    }
    return found;
}

/* Chooses the session to evict: one that has expired, or lies too far ahead of the
 * clock; else, while those that nobody looked up since they were stored take two
 * fifths of the room or more, the one of them that was stored first; else the one
 * that has been idle longest. So a flood of clients that come once evicts itself,
 * and otherwise this is LRU. An entry that was looked up once is not kept for ever:
 * where clients come in bursts, sets full of such entries lost 9.8 points of the
 * hit ratio to LRU.
 *
 * Times are seconds. Of those that have been idle as long, the first one round the
 * hand of its set goes, which moves on with every entry that is stored: so they
 * go in the order in which they came. */
static bool
FindVictim(const view *v, const snceRule *rule, uint64_t hash, snceSpot *out)
{
    const snceWhen when = snceWhen_Of(rule);
    uint32_t ways[2], unused[2], expired[2] = { 0, 0 }, time[2];
    unsigned way[2], which;
    snceOrder order;

    for (unsigned i = 0; i < 2; i++) {
        ways[i] = v->look[i].full;
        unused[i] = ways[i] & ~v->look[i].visited;
        order = atomic_load_explicit(&v->set[i]->order, memory_order_relaxed);
        if (!snceOrder_IsFresh(order, when.base) ||
            snceTable_IsAhead(v->set[i], order, when.nowSec)) {
            expired[i] = Weigh(v->set[i], ways[i], rule);
        }
    }
    if (expired[0] | expired[1]) {
        ways[0] = expired[0];
        ways[1] = expired[1];
    } else if (snceTable_EvictsUnused(snceLook_Number(unused[0], unused[1]),
                                      snceLook_Number(ways[0], ways[1]))) {
        ways[0] = unused[0];
        ways[1] = unused[1];
    }
    way[0] = FindIdlestOf(v->set[0], ways[0], when.nowSec, &time[0]);
    way[1] = FindIdlestOf(v->set[1], ways[1], when.nowSec, &time[1]);
    if ((time[0] | time[1]) == 0) {
        return false;
    }
    which = snceTable_Longer(time, hash);
    *out = snceSpot_At(v->set[which], way[which]);
    return true;
}

/* The same for an entry that is |carried| from another table: the oldest of those
 * that are older than it. */
static bool
FindOlder(const view *v, uint64_t hash, const uint64_t *carried, snceSpot *out)
{
    const uint32_t sec = snceSeconds((int64_t)carried[SNCE_W_CREATED]);
    uint32_t ways[2], age[2];
    unsigned which;

    for (unsigned i = 0; i < 2; i++) {
        ways[i] =
            snceLook_OldestBefore(v->set[i], v->look[i].full, sec, &age[i]);
    }
    which = snceTable_Longer(age, hash);
    if (!ways[which]) {
        return false;
    }
    *out = snceSpot_At(v->set[which], snceLook_Way(&ways[which]));
    return true;
}

/* What a slot is claimed for, or why none is. */
typedef enum {
    CLAIM_EMPTY = SNCE_STATE_EMPTY, /* it holds nothing */
    CLAIM_FULL = SNCE_STATE_FULL,   /* its session is evicted or replaced */
    CLAIM_BUSY = SNCE_STATE_BUSY,   /* its writer died (rule 5) */
    CLAIM_NONE,                     /* all are younger, and stay */
    CLAIM_EXISTS                    /* the carried session is there */
} purpose;

/* Looks at both sets of |v| and chooses a slot. For an entry that is |carried| from another
 * table, only an empty one, or one that holds an older entry. */
static purpose
Choose(const snceTable *table, view *v, const snceProbe *probe,
       const snceRule *rule, const uint64_t *carried, snceSpot *out)
{
    uint64_t hash = probe->hash;
    bool reclaimed = false;

    v->look[0] = snceLook_At(v->set[0], v->tag);
    v->look[1] = snceLook_At(v->set[1], v->tag);
    if (FindSame(v, probe, out)) {
        return carried ? CLAIM_EXISTS : CLAIM_FULL;
    }
    if (FindFree(table, v, hash, out, &reclaimed)) {
        return reclaimed ? CLAIM_BUSY : CLAIM_EMPTY;
    }
    if (carried ? FindOlder(v, hash, carried, out)
                : FindVictim(v, rule, hash, out)) {
        return CLAIM_FULL;
    }
    if (FindResting(v, hash, out)) {
        return CLAIM_EMPTY;
    }
    return FindAmongClaims(v, out) ? CLAIM_BUSY : CLAIM_NONE;
}

void
snceTable_NoteTaken(const snceTable *table, const snceSpot *spot,
                    const snceRule *rule, snceTaken *taken)
{
    uint64_t words[SNCE_ENTRY_WORDS];

    LoadEntry(words, spot->set->slot[spot->way].word);
    taken->full = true;
    taken->expired = snceRule_Expired(rule, snceTable_ClassOf(words),
                                      (int64_t)words[SNCE_W_CREATED]);
    if (words[SNCE_W_CERTIFICATE] &&
        words[SNCE_W_SUM] == snceTable_Sum(table, spot, spot->seen, words)) {
        taken->certificate = words[SNCE_W_CERTIFICATE];
    }
    WipeState(words);
}

/* A writer whose claim was overridden may have stored secrets into a slot that
 * is nobody's since, or another's, whose entry it then spoiled: nobody else
 * would wipe them. Nor would who has wiped these words already, and is about to
 * empty the slot; and what is being written may be spoiled as well, which is the
 * other writer's loss. Returns whether an entry went, which was counted. */
bool
snceTable_CleanUp(const snceTable *table, const snceSpot *lost)
{
    for (unsigned try = 0; try < CLEAN_TRIES; try++) {
        snceSpot spot = snceSpot_At(lost->set, lost->way);
        bool full = snceVersion_State(spot.seen) == SNCE_STATE_FULL;

        if (full) {
            uint64_t words[SNCE_ENTRY_WORDS];
            snceResult result = snceTable_Read(table, &spot, words);

            WipeState(words);
            if (result == SNCE_OK) {
                return false;
            }
        }
        if (snceTable_Take(table, &spot)) {
            return full;
        }
    }
    return false;
}

/* Gives a claimed slot back, of an entry whose |source| has gone. A remover may have
 * overridden this claim already, and somebody else have stored an entry there: nothing
 * is wiped that was not there before. */
static void
Abandon(const snceTable *table, const snceSpot *spot, snceVersion claim)
{
    if (snceVersion_State(spot->seen) == SNCE_STATE_EMPTY) {
        Empty(table, spot->set, spot->way, claim);
    } else {
        Vacate(table, spot->set, spot->way, claim);
    }
}

/* Is it time for a table that may grow to do so? */
static bool
IsCrowded(const snceTable *table, const view *v)
{
    unsigned most = 0;

    if (snceTable_IsGrown(table)) {
        return false;
    }
    for (unsigned i = 0; i < 2; i++) {
        unsigned empty = snceLook_Number(
            SNCE_ALL_WAYS & ~(v->look[i].full | v->look[i].busy), 0);

        most = empty > most ? empty : most;
    }
    return most <= CROWDED;
}

/* May another slot of the two sets come to have the same key? */
static bool
IsDoubled(const view *v, const snceSpot *spot)
{
    for (unsigned i = 0; i < 2; i++) {
        uint32_t ways = v->look[i].tagged | v->look[i].busy;

        if (v->set[i] == spot->set) {
            ways &= ~(UINT32_C(1) << spot->way);
        }
        if (ways) {
            return true;
        }
    }
    return false;
}

/* Is the entry that is carried still where it was read? */
static bool
Stands(const snceSource *source)
{
    const snceSpot *spot = &source->spot;
    snceVersion now = atomic_load_explicit(&spot->set->version[spot->way],
                                           memory_order_seq_cst);

    return snceVersion_Same(now, spot->seen) &&
           (!source->size ||
            atomic_load_explicit(source->size, memory_order_seq_cst) ==
                source->seen);
}

snceResult
snceTable_Place(const snceTable *table, snceSet *const set[2],
                const snceProbe *probe, const snceRule *rule,
                const uint64_t *words, const uint8_t state[SNCE_STATE_BYTES],
                const snceSource *source, snceSpot *spot, snceTaken *taken)
{
    const snceWhen when = snceWhen_Of(rule);
    purpose claimed = CLAIM_NONE;
    snceVersion claim = 0;
    snceOrder order;
    view v = { { set[0], set[1] },
               snceVersion_Tag(probe->hash),
               { { 0 } },
               snceTable_IsGrown(table) ? SPARE_GROWN : SPARE_GROWING };

    memset(taken, 0, sizeof(*taken));
    for (unsigned try = 0; claimed == CLAIM_NONE; try++) {
        purpose wanted;

        if (try == PLACE_TRIES) {
            return SNCE_DROPPED;
        }
        wanted = Choose(table, &v, probe, rule, source ? words : NULL, spot);
        if (wanted == CLAIM_NONE) {
            return source ? SNCE_FULL : SNCE_DROPPED;
        }
        if (wanted == CLAIM_EXISTS) {
            return SNCE_EXISTS;
        }
        /* It may have changed since the look: that is a race lost, too. */
        if (snceVersion_State(spot->seen) == wanted &&
            snceSlot_Claim(&spot->set->version[spot->way], &table->lot,
                           spot->seen, snceVersion_Tag(probe->hash), &claim)) {
            claimed = wanted;
        }
    }
    SNCE_STEP("place-claimed");
    taken->crowded = IsCrowded(table, &v);
    taken->doubled = IsDoubled(&v, spot);
    taken->reclaimed = claimed == CLAIM_BUSY;
    if (claimed == CLAIM_FULL) {
        snceTable_NoteTaken(table, spot, rule, taken);
    }

    /* Carrying an entry from one place to another: somebody may be removing it.
     * Either this sees that, or the remover, who looks here after he looked there,
     * sees the claim and overrides it: both loads and both claims are sequentially
     * consistent. */
    if (source && !Stands(source)) {
        Abandon(table, spot, claim);
        return SNCE_DROPPED;
    }
    order = atomic_load_explicit(&spot->set->order, memory_order_relaxed);
    /* One that is stale is made anew before it is used. */
    order = order & SNCE_LIFE_MASK ? snceOrder_Stored(order, spot->way) : 0;
    if (!snceTable_Fill(table, spot, claim, probe->sum,
                        (const uint8_t *)probe->id, words, state, rule, &when,
                        order)) {
        taken->spoiled = snceTable_CleanUp(table, spot);
        return SNCE_DROPPED;
    }
    if (source && source->spot.seen & SNCE_VISITED) {
        snceTable_Use(spot, words, (snceTime){ (int64_t)words[SNCE_W_ACCESS] });
    }
    return SNCE_OK;
}
