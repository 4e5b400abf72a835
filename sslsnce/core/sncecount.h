/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncecount.h: figures, counted at almost no cost.
 *
 * Each processor has a lane of its own, so that two processes, or two threads,
 * that run at the same time never write the same cache line. */
#ifndef SNCECOUNT_H
#define SNCECOUNT_H

#include "snceregion.h"

/* How many operations a thread counts in a lane before it asks again on which
 * processor it runs. Asking is a system call where neither the C library nor
 * the kernel's shared page knows the answer, as on 64-bit ARM with a glibc
 * older than 2.35. Until it asks again, a thread that was moved to another
 * processor may write the same cache line as another thread. */
#define SNCE_LANE_USES 64

/* The lane in which a thread counts, and how many more operations it counts
 * there before it asks again. */
typedef struct {
    unsigned lane, uses;
} snceLaneUse;

/* The initial-exec model finds the variable without a call. glibc reserves room
 * for such variables of a library that is loaded at run time; other C libraries
 * may not. */
#ifdef __GLIBC__
#define SNCE_THREAD_MODEL __attribute__((tls_model("initial-exec")))
#else
#define SNCE_THREAD_MODEL
#endif
extern _Thread_local snceLaneUse snceLane_Use SNCE_THREAD_MODEL;

/* snceLane_Ask asks on which processor this thread runs, and notes the
 * processor's lane. */
void snceLane_Ask(snceLaneUse *use);

/* snceLane_Number returns the number of the lane in which this thread
 * counts. */
static inline unsigned
snceLane_Number(void)
{
    snceLaneUse *use = &snceLane_Use;

    if (SNCE_RARELY(use->uses == 0)) {
        snceLane_Ask(use);
    }
    use->uses--;
    return use->lane;
}

/* snceCount_Nowhere returns a lane that belongs to this process alone. It takes
 * the counts for which the right counters cannot be mapped. */
snceLane *snceCount_Nowhere(void);

/* snceLane_Of returns the lane of a virtual server in which this thread counts,
 * which is that of its processor. Makes a system call at most once in
 * SNCE_LANE_USES, and where this process has not mapped the counters yet. If it
 * cannot map them, it returns snceCount_Nowhere. The region must be
 * writable. */
static inline snceLane *
snceLane_Of(const snceRegion *region, uint32_t server)
{
    snceCounters *counters = snceRegion_Counters(region, server);

    return SNCE_RARELY(!counters) ? snceCount_Nowhere()
                                  : &counters->lane[snceLane_Number()];
}

/* snceCount_Lane is snceLane_Of. In builds with test steps it is a function,
 * which a fuzzer's sandbox wraps. */
#ifdef SNCE_STEPS
snceLane *snceCount_Lane(const snceRegion *region, uint32_t server);
#else
#define snceCount_Lane snceLane_Of
#endif

/* snceLane_Add adds |n| to |figure| (SNCE_N_...) in a lane. Atomic, because the
 * thread may run on another processor by now; relaxed, because a sum of counts
 * orders nothing. */
static inline void
snceLane_Add(snceLane *lane, unsigned figure, uint64_t n)
{
    atomic_fetch_add_explicit(&lane->count[figure], n, memory_order_relaxed);
}

/* snceCount_Add adds |n| to |figure| of a virtual server, unless the region is
 * read-only. */
void snceCount_Add(const snceRegion *region, uint32_t server, unsigned figure,
                   uint64_t n);

/* snceCount_One adds 1 to |figure|, inlined, for the figures that most
 * operations count. It does nothing if the region is read-only. */
static inline void
snceCount_One(const snceRegion *region, uint32_t server, unsigned figure)
{
    if (region->access != SNCE_ACCESS_READ) {
        snceLane_Add(snceCount_Lane(region, server), figure, 1);
    }
}

/* snceCount_AddTicket and snceCount_SumTickets do the same for a snceTicketEvent. */
void snceCount_AddTicket(const snceRegion *region, uint32_t server,
                         unsigned event);
uint64_t snceCount_SumTickets(const snceRegion *region, uint32_t server,
                              unsigned event);

/* snceCount_Sum returns the sum of |figure| over all lanes of a server, or 0 if
 * this process cannot map its counters. */
uint64_t snceCount_Sum(const snceRegion *region, uint32_t server,
                       unsigned figure);

/* snceCount_Since returns how much of |figure| was counted for the side of
 * |range| since the range was taken; |from| has what the figure was then, for
 * each side. That is what is in the range now. Other processes go on counting
 * meanwhile, so the sum may be below zero, which is a number beyond
 * INT64_MAX. */
uint64_t snceCount_Since(const snceRegion *region, uint32_t server,
                         unsigned figure, uint64_t range,
                         const snceWord from[2]);

#endif /* SNCECOUNT_H */
