/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* Which early data the processes of a region have seen: Bloom filters in the
 * region, which all of its processes share.
 *
 * Time is divided into windows. The number of a window is the time divided by the
 * window's length, so all processes number them alike. An ID that identifies early
 * data is noted in the bits of its window, and is a replay if it was noted in that
 * window or in the one before. Two calls whose times are less than a window apart
 * fall into the same window or into two that follow each other, so the later one
 * finds what the earlier one noted.
 *
 * A filter is an array of pairs of words: one word for windows of even number, one
 * for the others. All bits of one ID lie in one word, and one atomic operation sets
 * them. So of two calls at once one finds bits that are not set yet, and the other
 * one finds all of them set. The word also has the number of its window. No filter
 * is ever cleared: the first call of a window that comes to a word takes the word
 * over, because its bits belong to an earlier window. So a death leaves nothing half
 * done, and no call waits for another.
 *
 * Two calls may disagree on the window: one reads its clock just before a window
 * ends and is interrupted, another one reads it just after. The filter's |window|
 * decides, the number of the newest window. A call raises it to its own window
 * before it looks at any bits, and looks at it again when it is done. If it is
 * another one by then, the call returns SNCE_DROPPED. All these operations are
 * sequentially consistent. So if a call notes an ID and finds afterwards that its
 * window is still the newest, each call of the next window looks at the word after
 * that, and finds the ID.
 *
 * The clock may be set back. Then times come again for which the bits may be gone.
 * Nothing is new until the clock is back in the newest window.
 *
 * False positives. A word has 48 bits for IDs. Keeping an ID's bits in one word
 * costs precision, so a filter has three times the bits that are asked for: 2^bits / 16
 * words for each window. With 14 bits, 7 hashes and 1,000 IDs in each window, the
 * example of NSS's sslexp.h, a new ID is taken for a replay with a probability of
 * 0.03 % (in NSS 0.12 %); with 2,000 IDs 0.26 % (in NSS 4 %). More than 8 hashes gain
 * nothing. The first filter of a region has at most 25,600 words for each window: with
 * 7 hashes and 80,000 IDs in each window 1.2 %. The last filter has room for 1,024 at
 * least. */
#include "snceregion.h"

/* Attempts to set bits, or to raise the window, against other processes. Each one
 * that fails is another's success. */
#define TRIES 16

/* More of them make more false positives, not fewer. */
#define HASHES_USED 16

#define TAG_SHIFT 48
#define WORD_BITS TAG_SHIFT

/* A filter, as one call uses it. */
typedef struct {
    snceReplayFilter *words;
    snceWord (*pair)[2]; /* its first pair */
    uint64_t pairs;      /* how many it has */
} replayFilter;

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

/* How many pairs the filter |index| gets if |left| are left for it and those after
 * it. |options| may be any word. */
static uint64_t
ShareOf(uint64_t options, unsigned index, uint64_t left)
{
    uint64_t most =
        left - (SNCE_REPLAY_FILTERS - 1 - index) * SNCE_REPLAY_PAIRS_MIN;
    uint64_t bits = options & 0xff;
    uint64_t asked = bits <= 4    ? 1
                     : bits >= 32 ? UINT64_C(1) << 28
                                  : UINT64_C(1) << (bits - 4);

    return asked < most ? asked : most;
}

/* Finds the filter with these options, or makes it. The filters before it, whose
 * options never change, say where its pairs begin (rule 1: |left| is never more than what
 * there is, whatever they say). */
static bool
FindFilter(snceReplayWords *all, uint64_t options, replayFilter *out)
{
    uint64_t left = SNCE_REPLAY_PAIRS;

    for (unsigned i = 0; i < SNCE_REPLAY_FILTERS; i++) {
        snceWord *word = &all->filter[i].options;
        /* Relaxed, here and below: nothing else was written with it. */
        uint64_t seen = atomic_load_explicit(word, memory_order_relaxed);

        if (seen == 0 && atomic_compare_exchange_strong_explicit(
                             word, &seen, options, memory_order_relaxed,
                             memory_order_relaxed)) {
            seen = options;
        }
        out->pairs = ShareOf(seen, i, left);
        if (seen == options) {
            out->words = &all->filter[i];
            out->pair = &all->pair[SNCE_REPLAY_PAIRS - left];
            return true;
        }
        left -= out->pairs;
    }
    return false;
}

/* Finds the filter, and notes when it was made. */
static snceResult
OpenFilter(snceRegion *region, const snceReplayOptions *options, snceTime now,
           replayFilter *out)
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
    if (!FindFilter(all, PackOptions(options), out)) {
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

/* Is the first window after the filter was made over? Early data may have been
 * accepted just before that, by a process that had another region or none. */
static bool
IsGrown(const replayFilter *filter, const snceReplayOptions *options,
        snceTime now)
{
    uint64_t born =
        atomic_load_explicit(&filter->words->born, memory_order_relaxed) - 1;

    return (uint64_t)now.usec >= born &&
           (uint64_t)now.usec - born >= (uint64_t)options->windowUsec;
}

/* Is |number| the newest window? Sequentially consistent, as are the other
 * operations on this word and on filters: see the top of this file. */
static bool
IsNewest(const replayFilter *filter, uint64_t number)
{
    return atomic_load_explicit(&filter->words->window, memory_order_seq_cst) ==
           number;
}

/* Makes |number| the newest window. False if there is a newer one. */
static bool
RaiseWindow(const replayFilter *filter, uint64_t number)
{
    uint64_t newest =
        atomic_load_explicit(&filter->words->window, memory_order_seq_cst);

    for (unsigned try = 0; newest < number && try < TRIES; try++) {
        if (atomic_compare_exchange_strong_explicit(
                &filter->words->window, &newest, number, memory_order_seq_cst,
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
SetBits(const replayFilter *filter, snceWord *word, uint64_t number,
        uint64_t mask)
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
        if (!IsNewest(filter, number)) {
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
    replayFilter filter;

    return OpenFilter(region, options, now, &filter);
}

snceResult
snceReplay_Note(snceRegion *region, const snceReplayOptions *options,
                const uint8_t *id, size_t len, snceTime now)
{
    replayFilter filter;
    snceResult result = OpenFilter(region, options, now, &filter);
    uint64_t number, hash, mask, before;
    snceWord *pair;

    if (result != SNCE_OK) {
        return result;
    }
    number = (uint64_t)now.usec / (uint64_t)options->windowUsec;
    if (!IsGrown(&filter, options, now) || !RaiseWindow(&filter, number)) {
        return SNCE_DROPPED;
    }
    hash = snceHash_Bytes(&region->hash, PackOptions(options), id, len);
    mask = MaskOf(hash, options->hashes);
    pair = filter.pair[snceHash_Range(hash, filter.pairs)];
    result = SetBits(&filter, &pair[number % 2], number, mask);
    if (result != SNCE_OK) {
        return result;
    }
    before =
        atomic_load_explicit(&pair[(number + 1) % 2], memory_order_seq_cst);
    if (IsOf(before, number - 1) && (before & mask) == mask) {
        return SNCE_EXISTS;
    }
    return IsNewest(&filter, number) ? SNCE_OK : SNCE_DROPPED;
}
