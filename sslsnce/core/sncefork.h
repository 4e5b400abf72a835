/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncefork.h: which regions other processes may have too.
 *
 * snceRegion_Close may drop a region's contents only if no other process sees
 * them. Attaching is counted; a fork is noted here, in every region of this
 * process, before it happens: a child may not have run yet when its parent
 * closes. A region that finds no place in the table counts as shared.
 *
 * vfork and posix_spawn run no handlers. A process that they start has another
 * program soon, which finds the region by its inheritance string only; so a region
 * counts as shared once it was exported. */
#ifndef SNCEFORK_H
#define SNCEFORK_H

#include "snceregion.h"

/* snceFork_NoteShared notes in |region| that another process may have it. It
 * does nothing where this process may only read. */
void snceFork_NoteShared(const snceRegion *region);

/* snceFork_Watch has forks of this process noted in |region|, and its memory
 * locked again in the child if it is locked here, until snceFork_Unwatch. */
void snceFork_Watch(snceRegion *region);
void snceFork_Unwatch(const snceRegion *region);

#endif /* SNCEFORK_H */
