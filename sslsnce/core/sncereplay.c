/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* Which early data the processes of a region have seen: Bloom filters in the
 * region, shared by all of its processes.
 *
 * Time is divided into windows: the number of a window is the time divided by the
 * window's length, so all processes number them alike. Early data is noted in the
 * filter of its window, and is a replay if the filter of its window or of the one
 * before has it. Two calls whose times are less than a window apart fall into the
 * same window or into two that follow each other, so the later one finds what the
 * earlier one noted.
 *
 * All bits of one ID lie in one word, and one atomic operation sets them. So of two
 * calls at once one finds bits that are not set yet, and the other one finds all of
 * them set. The word also has the number of its window. No filter is ever cleared:
 * the first call of a window that comes to a word replaces the word, because its
 * bits belong to an earlier window. So a death leaves nothing half done, and no call
 * waits for another.
 *
 * Two calls may disagree on the window: one reads its clock just before a window
 * ends and is interrupted, another one reads it just after. The set's |window| word
 * decides. A call raises it to its own window before it looks at a filter, and
 * looks at it again when it is done. If it is another one by then, the call returns
 * SNCE_DROPPED. All these operations are sequentially consistent. So if one call
 * notes an ID in a window and finds afterwards that this window is the newest, each
 * call of the next window looks at the word after that, and finds the ID.
 *
 * The clock may be set back. Then times come for which a window is over, and what
 * was noted in the windows around it may be forgotten. Nothing is new until the
 * clock is back where it was.
 *
 * False positives. A word has 48 bits of a filter. Keeping an ID's bits in one word
 * costs precision, so a filter has three times the bits that are asked for: 2^bits / 16
 * words. With 14 bits, 7 hashes and 1,000 IDs in each window, the example of NSS's
 * sslexp.h, a new ID is taken for a replay with a probability of 0.03 % (in NSS 0.12
 * %); with 2,000 IDs 0.26 % (in NSS 4 %). More than 8 hashes gain nothing. The first
 * set of a region gets at most 25,600 words for a window: with 7 hashes and 80,000 IDs
 * in each window 1.2 %. The last set gets at least 1,024. */
#include "snceregion.h"

/* Attempts to set bits, or to raise the window, against other processes. Each one
 * that fails is another's success. */
#define TRIES 16

/* More of them make more false positives, not fewer. */
#define HASHES_USED 16

#define TAG_SHIFT 48
#define WORD_BITS TAG_SHIFT

/* A set, as one call uses it. */
typedef struct {
    snceReplaySet *words;
    snceWord (*pair)[2]; /* the set's first pair */
    uint64_t pairs;      /* how many it has */
} replaySet;

/* The window in the upper 48 bits, then the hashes, then the bits. */
static uint64_t
PackOptions(const snceReplayOptions *options)
{
    return (uint64_t)options->windowUsec << 16 | options->hashes << 8 |
           options->bits;
}

static bool
IsValid(const snceReplayOptions *options, snceTime now)
{
    return options->windowUsec > 0 &&
           options->windowUsec <= SNCE_REPLAY_WINDOW_MAX &&
           options->hashes > 0 && options->hashes <= SNCE_REPLAY_HASHES_MAX &&
           options->bits > 0 && options->bits <= SNCE_REPLAY_BITS_MAX &&
           now.usec >= 0;
}

/* How many pairs the set |index| gets if |left| are left for it and those after
 * it. |options| may be any word. */
static uint64_t
ShareOf(uint64_t options, unsigned index, uint64_t left)
{
    uint64_t most =
        left - (SNCE_REPLAY_SETS - 1 - index) * SNCE_REPLAY_PAIRS_MIN;
    uint64_t bits = options & 0xff;
    uint64_t asked = bits <= 4    ? 1
                     : bits >= 32 ? UINT64_C(1) << 28
                                  : UINT64_C(1) << (bits - 4);

    return asked < most ? asked : most;
}

/* Finds the set with these options, or makes it. The sets before it, whose options
 * never change, say where its pairs begin (rule 1: |left| is never more than what
 * there is, whatever they say). */
static bool
FindSet(snceReplayWords *all, uint64_t options, replaySet *out)
{
    uint64_t left = SNCE_REPLAY_PAIRS;

    for (unsigned i = 0; i < SNCE_REPLAY_SETS; i++) {
        snceWord *word = &all->set[i].options;
        /* Relaxed, here and below: nothing else was written with it. */
        uint64_t seen = atomic_load_explicit(word, memory_order_relaxed);

        if (seen == 0 && atomic_compare_exchange_strong_explicit(
                             word, &seen, options, memory_order_relaxed,
                             memory_order_relaxed)) {
            seen = options;
        }
        out->pairs = ShareOf(seen, i, left);
        if (seen == options) {
            out->words = &all->set[i];
            out->pair = &all->pair[SNCE_REPLAY_PAIRS - left];
            return true;
        }
        left -= out->pairs;
    }
    return false;
}

/* Finds the set, and notes when it was made. */
static snceResult
OpenSet(snceRegion *region, const snceReplayOptions *options, snceTime now,
        replaySet *out)
{
    snceReplayWords *all;
    uint64_t born;

    if (!IsValid(options, now)) {
        return SNCE_INVALID;
    }
    if (region->access == SNCE_ACCESS_READ) {
        return SNCE_READ_ONLY;
    }
    all = snceRegion_Place(region, SNCE_AT_REPLAY);
    if (!all) {
        return SNCE_NO_MEMORY;
    }
    if (!FindSet(all, PackOptions(options), out)) {
        return SNCE_FULL;
    }
    born = atomic_load_explicit(&out->words->born, memory_order_relaxed);
    if (born == 0) {
        /* If this fails, another process has just noted its time. */
        (void)atomic_compare_exchange_strong_explicit(
            &out->words->born, &born, (uint64_t)now.usec + 1,
            memory_order_relaxed, memory_order_relaxed);
    }
    return SNCE_OK;
}

/* Is the first window after the set was made over? Early data may have been
 * accepted just before that, by a process that had another region or none. */
static bool
IsGrown(const replaySet *set, const snceReplayOptions *options, snceTime now)
{
    uint64_t born =
        atomic_load_explicit(&set->words->born, memory_order_relaxed) - 1;

    return (uint64_t)now.usec >= born &&
           (uint64_t)now.usec - born >= (uint64_t)options->windowUsec;
}

/* Is |number| the newest window? Sequentially consistent, as are the other
 * operations on this word and on filters: see the top of this file. */
static bool
IsNewest(const replaySet *set, uint64_t number)
{
    return atomic_load_explicit(&set->words->window, memory_order_seq_cst) ==
           number;
}

/* Makes |number| the newest window. False if there is a newer one. */
static bool
RaiseWindow(const replaySet *set, uint64_t number)
{
    uint64_t newest =
        atomic_load_explicit(&set->words->window, memory_order_seq_cst);

    for (unsigned try = 0; newest < number && try < TRIES; try++) {
        if (atomic_compare_exchange_strong_explicit(
                &set->words->window, &newest, number, memory_order_seq_cst,
                memory_order_seq_cst)) {
            return true;
        }
    }
    return newest == number;
}

static uint64_t
TagOf(uint64_t number)
{
    return number << TAG_SHIFT;
}

/* Do the bits of |word| belong to the window |number|? The tag repeats after 65,536
 * windows. A word that nobody has touched for exactly so long has old bits, which
 * at worst make a false positive. */
static bool
IsOf(uint64_t word, uint64_t number)
{
    return (word ^ TagOf(number)) >> TAG_SHIFT == 0;
}

/* Sets the bits of |mask| in |word|, for the window |number|. */
static snceResult
SetBits(const replaySet *set, snceWord *word, uint64_t number, uint64_t mask)
{
    uint64_t seen = atomic_load_explicit(word, memory_order_seq_cst);

    for (unsigned try = 0; try < TRIES; try++) {
        if (IsOf(seen, number)) {
            /* A call that was interrupted here for two windows sets bits of a newer
             * filter: a false positive at worst. Its caller finds that the window
             * is not the newest. */
            seen = atomic_fetch_or_explicit(word, mask, memory_order_seq_cst);
            return (seen & mask) == mask ? SNCE_EXISTS : SNCE_OK;
        }
        /* |seen| was loaded before this look. So if |number| is the newest window,
         * the bits in |seen| are of an earlier one, and may go. */
        if (!IsNewest(set, number)) {
            return SNCE_DROPPED;
        }
        if (atomic_compare_exchange_strong_explicit(
                word, &seen, TagOf(number) | mask, memory_order_seq_cst,
                memory_order_seq_cst)) {
            return SNCE_OK;
        }
    }
    return SNCE_DROPPED;
}

static uint64_t
MaskOf(uint64_t hash, unsigned hashes)
{
    uint64_t mask = 0;

    for (unsigned i = 0; i < hashes && i < HASHES_USED; i++) {
        hash = snceHash_Mix(hash + UINT64_C(0x9e3779b97f4a7c15));
        mask |= UINT64_C(1) << snceHash_Range(hash, WORD_BITS);
    }
    return mask;
}

snceResult
snceReplay_Open(snceRegion *region, const snceReplayOptions *options,
                snceTime now)
{
    replaySet set;

    return OpenSet(region, options, now, &set);
}

snceResult
snceReplay_Note(snceRegion *region, const snceReplayOptions *options,
                const uint8_t *id, size_t len, snceTime now)
{
    replaySet set;
    snceResult result = OpenSet(region, options, now, &set);
    uint64_t number, hash, mask, before;
    snceWord *pair;

    if (result != SNCE_OK) {
        return result;
    }
    number = (uint64_t)now.usec / (uint64_t)options->windowUsec;
    if (!IsGrown(&set, options, now) || !RaiseWindow(&set, number)) {
        return SNCE_DROPPED;
    }
    hash = snceHash_Bytes(&region->hash, PackOptions(options), id, len);
    mask = MaskOf(hash, options->hashes);
    pair = set.pair[snceHash_Range(hash, set.pairs)];
    result = SetBits(&set, &pair[number % 2], number, mask);
    if (result != SNCE_OK) {
        return result;
    }
    before =
        atomic_load_explicit(&pair[(number + 1) % 2], memory_order_seq_cst);
    if (IsOf(before, number - 1) && (before & mask) == mask) {
        return SNCE_EXISTS;
    }
    return IsNewest(&set, number) ? SNCE_OK : SNCE_DROPPED;
}
