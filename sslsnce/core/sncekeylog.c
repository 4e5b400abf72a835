/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* The key log (rule 10): records that are written once and found by name.
 *
 * A writer fills a cell that nobody else touches, and enters it in the log with
 * one compare-and-swap on the first free place. Before each try it looks
 * through all records before that place, so that no name gets into the log
 * twice. A writer that dies or is stopped on the way delays nobody and spoils
 * nothing. */
#include <string.h>

#include "snceregion.h"
#include "snceslot.h"

static uint64_t
SumOf(const snceRegion *region, const uint64_t *words)
{
    size_t count = SNCE_K_VALUE + (size_t)(words[SNCE_K_LENGTH] + 7) / 8;

    return snceHash_Words(&region->hash, SNCE_AT_KEY_LOG, words + 1, count - 1);
}

/* Copies the record in the cell |index| to |words|. Returns SNCE_OK, SNCE_MISS
 * (it has another name), SNCE_CORRUPT or SNCE_NO_MEMORY (this process cannot
 * map the cell). */
static snceResult
ReadCell(const snceRegion *region, uint64_t index, const uint8_t *name,
         uint64_t words[SNCE_KEY_WORDS])
{
    const snceKeyCell *cell;

    if (index >= SNCE_KEY_CELLS) {
        return SNCE_CORRUPT;
    }
    cell = snceRegion_KeyCell(region, index);
    if (!cell) {
        return SNCE_NO_MEMORY;
    }
    snceSlot_Load(words, cell->word, SNCE_K_VALUE);
    if (memcmp(&words[SNCE_K_NAME], name, SNCE_KEY_NAME_BYTES) != 0) {
        return SNCE_MISS;
    }
    if (words[SNCE_K_LENGTH] > SNCE_KEY_VALUE_MAX) {
        return SNCE_CORRUPT;
    }
    snceSlot_Load(words + SNCE_K_VALUE, cell->word + SNCE_K_VALUE,
                  (size_t)(words[SNCE_K_LENGTH] + 7) / 8);
    return words[SNCE_K_SUM] == SumOf(region, words) ? SNCE_OK : SNCE_CORRUPT;
}

static snceResult
CopyValue(const uint64_t *words, uint8_t *buf, size_t bufLen, size_t *len)
{
    *len = (size_t)words[SNCE_K_LENGTH];
    if (*len > bufLen) {
        return SNCE_TOO_LARGE;
    }
    if (*len > 0) { /* else |buf| may be NULL, which memcpy forbids */
        memcpy(buf, &words[SNCE_K_VALUE], *len);
    }
    return SNCE_OK;
}

/* Looks for |name| in the log from |*place| on. Returns SNCE_OK, SNCE_CORRUPT,
 * SNCE_NO_MEMORY, or SNCE_MISS; then |*place| is the first free place, or
 * SNCE_KEY_RECORDS if there is none. */
static snceResult
Search(const snceRegion *region, const uint8_t *name,
       uint64_t words[SNCE_KEY_WORDS], unsigned *place)
{
    for (; *place < SNCE_KEY_RECORDS; (*place)++) {
        /* Acquire: pairs with the release in Enter, so that the cell is
         * complete. */
        uint64_t entry = atomic_load_explicit(
            &snceRegion_KeyLog(region)->log[*place], memory_order_acquire);
        snceResult result;

        if (entry == 0) {
            return SNCE_MISS;
        }
        result = ReadCell(region, entry - 1, name, words);
        if (result != SNCE_MISS) {
            return result;
        }
    }
    return SNCE_MISS;
}

static bool
Enter(const snceRegion *region, unsigned place, unsigned cell)
{
    uint64_t none = 0;

    return atomic_compare_exchange_strong_explicit(
        &snceRegion_KeyLog(region)->log[place], &none, (uint64_t)cell + 1,
        memory_order_release, memory_order_relaxed);
}

/* Returns a cell that was free, and is now taken; SNCE_KEY_CELLS if there is
 * none. Acquire: pairs with the release store in GiveCell, so that the cell has
 * been wiped. */
static unsigned
TakeCell(const snceRegion *region)
{
    snceKeyLog *keys = snceRegion_KeyLog(region);
    unsigned cell;

    for (cell = 0; cell < SNCE_KEY_CELLS; cell++) {
        uint64_t none = 0;

        if (atomic_compare_exchange_strong_explicit(&keys->taken[cell], &none,
                                                    1, memory_order_acquire,
                                                    memory_order_relaxed)) {
            break;
        }
    }
    return cell;
}

static void
GiveCell(const snceRegion *region, unsigned cell)
{
    snceKeyCell *written = snceRegion_KeyCell(region, cell);

    if (written) {
        snceSlot_Wipe(written->word, SNCE_KEY_WORDS);
    }
    SNCE_STEP("key-wiped");
    atomic_store_explicit(&snceRegion_KeyLog(region)->taken[cell], 0,
                          memory_order_release);
}

/* Takes a cell and fills it. Returns SNCE_OK, SNCE_FULL (no cell is free) or
 * SNCE_NO_MEMORY (this process cannot map the cell). |*out| is the cell, or
 * SNCE_KEY_CELLS unless SNCE_OK is returned. */
static snceResult
WriteCell(const snceRegion *region, const uint8_t *name, const uint8_t *value,
          size_t valueLen, unsigned *out)
{
    unsigned cell = TakeCell(region);
    uint64_t words[SNCE_KEY_WORDS] = { 0 };
    snceKeyCell *to;

    *out = SNCE_KEY_CELLS;
    if (cell == SNCE_KEY_CELLS) {
        return SNCE_FULL;
    }
    SNCE_STEP("key-taken");
    to = snceRegion_KeyCell(region, cell);
    if (!to) {
        GiveCell(region, cell);
        return SNCE_NO_MEMORY;
    }
    words[SNCE_K_LENGTH] = valueLen;
    memcpy(&words[SNCE_K_NAME], name, SNCE_KEY_NAME_BYTES);
    if (valueLen > 0) {
        memcpy(&words[SNCE_K_VALUE], value, valueLen);
    }
    words[SNCE_K_SUM] = SumOf(region, words);
    snceSlot_Store(to->word, words, SNCE_K_VALUE);
    SNCE_STEP("key-half");
    snceSlot_Store(to->word + SNCE_K_VALUE, words + SNCE_K_VALUE,
                   SNCE_KEY_WORDS - SNCE_K_VALUE);
    explicit_bzero(words, sizeof(words));
    *out = cell;
    return SNCE_OK;
}

snceResult
snceKeyLog_Get(snceRegion *region, const uint8_t name[SNCE_KEY_NAME_BYTES],
               uint8_t *buf, size_t bufLen, size_t *len)
{
    uint64_t words[SNCE_KEY_WORDS];
    unsigned place = 0;
    snceResult result = Search(region, name, words, &place);

    if (result == SNCE_OK) {
        result = CopyValue(words, buf, bufLen, len);
    }
    explicit_bzero(words, sizeof(words));
    return result;
}

snceResult
snceKeyLog_Put(snceRegion *region, const uint8_t name[SNCE_KEY_NAME_BYTES],
               const uint8_t *value, size_t valueLen, uint8_t *buf,
               size_t bufLen, size_t *len)
{
    uint64_t words[SNCE_KEY_WORDS];
    unsigned cell = SNCE_KEY_CELLS;
    unsigned place = 0;
    snceResult result;

    if (valueLen > SNCE_KEY_VALUE_MAX) {
        return SNCE_TOO_LARGE;
    }
    if (region->access == SNCE_ACCESS_READ) {
        return SNCE_READ_ONLY;
    }
    /* Each try but the last goes one place further, unless a damaged log has
     * lost an entry. So a sound log never needs more tries than there are
     * records. */
    for (unsigned try = 0;
         (result = Search(region, name, words, &place)) == SNCE_MISS; try++) {
        if (try > SNCE_KEY_RECORDS) {
            result = SNCE_CORRUPT;
            break;
        }
        if (place == SNCE_KEY_RECORDS) {
            result = SNCE_FULL;
            break;
        }
        if (cell == SNCE_KEY_CELLS) {
            result = WriteCell(region, name, value, valueLen, &cell);
            if (result != SNCE_OK) {
                break;
            }
        }
        SNCE_STEP("key-written");
        if (Enter(region, place, cell)) {
            SNCE_STEP("key-entered");
            return SNCE_OK;
        }
    }
    if (cell < SNCE_KEY_CELLS) {
        GiveCell(region, cell);
    }
    if (result == SNCE_OK) {
        result = CopyValue(words, buf, bufLen, len);
        result = result == SNCE_OK ? SNCE_EXISTS : result;
    }
    explicit_bzero(words, sizeof(words));
    return result;
}
