/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "snceblob.h"

#include <string.h>

#include "sncecell.h"
#include "sncecount.h"
#include "sncedirectory.h"
#include "snceheap.h"
#include "sncelock.h"
#include "sncepatience.h"

/* Tries at a count that other processes are changing too. Each failure means
 * that one of them succeeded. */
#define COUNT_TRIES 64

/* ---- where things lie ---------------------------------------------------- */

/* How many segments a class has. A class takes its segments one after the other. */
static unsigned
Segments(const snceBlob *store, unsigned which)
{
    unsigned segments = 0;

    /* Acquire: pairs with the release store in TakeSegment. */
    while (segments < SNCE_SEGMENTS &&
           atomic_load_explicit(&store->head->segment[which][segments],
                                memory_order_acquire) != 0) {
        segments++;
    }
    return segments;
}

/* Which segment a set is in. */
static unsigned
SegmentOf(const snceBlob *store, unsigned which, uint64_t set)
{
    unsigned segment = 0;

    while (segment < SNCE_SEGMENTS - 1 &&
           snceCell_SetsBefore(which, store->cells, segment + 1) <= set) {
        segment++;
    }
    return segment;
}

/* A cell, and where its parts lie. */
typedef struct {
    snceCellSet *set;
    unsigned way;
    unsigned which; /* class of size */
    uint64_t index; /* in its class */
    uint64_t place; /* of its words in the store's range, for the checksum */
    snceWord *word;
    size_t dataBytes;
    const snceWord
        *segment; /* where it lies in: word of the head, and its value */
    uint64_t segmentPage;
} cell;

/* A certificate that is to be stored. */
typedef struct {
    const uint8_t *data;
    size_t len;
    uint64_t digest; /* from it come its sets, its tag and its checksum */
    unsigned which;  /* class of size */
} blob;

/* Finds a cell, |index| in its class. Returns SNCE_OK; SNCE_MISS (there is none);
 * SNCE_CORRUPT (its segment cannot lie there); SNCE_NO_MEMORY (this process cannot
 * map it). */
static snceResult
FindCell(const snceBlob *store, unsigned which, uint64_t index, cell *out)
{
    uint64_t set = index / SNCE_CELL_WAYS;
    uint64_t offset, first;
    snceResult result;
    unsigned segment;

    if (set >= snceCell_SetsMost(which, store->cells)) {
        return SNCE_MISS;
    }
    segment = SegmentOf(store, which, set);
    first = snceCell_SetsBefore(which, store->cells, segment);
    out->segment = &store->head->segment[which][segment];
    /* Acquire: as in Segments. */
    out->segmentPage = atomic_load_explicit(out->segment, memory_order_acquire);
    offset = snceWord_Low(out->segmentPage) * SNCE_PAGE;
    if (offset == 0) {
        return SNCE_MISS;
    }
    result =
        snceRegion_Bound(store->region, offset,
                         snceCell_SegmentBytes(which, store->cells, segment));
    if (result != SNCE_OK) {
        return result;
    }
    offset += snceCell_Offset(which, set - first);
    /* The whole set must lie in one chunk. A spoiled word may name a segment that
     * begins where the heap starts none, so that sets straddle chunks (rule 1). */
    if (offset % SNCE_CHUNK_BYTES + snceCell_SetBytes(which) >
        SNCE_CHUNK_BYTES) {
        return SNCE_CORRUPT;
    }
    out->set = snceRegion_Place(store->region, offset);
    if (!out->set) {
        return SNCE_NO_MEMORY;
    }
    out->way = (unsigned)(index % SNCE_CELL_WAYS);
    out->which = which;
    out->index = index;
    out->place =
        offset + sizeof(snceCellSet) + out->way * snceCell_Bytes(which);
    out->word = (snceWord *)((uint8_t *)(out->set + 1) +
                             out->way * snceCell_Bytes(which));
    out->dataBytes = snceCellClasses[which].dataBytes;
    return SNCE_OK;
}

static snceBlobRef
MakeRef(const cell *at, snceVersion v)
{
    return (uint64_t)snceVersion_Generation(v) << 32 | at->index << 3 |
           (at->which + 1);
}

/* Finds the cell that |ref| names. References come out of shared memory, so they are
 * bounded before use (rule 1). Returns as FindCell. */
static snceResult
FollowRef(const snceBlob *store, snceBlobRef ref, cell *out)
{
    unsigned which = (unsigned)(ref & 7);

    if (which == 0 || which > SNCE_CELL_CLASSES) {
        return SNCE_MISS;
    }
    return FindCell(store, which - 1, (uint32_t)ref >> 3, out);
}

snceResult
snceBlob_At(snceBlob *out, const snceRegion *region, snceLocalId id,
            uint64_t range, uint64_t cells)
{
    uint64_t offset = snceRange_Offset(range);
    snceResult result;

    if (cells == 0 || cells > SNCE_CELLS_MAX) {
        return SNCE_CORRUPT;
    }
    result = snceRegion_Bound(region, offset, sizeof(snceStoreHead));
    if (result != SNCE_OK) {
        return result;
    }
    out->head = snceRegion_Place(region, offset);
    if (!out->head) {
        return SNCE_NO_MEMORY;
    }
    out->region = region;
    out->cells = cells;
    out->range = range;
    out->server = id.number;
    out->hasLock = false;
    out->epoch = snceEpoch_Of(range, id);
    return SNCE_OK;
}

/* ---- segments ------------------------------------------------------------ */

/* Does the directory still name the store? It does until the store's memory is given
 * back; after that the range may belong to another table or store. Sequentially
 * consistent: ordered after the caller's claim, and pairs with the release store of
 * snceShape_Vacate. */
static bool
IsNamed(const snceBlob *store)
{
    const snceServerWords *entry =
        snceRegion_Server(store->region, store->server);

    for (unsigned backing = 0; backing < 2; backing++) {
        if (atomic_load_explicit(&entry->backing[backing].store,
                                 memory_order_seq_cst) == store->range) {
            return true;
        }
    }
    return false;
}

/* Notes in the directory that the store has segments. False if the directory does not
 * name the store, which is then being given back. */
static bool
NoteGrown(const snceBlob *store)
{
    snceServerWords *entry = snceRegion_Server(store->region, store->server);
    bool named = false;

    for (unsigned backing = 0; backing < 2; backing++) {
        if (snceDirectory_Load(&entry->backing[backing].store) ==
            store->range) {
            snceDirectory_Store(&entry->grown[backing], 1);
            named = true;
        }
    }
    return named;
}

/* Takes a segment from the heap for a class that has |segments|. The caller holds the
 * administrative lock. Returns SNCE_OK if the class has more then; SNCE_GONE if the
 * store is being given back; else as snceHeap_Take. */
static snceResult
TakeSegment(const snceBlob *store, unsigned which, unsigned segments)
{
    snceWord *word = &store->head->segment[which][segments];
    uint64_t bytes = snceCell_SegmentBytes(which, store->cells, segments);
    snceResult result;
    uint64_t range;

    if (!NoteGrown(store)) {
        return SNCE_GONE;
    }
    if (snceDirectory_Load(word) != 0) {
        return SNCE_OK; /* another process was faster */
    }
    result = snceHeap_Take(store->region, snceHeap_Pages(bytes), 0, &range);
    if (result == SNCE_OK) {
        SNCE_STEP("blob-segment");
        /* Release: pairs with the acquire loads in Segments and FindCell. */
        atomic_store_explicit(word, snceRange_Page(range),
                              memory_order_release);
    }
    return result;
}

/* Gives a class more cells. Returns SNCE_OK if it has more; SNCE_FULL if it has all
 * that it may have; SNCE_BUSY if another process holds the administrative lock, for
 * which an insert does not wait (G2); or why the class could not grow. */
static snceResult
Grow(const snceBlob *store, unsigned which, unsigned segments)
{
    snceResult result;

    if (segments == SNCE_SEGMENTS ||
        snceCell_SegmentBytes(which, store->cells, segments) == 0) {
        return SNCE_FULL;
    }
    if (store->hasLock) {
        return TakeSegment(store, which, segments);
    }
    result = snceLock_Try(store->region);
    if (result == SNCE_OK) {
        result = TakeSegment(store, which, segments);
        snceLock_Give(store->region);
    }
    return result;
}

/* Does a class with |segments| have room for |blobs|? It needs twice as many cells,
 * as a whole store does. */
static bool
HasRoom(const snceBlob *store, unsigned which, unsigned segments,
        uint64_t blobs)
{
    return snceCell_SetsBefore(which, store->cells, segments) *
               SNCE_CELL_WAYS >=
           2 * blobs;
}

snceResult
snceBlob_Prepare(const snceBlob *store, const snceBlob *old, uint64_t stored)
{
    for (unsigned which = 0; which < SNCE_CELL_USUAL; which++) {
        snceDirectory_Store(&store->head->segment[which][0],
                            snceRange_Page(store->range) +
                                snceCell_FirstOffset(which, store->cells) /
                                    SNCE_PAGE);
    }
    for (unsigned which = 0; old && which < SNCE_CELL_CLASSES; which++) {
        unsigned before = Segments(old, which);

        /* At most one segment more than in the old store. */
        for (unsigned i = Segments(store, which);
             before && i <= before && !HasRoom(store, which, i, stored); i++) {
            snceResult result = Grow(store, which, i);

            if (result == SNCE_FULL) {
                break;
            }
            if (result != SNCE_OK) {
                return result == SNCE_GONE ? SNCE_CORRUPT : result;
            }
        }
    }
    return SNCE_OK;
}

snceResult
snceBlob_Map(const snceBlob *store, uint64_t *left)
{
    snceResult result = SNCE_OK;

    for (unsigned which = 0; which < SNCE_CELL_CLASSES; which++) {
        for (unsigned i = 0, end = Segments(store, which);
             i < end && result == SNCE_OK; i++) {
            uint64_t offset = snceWord_Low(snceDirectory_Load(
                                  &store->head->segment[which][i])) *
                              SNCE_PAGE;
            uint64_t bytes = snceCell_SegmentBytes(which, store->cells, i);

            if (snceRegion_Bound(store->region, offset, bytes) != SNCE_OK) {
                continue;
            }
            if (bytes > *left) {
                *left = 0;
                return SNCE_OK;
            }
            *left -= bytes;
            result = snceRegion_MapRange(store->region, offset, bytes);
        }
    }
    return result;
}

void
snceBlob_Discard(const snceBlob *store)
{
    for (unsigned which = 0; which < SNCE_CELL_CLASSES; which++) {
        for (unsigned i = Segments(store, which); i-- > 0;) {
            snceWord *word = &store->head->segment[which][i];
            uint64_t page = snceDirectory_Load(word);

            /* Sequentially consistent: pairs with the load in StoreIn. A writer that
             * finds the word unchanged has stored before this wipes. */
            atomic_store_explicit(word, 0, memory_order_seq_cst);
            snceHeap_Drop(
                store->region, snceWord_Low(page),
                snceHeap_Pages(snceCell_SegmentBytes(which, store->cells, i)));
        }
    }
}

/* ---- figures ------------------------------------------------------------- */

static void
CountStored(const snceBlob *store, uint64_t n)
{
    snceCount_Add(store->region, store->server,
                  SNCE_N_STORED + snceRange_Side(store->range), n);
}

/* ---- counts -------------------------------------------------------------- */

/* Adds |step|, 1 or -1, to the number of sessions that refer to the certificate of
 * |generation|. |*left| is the new number. False if the cell holds another
 * generation, or no session refers to it any more: it is about to be wiped. */
static bool
Count(const cell *at, uint32_t generation, int step, uint32_t *left)
{
    snceWord *word = &at->set->count[at->way];
    uint64_t old = atomic_load_explicit(word, memory_order_relaxed);

    for (unsigned try = 0; try < COUNT_TRIES; try++) {
        uint32_t count = (uint32_t)old;

        if (old >> 32 != generation || count == 0 ||
            (step > 0 && count == UINT32_MAX)) {
            return false;
        }
        count += (uint32_t)step;
        if (atomic_compare_exchange_weak_explicit(
                word, &old, (uint64_t)generation << 32 | count,
                memory_order_relaxed, memory_order_relaxed)) {
            *left = count;
            return true;
        }
    }
    return false;
}

/* ---- reading ------------------------------------------------------------- */

/* Copies the certificate that lies in the cell under the version |seen| to |buf|, or
 * only checks it if |buf| is NULL. Returns SNCE_OK; SNCE_TOO_LARGE (|*len| is its
 * length); SNCE_MISS if it is not whole, or has changed. */
static snceResult
ReadCell(const snceBlob *store, const cell *at, snceVersion seen, uint8_t *buf,
         size_t bufLen, size_t *len)
{
    const snceHash *hash = &store->region->hash;
    uint64_t head[SNCE_CELL_HEAD];
    uint64_t sum;
    size_t length;

    snceSlot_Load(head, at->word, SNCE_CELL_HEAD);
    if (!snceSlot_Unchanged(&at->set->version[at->way], seen) ||
        head[SNCE_C_LENGTH] == 0 || head[SNCE_C_LENGTH] > at->dataBytes) {
        return SNCE_MISS;
    }
    length = (size_t)head[SNCE_C_LENGTH];
    if (length > bufLen) {
        *len = length;
        return SNCE_TOO_LARGE;
    }

    /* Block by block, as snceHash_Bytes does, so that this needs no buffer of 64 KiB. */
    sum = length;
    for (size_t done = 0; done < length;) {
        uint64_t block[SNCE_HASH_KEYS];
        size_t bytes =
            length - done < sizeof(block) ? length - done : sizeof(block);
        size_t words = (bytes + 7) / 8;

        snceSlot_Load(block, at->word + SNCE_CELL_HEAD + done / 8, words);
        sum = snceHash_Words(hash, sum, block, words);
        if (buf) {
            memcpy(buf + done, block, bytes);
        }
        done += bytes;
    }
    sum = snceSlot_Sum(hash, &store->epoch, at->place, seen, &sum, 1);
    if (!snceSlot_Unchanged(&at->set->version[at->way], seen) ||
        sum != head[SNCE_C_SUM]) {
        return SNCE_MISS;
    }
    *len = length;
    return SNCE_OK;
}

snceResult
snceBlob_Read(const snceBlob *store, snceBlobRef ref, uint8_t *buf,
              size_t bufLen, size_t *len)
{
    snceVersion seen;
    snceResult result;
    cell at;

    result = FollowRef(store, ref, &at);
    if (result != SNCE_OK) {
        return result;
    }
    seen = snceSlot_Version(&at.set->version[at.way]);
    if (snceVersion_State(seen) != SNCE_STATE_FULL ||
        snceVersion_Generation(seen) != ref >> 32) {
        return SNCE_MISS;
    }
    result = ReadCell(store, &at, seen, buf, bufLen, len);
    if (result == SNCE_OK && store->region->access != SNCE_ACCESS_READ) {
        snceSlot_Visit(&at.set->version[at.way], seen);
    }
    return result;
}

/* ---- writing ------------------------------------------------------------- */

/* The |index|th word of a certificate, zero-filled. */
static uint64_t
WordOf(const blob *b, size_t index)
{
    size_t left = b->len - index * 8;
    uint64_t word = 0;

    memcpy(&word, b->data + index * 8,
           left < sizeof(word) ? left : sizeof(word));
    return word;
}

static size_t
WordsOf(const blob *b)
{
    return (b->len + 7) / 8;
}

/* Is the claim still in force? Writers ask this for each word that they store or
 * wipe. An interrupted writer may have lost its cell, or the store its memory; then a
 * single late word spoils the certificate that lies there now, to which many sessions
 * may refer. A writer is interrupted here more often than in a session's slot: a cell
 * takes up to a thousand times as long to write. */
static bool
StillOurs(const cell *at, snceVersion claim)
{
    return snceSlot_Holds(&at->set->version[at->way], claim);
}

/* Gives a claimed cell back. The caller has wiped its words. */
static void
EmptyCell(const snceBlob *store, const cell *at, snceVersion claim)
{
    snceTick tick = claim & SNCE_OVERRODE ? snceTick_Now(store->region) : 0;

    (void)snceSlot_Vacate(&at->set->version[at->way], claim, tick);
}

/* Stores a certificate in a claimed cell, and counts the first session. False if the
 * claim was overridden meanwhile. */
static bool
WriteCell(const snceBlob *store, const cell *at, snceVersion claim,
          const blob *b)
{
    uint64_t head[SNCE_CELL_HEAD];

    for (size_t i = 0; i < WordsOf(b); i++) {
        uint64_t word = WordOf(b, i);

        if (!StillOurs(at, claim)) {
            return false;
        }
        snceSlot_Store(at->word + SNCE_CELL_HEAD + i, &word, 1);
        SNCE_STEP("blob-storing");
        /* Take back this word only, which may have come late. Words that were stored
         * in time are gone; where they were, the same certificate may lie again. */
        if (!StillOurs(at, claim)) {
            snceSlot_TakeBack(at->word + SNCE_CELL_HEAD + i, word);
            return false;
        }
    }
    head[SNCE_C_SUM] = snceSlot_Sum(&store->region->hash, &store->epoch,
                                    at->place, claim, &b->digest, 1);
    head[SNCE_C_LENGTH] = b->len;
    /* Equal certificates share a set, so most probably the same certificate lies here
     * now. Its words would not suffer from the ones stored above; only this head
     * would spoil it. */
    if (!StillOurs(at, claim)) {
        return false;
    }
    snceSlot_Store(at->word, head, SNCE_CELL_HEAD);
    if (!StillOurs(at, claim)) {
        return false;
    }
    atomic_store_explicit(&at->set->count[at->way],
                          (uint64_t)snceVersion_Generation(claim) << 32 | 1,
                          memory_order_relaxed);
    return true;
}

/* Wipes the first |count| words of a claimed cell, as long as the claim is in force. */
static void
WipeCell(const cell *at, snceVersion claim, size_t count)
{
    for (size_t i = 0; i < count && StillOurs(at, claim); i++) {
        snceSlot_Wipe(at->word + i, 1);
    }
}

/* Wipes a claimed cell and gives it back: the words that its length says were used,
 * or all if the length is nonsense, which a dead writer can leave. */
static void
VacateCell(const snceBlob *store, const cell *at, snceVersion claim)
{
    uint64_t length;

    snceSlot_Load(&length, &at->word[SNCE_C_LENGTH], 1);
    if (length > at->dataBytes) {
        length = at->dataBytes;
    }
    WipeCell(at, claim, SNCE_CELL_HEAD + (size_t)(length + 7) / 8);
    EmptyCell(store, at, claim);
}

/* Is the certificate under |seen| whole, with nothing but zeros behind it? */
static bool
Intact(const snceBlob *store, const cell *at, snceVersion seen)
{
    size_t len;

    if (ReadCell(store, at, seen, NULL, at->dataBytes, &len) != SNCE_OK) {
        return false;
    }
    for (size_t i = (len + 7) / 8; i < at->dataBytes / 8; i++) {
        uint64_t word;

        snceSlot_Load(&word, at->word + SNCE_CELL_HEAD + i, 1);
        if (word) {
            return false;
        }
    }
    return true;
}

/* Cleans a cell after a writer that lost its claim. The writer may have stored words
 * into a cell that is empty by now, or another writer's, and no other process would
 * wipe them. In a store that was given back meanwhile there is nothing to do:
 * WriteCell has taken back the word that came late. */
static void
CleanUp(const snceBlob *store, const cell *at)
{
    snceWord *version = &at->set->version[at->way];
    snceVersion seen = snceSlot_Version(version), claim;
    bool full = snceVersion_State(seen) == SNCE_STATE_FULL;

    if ((full && Intact(store, at, seen)) || !IsNamed(store)) {
        return;
    }
    if (snceSlot_Claim(version, &store->epoch, seen, 0, &claim)) {
        if (full) {
            CountStored(store, (uint64_t)-1);
        }
        WipeCell(at, claim, SNCE_CELL_HEAD + at->dataBytes / 8);
        EmptyCell(store, at, claim);
    }
}

/* Finds the first cell of the set that can be written without evicting a certificate:
 * an empty one that need not rest; else one whose writer died. Notes the claims that
 * it passes (rule 5). Returns its way, or -1. |*resting| is the way of an empty cell
 * that has to rest, or -1. */
static int
ChooseFree(const snceBlob *store, snceCellSet *set,
           const snceVersion seen[SNCE_CELL_WAYS], int *resting)
{
    snceTick now = 0;
    int abandoned = -1;

    *resting = -1;
    for (unsigned way = 0; way < SNCE_CELL_WAYS; way++) {
        unsigned state = snceVersion_State(seen[way]);

        if (state == SNCE_STATE_FULL) {
            continue;
        }
        if (now == 0 &&
            (state == SNCE_STATE_BUSY || seen[way] & SNCE_OVERRODE)) {
            now = snceTick_Now(store->region);
        }
        if (state == SNCE_STATE_BUSY) {
            if (snceClaim_Abandoned(&set->version[way], seen[way], now) &&
                abandoned < 0) {
                abandoned = (int)way;
            }
        } else if (snceSlot_Rested(seen[way], now)) {
            /* A cell whose state is invalid was spoiled, and counts as empty. */
            return (int)way;
        } else if (*resting < 0) {
            *resting = (int)way;
        }
    }
    return abandoned;
}

/* Chooses the cell of the set to write, and returns its way. In this order: a free
 * cell; a certificate to which no session refers; the next one round the hand that
 * was not read since the hand last passed it; the next one round the hand. A set
 * without any certificate gives an empty cell that has to rest, or, where all cells
 * are claimed, the next one round the hand (rule 5). */
static int
ChooseVictim(const snceBlob *store, snceCellSet *set,
             const snceVersion seen[SNCE_CELL_WAYS], uint8_t hand)
{
    int unused = -1, first = -1, resting;
    int free = ChooseFree(store, set, seen, &resting);

    if (free >= 0) {
        return free;
    }
    for (unsigned step = 0; step < SNCE_CELL_WAYS; step++) {
        unsigned way = (hand + step) % SNCE_CELL_WAYS;
        uint64_t count;

        if (snceVersion_State(seen[way]) != SNCE_STATE_FULL) {
            continue;
        }
        count = atomic_load_explicit(&set->count[way], memory_order_relaxed);
        if ((uint32_t)count == 0) {
            return (int)way;
        }
        if (first < 0) {
            first = (int)way;
        }
        if (unused < 0 && !(seen[way] & SNCE_VISITED)) {
            unused = (int)way;
        }
    }
    if (unused >= 0) {
        return unused;
    }
    if (first < 0) {
        return resting >= 0 ? resting : (int)(hand % SNCE_CELL_WAYS);
    }
    for (unsigned way = 0; way < SNCE_CELL_WAYS; way++) {
        snceSlot_Forget(&set->version[way], seen[way]);
    }
    return first;
}

/* Does the cell, whose version is |v|, hold the same certificate? The checksum must
 * agree too: a late writer may have left the same certificate there, stored in an
 * earlier epoch of this range. */
static bool
HasSame(const snceBlob *store, const cell *at, snceVersion v, const blob *b)
{
    uint64_t head[SNCE_CELL_HEAD];

    snceSlot_Load(head, at->word, SNCE_CELL_HEAD);
    if (head[SNCE_C_LENGTH] != b->len ||
        head[SNCE_C_SUM] != snceSlot_Sum(&store->region->hash, &store->epoch,
                                         at->place, v, &b->digest, 1)) {
        return false;
    }
    for (size_t i = 0; i < WordsOf(b); i++) {
        uint64_t word;

        snceSlot_Load(&word, at->word + SNCE_CELL_HEAD + i, 1);
        if (word != WordOf(b, i)) {
            return false;
        }
    }
    return true;
}

/* How many sets a certificate may lie in: two anywhere, which keeps sets evenly
 * filled, and one in the newest segment, which is the emptiest while a class grows. */
#define CANDIDATES 3

/* An equal certificate is also found if it was stored before the class grew, up to
 * this many times. If the class has grown more often, the certificate is stored a
 * second time, which is harmless. */
#define OLDER_SIZES 2

static uint64_t
Candidate(const snceBlob *store, unsigned which, unsigned segments,
          uint64_t digest, unsigned n)
{
    uint64_t all = snceCell_SetsBefore(which, store->cells, segments);
    uint64_t newest = snceCell_SetsBefore(which, store->cells, segments - 1);

    switch (n) {
        case 0:
            return snceHash_Range(digest, all);
        case 1:
            return snceHash_Range(snceHash_Mix(digest), all);
        default:
            return newest + snceHash_Range(snceHash_Mix(~digest), all - newest);
    }
}

/* One set in which a certificate may lie, as it was seen. */
typedef struct {
    uint64_t index;
    snceCellSet *set;
    snceVersion seen[SNCE_CELL_WAYS];
    uint8_t hand;
} candidate;

/* Looks at the set |index|. Returns as FindCell. */
static snceResult
LookAt(const snceBlob *store, unsigned which, uint64_t index, candidate *out)
{
    cell at;
    snceResult result = FindCell(store, which, index * SNCE_CELL_WAYS, &at);

    if (result == SNCE_OK) {
        out->index = index;
        out->set = at.set;
        out->hand = snceSlot_Look(out->seen, at.set->version, SNCE_CELL_WAYS);
    }
    return result;
}

/* Finds the same certificate in one set, and counts one session more that refers to
 * it. */
static bool
FindSame(const snceBlob *store, const candidate *c, const blob *b,
         snceBlobRef *ref)
{
    uint64_t tag = snceVersion_Tag(b->digest);

    for (unsigned way = 0; way < SNCE_CELL_WAYS; way++) {
        uint32_t sessions;
        snceVersion v;
        cell at;

        if (!snceVersion_Matches(c->seen[way], SNCE_STATE_FULL, tag)) {
            continue;
        }
        if (FindCell(store, b->which, c->index * SNCE_CELL_WAYS + way, &at) !=
            SNCE_OK) {
            return false;
        }
        v = snceSlot_Version(&at.set->version[way]);
        if (!snceVersion_Matches(v, SNCE_STATE_FULL, tag) ||
            !HasSame(store, &at, v, b) ||
            !Count(&at, snceVersion_Generation(v), 1, &sessions)) {
            continue;
        }
        SNCE_STEP("blob-counted");
        /* If it was evicted before it was counted, the count belonged to a generation
         * that is gone, and the certificate must be stored again. */
        if (snceSlot_Unchanged(&at.set->version[way], v)) {
            *ref = MakeRef(&at, v);
            return true;
        }
    }
    return false;
}

/* The same in all sets in which it may lie. */
static bool
FindAnywhere(const snceBlob *store, unsigned segments, const blob *b,
             snceBlobRef *ref)
{
    for (unsigned i = 0; i <= OLDER_SIZES && i < segments; i++) {
        for (unsigned n = 0; n < CANDIDATES; n++) {
            uint64_t set =
                Candidate(store, b->which, segments - i, b->digest, n);
            candidate c;

            if (LookAt(store, b->which, set, &c) == SNCE_OK &&
                FindSame(store, &c, b, ref)) {
                return true;
            }
        }
    }
    return false;
}

/* Does a session need the certificate in that cell? */
static bool
IsInUse(const candidate *c, unsigned way)
{
    return snceVersion_State(c->seen[way]) == SNCE_STATE_FULL &&
           (uint32_t)atomic_load_explicit(&c->set->count[way],
                                          memory_order_relaxed) != 0;
}

/* Chooses a cell to write: an empty one in the candidate that has most of them; if no
 * candidate has one, the victim of the first candidate. On SNCE_OK |*way| is its way
 * in |*out|. Otherwise this process can reach none of the candidates: returns why, as
 * FindCell. */
static snceResult
ChooseCell(const snceBlob *store, unsigned segments, const blob *b,
           candidate *out, unsigned *way)
{
    snceResult result = SNCE_MISS;
    unsigned most = 0;
    bool found = false;

    for (unsigned n = 0; n < CANDIDATES; n++) {
        unsigned free = 0;
        candidate c;

        result = LookAt(store, b->which,
                        Candidate(store, b->which, segments, b->digest, n), &c);
        if (result != SNCE_OK) {
            continue;
        }
        for (unsigned i = 0; i < SNCE_CELL_WAYS; i++) {
            free += snceVersion_State(c.seen[i]) == SNCE_STATE_EMPTY;
        }
        if (!found || free > most) {
            *out = c;
            most = free;
            found = true;
        }
    }
    if (!found) {
        return result;
    }
    *way = (unsigned)ChooseVictim(store, out->set, out->seen, out->hand);
    return SNCE_OK;
}

/* Stores a certificate in a cell that looked as |c| says. False if another process
 * was faster.
 *
 * A writer that was interrupted after it chose the cell may claim it in the range's
 * next epoch, if the cell is empty there; the range may be a table by then, of which
 * 64 KiB are a large part. So the writer checks after the claim, before it writes,
 * that the directory still names the store. If the store is given back later, its
 * memory is wiped, the claim with it, and WriteCell ends. */
static bool
StoreIn(const snceBlob *store, const candidate *c, unsigned way, const blob *b,
        snceBlobRef *ref)
{
    unsigned state = snceVersion_State(c->seen[way]);
    snceVersion claim;
    cell at;

    /* IsNamed before the claim too: what |c| saw is then of this epoch, and only an
     * empty cell looks alike in the next one. */
    if (FindCell(store, b->which, c->index * SNCE_CELL_WAYS + way, &at) !=
            SNCE_OK ||
        !IsNamed(store) ||
        !snceSlot_Claim(&at.set->version[way], &store->epoch, c->seen[way],
                        snceVersion_Tag(b->digest), &claim)) {
        return false;
    }
    SNCE_STEP("blob-claimed");
    if (!IsNamed(store)) {
        EmptyCell(store, &at, claim);
        return false;
    }
    if (state == SNCE_STATE_FULL) {
        CountStored(store, (uint64_t)-1);
    }
    if (state != SNCE_STATE_EMPTY) {
        /* The old certificate may be longer than the new one. */
        WipeCell(&at, claim, SNCE_CELL_HEAD + at.dataBytes / 8);
    }
    if (!WriteCell(store, &at, claim, b)) {
        CleanUp(store, &at);
        return false;
    }
    SNCE_STEP("blob-written");
    if (!snceSlot_Publish(&at.set->version[way], claim)) {
        CleanUp(store, &at);
        return false;
    }
    SNCE_STEP("blob-published");
    CountStored(store, 1);
    /* Sequentially consistent: pairs with the store in snceBlob_Discard. If the store
     * was given back since the cell was found, no other process wipes the cell. */
    if (atomic_load_explicit(at.segment, memory_order_seq_cst) !=
        at.segmentPage) {
        CountStored(store, (uint64_t)-1);
        if (snceSlot_Claim(&at.set->version[way], &store->epoch,
                           snceVersion_Published(claim), 0, &claim)) {
            VacateCell(store, &at, claim);
        }
        return false;
    }
    *ref = MakeRef(&at, claim);
    return true;
}

/* The result of an insert whose store could not grow. */
static snceResult
Refusal(snceResult grown)
{
    return grown == SNCE_BUSY || grown == SNCE_GONE ? SNCE_DROPPED : SNCE_FULL;
}

/* Makes |*out| of |data|, which stays the caller's. False if no cell is as large. */
static bool
MakeBlob(const snceBlob *store, const uint8_t *data, size_t len, blob *out)
{
    unsigned which = 0;

    while (which < SNCE_CELL_CLASSES &&
           snceCellClasses[which].dataBytes < len) {
        which++;
    }
    if (which == SNCE_CELL_CLASSES || len == 0) {
        return false;
    }
    out->data = data;
    out->len = len;
    out->digest = snceHash_Bytes(&store->region->hash, 0, data, len);
    out->which = which;
    return true;
}

snceResult
snceBlob_Hold(const snceBlob *store, const uint8_t *data, size_t len,
              snceBlobRef *ref)
{
    snceResult grown = SNCE_OK;
    blob b;

    if (!MakeBlob(store, data, len, &b)) {
        return SNCE_TOO_LARGE;
    }
    for (unsigned try = 0; try < SNCE_CELL_WAYS + SNCE_SEGMENTS; try++) {
        unsigned segments = Segments(store, b.which);
        snceResult result;
        candidate c;
        unsigned way = 0;

        if (segments == 0) {
            grown = Grow(store, b.which, 0);
            if (grown != SNCE_OK) {
                return Refusal(grown);
            }
            continue;
        }
        if (FindAnywhere(store, segments, &b, ref)) {
            return SNCE_OK;
        }
        result = ChooseCell(store, segments, &b, &c, &way);
        if (result != SNCE_OK) { /* SNCE_MISS: the store is being given back */
            return result == SNCE_MISS || !IsNamed(store) ? SNCE_DROPPED
                                                          : result;
        }
        if (grown == SNCE_OK && IsInUse(&c, way)) {
            grown = Grow(store, b.which, segments);
            if (grown == SNCE_BUSY) {
                return SNCE_DROPPED; /* lose this session rather than those in use */
            }
            if (grown == SNCE_OK) {
                continue;
            }
        }
        if (StoreIn(store, &c, way, &b, ref)) {
            return SNCE_OK;
        }
        if (!IsNamed(store)) {
            return SNCE_DROPPED;
        }
    }
    return SNCE_FULL;
}

bool
snceBlob_Retain(const snceBlob *store, snceBlobRef ref)
{
    uint32_t left;
    cell at;

    return FollowRef(store, ref, &at) == SNCE_OK &&
           Count(&at, (uint32_t)(ref >> 32), 1, &left);
}

void
snceBlob_Release(const snceBlob *store, snceBlobRef ref)
{
    snceVersion seen, claim;
    uint32_t left;
    cell at;

    if (FollowRef(store, ref, &at) != SNCE_OK ||
        !Count(&at, (uint32_t)(ref >> 32), -1, &left) || left > 0) {
        return;
    }
    SNCE_STEP("blob-unheld");
    /* A count of 0 never rises again (Count), so no session can come to refer to the
     * certificate while it is wiped. */
    for (unsigned try = 0; try < 2; try++) { /* a reader may set visited */
        seen = snceSlot_Version(&at.set->version[at.way]);
        if (snceVersion_State(seen) != SNCE_STATE_FULL ||
            snceVersion_Generation(seen) != ref >> 32) {
            return;
        }
        if (snceSlot_Claim(&at.set->version[at.way], &store->epoch, seen, 0,
                           &claim)) {
            SNCE_STEP("blob-released");
            CountStored(store, (uint64_t)-1);
            VacateCell(store, &at, claim);
            return;
        }
    }
}
