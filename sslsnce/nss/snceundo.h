/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceundo.h: what a strict file of caches has changed in the caches, so that a
 * call that fails after it leaves them as they were.
 *
 * The caller has the gate's lock. Other processes may change the same caches
 * meanwhile: what they change is overwritten, and a cache that they found because
 * this call had added it is removed. */
#ifndef SSLSNCE_NSS_SNCEUNDO_H
#define SSLSNCE_NSS_SNCEUNDO_H

#include "seccomon.h"

#include "snceparse.h"

SEC_BEGIN_PROTOS

/* ssl_BeginCacheUndo has everything from now on noted, as far as |config| is strict:
 * for the default cache and for each line once. Fails without memory only;
 * ssl_FreeCacheConfig frees what it took. */
SECStatus ssl_BeginCacheUndo(sslCacheConfig *config);

/* ssl_NoteCacheAdded notes that the caller added |id|; ssl_NoteCacheChange notes,
 * before the caller changes |id|, what it is. Neither does anything where nothing is
 * to be noted. */
void ssl_NoteCacheAdded(sslCacheConfig *config, snceServerId id);
snceResult ssl_NoteCacheChange(sslCacheConfig *config, snceRegion *region,
                               snceServerId id);

/* ssl_UndoCacheChanges removes what was added and gives the others back what they
 * were, as far as the core can: sessions that a change has cost them do not come
 * back, and while another process is busy nothing more is undone. It sets no
 * error. */
void ssl_UndoCacheChanges(sslCacheConfig *config, snceRegion *region);

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCEUNDO_H */
