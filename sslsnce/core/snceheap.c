/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "snceheap.h"

#include "sncedirectory.h"

/* Moves |*page| behind the range |word| if that overlaps the |pages| pages from
 * there. All numbers have 32 bits, so nothing overflows. */
static bool
StepOver(uint64_t word, uint64_t length, uint64_t pages, uint64_t *page)
{
    uint64_t begin = snceRange_Page(word);

    if (word == 0 || begin >= *page + pages || begin + length <= *page) {
        return false;
    }
    *page = begin + length;
    return true;
}

/* Goes through the directory once: moves |*page| behind those ranges that it
 * finds to overlap the |pages| pages from there; true: it moved, and may have
 * to again. Else |*next|, unless NULL, is where the next range behind begins,
 * or as it was. */
static bool
Pass(const snceRegion *region, uint64_t pages, uint64_t *page, uint64_t *next)
{
    uint32_t servers = atomic_load_explicit(&snceRegion_Header(region)->servers,
                                            memory_order_relaxed);
    bool stepped = false;

    if (servers > SNCE_SERVERS) {
        servers = SNCE_SERVERS;
    }
    for (uint32_t i = 0; i < servers; i++) {
        const snceServerWords *entry = snceRegion_Server(region, i);

        for (unsigned home = 0; home < 2; home++) {
            uint64_t words[2] = { snceDirectory_Load(&entry->home[home].table),
                                  snceDirectory_Load(
                                      &entry->home[home].store) };
            uint64_t both = words[0] | words[1]
                                ? snceDirectory_Load(&entry->pages[home])
                                : 0;

            stepped |= StepOver(words[0], snceWord_High(both), pages, page);
            stepped |= StepOver(words[1], snceWord_Low(both), pages, page);
            for (unsigned j = 0; next && j < 2; j++) {
                uint64_t begin = snceRange_Page(words[j]);

                if (begin > *page && begin < *next) {
                    *next = begin;
                }
            }
        }
    }
    return stepped;
}

/* Each pass but the last steps over a range, and none is stepped over twice:
 * unless somebody writes into the directory who has not the turn. He might keep
 * a search of the whole region going for as many passes as it has pages. */
#define PASSES (4 * SNCE_SERVERS + 1)

/* Finds the first gap of |pages| pages at |page| or behind it; 0: none. */
static uint64_t
FindGap(const snceRegion *region, uint64_t page, uint64_t pages)
{
    for (unsigned pass = 0; pass < PASSES; pass++) {
        bool stepped = Pass(region, pages, &page, NULL);

        if (!snceRegion_At(region, page * SNCE_PAGE, pages * SNCE_PAGE)) {
            return 0;
        }
        if (!stepped) {
            return page;
        }
    }
    return 0;
}

/* The serial of the next range, of the other side than |unlike|. */
static uint64_t
NextSerial(snceHeader *header, uint64_t unlike)
{
    uint64_t serial = snceDirectory_Load(&header->serial) + 1;

    if (unlike && (serial & 1) == snceRange_Side(unlike)) {
        serial++;
    }
    serial = (uint32_t)serial ? serial : serial + 2; /* 0 and no page: none */
    atomic_store_explicit(&header->serial, serial, memory_order_relaxed);
    return (uint32_t)serial;
}

uint64_t
snceHeap_Take(snceRegion *region, uint64_t pages, uint64_t unlike)
{
    const uint64_t first = SNCE_AT_HEAP / SNCE_PAGE;
    snceHeader *header = snceRegion_Header(region);
    uint64_t page = snceDirectory_Load(&header->heap) / SNCE_PAGE;

    if (pages == 0 || pages > region->bytes / SNCE_PAGE) {
        return 0;
    }
    /* The search begins where the last one ended, so that a range is used
     * again as late as can be: a writer that was interrupted in the middle of
     * storing into a range that was given back goes on long before that
     * (rule 12). */
    if (page < first || page >= region->bytes / SNCE_PAGE) {
        page = first;
    }
    page = FindGap(region, page, pages);
    if (!page) {
        page = FindGap(region, first, pages);
    }
    if (!page ||
        !snceRegion_Discard(region, page * SNCE_PAGE, pages * SNCE_PAGE)) {
        return 0;
    }
    atomic_store_explicit(&header->heap, (page + pages) * SNCE_PAGE,
                          memory_order_relaxed);
    return snceRange_Of(NextSerial(header, unlike), page);
}

void
snceHeap_Drop(const snceRegion *region, uint64_t range, uint64_t pages)
{
    if (range && snceRegion_AtRange(region, range, pages * SNCE_PAGE)) {
        (void)snceRegion_Discard(region, snceRange_Offset(range),
                                 pages * SNCE_PAGE);
    }
}

/* What a sweep does at most: a few changes come past everything, where there are
 * few virtual servers. */
#define SWEEP_PASSES 32

void
snceHeap_Sweep(const snceRegion *region)
{
    const uint64_t first = SNCE_AT_HEAP / SNCE_PAGE;
    const uint64_t end = region->bytes / SNCE_PAGE;
    snceHeader *header = snceRegion_Header(region);
    uint64_t page = snceDirectory_Load(&header->swept) / SNCE_PAGE;

    page = page < first ? first : page;
    for (unsigned pass = 0; pass < SWEEP_PASSES; pass++) {
        uint64_t next = end;

        /* Memory is looked for first: gaps are of any size, and have little
         * of it. */
        page = snceRegion_NextMemory(region, page * SNCE_PAGE) / SNCE_PAGE;
        if (page >= end) {
            page = 0; /* from the beginning, next time */
            break;
        }
        if (!Pass(region, 1, &page, &next)) {
            uint64_t hole =
                snceRegion_NextHole(region, page * SNCE_PAGE) / SNCE_PAGE;

            next = hole < next ? hole : next;
            (void)snceRegion_Discard(region, page * SNCE_PAGE,
                                     (next - page) * SNCE_PAGE);
            page = next;
        }
    }
    atomic_store_explicit(&header->swept, page * SNCE_PAGE,
                          memory_order_relaxed);
}
