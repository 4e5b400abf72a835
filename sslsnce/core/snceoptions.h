/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceoptions.h: a snceCacheOptions: checked, and as words of the directory. */
#ifndef SNCEOPTIONS_H
#define SNCEOPTIONS_H

#include "sncelayout.h"

/* snceOptions_Check returns SNCE_OK or SNCE_INVALID. */
snceResult snceOptions_Check(const snceCacheOptions *options);

/* snceOptions_Flags returns the bits of a life word for |options|. */
unsigned snceOptions_Flags(const snceCacheOptions *options);

/* snceOptions_Retime sets the timeouts and the clock skew of a server, which count
 * at once. The caller has the turn. */
void snceOptions_Retime(snceServerWords *entry,
                        const snceCacheOptions *options);

#endif /* SNCEOPTIONS_H */
