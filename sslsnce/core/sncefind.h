/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncefind.h: how an entry is found. In line, for a cache is made for this: with
 * every function called and every structure stored, a hit took 180 instructions
 * more. */
#ifndef SNCEFIND_H
#define SNCEFIND_H

#include <string.h>

#include "sncetable.h"
#include "snceword.h"

/* snceProbePlaces is where the session of a hash may lie: in two sets, a left one and
 * a right one, in each best of all at one way, and under which tag. */
typedef struct {
    uint64_t tag;
    snceSet *set[2];
    unsigned way[2];
} snceProbePlaces;

/* snceHash_Other makes of an ID's hash that of its second set. */
static inline uint64_t
snceHash_Other(uint64_t hash)
{
    return hash * UINT64_C(0xd1342543de82ef95);
}

/* snceTable_Pages finds in which pages of a table the sets of a hash lie. */
static inline void
snceTable_Pages(const snceTable *table, uint64_t hash, uint64_t page[2])
{
    page[0] = snceSize_Reduce(snceHash_Range(hash, table->pages), table->pages,
                              snceTable_Used(table));
    page[1] =
        snceSize_Reduce(snceHash_Range(snceHash_Other(hash), table->pages),
                        table->pages, snceTable_Used(table));
}

/* snceTable_Offsets finds where in the region the two sets of a hash are. */
static inline void
snceTable_Offsets(const snceTable *table, uint64_t hash, uint64_t offset[2])
{
    uint64_t page[2];

    snceTable_Pages(table, hash, page);
    offset[0] = table->offset + page[0] * SNCE_PAGE;
    offset[1] = table->offset + page[1] * SNCE_PAGE + sizeof(snceSet);
}

/* snceTable_MappedSets finds the two sets of a hash, if this process has mapped both
 * already; else it returns false. No system call. */
SNCE_INLINE bool
snceTable_MappedSets(const snceTable *table, uint64_t hash, snceSet *set[2])
{
    const snceMap *map = table->region->map;
    uint8_t *first, *second;
    uint64_t offset[2];

    snceTable_Offsets(table, hash, offset);
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

/* snceTable_Sets is the same, and maps what is not mapped yet; false if that cannot be
 * had. */
SNCE_INLINE bool
snceTable_Sets(const snceTable *table, uint64_t hash, snceSet *set[2])
{
    return snceTable_MappedSets(table, hash, set) ||
           (snceTable_MapPlaces(table, hash) &&
            snceTable_MappedSets(table, hash, set));
}

/* snceTable_BestWays finds the best way in each, from the bits of the hash that are
 * neither the set nor the tag. */
static inline void
snceTable_BestWays(uint64_t hash, unsigned way[2])
{
    way[0] = (unsigned)((hash >> 24 & 0xff) * SNCE_WAYS >> 8);
    way[1] = (unsigned)((snceHash_Other(hash) >> 24 & 0xff) * SNCE_WAYS >> 8);
}

/* snceTable_MappedPlaces finds the places, if this process has mapped both sets
 * already; else it returns false. */
SNCE_INLINE bool
snceTable_MappedPlaces(const snceTable *table, uint64_t hash,
                       snceProbePlaces *out)
{
    if (!snceTable_MappedSets(table, hash, out->set)) {
        return false;
    }
    out->tag = snceVersion_Tag(hash);
    snceTable_BestWays(hash, out->way);
    return true;
}

/* snceProbePlaces_Fetch asks for all that an operation will most probably read at
 * once, the slots at the best ways with the versions. A lookup that must see a
 * version before it knows which slot to read waits for memory twice: at 1,000,000
 * sessions that took 2.0 times as long as one read, this 1.4 times. */
SNCE_INLINE void
snceProbePlaces_Fetch(const snceProbePlaces *at)
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

/* snceTable_Sum is the checksum of |words| at |spot| under |v|. */
static inline uint64_t
snceTable_Sum(const snceTable *table, const snceSpot *spot, snceVersion v,
              const uint64_t words[SNCE_ENTRY_WORDS])
{
    return snceSlot_Sum(&table->region->hash, &table->lot,
                        snceTable_PlaceOf(spot), v, words + SNCE_W_SUM + 1,
                        SNCE_W_SUMMED - (SNCE_W_SUM + 1));
}

static inline bool
snceProbe_IsId(const snceProbe *probe, const uint64_t *words)
{
    return (((words[SNCE_W_SHAPE] & 0xff) ^ probe->shape) |
            (words[SNCE_W_ID] ^ probe->id[0]) |
            (words[SNCE_W_ID + 1] ^ probe->id[1]) |
            (words[SNCE_W_ID + 2] ^ probe->id[2]) |
            (words[SNCE_W_ID + 3] ^ probe->id[3])) == 0;
}

static inline bool
snceProbe_IsAddress(const snceProbe *probe, const uint64_t *words)
{
    return !probe->matchAddress ||
           (words[SNCE_W_ADDRESS] == probe->address[0] &&
            words[SNCE_W_ADDRESS + 1] == probe->address[1]);
}

/* snceTable_Read copies what is at |spot| if it is whole; |spot->seen| must be a FULL one.
 * Returns SNCE_OK, SNCE_MISS (it changed meanwhile) or SNCE_CORRUPT. */
static inline snceResult
snceTable_Read(const snceTable *table, const snceSpot *spot,
               uint64_t words[SNCE_ENTRY_WORDS])
{
    snceSlot_Load(words, spot->set->slot[spot->way].word, SNCE_ENTRY_WORDS);
    if (!snceSlot_Unchanged(&spot->set->version[spot->way], spot->seen)) {
        return SNCE_MISS;
    }
    return words[SNCE_W_SUM] == snceTable_Sum(table, spot, spot->seen, words)
               ? SNCE_OK
               : SNCE_CORRUPT;
}

/* snceTable_Read, if what was seen there has the tag and what is there the ID.
 */
static inline snceResult
snceTable_ReadMatching(const snceTable *table, const snceProbe *probe,
                       uint64_t words[SNCE_ENTRY_WORDS], const snceSpot *spot)
{
    uint64_t tag = snceVersion_Tag(probe->hash);
    snceResult result;

    if (!snceVersion_Matches(spot->seen, SNCE_STATE_FULL, tag)) {
        return SNCE_MISS;
    }
    result = snceTable_Read(table, spot, words);
    return snceProbe_IsId(probe, words) ? result : SNCE_MISS;
}

/* snceTable_ReadWanted is snceTable_Read of what must be the session of |probe|.
 * What is compared and what is the owner's is not kept among the |words|, and so
 * in registers: an ID is compared as it comes, the owner's state goes straight to
 * the |state| of who asked, so that no second copy of a secret is made. Unless it
 * returns true, |state| holds nothing of use. */
SNCE_INLINE bool
snceTable_ReadWanted(const snceTable *table, const snceProbe *probe,
                     const snceSpot *spot, uint64_t words[SNCE_ENTRY_WORDS],
                     uint8_t state[SNCE_STATE_BYTES])
{
    const snceHash *hash = &table->region->hash;
    const snceWord *from = spot->set->slot[spot->way].word;
    uint64_t differs = 0;
    /* If the ID is another one, it does not matter what the sum is. */
    uint64_t sum[2] = { probe->sum + snceSlot_Tweak(&table->lot,
                                                    snceTable_PlaceOf(spot),
                                                    spot->seen),
                        SNCE_W_SUMMED - SNCE_W_ID };

#pragma GCC unroll 2
    for (unsigned i = 0; i < SNCE_ID_MAX / 8; i += 2) {
        uint64_t pair[2];

        snceSlot_Load(pair, from + SNCE_W_ID + i, 2);
        differs |= (pair[0] ^ probe->id[i]) | (pair[1] ^ probe->id[i + 1]);
    }
    snceSlot_Load(words + SNCE_W_ADDRESS, from + SNCE_W_ADDRESS,
                  SNCE_W_STATE - SNCE_W_ADDRESS);
    snceHash_Add(hash, sum, SNCE_W_ADDRESS - SNCE_W_ID, words + SNCE_W_ADDRESS,
                 SNCE_W_STATE - SNCE_W_ADDRESS);
    differs |= (words[SNCE_W_SHAPE] & 0xff) ^ probe->shape;
    /* The secrets of another session are not even read: what is in a register may be
     * left on the stack. */
    if (SNCE_RARELY(differs != 0 || !snceProbe_IsAddress(probe, words))) {
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
    return snceSlot_Unchanged(&spot->set->version[spot->way], spot->seen) &&
           words[SNCE_W_SUM] == snceHash_Fold(sum);
}

/* snceTable_FindBest is snceTable_Find at the two best ways only. Of the |words|
 * there are those that snceTable_ReadWanted keeps; the state is in |state|, where
 * nothing of the entry is left unless it returns true. */
SNCE_INLINE bool
snceTable_FindBest(const snceTable *table, const snceProbe *probe,
                   const snceProbePlaces *at, uint64_t words[SNCE_ENTRY_WORDS],
                   uint8_t state[SNCE_STATE_BYTES], snceSpot *spot)
{
    snceVersion first = snceSlot_Version(&at->set[0]->version[at->way[0]]);
    snceVersion second = snceSlot_Version(&at->set[1]->version[at->way[1]]);
    /* All ones if it is not the first. Without a branch, and so that a compiler
     * makes none of it: which of the two it is, is chance. */
    uint64_t other =
        (uint64_t)snceVersion_Matches(first, SNCE_STATE_FULL, at->tag) - 1;
    uintptr_t apart = (uintptr_t)at->set[0] ^ (uintptr_t)at->set[1];

    __asm__("" : "+r"(other));
    spot->set = (snceSet *)((uintptr_t)at->set[0] ^ (apart & (uintptr_t)other));
    spot->way = at->way[0] ^ ((at->way[0] ^ at->way[1]) & (unsigned)other);
    spot->seen = first ^ ((first ^ second) & other);
    if (!snceVersion_Matches(spot->seen, SNCE_STATE_FULL, at->tag)) {
        return false;
    }
    if (snceTable_ReadWanted(table, probe, spot, words, state)) {
        return true;
    }
    explicit_bzero(state, SNCE_STATE_BYTES);
    return false;
}

#endif /* SNCEFIND_H */
