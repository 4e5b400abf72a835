/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncesize.h: the size word of a home: how many pages its table may have, how many
 * of them are in use, and how many certificates its store has room for.
 *
 *   63    40 39  28    27      26    25   13 12   0
 *  +--------+------+---------+------+-------+-------+
 *  | in use | life |splitting|frozen| cells | pages |
 *  +--------+------+---------+------+-------+-------+
 *
 * A table grows a page at a time (linear hashing: Litwin, "Linear hashing", VLDB
 * 1980). A session's hash names a page of the whole table. Where that is not in use
 * yet, the session lies in the page that it will be split from: numbers of pages are
 * reduced by half the table, a quarter and so on, until they are in use. When page n
 * comes into use, some sessions of one other page, its partner, move there, and
 * nothing else changes.
 *
 * While the word says |splitting|, the sessions of the last page in use may still lie
 * in its partner. The word changes by compare-and-swap, by whoever wants the table to
 * grow, and only forwards: so the same word means that nothing changed. |life| has
 * the lowest bits of the table's serial (sncerange.h), so that a process which slept
 * for long does not take the word of another table for its own. |frozen|: the table
 * is being left (sncemove.c) and grows no more.
 *
 * Pages and cells are rough numbers: seven bits and an exponent of six, rounded up.
 *
 * This header is pure arithmetic on a value; nothing here touches memory. Of a word that
 * was read in shared memory only the number of pages has to be bounded (rule 1): whatever
 * else it says, a page that comes out of snceSize_Reduce is one of them. */
#ifndef SNCESIZE_H
#define SNCESIZE_H

#include <stdbool.h>
#include <stdint.h>

#include "sncerange.h"

typedef uint64_t snceSize;

/* ---- rough numbers ------------------------------------------------------- */

#define SNCE_ROUGH_BITS 7
#define SNCE_ROUGH_ONES ((1u << SNCE_ROUGH_BITS) - 1)
#define SNCE_ROUGH_EXPONENT 6

/* snceRough_Value returns the number that the lowest 13 bits of |code| stand for. */
static inline uint64_t
snceRough_Value(uint64_t code)
{
    return (code & SNCE_ROUGH_ONES) << (code >> SNCE_ROUGH_BITS & 63);
}

/* snceRough_Of returns the code of |number|, or of the next greater one that has a
 * code: less than 1.6 % greater. |number| is below 2^37. */
static inline unsigned
snceRough_Of(uint64_t number)
{
    unsigned shift = 0;

    while ((number + ((UINT64_C(1) << shift) - 1)) >> shift >=
           1u << SNCE_ROUGH_BITS) {
        shift++;
    }
    return (unsigned)((number + ((UINT64_C(1) << shift) - 1)) >> shift) |
           shift << SNCE_ROUGH_BITS;
}

/* snceRough_Up rounds a number up to one that has a code. */
static inline uint64_t
snceRough_Up(uint64_t number)
{
    return snceRough_Value(snceRough_Of(number));
}

/* ---- the word ------------------------------------------------------------ */

#define SNCE_SIZE_CELLS_SHIFT (SNCE_ROUGH_BITS + SNCE_ROUGH_EXPONENT)
#define SNCE_SIZE_FROZEN (UINT64_C(1) << 26)
#define SNCE_SIZE_SPLITTING (UINT64_C(1) << 27)
#define SNCE_SIZE_LIFE_SHIFT 28
#define SNCE_SIZE_LIFE_MASK (UINT64_C(0xfff) << SNCE_SIZE_LIFE_SHIFT)
#define SNCE_SIZE_USED_SHIFT 40
#define SNCE_SIZE_USED_ONE (UINT64_C(1) << SNCE_SIZE_USED_SHIFT)
#define SNCE_SIZE_USED_MAX ((UINT64_C(1) << 24) - 1)

/* snceSize_Pages returns how many pages the table may have. */
static inline uint64_t
snceSize_Pages(snceSize size)
{
    return snceRough_Value(size);
}

/* snceSize_Used returns how many are in use. */
static inline uint64_t
snceSize_Used(snceSize size)
{
    return size >> SNCE_SIZE_USED_SHIFT;
}

/* snceSize_Cells returns how many certificates the store is for. */
static inline uint64_t
snceSize_Cells(snceSize size)
{
    return snceRough_Value(size >> SNCE_SIZE_CELLS_SHIFT);
}

/* snceSize_First returns how many of |pages| pages a table begins with: all, or half
 * of them, or a quarter and so on, so that it grows by doubling; 64 to 127 if it
 * grows at all. */
static inline uint64_t
snceSize_First(uint64_t pages)
{
    return snceRough_Of(pages) & SNCE_ROUGH_ONES;
}

/* snceSize_Of returns the word of a new table of |pages| pages in |range|, of which
 * |used| are in use, at least snceSize_First, with a store for |cells| certificates.
 * |pages| and |cells| have codes. */
static inline snceSize
snceSize_Of(uint64_t range, uint64_t pages, uint64_t used, uint64_t cells)
{
    uint64_t life =
        (snceWord_High(range) << SNCE_SIZE_LIFE_SHIFT) & SNCE_SIZE_LIFE_MASK;

    return used << SNCE_SIZE_USED_SHIFT | life |
           (uint64_t)snceRough_Of(cells) << SNCE_SIZE_CELLS_SHIFT |
           snceRough_Of(pages);
}

/* snceSize_Follows tells whether |size| may be what became of |before|, the size word of
 * the same table. */
static inline bool
snceSize_Follows(snceSize size, snceSize before)
{
    const snceSize kept =
        (SNCE_SIZE_USED_ONE - 1) & ~(SNCE_SIZE_FROZEN | SNCE_SIZE_SPLITTING);

    return ((size ^ before) & kept) == 0 &&
           snceSize_Used(size) >= snceSize_Used(before) &&
           snceSize_Used(size) <= snceSize_Pages(size);
}

/* snceSize_Begun returns the word when one page more begins to come into use. */
static inline snceSize
snceSize_Begun(snceSize size)
{
    return (size + SNCE_SIZE_USED_ONE) | SNCE_SIZE_SPLITTING;
}

/* ---- where sessions lie -------------------------------------------------- */

/* snceSize_Reduce returns the page in use that stands for |page|, one of |pages|. */
static inline uint64_t
snceSize_Reduce(uint64_t page, uint64_t pages, uint64_t used)
{
    while (SNCE_RARELY(page >= used)) {
        pages >>= 1;
        if (page >= pages) {
            page -= pages;
        }
        if (pages == 0) { /* nonsense */
            break;
        }
    }
    return page;
}

/* snceSize_Partner returns the page that |page|, which is not one of the first, is
 * split from. */
static inline uint64_t
snceSize_Partner(uint64_t page, uint64_t pages)
{
    while (pages > page) {
        pages >>= 1;
    }
    return page - pages;
}

#endif /* SNCESIZE_H */
