/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncefind.h"

#include <string.h>

/* Tries at a slot that other processes are changing too. Each failure means
 * that one of them succeeded. */
#define PLACE_TRIES 4
#define REMOVE_TRIES 64

/* Room to spare. With two sets to choose from, an eighth keeps 99.83 % of a full
 * cache, at 100,000 entries and at 1,000,000 (G10 wants 99.5 %); it costs 26
 * bytes a session. Small caches, in which chance plays a larger part, get some
 * sets more: of 1,000 entries, all of 20,000 trials kept 99.5 %. */
#define SPARE 8
#define SMALL 2048
#define SMALL_SPARE 256

/* ---- where things lie ---------------------------------------------------- */

uint64_t
snceTable_SetsFor(uint64_t entries)
{
    uint64_t slots = entries + entries / SPARE;
    uint64_t sets = (slots + SNCE_WAYS - 1) / SNCE_WAYS;

    return sets + 2 + (entries < SMALL ? entries : SMALL) / SMALL_SPARE;
}

/* Takes the lowest way out of a mask that is not empty. */
static unsigned
NextWay(uint32_t *mask)
{
    unsigned way = (unsigned)__builtin_ctz(*mask);

    *mask &= *mask - 1;
    return way;
}

/* ---- keys and times ------------------------------------------------------ */

static uint32_t
Seconds(int64_t usec)
{
    int64_t sec = usec / SNCE_USEC_PER_SEC - (usec % SNCE_USEC_PER_SEC < 0);

    return (uint32_t)(uint64_t)sec & 0x7fffffff;
}

static uint32_t
StampOf(const uint64_t *words)
{
    return Seconds((int64_t)words[SNCE_W_CREATED]) |
           (uint32_t)snceTable_ClassOf(words) << 31;
}

/* The age of a stamp in seconds, off by less than one; 0 if it lies ahead.
 * Stamps wrap after 68 years, and ages are told up to half of that: it is a
 * hint (rule 7). That of a full slot which somebody who came late has wiped is
 * as old as can be: as a stamp that lies ahead it would keep its slot for ever.
 */
static uint32_t
AgeOf(uint32_t stamp, uint32_t nowSec)
{
    uint32_t age = (nowSec - stamp) & 0x7fffffff;

    age = age > 0x3fffffff ? 0 : age;
    return stamp ? age : 0x3fffffff;
}

static bool
StampExpired(const snceRule *rule, uint32_t stamp, uint32_t nowSec)
{
    return AgeOf(stamp, nowSec) > rule->timeoutSec[stamp >> 31];
}

/* ---- finding ------------------------------------------------------------- */

/* The full slots of a set that have the tag, a bit for each.
 *
 * Acquire also for a slot that is passed over: an entry that a move took out
 * here is then seen where is looked next. */
static inline uint32_t
MatchesIn(const snceSet *set, uint64_t tag)
{
    uint32_t found = 0;

#pragma GCC unroll 10
    for (unsigned way = SNCE_WAYS; way-- > 0;) {
        uint32_t other = (uint32_t)snceVersion_Differs(
            snceSlot_Version(&set->version[way]), SNCE_STATE_FULL, tag);

        found += found + (other < 1);
    }
    return found;
}

/* Looks for the key at the |ways| of |set|, each seen anew. */
static snceResult
FindAmong(const snceTable *table, const snceProbe *probe, snceSet *set,
          uint32_t ways, uint64_t words[SNCE_ENTRY_WORDS], snceSpot *spot,
          bool *otherAddress)
{
    while (ways) {
        snceResult result;

        spot->set = set;
        spot->way = NextWay(&ways);
        spot->seen = snceSlot_Version(&set->version[spot->way]);
        result = snceTable_ReadMatching(table, probe, words, spot);
        if (result == SNCE_OK && !snceProbe_IsAddress(probe, words)) {
            *otherAddress = true;
        } else if (result != SNCE_MISS) {
            return result;
        }
    }
    return SNCE_MISS;
}

snceResult
snceTable_FindAt(const snceTable *table, const snceProbe *probe,
                 const snceProbePlaces *at, uint64_t words[SNCE_ENTRY_WORDS],
                 snceSpot *spot, bool *otherAddress)
{
    uint64_t tag = snceVersion_Tag(probe->hash);

    *otherAddress = false;
    for (unsigned i = 0; i < 2; i++) {
        snceResult result =
            FindAmong(table, probe, at->set[i], MatchesIn(at->set[i], tag),
                      words, spot, otherAddress);

        if (result != SNCE_MISS) {
            return result;
        }
    }
    return SNCE_MISS;
}

snceResult
snceTable_Find(const snceTable *table, const snceProbe *probe,
               uint64_t words[SNCE_ENTRY_WORDS], snceSpot *spot,
               bool *otherAddress)
{
    snceProbePlaces at;

    snceProbe_Places(probe, table, &at);
    return snceTable_FindAt(table, probe, &at, words, spot, otherAddress);
}

bool
snceTable_Entry(const snceTable *table, uint64_t index, snceSpot *spot,
                uint64_t words[SNCE_ENTRY_WORDS])
{
    spot->set = &table->sets[index / SNCE_WAYS];
    spot->way = (unsigned)(index % SNCE_WAYS);
    spot->seen = snceSlot_Version(&spot->set->version[spot->way]);
    return snceVersion_State(spot->seen) == SNCE_STATE_FULL &&
           snceTable_Read(table, spot, words) == SNCE_OK;
}

/* ---- taking out ---------------------------------------------------------- */

/* Wipes a claimed slot and gives it back. */
static void
Vacate(snceSet *set, unsigned way, snceVersion claim)
{
    SNCE_STEP("vacate");
    snceSlot_Wipe(set->slot[way].word, SNCE_ENTRY_WORDS);
    atomic_store_explicit(&set->stamp[way], 0, memory_order_relaxed);
    SNCE_STEP("vacate-wiped");
    (void)snceSlot_Vacate(&set->version[way], claim);
    SNCE_STEP("vacated");
}

/* The clock of a set, for a claim made outside of snceTable_Place. */
static uint8_t
ClockOf(const snceSet *set)
{
    snceVersion seen[SNCE_WAYS];

    return snceSlot_Look(seen, set->version, SNCE_WAYS);
}

bool
snceTable_Take(const snceTable *table, const snceSpot *spot)
{
    snceWord *version = &spot->set->version[spot->way];
    snceVersion seen = spot->seen, claim;

    for (unsigned try = 0; try < 3; try++) { /* readers may set visited */
        if (snceSlot_Claim(version, &table->lot, seen, 0, ClockOf(spot->set),
                           &claim)) {
            Vacate(spot->set, spot->way, claim);
            return true;
        }
        seen = snceSlot_Version(version);
        if (!snceVersion_Same(seen, spot->seen)) {
            return false;
        }
    }
    return false;
}

/* Are these words the same session? It may have been carried to another table
 * and store, and been looked up since. */
static bool
SameSession(const uint64_t *a, const uint64_t *b)
{
    return memcmp(&a[SNCE_W_ID], &b[SNCE_W_ID],
                  (SNCE_W_CERTIFICATE - SNCE_W_ID) * sizeof(*a)) == 0 &&
           memcmp(&a[SNCE_W_NAME], &b[SNCE_W_NAME],
                  (SNCE_W_SUMMED - SNCE_W_NAME) * sizeof(*a)) == 0;
}

/* Empties one slot if it holds the key, or may come to hold it. */
static bool
RemoveFrom(const snceTable *table, snceSet *set, unsigned way,
           const snceProbe *probe, const uint64_t *only, snceTable_Gone gone,
           void *context)
{
    uint64_t tag = snceVersion_Tag(probe->hash);
    snceWord *version = &set->version[way];
    snceVersion claim;

    for (unsigned try = 0;; try++) {
        uint64_t words[SNCE_ENTRY_WORDS];
        /* Sequentially consistent: pairs with snceSlot_Claim and the check of
         * |source| in snceTable_Place. */
        snceVersion v = atomic_load_explicit(version, memory_order_seq_cst);
        bool full = snceVersion_Matches(v, SNCE_STATE_FULL, tag);

        if (!full && !snceVersion_Matches(v, SNCE_STATE_BUSY, tag)) {
            return false;
        }
        if (try == REMOVE_TRIES) {
            /* The slot changed under every try. Its key must be gone when
             * this returns, so take it whatever it holds now. */
            claim = snceVersion_Claimed(v + (UINT64_C(1) << 63),
                                        table->lot.start, 0, ClockOf(set));
            (void)atomic_exchange_explicit(version, claim,
                                           memory_order_seq_cst);
            Vacate(set, way, claim);
            return full;
        }
        if (full) {
            snceSlot_Load(words, set->slot[way].word, SNCE_ENTRY_WORDS);
            if (!snceSlot_Unchanged(version, v)) {
                continue;
            }
            if (!snceProbe_IsId(probe, words) ||
                !snceProbe_IsAddress(probe, words) ||
                (only && !SameSession(words, only))) {
                return false;
            }
            if (words[SNCE_W_CERTIFICATE]) {
                const snceSpot spot = { set, way, v };

                /* What a late writer spoiled refers to nothing that counts. */
                if (words[SNCE_W_SUM] !=
                    snceTable_Sum(table, &spot, v, words)) {
                    words[SNCE_W_CERTIFICATE] = 0;
                }
            }
        }
        if (snceSlot_Claim(version, &table->lot, v, 0, ClockOf(set), &claim)) {
            SNCE_STEP("remove-claimed");
            Vacate(set, way, claim);
            if (full) {
                gone(context, words);
            }
            return full;
        }
    }
}

unsigned
snceTable_Remove(const snceTable *table, const snceProbe *probe,
                 const snceSpot *except, const uint64_t *only,
                 snceTable_Gone gone, void *context)
{
    unsigned removed = 0;
    snceProbePlaces at;

    snceProbe_Places(probe, table, &at);
    for (unsigned i = 0; i < 2 * SNCE_WAYS; i++) {
        snceSet *set = at.set[i / SNCE_WAYS];
        unsigned way = i % SNCE_WAYS;

        if (!except || except->set != set || except->way != way) {
            removed += RemoveFrom(table, set, way, probe, only, gone, context);
        }
    }
    return removed;
}

void
snceTable_Sweep(const snceTable *table, const snceProbe *probe,
                const snceRule *rule, snceTable_Gone gone, void *context)
{
    uint32_t nowSec = Seconds(rule->now.usec);
    snceProbePlaces at;

    snceProbe_Places(probe, table, &at);
    for (unsigned way = 0; way < 2 * SNCE_WAYS; way++) {
        snceSet *set = at.set[way / SNCE_WAYS];
        unsigned slot = way % SNCE_WAYS;
        uint64_t words[SNCE_ENTRY_WORDS];
        snceSpot spot = { set, slot, snceSlot_Version(&set->version[slot]) };
        uint32_t stamp;

        if (snceVersion_State(spot.seen) != SNCE_STATE_FULL) {
            continue;
        }
        stamp = atomic_load_explicit(&set->stamp[slot], memory_order_relaxed);
        if (StampExpired(rule, stamp, nowSec) &&
            snceTable_Read(table, &spot, words) == SNCE_OK &&
            snceRule_Expired(rule, snceTable_ClassOf(words),
                             (int64_t)words[SNCE_W_CREATED]) &&
            snceTable_Take(table, &spot)) {
            gone(context, words);
        }
    }
}

/* ---- putting in ---------------------------------------------------------- */

/* The two sets as an insert saw them; a bit for each way in the masks. */
typedef struct {
    snceProbePlaces at;
    snceVersion seen[2][SNCE_WAYS];
    uint8_t clock[2];
    uint32_t full[2];
    uint32_t fresh[2];  /* full, and not looked up since it was stored */
    uint32_t tagged[2]; /* full, with the tag that is inserted */
} view;

#define ALL_WAYS ((UINT32_C(1) << SNCE_WAYS) - 1)
#define WAYS_TO_SPARE 5

static inline void
LookAt(view *v, uint64_t tag)
{
    for (unsigned i = 0; i < 2; i++) {
        uint32_t full = 0, fresh = 0, tagged = 0;

        v->clock[i] =
            snceSlot_Look(v->seen[i], v->at.set[i]->version, SNCE_WAYS);
#pragma GCC unroll 10
        for (unsigned way = SNCE_WAYS; way-- > 0;) {
            snceVersion seen = v->seen[i][way];

            full = 2 * full + (uint32_t)(seen & SNCE_STATE_FULL);
            fresh = 2 * fresh + ((uint32_t)(seen / SNCE_VISITED & 1) ^ 1);
            tagged =
                2 * tagged + snceVersion_Matches(seen, SNCE_STATE_FULL, tag);
        }
        v->full[i] = full;
        v->fresh[i] = fresh & full;
        v->tagged[i] = tagged;
    }
}

/* The ways of a set that are claimed. */
static uint32_t
BusyIn(const view *v, unsigned which)
{
    uint32_t busy = 0;

    for (unsigned way = SNCE_WAYS; way-- > 0;) {
        unsigned state = snceVersion_State(v->seen[which][way]);

        busy = 2 * busy + (state == SNCE_STATE_BUSY);
    }
    return busy;
}

static snceSpot
SpotOf(const view *v, unsigned which, unsigned way)
{
    snceSpot spot = { v->at.set[which], way, v->seen[which][way] };

    return spot;
}

/* Finds the slot that has the key already. */
static bool
FindSame(const view *v, const snceProbe *probe, snceSpot *out)
{
    for (unsigned i = 0; i < 2; i++) {
        for (uint32_t left = v->tagged[i]; left;) {
            uint64_t words[SNCE_ENTRY_WORDS];
            unsigned way = NextWay(&left);

            /* Torn words at worst hide it, and then there are two, which
             * snceTable_Remove expects. */
            snceSlot_Load(words, v->at.set[i]->slot[way].word,
                          SNCE_ENTRY_WORDS);
            if (snceProbe_IsId(probe, words) &&
                snceProbe_IsAddress(probe, words)) {
                *out = SpotOf(v, i, way);
                return true;
            }
        }
    }
    return false;
}

/* A slot that was just taken from a writer who was interrupted is not the next
 * one to be used: he would spoil what is stored there when he goes on. */
static bool
Rested(snceVersion v, uint8_t clock)
{
    return v == 0 || (uint8_t)(clock - snceVersion_Ticket(v)) >= SNCE_WAYS;
}

/* Is the best way of a set empty? */
static bool
BestIsFree(const view *v, unsigned which, uint32_t empty)
{
    unsigned way = v->at.way[which];

    return (empty >> way & 1) && Rested(v->seen[which][way], v->clock[which]);
}

/* Finds a slot whose writer died; else an empty one: that at the best way of the
 * set that has more of them; that of the other set if it has some to spare; else
 * in the set that has more, the next one round its clock. So 90 % of the
 * sessions lie at a best way in a cache that is 60 % full, 68 % in a full one. */
static bool
FindFree(const view *v, snceSpot *out, bool *reclaimed)
{
    uint32_t empty[2], ahead;
    unsigned better;

    if (v->full[0] == ALL_WAYS && v->full[1] == ALL_WAYS) {
        return false;
    }
    for (unsigned i = 0; i < 2; i++) {
        uint32_t busy = BusyIn(v, i);

        for (uint32_t left = busy; left;) {
            unsigned way = NextWay(&left);

            if (snceSlot_Abandoned(v->seen[i][way], v->clock[i])) {
                *out = SpotOf(v, i, way);
                *reclaimed = true;
                return true;
            }
        }
        empty[i] = ALL_WAYS & ~(v->full[i] | busy);
    }
    better = __builtin_popcount(empty[1]) > __builtin_popcount(empty[0]);
    if (!empty[better]) {
        return false;
    }
    if (BestIsFree(v, better, empty[better])) {
        *out = SpotOf(v, better, v->at.way[better]);
    } else if (__builtin_popcount(empty[!better]) >= WAYS_TO_SPARE &&
               BestIsFree(v, !better, empty[!better])) {
        *out = SpotOf(v, !better, v->at.way[!better]);
    } else {
        ahead = empty[better] & (ALL_WAYS << v->clock[better] % SNCE_WAYS);
        *out = SpotOf(v, better, NextWay(ahead ? &ahead : &empty[better]));
    }
    return true;
}

/* Writes the age of each entry of a set, in seconds, and returns the ways of
 * those that have expired by their stamps. */
static uint32_t
AgesIn(const view *v, unsigned which, const snceRule *rule, uint32_t nowSec,
       uint32_t ages[SNCE_WAYS])
{
    uint32_t apart = rule->timeoutSec[0] ^ rule->timeoutSec[1];
    uint32_t expired = 0;

    for (unsigned way = SNCE_WAYS; way-- > 0;) {
        uint32_t stamp = atomic_load_explicit(&v->at.set[which]->stamp[way],
                                              memory_order_relaxed);
        uint32_t timeout = rule->timeoutSec[0] ^ (apart & (0 - (stamp >> 31)));

        ages[way] = AgeOf(stamp, nowSec);
        expired = 2 * expired + (ages[way] > timeout);
    }
    return expired & v->full[which];
}

/* How long an entry of that age has been idle, in half seconds: one that was
 * never looked up as long as if it had been, once, when it was stored. */
static inline uint64_t
IdleOf(snceVersion seen, uint64_t age)
{
    uint64_t visited = 0 - (seen / SNCE_VISITED & 1); /* all ones or none */
    uint64_t used = snceVersion_UsedAt(seen) & visited;

    return 2 * (age - (used < age ? used : age)) + 2 + visited;
}

/* A mask's ways counted from |first| on, round the set. */
static inline uint32_t
Turned(uint32_t ways, unsigned first)
{
    return (ways >> first | ways << (SNCE_WAYS - first)) & ALL_WAYS;
}

/* Chooses the entry to give up: one that has expired; else, while those that
 * nobody looked up since they were stored take two fifths of the room or more,
 * one of them; else any: the one that has been idle longest. So a flood of clients
 * that come once evicts itself, and otherwise this is LRU. An entry that was
 * looked up once is not kept for ever: where clients come in bursts, sets full of
 * such entries lost 9.8 points of the hit ratio to LRU. For an entry that is
 * |carried| from another table, the oldest of those that are older than it.
 *
 * Times are seconds. Of those that have been idle as long, the first one round the
 * clock of its set goes, which moves on with every entry that is stored: so they
 * go in the order in which they came. */
static bool
FindVictim(const view *v, const snceRule *rule, uint64_t hash,
           const uint64_t *carried, snceSpot *out)
{
    uint32_t nowSec =
        Seconds(carried ? (int64_t)carried[SNCE_W_CREATED] : rule->now.usec);
    unsigned begin = hash >> (SNCE_TICKET_SHIFT + 2) & 1;
    unsigned full =
        (unsigned)__builtin_popcount(v->full[0] << SNCE_WAYS | v->full[1]);
    unsigned fresh =
        (unsigned)__builtin_popcount(v->fresh[0] << SNCE_WAYS | v->fresh[1]);
    uint32_t ages[2][SNCE_WAYS], expired[2];
    const uint32_t *ways = v->full;
    uint64_t best = 0;
    unsigned which = 2, at = 0;

    for (unsigned i = 0; i < 2; i++) {
        expired[i] = AgesIn(v, i, rule, nowSec, ages[i]);
    }
    if (!carried) {
        if (expired[0] | expired[1]) {
            ways = expired;
        } else if (5 * fresh >= 2 * full) {
            ways = v->fresh;
        }
    }
    for (unsigned step = 0; step < 2; step++) {
        unsigned i = begin ^ step;
        unsigned first = v->clock[i] % SNCE_WAYS;

        for (uint32_t left = Turned(ways[i], first); left;) {
            unsigned way = NextWay(&left) + first;
            uint64_t idle;

            way = way < SNCE_WAYS ? way : way - SNCE_WAYS;
            idle = ages[i][way];
            if (ways == v->full && !carried) {
                idle = IdleOf(v->seen[i][way], idle);
            } else {
                /* Not 0, but for what is as young as the carried one. */
                idle += !carried;
            }
            which = idle > best ? i : which;
            at = idle > best ? way : at;
            best = idle > best ? idle : best;
        }
    }
    if (which == 2) {
        return false;
    }
    *out = SpotOf(v, which, at);
    return true;
}

/* Notes what a claim overwrites. Words that fail their sum were spoiled by a
 * late writer, and refer to nothing that counts. */
static void
NoteTaken(snceTaken *taken, const snceTable *table, const snceSpot *spot,
          const snceRule *rule)
{
    const snceWord *word = spot->set->slot[spot->way].word;
    uint64_t words[SNCE_ENTRY_WORDS];

    /* The few that mostly decide. */
    for (unsigned i = SNCE_W_CREATED; i <= SNCE_W_CERTIFICATE; i++) {
        words[i] = atomic_load_explicit(&word[i], memory_order_relaxed);
    }
    taken->full = true;
    taken->expired = snceRule_Expired(rule, snceTable_ClassOf(words),
                                      (int64_t)words[SNCE_W_CREATED]);
    if (words[SNCE_W_CERTIFICATE]) {
        snceSlot_Load(words, word, SNCE_ENTRY_WORDS);
        if (words[SNCE_W_SUM] ==
            snceTable_Sum(table, spot, spot->seen, words)) {
            taken->certificate = words[SNCE_W_CERTIFICATE];
        }
    }
}

/* A writer whose claim was overridden may have stored secrets into a slot that
 * was emptied since: nobody else would wipe them. */
static void
CleanUp(const snceTable *table, snceSet *set, unsigned way)
{
    snceSpot spot = { set, way, snceSlot_Version(&set->version[way]) };

    if (snceVersion_State(spot.seen) == SNCE_STATE_EMPTY) {
        (void)snceTable_Take(table, &spot);
    }
}

snceResult
snceTable_Place(const snceTable *table, const snceProbe *probe,
                const snceRule *rule, uint64_t words[SNCE_ENTRY_WORDS],
                const snceSpot *source, snceSpot *spot, snceTaken *taken)
{
    uint64_t tag = snceVersion_Tag(probe->hash);
    snceVersion claim = 0;
    bool claimed = false;
    view v;

    memset(taken, 0, sizeof(*taken));
    snceProbe_Places(probe, table, &v.at);
    for (unsigned try = 0; !claimed; try++) {
        bool reclaimed = false;

        if (try == PLACE_TRIES) {
            return SNCE_DROPPED;
        }
        LookAt(&v, tag);
        if (FindSame(&v, probe, spot)) {
            if (source) {
                return SNCE_EXISTS;
            }
        } else if (!FindFree(&v, spot, &reclaimed) &&
                   !FindVictim(&v, rule, probe->hash, source ? words : NULL,
                               spot)) {
            return SNCE_DROPPED; /* every slot is being written */
        }
        claimed = snceSlot_Claim(&spot->set->version[spot->way], &table->lot,
                                 spot->seen, tag,
                                 v.clock[spot->set == v.at.set[1]], &claim);
        taken->reclaimed = claimed && reclaimed;
    }
    SNCE_STEP("place-claimed");
    if (snceVersion_State(spot->seen) == SNCE_STATE_FULL) {
        NoteTaken(taken, table, spot, rule);
    }

    /* Carrying an entry from one table to another: somebody may be removing
     * it. Either this load sees that, or the remover, who looks through this
     * table after the other one, sees the claim and overrides it: both loads
     * and both claims are sequentially consistent. */
    if (source && !snceVersion_Same(
                      atomic_load_explicit(&source->set->version[source->way],
                                           memory_order_seq_cst),
                      source->seen)) {
        /* The remover may have overridden this claim already, and somebody
         * else have stored an entry there: nothing is wiped that was not there
         * before. */
        if (snceVersion_State(spot->seen) == SNCE_STATE_EMPTY) {
            (void)snceSlot_Vacate(&spot->set->version[spot->way], claim);
        } else {
            Vacate(spot->set, spot->way, claim);
        }
        return SNCE_DROPPED;
    }

    words[SNCE_W_SUM] = snceTable_Sum(table, spot, claim, words);
    snceSlot_Store(spot->set->slot[spot->way].word, words, SNCE_ENTRY_WORDS);
    atomic_store_explicit(&spot->set->stamp[spot->way], StampOf(words),
                          memory_order_relaxed);
    SNCE_STEP("place-written");
    if (!snceSlot_Publish(&spot->set->version[spot->way], claim)) {
        CleanUp(table, spot->set, spot->way);
        return SNCE_DROPPED;
    }
    SNCE_STEP("place-published");
    spot->seen = snceVersion_Published(claim);
    if (source && source->seen & SNCE_VISITED) {
        snceTable_Use(spot, words, (snceTime){ (int64_t)words[SNCE_W_ACCESS] });
    }
    return SNCE_OK;
}
