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

/* How many segments a class has. They are taken one after the other. */
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

/* A cell and what belongs to it. */
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
    /* The whole set: a segment's word may say that it begins where no heap lets
     * it begin, and its sets straddle chunks then (rule 1). */
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

/* References come out of shared memory: bounded before use (rule 1). Returns as
 * FindCell. */
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
    out->hasTurn = false;
    out->lot = snceLot_Of(range, id);
    return SNCE_OK;
}

/* ---- segments ------------------------------------------------------------ */

/* Notes in the directory that the store has segments. False if it does not name the
 * store: then that is being given back. */
static bool
NoteGrown(const snceBlob *store)
{
    snceServerWords *entry = snceRegion_Server(store->region, store->server);
    bool named = false;

    for (unsigned home = 0; home < 2; home++) {
        if (snceDirectory_Load(&entry->home[home].store) == store->range) {
            snceDirectory_Store(&entry->grown[home], 1);
            named = true;
        }
    }
    return named;
}

/* Takes the class's next segment, after |segments|. The caller has the turn. Returns
 * SNCE_OK if there are more then. */
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
        return SNCE_OK; /* another one was faster */
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

/* Gives a class more cells. Returns SNCE_OK if there are more; SNCE_FULL if it has
 * all that it may have; SNCE_BUSY if somebody is changing the region, for whom
 * nobody waits here (G2); or why it could not be done. */
static snceResult
Grow(const snceBlob *store, unsigned which, unsigned segments)
{
    snceResult result;

    if (segments == SNCE_SEGMENTS ||
        snceCell_SegmentBytes(which, store->cells, segments) == 0) {
        return SNCE_FULL;
    }
    if (store->hasTurn) {
        return TakeSegment(store, which, segments);
    }
    result = snceLock_Try(store->region);
    if (result == SNCE_OK) {
        result = TakeSegment(store, which, segments);
        snceLock_Give(store->region);
    }
    return result;
}

/* Whether a class that has so many segments has room for |blobs|. Twice as many cells
 * do, as in a whole store. */
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

        /* At most one more than the old one. */
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

            /* Sequentially consistent: pairs with the load in StoreIn. A writer
             * that finds it unchanged has stored before this wipes. */
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

/* Adds |step|, 1 or -1, to the count of the generation |generation|. Returns
 * false if the cell holds another, or nobody refers to it any more: then it is
 * about to be wiped. |*left| is what the count is now. */
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

/* Copies the blob under |seen| if it is whole and fits; with |buf| NULL it only
 * looks. */
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

    /* In blocks, as snceHash_Bytes, so that no buffer of 64 KiB is needed
     * beside the caller's. */
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
    sum = snceSlot_Sum(hash, &store->lot, at->place, seen, &sum, 1);
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

/* The word of |data| that begins at |at|, zero-filled. */
static uint64_t
WordAt(const uint8_t *data, size_t len, size_t at)
{
    uint64_t word = 0;

    memcpy(&word, data + at, len - at < sizeof(word) ? len - at : sizeof(word));
    return word;
}

/* Words that are stored or wiped between two looks at the claim. A cell takes
 * up to a thousand times as long to write as a session's slot, and many sessions
 * may refer to what is stored there next: a writer that was overridden had
 * better notice. */
#define BLOCK 16

static bool
StillOurs(const cell *at, snceVersion claim)
{
    return snceSlot_Holds(&at->set->version[at->way], claim);
}

/* Gives a claimed cell back, whose words are wiped. */
static void
EmptyCell(const snceBlob *store, const cell *at, snceVersion claim)
{
    snceTick tick = claim & SNCE_OVERRODE ? snceTick_Now(store->region) : 0;

    (void)snceSlot_Vacate(&at->set->version[at->way], claim, tick);
}

/* Stores |data|, which has |digest|, in a claimed cell. False if the claim was
 * overridden meanwhile. */
static bool
WriteCell(const snceBlob *store, const cell *at, snceVersion claim,
          const uint8_t *data, size_t len, uint64_t digest)
{
    uint64_t head[SNCE_CELL_HEAD];

    for (size_t i = 0; i * 8 < len; i++) {
        uint64_t word = WordAt(data, len, i * 8);

        if (i % BLOCK == 0 && !StillOurs(at, claim)) {
            return false;
        }
        snceSlot_Store(at->word + SNCE_CELL_HEAD + i, &word, 1);
        SNCE_STEP("blob-storing");
    }
    head[SNCE_C_SUM] = snceSlot_Sum(&store->region->hash, &store->lot,
                                    at->place, claim, &digest, 1);
    head[SNCE_C_LENGTH] = len;
    /* Equal certificates share a set: most probably the one that is here now
     * is the same, and only this would spoil it. */
    if (!StillOurs(at, claim)) {
        return false;
    }
    snceSlot_Store(at->word, head, SNCE_CELL_HEAD);
    return true;
}

/* Wipes the first |count| words of a claimed cell, as long as it is ours. */
static void
WipeCell(const cell *at, snceVersion claim, size_t count)
{
    for (size_t i = 0; i < count && StillOurs(at, claim); i += BLOCK) {
        snceSlot_Wipe(at->word + i, count - i < BLOCK ? count - i : BLOCK);
    }
}

/* Wipes a claimed cell and gives it back. Only what the length says was used,
 * unless that is nonsense, which a dead writer can leave. */
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

/* Is the blob under |seen| whole, and nothing behind it? */
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

/* A writer whose claim was overridden may have stored a few words into a cell
 * that is nobody's since, or another's: nobody else would wipe them. */
static void
CleanUp(const snceBlob *store, const cell *at)
{
    snceWord *version = &at->set->version[at->way];
    snceVersion seen = snceSlot_Version(version), claim;
    bool full = snceVersion_State(seen) == SNCE_STATE_FULL;

    if (full && Intact(store, at, seen)) {
        return;
    }
    if (snceSlot_Claim(version, &store->lot, seen, 0, &claim)) {
        if (full) {
            CountStored(store, (uint64_t)-1);
        }
        WipeCell(at, claim, SNCE_CELL_HEAD + at->dataBytes / 8);
        EmptyCell(store, at, claim);
    }
}

/* The first cell of the set that may be written without taking anything from
 * anybody: an empty one that need not rest; else one whose writer died. Notes
 * claims that it passes. -1 if there is none. |*resting| is an empty one that
 * has to rest, or -1. */
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
            /* What is in no state was spoiled, and is as good as empty. */
            return (int)way;
        } else if (*resting < 0) {
            *resting = (int)way;
        }
    }
    return abandoned;
}

/* Chooses the cell of the set to write: a free one; one that nobody refers to;
 * else the next one round the hand that was not used since it was last passed;
 * where there is no certificate at all, an empty one that has to rest, or where
 * every cell is claimed the next one round the hand (rule 5). Returns the way. */
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

/* Finds a blob equal to |data|, which has |digest|, in its set and counts one
 * session more. */
static bool
FindEqual(const snceBlob *store, unsigned which, uint64_t set,
          const snceVersion seen[SNCE_CELL_WAYS], const uint8_t *data,
          size_t len, uint64_t digest, snceBlobRef *ref)
{
    uint64_t tag = snceVersion_Tag(digest);

    for (unsigned way = 0; way < SNCE_CELL_WAYS; way++) {
        uint64_t head[SNCE_CELL_HEAD];
        snceVersion v;
        uint32_t left;
        bool equal;
        cell at;

        if (!snceVersion_Matches(seen[way], SNCE_STATE_FULL, tag)) {
            continue;
        }
        if (FindCell(store, which, set * SNCE_CELL_WAYS + way, &at) !=
            SNCE_OK) {
            return false;
        }
        v = snceSlot_Version(&at.set->version[way]);
        if (!snceVersion_Matches(v, SNCE_STATE_FULL, tag)) {
            continue;
        }
        snceSlot_Load(head, at.word, SNCE_CELL_HEAD);
        /* The sum too: a writer that came too late may have left the same
         * certificate, as of this range's last life. */
        equal =
            head[SNCE_C_LENGTH] == len &&
            head[SNCE_C_SUM] == snceSlot_Sum(&store->region->hash, &store->lot,
                                             at.place, v, &digest, 1);
        for (size_t done = 0; equal && done < len; done += 8) {
            uint64_t word;

            snceSlot_Load(&word, at.word + SNCE_CELL_HEAD + done / 8, 1);
            equal = word == WordAt(data, len, done);
        }
        if (equal && Count(&at, snceVersion_Generation(v), 1, &left)) {
            SNCE_STEP("blob-counted");
            /* Was it evicted before it was counted? Then a new one is due;
             * the count belonged to a generation that is gone. */
            if (snceSlot_Unchanged(&at.set->version[way], v)) {
                *ref = MakeRef(&at, v);
                return true;
            }
        }
    }
    return false;
}

/* How many sets a blob may lie in: two anywhere, which keeps sets evenly filled, and
 * one in the newest segment, which is the emptiest while a class grows. */
#define CANDIDATES 3

/* An equal blob is also found where it was stored before the class has grown so
 * often. If it has grown more, a second one is stored, which is harmless. */
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

/* What one candidate holds. */
typedef struct {
    uint64_t index;
    snceCellSet *set;
    snceVersion seen[SNCE_CELL_WAYS];
    uint8_t hand;
} candidate;

/* Returns as FindCell. */
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

/* Finds a blob equal to |data| wherever it may lie, and counts one session more. */
static bool
FindAnywhere(const snceBlob *store, unsigned which, unsigned segments,
             const uint8_t *data, size_t len, uint64_t digest, snceBlobRef *ref)
{
    for (unsigned i = 0; i <= OLDER_SIZES && i < segments; i++) {
        for (unsigned n = 0; n < CANDIDATES; n++) {
            uint64_t set = Candidate(store, which, segments - i, digest, n);
            candidate c;

            if (LookAt(store, which, set, &c) == SNCE_OK &&
                FindEqual(store, which, set, c.seen, data, len, digest, ref)) {
                return true;
            }
        }
    }
    return false;
}

/* Would a session lose the certificate in that cell? */
static bool
IsInUse(const candidate *c, unsigned way)
{
    return snceVersion_State(c->seen[way]) == SNCE_STATE_FULL &&
           (uint32_t)atomic_load_explicit(&c->set->count[way],
                                          memory_order_relaxed) != 0;
}

/* Chooses a cell: one that costs nobody a certificate, in the candidate that has
 * most of them; else the victim of the first candidate. On SNCE_OK |*way| is its way
 * in |*out|. Else all three are out of reach: returns why, as FindCell. */
static snceResult
ChooseCell(const snceBlob *store, unsigned which, unsigned segments,
           uint64_t digest, candidate *out, unsigned *way)
{
    snceResult result = SNCE_MISS;
    unsigned most = 0;
    bool found = false;

    for (unsigned n = 0; n < CANDIDATES; n++) {
        unsigned free = 0;
        candidate c;

        result = LookAt(store, which,
                        Candidate(store, which, segments, digest, n), &c);
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

/* Stores |data| in a cell, seen as |c| has it. False if a race was lost. */
static bool
StoreIn(const snceBlob *store, unsigned which, const candidate *c, unsigned way,
        const uint8_t *data, size_t len, uint64_t digest, snceBlobRef *ref)
{
    unsigned state = snceVersion_State(c->seen[way]);
    snceVersion claim;
    cell at;

    if (FindCell(store, which, c->index * SNCE_CELL_WAYS + way, &at) !=
            SNCE_OK ||
        !snceSlot_Claim(&at.set->version[way], &store->lot, c->seen[way],
                        snceVersion_Tag(digest), &claim)) {
        return false;
    }
    SNCE_STEP("blob-claimed");
    if (state == SNCE_STATE_FULL) {
        CountStored(store, (uint64_t)-1);
    }
    if (state != SNCE_STATE_EMPTY) {
        /* The old blob may be longer than the new one. */
        WipeCell(&at, claim, SNCE_CELL_HEAD + at.dataBytes / 8);
    }
    if (!WriteCell(store, &at, claim, data, len, digest)) {
        CleanUp(store, &at);
        return false;
    }
    atomic_store_explicit(&at.set->count[way],
                          (uint64_t)snceVersion_Generation(claim) << 32 | 1,
                          memory_order_relaxed);
    SNCE_STEP("blob-written");
    if (!snceSlot_Publish(&at.set->version[way], claim)) {
        CleanUp(store, &at);
        return false;
    }
    SNCE_STEP("blob-published");
    CountStored(store, 1);
    /* Sequentially consistent: pairs with the store in snceBlob_Discard. If the
     * store was given back since the cell was found, nobody else wipes it. */
    if (atomic_load_explicit(at.segment, memory_order_seq_cst) !=
        at.segmentPage) {
        CountStored(store, (uint64_t)-1);
        if (snceSlot_Claim(&at.set->version[way], &store->lot,
                           snceVersion_Published(claim), 0, &claim)) {
            VacateCell(store, &at, claim);
        }
        return false;
    }
    *ref = MakeRef(&at, claim);
    return true;
}

/* What an insert is told whose store could not grow. */
static snceResult
Refusal(snceResult grown)
{
    return grown == SNCE_BUSY || grown == SNCE_GONE ? SNCE_DROPPED : SNCE_FULL;
}

snceResult
snceBlob_Hold(const snceBlob *store, const uint8_t *data, size_t len,
              snceBlobRef *ref)
{
    snceResult grown = SNCE_OK;
    unsigned which = 0;
    uint64_t digest;

    while (which < SNCE_CELL_CLASSES &&
           snceCellClasses[which].dataBytes < len) {
        which++;
    }
    if (which == SNCE_CELL_CLASSES || len == 0) {
        return SNCE_TOO_LARGE;
    }
    /* From the digest come its sets, its tag and its checksum. */
    digest = snceHash_Bytes(&store->region->hash, 0, data, len);

    for (unsigned try = 0; try < SNCE_CELL_WAYS + SNCE_SEGMENTS; try++) {
        unsigned segments = Segments(store, which);
        snceResult result;
        candidate c;
        unsigned way = 0;

        if (segments == 0) {
            grown = Grow(store, which, 0);
            if (grown != SNCE_OK) {
                return Refusal(grown);
            }
            continue;
        }
        if (FindAnywhere(store, which, segments, data, len, digest, ref)) {
            return SNCE_OK;
        }
        result = ChooseCell(store, which, segments, digest, &c, &way);
        if (result != SNCE_OK) { /* SNCE_MISS: the store is being given back */
            return result == SNCE_MISS ? SNCE_DROPPED : result;
        }
        if (grown == SNCE_OK && IsInUse(&c, way)) {
            grown = Grow(store, which, segments);
            if (grown == SNCE_BUSY) {
                return SNCE_DROPPED; /* one session less, rather than many */
            }
            if (grown == SNCE_OK) {
                continue;
            }
        }
        if (StoreIn(store, which, &c, way, data, len, digest, ref)) {
            return SNCE_OK;
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
    /* From count 0 it never rises again (Count), so nobody can come to refer
     * to it while it is wiped. */
    for (unsigned try = 0; try < 2; try++) { /* a reader may set visited */
        seen = snceSlot_Version(&at.set->version[at.way]);
        if (snceVersion_State(seen) != SNCE_STATE_FULL ||
            snceVersion_Generation(seen) != ref >> 32) {
            return;
        }
        if (snceSlot_Claim(&at.set->version[at.way], &store->lot, seen, 0,
                           &claim)) {
            SNCE_STEP("blob-released");
            CountStored(store, (uint64_t)-1);
            VacateCell(store, &at, claim);
            return;
        }
    }
}
