/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncesize.h: the size word of a backing store: how many pages its table may
 * have, how many of them are in use, and how many certificates its store has
 * room for.
 *
 *   63    40 39   28    27      26    25   13 12   0
 *  +--------+-------+---------+------+-------+-------+
 *  | in use | epoch |splitting|frozen| cells | pages |
 *  +--------+-------+---------+------+-------+-------+
 *
 * A table grows by one page at a time (linear hashing: Litwin, "Linear
 * hashing", VLDB 1980). A session's hash names a page of the whole table. If
 * that page is not in use yet, the session lies in the page from which it will
 * be split: half the table, a quarter and so on is taken off the page's number
 * until the page is in use. When page n comes into use, some sessions of one
 * other page, its partner, move there, and nothing else changes.
 *
 * While the word says |splitting|, sessions of the last page in use may still
 * lie in its partner. The word changes by compare-and-swap, by any process that
 * wants the table to grow, and only forwards. So if the word is the same,
 * nothing changed. |epoch| has the lowest bits of the table's serial
 * (sncerange.h), so that a process which slept for long does not take another
 * table's word for that of its own. |frozen| says that the table is being left
 * (sncemove.c) and grows no more.
 *
 * Pages and cells are rough numbers: seven bits and an exponent of six, rounded
 * up.
 *
 * This header is pure arithmetic on a value; nothing here touches memory. Of a
 * word that was read from shared memory only the number of pages has to be
 * bounded (rule 1): whatever else the word says, snceSize_Reduce returns one of
 * these pages. A page is split only after snceSize_Follows has bounded the pages
 * in use as well. */
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

/* snceRough_Value returns the number for which the lowest 13 bits of |code|
 * stand. */
static inline uint64_t
snceRough_Value(uint64_t code)
{
    return (code & SNCE_ROUGH_ONES) << (code >> SNCE_ROUGH_BITS & 63);
}

/* snceRough_Of returns the code of |number|, or of the next greater number that
 * has a code, which is less than 1.6 % greater. |number| is below 2^37. */
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
#define SNCE_SIZE_EPOCH_SHIFT 28
#define SNCE_SIZE_EPOCH_MASK (UINT64_C(0xfff) << SNCE_SIZE_EPOCH_SHIFT)
#define SNCE_SIZE_USED_SHIFT 40
#define SNCE_SIZE_USED_ONE (UINT64_C(1) << SNCE_SIZE_USED_SHIFT)
#define SNCE_SIZE_USED_MAX ((UINT64_C(1) << 24) - 1)

/* snceSize_Pages returns how many pages the table may have. */
static inline uint64_t
snceSize_Pages(snceSize size)
{
    return snceRough_Value(size);
}

/* snceSize_Used returns how many pages are in use. */
static inline uint64_t
snceSize_Used(snceSize size)
{
    return size >> SNCE_SIZE_USED_SHIFT;
}

/* snceSize_Cells returns for how many certificates the store is made. */
static inline uint64_t
snceSize_Cells(snceSize size)
{
    return snceRough_Value(size >> SNCE_SIZE_CELLS_SHIFT);
}

/* snceSize_First returns how many of its |pages| pages a table begins with: all
 * of them, or a half, a quarter and so on, so that it grows by doubling. Tables
 * that grow begin with 64 to 127 pages. */
static inline uint64_t
snceSize_First(uint64_t pages)
{
    return snceRough_Of(pages) & SNCE_ROUGH_ONES;
}

/* snceSize_Of returns the word of a new table in |range| with |pages| pages, of
 * which |used| are in use, and with a store for |cells| certificates. |used| is
 * at least snceSize_First; |pages| and |cells| have codes. */
static inline snceSize
snceSize_Of(uint64_t range, uint64_t pages, uint64_t used, uint64_t cells)
{
    uint64_t epoch =
        (snceWord_High(range) << SNCE_SIZE_EPOCH_SHIFT) & SNCE_SIZE_EPOCH_MASK;

    return used << SNCE_SIZE_USED_SHIFT | epoch |
           (uint64_t)snceRough_Of(cells) << SNCE_SIZE_CELLS_SHIFT |
           snceRough_Of(pages);
}

/* snceSize_Follows tells whether the size word |before| may have become |size|,
 * for the same table, and |size| has at least one page in use and at most all
 * of them. */
static inline bool
snceSize_Follows(snceSize size, snceSize before)
{
    const snceSize kept =
        (SNCE_SIZE_USED_ONE - 1) & ~(SNCE_SIZE_FROZEN | SNCE_SIZE_SPLITTING);

    return ((size ^ before) & kept) == 0 &&
           snceSize_Used(size) >= snceSize_Used(before) &&
           snceSize_Used(size) - 1 < snceSize_Pages(size);
}

/* snceSize_Begun returns what the word becomes when the split of one more page
 * begins. */
static inline snceSize
snceSize_Begun(snceSize size)
{
    return (size + SNCE_SIZE_USED_ONE) | SNCE_SIZE_SPLITTING;
}

/* ---- where sessions lie -------------------------------------------------- */

/* snceSize_Reduce returns the page in use that holds the sessions of |page|,
 * one of |pages|. */
static inline uint64_t
snceSize_Reduce(uint64_t page, uint64_t pages, uint64_t used)
{
    while (SNCE_RARELY(page >= used)) {
        pages >>= 1;
        if (page >= pages) {
            page -= pages;
        }
        if (pages == 0) { /* only if the word is damaged */
            break;
        }
    }
    return page;
}

/* snceSize_Partner returns the page from which |page| is split. |page| is not
 * one of the first pages. */
static inline uint64_t
snceSize_Partner(uint64_t page, uint64_t pages)
{
    while (pages > page) {
        pages >>= 1;
    }
    return page - pages;
}

#endif /* SNCESIZE_H */
