/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceshare.h: the ticket keys that this process shares with others, through the
 * region: those of the region are learned, and what the region has not is stored there,
 * under each region key (snceregionkey.h) that this process knows. */
#ifndef SSLSNCE_NSS_SNCESHARE_H
#define SSLSNCE_NSS_SNCESHARE_H

#include "snceknown.h"
#include "snceregionkey.h"

SEC_BEGIN_PROTOS

/* Whether a look at the region may ask tokens for region keys. */
typedef enum { snceShare_ask, snceShare_onlyLook } snceShareLook;

/* snceShare_Refresh looks at the region, if anything has changed there or may be done
 * about this process's server keys. |ss| is NULL for a call that no handshake makes.
 * Returns the region's identity, 0 for none. */
PRUint64 snceShare_Refresh(const sslSocket *ss, snceShareLook how);

/* snceShare_Add adds |k| to the region of |identity| under |rk|. */
snceResult snceShare_Add(PRUint64 identity, const snceKnown *k,
                         const snceRegionKey *rk);

/* snceShare_List copies the keys of the region, |*listed| of them, and the number of
 * changes before. The caller frees |*out| with PORT_Free. */
SECStatus snceShare_List(PRUint64 identity, snceTicketKey **out, size_t *listed,
                         PRUint64 *changes);

/* snceShare_RotationSec returns for how many seconds a key encrypts, as of the last
 * look. The caller has the lock of snceknown.h. */
PRUint32 snceShare_RotationSec(void);

/* snceShare_Reset is called after all keys were forgotten: those of the region come
 * back. */
void snceShare_Reset(void);

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCESHARE_H */
