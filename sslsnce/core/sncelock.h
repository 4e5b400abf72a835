/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncelock.h: the administrative lock (rule 9).
 *
 * It is a record lock (fcntl) on the region's own file. When its holder dies,
 * the kernel releases it at once, in whatever PID namespace the process lived.
 * A region without a file has a robust mutex instead, which the kernel releases
 * too. Lookups and removals never take the lock. An insert takes it when a
 * certificate store has to grow, and only if nobody holds it. */
#ifndef SNCELOCK_H
#define SNCELOCK_H

#include "snceregion.h"

/* snceLock_Take waits up to two seconds for the administrative lock. Returns
 * SNCE_OK, SNCE_BUSY, SNCE_READ_ONLY or SNCE_BAD_DESCRIPTOR. Makes system
 * calls. After SNCE_OK this thread cannot be cancelled until its
 * snceLock_Give. */
snceResult snceLock_Take(snceRegion *region);

/* snceLock_Try takes the administrative lock if nobody holds it, and does not
 * wait. An insert that needs memory calls it. Returns what snceLock_Take
 * returns. */
snceResult snceLock_Try(const snceRegion *region);

/* snceLock_Give releases the administrative lock. */
void snceLock_Give(const snceRegion *region);

/* snceLock_Init prepares the lock of a new region; only one without a file
 * needs that. Returns false if the system has no such mutex. */
bool snceLock_Init(const snceRegion *region);

#endif /* SNCELOCK_H */
