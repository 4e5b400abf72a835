/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncesplit.h: a table grows by a page (sncesize.h).
 *
 * Any number of processes may split the same page at once, and each may stop or die at
 * any step: whoever wants the table to grow goes on with what it finds begun. None waits
 * for another, and no session is out of sight at any time (rule 15). */
#ifndef SNCESPLIT_H
#define SNCESPLIT_H

#include "sncehome.h"

/* snceSplit_Grow takes one page more into use, or goes on with the one that another
 * process began with; moves at most SNCE_PAGE_SLOTS sessions. Entries that have expired
 * by |rule| are wiped. |home| is then as it is now. Nothing happens if the table is
 * whole or being left, or if this process cannot map the page. */
void snceSplit_Grow(snceHome *home, const snceRule *rule);

/* snceSplit_Freeze ends the growth of a table that is being left, whose pages are all
 * mapped; every entry in it is then where lookups look. */
void snceSplit_Freeze(snceHome *home, const snceRule *rule);

#endif /* SNCESPLIT_H */
