/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceorder.h: the order word, which says in what order a set's sessions are to
 * be evicted.
 *
 *   63     50 49  44 43    40 39                            0
 *  +---------+------+--------+-------------------------------+
 *  |  until  | life | unused | ten ways, the first one lowest|
 *  +---------+------+--------+-------------------------------+
 *
 * It takes 400 instructions to weigh the ten sessions of a set, that is to
 * compare their ages and last uses. An insert that weighs them keeps their
 * order for the inserts after it. First come the |unused| ways whose sessions
 * nobody looked up, in the order in which they were stored; then the others,
 * beginning with the one that has been idle longest. An insert moves the way in
 * which it stores to the end of the unused ones. A lookup does not touch the
 * order. An insert sees in a session's version that it was looked up meanwhile,
 * and moves it to the end or passes it over.
 *
 * No session of the set expires within |life| seconds after the set was
 * weighed. After that time, at |until|, the order is stale, and an insert
 * weighs the set again. Times here are in seconds plus their base, a number
 * that follows from the timeouts, so that three changes of a timeout in four
 * make the order stale too. Times wrap after 18 hours: an order that was not
 * used for so long may be taken for fresh. A word whose life is 0 is always
 * stale.
 *
 * The word is a hint (rule 7). If two inserts change it at once, one change may
 * be lost, and then a younger session is evicted before an older one. Every way
 * that is read from the word is compared with SNCE_WAYS before it is used.
 *
 * This header is pure arithmetic on a value; nothing here touches memory. */
#ifndef SNCEORDER_H
#define SNCEORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "sncelayout.h"

typedef uint64_t snceOrder;

#define SNCE_ORDER_BITS (4 * SNCE_WAYS)
#define SNCE_ORDER_WAYS ((UINT64_C(1) << SNCE_ORDER_BITS) - 1)
#define SNCE_ORDER_ONES (SNCE_ORDER_WAYS / 15) /* 1 for each way */
#define SNCE_UNUSED_ONE (UINT64_C(1) << SNCE_ORDER_BITS)
#define SNCE_LIFE_SHIFT (SNCE_ORDER_BITS + 4)
#define SNCE_LIFE_MASK (UINT64_C(63) << SNCE_LIFE_SHIFT)
#define SNCE_LIFE_MAX                                                          \
    14335 /* a quarter of the time after which |until| wraps */
#define SNCE_UNTIL_SHIFT 50
#define SNCE_UNTIL_UNIT 4 /* seconds */
#define SNCE_UNTIL_WRAP (SNCE_UNTIL_UNIT << (64 - SNCE_UNTIL_SHIFT))
static_assert(SNCE_LIFE_SHIFT + 6 == SNCE_UNTIL_SHIFT, "no gaps");
static_assert(4 * SNCE_LIFE_MAX < SNCE_UNTIL_WRAP, "three in four are stale");

/* snceOrder_LifeOf returns the seconds that a code of the life stands for: four
 * steps between one power of two and the next, less one. */
static inline uint32_t
snceOrder_LifeOf(unsigned code)
{
    return ((4 | (code & 3)) << (code >> 2) >> 2) - 1;
}

/* snceOrder_CodeOf returns the code of |sec|, or of the next lower number that
 * has one. */
static inline unsigned
snceOrder_CodeOf(uint32_t sec)
{
    uint32_t more = (sec < SNCE_LIFE_MAX ? sec : SNCE_LIFE_MAX) + 1;
    unsigned shift = 31 - (unsigned)__builtin_clz(more);

    return 4 * shift + ((more << 2 >> shift) & 3);
}

/* snceOrder_Make returns the order |ways| of sessions. Nobody looked up the
 * first |unused| of them, and none of them expires for |sec| seconds from
 * |base| on. */
static inline snceOrder
snceOrder_Make(uint64_t ways, unsigned unused, uint32_t base, uint32_t sec)
{
    unsigned code = snceOrder_CodeOf(sec);
    uint32_t until = (base + snceOrder_LifeOf(code)) / SNCE_UNTIL_UNIT;

    return (uint64_t)until << SNCE_UNTIL_SHIFT |
           (uint64_t)code << SNCE_LIFE_SHIFT | unused * SNCE_UNUSED_ONE | ways;
}

/* snceOrder_Left returns for how many seconds from |base| on no session
 * expires. */
static inline uint32_t
snceOrder_Left(snceOrder order, uint32_t base)
{
    uint32_t until = (uint32_t)(order >> SNCE_UNTIL_SHIFT) * SNCE_UNTIL_UNIT;

    return (until - base) % SNCE_UNTIL_WRAP;
}

/* snceOrder_IsFresh tells whether the order is not stale at |base|. */
static inline bool
snceOrder_IsFresh(snceOrder order, uint32_t base)
{
    return (order & SNCE_LIFE_MASK) != 0 &&
           snceOrder_Left(order, base) - 1 < SNCE_LIFE_MAX;
}

/* snceOrder_Since returns how many seconds before |base| the set was weighed,
 * or up to three seconds less. */
static inline uint32_t
snceOrder_Since(snceOrder order, uint32_t base)
{
    unsigned code = (unsigned)(order >> SNCE_LIFE_SHIFT) & 63;
    /* |until| was rounded down. */
    uint32_t since = (snceOrder_LifeOf(code) - snceOrder_Left(order, base)) %
                     SNCE_UNTIL_WRAP;

    return since < SNCE_UNTIL_UNIT ? 0 : since - (SNCE_UNTIL_UNIT - 1);
}

static inline unsigned
snceOrder_Unused(snceOrder order)
{
    return (unsigned)(order >> SNCE_ORDER_BITS) & 15;
}

/* snceOrder_WayAt returns the way at |place| in the order, or a number of
 * SNCE_WAYS or more if there is none. */
static inline unsigned
snceOrder_WayAt(snceOrder order, unsigned place)
{
    return place < SNCE_WAYS ? (unsigned)(order >> 4 * place) & 15 : SNCE_WAYS;
}

/* Returns a mask of the lowest |ways| ways of an order. */
static inline uint64_t
snceOrder_Lowest(unsigned ways)
{
    return (UINT64_C(1) << 4 * ways) - 1;
}

/* snceOrder_FirstUsed returns what |order| becomes when its first way, which it
 * counts as unused, was found to have been looked up: that way goes to the
 * end. */
static inline snceOrder
snceOrder_FirstUsed(snceOrder order)
{
    return ((order & ~SNCE_ORDER_WAYS) - SNCE_UNUSED_ONE) |
           (order & SNCE_ORDER_WAYS) >> 4 |
           (order & 15) << (SNCE_ORDER_BITS - 4);
}

/* snceOrder_HasUnused tells whether there is a way whose session nobody looked
 * up. If so, the first way of the order is such a way. */
static inline bool
snceOrder_HasUnused(snceOrder order)
{
    return snceOrder_Unused(order) - 1 < SNCE_WAYS;
}

/* snceOrder_StoredFirst is snceOrder_Stored for the usual case: the first way
 * of an order that has unused ways. */
static inline snceOrder
snceOrder_StoredFirst(snceOrder order)
{
    unsigned last = 4 * (snceOrder_Unused(order) - 1);
    uint64_t turned = order & ((UINT64_C(16) << last) - 1);

    return order - turned + (turned >> 4) + ((order & 15) << last);
}

/* snceOrder_Stored returns what |order| becomes when a session is stored in
 * |way|: that way goes to the end of the unused ones. */
static inline snceOrder
snceOrder_Stored(snceOrder order, unsigned way)
{
    unsigned unused = snceOrder_Unused(order);
    uint64_t rest = order & ~SNCE_ORDER_WAYS;
    uint64_t ways = order & SNCE_ORDER_WAYS;
    uint64_t differs, found, before, low;

    if (SNCE_RARELY(unused > SNCE_WAYS)) {
        return 0;
    }
    if ((order & 15) == way && unused > 0) {
        return snceOrder_StoredFirst(order);
    }
    /* Where an order's way is |way|, |differs| has a nibble of zeros. The
     * lowest bit of |found| is in the first such nibble, or in the last nibble
     * of the order if there is none. */
    differs = ways ^ way * SNCE_ORDER_ONES;
    found = ((differs - SNCE_ORDER_ONES) & ~differs & 8 * SNCE_ORDER_ONES) |
            UINT64_C(8) << (SNCE_ORDER_BITS - 4);
    before = ((found & -found) >> 3) - 1; /* a mask of the nibbles before that
                                           * one */
    ways = (ways & before) | (ways >> 4 & ~before);
    if (before < snceOrder_Lowest(unused)) { /* |way| was one of the unused
                                              * ones */
        unused--;
    } else {
        rest += SNCE_UNUSED_ONE;
    }
    low = snceOrder_Lowest(unused);
    return rest | (ways & low) | (ways & ~low) << 4 |
           (uint64_t)way << 4 * unused;
}

/* snceOrder_Forget returns |order| with a life of 0, which makes it stale. */
static inline snceOrder
snceOrder_Forget(snceOrder order)
{
    return order & ~SNCE_LIFE_MASK;
}

#endif /* SNCEORDER_H */
