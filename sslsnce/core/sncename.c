/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncename.h"

#include <string.h>

#include "sncestate.h"
#include "sncestep.h"

/* How many words are compared: those that the name takes, and one of zeros if
 * it fills them. Two different names differ in these words, whatever their
 * lengths. */
static size_t
WordsOf(size_t len)
{
    return len / 8 + 1;
}

/* ---- spelling ------------------------------------------------------------ */

#define ONES UINT64_C(0x0101010101010101)

/* WITHOUT drops the first |count| bytes of a word, 0 to 7, and fills it up with
 * zeros. BEHIND puts |count| bytes of zeros, 1 to 8, before a word's first
 * bytes. */
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

/* Makes eight bytes lower case at once, ASCII letters only. Adding a constant
 * to a byte below 128 carries into its top bit if the byte is at least 'A', or
 * if it is beyond 'Z'. Where only the first of these carries occurs, the byte
 * is an upper-case letter. Shifted, its top bit is 32, the difference between
 * the cases. */
static uint64_t
Lower(uint64_t word)
{
    uint64_t low = word & 0x7f * ONES;
    uint64_t atLeastA = low + (0x80 - 'A') * ONES;
    uint64_t beyondZ = low + (0x7f - 'Z') * ONES;

    return word | (((atLeastA ^ beyondZ) & ~word & 0x80 * ONES) >> 2);
}

/* Returns the last |count| bytes of |name|, 1 to 7, zero-filled to a word. */
static uint64_t
Rest(const uint8_t *name, size_t len, size_t count)
{
    uint64_t word = 0;

    if (len < 8) {
        memcpy(&word, name, count);
        return word;
    }
    /* Read eight bytes at once, then drop those before the last |count|. */
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
    /* A NUL at the end would be taken for the zeros behind a shorter name. */
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
    /* snceName_Wildcard reads one word behind the name. */
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

/* Returns where the first dot is, or |len|. XOR with dots turns a dot into a
 * zero byte. That is the only byte whose top bit stays clear when 127 is added
 * to its lower bits and its own top bit is kept. */
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
    /* Copies whole words, from the byte before the dot on; that byte becomes
     * the star. A copy byte by byte would be slower: the hash, which reads
     * words, would have to wait for the processor's store buffer. */
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

/* Hashes a name by the products of snceHash_Words, without the mixing that
 * makes hashes of similar inputs unrelated; that takes half the time. A
 * stranger gains nothing by two names with the same hash: the names in the
 * index are the administrator's, and a search for any other one fails. */
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

/* Is |name| the name of the entry whose state word was |state|? */
static bool
IsNamed(const snceServerWords *entry, snceState state, const snceName *name)
{
    uint64_t differ = 0;

    /* Acquire: pairs with the release stores in snceName_Enter. If one of these
     * words was written for another server, the state word that is loaded
     * afterwards is another one. */
    for (size_t i = 0; i < WordsOf(name->len); i++) {
        differ |= atomic_load_explicit(&entry->name[i], memory_order_acquire) ^
                  name->word[i];
    }
    return differ == 0 && snceState_Is(atomic_load_explicit(
                                           &entry->state, memory_order_relaxed),
                                       snceState_Generation(state));
}

bool
snceName_Find(const snceRegion *region, const snceName *name, uint64_t *state,
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
        *state = atomic_load_explicit(&entry->state, memory_order_acquire);
        if (snceState_Phase(*state) == SNCE_SERVER_LIVE &&
            IsNamed(entry, *state, name)) {
            return true;
        }
    }
    return false;
}

/* Does a hint lead to a live server whose name has its hash? The caller holds
 * the administrative lock. */
static bool
Leads(const snceRegion *region, uint64_t hint)
{
    uint32_t number = (uint32_t)(hint & SNCE_HINT_NUMBER);
    const snceServerWords *entry;

    if (hint == 0 || number >= SNCE_SERVERS) {
        return false;
    }
    entry = snceRegion_Server(region, number);
    return snceState_Phase(atomic_load_explicit(
               &entry->state, memory_order_relaxed)) == SNCE_SERVER_LIVE &&
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

    /* Release: pairs with the acquire loads in IsNamed. A process that sees one
     * of these words, and saw the state word of the server that was here
     * before, finds the state word changed. */
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
    /* Use the first place whose hint leads to no live server. Such a hint is as
     * good as none: no search takes it for this name, and each goes on behind
     * it. */
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

    /* Erase the name before the count: another process that ends this removal
     * after a death must not count the same wildcard off twice. */
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

    /* Backwards, so that several such hints in a row go at once. Wiping one
     * shortens no search: a search that passes through its place ends at the
     * empty place behind it. */
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
