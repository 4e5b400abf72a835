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

/* A table has one slot more for each so many entries. With two sets to choose from,
 * an eighth more slots keep 99.83 % of a full cache, at 100,000 entries and at
 * 1,000,000 (G10 asks for 99.5 %); they cost 26 bytes a session. */
#define SPARE 8

/* A table grows when the emptier set of an insert has at most this many empty slots.
 * With three, the table is 49 to 54 % full while it grows, and one of some ten
 * million sessions finds both sets full before the table has all its pages. With two,
 * 300 of a million do; with four, the table takes more than twice the memory of a
 * full one. */
#define CROWDED 3

/* ---- where things lie ---------------------------------------------------- */

/* Small caches get some more sets, because their sets fill less evenly; those below
 * 200 entries get most for their size, because there one lost session is more than
 * 0.5 %. In 20,000 trials each, caches of 100, 128, 150, 180 and 199 entries lost no
 * session. */
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
    /* One second more, because stamps are rounded down. */
    snceLookTimes times = { snceSeconds(rule->now.usec),
                            { rule->timeoutSec[0], rule->timeoutSec[1] },
                            1 + (rule->skewSec ? snceRule_SkewSec(rule->skewSec)
                                               : 0) };

    return times;
}

/* ---- finding ------------------------------------------------------------- */

/* Wipes the part of a copy that is secret. */
static void
WipeState(uint64_t words[SNCE_ENTRY_WORDS])
{
    snceWord_Wipe(&words[SNCE_W_STATE], SNCE_STATE_BYTES / 8);
}

/* Looks for the key at the |ways| of |set|, and loads each version anew. Wipes the
 * state of every entry that is not the answer from |words|. */
static snceResult
FindAmong(const snceTable *table, const snceLookupKey *lookupKey, snceSet *set,
          uint32_t ways, uint64_t words[SNCE_ENTRY_WORDS],
          sncePosition *position, bool *otherAddress)
{
    while (ways) {
        snceResult result;

        *position = sncePosition_At(set, snceLook_Way(&ways));
        result = snceTable_ReadMatching(table, lookupKey, words, position);
        if (result == SNCE_OK && snceLookupKey_IsAddress(lookupKey, words)) {
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

/* Finds the sets of a page that is being split in which the session of |hash| may
 * still lie; NULL for none. Lookups look there first, so that they find a session
 * that is moved meanwhile in one place or the other. False if this process cannot map
 * one. */
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

/* Finds all sets in which the session may lie: those of MapOld, which may be NULL,
 * then its own two. */
static bool
MapAll(const snceTable *table, uint64_t hash, snceSet *set[4])
{
    return MapOld(table, hash, set) && snceTable_Sets(table, hash, set + 2);
}

/* snceTable_Find in a page that is being split. */
static __attribute__((noinline)) snceResult
FindInOld(const snceTable *table, const snceLookupKey *lookupKey,
          uint64_t words[SNCE_ENTRY_WORDS], sncePosition *position,
          bool *otherAddress)
{
    uint64_t tag = snceVersion_Tag(lookupKey->hash);
    snceResult result = SNCE_MISS;
    snceSet *set[2];

    if (!MapOld(table, lookupKey->hash, set)) {
        return SNCE_NO_MEMORY;
    }
    for (unsigned i = 0; i < 2 && result == SNCE_MISS; i++) {
        if (set[i]) {
            result = FindAmong(table, lookupKey, set[i],
                               snceLook_Tagged(set[i], tag), words, position,
                               otherAddress);
        }
    }
    return result;
}

snceResult
snceTable_Find(const snceTable *table, const snceLookupKey *lookupKey,
               uint64_t words[SNCE_ENTRY_WORDS], sncePosition *position,
               bool *otherAddress)
{
    uint64_t tag = snceVersion_Tag(lookupKey->hash);
    snceResult result = SNCE_MISS;
    snceSet *set[2];

    *otherAddress = false;
    if (SNCE_RARELY(snceTable_IsSplitting(table))) {
        result = FindInOld(table, lookupKey, words, position, otherAddress);
    }
    if (result == SNCE_MISS && !snceTable_Sets(table, lookupKey->hash, set)) {
        result = SNCE_NO_MEMORY;
    }
    for (unsigned i = 0; i < 2 && result == SNCE_MISS; i++) {
        uint32_t ways = snceLook_Tagged(set[i], tag);

        if (ways) {
            result = FindAmong(table, lookupKey, set[i], ways, words, position,
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
snceTable_Entry(const snceTable *table, uint64_t index, sncePosition *position,
                uint64_t words[SNCE_ENTRY_WORDS])
{
    snceSet *set = snceTable_Set(table, index / SNCE_WAYS);

    if (!set) {
        return false;
    }
    *position = sncePosition_At(set, (unsigned)(index % SNCE_WAYS));
    return snceVersion_State(position->seen) == SNCE_STATE_FULL &&
           snceTable_Read(table, position, words) == SNCE_OK;
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
snceTable_Take(const snceTable *table, const sncePosition *position)
{
    snceWord *version = &position->set->version[position->way];
    snceVersion seen = position->seen, claim;

    for (unsigned try = 0; try < 3; try++) { /* a lookup may note its use */
        if (snceSlot_Claim(version, &table->epoch, seen, 0, &claim)) {
            Vacate(table, position->set, position->way, claim);
            return true;
        }
        seen = snceSlot_Version(version);
        if (!snceVersion_Same(seen, position->seen)) {
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

/* The arguments of a removal, and its result so far. */
typedef struct {
    const snceTable *table;
    const snceLookupKey *lookupKey;
    const uint64_t *only;
    snceTable_Gone gone;
    void *context;
    snceRemoved removed;
} removal;

/* What a removal finds in a slot. */
typedef enum {
    HAS_NOTHING, /* to do with the key: no entry, and no insert of its tag */
    HAS_OTHER,   /* the whole entry of another session with the same tag */
    HAS_SESSION, /* the session that is to go */
    HAS_SPOILED, /* an entry that a late writer spoiled: it may be the session */
    HAS_CLAIM,   /* an unfinished insert, which may be of the session */
    HAS_CHANGED  /* another process changed the slot during the look */
} finding;

/* Judges the |words| that were copied from |position|, a full slot. A spoiled entry
 * refers to no certificate that counts: its reference is cleared. */
static finding
Judge(const removal *r, const sncePosition *position,
      uint64_t words[SNCE_ENTRY_WORDS])
{
    bool same = snceLookupKey_IsId(r->lookupKey, words) &&
                snceLookupKey_IsAddress(r->lookupKey, words) &&
                (!r->only || snceTable_IsSame(words, r->only));

    if (same && !words[SNCE_W_CERTIFICATE]) {
        return HAS_SESSION; /* the checksum would decide nothing */
    }
    if (words[SNCE_W_SUM] ==
        snceTable_Sum(r->table, position, position->seen, words)) {
        return same ? HAS_SESSION : HAS_OTHER;
    }
    words[SNCE_W_CERTIFICATE] = 0;
    if (same) {
        return HAS_SESSION;
    }
    return snceTable_IsNamed(r->table) ? HAS_SPOILED : HAS_OTHER;
}

/* Looks at a slot. |position->seen| becomes its version, and |words| the words of its
 * entry, without the state, if it has one. */
static finding
Examine(const removal *r, sncePosition *position,
        uint64_t words[SNCE_ENTRY_WORDS])
{
    uint64_t tag = snceVersion_Tag(r->lookupKey->hash);
    snceWord *version = &position->set->version[position->way];
    finding found = HAS_CHANGED;

    /* Sequentially consistent: pairs with snceSlot_Claim and the check of |source| in
     * snceTable_Place. */
    position->seen = atomic_load_explicit(version, memory_order_seq_cst);
    if (snceVersion_Matches(position->seen, SNCE_STATE_BUSY, tag)) {
        return HAS_CLAIM;
    }
    if (!snceVersion_Matches(position->seen, SNCE_STATE_FULL, tag)) {
        return HAS_NOTHING;
    }
    snceTable_Load(words, position->set->slot[position->way].word);
    if (snceSlot_Unchanged(version, position->seen)) {
        found = Judge(r, position, words);
    }
    WipeState(words);
    return found;
}

/* Counts what was |found| in a slot that the removal has emptied. */
static void
NoteRemoved(removal *r, finding found, const uint64_t *words)
{
    if (found == HAS_CLAIM) {
        r->removed.claims++;
    } else if (found != HAS_NOTHING) {
        r->gone(r->context, words);
        r->removed.entries += found == HAS_SESSION;
    }
}

/* Empties a slot that changed under every try, whatever it holds by now: the key must
 * be gone when a removal returns. No other process's claim or entry fits the version
 * that this claim makes. */
static void
Seize(removal *r, sncePosition *position)
{
    snceWord *version = &position->set->version[position->way];
    snceVersion claim =
        snceVersion_Claimed(position->seen + (UINT64_C(1) << 63),
                            snceEpoch_Start(&r->table->epoch), 0) |
        SNCE_OVERRODE;
    uint64_t words[SNCE_ENTRY_WORDS];
    finding found = HAS_NOTHING;

    /* Sequentially consistent: as snceSlot_Claim. */
    position->seen =
        atomic_exchange_explicit(version, claim, memory_order_seq_cst);
    if (snceVersion_State(position->seen) == SNCE_STATE_BUSY) {
        found = HAS_CLAIM;
    } else if (snceVersion_State(position->seen) == SNCE_STATE_FULL) {
        snceTable_Load(words, position->set->slot[position->way].word);
        found = Judge(r, position, words);
        WipeState(words);
    }
    Vacate(r->table, position->set, position->way, claim);
    NoteRemoved(r, found, words);
}

/* Empties one slot if it holds the key, or may come to hold it. A spoiled entry goes
 * as well: a second late writer, of the same session, would make it whole again. */
static void
RemoveAt(removal *r, snceSet *set, unsigned way)
{
    sncePosition position = { set, way, 0 };

    for (unsigned try = 0;; try++) {
        uint64_t words[SNCE_ENTRY_WORDS];
        finding found = Examine(r, &position, words);
        snceVersion claim;

        if (found == HAS_NOTHING || found == HAS_OTHER) {
            return;
        }
        if (try == REMOVE_TRIES) {
            Seize(r, &position);
            return;
        }
        if (found != HAS_CHANGED &&
            snceSlot_Claim(&set->version[way], &r->table->epoch, position.seen,
                           0, &claim)) {
            SNCE_STEP("remove-claimed");
            Vacate(r->table, set, way, claim);
            NoteRemoved(r, found, words);
            return;
        }
    }
}

/* Asks the memory for the two sets of a hash (sncefind.h). */
static void
Fetch(uint64_t hash, snceSet *const set[2])
{
    snceLookupPlaces at = { snceVersion_Tag(hash), { set[0], set[1] }, { 0 } };

    snceTable_BestWays(hash, at.way);
    snceLookupPlaces_Fetch(&at);
}

snceRemoved
snceTable_Remove(const snceTable *table, const snceLookupKey *lookupKey,
                 const sncePosition *except, const uint64_t *only,
                 snceTable_Gone gone, void *context)
{
    removal r = { table, lookupKey, only, gone, context, { 0, 0, false } };
    snceSet *set[4];

    if (!MapAll(table, lookupKey->hash, set)) {
        r.removed.unmapped = true;
        return r.removed;
    }
    Fetch(lookupKey->hash, set + 2);
    for (unsigned i = 0; i < 4 * SNCE_WAYS; i++) {
        snceSet *in = set[i / SNCE_WAYS];
        unsigned way = i % SNCE_WAYS;

        if (in && (!except || except->set != in || except->way != way)) {
            RemoveAt(&r, in, way);
        }
    }
    return r.removed;
}

unsigned
snceTable_Sweep(const snceTable *table, const snceLookupKey *lookupKey,
                const snceRule *rule, snceTable_Gone gone, void *context)
{
    const snceLookTimes times = TimesOf(rule);
    unsigned swept = 0;
    snceSet *set[2];

    if (!snceTable_Sets(table, lookupKey->hash, set)) {
        return 0;
    }
    for (unsigned i = 0; i < 2; i++) {
        for (uint32_t left = snceLook_Expired(set[i], &times); left;) {
            unsigned way = snceLook_Way(&left);
            uint64_t words[SNCE_ENTRY_WORDS];
            sncePosition position = sncePosition_At(set[i], way);

            if (snceVersion_State(position.seen) != SNCE_STATE_FULL) {
                continue;
            }
            if (snceTable_Read(table, &position, words) == SNCE_OK &&
                snceRule_Expired(rule, snceTable_ClassOf(words),
                                 (int64_t)words[SNCE_W_CREATED]) &&
                snceTable_Take(table, &position)) {
                gone(context, words);
                swept++;
            }
            WipeState(words);
        }
    }
    return swept;
}

/* ---- putting in ---------------------------------------------------------- */

/* The fuller of two sets has slots to spare if it has at least this many empty ones.
 * Fewer are enough while a table grows: its sets stay balanced because their pages
 * are split. */
#define SPARE_GROWING 3
#define SPARE_GROWN 5

/* An insert, and the two sets of its session as it saw them. */
typedef struct {
    const snceTable *table;
    const snceLookupKey *lookupKey;
    const snceRule *rule;
    const uint64_t
        *carried; /* the words of an entry of another table; or NULL */
    snceSet *set[2];
    snceLook look[2];
    unsigned spare;
} view;

/* The empty slots of one of the two sets, as a mask of ways. */
static uint32_t
EmptyWays(const view *v, unsigned which)
{
    return SNCE_ALL_WAYS & ~(v->look[which].full | v->look[which].busy);
}

/* Finds the slot that has the key already. */
static bool
FindSame(const view *v, sncePosition *out)
{
    uint64_t tag = snceVersion_Tag(v->lookupKey->hash);

    for (unsigned i = 0; i < 2; i++) {
        for (uint32_t left = v->look[i].tagged; left;) {
            uint64_t words[SNCE_W_STATE]; /* up to what is secret */

            *out = sncePosition_At(v->set[i], snceLook_Way(&left));
            /* Torn words at worst hide the entry. Then the key lies in two slots,
             * which snceTable_Remove allows for. */
            snceSlot_Load(words, out->set->slot[out->way].word, SNCE_W_STATE);
            if (snceVersion_Matches(out->seen, SNCE_STATE_FULL, tag) &&
                snceLookupKey_IsId(v->lookupKey, words) &&
                snceLookupKey_IsAddress(v->lookupKey, words)) {
                return true;
            }
        }
    }
    return false;
}

/* Finds a claim that is to be taken back, because its writer died (rule 5), and notes
 * the others as passed. Each claim is loaded before the clock is read: read earlier,
 * the clock would be behind a note that another writer makes meanwhile. */
static bool
FindAbandoned(const view *v, sncePosition *out)
{
    for (unsigned i = 0; i < 2; i++) {
        for (uint32_t ways = v->look[i].busy; ways;) {
            *out = sncePosition_At(v->set[i], snceLook_Way(&ways));
            if (snceClaim_Abandoned(&out->set->version[out->way], out->seen,
                                    snceTick_Now(v->table->region))) {
                return true;
            }
        }
    }
    return false;
}

/* Those of them that need not rest. */
static uint32_t
RestedWays(const view *v, unsigned which)
{
    uint32_t ways = EmptyWays(v, which);

    for (uint32_t overrode = ways & v->look[which].visited; overrode;) {
        sncePosition position =
            sncePosition_At(v->set[which], snceLook_Way(&overrode));

        if (!snceSlot_Rested(position.seen, snceTick_Now(v->table->region))) {
            ways &= ~(UINT32_C(1) << position.way);
        }
    }
    return ways;
}

/* Is the best way of a set among the |empty| ones? */
static bool
BestIsFree(const view *v, const unsigned best[2], unsigned which,
           uint32_t empty, sncePosition *out)
{
    *out = sncePosition_At(v->set[which], best[which]);
    return empty >> out->way & 1;
}

/* Finds one of the |empty| slots. In this order: the best way of the set that has
 * more of them; the best way of the other set, if that has slots to spare; in the set
 * that has more, the next one round its hand. So 80 % of the sessions lie at a best
 * way in a cache that is 60 % full, 63 % in a full one. */
static bool
FindEmpty(const view *v, const uint32_t empty[2], sncePosition *out)
{
    const unsigned number[2] = { snceLook_Number(empty[0], 0),
                                 snceLook_Number(empty[1], 0) };
    unsigned better = number[1] > number[0], best[2], unused;
    uint32_t ways = empty[better], ahead;

    if (!ways) {
        return false;
    }
    snceTable_BestWays(v->lookupKey->hash, best);
    if (BestIsFree(v, best, better, ways, out) ||
        (number[!better] >= v->spare &&
         BestIsFree(v, best, !better, empty[!better], out))) {
        return true;
    }
    ahead = ways & (SNCE_ALL_WAYS << snceLook_Hand(v->set[better], &unused));
    *out =
        sncePosition_At(v->set[better], snceLook_Way(ahead ? &ahead : &ways));
    return true;
}

/* Finds an empty slot that need not rest. */
static bool
FindRested(const view *v, sncePosition *out)
{
    const uint32_t empty[2] = { RestedWays(v, 0), RestedWays(v, 1) };

    return FindEmpty(v, empty, out);
}

/* Finds an empty slot that has yet to rest. */
static bool
FindResting(const view *v, sncePosition *out)
{
    const uint32_t empty[2] = { EmptyWays(v, 0), EmptyWays(v, 1) };

    return FindEmpty(v, empty, out);
}

/* Finds a claim to override at once, if both sets hold nothing but claims. Otherwise
 * these deaths would stop all inserts there until a writer's time is over (rule 5).
 * Takes the next claim round the hand, so that each is overridden in turn. */
static bool
FindAmongClaims(const view *v, sncePosition *out)
{
    unsigned unused;

    if ((v->look[0].busy & v->look[1].busy) != SNCE_ALL_WAYS) {
        return false;
    }
    *out = sncePosition_At(v->set[0], snceLook_Hand(v->set[0], &unused));
    return true;
}

/* Makes the order word of a set and stores it. None of the set's sessions expires for
 * |left| seconds. */
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

/* Ranks the sessions of one of the two sets. Returns those of the |full| ways that
 * have expired, or that lookups refuse because they lie too far ahead of the clock;
 * while there are any, the order word is stale at once. */
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
                        uint64_t hash, const snceWhen *when, snceVictim *out)
{
    snceOrder first = order[0], second = order[1];
    snceVersion seen[2] = { 0, 0 };
    unsigned way[2];
    bool other;

    if (snceTable_EvictsUnused(2 * SNCE_WAYS - snceLook_Used(set),
                               2 * SNCE_WAYS)) {
        way[0] = snceTable_FindUnused(set[0], &first, &seen[0]);
        way[1] = snceTable_FindUnused(set[1], &second, &seen[1]);
        if (way[0] == SNCE_WAYS) {
            other = true;
        } else if (way[1] == SNCE_WAYS) {
            other = false;
        } else {
            const uint32_t stamps[2] = { snceLook_StampOf(set[0], way[0]),
                                         snceLook_StampOf(set[1], way[1]) };

            other = snceTable_SecondIsFirst(stamps, hash);
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

/* Chooses the session to evict. In this order: one that has expired, or lies too far
 * ahead of the clock; while unused sessions (those that no lookup found since they
 * were stored) take two fifths of the room or more, the oldest of these; the session
 * that has been idle longest. So a flood of clients that come once evicts itself, and
 * otherwise this is LRU. A session that was used once is not kept for ever: where
 * clients come in bursts, sets full of such sessions lost 9.8 points of the hit ratio
 * to LRU.
 *
 * Times are in seconds. Of sessions that have been idle equally long, the next one
 * round the hand of its set goes. The hand moves on with every entry that is stored,
 * so they go in the order in which they came. */
static bool
FindVictim(const view *v, sncePosition *out)
{
    const snceWhen when = snceWhen_Of(v->rule);
    uint32_t ways[2], unused[2], expired[2] = { 0, 0 }, time[2];
    unsigned way[2], which;
    snceOrder order;

    for (unsigned i = 0; i < 2; i++) {
        ways[i] = v->look[i].full;
        unused[i] = ways[i] & ~v->look[i].visited;
        order = atomic_load_explicit(&v->set[i]->order, memory_order_relaxed);
        if (!snceOrder_IsFresh(order, when.base) ||
            snceTable_IsAhead(v->set[i], order, when.nowSec)) {
            expired[i] = Weigh(v->set[i], ways[i], v->rule);
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
    which = snceTable_Longer(time, v->lookupKey->hash);
    *out = sncePosition_At(v->set[which], way[which]);
    return true;
}

/* The same for an entry that is carried from another table: the oldest of those
 * that are older than it. */
static bool
FindOlder(const view *v, sncePosition *out)
{
    const uint32_t sec = snceSeconds((int64_t)v->carried[SNCE_W_CREATED]);
    uint32_t ways[2], age[2];
    unsigned which;

    for (unsigned i = 0; i < 2; i++) {
        ways[i] =
            snceLook_OldestBefore(v->set[i], v->look[i].full, sec, &age[i]);
    }
    which = snceTable_Longer(age, v->lookupKey->hash);
    if (!ways[which]) {
        return false;
    }
    *out = sncePosition_At(v->set[which], snceLook_Way(&ways[which]));
    return true;
}

/* The purpose of a claim, or why there is none. */
typedef enum {
    CLAIM_EMPTY = SNCE_STATE_EMPTY, /* it holds nothing */
    CLAIM_FULL = SNCE_STATE_FULL,   /* its session is evicted or replaced */
    CLAIM_BUSY = SNCE_STATE_BUSY,   /* its writer died (rule 5) */
    CLAIM_NONE,                     /* all are younger, and stay */
    CLAIM_EXISTS                    /* the carried session is there */
} purpose;

/* Looks at both sets of |v| and chooses a slot. For an entry that is carried from
 * another table, only one that is empty, whose writer died, or whose entry is older. */
static purpose
Choose(view *v, sncePosition *out)
{
    uint64_t tag = snceVersion_Tag(v->lookupKey->hash);

    v->look[0] = snceLook_At(v->set[0], tag);
    v->look[1] = snceLook_At(v->set[1], tag);
    if (FindSame(v, out)) {
        return v->carried ? CLAIM_EXISTS : CLAIM_FULL;
    }
    if (FindAbandoned(v, out)) {
        return CLAIM_BUSY;
    }
    if (FindRested(v, out)) {
        return CLAIM_EMPTY;
    }
    if (v->carried ? FindOlder(v, out) : FindVictim(v, out)) {
        return CLAIM_FULL;
    }
    if (FindResting(v, out)) {
        return CLAIM_EMPTY;
    }
    return FindAmongClaims(v, out) ? CLAIM_BUSY : CLAIM_NONE;
}

/* Chooses a slot and claims it. |*position| is then what it held, and |*claimed| for
 * what. Returns SNCE_OK; SNCE_EXISTS (the carried session is there already);
 * SNCE_FULL (all entries are younger than the carried one); SNCE_DROPPED (each slot
 * that was chosen changed before it could be claimed, or all are in use). */
static snceResult
ClaimSlot(view *v, sncePosition *position, snceVersion *claim, purpose *claimed)
{
    for (unsigned try = 0; try < PLACE_TRIES; try++) {
        *claimed = Choose(v, position);
        if (*claimed == CLAIM_EXISTS) {
            return SNCE_EXISTS;
        }
        if (*claimed == CLAIM_NONE) {
            return v->carried ? SNCE_FULL : SNCE_DROPPED;
        }
        /* The slot may have changed between the two looks at it. */
        if (snceVersion_State(position->seen) == *claimed &&
            snceSlot_Claim(&position->set->version[position->way],
                           &v->table->epoch, position->seen,
                           snceVersion_Tag(v->lookupKey->hash), claim)) {
            return SNCE_OK;
        }
    }
    return SNCE_DROPPED;
}

void
snceTable_NoteTaken(const snceTable *table, const sncePosition *position,
                    const snceRule *rule, snceTaken *taken)
{
    uint64_t words[SNCE_ENTRY_WORDS];

    snceTable_Load(words, position->set->slot[position->way].word);
    taken->full = true;
    taken->expired = snceRule_Expired(rule, snceTable_ClassOf(words),
                                      (int64_t)words[SNCE_W_CREATED]);
    if (words[SNCE_W_CERTIFICATE] &&
        words[SNCE_W_SUM] ==
            snceTable_Sum(table, position, position->seen, words)) {
        taken->certificate = words[SNCE_W_CERTIFICATE];
    }
    WipeState(words);
}

/* Wipes those words of |state| that are still in the slot. */
static void
TakeBack(const sncePosition *position, const uint8_t state[SNCE_STATE_BYTES])
{
    for (unsigned i = 0; i < SNCE_STATE_BYTES / 8; i++) {
        uint64_t word;

        snceWord_Read(&word, state + (size_t)i * 8, 1);
        snceSlot_TakeBack(
            &position->set->slot[position->way].word[SNCE_W_STATE + i], word);
        snceWord_Wipe(&word, 1);
    }
}

/* Cleans a slot after a writer that lost its claim. The writer may have stored
 * secrets into a slot that is empty by now, or into another entry, which it spoiled.
 * No other process would wipe them, not even one that has wiped the words before and
 * is about to give the slot back. An entry that another writer is storing may be
 * spoiled as well; that writer loses it. True if this emptied a slot that held an
 * entry, which was counted.
 *
 * In a table that was given back meanwhile the writer takes back its own words only:
 * an entry that fails its checksum here is whole to those whose range it is now. */
bool
snceTable_CleanUp(const snceTable *table, const sncePosition *lost,
                  const uint8_t state[SNCE_STATE_BYTES])
{
    for (unsigned try = 0; try < CLEAN_TRIES; try++) {
        sncePosition position = sncePosition_At(lost->set, lost->way);
        bool full = snceVersion_State(position.seen) == SNCE_STATE_FULL;

        if (full) {
            uint64_t words[SNCE_ENTRY_WORDS];
            snceResult result = snceTable_Read(table, &position, words);

            WipeState(words);
            if (result == SNCE_OK) {
                return false;
            }
        }
        if (!snceTable_IsNamed(table)) {
            TakeBack(lost, state);
            return false;
        }
        if (snceTable_Take(table, &position)) {
            return full;
        }
    }
    return false;
}

/* Gives a claimed slot back, because the entry to be carried has gone. A remover may
 * have overridden this claim already, and another writer have stored an entry there.
 * So a slot that was empty when it was claimed is not wiped. */
static void
Abandon(const snceTable *table, const sncePosition *position, snceVersion claim)
{
    if (snceVersion_State(position->seen) == SNCE_STATE_EMPTY) {
        Empty(table, position->set, position->way, claim);
    } else {
        Vacate(table, position->set, position->way, claim);
    }
}

/* Is it time for a table that may grow to do so? */
static bool
IsCrowded(const view *v)
{
    return !snceTable_IsGrown(v->table) &&
           snceLook_Number(EmptyWays(v, 0), 0) <= CROWDED &&
           snceLook_Number(EmptyWays(v, 1), 0) <= CROWDED;
}

/* May another slot of the two sets come to have the same key? */
static bool
IsDoubled(const view *v, const sncePosition *position)
{
    for (unsigned i = 0; i < 2; i++) {
        uint32_t ways = v->look[i].tagged | v->look[i].busy;

        if (v->set[i] == position->set) {
            ways &= ~(UINT32_C(1) << position->way);
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
    const sncePosition *position = &source->position;
    snceVersion now = atomic_load_explicit(
        &position->set->version[position->way], memory_order_seq_cst);

    return snceVersion_Same(now, position->seen) &&
           (!source->size ||
            atomic_load_explicit(source->size, memory_order_seq_cst) ==
                source->seen);
}

/* Stores the entry in the slot at |position|, which was claimed. False if another
 * process took the slot back meanwhile. */
static bool
FillSlot(const view *v, sncePosition *position, snceVersion claim,
         const uint64_t *words, const uint8_t state[SNCE_STATE_BYTES])
{
    const snceWhen when = snceWhen_Of(v->rule);
    snceOrder order =
        atomic_load_explicit(&position->set->order, memory_order_relaxed);

    /* A stale order stays as it is: it is made anew before it is used. */
    if (order & SNCE_LIFE_MASK) {
        order = snceOrder_Stored(order, position->way);
    }
    return snceTable_Fill(v->table, position, claim, v->lookupKey->sum,
                          (const uint8_t *)v->lookupKey->id, words, state,
                          v->rule, &when, order);
}

snceResult
snceTable_Place(const snceTable *table, snceSet *const set[2],
                const snceLookupKey *lookupKey, const snceRule *rule,
                const uint64_t *words, const uint8_t state[SNCE_STATE_BYTES],
                const snceSource *source, sncePosition *position,
                snceTaken *taken)
{
    purpose claimed;
    snceVersion claim;
    snceResult result;
    view v = { table,
               lookupKey,
               rule,
               source ? words : NULL,
               { set[0], set[1] },
               { { 0 } },
               snceTable_IsGrown(table) ? SPARE_GROWN : SPARE_GROWING };

    memset(taken, 0, sizeof(*taken));
    result = ClaimSlot(&v, position, &claim, &claimed);
    if (result != SNCE_OK) {
        return result;
    }
    SNCE_STEP("place-claimed");
    taken->crowded = IsCrowded(&v);
    taken->doubled = IsDoubled(&v, position);
    taken->reclaimed = claimed == CLAIM_BUSY;
    if (claimed == CLAIM_FULL) {
        snceTable_NoteTaken(table, position, rule, taken);
    }

    /* Another process may be removing the entry that is carried. Either this sees that
     * it has gone, or the remover, which looks here after it looked there, sees the
     * claim and overrides it: both loads and both claims are sequentially
     * consistent. */
    if (source && !Stands(source)) {
        Abandon(table, position, claim);
        return SNCE_DROPPED;
    }
    if (!FillSlot(&v, position, claim, words, state)) {
        taken->spoiled = snceTable_CleanUp(table, position, state);
        return SNCE_DROPPED;
    }
    if (source && source->position.seen & SNCE_VISITED) {
        snceTable_Use(position, words,
                      (snceTime){ (int64_t)words[SNCE_W_ACCESS] });
    }
    return SNCE_OK;
}
