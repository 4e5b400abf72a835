/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncefind.h: how a lookup finds an entry. All of it is inlined, because
 * finding entries is what a cache is for: with every function called and every
 * structure stored, a hit took 180 instructions more. */
#ifndef SNCEFIND_H
#define SNCEFIND_H

#include <string.h>

#include "sncetable.h"
#include "snceword.h"

/* snceLookupPlaces says where the session of a hash may lie: in the left set of
 * one page or the right set of another, in each set best at one way; and which
 * tag it has. */
typedef struct {
    uint64_t tag;
    snceSet *set[2];
    unsigned way[2];
} snceLookupPlaces;

/* snceHash_Other returns the hash of an ID's second set, made from the ID's
 * |hash|. */
static inline uint64_t
snceHash_Other(uint64_t hash)
{
    return hash * UINT64_C(0xd1342543de82ef95);
}

/* snceTable_Pages finds the two pages of a table in which the sets of a hash
 * lie. */
static inline void
snceTable_Pages(const snceTable *table, uint64_t hash, uint64_t page[2])
{
    page[0] = snceSize_Reduce(snceHash_Range(hash, table->pages), table->pages,
                              snceTable_Used(table));
    page[1] =
        snceSize_Reduce(snceHash_Range(snceHash_Other(hash), table->pages),
                        table->pages, snceTable_Used(table));
}

/* snceTable_OffsetsIn finds the offsets in the region of a hash's two sets: the
 * left one of the first |page| and the right one of the second. */
static inline void
snceTable_OffsetsIn(const snceTable *table, const uint64_t page[2],
                    uint64_t offset[2])
{
    offset[0] = table->offset + page[0] * SNCE_PAGE;
    offset[1] = table->offset + page[1] * SNCE_PAGE + sizeof(snceSet);
}

static inline void
snceTable_Offsets(const snceTable *table, uint64_t hash, uint64_t offset[2])
{
    uint64_t page[2];

    snceTable_Pages(table, hash, page);
    snceTable_OffsetsIn(table, page, offset);
}

/* snceTable_MappedIn finds the addresses of these two sets. Returns false if
 * this process has not mapped both yet. Makes no system call. */
SNCE_INLINE bool
snceTable_MappedIn(const snceTable *table, const uint64_t page[2],
                   snceSet *set[2])
{
    const snceMap *map = table->region->map;
    uint8_t *first, *second;
    uint64_t offset[2];

    snceTable_OffsetsIn(table, page, offset);
    first = snceMap_At(map, offset[0]);
    second = snceMap_At(map, offset[1]);
    if (SNCE_RARELY(!first || !second)) {
        return false;
    }
    /* Sets do not straddle chunks. */
    set[0] = (snceSet *)(first + (offset[0] & (SNCE_CHUNK_BYTES - 1)));
    set[1] = (snceSet *)(second + (offset[1] & (SNCE_CHUNK_BYTES - 1)));
    return true;
}

/* snceTable_MappedSets finds the two sets of a hash. Returns false if this
 * process has not mapped both yet. */
SNCE_INLINE bool
snceTable_MappedSets(const snceTable *table, uint64_t hash, snceSet *set[2])
{
    uint64_t page[2];

    snceTable_Pages(table, hash, page);
    return snceTable_MappedIn(table, page, set);
}

/* snceTable_MappedSetsOfAll is snceTable_MappedSets for a table that has all
 * its pages in use. */
SNCE_INLINE bool
snceTable_MappedSetsOfAll(const snceTable *table, uint64_t hash,
                          snceSet *set[2])
{
    const uint64_t page[2] = { snceHash_Range(hash, table->pages),
                               snceHash_Range(snceHash_Other(hash),
                                              table->pages) };

    return snceTable_MappedIn(table, page, set);
}

/* snceTable_Sets is snceTable_MappedSets, but maps the sets that are not mapped
 * yet. Returns false if it cannot. */
SNCE_INLINE bool
snceTable_Sets(const snceTable *table, uint64_t hash, snceSet *set[2])
{
    return snceTable_MappedSets(table, hash, set) ||
           (snceTable_MapPlaces(table, hash) &&
            snceTable_MappedSets(table, hash, set));
}

/* snceTable_BestWays finds the best way in each of the two sets, from bits of
 * the hash that say neither set nor tag. */
static inline void
snceTable_BestWays(uint64_t hash, unsigned way[2])
{
    way[0] = (unsigned)((hash >> 24 & 0xff) * SNCE_WAYS >> 8);
    way[1] = (unsigned)((snceHash_Other(hash) >> 24 & 0xff) * SNCE_WAYS >> 8);
}

/* snceTable_MappedPlaces finds the places of a hash. Returns false if this
 * process has not mapped both sets yet. */
SNCE_INLINE bool
snceTable_MappedPlaces(const snceTable *table, uint64_t hash,
                       snceLookupPlaces *out)
{
    if (!snceTable_MappedSets(table, hash, out->set)) {
        return false;
    }
    out->tag = snceVersion_Tag(hash);
    snceTable_BestWays(hash, out->way);
    return true;
}

/* snceLookupPlaces_Fetch asks the memory at once for all that an operation will
 * probably read: the versions, and the slots at the best ways. A lookup that
 * must see a version before it knows which slot to read waits for memory twice.
 * At 1,000,000 sessions that took 2.0 times as long as one read; this takes 1.4
 * times as long. */
SNCE_INLINE void
snceLookupPlaces_Fetch(const snceLookupPlaces *at)
{
    for (unsigned i = 0; i < 2; i++) {
        const snceSet *set = at->set[i];
        const snceWord *word = set->slot[at->way[i]].word;

        __builtin_prefetch(&set->version[at->way[i]]);
        __builtin_prefetch(&word[0]);
        __builtin_prefetch(&word[SNCE_LINE / 8]);
        __builtin_prefetch(&word[2 * SNCE_LINE / 8]);
    }
}

/* snceTable_Sum returns the checksum of |words| at |position| under the version
 * |v|. */
static inline uint64_t
snceTable_Sum(const snceTable *table, const sncePosition *position,
              snceVersion v, const uint64_t words[SNCE_ENTRY_WORDS])
{
    return snceSlot_Sum(&table->region->hash, &table->epoch,
                        snceTable_PlaceOf(position), v, words + SNCE_W_SUM + 1,
                        SNCE_W_SUMMED - (SNCE_W_SUM + 1));
}

static inline bool
snceLookupKey_IsId(const snceLookupKey *lookupKey, const uint64_t *words)
{
    return (((words[SNCE_W_SHAPE] & 0xff) ^ lookupKey->shape) |
            (words[SNCE_W_ID] ^ lookupKey->id[0]) |
            (words[SNCE_W_ID + 1] ^ lookupKey->id[1]) |
            (words[SNCE_W_ID + 2] ^ lookupKey->id[2]) |
            (words[SNCE_W_ID + 3] ^ lookupKey->id[3])) == 0;
}

static inline bool
snceLookupKey_IsAddress(const snceLookupKey *lookupKey, const uint64_t *words)
{
    return !lookupKey->matchAddress ||
           (words[SNCE_W_ADDRESS] == lookupKey->address[0] &&
            words[SNCE_W_ADDRESS + 1] == lookupKey->address[1]);
}

/* snceTable_Read copies the entry at |position|, where |position->seen| is a
 * FULL version, and checks it. Returns SNCE_OK, SNCE_MISS (it changed
 * meanwhile) or SNCE_CORRUPT. */
static inline snceResult
snceTable_Read(const snceTable *table, const sncePosition *position,
               uint64_t words[SNCE_ENTRY_WORDS])
{
    snceSlot_Load(words, position->set->slot[position->way].word,
                  SNCE_ENTRY_WORDS);
    /* Keeps the copy in |words|, where the caller wipes it. With link-time
     * optimisation a compiler sees every use of the array, and may keep the
     * words in registers and in places of its own on the stack instead. */
    __asm__ volatile("" : : "r"(words) : "memory");
    if (!snceSlot_Unchanged(&position->set->version[position->way],
                            position->seen)) {
        return SNCE_MISS;
    }
    return words[SNCE_W_SUM] ==
                   snceTable_Sum(table, position, position->seen, words)
               ? SNCE_OK
               : SNCE_CORRUPT;
}

/* snceTable_Read for an entry whose version has the tag of |lookupKey|. Returns
 * SNCE_MISS also if the tag or the ID is another one. */
static inline snceResult
snceTable_ReadMatching(const snceTable *table, const snceLookupKey *lookupKey,
                       uint64_t words[SNCE_ENTRY_WORDS],
                       const sncePosition *position)
{
    uint64_t tag = snceVersion_Tag(lookupKey->hash);
    snceResult result;

    if (!snceVersion_Matches(position->seen, SNCE_STATE_FULL, tag)) {
        return SNCE_MISS;
    }
    result = snceTable_Read(table, position, words);
    return snceLookupKey_IsId(lookupKey, words) ? result : SNCE_MISS;
}

/* snceTable_ReadWanted is snceTable_Read for an entry that must be the session
 * of |lookupKey|. It compares the ID while it loads it, and copies the owner's
 * state straight to the caller's |state|. Neither is kept among the |words|, so
 * that these stay in registers, and no second copy of a secret is made. Unless
 * it returns true, |state| holds nothing of use. */
SNCE_INLINE bool
snceTable_ReadWanted(const snceTable *table, const snceLookupKey *lookupKey,
                     const sncePosition *position,
                     uint64_t words[SNCE_ENTRY_WORDS],
                     uint8_t state[SNCE_STATE_BYTES])
{
    const snceHash *hash = &table->region->hash;
    const snceWord *from = position->set->slot[position->way].word;
    uint64_t differs = 0;
    /* With another ID the sum is wrong, but then it is not needed. */
    uint64_t sum[2] = { lookupKey->sum +
                            snceSlot_Tweak(&table->epoch,
                                           snceTable_PlaceOf(position),
                                           position->seen),
                        SNCE_W_SUMMED - SNCE_W_ID };

#pragma GCC unroll 2
    for (unsigned i = 0; i < SNCE_ID_MAX / 8; i += 2) {
        uint64_t pair[2];

        snceSlot_Load(pair, from + SNCE_W_ID + i, 2);
        differs |=
            (pair[0] ^ lookupKey->id[i]) | (pair[1] ^ lookupKey->id[i + 1]);
    }
    snceSlot_Load(words + SNCE_W_ADDRESS, from + SNCE_W_ADDRESS,
                  SNCE_W_STATE - SNCE_W_ADDRESS);
    snceHash_Add(hash, sum, SNCE_W_ADDRESS - SNCE_W_ID, words + SNCE_W_ADDRESS,
                 SNCE_W_STATE - SNCE_W_ADDRESS);
    differs |= (words[SNCE_W_SHAPE] & 0xff) ^ lookupKey->shape;
    /* Do not even read the secrets of another session: what is in a register
     * may be left on the stack. */
    if (SNCE_RARELY(differs != 0 ||
                    !snceLookupKey_IsAddress(lookupKey, words))) {
        return false;
    }
#pragma GCC unroll 6
    for (unsigned i = 0; i < SNCE_STATE_BYTES / 8; i += 2) {
        uint64_t pair[2];

        snceSlot_Load(pair, from + SNCE_W_STATE + i, 2);
        snceHash_Add(hash, sum, SNCE_W_STATE - SNCE_W_ID + i, pair, 2);
        snceWord_Write(state + (size_t)i * 8, pair, 2);
    }
    snceSlot_Load(words + SNCE_W_ACCESS, from + SNCE_W_ACCESS, 1);
    snceSlot_Load(words + SNCE_W_SUM, from + SNCE_W_SUM, 1);
    return snceSlot_Unchanged(&position->set->version[position->way],
                              position->seen) &&
           words[SNCE_W_SUM] == snceHash_Fold(sum);
}

/* snceTable_FindBest is snceTable_Find at the two best ways only. It writes
 * those of the |words| that snceTable_ReadWanted keeps; the owner's state goes
 * to |state|. Unless it returns true, nothing of the entry is left in
 * |state|. */
SNCE_INLINE bool
snceTable_FindBest(const snceTable *table, const snceLookupKey *lookupKey,
                   const snceLookupPlaces *at, uint64_t words[SNCE_ENTRY_WORDS],
                   uint8_t state[SNCE_STATE_BYTES], sncePosition *position)
{
    snceVersion first = snceSlot_Version(&at->set[0]->version[at->way[0]]);
    snceVersion second = snceSlot_Version(&at->set[1]->version[at->way[1]]);
    /* All ones unless the first version matches. The choice between the two is
     * made without branches, because it is chance, and the asm statement keeps
     * a compiler from making one. */
    uint64_t other =
        (uint64_t)snceVersion_Matches(first, SNCE_STATE_FULL, at->tag) - 1;
    uintptr_t apart = (uintptr_t)at->set[0] ^ (uintptr_t)at->set[1];

    __asm__("" : "+r"(other));
    position->set =
        (snceSet *)((uintptr_t)at->set[0] ^ (apart & (uintptr_t)other));
    position->way = at->way[0] ^ ((at->way[0] ^ at->way[1]) & (unsigned)other);
    position->seen = first ^ ((first ^ second) & other);
    if (!snceVersion_Matches(position->seen, SNCE_STATE_FULL, at->tag)) {
        return false;
    }
    if (snceTable_ReadWanted(table, lookupKey, position, words, state)) {
        return true;
    }
    explicit_bzero(state, SNCE_STATE_BYTES);
    return false;
}

#endif /* SNCEFIND_H */
