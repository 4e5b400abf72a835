/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceplace.h: how an insert into a full cache evicts a session and stores its
 * own.
 *
 * Inlined, as sncefind.h is. An insert that finds free slots, claims, its own
 * ID or expired sessions calls snceTable_Place (sncetable.c), which uses the
 * steps of this file too. */
#ifndef SNCEPLACE_H
#define SNCEPLACE_H

#include "sncefind.h"
#include "sncelook.h"
#include "snceorder.h"

/* snceSeconds returns a time in the seconds of stamps. They are counted from an
 * origin of their own, so that no time is negative; only their differences have
 * a meaning. */
static inline uint32_t
snceSeconds(int64_t usec)
{
    return (uint32_t)(((uint64_t)usec ^ UINT64_C(1) << 63) /
                      SNCE_USEC_PER_SEC) &
           SNCE_AGE_MAX;
}

/* snceWhen is the time of an insert, in seconds of stamps. */
typedef struct {
    uint32_t nowSec;
    uint32_t base; /* the same plus a number that follows from the timeouts:
                    * snceorder.h */
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

/* snceTable_Longer tells whether the candidate of the second set is evicted:
 * the one with the longer |time| is. If both times are equal, the |hash|
 * chooses the set. */
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

/* snceTable_SecondIsFirst tells by the |stamps| of two sessions whether the
 * second one was stored first. If both were stored in the same second, the hash
 * decides. */
static inline bool
snceTable_SecondIsFirst(const uint32_t stamps[2], uint64_t hash)
{
    uint32_t later = (stamps[1] - stamps[0]) & SNCE_AGE_MAX; /* without the bit
                                                              * of the class */

    return (later - snceTable_PrefersSecond(hash)) & SNCE_HALF_A_TURN;
}

/* Should an insert evict a session that nobody looked up since it was stored?
 * Yes, while |unused| such sessions take two fifths or more of the room for
 * |all|. */
static inline bool
snceTable_EvictsUnused(unsigned unused, unsigned all)
{
    return 5 * unused >= 2 * all;
}

/* snceTable_FindUnused finds, among the sessions of a full set that nobody
 * looked up, the one that was stored first. It moves those that were looked up
 * since the set was weighed to the end of |*order|. Returns its way, or
 * SNCE_WAYS if there is none. */
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

/* After passing over so many sessions that were used since their set was
 * weighed, an insert has the set ranked again. */
#define SNCE_PASSED_MAX 3

/* snceTable_FindUsed finds, among the sessions of a full set that were looked
 * up, the one that has been idle longest. That is the first one in the |order|
 * that was not used in the last |since| seconds, which is how long ago the set
 * was weighed. Returns its way, with |*idle| as in snceLook_Idle. Otherwise
 * returns SNCE_WAYS, with an |*idle| of 0 if no session was looked up, and of
 * UINT32_MAX if the order does not tell. */
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

/* snceTable_FindIdlest finds the session of a full set that has been idle
 * longest. Returns its way, with |*idle| as in snceLook_Idle, or SNCE_WAYS if
 * the order does not tell. */
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

/* snceTable_Rank ranks the sessions that are in a set now, stores the new order
 * in the set and returns it. It becomes stale when |order| would have. Not
 * inlined, because an order serves several inserts. */
snceOrder snceTable_Rank(snceSet *set, snceOrder order, const snceWhen *when);

/* snceTable_FindIdlest, with a new order if |*order| does not tell. */
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

/* Was the last session stored in a set created after |nowSec|, by another clock
 * or before this clock was set back? Then the set must be weighed: lookups may
 * refuse the session, and then it is the first to be evicted. */
static inline bool
snceTable_IsAhead(const snceSet *set, snceOrder order, uint32_t nowSec)
{
    unsigned way = snceOrder_WayAt(order, snceOrder_Unused(order) - 1);

    return !SNCE_RARELY(way >= SNCE_WAYS) &&
           ((nowSec - snceLook_StampOf(set, way)) & SNCE_HALF_A_TURN) != 0;
}

/* snceVictim is the session to evict: its place, its version, and what the
 * order of its set becomes when a session is stored in its place. */
typedef struct {
    snceSet *set;
    unsigned way;
    snceVersion seen;
    snceOrder order;
} snceVictim;

/* snceTable_FindAnyVictim does the work of snceTable_FindVictim for any two
 * full sets whose orders are fresh. */
bool snceTable_FindAnyVictim(snceSet *const set[2], const snceOrder order[2],
                             uint64_t hash, const snceWhen *when,
                             snceVictim *out);

/* snceTable_FindFirst writes the first session of the |order| of a full set,
 * and the order unchanged, to |*out|. Returns false unless that is a session
 * which nobody looked up. */
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

/* snceTable_FindVictim finds the session to evict. It succeeds if both sets are
 * full of sessions, none of them can have the key, and the orders of both sets
 * are fresh, as for most inserts into a full cache. Returns false otherwise,
 * and in other rare cases. */
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
    uint32_t stamps[2];

    /* Check the orders first: in a cache that is being filled they are
     * stale. */
    if (!snceOrder_IsFresh(first, when->base) ||
        !snceOrder_IsFresh(second, when->base) ||
        !snceLook_Crowded(set, snceVersion_Tag(hash))) {
        return false;
    }
    /* An order counts a session as unused until its turn comes, even if it was
     * looked up since the order was made. So one session more than two fifths
     * is required. */
    if (SNCE_RARELY(!snceTable_EvictsUnused(snceOrder_Unused(first) +
                                                snceOrder_Unused(second),
                                            2 * SNCE_WAYS + 1) ||
                    !snceTable_FindFirst(set[0], first, &one) ||
                    !snceTable_FindFirst(set[1], second, &two))) {
        snceSet *const full[2] = { set[0], set[1] };
        const snceOrder order[2] = { first, second };
        const snceWhen now = *when;
        snceVictim found;

        if (!snceTable_FindAnyVictim(full, order, hash, &now, &found)) {
            return false;
        }
        *out = found;
        return true;
    }
    stamps[0] = snceLook_StampOf(one.set, one.way);
    stamps[1] = snceLook_StampOf(two.set, two.way);
    if (snceTable_SecondIsFirst(stamps, hash)) {
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

/* snceTable_IsPlain tells whether the entry that a claim overwrites, whose
 * words begin at |from|, is clearly alive and refers to no certificate. Then
 * the claim costs nothing but that entry. */
SNCE_INLINE bool
snceTable_IsPlain(const snceWord *from, const snceRule *rule)
{
    uint64_t words[SNCE_ENTRY_WORDS];

    snceSlot_Load(words + SNCE_W_CREATED, from + SNCE_W_CREATED, 3);
    return words[SNCE_W_CERTIFICATE] == 0 &&
           snceRule_Live(rule, snceTable_ClassOf(words),
                         (int64_t)words[SNCE_W_CREATED]);
}

/* snceTable_NoteTaken notes in |*taken| which entry a claim of |position|
 * overwrites. If the entry fails its checksum there is no certificate to
 * release: a late writer has spoiled it, and its reference does not count. */
void snceTable_NoteTaken(const snceTable *table, const sncePosition *position,
                         const snceRule *rule, snceTaken *taken);

/* snceTable_Write stores an entry in the slot |to|, and its checksum, which
 * begins with |begin|. The entry consists of |id|, SNCE_ID_MAX bytes; the
 * |words| between that and the owner's |state|; and the state. The state is
 * stored straight into the slot: no copy of it stays in this process.
 *
 * Not inlined: in the midst of an insert a compiler finds no registers for the
 * checksum, and stores it after each product. */
static __attribute__((noinline)) void
snceTable_Write(const snceHash *hash, snceWord *to, uint64_t begin,
                const uint8_t *id, const uint64_t *words,
                const uint8_t state[SNCE_STATE_BYTES])
{
    /* The ID's part of the sum is in |begin| already: it comes with the hash
     * that says where a session lies. */
    uint64_t sum[2] = { begin, SNCE_W_SUMMED - SNCE_W_ID };

    SNCE_UNROLL(2)
    for (unsigned i = 0; i < SNCE_ID_MAX / 8; i += 2) {
        uint64_t pair[2];

        snceWord_Read(pair, id + (size_t)i * 8, 2);
        snceSlot_Store(to + SNCE_W_ID + i, pair, 2);
    }
    SNCE_UNROLL(3)
    for (unsigned i = SNCE_W_ADDRESS; i < SNCE_W_STATE; i += 2) {
        snceSlot_Store(to + i, words + i, 2);
        snceHash_Add(hash, sum, i - SNCE_W_ID, words + i, 2);
    }
    SNCE_STEP("place-half");
    SNCE_UNROLL(6)
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

/* snceTable_NoteStored stores the stamp of the entry of |words| at |way| of
 * |set|, and the set's |order|, in which the entry is noted already. The order
 * is stored as a stale one if the entry expires before the others may. */
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
    if (SNCE_RARELY((uint64_t)age + snceOrder_Left(order, when->base) >
                    rule->timeoutSec[sessionClass])) {
        order = snceOrder_Forget(order);
    }
    atomic_store_explicit(&set->order, order, memory_order_relaxed);
}

/* snceTable_CleanUp wipes what this writer, which has lost its claim, may have
 * stored at |position|, including |state|. Returns true if that took out an
 * entry that was counted. */
bool snceTable_CleanUp(const snceTable *table, const sncePosition *position,
                       const uint8_t state[SNCE_STATE_BYTES]);

/* snceTable_Fill stores an entry in the slot claimed at |position|, and
 * publishes it. |sum| is what the ID adds to its checksum; |order| becomes the
 * order of its set, and has the entry noted already. Returns false if the claim
 * was overridden. */
SNCE_INLINE bool
snceTable_Fill(const snceTable *table, sncePosition *position,
               snceVersion claim, uint64_t sum, const uint8_t *id,
               const uint64_t *words, const uint8_t *state,
               const snceRule *rule, const snceWhen *when, snceOrder order)
{
    snceTable_NoteStored(position->set, position->way, words, rule, when,
                         order);
    snceTable_Write(
        &table->region->hash, position->set->slot[position->way].word,
        sum + snceSlot_Tweak(&table->epoch, snceTable_PlaceOf(position), claim),
        id, words, state);
    SNCE_STEP("place-written");
    if (SNCE_RARELY(
            !snceSlot_Publish(&position->set->version[position->way], claim))) {
        return false;
    }
    SNCE_STEP("place-published");
    position->seen = snceVersion_Published(claim);
    return true;
}

/* snceTable_ClaimVictim claims, in the two sets of |hash|, the slot of the
 * session that snceTable_FindVictim finds to evict. It is the inlined beginning
 * of snceTable_Place, for a new entry and two full sets. Returns false, with
 * nothing changed, in any other case. */
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
