/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncesplit.h: a table grows by a page (sncesize.h).
 *
 * Any number of processes may split the same page at once, and each may stop or
 * die at any step: any process that wants the table to grow goes on with a
 * split that it finds begun. None waits for another, and at any time lookups
 * can find every session (rule 15). */
#ifndef SNCESPLIT_H
#define SNCESPLIT_H

#include "sncebacking.h"

/* snceSplit_Grow takes one more page into use, or goes on with the page that
 * another process has begun with. It moves at most SNCE_PAGE_SLOTS sessions,
 * wipes those of them that have expired by |rule|, and updates |backing| to the
 * table's size. It does nothing if the table has all its pages or is being
 * left, or if this process cannot map the page. */
void snceSplit_Grow(snceBacking *backing, const snceRule *rule);

/* snceSplit_Freeze ends the growth of a table that is being left. All its pages
 * are mapped. Afterwards every entry lies where lookups look. */
void snceSplit_Freeze(snceBacking *backing, const snceRule *rule);

#endif /* SNCESPLIT_H */
