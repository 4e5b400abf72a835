/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncefork.h: which regions other processes may have too.
 *
 * snceRegion_Close may discard a region's contents only if no other process
 * uses them. Processes that attach are counted. A fork is noted in every region
 * of this process before it happens, because a child may not have run yet when
 * its parent closes the region. A region for which the table here has no room
 * counts as shared.
 *
 * vfork and posix_spawn run no fork handlers. A process that they start soon
 * runs another program, which can find the region only by its inheritance
 * string. So a region also counts as shared once it was exported. */
#ifndef SNCEFORK_H
#define SNCEFORK_H

#include "snceregion.h"

/* snceFork_NoteShared notes in |region| that another process may have it. Does
 * nothing if this process may only read the region. */
void snceFork_NoteShared(const snceRegion *region);

/* snceFork_Watch lets each fork of this process be noted in |region|, until
 * snceFork_Unwatch. If the region is locked in memory here, the child locks it
 * again. */
void snceFork_Watch(snceRegion *region);
void snceFork_Unwatch(const snceRegion *region);

#endif /* SNCEFORK_H */
