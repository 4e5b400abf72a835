/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncetable.h: the session table of one virtual server.
 *
 * A table is pages; each page has two sets, a left one and a right one, of ten
 * slots. A session lies in one of the two sets that its ID's hash names: the
 * left set of one page, or the right set of another. sncesize.h says how many
 * pages are in use. The functions here work on entries, which are words
 * (sncelayout.h); sncecache.c knows what the words mean to a session. */
#ifndef SNCETABLE_H
#define SNCETABLE_H

#include "snceregion.h"
#include "sncesize.h"
#include "snceslot.h"

/* snceTable is this process's view of one table; its place is bounded (rule
 * 1). */
typedef struct {
    const snceRegion *region;
    uint64_t offset;      /* offset of its range in the region */
    uint64_t pages;       /* pages that it may have; bounded */
    uint64_t range;       /* range word; names this epoch of the range */
    const snceWord *name; /* the directory's word that holds |range| as long as
                           * the table lives */
    snceSize size;        /* its size word, as it was seen */
    snceEpoch epoch;
} snceTable;

/* snceTable_IsNamed tells whether the directory still names the table. If not,
 * its range was given back and may be another table's. The directory names it
 * until its memory is given back; so if the answer is yes, what was seen in a
 * slot before the call belongs to this table. Sequentially consistent: the load
 * comes after the loads of what was seen, and pairs with the release store of
 * snceShape_Vacate. */
static inline bool
snceTable_IsNamed(const snceTable *table)
{
    return atomic_load_explicit(table->name, memory_order_seq_cst) ==
           table->range;
}

/* snceTable_Used returns how many pages of the table are in use. */
static inline uint64_t
snceTable_Used(const snceTable *table)
{
    return snceSize_Used(table->size);
}

/* sncePosition is where an entry was seen: its slot, and the version word at
 * that time. */
typedef struct {
    snceSet *set;
    unsigned way;
    snceVersion seen;
} sncePosition;

/* sncePosition_At loads the version of a slot. */
static inline sncePosition
sncePosition_At(snceSet *set, unsigned way)
{
    sncePosition position = { set, way, snceSlot_Version(&set->version[way]) };

    return position;
}

/* snceLookupKey is the session ID and the client address that are looked
 * for. */
typedef struct {
    uint64_t id[4]; /* zero-filled */
    uint64_t shape; /* ID length; the class is not part of the key */
    uint64_t address[2];
    bool matchAddress;
    uint64_t sum; /* what the ID adds to the checksum of its entry */
    uint64_t hash;
} snceLookupKey;

static_assert(SNCE_W_ID == SNCE_W_SUM + 1, "a checksum begins with the ID");

/* snceLookupKey_Hash computes |lookupKey->hash| from the ID. Only this hash
 * decides which sets and which tag a session has. It also computes
 * |lookupKey->sum|, on the way to the hash. */
static inline void
snceLookupKey_Hash(snceLookupKey *lookupKey, const snceRegion *region)
{
    uint64_t sum[2] = { 0, 0 };
    uint64_t x;

    snceHash_Add(&region->hash, sum, 0, lookupKey->id,
                 sizeof(lookupKey->id) / sizeof(lookupKey->id[0]));
    lookupKey->sum = snceHash_Fold(sum);
    /* Mix only a little at the end: nothing of a lookup can begin before the
     * hash is known. */
    x = lookupKey->shape + lookupKey->sum;
    x = (x ^ x >> 32) * UINT64_C(0xbf58476d1ce4e5b9);
    lookupKey->hash = x ^ x >> 32;
}

/* snceTable_ClassOf returns the class of an entry's session. */
static inline unsigned
snceTable_ClassOf(const uint64_t *words)
{
    return (unsigned)(words[SNCE_W_SHAPE] >> 8) & 1;
}

/* snceRule says when entries expire, for the entries of one cache. */
typedef struct {
    snceTime now;
    uint32_t timeoutSec[SNCE_CLASSES];
    const _Atomic uint32_t
        *skewSec; /* where snceCacheOptions.clockSkewSec lies; for inserts only,
                   * else NULL */
} snceRule;

#define SNCE_USEC_PER_SEC 1000000

/* snceRule_SkewSec returns snceCacheOptions.clockSkewSec as it is now. Relaxed:
 * a change takes effect when it is seen. */
static inline uint32_t
snceRule_SkewSec(const _Atomic uint32_t *skewSec)
{
    uint32_t skew = atomic_load_explicit(skewSec, memory_order_relaxed);

    return skew < SNCE_CLOCK_SKEW_MAX ? skew : SNCE_CLOCK_SKEW_MAX;
}

/* snceRule_Live tells whether an entry has neither expired nor was created
 * after |now|. One comparison tells both: a negative age is a very large
 * unsigned number. */
static inline bool
snceRule_Live(const snceRule *rule, unsigned sessionClass, int64_t created)
{
    int64_t age;

    if (__builtin_sub_overflow(rule->now.usec, created, &age)) {
        return false;
    }
    return (uint64_t)age <
           (uint64_t)rule->timeoutSec[sessionClass] * SNCE_USEC_PER_SEC;
}

/* snceRule_Expired tells whether an entry created at |created| has expired. */
static inline bool
snceRule_Expired(const snceRule *rule, unsigned sessionClass, int64_t created)
{
    return created <= rule->now.usec &&
           !snceRule_Live(rule, sessionClass, created);
}

/* snceRule_Expiry returns when an entry created at |created| expires; if the
 * sum overflows, the largest time there is. */
static inline snceTime
snceRule_Expiry(const snceRule *rule, snceClass sessionClass, snceTime created)
{
    snceTime expiry;

    if (__builtin_add_overflow(
            created.usec,
            (int64_t)rule->timeoutSec[(unsigned)sessionClass % SNCE_CLASSES] *
                SNCE_USEC_PER_SEC,
            &expiry.usec)) {
        expiry.usec = INT64_MAX;
    }
    return expiry;
}

/* snceTable_PagesFor returns how many pages a table for |entries| sessions
 * needs (G10). */
uint64_t snceTable_PagesFor(uint64_t entries);

/* snceTable_UsedFor returns how many of its |pages| pages a table should use
 * from the beginning if it gets |entries| sessions at once. */
uint64_t snceTable_UsedFor(uint64_t entries, uint64_t pages);

/* snceTable_Bytes returns the size of a table of |pages| pages. */
static inline uint64_t
snceTable_Bytes(uint64_t pages)
{
    return pages * SNCE_PAGE;
}

/* Slots in a page. */
#define SNCE_PAGE_SLOTS (2 * SNCE_WAYS)

/* snceTable_At opens the table in |range|, which belongs to the server |id| and
 * whose size word was seen to be |size|. |name| is the directory's word for the
 * range. A range of zeros is an empty table. Returns what snceRegion_Bound
 * returns; |*out| is written on SNCE_NO_MEMORY too. */
static inline snceResult
snceTable_At(snceTable *out, const snceRegion *region, snceLocalId id,
             const snceWord *name, uint64_t range, snceSize size)
{
    uint64_t offset = snceRange_Offset(range);
    uint64_t pages = snceSize_Pages(size);
    snceResult result;

    if (SNCE_RARELY(pages - 1 >= SNCE_PAGES_MAX)) { /* or it is 0 */
        return SNCE_CORRUPT;
    }
    result = snceRegion_Bound(region, offset, snceTable_Bytes(pages));
    out->offset = offset;
    out->region = region;
    out->pages = pages;
    out->range = range;
    out->name = name;
    out->size = size;
    out->epoch = snceEpoch_Of(range, id);
    return result;
}

/* snceTable_Set returns the |index|th set of a table, or NULL if this process
 * cannot map it. |index| is below twice the table's pages. */
static inline snceSet *
snceTable_Set(const snceTable *table, uint64_t index)
{
    return (snceSet *)snceRegion_Place(table->region,
                                       table->offset + index * sizeof(snceSet));
}

/* snceTable_PlaceOf returns where in its chunk a slot lies, for its checksum.
 * Chunks are mapped at multiples of their size. */
static inline uint64_t
snceTable_PlaceOf(const sncePosition *position)
{
    return (uint64_t)(uintptr_t)&position->set->slot[position->way] &
           (SNCE_CHUNK_BYTES - 1);
}

/* snceTable_MapPlaces maps the two sets of |hash|. Returns false if it
 * cannot. */
bool snceTable_MapPlaces(const snceTable *table, uint64_t hash);

/* ---- while a table grows ------------------------------------------------- */

/* snceTable_IsSplitting tells whether sessions of the last page in use may
 * still lie in the page from which it is split. */
static inline bool
snceTable_IsSplitting(const snceTable *table)
{
    return (table->size & SNCE_SIZE_SPLITTING) != 0;
}

/* snceTable_IsGrown tells whether the table uses all the pages that it may
 * have, and the split of the last one has ended. */
static inline bool
snceTable_IsGrown(const snceTable *table)
{
    return snceTable_Used(table) == table->pages &&
           !snceTable_IsSplitting(table);
}

/* snceTable_Last returns the number of the last page in use. */
static inline uint64_t
snceTable_Last(const snceTable *table)
{
    return snceTable_Used(table) - 1;
}

/* snceTable_Resize updates |table| to |size|, its size word as it is now.
 * Returns false, with nothing changed, if |size| is the word of another table,
 * or damaged. */
static inline bool
snceTable_Resize(snceTable *table, snceSize size)
{
    if (!snceSize_Follows(size, table->size)) {
        return false;
    }
    table->size = size;
    return true;
}

/* snceTable_IsPlace tells whether |set| is one of the two in which the session
 * of |hash| may be stored. */
bool snceTable_IsPlace(const snceTable *table, uint64_t hash,
                       const snceSet *set);

/* snceTable_IsLookedAt tells whether lookups look for the session of |hash| in
 * |set|. */
bool snceTable_IsLookedAt(const snceTable *table, uint64_t hash,
                          const snceSet *set);

/* snceTable_SamePlaces tells whether the session of |hash| lies in the same
 * sets of the table |now| as it did |before|, and can lie in no others. */
bool snceTable_SamePlaces(const snceTable *before, const snceTable *now,
                          uint64_t hash);

/* snceTable_Find copies the entry for |lookupKey| to |words|, and writes where
 * it was to |*position|. Returns SNCE_OK; SNCE_MISS, with |*otherAddress|
 * telling whether the ID is there for another client address; SNCE_CORRUPT (an
 * entry that may be the wanted one fails its checksum); or SNCE_NO_MEMORY (this
 * process cannot map where the entry would lie). */
snceResult snceTable_Find(const snceTable *table,
                          const snceLookupKey *lookupKey,
                          uint64_t words[SNCE_ENTRY_WORDS],
                          sncePosition *position, bool *otherAddress);

/* snceSource is where an entry lies that is carried to another place. */
typedef struct {
    sncePosition position;
    const snceWord
        *size; /* NULL, or the size word of its table, which must still be
                * |seen| when the other place was claimed */
    snceSize seen;
} snceSource;

/* snceTaken is what an insert found in the slot that it claimed, and what else
 * it has to see to. */
typedef struct {
    bool full;      /* there was an entry; its certificate must be released */
    bool expired;   /* that entry had expired */
    bool reclaimed; /* there was a claim whose writer died */
    bool spoiled;   /* this writer lost its claim, and took out another writer's
                     * entry, which it had spoiled */
    bool crowded;   /* the sets have few empty slots, and the table may grow */
    bool doubled;   /* another slot of the sets has the same tag, or may come to
                     * have it */
    uint64_t certificate;
} snceTaken;

/* snceTable_Place stores an entry in one of the two sets |set| of its hash
 * (snceTable_Sets): in the slot that holds the same key, else in the one whose
 * loss costs least. The entry consists of the ID of |lookupKey|, the |words|
 * between that and the owner's |state|, and the state.
 *
 * With a |source|, it stores a copy of that entry, but only if the entry still
 * stands there and the key is not in the sets yet.
 *
 * Returns SNCE_OK (|*position| is where the entry lies now) or SNCE_DROPPED.
 * With a |source| also SNCE_EXISTS, or SNCE_FULL (the sets are full of younger
 * entries). |*taken| is written in every case: an insert that lost a race may
 * have emptied the slot too. */
snceResult snceTable_Place(const snceTable *table, snceSet *const set[2],
                           const snceLookupKey *lookupKey, const snceRule *rule,
                           const uint64_t *words,
                           const uint8_t state[SNCE_STATE_BYTES],
                           const snceSource *source, sncePosition *position,
                           snceTaken *taken);

/* snceTable_Use notes that the entry at |position| was looked up at |at|.
 * Inserts evict sessions that were not used lately rather than others. */
static inline void
snceTable_Use(const sncePosition *position, const uint64_t *words, snceTime at)
{
    int64_t age;

    if (__builtin_sub_overflow(at.usec, (int64_t)words[SNCE_W_CREATED], &age) ||
        age < 0) {
        age = 0;
    }
    age /= SNCE_USEC_PER_SEC;
    snceSlot_Use(&position->set->version[position->way], position->seen,
                 age < INT32_MAX ? (uint32_t)age : INT32_MAX);
}

/* snceTable_Take wipes and empties the slot at |position| if it still holds
 * what was seen there. Returns whether it did. */
bool snceTable_Take(const snceTable *table, const sncePosition *position);

/* snceTable_IsSame tells whether two entries are copies of one session. One of
 * them may have been carried to another place and store, and looked up
 * since. */
bool snceTable_IsSame(const uint64_t *a, const uint64_t *b);

/* snceTable_Gone is a function that gets the words of an entry that was taken
 * out. */
typedef void (*snceTable_Gone)(void *context, const uint64_t *words);

/* snceRemoved is what a removal took out. */
typedef struct {
    unsigned entries; /* sessions of the key */
    unsigned claims;  /* unfinished inserts of the key's tag (rule 5) */
    bool unmapped; /* nothing was taken out: this process cannot map where the
                    * sessions would lie */
} snceRemoved;

/* snceTable_Remove empties every slot that holds the key of |lookupKey|, and
 * overrides every unfinished insert that may be of that key (G5). It leaves the
 * slot |except| alone, unless that is NULL. If |only| is not NULL, it takes out
 * only copies of that entry, and unfinished inserts as before. Returns how many
 * of each it removed. */
snceRemoved snceTable_Remove(const snceTable *table,
                             const snceLookupKey *lookupKey,
                             const sncePosition *except, const uint64_t *only,
                             snceTable_Gone gone, void *context);

/* snceTable_Entry copies the entry of the |index|th slot, whatever its key, and
 * writes where it was. Returns false if there is none, or if it is not
 * whole. */
bool snceTable_Entry(const snceTable *table, uint64_t index,
                     sncePosition *position, uint64_t words[SNCE_ENTRY_WORDS]);

/* snceTable_Sweep wipes the expired entries in the two sets of |lookupKey|. The
 * caller is an insert that has just used these sets, so the sweep touches no
 * other memory. Returns how many entries it wiped. */
unsigned snceTable_Sweep(const snceTable *table, const snceLookupKey *lookupKey,
                         const snceRule *rule, snceTable_Gone gone,
                         void *context);

#endif /* SNCETABLE_H */
