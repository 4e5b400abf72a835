/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncetable.h"

#include <string.h>

#define USEC_PER_SEC 1000000

/* Tries at a slot that other processes are changing too. Each failure means
 * that one of them succeeded. */
#define PLACE_TRIES 4
#define REMOVE_TRIES 64

/* More sets than entries / 16, in 32nds. With two sets to choose from, this
 * much to spare keeps 99.97 % of a full cache, at 10,000 and at 1,000,000
 * entries (G10 wants 99.5 %); each 32nd costs 6 bytes a session. */
#define SPARE_32NDS 3

/* ---- where things lie ---------------------------------------------------- */

uint64_t
snceTable_SetsFor(uint64_t entries)
{
    uint64_t slots = entries + entries * SPARE_32NDS / 32;
    uint64_t sets = (slots + SNCE_WAYS - 1) / SNCE_WAYS;

    return sets + 1; /* two at least, and small caches get relatively more */
}

/* The two sets that an ID's hash names; never the same one twice. */
static void
SetsOf(const snceTable *table, uint64_t hash, snceSet *sets[2])
{
    uint64_t first = snceHash_Range(hash, table->setCount);
    uint64_t step = snceHash_Range(snceHash_Mix(hash), table->setCount - 1);
    uint64_t second = first + 1 + step;

    if (second >= table->setCount) {
        second -= table->setCount;
    }
    sets[0] = &table->sets[first];
    sets[1] = &table->sets[second];
    for (unsigned i = 0; i < 2; i++) {
        __builtin_prefetch(&sets[i]->version[0]);
        __builtin_prefetch(&sets[i]->version[SNCE_WAYS / 2]);
    }
}

static uint64_t
PlaceOf(const snceTable *table, const snceSpot *spot)
{
    return (uint64_t)((uint8_t *)&spot->set->slot[spot->way] -
                      table->region->base);
}

static uint64_t
Sum(const snceTable *table, const snceSpot *spot, snceVersion v,
    const uint64_t words[SNCE_ENTRY_WORDS])
{
    return snceSlot_Sum(&table->region->hash, &table->lot, PlaceOf(table, spot),
                        v, words + SNCE_W_SUM + 1,
                        SNCE_W_SUMMED - (SNCE_W_SUM + 1));
}

/* ---- keys and times ------------------------------------------------------ */

static bool
SameId(const snceProbe *probe, const uint64_t *words)
{
    return (((words[SNCE_W_SHAPE] & 0xff) ^ probe->shape) |
            (words[SNCE_W_ID] ^ probe->id[0]) |
            (words[SNCE_W_ID + 1] ^ probe->id[1]) |
            (words[SNCE_W_ID + 2] ^ probe->id[2]) |
            (words[SNCE_W_ID + 3] ^ probe->id[3])) == 0;
}

static bool
SameAddress(const snceProbe *probe, const uint64_t *words)
{
    return !probe->matchAddress ||
           (words[SNCE_W_ADDRESS] == probe->address[0] &&
            words[SNCE_W_ADDRESS + 1] == probe->address[1]);
}

bool
snceRule_Expired(const snceRule *rule, unsigned sessionClass, int64_t created)
{
    int64_t age;

    if (__builtin_sub_overflow(rule->now.usec, created, &age)) {
        return rule->now.usec > created;
    }
    return age >= (int64_t)rule->timeoutSec[sessionClass] * USEC_PER_SEC;
}

static uint32_t
Seconds(int64_t usec)
{
    int64_t sec = usec / USEC_PER_SEC - (usec % USEC_PER_SEC < 0);

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
 * hint (rule 7). */
static uint32_t
AgeOf(uint32_t stamp, uint32_t nowSec)
{
    uint32_t age = (nowSec - stamp) & 0x7fffffff;

    return age > 0x3fffffff ? 0 : age;
}

static bool
StampExpired(const snceRule *rule, uint32_t stamp, uint32_t nowSec)
{
    return AgeOf(stamp, nowSec) > rule->timeoutSec[stamp >> 31];
}

/* ---- finding ------------------------------------------------------------- */

/* Copies what is at |spot| if it is whole; |spot->seen| must be a FULL one.
 * Returns SNCE_OK, SNCE_MISS (it changed meanwhile) or SNCE_CORRUPT. */
static snceResult
ReadSpot(const snceTable *table, const snceSpot *spot,
         uint64_t words[SNCE_ENTRY_WORDS])
{
    snceSlot_Load(words, spot->set->slot[spot->way].word, SNCE_ENTRY_WORDS);
    if (!snceSlot_Unchanged(&spot->set->version[spot->way], spot->seen)) {
        return SNCE_MISS;
    }
    return words[SNCE_W_SUM] == Sum(table, spot, spot->seen, words)
               ? SNCE_OK
               : SNCE_CORRUPT;
}

snceResult
snceTable_Find(const snceTable *table, const snceProbe *probe,
               uint64_t words[SNCE_ENTRY_WORDS], snceSpot *spot,
               bool *otherAddress)
{
    uint64_t tag = snceVersion_Tag(probe->hash);
    snceSet *sets[2];
    snceResult result;

    *otherAddress = false;
    SetsOf(table, probe->hash, sets);
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned way = 0; way < SNCE_WAYS; way++) {
            /* Acquire also for a slot that is passed over: an entry that a
             * move took out here is then seen where is looked next. */
            snceVersion seen = snceSlot_Version(&sets[i]->version[way]);

            if (!snceVersion_Matches(seen, SNCE_STATE_FULL, tag)) {
                continue;
            }
            spot->set = sets[i];
            spot->way = way;
            spot->seen = seen;
            result = ReadSpot(table, spot, words);
            if (result == SNCE_MISS || !SameId(probe, words)) {
                continue;
            }
            if (result == SNCE_OK && !SameAddress(probe, words)) {
                *otherAddress = true;
                continue;
            }
            return result;
        }
    }
    return SNCE_MISS;
}

bool
snceTable_Entry(const snceTable *table, uint64_t index, snceSpot *spot,
                uint64_t words[SNCE_ENTRY_WORDS])
{
    spot->set = &table->sets[index / SNCE_WAYS];
    spot->way = (unsigned)(index % SNCE_WAYS);
    spot->seen = snceSlot_Version(&spot->set->version[spot->way]);
    return snceVersion_State(spot->seen) == SNCE_STATE_FULL &&
           ReadSpot(table, spot, words) == SNCE_OK;
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
}

/* The clock of a set, for a claim made outside of snceTable_Place. */
static uint8_t
ClockOf(const snceSet *set)
{
    snceVersion seen[SNCE_WAYS];

    return snceSlot_Look(seen, set->version);
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
            if (!SameId(probe, words) || !SameAddress(probe, words) ||
                (only && !SameSession(words, only))) {
                return false;
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
    snceSet *sets[2];

    SetsOf(table, probe->hash, sets);
    for (unsigned i = 0; i < 2 * SNCE_WAYS; i++) {
        snceSet *set = sets[i / SNCE_WAYS];
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
    snceSet *sets[2];

    SetsOf(table, probe->hash, sets);
    for (unsigned way = 0; way < 2 * SNCE_WAYS; way++) {
        snceSet *set = sets[way / SNCE_WAYS];
        unsigned slot = way % SNCE_WAYS;
        uint64_t words[SNCE_ENTRY_WORDS];
        snceSpot spot = { set, slot, snceSlot_Version(&set->version[slot]) };
        uint32_t stamp;

        if (snceVersion_State(spot.seen) != SNCE_STATE_FULL) {
            continue;
        }
        stamp = atomic_load_explicit(&set->stamp[slot], memory_order_relaxed);
        if (StampExpired(rule, stamp, nowSec) &&
            ReadSpot(table, &spot, words) == SNCE_OK &&
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
    snceSet *set[2];
    snceVersion seen[2][SNCE_WAYS];
    uint8_t clock[2];
    uint32_t full[2];
    uint32_t busy[2];
    uint32_t tagged[2]; /* full, with the tag that is inserted */
} view;

#define ALL_WAYS ((UINT32_C(1) << SNCE_WAYS) - 1)

static void
LookAt(view *v, uint64_t tag)
{
    for (unsigned i = 0; i < 2; i++) {
        v->clock[i] = snceSlot_Look(v->seen[i], v->set[i]->version);
        v->full[i] = v->busy[i] = v->tagged[i] = 0;
        for (unsigned way = 0; way < SNCE_WAYS; way++) {
            snceVersion seen = v->seen[i][way];
            unsigned state = snceVersion_State(seen);

            v->full[i] |= (uint32_t)(state == SNCE_STATE_FULL) << way;
            v->busy[i] |= (uint32_t)(state == SNCE_STATE_BUSY) << way;
            v->tagged[i] |=
                (uint32_t)snceVersion_Matches(seen, SNCE_STATE_FULL, tag)
                << way;
        }
    }
}

static snceSpot
SpotOf(const view *v, unsigned which, unsigned way)
{
    snceSpot spot = { v->set[which], way, v->seen[which][way] };

    return spot;
}

/* Takes the lowest way out of a mask that is not empty. */
static unsigned
NextWay(uint32_t *mask)
{
    unsigned way = (unsigned)__builtin_ctz(*mask);

    *mask &= *mask - 1;
    return way;
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
            snceSlot_Load(words, v->set[i]->slot[way].word, SNCE_ENTRY_WORDS);
            if (SameId(probe, words) && SameAddress(probe, words)) {
                *out = SpotOf(v, i, way);
                return true;
            }
        }
    }
    return false;
}

/* Finds a slot whose writer died; else an empty one, in the set that has more
 * of them. */
static bool
FindFree(const view *v, snceSpot *out, bool *reclaimed)
{
    uint32_t empty[2];
    unsigned better;

    for (unsigned i = 0; i < 2; i++) {
        for (uint32_t left = v->busy[i]; left;) {
            unsigned way = NextWay(&left);

            if (snceSlot_Abandoned(v->seen[i][way], v->clock[i])) {
                *out = SpotOf(v, i, way);
                *reclaimed = true;
                return true;
            }
        }
        empty[i] = ALL_WAYS & ~(v->full[i] | v->busy[i]);
    }
    better = __builtin_popcount(empty[1]) > __builtin_popcount(empty[0]);
    if (!empty[better]) {
        return false;
    }
    *out = SpotOf(v, better, NextWay(&empty[better]));
    return true;
}

/* Chooses the entry to give up: one that expired, else the oldest that was not
 * looked up since it was stored, else the oldest; then all begin anew. For an
 * entry that is |carried| from another table, the oldest of those that are
 * older than it.
 *
 * Stamps count seconds. Of those that are equally old, the first one round the
 * clock of its set goes, which moves on with every entry that is stored: so
 * they go in the order in which they came. */
static bool
FindVictim(const view *v, const snceRule *rule, uint64_t hash,
           const uint64_t *carried, snceSpot *out)
{
    const uint32_t unvisited = UINT32_C(1) << 31;
    uint32_t nowSec =
        Seconds(carried ? (int64_t)carried[SNCE_W_CREATED] : rule->now.usec);
    unsigned begin = hash >> (SNCE_TICKET_SHIFT + 2) & 1;
    unsigned best = 2 * SNCE_WAYS, bestSet;
    uint32_t bestRank = 0;

    for (unsigned step = 0; step < 2 * SNCE_WAYS; step++) {
        unsigned i = begin ^ (step / SNCE_WAYS);
        unsigned way = (v->clock[i] + step) % SNCE_WAYS;
        uint32_t stamp, rank;

        if (!(v->full[i] >> way & 1)) {
            continue;
        }
        stamp =
            atomic_load_explicit(&v->set[i]->stamp[way], memory_order_relaxed);
        if (!carried && StampExpired(rule, stamp, nowSec)) {
            *out = SpotOf(v, i, way);
            return true;
        }
        rank = AgeOf(stamp, nowSec);
        if (carried && rank == 0) {
            continue; /* as young, or younger */
        }
        if (!carried && !(v->seen[i][way] & SNCE_VISITED)) {
            rank |= unvisited;
        }
        if (best == 2 * SNCE_WAYS || rank > bestRank) {
            best = i * SNCE_WAYS + way;
            bestRank = rank;
        }
    }
    if (best == 2 * SNCE_WAYS) {
        return false;
    }
    bestSet = best / SNCE_WAYS;
    *out = SpotOf(v, bestSet, best % SNCE_WAYS);
    if (!carried && !(bestRank & unvisited)) {
        for (unsigned way = 0; way < SNCE_WAYS; way++) {
            snceSlot_Forget(&out->set->version[way], v->seen[bestSet][way]);
        }
        out->seen &= ~(uint64_t)SNCE_VISITED;
    }
    return true;
}

/* Notes what a claim overwrites. Words that fail their sum were spoiled by a
 * late writer, and refer to nothing that counts. */
static void
NoteTaken(snceTaken *taken, const snceTable *table, const snceSpot *spot,
          const snceRule *rule)
{
    uint64_t words[SNCE_ENTRY_WORDS];

    snceSlot_Load(words, spot->set->slot[spot->way].word, SNCE_ENTRY_WORDS);
    taken->full = true;
    taken->expired = snceRule_Expired(rule, snceTable_ClassOf(words),
                                      (int64_t)words[SNCE_W_CREATED]);
    if (words[SNCE_W_CERTIFICATE] &&
        words[SNCE_W_SUM] == Sum(table, spot, spot->seen, words)) {
        taken->certificate = words[SNCE_W_CERTIFICATE];
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
    SetsOf(table, probe->hash, v.set);
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
                                 v.clock[spot->set == v.set[1]], &claim);
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
        Vacate(spot->set, spot->way, claim);
        return SNCE_DROPPED;
    }

    words[SNCE_W_SUM] = Sum(table, spot, claim, words);
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
    return SNCE_OK;
}
