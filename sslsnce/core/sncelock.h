/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncelock.h: the turn for rare changes (rule 9).
 *
 * A record lock (fcntl) on the region's own file: the kernel takes it from a
 * process that dies, at once, in whatever PID namespace it lived. Where there is
 * no file, a robust mutex in the region, of which the same holds. Lookups and
 * removals never take it; an insert takes it where a store of certificates has to
 * grow, if nobody has it. */
#ifndef SNCELOCK_H
#define SNCELOCK_H

#include "snceregion.h"

/* snceLock_Take waits up to two seconds for the turn. Returns SNCE_OK,
 * SNCE_BUSY, SNCE_READ_ONLY or SNCE_BAD_DESCRIPTOR. Makes system calls. On
 * SNCE_OK this thread is not cancelled until its snceLock_Give. */
snceResult snceLock_Take(snceRegion *region);

/* snceLock_Try takes the turn if nobody has it, for an insert that needs memory: it
 * does not wait. Returns as snceLock_Take does. */
snceResult snceLock_Try(const snceRegion *region);

/* snceLock_Give gives the turn back. */
void snceLock_Give(const snceRegion *region);

/* snceLock_Init prepares the lock of a new region that has no file. False if the
 * system has none of the kind. */
bool snceLock_Init(const snceRegion *region);

#endif /* SNCELOCK_H */
