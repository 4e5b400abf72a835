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

    return !SNCE_RARELY(way >= SNCE_WAYS) &&
           ((nowSec - snceLook_StampOf(set, way)) & SNCE_HALF_A_TURN) != 0;
}

/* snceVictim is the session to evict: where it is, and the order of its set when a
 * session is stored in its place. */
typedef struct {
    snceSet *set;
    unsigned way;
    snceVersion seen;
    snceOrder order;
} snceVictim;

/* snceTable_FindAnyVictim is snceTable_FindVictim in two full sets whose orders are
 * fresh, |used| of whose sessions were looked up. */
bool snceTable_FindAnyVictim(snceSet *const set[2], const snceOrder order[2],
                             unsigned used, uint64_t hash, const snceWhen *when,
                             snceVictim *out);

/* snceTable_FindFirst notes in |*out| the first session of the |order| of a full set;
 * the order as it is. False if that is not a session which nobody looked up. */
SNCE_INLINE bool
snceTable_FindFirst(snceSet *set, snceOrder order, snceVictim *out)
{
    out->set = set;
    out->order = order;
    out->way = (unsigned)order & 15;
    if (SNCE_RARELY(!snceOrder_HasUnused(order) || out->way >= SNCE_WAYS)) {
        return false;
    }
    out->seen = snceSlot_Version(&set->version[out->way]);
    return !SNCE_RARELY((out->seen & (SNCE_STATE_MASK | SNCE_VISITED)) !=
                        SNCE_STATE_FULL);
}

/* snceTable_FindVictim finds the session to evict, if both sets are full of sessions,
 * none may be that of the key, and the order of both is fresh: so it is for most
 * inserts into a full cache. False if not, and for what else is rare. */
SNCE_INLINE bool
snceTable_FindVictim(snceSet *const set[2], uint64_t hash, const snceWhen *when,
                     snceVictim *out)
{
    /* Relaxed: hints. */
    snceOrder first =
        atomic_load_explicit(&set[0]->order, memory_order_relaxed);
    snceOrder second =
        atomic_load_explicit(&set[1]->order, memory_order_relaxed);
    snceVictim one, two;
    unsigned used;
    uint32_t later;

    /* The orders first: those of a cache that is being filled are stale. */
    if (!snceOrder_IsFresh(first, when->base) ||
        !snceOrder_IsFresh(second, when->base) ||
        !snceLook_Crowded(set, snceVersion_Tag(hash), &used)) {
        return false;
    }
    if (SNCE_RARELY(
            !snceTable_EvictsUnused(2 * SNCE_WAYS - used, 2 * SNCE_WAYS) ||
            !snceTable_FindFirst(set[0], first, &one) ||
            !snceTable_FindFirst(set[1], second, &two))) {
        snceSet *const full[2] = { set[0], set[1] };
        const snceOrder order[2] = { first, second };
        const snceWhen now = *when;
        snceVictim found;

        if (!snceTable_FindAnyVictim(full, order, used, hash, &now, &found)) {
            return false;
        }
        *out = found;
        return true;
    }
    /* By how much the second one was stored later, without its class. An equal one
     * of the set that is preferred is earlier by 1. */
    later = (snceLook_StampOf(two.set, two.way) -
             snceLook_StampOf(one.set, one.way)) &
            SNCE_AGE_MAX;
    if ((later - snceTable_PrefersSecond(hash)) & SNCE_HALF_A_TURN) {
        one.set = two.set;
        one.way = two.way;
        one.seen = two.seen;
        one.order = two.order;
    }
    if (SNCE_RARELY(snceTable_IsAhead(one.set, one.order, when->nowSec))) {
        return false;
    }
    out->set = one.set;
    out->way = one.way;
    out->seen = one.seen;
    out->order = snceOrder_StoredFirst(one.order);
    return true;
}

/* ---- storing ------------------------------------------------------------- */

/* snceTable_IsPlain tells whether the entry that a claim overwrites, whose words begin
 * at |from|, was plainly alive, and refers to no certificate: then the claim costs
 * nothing but that entry. */
SNCE_INLINE bool
snceTable_IsPlain(const snceWord *from, const snceRule *rule)
{
    uint64_t words[SNCE_ENTRY_WORDS];

    snceSlot_Load(words + SNCE_W_CREATED, from + SNCE_W_CREATED, 3);
    return words[SNCE_W_CERTIFICATE] == 0 &&
           snceRule_Live(rule, snceTable_ClassOf(words),
                         (int64_t)words[SNCE_W_CREATED]);
}

/* snceTable_NoteTaken notes which entry a claim of |spot| overwrites. Of one that fails
 * its sum there is no certificate to release: a late writer spoiled it, and it refers
 * to nothing that counts. */
void snceTable_NoteTaken(const snceTable *table, const snceSpot *spot,
                         const snceRule *rule, snceTaken *taken);

/* snceTable_Write stores an entry in the slot |to| and its checksum, which begins with
 * |begin|: its |id|, SNCE_ID_MAX bytes, the |words| between that and the owner's
 * |state|, and that. A state goes straight to the slot, and no copy of it stays in this
 * process.
 *
 * Not in line: among all that an insert has at hand, a compiler finds no registers
 * for the sum, and stores it after each product. */
static __attribute__((noinline)) void
snceTable_Write(const snceHash *hash, snceWord *to, uint64_t begin,
                const uint8_t *id, const uint64_t *words,
                const uint8_t state[SNCE_STATE_BYTES])
{
    /* The ID's part is known: where a session lies follows from it. */
    uint64_t sum[2] = { begin, SNCE_W_SUMMED - SNCE_W_ID };

#pragma GCC unroll 2
    for (unsigned i = 0; i < SNCE_ID_MAX / 8; i += 2) {
        uint64_t pair[2];

        snceWord_Read(pair, id + (size_t)i * 8, 2);
        snceSlot_Store(to + SNCE_W_ID + i, pair, 2);
    }
#pragma GCC unroll 3
    for (unsigned i = SNCE_W_ADDRESS; i < SNCE_W_STATE; i += 2) {
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

/* snceTable_NoteStored stamps the entry of |words| at |way| of |set|, and keeps the
 * |order| of the set in which it was noted; as a stale one if the entry expires before
 * others may. An order that is stale already, 0, is left alone. */
SNCE_INLINE void
snceTable_NoteStored(snceSet *set, unsigned way, const uint64_t *words,
                     const snceRule *rule, const snceWhen *when,
                     snceOrder order)
{
    unsigned sessionClass = snceTable_ClassOf(words);
    int64_t created = (int64_t)words[SNCE_W_CREATED];
    uint32_t stamp = when->nowSec, age = 0;

    if (SNCE_RARELY(created != rule->now.usec)) {
        stamp = snceSeconds(created);
        age = snceLook_Age(stamp, when->nowSec, SNCE_CLOCKS_APART);
    }
    /* Relaxed: hints. */
    atomic_store_explicit(&set->stamp[way],
                          stamp | (uint32_t)sessionClass << 31,
                          memory_order_relaxed);
    if (order == 0) {
        return;
    }
    if (SNCE_RARELY((uint64_t)age + snceOrder_Left(order, when->base) >
                    rule->timeoutSec[sessionClass])) {
        order = snceOrder_Forget(order);
    }
    atomic_store_explicit(&set->order, order, memory_order_relaxed);
}

/* snceTable_CleanUp wipes what this writer may have stored at |spot| after it lost
 * its claim. Returns whether an entry went, which was counted. */
bool snceTable_CleanUp(const snceTable *table, const snceSpot *spot);

/* snceTable_Fill stores an entry, whose ID adds |sum| to its checksum, in the slot
 * claimed at |spot|, keeps the |order| of its set in which it was noted, and publishes
 * it. False if the claim was overridden. */
SNCE_INLINE bool
snceTable_Fill(const snceTable *table, snceSpot *spot, snceVersion claim,
               uint64_t sum, const uint8_t *id, const uint64_t *words,
               const uint8_t *state, const snceRule *rule, const snceWhen *when,
               snceOrder order)
{
    snceTable_NoteStored(spot->set, spot->way, words, rule, when, order);
    snceTable_Write(
        &table->region->hash, spot->set->slot[spot->way].word,
        sum + snceSlot_Tweak(&table->lot, snceTable_PlaceOf(spot), claim), id,
        words, state);
    SNCE_STEP("place-written");
    if (SNCE_RARELY(!snceSlot_Publish(&spot->set->version[spot->way], claim))) {
        return false;
    }
    SNCE_STEP("place-published");
    spot->seen = snceVersion_Published(claim);
    return true;
}

/* snceTable_ClaimVictim claims in the two sets of |hash| the slot of the session that an
 * entry evicts, if
 * snceTable_FindVictim finds it: so begins snceTable_Place of a new entry into two full
 * sets, in line. False, and nothing is changed, if there is more to it. */
SNCE_INLINE bool
snceTable_ClaimVictim(snceSet *const set[2], uint64_t hash,
                      const snceWhen *when, snceVictim *victim,
                      snceVersion *claim)
{
    if (!snceTable_FindVictim(set, hash, when, victim) ||
        SNCE_RARELY(!snceSlot_ClaimFull(&victim->set->version[victim->way],
                                        victim->seen, snceVersion_Tag(hash),
                                        claim))) {
        return false;
    }
    SNCE_STEP("place-claimed");
    return true;
}

#endif /* SNCEPLACE_H */
