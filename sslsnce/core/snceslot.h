/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceslot.h: the protocol by which slots are read and written (rules 2 to 5).
 *
 * Tables and certificate stores keep their words under it. The key log, whose
 * cells have one writer each, uses only its loads and stores. A writer claims a
 * slot by its version word, stores the words, and publishes them. A reader
 * copies the words between two loads of the version word and checks their
 * checksum.
 *
 * Anybody may override a claim at any time. The holder then fails to publish,
 * and what it still stores spoils a checksum, never makes an entry. So no
 * process waits for the holder of a claim, and none asks whether the holder
 * lives. */
#ifndef SNCESLOT_H
#define SNCESLOT_H

#include "snceversion.h"
#include "sncehash.h"
#include "sncelayout.h"
#include "sncestep.h"

/* snceEpoch tells the slots of one epoch of a range from the slots that lay
 * there before and from those that will lie there after it (rule 12). */
typedef struct {
    uint64_t salt; /* goes into every checksum */
} snceEpoch;

/* snceEpoch_Start returns the number from which the epoch's generations count,
 * a multiple of 256. */
static inline uint32_t
snceEpoch_Start(const snceEpoch *epoch)
{
    return (uint32_t)(epoch->salt >> 32) & ~UINT32_C(0xff);
}

/* snceEpoch_Of returns the epoch of the range whose word is |range|, for the
 * virtual server |id|. */
static inline snceEpoch
snceEpoch_Of(uint64_t range, snceLocalId id)
{
    uint64_t owner = (uint64_t)id.generation << 32 | id.number;
    snceEpoch epoch = { range * UINT64_C(0x9e3779b97f4a7c15) +
                        owner * UINT64_C(0xd1342543de82ef95) };

    return epoch;
}

/* snceSlot_Claim claims the slot whose version was seen to be |old|, for an
 * entry of |tag|. Returns false if the version is another one by now. On true
 * the caller publishes or vacates |*claim|.
 *
 * Sequentially consistent: pairs with the loads of snceTable_Remove. A removal
 * that comes after the check of |source| in snceTable_Place must see the claim,
 * which came before that check. */
static inline bool
snceSlot_Claim(snceWord *version, const snceEpoch *epoch, snceVersion old,
               uint64_t tag, snceVersion *claim)
{
    *claim = snceVersion_Claimed(old, snceEpoch_Start(epoch), tag);
    return atomic_compare_exchange_strong_explicit(
        version, &old, *claim, memory_order_seq_cst, memory_order_relaxed);
}

/* snceSlot_ClaimFull is snceSlot_Claim for an |old| that is FULL. */
static inline bool
snceSlot_ClaimFull(snceWord *version, snceVersion old, uint64_t tag,
                   snceVersion *claim)
{
    *claim = snceVersion_ClaimedFull(old, tag);
    return atomic_compare_exchange_strong_explicit(
        version, &old, *claim, memory_order_seq_cst, memory_order_relaxed);
}

/* snceSlot_Holds tells whether |claim| has not been overridden. Acquire: as in
 * snceSlot_Version. */
static inline bool
snceSlot_Holds(const snceWord *version, snceVersion claim)
{
    return snceVersion_Same(atomic_load_explicit(version, memory_order_acquire),
                            claim);
}

/* snceSlot_End changes the version from |claim| to |next|. Returns false if the
 * claim was overridden. The second try is for a writer that has noted in the
 * claim, once, that it passed (snceClaim_Abandoned). */
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

/* snceSlot_Publish makes the words stored under |claim| visible. Returns false
 * if the claim was overridden; then the words never were visible.
 *
 * Release: pairs with the acquire load in snceSlot_Version. Sequentially
 * consistent: pairs with the load of snceView_Moved, which the writer makes
 * afterwards. A process that moves the cache first says so and then looks at
 * the slots. So either the writer's load sees the move, or that process sees
 * this entry. */
static inline bool
snceSlot_Publish(snceWord *version, snceVersion claim)
{
    return snceSlot_End(version, claim, snceVersion_Published(claim));
}

/* snceSlot_Vacate empties a claimed slot. The caller has wiped its words. If
 * the claim overrode another one, the version notes the time |tick|. Release:
 * the next writer that claims the slot stores after the wiping. */
static inline bool
snceSlot_Vacate(snceWord *version, snceVersion claim, uint8_t tick)
{
    return snceSlot_End(version, claim, snceVersion_Vacated(claim, tick));
}

/* snceSlot_Store stores |count| words under a claim.
 *
 * Release: pairs with snceSlot_Load. A reader that sees one of these words sees
 * the claim too, and so finds the version changed. */
static inline void
snceSlot_Store(snceWord *to, const uint64_t *from, size_t count)
{
    SNCE_UNROLL(8)
    for (size_t i = 0; i < count; i++) {
        if (count == SNCE_ENTRY_WORDS && i == count / 2) {
            SNCE_STEP("place-half");
        }
        atomic_store_explicit(&to[i], from[i], memory_order_release);
    }
}

/* snceSlot_TakeBack wipes the word at |at| if it is still |word|, which a late
 * writer stored there. The memory may belong to another table by now. */
static inline void
snceSlot_TakeBack(snceWord *at, uint64_t word)
{
    if (word != 0) {
        (void)atomic_compare_exchange_strong_explicit(
            at, &word, 0, memory_order_relaxed, memory_order_relaxed);
    }
}

/* snceSlot_Wipe overwrites |count| words with zeros under a claim. Release: as
 * in snceSlot_Store. */
static inline void
snceSlot_Wipe(snceWord *to, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        atomic_store_explicit(&to[i], 0, memory_order_release);
    }
}

/* snceSlot_Load copies |count| words, which may change meanwhile.
 *
 * Acquire: pairs with snceSlot_Store, so that snceSlot_Unchanged loads the
 * version after these words. */
static inline void
snceSlot_Load(uint64_t *to, const snceWord *from, size_t count)
{
    SNCE_UNROLL(24)
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

/* snceSlot_Visit notes that an entry was used. A lost update is harmless: the
 * note only guides eviction. */
static inline void
snceSlot_Visit(snceWord *version, snceVersion seen)
{
    if (!(seen & SNCE_VISITED)) {
        (void)atomic_compare_exchange_strong_explicit(
            version, &seen, seen | SNCE_VISITED, memory_order_relaxed,
            memory_order_relaxed);
    }
}

/* snceSlot_Use notes that an entry was used |sec| seconds after it was created.
 * A lost update is harmless, as in snceSlot_Visit. */
static inline void
snceSlot_Use(snceWord *version, snceVersion seen, uint32_t sec)
{
    snceVersion used = snceVersion_Used(seen, sec);

    if (used != seen) {
        (void)atomic_compare_exchange_strong_explicit(
            version, &seen, used, memory_order_relaxed, memory_order_relaxed);
    }
}

/* snceSlot_Forget takes back the note of snceSlot_Visit. It does so for FULL
 * slots only: in the other states the same bit is SNCE_OVERRODE. */
static inline void
snceSlot_Forget(snceWord *version, snceVersion seen)
{
    if (snceVersion_State(seen) == SNCE_STATE_FULL && (seen & SNCE_VISITED)) {
        (void)atomic_compare_exchange_strong_explicit(
            version, &seen, seen & ~(uint64_t)SNCE_VISITED,
            memory_order_relaxed, memory_order_relaxed);
    }
}

/* snceSlot_Tweak returns the number with which a slot's checksum begins.
 * |place| is where in its chunk or range the slot lies; |epoch| says which
 * epoch of which range that is. The generation and the tag are part of the
 * number; the state and the hints are not. */
static inline uint64_t
snceSlot_Tweak(const snceEpoch *epoch, uint64_t place, snceVersion v)
{
    uint64_t generation = v >> SNCE_GENERATION_SHIFT;

    return (generation << SNCE_GENERATION_SHIFT | (v & SNCE_TAG_MASK)) ^
           (place * UINT64_C(0xbf58476d1ce4e5b9) + epoch->salt);
}

/* snceSlot_Sum returns the checksum of |count| words, at most SNCE_HASH_KEYS,
 * that lie in the slot at |place| of |epoch| under the version |v|. Checksums
 * are compared only with each other, so they are not mixed as hashes are. */
static inline uint64_t
snceSlot_Sum(const snceHash *hash, const snceEpoch *epoch, uint64_t place,
             snceVersion v, const uint64_t *words, size_t count)
{
    return snceHash_FoldBlock(hash, snceSlot_Tweak(epoch, place, v), words,
                              count);
}

/* snceSlot_Look copies the |ways| version words of a set. It returns the set's
 * hand: the sum of the generations. Every claim in the set counts the hand up,
 * and where several ways are equally good, the choice among them goes round
 * with it. Relaxed: the caller loads again, or claims by compare-and-swap,
 * whatever it then uses. */
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
