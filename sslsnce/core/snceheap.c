/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "snceheap.h"

#include <time.h>

#include "sncecell.h"
#include "sncedirectory.h"

/* ---- what is taken -------------------------------------------------------- */

/* Is told of a range: its first page, and how many. Numbers have 32 bits, so their
 * sums do not overflow. */
typedef void (*visitor)(void *context, uint64_t page, uint64_t pages);

/* Visits the segments of a store whose head begins at |page|. */
static void
VisitSegments(const snceRegion *region, uint64_t page, uint64_t cells,
              visitor visit, void *context)
{
    uint64_t offset = page * SNCE_PAGE;
    const snceStoreHead *head;

    if (cells == 0 || cells > SNCE_CELLS_MAX ||
        snceRegion_Bound(region, offset, sizeof(*head)) != SNCE_OK) {
        return;
    }
    head = snceRegion_Place(region, offset);
    for (unsigned which = 0; head && which < SNCE_CELL_CLASSES; which++) {
        for (unsigned i = 0; i < SNCE_SEGMENTS; i++) {
            uint64_t begin = snceDirectory_Load(&head->segment[which][i]);

            if (begin == 0) {
                break; /* they are taken one after the other */
            }
            visit(context, snceWord_Low(begin),
                  snceHeap_Pages(snceCell_SegmentBytes(which, cells, i)));
        }
    }
}

/* Visits every range that an entry of the directory names. In line, and the visitor
 * with it: among 1,023 servers a change looks at all ranges some forty times. */
SNCE_INLINE void
VisitAll(const snceRegion *region, visitor visit, void *context)
{
    uint32_t servers = atomic_load_explicit(&snceRegion_Header(region)->servers,
                                            memory_order_relaxed);

    if (servers > SNCE_SERVERS) {
        servers = SNCE_SERVERS;
    }
    for (uint32_t i = 0; i < servers; i++) {
        const snceServerWords *entry = snceRegion_Server(region, i);

        for (unsigned home = 0; home < 2; home++) {
            const snceHomeWords *words = &entry->home[home];
            uint64_t table = snceDirectory_Load(&words->table);
            uint64_t store = snceDirectory_Load(&words->store);
            uint64_t pages =
                table | store ? snceDirectory_Load(&entry->pages[home]) : 0;

            if (table) {
                visit(context, snceRange_Page(table), snceWord_High(pages));
            }
            if (store) {
                visit(context, snceRange_Page(store), snceWord_Low(pages));
            }
            if (store && snceDirectory_Load(&entry->grown[home])) {
                VisitSegments(region, snceRange_Page(store),
                              snceWord_Low(snceDirectory_Load(&words->shape)),
                              visit, context);
            }
        }
    }
}

/* ---- gaps ---------------------------------------------------------------- */

/* A place for |pages| pages is looked for at |page|. */
typedef struct {
    uint64_t page;
    uint64_t pages;
    uint64_t next; /* where the next range behind it begins, or as it was */
    bool stepped;  /* over a range that overlaps it: it may have to again */
} search;

static void
StepOver(void *context, uint64_t page, uint64_t pages)
{
    search *s = context;

    if (page < s->page + s->pages && page + pages > s->page) {
        s->page = page + pages;
        s->stepped = true;
    } else if (page > s->page && page < s->next) {
        s->next = page;
    }
}

/* Moves |s->page| to where a range may begin: on a grain, and so that the range
 * straddles no two chunks that fit into one. */
static void
Align(search *s)
{
    uint64_t page = SNCE_ALIGNED(s->page, (uint64_t)SNCE_GRAIN_PAGES);
    uint64_t inChunk = page % SNCE_CHUNK_PAGES;

    if (inChunk && inChunk + s->pages > SNCE_CHUNK_PAGES) {
        page += SNCE_CHUNK_PAGES - inChunk;
    }
    s->page = page;
}

/* Each pass but the last steps over a range, and none is stepped over twice:
 * unless somebody writes into the directory who has not the turn. He might keep
 * a search going for as many passes as the region has pages. */
#define PASSES (4 * SNCE_SERVERS + 1)

/* Finds the first gap of |pages| pages at |page| or behind it that ends at |end| or
 * before; 0: none. */
static uint64_t
FindGap(const snceRegion *region, uint64_t page, uint64_t pages, uint64_t end)
{
    search s = { page, pages, 0, true };

    for (unsigned pass = 0; s.stepped && pass < PASSES; pass++) {
        Align(&s);
        if (s.page + pages > end) {
            return 0;
        }
        s.stepped = false;
        VisitAll(region, StepOver, &s);
    }
    return s.stepped ? 0 : s.page;
}

/* How far the ranges go, and how many pages they have. */
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

/* The serial of the next range, of the other side than |unlike|. */
static uint64_t
NextSerial(snceHeader *header, uint64_t unlike)
{
    uint64_t serial = snceDirectory_Load(&header->serial) + 1;

    if (unlike && (serial & 1) == (snceWord_High(unlike) & 1)) {
        serial++;
    }
    serial = (uint32_t)serial ? serial : serial + 2; /* 0 and no page: none */
    atomic_store_explicit(&header->serial, serial, memory_order_relaxed);
    return (uint32_t)serial;
}

static uint64_t
NowSec(void)
{
    struct timespec now = { 0, 0 };

    (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec;
}

/* A writer that was interrupted while it stored into a range that was given back
 * since spoils an entry of the range's next life (rule 12). It goes on long before
 * this is over: until then new ranges are taken where the file has not been yet, as
 * far as REST_BYTES reach. */
#define REST_SEC 3
#define REST_BYTES (UINT64_C(64) << 20)

static bool
IsResting(const snceHeader *header)
{
    return NowSec() - snceDirectory_Load(&header->dropped) < REST_SEC;
}

/* Finds a gap between the ranges that there are. The search begins where the last
 * one ended, so that a range is used again as late as can be. */
static uint64_t
FindBetween(const snceRegion *region, uint64_t pages, const extent *e)
{
    const uint64_t first = SNCE_AT_HEAP / SNCE_PAGE;
    uint64_t page =
        snceDirectory_Load(&snceRegion_Header(region)->heap) / SNCE_PAGE;
    uint64_t found;

    if (e->end < first + e->used + pages) {
        return 0; /* all gaps together are too small */
    }
    if (page < first || page >= e->end) {
        page = first;
    }
    found = FindGap(region, page, pages, e->end);
    return found ? found : FindGap(region, first, pages, e->end);
}

/* Finds a place at |end| or behind it, where no range is, and below the page
 * |most|, and gives the file as many pages. */
static snceResult
FindBehind(const snceRegion *region, uint64_t pages, uint64_t end,
           uint64_t most, uint64_t *page)
{
    *page = FindGap(region, end, pages, most);
    return *page ? snceRegion_Grow(region, (*page + pages) * SNCE_PAGE)
                 : SNCE_NO_MEMORY;
}

static snceResult
Find(const snceRegion *region, uint64_t pages, uint64_t bytes, uint64_t *page)
{
    const uint64_t first = SNCE_AT_HEAP / SNCE_PAGE;
    const uint64_t most = SNCE_BYTES_MAX / SNCE_PAGE;
    const uint64_t rest = first + REST_BYTES / SNCE_PAGE + pages;
    extent e = { first, 0 };

    VisitAll(region, Measure, &e);
    if (e.end > bytes) { /* nonsense: ranges lie in the file */
        e.end = bytes;
    }
    if (IsResting(snceRegion_Header(region)) &&
        FindBehind(region, pages, bytes, rest, page) == SNCE_OK) {
        return SNCE_OK;
    }
    /* Gaps are looked for when they are worth it: where they are a third of all. */
    if (e.end - first <= e.used + e.used / 2 &&
        FindBehind(region, pages, e.end, most, page) == SNCE_OK) {
        return SNCE_OK;
    }
    *page = FindBetween(region, pages, &e);
    return *page ? SNCE_OK : FindBehind(region, pages, e.end, most, page);
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
    if (page < end) { /* what the file has just got is zeros */
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
        atomic_store_explicit(&snceRegion_Header(region)->dropped, NowSec(),
                              memory_order_relaxed);
    }
}

/* What a sweep does at most: a few changes come past everything, where there are
 * few virtual servers. */
#define SWEEP_PASSES 32

void
snceHeap_Sweep(const snceRegion *region)
{
    const uint64_t first = SNCE_AT_HEAP / SNCE_PAGE;
    const uint64_t end = snceRegion_Bytes(region) / SNCE_PAGE;
    snceHeader *header = snceRegion_Header(region);
    search s = { snceDirectory_Load(&header->swept) / SNCE_PAGE, 1, 0, false };

    if (region->anonymous) {
        return; /* nobody can tell where it has memory */
    }
    s.page = s.page < first ? first : s.page;
    for (unsigned pass = 0; pass < SWEEP_PASSES; pass++) {
        /* Memory is looked for first: gaps are of any size, and have little
         * of it. */
        s.page = snceRegion_NextMemory(region, s.page * SNCE_PAGE) / SNCE_PAGE;
        if (s.page >= end) {
            s.page = 0; /* from the beginning, next time */
            break;
        }
        s.next = end;
        s.stepped = false;
        VisitAll(region, StepOver, &s);
        if (!s.stepped) {
            uint64_t hole =
                snceRegion_NextHole(region, s.page * SNCE_PAGE) / SNCE_PAGE;

            s.next = hole < s.next ? hole : s.next;
            if (s.next <= s.page) { /* its memory was given back since */
                continue;
            }
            (void)snceRegion_Discard(region, s.page * SNCE_PAGE,
                                     (s.next - s.page) * SNCE_PAGE);
            s.page = s.next;
        }
    }
    atomic_store_explicit(&header->swept, s.page * SNCE_PAGE,
                          memory_order_relaxed);
}
