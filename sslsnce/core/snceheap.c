/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "snceheap.h"

static uint64_t
Load(const snceWord *word)
{
    /* Relaxed: only the holder of the turn writes these. */
    return atomic_load_explicit(word, memory_order_relaxed);
}

/* Moves |*page| behind the range |word| if that overlaps the |pages| pages from
 * there. All numbers have 32 bits, so nothing overflows. */
static bool
StepOver(uint64_t word, uint64_t length, uint64_t pages, uint64_t *page)
{
    uint64_t begin = word & SNCE_PAGE_MASK;

    if (word == 0 || begin >= *page + pages || begin + length <= *page) {
        return false;
    }
    *page = begin + length;
    return true;
}

/* Each pass but the last steps over a range, and none is stepped over twice:
 * unless somebody writes into the directory who has not the turn. He might keep
 * a search of the whole region going for as many passes as it has pages. */
#define PASSES (4 * SNCE_SERVERS + 1)

/* Finds the first gap of |pages| pages at |page| or behind it; 0: none. */
static uint64_t
FindGap(const snceRegion *region, uint64_t page, uint64_t pages)
{
    uint32_t servers = atomic_load_explicit(&snceRegion_Header(region)->servers,
                                            memory_order_relaxed);

    if (servers > SNCE_SERVERS) {
        servers = SNCE_SERVERS;
    }
    for (unsigned pass = 0; pass < PASSES; pass++) {
        bool stepped = false;

        for (uint32_t i = 0; i < servers; i++) {
            const snceServerWords *entry = snceRegion_Server(region, i);

            for (unsigned home = 0; home < 2; home++) {
                uint64_t table = Load(&entry->home[home].table);
                uint64_t store = Load(&entry->home[home].store);
                uint64_t both = table | store ? Load(&entry->pages[home]) : 0;

                stepped |= StepOver(table, both >> 32, pages, &page);
                stepped |= StepOver(store, (uint32_t)both, pages, &page);
            }
        }
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
    uint64_t serial = Load(&header->serial) + 1;

    if (unlike && (serial & 1) == (unlike >> SNCE_SERIAL_SHIFT & 1)) {
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
    uint64_t page = Load(&header->heap) / SNCE_PAGE;

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
    return NextSerial(header, unlike) << SNCE_SERIAL_SHIFT | page;
}

void
snceHeap_Drop(const snceRegion *region, uint64_t range, uint64_t pages)
{
    uint64_t offset = (range & SNCE_PAGE_MASK) * SNCE_PAGE;

    if (range && snceRegion_At(region, offset, pages * SNCE_PAGE)) {
        (void)snceRegion_Discard(region, offset, pages * SNCE_PAGE);
    }
}
