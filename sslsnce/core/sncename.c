/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncename.h"

#include <string.h>

#include "sncelife.h"
#include "snceslot.h"

/* Keeps the hashes of these names apart from all others. */
#define INDEX_TWEAK UINT64_C(0x696e646500000000)

static size_t
WordsOf(size_t len)
{
    return (len + 7) / 8;
}

/* ---- spelling ------------------------------------------------------------ */

/* Makes eight bytes lower case at once: ASCII letters only. A byte below 128
 * carries into its top bit when it is at least 'A', and when it is beyond 'Z';
 * the difference of these bits, moved, is the 32 between the cases. */
static uint64_t
Lower(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t low = word & 0x7f * ones;
    uint64_t atLeastA = low + (0x80 - 'A') * ones;
    uint64_t beyondZ = low + (0x7f - 'Z') * ones;

    return word | (((atLeastA ^ beyondZ) & ~word & 0x80 * ones) >> 2);
}

bool
snceName_Fold(snceName *out, const uint8_t *name, size_t len)
{
    size_t at = 0;

    if (len > 0 && name[len - 1] == '.') {
        len--;
    }
    if (len == 0 || len > SNCE_NAME_MAX) {
        return false;
    }
    out->len = len;
    for (; at + 8 <= len; at += 8) {
        uint64_t word;

        memcpy(&word, name + at, 8);
        out->word[at / 8] = Lower(word);
    }
    if (at < len) {
        uint64_t word = 0;

        memcpy(&word, name + at, len - at);
        out->word[at / 8] = Lower(word);
    }
    return true;
}

static bool
InLabel(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

bool
snceName_Check(const snceName *name)
{
    const uint8_t *c = (const uint8_t *)name->word;
    size_t label = 0, at = 0;

    if (name->len >= 3 && c[0] == '*' && c[1] == '.') {
        at = 2;
    }
    for (; at < name->len; at++) {
        if (c[at] == '.' ? label == 0 : !InLabel(c[at])) {
            return false;
        }
        label = c[at] == '.' ? 0 : label + 1;
    }
    return label > 0;
}

bool
snceName_Wildcard(snceName *out, const snceName *name)
{
    const uint8_t *c = (const uint8_t *)name->word;
    const uint8_t *dot = memchr(c, '.', name->len);
    size_t rest;

    if (!dot || dot == c) {
        return false;
    }
    rest = name->len - (size_t)(dot - c);
    out->len = rest + 1;
    out->word[WordsOf(out->len) - 1] = 0;
    *(uint8_t *)out->word = '*';
    memcpy((uint8_t *)out->word + 1, dot, rest);
    return true;
}

/* ---- the index ----------------------------------------------------------- */

static uint64_t
HashOf(const snceRegion *region, const snceName *name)
{
    return snceHash_Words(&region->hash, INDEX_TWEAK ^ name->len, name->word,
                          WordsOf(name->len));
}

static uint64_t
HintFor(uint64_t hash, uint32_t number)
{
    return (hash & ~SNCE_HINT_NUMBER) | number;
}

static uint64_t
FirstPlace(uint64_t hash)
{
    return snceHash_Range(hash, SNCE_NAMES);
}

static uint64_t
NextPlace(uint64_t place)
{
    return (place + 1) % SNCE_NAMES;
}

/* Reads the name of an entry whose life word was |life|, if it is |name|. */
static bool
IsNamed(const snceServerWords *entry, snceLife life, const snceName *name)
{
    uint64_t differ;

    /* Acquire: the life word loaded afterwards is another if one of these was
     * written for another server; pairs with the stores in snceName_Enter. */
    differ =
        atomic_load_explicit(&entry->nameLen, memory_order_acquire) ^ name->len;
    for (size_t i = 0; i < WordsOf(name->len); i++) {
        differ |= atomic_load_explicit(&entry->name[i], memory_order_acquire) ^
                  name->word[i];
    }
    return differ == 0 &&
           snceLife_Is(atomic_load_explicit(&entry->life, memory_order_relaxed),
                       snceLife_Generation(life));
}

bool
snceName_Find(const snceRegion *region, const snceName *name, uint64_t *life,
              uint32_t *number)
{
    const snceNames *names = snceRegion_Names(region);
    uint64_t hash = HashOf(region, name);
    uint64_t place = FirstPlace(hash);

    for (unsigned i = 0; i < SNCE_NAMES; i++, place = NextPlace(place)) {
        /* Acquire: pairs with the release store in snceName_Enter. */
        uint64_t hint =
            atomic_load_explicit(&names->hint[place], memory_order_acquire);
        const snceServerWords *entry;

        if (hint == 0) {
            return false;
        }
        *number = (uint32_t)(hint & SNCE_HINT_NUMBER);
        if (hint != HintFor(hash, *number) || *number >= SNCE_SERVERS) {
            continue;
        }
        entry = snceRegion_Server(region, *number);
        /* Acquire: pairs with snceChange_Commit. */
        *life = atomic_load_explicit(&entry->life, memory_order_acquire);
        if (snceLife_State(*life) == SNCE_LIFE_LIVE &&
            IsNamed(entry, *life, name)) {
            return true;
        }
    }
    return false;
}

/* Does a hint lead to a live server of its hash? Under the turn. */
static bool
Leads(const snceRegion *region, uint64_t hint)
{
    uint32_t number = (uint32_t)(hint & SNCE_HINT_NUMBER);
    const snceServerWords *entry;

    if (hint == 0 || number >= SNCE_SERVERS) {
        return false;
    }
    entry = snceRegion_Server(region, number);
    return snceLife_State(atomic_load_explicit(
               &entry->life, memory_order_relaxed)) == SNCE_LIFE_LIVE &&
           HintFor(atomic_load_explicit(&entry->nameHash, memory_order_relaxed),
                   number) == hint;
}

void
snceName_Enter(const snceRegion *region, uint32_t number, const snceName *name)
{
    snceServerWords *entry = snceRegion_Server(region, number);
    snceNames *names = snceRegion_Names(region);
    uint64_t hash = HashOf(region, name);
    uint64_t place = FirstPlace(hash);

    /* Release: whoever sees a word of it finds the life word changed, if it
     * saw that of the server which was here before. */
    for (size_t i = 0; i < sizeof(entry->name) / sizeof(entry->name[0]); i++) {
        atomic_store_explicit(&entry->name[i],
                              i < WordsOf(name->len) ? name->word[i] : 0,
                              memory_order_release);
    }
    atomic_store_explicit(&entry->nameLen, name->len, memory_order_release);
    atomic_store_explicit(&entry->nameHash, hash, memory_order_release);
    SNCE_STEP("add-named");
    /* A hint that leads nowhere is as good as none: it is never taken for this
     * name, and a search goes on behind it. */
    for (unsigned i = 0; i < SNCE_NAMES; i++, place = NextPlace(place)) {
        if (!Leads(region, atomic_load_explicit(&names->hint[place],
                                                memory_order_relaxed))) {
            break;
        }
    }
    atomic_store_explicit(&names->hint[place], HintFor(hash, number),
                          memory_order_release);
}

void
snceName_Tidy(const snceRegion *region)
{
    snceNames *names = snceRegion_Names(region);
    uint64_t behind =
        atomic_load_explicit(&names->hint[0], memory_order_relaxed);

    /* Backwards, so that a row of them goes at once. A search that would pass
     * through such a place ends behind it anyway. */
    for (unsigned place = SNCE_NAMES; place-- > 0;) {
        uint64_t hint =
            atomic_load_explicit(&names->hint[place], memory_order_relaxed);

        if (hint && behind == 0 && !Leads(region, hint)) {
            atomic_store_explicit(&names->hint[place], 0, memory_order_relaxed);
            hint = 0;
        }
        behind = hint;
    }
}
