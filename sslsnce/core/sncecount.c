/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncecount.h"

/* <sched.h> declares this only with _GNU_SOURCE, which this file does not
 * define. */
extern int sched_getcpu(void);

_Thread_local snceLaneUse snceLane_Use SNCE_THREAD_MODEL;

void
snceLane_Ask(snceLaneUse *use)
{
    use->lane = (unsigned)sched_getcpu() % SNCE_LANES;
    use->uses = SNCE_LANE_USES;
}

snceLane *
snceCount_Nowhere(void)
{
    static snceLane nowhere;

    return &nowhere;
}

#ifdef SNCE_STEPS
snceLane *
snceCount_Lane(const snceRegion *region, uint32_t server)
{
    return snceLane_Of(region, server);
}
#endif

void
snceCount_Add(const snceRegion *region, uint32_t server, unsigned figure,
              uint64_t n)
{
    if (region->access != SNCE_ACCESS_READ) {
        snceLane_Add(snceCount_Lane(region, server), figure, n);
    }
}

void
snceCount_AddTicket(const snceRegion *region, uint32_t server, unsigned event)
{
    snceCounters *counters = snceRegion_Counters(region, server);

    if (counters && region->access != SNCE_ACCESS_READ) {
        snceTicketLane *lane =
            &counters->tickets[snceLane_Number() % SNCE_TICKET_LANES];

        (void)atomic_fetch_add_explicit(&lane->count[event], 1,
                                        memory_order_relaxed);
    }
}

uint64_t
snceCount_SumTickets(const snceRegion *region, uint32_t server, unsigned event)
{
    snceCounters *counters = snceRegion_Counters(region, server);
    uint64_t sum = 0;

    for (unsigned lane = 0; counters && lane < SNCE_TICKET_LANES; lane++) {
        sum += atomic_load_explicit(&counters->tickets[lane].count[event],
                                    memory_order_relaxed);
    }
    return sum;
}

uint64_t
snceCount_Sum(const snceRegion *region, uint32_t server, unsigned figure)
{
    snceCounters *counters = snceRegion_Counters(region, server);
    uint64_t sum = 0;

    for (unsigned lane = 0; counters && lane < SNCE_LANES; lane++) {
        sum += atomic_load_explicit(&counters->lane[lane].count[figure],
                                    memory_order_relaxed);
    }
    return sum;
}

uint64_t
snceCount_Since(const snceRegion *region, uint32_t server, unsigned figure,
                uint64_t range, const snceWord from[2])
{
    unsigned side = snceRange_Side(range);

    return snceCount_Sum(region, server, figure + side) -
           atomic_load_explicit(&from[side], memory_order_relaxed);
}
