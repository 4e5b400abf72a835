/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncetable.h: the session table of one virtual server.
 *
 * Pages of two sets, a left one and a right one, of ten slots. A session lies in
 * one of the two sets that its ID's hash names: the left one of one page, or the
 * right one of another. How many pages are in use: sncesize.h. Works on entries,
 * which are words (sncelayout.h); what they mean to a session is sncecache.c's
 * business. */
#ifndef SNCETABLE_H
#define SNCETABLE_H

#include "snceregion.h"
#include "sncesize.h"
#include "snceslot.h"

/* snceTable is this process's view of one table: a bounded place (rule 1). */
typedef struct {
    const snceRegion *region;
    uint64_t offset; /* of its range in the region */
    uint64_t pages;  /* it may have; bounded */
    uint64_t range;  /* its word; names this life of the range */
    snceSize size;   /* the word that says so, as it was seen */
    snceLot lot;
} snceTable;

/* snceTable_Used returns how many of its pages are in use. */
static inline uint64_t
snceTable_Used(const snceTable *table)
{
    return snceSize_Used(table->size);
}

/* snceSpot is where an entry was seen: its slot, and its version then. */
typedef struct {
    snceSet *set;
    unsigned way;
    snceVersion seen;
} snceSpot;

/* snceSpot_At looks at a slot. */
static inline snceSpot
snceSpot_At(snceSet *set, unsigned way)
{
    snceSpot spot = { set, way, snceSlot_Version(&set->version[way]) };

    return spot;
}

/* snceProbe is a session ID on its way through a table. */
typedef struct {
    uint64_t id[4]; /* zero-filled */
    uint64_t shape; /* ID length; the class is not part of the key */
    uint64_t address[2];
    bool matchAddress;
    uint64_t sum; /* the ID's part of its entry's checksum */
    uint64_t hash;
} snceProbe;

static_assert(SNCE_W_ID == SNCE_W_SUM + 1, "a checksum begins with the ID");

/* snceProbe_Hash fills in |probe->hash| from the ID: which sets and which tag a
 * session has is decided here alone. And |probe->sum|, which comes with it. */
static inline void
snceProbe_Hash(snceProbe *probe, const snceRegion *region)
{
    uint64_t sum[2] = { 0, 0 };
    uint64_t x;

    snceHash_Add(&region->hash, sum, 0, probe->id,
                 sizeof(probe->id) / sizeof(probe->id[0]));
    probe->sum = snceHash_Fold(sum);
    /* A short end to it: nothing of a lookup can begin before this is known. */
    x = probe->shape + probe->sum;
    x = (x ^ x >> 32) * UINT64_C(0xbf58476d1ce4e5b9);
    probe->hash = x ^ x >> 32;
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
        *skewSec; /* snceCacheOptions.clockSkewSec, where it lies;
                                      * for inserts only, else NULL */
} snceRule;

#define SNCE_USEC_PER_SEC 1000000

/* snceRule_SkewSec returns snceCacheOptions.clockSkewSec as it is now. Relaxed: it
 * counts when seen. */
static inline uint32_t
snceRule_SkewSec(const _Atomic uint32_t *skewSec)
{
    uint32_t skew = atomic_load_explicit(skewSec, memory_order_relaxed);

    return skew < SNCE_CLOCK_SKEW_MAX ? skew : SNCE_CLOCK_SKEW_MAX;
}

/* snceRule_Live tells whether an entry is neither dead nor created after |now|.
 * One comparison tells both: an age below zero is a very large number. */
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

/* snceRule_Expired tells whether an entry created at |created| is dead. */
static inline bool
snceRule_Expired(const snceRule *rule, unsigned sessionClass, int64_t created)
{
    return created <= rule->now.usec &&
           !snceRule_Live(rule, sessionClass, created);
}

/* snceRule_Expiry returns when an entry created at |created| dies; the largest
 * time there is if the sum overflows. */
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

/* snceTable_PagesFor returns how many pages hold |entries| sessions (G10). */
uint64_t snceTable_PagesFor(uint64_t entries);

/* snceTable_UsedFor returns how many of |pages| pages a table should use that gets
 * |entries| sessions at once. */
uint64_t snceTable_UsedFor(uint64_t entries, uint64_t pages);

/* snceTable_Bytes returns the size of a table of |pages| pages. */
static inline uint64_t
snceTable_Bytes(uint64_t pages)
{
    return pages * SNCE_PAGE;
}

/* The slots of a page. */
#define SNCE_PAGE_SLOTS (2 * SNCE_WAYS)

/* snceTable_At opens the table in |range|, which belongs to the server |id| and whose
 * size word was seen to be |size|. A range of zeros is an empty table. Returns as
 * snceRegion_Bound; |*out| is written on SNCE_NO_MEMORY too. */
static inline snceResult
snceTable_At(snceTable *out, const snceRegion *region, snceLocalId id,
             uint64_t range, snceSize size)
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
    out->size = size;
    out->lot = snceLot_Of(range, id);
    return result;
}

/* snceTable_Set returns the |index|th set of a table, |index| below twice its pages,
 * or NULL if this process cannot map it. */
static inline snceSet *
snceTable_Set(const snceTable *table, uint64_t index)
{
    return (snceSet *)snceRegion_Place(table->region,
                                       table->offset + index * sizeof(snceSet));
}

/* snceTable_PlaceOf returns where in its chunk a slot lies, for its checksum. Chunks
 * are mapped at multiples of their size. */
static inline uint64_t
snceTable_PlaceOf(const snceSpot *spot)
{
    return (uint64_t)(uintptr_t)&spot->set->slot[spot->way] &
           (SNCE_CHUNK_BYTES - 1);
}

/* snceTable_MapPlaces maps the two sets of |hash|. False if they cannot be had. */
bool snceTable_MapPlaces(const snceTable *table, uint64_t hash);

/* ---- while it grows ------------------------------------------------------ */

/* snceTable_IsSplitting tells whether sessions of the last page in use may still lie in
 * the page that it is split from. */
static inline bool
snceTable_IsSplitting(const snceTable *table)
{
    return (table->size & SNCE_SIZE_SPLITTING) != 0;
}

/* snceTable_IsGrown tells whether all the pages that the table may have are in use, and
 * the last one was split. */
static inline bool
snceTable_IsGrown(const snceTable *table)
{
    return snceTable_Used(table) == table->pages &&
           !snceTable_IsSplitting(table);
}

/* snceTable_Last returns the last page in use. */
static inline uint64_t
snceTable_Last(const snceTable *table)
{
    return snceTable_Used(table) - 1;
}

/* snceTable_Resize opens the same table as its size word says now, |size|. False, and
 * nothing is changed, if that is the word of another table, or nonsense. */
static inline bool
snceTable_Resize(snceTable *table, snceSize size)
{
    if (!snceSize_Follows(size, table->size)) {
        return false;
    }
    table->size = size;
    return true;
}

/* snceTable_IsPlace tells whether the session of |hash| may be stored in |set|. */
bool snceTable_IsPlace(const snceTable *table, uint64_t hash,
                       const snceSet *set);

/* snceTable_IsLookedAt tells whether lookups look for it in |set|. */
bool snceTable_IsLookedAt(const snceTable *table, uint64_t hash,
                          const snceSet *set);

/* snceTable_SamePlaces tells whether the session of |hash| lies in the same sets of a
 * table as it did |before|, and in no others. */
bool snceTable_SamePlaces(const snceTable *before, const snceTable *now,
                          uint64_t hash);

/* snceTable_Find copies the entry for |probe| to |words|, where it was to
 * |*spot|. Returns SNCE_OK; SNCE_MISS (and |*otherAddress| tells whether the
 * ID is there for another client address); SNCE_CORRUPT (an entry that may be
 * meant fails its checksum); SNCE_NO_MEMORY (this process cannot map where it
 * would lie). */
snceResult snceTable_Find(const snceTable *table, const snceProbe *probe,
                          uint64_t words[SNCE_ENTRY_WORDS], snceSpot *spot,
                          bool *otherAddress);

/* snceSource is where an entry lies that is carried to another place. */
typedef struct {
    snceSpot spot;
    const snceWord
        *size; /* NULL; or the size word of its table, which must still be
                           * |seen| when the other place was claimed */
    snceSize seen;
} snceSource;

/* snceTaken is what an insert found in the slot that it took, and what else it
 * cost. */
typedef struct {
    bool full;      /* an entry; its certificate must be released */
    bool expired;   /* it was dead by the rule */
    bool reclaimed; /* its writer died */
    bool spoiled;   /* this one was too late, and took another's entry along */
    bool crowded;   /* the sets have few empty slots, and the table may grow */
    bool
        doubled; /* another slot there has the same tag, or may come to have it */
    uint64_t certificate;
} snceTaken;

/* snceTable_Place stores an entry in the slot worth least, or in that of the same key,
 * in the two sets |set| of its hash (snceTable_Sets): the ID of |probe|, the |words|
 * between it and the owner's |state|, and that. With |source|, only if that entry still
 * stands there and the key is not here already. Returns SNCE_OK (|*spot| is where it
 * lies now), SNCE_DROPPED or, with |source|, SNCE_EXISTS or SNCE_FULL (of younger
 * entries). |*taken| is written in every case: even a lost race may have emptied the slot. */
snceResult snceTable_Place(const snceTable *table, snceSet *const set[2],
                           const snceProbe *probe, const snceRule *rule,
                           const uint64_t *words,
                           const uint8_t state[SNCE_STATE_BYTES],
                           const snceSource *source, snceSpot *spot,
                           snceTaken *taken);

/* snceTable_Use notes that the entry at |spot| was looked up at |at|: who was
 * used lately is kept rather than others. */
static inline void
snceTable_Use(const snceSpot *spot, const uint64_t *words, snceTime at)
{
    int64_t age;

    if (__builtin_sub_overflow(at.usec, (int64_t)words[SNCE_W_CREATED], &age) ||
        age < 0) {
        age = 0;
    }
    age /= SNCE_USEC_PER_SEC;
    snceSlot_Use(&spot->set->version[spot->way], spot->seen,
                 age < INT32_MAX ? (uint32_t)age : INT32_MAX);
}

/* snceTable_Take empties the slot at |spot| if it still holds what was seen
 * there, wiped. True if it did. */
bool snceTable_Take(const snceTable *table, const snceSpot *spot);

/* snceTable_IsSame tells whether these words are those of one session. It may have been
 * carried to another place and store, and been looked up since. */
bool snceTable_IsSame(const uint64_t *a, const uint64_t *b);

/* snceTable_Gone is told the words of an entry that was taken out. */
typedef void (*snceTable_Gone)(void *context, const uint64_t *words);

/* snceRemoved is what a removal took out. */
typedef struct {
    unsigned entries; /* sessions of the key */
    unsigned claims;  /* unfinished inserts of the key's tag (rule 5) */
    bool unmapped; /* nothing: this process cannot map where they would lie */
} snceRemoved;

/* snceTable_Remove empties every slot that holds |probe|'s key, and overrides
 * every unfinished insert that may be of that key (G5); all but |except|, if
 * that is not NULL; if |only| is not NULL, of the finished ones only copies of
 * the entry that it is. Returns how many of each it removed. */
snceRemoved snceTable_Remove(const snceTable *table, const snceProbe *probe,
                             const snceSpot *except, const uint64_t *only,
                             snceTable_Gone gone, void *context);

/* snceTable_Entry copies the |index|th slot's entry, whatever its key, and
 * notes where it was. False if there is none that is whole. */
bool snceTable_Entry(const snceTable *table, uint64_t index, snceSpot *spot,
                     uint64_t words[SNCE_ENTRY_WORDS]);

/* snceTable_Sweep wipes the expired entries in the two sets of |probe|, which
 * an insert has just had in hand, so that no memory is touched for it. Returns how
 * many. */
unsigned snceTable_Sweep(const snceTable *table, const snceProbe *probe,
                         const snceRule *rule, snceTable_Gone gone,
                         void *context);

#endif /* SNCETABLE_H */
