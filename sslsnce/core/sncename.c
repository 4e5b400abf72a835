/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncename.h"

#include <string.h>

#include "sncelife.h"
#include "sncestep.h"

/* The words that say what a name is: those that it takes, and if it fills them
 * one of zeros. No other name has the same, whatever its length. */
static size_t
WordsOf(size_t len)
{
    return len / 8 + 1;
}

/* ---- spelling ------------------------------------------------------------ */

#define ONES UINT64_C(0x0101010101010101)

/* A word without its first |count| bytes, zeros behind the others; |count| is
 * below 8. And one with |count| zeros before its first bytes, 1 to 8. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define WITHOUT(word, count) ((word) >> (count)*8)
#define BEHIND(word, count) ((word) << ((count)-1) * 8 << 8)
#define FIRST_BYTE(mask) ((unsigned)__builtin_ctzll(mask) / 8)
#define STAR ((uint64_t)'*')
#else
#define WITHOUT(word, count) ((word) << (count)*8)
#define BEHIND(word, count) ((word) >> ((count)-1) * 8 >> 8)
#define FIRST_BYTE(mask) ((unsigned)__builtin_clzll(mask) / 8)
#define STAR ((uint64_t)'*' << 56)
#endif

/* Makes eight bytes lower case at once: ASCII letters only. A byte below 128
 * carries into its top bit when it is at least 'A', and when it is beyond 'Z';
 * the difference of these bits, moved, is the 32 between the cases. */
static uint64_t
Lower(uint64_t word)
{
    uint64_t low = word & 0x7f * ONES;
    uint64_t atLeastA = low + (0x80 - 'A') * ONES;
    uint64_t beyondZ = low + (0x7f - 'Z') * ONES;

    return word | (((atLeastA ^ beyondZ) & ~word & 0x80 * ONES) >> 2);
}

/* The last |count| bytes of |name|, 1 to 7, zero-filled to a word. */
static uint64_t
Rest(const uint8_t *name, size_t len, size_t count)
{
    uint64_t word = 0;

    if (len < 8) {
        memcpy(&word, name, count);
        return word;
    }
    /* Eight bytes at once, without those before the last |count|. */
    memcpy(&word, name + len - 8, 8);
    return WITHOUT(word, 8 - count);
}

bool
snceName_Fold(snceName *out, const uint8_t *name, size_t len)
{
    size_t at = 0;

    if (len > 0 && name[len - 1] == '.') {
        len--;
    }
    /* A NUL at its end would pass for the zeros behind a shorter name. */
    if (len == 0 || len > SNCE_NAME_MAX || name[len - 1] == 0) {
        return false;
    }
    out->len = len;
    for (; at + 8 <= len; at += 8) {
        uint64_t word;

        memcpy(&word, name + at, 8);
        out->word[at / 8] = Lower(word);
    }
    if (at < len) {
        out->word[at / 8] = Lower(Rest(name, len, len - at));
        at += 8;
    }
    /* What snceName_Wildcard reads behind it. */
    out->word[len / 8 + 1] = 0;
    out->word[at / 8] = 0;
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

/* Where the first dot is, or |len|. Its byte is the one that is 0 without the
 * dot: no other leaves its top bit alone when 127 is added to the rest of it. */
static size_t
FindDot(const snceName *name)
{
    for (size_t i = 0; i * 8 < name->len; i++) {
        uint64_t x = name->word[i] ^ '.' * ONES;
        uint64_t dots = ~(((x & 0x7f * ONES) + 0x7f * ONES) | x | 0x7f * ONES);

        if (dots) {
            return i * 8 + FIRST_BYTE(dots);
        }
    }
    return name->len;
}

bool
snceName_Wildcard(snceName *out, const snceName *name)
{
    size_t dot = FindDot(name), first, skip;

    if (dot == 0 || dot == name->len) {
        return false;
    }
    /* Whole words from the byte before the dot on, which becomes the star.
     * What a copy byte by byte leaves in the processor's store buffer, the hash
     * would have to wait for. */
    first = (dot - 1) / 8;
    skip = (dot - 1) % 8;
    out->len = name->len - dot + 1;
    for (size_t i = 0; i < WordsOf(out->len); i++) {
        const uint64_t *word = &name->word[first + i];

        out->word[i] = WITHOUT(word[0], skip) | BEHIND(word[1], 8 - skip);
    }
    out->word[0] = BEHIND(WITHOUT(out->word[0], 1), 1) | STAR;
    return true;
}

/* ---- the index ----------------------------------------------------------- */

/* The products of snceHash_Words without what it does to make different inputs
 * unrelated: the names that are here are the administrator's, and a stranger
 * who makes two others equal finds neither. It takes half the time. */
static uint64_t
HashOf(const snceRegion *region, const snceName *name)
{
    const uint64_t *key = region->hash.key;
    uint64_t sum[2] = { 0, 0 };
    size_t words = WordsOf(name->len);

    for (size_t i = 0, k = 0; i < words; i += 2, k = (k + 2) % SNCE_HASH_KEYS) {
        snceHash_Multiply(sum, name->word[i] + key[k],
                          (i + 1 < words ? name->word[i + 1] : 0) + key[k + 1]);
        if (k + 2 == SNCE_HASH_KEYS) {
            sum[0] = snceHash_Mix(sum[0]); /* the keys begin again */
        }
    }
    sum[0] = (sum[0] ^ sum[1]) * UINT64_C(0x9e3779b97f4a7c15);
    return sum[0] ^ sum[0] >> 32;
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
    uint64_t differ = 0;

    /* Acquire: the life word loaded afterwards is another if one of these was
     * written for another server; pairs with the stores in snceName_Enter. */
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
        /* Acquire: pairs with snceDirectory_Commit. */
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
    if (snceName_IsWildcard(name)) {
        atomic_fetch_add_explicit(&snceRegion_Header(region)->wildcards, 1,
                                  memory_order_release);
    }
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

bool
snceName_AnyWildcard(const snceRegion *region)
{
    /* Acquire: pairs with the release addition in snceName_Enter. */
    return atomic_load_explicit(&snceRegion_Header(region)->wildcards,
                                memory_order_acquire) != 0;
}

void
snceName_Leave(const snceRegion *region, uint32_t number)
{
    snceServerWords *entry = snceRegion_Server(region, number);
    uint64_t first =
        atomic_load_explicit(&entry->name[0], memory_order_relaxed);

    /* The name first: who ends this for a process that died must not count the
     * same wildcard off twice. */
    atomic_store_explicit(&entry->name[0], 0, memory_order_release);
    SNCE_STEP("name-erased");
    if (*(const uint8_t *)&first == '*') {
        atomic_fetch_sub_explicit(&snceRegion_Header(region)->wildcards, 1,
                                  memory_order_release);
    }
    snceName_Tidy(region);
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
