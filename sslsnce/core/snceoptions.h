/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceoptions.h: the options of a cache (snceCacheOptions): checked, and as
 * words of the directory. */
#ifndef SNCEOPTIONS_H
#define SNCEOPTIONS_H

#include "sncelayout.h"

/* snceOptions_Check checks the ranges of |options|. Returns SNCE_OK or
 * SNCE_INVALID. */
snceResult snceOptions_Check(const snceCacheOptions *options);

/* snceOptions_Flags returns the flags of a state word for |options|. */
unsigned snceOptions_Flags(const snceCacheOptions *options);

/* snceOptions_Retime sets the timeouts, the clock skew, and what the caller keeps
 * about tickets. Each takes effect as soon as it is stored. The caller holds the
 * administrative lock. */
void snceOptions_Retime(snceServerWords *entry,
                        const snceCacheOptions *options);

#endif /* SNCEOPTIONS_H */
