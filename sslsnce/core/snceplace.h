/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceplace.h: how an insert into a full cache evicts a session and stores its own.
 *
 * In line, as sncefind.h. An insert that finds free slots, claims, its own ID or
 * expired sessions calls snceTable_Place (sncetable.c), which this file shares its
 * steps with. */
#ifndef SNCEPLACE_H
#define SNCEPLACE_H

#include "sncefind.h"
#include "sncelook.h"
#include "snceorder.h"

/* snceSeconds is a time in the seconds of stamps. Whole seconds of an epoch of
 * their own, so that no time is negative: only their differences count. */
static inline uint32_t
snceSeconds(int64_t usec)
{
    return (uint32_t)(((uint64_t)usec ^ UINT64_C(1) << 63) /
                      SNCE_USEC_PER_SEC) &
           SNCE_AGE_MAX;
}

/* snceWhen is the time of an insert, in seconds. */
typedef struct {
    uint32_t nowSec;
    uint32_t base; /* the same, by the rule's timeouts: snceorder.h */
} snceWhen;

static inline snceWhen
snceWhen_Of(const snceRule *rule)
{
    uint32_t nowSec = snceSeconds(rule->now.usec);
    snceWhen when = { nowSec, nowSec + rule->timeoutSec[0] * 0x9e37 +
                                  rule->timeoutSec[1] * 0x85eb };

    return when;
}

/* ---- choosing a slot ----------------------------------------------------- */

/* Of two sets' first sessions the one goes that has waited for longer; of equals
 * that of the set which the hash says. */
static inline bool
snceTable_PrefersSecond(uint64_t hash)
{
    return hash >> (SNCE_TICKET_SHIFT + 2) & 1;
}

static inline bool
snceTable_Longer(const uint32_t time[2], uint64_t hash)
{
    return time[1] + snceTable_PrefersSecond(hash) > time[0];
}

/* While those that nobody looked up since they were stored take two fifths of the
 * room or more, one of them goes. */
static inline bool
snceTable_EvictsUnused(unsigned unused, unsigned all)
{
    return 5 * unused >= 2 * all;
}

/* snceTable_FindUnused finds the session of a full set that was stored first, of
 * those that nobody looked up. SNCE_WAYS if there is none. */
SNCE_INLINE unsigned
snceTable_FindUnused(const snceSet *set, snceOrder *order, snceVersion *seen)
{
    for (unsigned left = snceOrder_Unused(*order); left > 0; left--) {
        unsigned way = (unsigned)*order & 15;

        if (way >= SNCE_WAYS) {
            break;
        }
        *seen = snceSlot_Version(&set->version[way]);
        if (!(*seen & SNCE_VISITED)) {
            return way;
        }
        *order = snceOrder_FirstUsed(*order);
    }
    return SNCE_WAYS;
}

/* How many sessions that were used since their set was weighed an insert passes
 * over before it has the set ranked again. */
#define SNCE_PASSED_MAX 3

/* snceTable_FindUsed finds the session of a full set that has been idle longest, of
 * those that were looked up, and for how long, as snceLook_Idle. It is the first that
 * was not used in the last |since| seconds, since its set was weighed. SNCE_WAYS, and
 * 0 if no session was looked up, UINT32_MAX if the order does not say. */
static inline unsigned
snceTable_FindUsed(const snceSet *set, snceOrder order, uint32_t since,
                   uint32_t nowSec, snceVersion *seen, uint32_t *idle)
{
    unsigned place = snceOrder_Unused(order);
    unsigned last = place + SNCE_PASSED_MAX;

    *idle = 0;
    for (; place < SNCE_WAYS; place++) {
        unsigned way = snceOrder_WayAt(order, place);
        uint32_t time;

        *idle = UINT32_MAX;
        if (way >= SNCE_WAYS || place == last) {
            break;
        }
        *seen = snceSlot_Version(&set->version[way]);
        time = snceLook_Idle(*seen, snceLook_StampOf(set, way), nowSec);
        if (time / 2 >= since) {
            *idle = time;
            return way;
        }
    }
    return SNCE_WAYS;
}

/* snceTable_FindIdlest finds the session of a full set that has been idle longest, and
 * for how long. SNCE_WAYS if the order does not say. */
static inline unsigned
snceTable_FindIdlest(const snceSet *set, snceOrder *order, uint32_t since,
                     uint32_t nowSec, snceVersion *seen, uint32_t *idle)
{
    unsigned unused = snceTable_FindUnused(set, order, seen), used;
    snceVersion its = 0;
    uint32_t time;

    *idle = unused == SNCE_WAYS
                ? 0
                : snceLook_Idle(*seen, snceLook_StampOf(set, unused), nowSec);
    used = snceTable_FindUsed(set, *order, since, nowSec, &its, &time);
    if (time <= *idle) {
        return unused;
    }
    *idle = time;
    *seen = its;
    return used;
}

/* snceTable_Rank makes the |order| of a set anew, of what is in it now, and keeps it
 * there. It becomes stale when it did before. Out of line: an order serves several
 * inserts. */
snceOrder snceTable_Rank(snceSet *set, snceOrder order, const snceWhen *when);

/* The same, by an order that is made anew if it does not say. */
static inline unsigned
snceTable_FindIdlestIn(snceSet *set, snceOrder *order, const snceWhen *when,
                       snceVersion *seen, uint32_t *idle)
{
    unsigned way =
        snceTable_FindIdlest(set, order, snceOrder_Since(*order, when->base),
                             when->nowSec, seen, idle);

    if (way < SNCE_WAYS) {
        return way;
    }
    *order = snceTable_Rank(set, *order, when);
    return snceTable_FindIdlest(set, order, 0, when->nowSec, seen, idle);
}

/* Whether the last session stored in a set was created after |nowSec|, by another
 * clock or before this one was set back. If so the set has to be weighed: it may be
 * one that lookups refuse, which goes first. */
static inline bool
snceTable_IsAhead(const snceSet *set, snceOrder order, uint32_t nowSec)
{
    unsigned way = snceOrder_WayAt(order, snceOrder_Unused(order) - 1);

    return way < SNCE_WAYS &&
           ((nowSec - snceLook_StampOf(set, way)) & SNCE_HALF_A_TURN) != 0;
}

/* snceTable_FindVictim finds the session to evict, if both sets are full of sessions,
 * none may be that of the key, and the order of both is fresh: so it is for most
 * inserts into a full cache. |*kept| is the order of its set then. False if not, and
 * for what else is rare. */
SNCE_INLINE bool
snceTable_FindVictim(snceSet *const set[2], uint64_t hash, const snceWhen *when,
                     snceSpot *out, snceOrder *kept)
{
    /* Relaxed: hints. */
    snceOrder first =
        atomic_load_explicit(&set[0]->order, memory_order_relaxed);
    snceOrder second =
        atomic_load_explicit(&set[1]->order, memory_order_relaxed);
    snceVersion seen[2] = { 0, 0 };
    unsigned used, way[2];
    bool other;

    /* The orders first: those of a cache that is being filled are stale. */
    if (!snceOrder_IsFresh(first, when->base) ||
        !snceOrder_IsFresh(second, when->base) ||
        !snceLook_Crowded(set, snceVersion_Tag(hash), &used)) {
        return false;
    }
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
    out->set = other ? set[1] : set[0];
    out->way = other ? way[1] : way[0];
    out->seen = other ? seen[1] : seen[0];
    *kept = other ? second : first;
    return out->way < SNCE_WAYS &&
           !snceTable_IsAhead(out->set, *kept, when->nowSec);
}

/* ---- storing ------------------------------------------------------------- */

/* snceTable_IsPlain tells whether the entry that a claim overwrites, whose words begin
 * at |from|, was alive, and refers to no certificate: then the claim costs nothing but
 * that entry. */
SNCE_INLINE bool
snceTable_IsPlain(const snceWord *from, const snceRule *rule)
{
    uint64_t words[SNCE_ENTRY_WORDS];

    snceSlot_Load(words + SNCE_W_CREATED, from + SNCE_W_CREATED, 3);
    return words[SNCE_W_CERTIFICATE] == 0 &&
           !snceRule_Expired(rule, snceTable_ClassOf(words),
                             (int64_t)words[SNCE_W_CREATED]);
}

/* snceTable_NoteTaken notes which entry a claim of |spot| overwrites. Of one that fails
 * its sum there is no certificate to release: a late writer spoiled it, and it refers
 * to nothing that counts. */
void snceTable_NoteTaken(const snceTable *table, const snceSpot *spot,
                         const snceRule *rule, snceTaken *taken);

/* snceTable_Write stores an entry in the slot |to| and its checksum, which begins with
 * |tweak|: the key of |probe|, the |words| before and behind the owner's |state|, and
 * that. A state goes straight to the slot, and no copy of it stays in this process.
 *
 * Not in line: among all that an insert has at hand, a compiler finds no registers
 * for the sum, and stores it after each product. */
static __attribute__((noinline)) void
snceTable_Write(const snceHash *hash, snceWord *to, uint64_t tweak,
                const snceProbe *probe, const uint64_t *words,
                const uint8_t state[SNCE_STATE_BYTES])
{
    /* The ID's part is known: where a session lies follows from it. */
    uint64_t sum[2] = { probe->sum[0] + tweak,
                        probe->sum[1] + SNCE_W_SUMMED - SNCE_W_ID };

    snceSlot_Store(to + SNCE_W_ID, probe->id, SNCE_ID_MAX / 8);
    snceSlot_Store(to + SNCE_W_ADDRESS, probe->address, 2);
    snceHash_Add(hash, sum, SNCE_W_ADDRESS - SNCE_W_ID, probe->address, 2);
#pragma GCC unroll 2
    for (unsigned i = SNCE_W_CREATED; i < SNCE_W_STATE; i += 2) {
        snceSlot_Store(to + i, words + i, 2);
        snceHash_Add(hash, sum, i - SNCE_W_ID, words + i, 2);
    }
    SNCE_STEP("place-half");
#pragma GCC unroll 6
    for (unsigned i = 0; i < SNCE_STATE_BYTES / 8; i += 2) {
        uint64_t pair[2];

        snceWord_Read(pair, state + (size_t)i * 8, 2);
        snceSlot_Store(to + SNCE_W_STATE + i, pair, 2);
        snceHash_Add(hash, sum, SNCE_W_STATE - SNCE_W_ID + i, pair, 2);
    }
    snceSlot_Store(to + SNCE_W_ACCESS, words + SNCE_W_ACCESS, 1);
    sum[0] = snceHash_Fold(sum);
    snceSlot_Store(to + SNCE_W_SUM, sum, 1);
}

/* snceTable_NoteStored stamps the entry of |words| at |spot|, and notes it in the
 * |order| of its set, which is then stale if the entry expires before others may. With
 * an order that is stale already, 0, it does not. */
SNCE_INLINE void
snceTable_NoteStored(const snceSpot *spot, const uint64_t *words,
                     const snceRule *rule, const snceWhen *when,
                     snceOrder order)
{
    unsigned sessionClass = snceTable_ClassOf(words);
    int64_t created = (int64_t)words[SNCE_W_CREATED];
    uint32_t stamp =
        created == rule->now.usec ? when->nowSec : snceSeconds(created);
    uint32_t age = snceLook_Age(stamp, when->nowSec, SNCE_CLOCKS_APART);

    /* Relaxed: hints. */
    atomic_store_explicit(&spot->set->stamp[spot->way],
                          stamp | (uint32_t)sessionClass << 31,
                          memory_order_relaxed);
    if (order == 0) {
        return;
    }
    order = snceOrder_Stored(order, spot->way);
    if (SNCE_RARELY((uint64_t)age + snceOrder_Left(order, when->base) >
                    rule->timeoutSec[sessionClass])) {
        order = snceOrder_Forget(order);
    }
    atomic_store_explicit(&spot->set->order, order, memory_order_relaxed);
}

/* snceTable_CleanUp wipes what this writer may have stored at |spot| after it lost
 * its claim. Returns whether an entry went, which was counted. */
bool snceTable_CleanUp(const snceTable *table, const snceSpot *spot);

/* snceTable_Fill stores an entry in the slot claimed at |spot|, notes it in the |order|
 * of the set, and publishes it. False if the claim was overridden. */
SNCE_INLINE bool
snceTable_Fill(const snceTable *table, snceSpot *spot, snceVersion claim,
               const snceProbe *probe, const uint64_t *words,
               const uint8_t *state, const snceRule *rule, const snceWhen *when,
               snceOrder order)
{
    snceTable_Write(&table->region->hash, spot->set->slot[spot->way].word,
                    snceSlot_Tweak(&table->lot, snceTable_PlaceOf(spot), claim),
                    probe, words, state);
    snceTable_NoteStored(spot, words, rule, when, order);
    SNCE_STEP("place-written");
    if (SNCE_RARELY(!snceSlot_Publish(&spot->set->version[spot->way], claim))) {
        return false;
    }
    SNCE_STEP("place-published");
    spot->seen = snceVersion_Published(claim);
    return true;
}

/* snceTable_Evict is snceTable_Place of a new entry into two full sets, in line, for
 * that is most inserts into a full cache. SNCE_MISS, and nothing is changed, if there
 * is more to it. |*plain| tells whether |*taken| was not written, for there is nothing
 * to say but that a live entry was evicted. */
SNCE_INLINE snceResult
snceTable_Evict(const snceTable *table, const snceProbe *probe,
                const snceRule *rule, const uint64_t *words,
                const uint8_t state[SNCE_STATE_BYTES], snceSpot *out,
                bool *plain, snceTaken *taken)
{
    const snceWhen when = snceWhen_Of(rule);
    snceVersion claim;
    snceOrder order;
    snceSet *set[2];
    snceSpot spot; /* |*out| is in memory */

    if (!snceTable_MappedSets(table, probe->hash, set) ||
        !snceTable_FindVictim(set, probe->hash, &when, &spot, &order) ||
        SNCE_RARELY(snceVersion_State(spot.seen) != SNCE_STATE_FULL ||
                    !snceSlot_Claim(&spot.set->version[spot.way], &table->lot,
                                    spot.seen, snceVersion_Tag(probe->hash),
                                    &claim))) {
        return SNCE_MISS;
    }
    SNCE_STEP("place-claimed");
    *plain = snceTable_IsPlain(spot.set->slot[spot.way].word, rule);
    *out = spot;
    if (SNCE_RARELY(!*plain)) {
        memset(taken, 0, sizeof(*taken));
        snceTable_NoteTaken(table, out, rule, taken);
    }
    if (SNCE_RARELY(!snceTable_Fill(table, &spot, claim, probe, words, state,
                                    rule, &when, order))) {
        if (*plain) {
            *plain = false;
            memset(taken, 0, sizeof(*taken));
            taken->full = true;
        }
        taken->spoiled = snceTable_CleanUp(table, out);
        return SNCE_DROPPED;
    }
    out->seen = spot.seen;
    return SNCE_OK;
}

#endif /* SNCEPLACE_H */
