/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncepatience.h: when a claim is taken back from a writer that died (rule 5).
 *
 * No process can see that a writer died, only that its claim still stands. A
 * writer that is merely preempted, or throttled by a CPU quota, must not be
 * taken for dead: it would lose its entry and, when it goes on, spoil the one
 * that was stored in its slot. So patience is measured in time. The first
 * writer that passes a claim notes the time in the claim's ticket; one that
 * passes two seconds later or more takes the slot back. Claims are rarely seen,
 * so the clock is rarely read.
 *
 * The clock is the machine's, not the sockets'. It is never set, and stands
 * still while the machine is suspended. Processes in time namespaces of their
 * own, whose clocks differ, may take a claim back too early; its writer then
 * loses one entry. */
#ifndef SNCEPATIENCE_H
#define SNCEPATIENCE_H

#include <time.h>

#include "snceregion.h"
#include "snceslot.h"

/* snceTick is a time in eighths of a second. It counts from 1 to SNCE_TICKS and
 * begins again; 0 means no time. Ages wrap after 31.9 seconds. An age in the
 * upper half counts as none: so a time that was noted a moment after the clock
 * was read does not look long ago. A claim may for a while look younger than it
 * is, but never older. */
typedef uint8_t snceTick;

#define SNCE_TICKS 255
#define SNCE_TICK_NSEC 125000000

/* Patience in ticks, two seconds: a claim that was noted longer ago is taken
 * back. A CPU quota stops a process for a second at most. */
#define SNCE_PATIENCE 16

/* snceTick_Now returns the time, by the region's test clock if it has one.
 * Makes no system call: the coarse clock is read in the process (vDSO), and is
 * a few milliseconds late. */
static inline snceTick
snceTick_Now(const snceRegion *region)
{
    struct timespec now = { 0, 0 };
    uint64_t ticks;

    if (region->ticks) {
        ticks = *region->ticks;
    } else {
        (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
        ticks =
            (uint64_t)now.tv_sec * 8 + (uint64_t)now.tv_nsec / SNCE_TICK_NSEC;
    }
    return (snceTick)(1 + ticks % SNCE_TICKS);
}

/* snceTick_IsOver tells whether the patience that began at |noted| is over at
 * |now|. */
static inline bool
snceTick_IsOver(snceTick noted, snceTick now)
{
    unsigned since = ((unsigned)now + SNCE_TICKS - noted) % SNCE_TICKS;

    return since > SNCE_PATIENCE && since <= SNCE_TICKS / 2;
}

/* snceClaim_Abandoned tells whether the claim |seen| at |*version| was first
 * passed longer ago than the patience lasts. |now| is a time that was read
 * after |seen|. If nobody has passed the claim yet, notes |now| in it. Relaxed:
 * a lost update is harmless, because then another writer has noted the time or
 * the claim has ended. */
static inline bool
snceClaim_Abandoned(snceWord *version, snceVersion seen, snceTick now)
{
    snceTick noted = snceVersion_Ticket(seen);

    if (snceVersion_State(seen) != SNCE_STATE_BUSY) {
        return false;
    }
    if (noted == 0) {
        (void)atomic_compare_exchange_strong_explicit(
            version, &seen, snceVersion_WithTicket(seen, now),
            memory_order_relaxed, memory_order_relaxed);
        return false;
    }
    return snceTick_IsOver(noted, now);
}

/* snceSlot_Rested tells whether a writer may use the empty slot |seen|. If
 * SNCE_OVERRODE says that a claim was overridden there, the writer that lost it
 * may still be storing, and the slot rests for the time of the patience. |now|
 * was read after |seen|. */
static inline bool
snceSlot_Rested(snceVersion seen, snceTick now)
{
    return !(seen & SNCE_OVERRODE) ||
           snceTick_IsOver(snceVersion_Ticket(seen), now);
}

#endif /* SNCEPATIENCE_H */
