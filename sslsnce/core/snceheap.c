/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "snceheap.h"

#include "sncecell.h"
#include "sncedirectory.h"
#include "sncesize.h"

/* ---- the ranges in use --------------------------------------------------- */

/* A function that is called for each range, with its first page and its number
 * of pages. Both are below 2^32, so that their sum does not overflow. */
typedef void (*visitor)(void *context, uint64_t page, uint64_t pages);

/* Visits the segments of a certificate store whose head begins at |page|,
 * except those that lie in the store's own range. Returns SNCE_OK, or why this
 * process cannot see them. */
static snceResult
VisitSegments(const snceRegion *region, uint64_t page, uint64_t cells,
              visitor visit, void *context)
{
    uint64_t offset = page * SNCE_PAGE;
    const snceStoreHead *head;
    snceResult result;

    if (cells == 0 || cells > SNCE_CELLS_MAX ||
        snceRegion_Bound(region, offset, sizeof(*head)) != SNCE_OK) {
        return SNCE_OK; /* the store is not in the heap, nor are its segments */
    }
    result = snceRegion_MapRange(region, offset, sizeof(*head));
    if (result != SNCE_OK) {
        return result;
    }
    head = snceRegion_Place(region, offset);
    for (unsigned which = 0; which < SNCE_CELL_CLASSES; which++) {
        for (unsigned i = which < SNCE_CELL_USUAL; i < SNCE_SEGMENTS; i++) {
            uint64_t begin = snceDirectory_Load(&head->segment[which][i]);

            if (begin == 0) {
                break; /* segments are taken in their order */
            }
            visit(context, snceWord_Low(begin),
                  snceHeap_Pages(snceCell_SegmentBytes(which, cells, i)));
        }
    }
    return SNCE_OK;
}

/* Visits every range that an entry of the directory names: at most 4 for each
 * entry, and 2 * 165 segments, whatever the entry says. Inlined with the
 * visitor, because a change among 1,023 servers visits all ranges some six
 * times. Returns SNCE_OK, or why this process cannot see all of them. */
SNCE_INLINE snceResult
VisitAll(const snceRegion *region, visitor visit, void *context)
{
    uint32_t servers = atomic_load_explicit(&snceRegion_Header(region)->servers,
                                            memory_order_relaxed);
    snceResult result = SNCE_OK;

    if (servers > SNCE_SERVERS) {
        servers = SNCE_SERVERS;
    }
    for (uint32_t i = 0; i < servers; i++) {
        const snceServerWords *entry = snceRegion_Server(region, i);

        for (unsigned backing = 0; backing < 2; backing++) {
            const snceBackingWords *words = &entry->backing[backing];
            uint64_t table = snceDirectory_Load(&words->table);
            uint64_t store = snceDirectory_Load(&words->store);
            uint64_t pages =
                table | store ? snceDirectory_Load(&entry->pages[backing]) : 0;

            if (table) {
                visit(context, snceRange_Page(table), snceWord_High(pages));
            }
            if (store) {
                visit(context, snceRange_Page(store), snceWord_Low(pages));
            }
            if (store && snceDirectory_Load(&entry->grown[backing]) &&
                result == SNCE_OK) {
                result = VisitSegments(
                    region, snceRange_Page(store),
                    snceSize_Cells(snceDirectory_Load(&words->size)), visit,
                    context);
            }
        }
    }
    return result;
}

/* ---- gaps ---------------------------------------------------------------- */

#define BATCH 64

typedef struct {
    uint64_t page;
    uint64_t end;
} taken;

/* The ranges that reach beyond the page |from|: as many as fit, the first ones,
 * in the order in which they begin. */
typedef struct {
    uint64_t from;
    unsigned count;
    taken range[BATCH];
} batch;

static void
Collect(void *context, uint64_t page, uint64_t pages)
{
    batch *b = context;
    unsigned i = b->count;

    if (page + pages <= b->from ||
        (i == BATCH && page >= b->range[BATCH - 1].page)) {
        return;
    }
    if (i == BATCH) {
        i--; /* drop the last one */
    } else {
        b->count++;
    }
    for (; i > 0 && b->range[i - 1].page > page; i--) {
        b->range[i] = b->range[i - 1];
    }
    b->range[i] = (taken){ page, page + pages };
}

/* Returns the first page, at |page| or behind it, where a range of |pages|
 * pages may begin: on a grain, and so that it does not straddle two chunks if
 * it fits into one. */
static uint64_t
Aligned(uint64_t page, uint64_t pages)
{
    uint64_t inChunk;

    page = SNCE_ALIGNED(page, (uint64_t)SNCE_GRAIN_PAGES);
    inChunk = page % SNCE_CHUNK_PAGES;
    if (inChunk && inChunk + pages > SNCE_CHUNK_PAGES) {
        page += SNCE_CHUNK_PAGES - inChunk;
    }
    return page;
}

/* Looks through a batch for a gap of |pages| pages at |*page| or behind it.
 * Returns true if there is one, with |*page| at its beginning; otherwise
 * |*page| is then behind all ranges of the batch. */
static bool
FindInBatch(const batch *b, uint64_t pages, uint64_t *page)
{
    for (unsigned i = 0; i < b->count; i++) {
        uint64_t at = Aligned(*page, pages);

        if (at + pages <= b->range[i].page) {
            *page = at;
            return true;
        }
        if (b->range[i].end > *page) {
            *page = b->range[i].end;
        }
    }
    if (b->count == BATCH) {
        return false;
    }
    *page = Aligned(*page, pages);
    return true;
}

/* Finds the first gap of |pages| pages at |page| or behind it that ends at
 * |end| or before, looking through at most |batches| batches. Returns SNCE_OK,
 * SNCE_FULL (there is none), or why this process cannot see all ranges. */
static snceResult
FindGap(const snceRegion *region, uint64_t page, uint64_t pages, uint64_t end,
        unsigned batches, uint64_t *found)
{
    for (unsigned i = 0; i < batches && page + pages <= end; i++) {
        batch b = { .from = page };
        snceResult result = VisitAll(region, Collect, &b);

        if (result != SNCE_OK) {
            return result;
        }
        if (FindInBatch(&b, pages, &page)) {
            *found = page;
            return page + pages <= end ? SNCE_OK : SNCE_FULL;
        }
    }
    return SNCE_FULL;
}

/* The page at which the last range ends, and how many pages all ranges have. */
typedef struct {
    uint64_t end;
    uint64_t used;
} extent;

static void
Measure(void *context, uint64_t page, uint64_t pages)
{
    extent *e = context;

    e->used += pages;
    if (page + pages > e->end) {
        e->end = page + pages;
    }
}

/* ---- taking -------------------------------------------------------------- */

/* Returns the serial of the next range, of the other side than |unlike|. */
static uint64_t
NextSerial(snceHeader *header, uint64_t unlike)
{
    uint64_t serial = snceDirectory_Load(&header->serial) + 1;

    if (unlike && (serial & 1) == (snceWord_High(unlike) & 1)) {
        serial++;
    }
    serial = (uint32_t)serial ? serial : serial + 2; /* 0 names no range */
    /* Release: pairs with the acquire load in snceRegion_Reach. A process that sees
     * this serial sees the file as large as it is now. */
    atomic_store_explicit(&header->serial, serial, memory_order_release);
    return (uint32_t)serial;
}

/* A writer that was interrupted may go on storing into a range that was given
 * back meanwhile, and would spoil an entry of the range's next epoch (rule 12).
 * So for REST_SEC seconds after a range was given back, which is long enough
 * for such a writer to go on, new ranges are taken behind the end of the file,
 * as long as the heap does not exceed REST_BYTES by it; and after that from one
 * end of the file to the other, in turn. */
#define REST_SEC 3
#define REST_BYTES (UINT64_C(64) << 20)

static bool
IsResting(const snceHeader *header)
{
    return snceRegion_NowSec() - snceDirectory_Load(&header->dropped) <
           REST_SEC;
}

/* A search between ranges ends after so many batches, and the file grows
 * instead. 1,025 servers have half as many ranges as BATCHES_BETWEEN batches
 * hold, segments not counted. Behind all ranges the first batch is empty,
 * unless the directory is damaged. */
#define BATCHES_BETWEEN 64
#define BATCHES_BEHIND 4

/* Finds a gap between the existing ranges. The search begins where the last one
 * ended, so that each range is used again as late as possible. */
static snceResult
FindBetween(const snceRegion *region, uint64_t pages, const extent *e,
            uint64_t *page)
{
    const uint64_t first = SNCE_AT_HEAP / SNCE_PAGE;
    uint64_t last =
        snceDirectory_Load(&snceRegion_Header(region)->heap) / SNCE_PAGE;
    snceResult result;

    if (e->end < first + e->used + pages) {
        return SNCE_FULL; /* all gaps together are too small */
    }
    if (last < first || last >= e->end) {
        last = first;
    }
    result = FindGap(region, last, pages, e->end, BATCHES_BETWEEN, page);
    return result == SNCE_FULL
               ? FindGap(region, first, pages, e->end, BATCHES_BETWEEN, page)
               : result;
}

/* Finds a place behind all ranges, at |end| or behind it and below the page
 * |most|, and makes the file that long. */
static snceResult
FindBehind(const snceRegion *region, uint64_t pages, uint64_t end,
           uint64_t most, uint64_t *page)
{
    snceResult result = FindGap(region, end, pages, most, BATCHES_BEHIND, page);

    if (result != SNCE_OK) {
        return result == SNCE_FULL ? SNCE_NO_MEMORY : result;
    }
    return snceRegion_Grow(region, (*page + pages) * SNCE_PAGE);
}

static snceResult
Find(const snceRegion *region, uint64_t pages, uint64_t bytes, uint64_t *page)
{
    const uint64_t first = SNCE_AT_HEAP / SNCE_PAGE;
    const uint64_t most = SNCE_BYTES_MAX / SNCE_PAGE;
    const uint64_t rest = first + REST_BYTES / SNCE_PAGE + pages;
    extent e = { first, 0 };
    snceResult result = VisitAll(region, Measure, &e);

    if (result != SNCE_OK) {
        return result;
    }
    if (e.end > bytes) { /* a damaged directory: all ranges lie in the file */
        e.end = bytes;
    }
    if (IsResting(snceRegion_Header(region))) {
        const extent file = { bytes, e.used };

        if (FindBehind(region, pages, bytes, rest, page) == SNCE_OK ||
            FindBetween(region, pages, &file, page) == SNCE_OK) {
            return SNCE_OK;
        }
    }
    /* Look for gaps only where they are worth it, a third of the pages or
     * more. */
    if (e.end - first <= e.used + e.used / 2 &&
        FindBehind(region, pages, e.end, most, page) == SNCE_OK) {
        return SNCE_OK;
    }
    result = FindBetween(region, pages, &e, page);
    return result == SNCE_FULL ? FindBehind(region, pages, e.end, most, page)
                               : result;
}

snceResult
snceHeap_Take(const snceRegion *region, uint64_t pages, uint64_t unlike,
              uint64_t *range)
{
    snceHeader *header = snceRegion_Header(region);
    uint64_t end = snceRegion_Bytes(region) / SNCE_PAGE;
    snceResult result;
    uint64_t page;

    if (pages == 0 || pages > SNCE_BYTES_MAX / SNCE_PAGE) {
        return SNCE_NO_MEMORY;
    }
    result = Find(region, pages, end, &page);
    if (result != SNCE_OK) {
        return result;
    }
    if (page < end) { /* the pages by which the file has just grown are zeros */
        uint64_t stale = page + pages < end ? pages : end - page;

        if (!snceRegion_Discard(region, page * SNCE_PAGE, stale * SNCE_PAGE)) {
            return SNCE_NO_MEMORY;
        }
    }
    atomic_store_explicit(&header->heap, (page + pages) * SNCE_PAGE,
                          memory_order_relaxed);
    *range = snceRange_Of(NextSerial(header, unlike), page);
    return SNCE_OK;
}

void
snceHeap_Drop(const snceRegion *region, uint64_t range, uint64_t pages)
{
    uint64_t offset = snceRange_Offset(range);

    if (range &&
        snceRegion_Bound(region, offset, pages * SNCE_PAGE) == SNCE_OK) {
        (void)snceRegion_Discard(region, offset, pages * SNCE_PAGE);
        atomic_store_explicit(&snceRegion_Header(region)->dropped,
                              snceRegion_NowSec(), memory_order_relaxed);
    }
}

/* A sweep makes at most so many looks at the file. Where there are few virtual
 * servers, the sweeps of a few changes reach everything. */
#define SWEEP_LOOKS 32

/* Gives back the memory in the gap from |*page| to |end|. Returns false when
 * |*looks| has reached the limit; |*page| is then how far it came. */
static bool
SweepGap(const snceRegion *region, uint64_t *page, uint64_t end,
         unsigned *looks)
{
    while (*page < end) {
        uint64_t from, hole;

        if ((*looks)++ == SWEEP_LOOKS) {
            return false;
        }
        from = snceRegion_NextMemory(region, *page * SNCE_PAGE) / SNCE_PAGE;
        if (from >= end) {
            break;
        }
        hole = snceRegion_NextHole(region, from * SNCE_PAGE) / SNCE_PAGE;
        hole = hole < end ? hole : end;
        if (hole > from) { /* else its memory was given back meanwhile */
            /* Whole grains, because the system gives those back. */
            uint64_t first = from & ~(uint64_t)(SNCE_GRAIN_PAGES - 1);

            first = first > *page ? first : *page;
            hole = SNCE_ALIGNED(hole, (uint64_t)SNCE_GRAIN_PAGES);
            hole = hole < end ? hole : end;
            (void)snceRegion_Discard(region, first * SNCE_PAGE,
                                     (hole - first) * SNCE_PAGE);
        }
        *page = hole > from ? hole : from + 1;
    }
    *page = end;
    return true;
}

void
snceHeap_Sweep(const snceRegion *region)
{
    const uint64_t first = SNCE_AT_HEAP / SNCE_PAGE;
    const uint64_t end = snceRegion_Bytes(region) / SNCE_PAGE;
    snceHeader *header = snceRegion_Header(region);
    uint64_t page = snceDirectory_Load(&header->swept) / SNCE_PAGE;
    unsigned looks = 0;
    batch b = { 0 };

    if (region->anonymous) {
        return; /* without a file, nobody can tell where there is memory */
    }
    page = page < first || page >= end ? first : page;
    /* Look for memory first: gaps may be of any size, and have little of it. */
    page = snceRegion_NextMemory(region, page * SNCE_PAGE) / SNCE_PAGE;
    b.from = page;
    if (VisitAll(region, Collect, &b) != SNCE_OK) {
        return; /* ranges that it cannot see may be in use */
    }
    for (unsigned i = 0; i < b.count; i++) {
        uint64_t next = b.range[i].page < end ? b.range[i].page : end;

        if (next > page && !SweepGap(region, &page, next, &looks)) {
            goto done;
        }
        if (b.range[i].end > page) {
            page = b.range[i].end;
        }
    }
    if (b.count < BATCH && SweepGap(region, &page, end, &looks)) {
        page = 0; /* begin at the start of the heap next time */
    }

done:
    atomic_store_explicit(&header->swept, page * SNCE_PAGE,
                          memory_order_relaxed);
}
