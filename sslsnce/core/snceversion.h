/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceversion.h: the version word, one 64-bit word that says all about a slot.
 *
 *   63            32 31    24 23          3   2     1 0
 *  +----------------+--------+-------------+-------+-----+
 *  |   generation   | ticket |     tag     |visited|state|
 *  +----------------+--------+-------------+-------+-----+
 *
 * The ticket of a claim is the time at which another writer first passed the
 * claim, 0 if none has (rule 5). The ticket of a full slot in a table is how
 * long after its creation the session was last looked up. The ticket of an
 * empty slot is the time at which a claim that had overridden another one
 * emptied the slot, otherwise 0.
 *
 * The word changes by compare-and-swap only. So state, tag and generation
 * change together, and no late store of a writer that lost its claim can touch
 * them (rule 2). Every claim of a slot counts the generation up by one. A claim
 * and the entry published from it have the same generation.
 *
 * This header is pure arithmetic on a value; nothing here touches memory. */
#ifndef SNCEVERSION_H
#define SNCEVERSION_H

#include <stdbool.h>
#include <stdint.h>

typedef uint64_t snceVersion;

#define SNCE_STATE_EMPTY 0u /* all-zero memory is an empty slot */
#define SNCE_STATE_FULL 1u  /* an entry may be read */
#define SNCE_STATE_BUSY 2u  /* a writer claimed it, and may have died */
#define SNCE_STATE_MASK 3u

#define SNCE_VISITED                                                           \
    4u /* FULL: looked up since it was stored; readers set it */
#define SNCE_OVERRODE                                                          \
    SNCE_VISITED /* BUSY: this claim overrode another one; EMPTY: such a claim \
                  * left the slot, at the time in the ticket */

#define SNCE_TAG_SHIFT 3
#define SNCE_TAG_BITS 21
#define SNCE_TAG_MASK (((UINT64_C(1) << SNCE_TAG_BITS) - 1) << SNCE_TAG_SHIFT)

#define SNCE_TICKET_SHIFT 24
#define SNCE_TICKET_MASK (UINT64_C(0xff) << SNCE_TICKET_SHIFT)
#define SNCE_GENERATION_SHIFT 32

static inline unsigned
snceVersion_State(snceVersion v)
{
    return (unsigned)(v & SNCE_STATE_MASK);
}

static inline uint32_t
snceVersion_Generation(snceVersion v)
{
    return (uint32_t)(v >> SNCE_GENERATION_SHIFT);
}

static inline uint8_t
snceVersion_Ticket(snceVersion v)
{
    return (uint8_t)(v >> SNCE_TICKET_SHIFT);
}

/* snceVersion_Tag takes the tag out of a hash. The tag's bits stay where they
 * are. */
static inline uint64_t
snceVersion_Tag(uint64_t hash)
{
    return hash & SNCE_TAG_MASK;
}

/* snceVersion_Differs returns 0 if |v| is in |state| with |tag|, else another
 * value below 2^32. */
static inline uint64_t
snceVersion_Differs(snceVersion v, unsigned state, uint64_t tag)
{
    return (v ^ (tag | state)) & (SNCE_TAG_MASK | SNCE_STATE_MASK);
}

/* snceVersion_Matches tells whether |v| is in |state| with |tag|. */
static inline bool
snceVersion_Matches(snceVersion v, unsigned state, uint64_t tag)
{
    return snceVersion_Differs(v, state, tag) == 0;
}

/* snceVersion_Same tells whether two versions differ at most in what readers
 * note there, which does not change what a slot holds. */
static inline bool
snceVersion_Same(snceVersion a, snceVersion b)
{
    return ((a ^ b) & ~(SNCE_TICKET_MASK | SNCE_VISITED)) == 0;
}

/* snceVersion_Used returns what |v| becomes when its session, created |sec|
 * seconds ago, is looked up. The time is kept in steps that grow with it, four
 * between one power of two and the next. So most lookups need not write. */
static inline snceVersion
snceVersion_Used(snceVersion v, uint32_t sec)
{
    unsigned shift = sec < 8 ? 0 : 29 - (unsigned)__builtin_clz(sec);
    uint64_t step = 4 * shift + (sec >> shift);

    return (v & ~SNCE_TICKET_MASK) | step << SNCE_TICKET_SHIFT | SNCE_VISITED;
}

/* snceVersion_UsedAt returns the seconds that snceVersion_Used noted, rounded
 * up to the end of their step; 0 if nothing was noted. */
static inline uint64_t
snceVersion_UsedAt(snceVersion v)
{
    unsigned step = snceVersion_Ticket(v);
    unsigned few = step < 8; /* no branch: it could not be predicted */
    unsigned shift = (step / 4 - 1) & (few - 1) & 63;

    return (((uint64_t)step - 4 * shift + 1) << shift) - 1;
}

/* snceVersion_WithTicket returns |v| with another ticket. */
static inline snceVersion
snceVersion_WithTicket(snceVersion v, uint8_t ticket)
{
    return (v & ~SNCE_TICKET_MASK) | (uint64_t)ticket << SNCE_TICKET_SHIFT;
}

/* snceVersion_Claimed returns the word with which a writer claims a slot that
 * holds |old|, for an entry of |tag|. The generations of a slot that nobody has
 * claimed before count from |start|. */
static inline snceVersion
snceVersion_Claimed(snceVersion old, uint32_t start, uint64_t tag)
{
    uint32_t before = old ? snceVersion_Generation(old) : start;
    uint64_t generation = (uint32_t)(before + 1);
    uint64_t overrode =
        snceVersion_State(old) == SNCE_STATE_BUSY ? SNCE_OVERRODE : 0;

    return generation << SNCE_GENERATION_SHIFT | tag | overrode |
           SNCE_STATE_BUSY;
}

/* snceVersion_ClaimedFull is snceVersion_Claimed for an |old| that is FULL. */
static inline snceVersion
snceVersion_ClaimedFull(snceVersion old, uint64_t tag)
{
    uint64_t generation = snceVersion_Generation(old) + UINT32_C(1);

    return generation << SNCE_GENERATION_SHIFT | tag | SNCE_STATE_BUSY;
}

/* snceVersion_Published returns what a claim becomes when its entry is
 * complete. */
static inline snceVersion
snceVersion_Published(snceVersion claim)
{
    return (claim & ~(SNCE_TICKET_MASK | SNCE_OVERRODE | SNCE_STATE_MASK)) |
           SNCE_STATE_FULL;
}

/* snceVersion_Vacated returns what a claim becomes when its slot has been
 * wiped. If the claim overrode another one, the word notes the time |tick|. */
static inline snceVersion
snceVersion_Vacated(snceVersion claim, uint8_t tick)
{
    snceVersion left =
        claim & ~(SNCE_TICKET_MASK | SNCE_TAG_MASK | (uint64_t)SNCE_STATE_MASK);

    return left & SNCE_OVERRODE ? snceVersion_WithTicket(left, tick) : left;
}

#endif /* SNCEVERSION_H */
