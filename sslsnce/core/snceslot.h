/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceslot.h: the protocol by which slots are read and written (rules 2 to 5).
 *
 * Tables and blob stores keep their words under it; the key log, whose cells
 * have one writer each, uses its loads and stores alone. A writer claims a slot
 * by its version word, stores the words, and publishes; a reader copies the
 * words between two loads of the version and checks their sum.
 *
 * A claim may be overridden by anybody at any time: the holder then fails to
 * publish, and whatever it still stores spoils a checksum, never an entry. So
 * nobody waits for a holder and nobody asks whether it lives. */
#ifndef SNCESLOT_H
#define SNCESLOT_H

#include "snceversion.h"
#include "sncehash.h"
#include "sncelayout.h"
#include "sncestep.h"

/* snceLot is what tells one life of a range of the heap, and the slots that lie
 * in it, from those that lay there before and will lie there after (rule 12).
 */
typedef struct {
    uint64_t salt; /* goes into every checksum */
} snceLot;

/* snceLot_Start returns where its generations count from: a multiple of 256. */
static inline uint32_t
snceLot_Start(const snceLot *lot)
{
    return (uint32_t)(lot->salt >> 32) & ~UINT32_C(0xff);
}

/* snceLot_Of returns the lot of the range whose word is |range|, for the
 * virtual server |id|. */
static inline snceLot
snceLot_Of(uint64_t range, snceLocalId id)
{
    uint64_t owner = (uint64_t)id.generation << 32 | id.number;
    snceLot lot = { range * UINT64_C(0x9e3779b97f4a7c15) +
                    owner * UINT64_C(0xd1342543de82ef95) };

    return lot;
}

/* snceSlot_Claim claims the slot whose version was seen to be |old|, for an
 * entry of |tag|. On true |*claim| is what to publish or vacate.
 *
 * Sequentially consistent: it pairs with the loads of snceTable_Remove, which
 * must see a claim that went before the check of |source| in snceTable_Place. */
static inline bool
snceSlot_Claim(snceWord *version, const snceLot *lot, snceVersion old,
               uint64_t tag, snceVersion *claim)
{
    *claim = snceVersion_Claimed(old, snceLot_Start(lot), tag);
    return atomic_compare_exchange_strong_explicit(
        version, &old, *claim, memory_order_seq_cst, memory_order_relaxed);
}

/* snceSlot_ClaimFull is the same where |old| is full. */
static inline bool
snceSlot_ClaimFull(snceWord *version, snceVersion old, uint64_t tag,
                   snceVersion *claim)
{
    *claim = snceVersion_ClaimedFull(old, tag);
    return atomic_compare_exchange_strong_explicit(
        version, &old, *claim, memory_order_seq_cst, memory_order_relaxed);
}

/* snceSlot_Holds tells whether |claim| still stands. Acquire: as
 * snceSlot_Version. */
static inline bool
snceSlot_Holds(const snceWord *version, snceVersion claim)
{
    return snceVersion_Same(atomic_load_explicit(version, memory_order_acquire),
                            claim);
}

/* snceSlot_End makes |next| of |claim|; false if the claim was overridden.
 * Another writer may have noted, once, when it passed (snceClaim_Abandoned). */
static inline bool
snceSlot_End(snceWord *version, snceVersion claim, snceVersion next)
{
    snceVersion seen = claim;

    return atomic_compare_exchange_strong_explicit(version, &seen, next,
                                                   memory_order_seq_cst,
                                                   memory_order_relaxed) ||
           (snceVersion_Same(seen, claim) &&
            atomic_compare_exchange_strong_explicit(version, &seen, next,
                                                    memory_order_seq_cst,
                                                    memory_order_relaxed));
}

/* snceSlot_Publish makes the words stored under |claim| visible; false if the
 * claim was overridden, and then they never were.
 *
 * Release: pairs with the acquire load in snceSlot_Version. Sequentially
 * consistent: pairs with the load of snceView_Moved, which the writer makes
 * after it. Either that sees the move, or who moves, and looks at the slots
 * after saying so, sees this. */
static inline bool
snceSlot_Publish(snceWord *version, snceVersion claim)
{
    return snceSlot_End(version, claim, snceVersion_Published(claim));
}

/* snceSlot_Vacate empties a claimed slot, at |tick| if the claim overrode
 * another one. The caller wiped its words. Release: whoever claims the slot
 * next stores after the wiping. */
static inline bool
snceSlot_Vacate(snceWord *version, snceVersion claim, uint8_t tick)
{
    return snceSlot_End(version, claim, snceVersion_Vacated(claim, tick));
}

/* snceSlot_Store stores |count| words under a claim.
 *
 * Release: a reader that sees one of these words (snceSlot_Load) sees the
 * claim too, and so finds the version changed. */
static inline void
snceSlot_Store(snceWord *to, const uint64_t *from, size_t count)
{
#pragma GCC unroll 8
    for (size_t i = 0; i < count; i++) {
        if (count == SNCE_ENTRY_WORDS && i == count / 2) {
            SNCE_STEP("place-half");
        }
        atomic_store_explicit(&to[i], from[i], memory_order_release);
    }
}

/* snceSlot_Wipe overwrites |count| words under a claim, as snceSlot_Store. */
static inline void
snceSlot_Wipe(snceWord *to, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        atomic_store_explicit(&to[i], 0, memory_order_release);
    }
}

/* snceSlot_Load copies |count| words, which may change meanwhile.
 *
 * Acquire: pairs with snceSlot_Store, so that the load of the version in
 * snceSlot_Unchanged cannot come before these. */
static inline void
snceSlot_Load(uint64_t *to, const snceWord *from, size_t count)
{
#pragma GCC unroll 24
    for (size_t i = 0; i < count; i++) {
        to[i] = atomic_load_explicit(&from[i], memory_order_acquire);
    }
}

/* snceSlot_Version begins a read. Acquire: pairs with snceSlot_Publish. */
static inline snceVersion
snceSlot_Version(const snceWord *version)
{
    return atomic_load_explicit(version, memory_order_acquire);
}

/* snceSlot_Unchanged ends a read that began at |seen|. Relaxed: the words were
 * loaded with acquire before it. */
static inline bool
snceSlot_Unchanged(const snceWord *version, snceVersion seen)
{
    return snceVersion_Same(atomic_load_explicit(version, memory_order_relaxed),
                            seen);
}

/* snceSlot_Visit notes that an entry was used. Losing the race is harmless:
 * it is a hint to the replacement. */
static inline void
snceSlot_Visit(snceWord *version, snceVersion seen)
{
    if (!(seen & SNCE_VISITED)) {
        (void)atomic_compare_exchange_strong_explicit(
            version, &seen, seen | SNCE_VISITED, memory_order_relaxed,
            memory_order_relaxed);
    }
}

/* snceSlot_Use notes that an entry, created |sec| seconds ago, was used. Losing
 * the race is as harmless. */
static inline void
snceSlot_Use(snceWord *version, snceVersion seen, uint32_t sec)
{
    snceVersion used = snceVersion_Used(seen, sec);

    if (used != seen) {
        (void)atomic_compare_exchange_strong_explicit(
            version, &seen, used, memory_order_relaxed, memory_order_relaxed);
    }
}

/* snceSlot_Forget takes the note of snceSlot_Visit back, from an entry only: in
 * other states the bit is SNCE_OVERRODE. */
static inline void
snceSlot_Forget(snceWord *version, snceVersion seen)
{
    if (snceVersion_State(seen) == SNCE_STATE_FULL && (seen & SNCE_VISITED)) {
        (void)atomic_compare_exchange_strong_explicit(
            version, &seen, seen & ~(uint64_t)SNCE_VISITED,
            memory_order_relaxed, memory_order_relaxed);
    }
}

/* snceSlot_Tweak is what a slot's checksum begins with. |place| is where in its
 * range the slot lies; the lot says which range that is. The generation and the
 * tag are part of it, the state and the hints are not. */
static inline uint64_t
snceSlot_Tweak(const snceLot *lot, uint64_t place, snceVersion v)
{
    uint64_t generation = v >> SNCE_GENERATION_SHIFT;

    return (generation << SNCE_GENERATION_SHIFT | (v & SNCE_TAG_MASK)) ^
           (place * UINT64_C(0xbf58476d1ce4e5b9) + lot->salt);
}

/* snceSlot_Sum is the checksum of |count| words, at most SNCE_HASH_KEYS, that
 * lie at the slot |place| of |lot| under the version |v|. Sums are compared with
 * sums only, so they are not mixed as hashes are. */
static inline uint64_t
snceSlot_Sum(const snceHash *hash, const snceLot *lot, uint64_t place,
             snceVersion v, const uint64_t *words, size_t count)
{
    return snceHash_FoldBlock(hash, snceSlot_Tweak(lot, place, v), words,
                              count);
}

/* snceSlot_Look copies the |ways| version words of a set and returns its hand:
 * the sum of the generations, which every claim in the set counts up, and with
 * which the choice among equals goes round. Relaxed: what is then used is
 * loaded again or compared by the claim. */
static inline uint8_t
snceSlot_Look(snceVersion *seen, const snceWord *version, unsigned ways)
{
    uint32_t hand = 0;

    for (unsigned way = 0; way < ways; way++) {
        seen[way] = atomic_load_explicit(&version[way], memory_order_relaxed);
        hand += snceVersion_Generation(seen[way]);
    }
    return (uint8_t)hand;
}

#endif /* SNCESLOT_H */
