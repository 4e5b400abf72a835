/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceundo.h: notes what a strict configuration file has changed in the caches,
 * so that a call that fails afterwards leaves them as they were.
 *
 * The caller has the gate's lock. Other processes may change the same caches
 * meanwhile: what they change is overwritten, and a cache that this call has
 * added is removed even if they use it already. */
#ifndef SSLSNCE_NSS_SNCEUNDO_H
#define SSLSNCE_NSS_SNCEUNDO_H

#include "seccomon.h"

#include "snceparse.h"

SEC_BEGIN_PROTOS

/* ssl_BeginCacheUndo begins to note the changes, if |config| is strict: those
 * of the default cache, and those of each line once. Fails without memory only;
 * ssl_FreeCacheConfig frees what it took. */
SECStatus ssl_BeginCacheUndo(sslCacheConfig *config);

/* ssl_NoteCacheAdded notes that the caller has added |id|. ssl_NoteCacheChange
 * notes, before the caller changes |id|, the options that it has. If |config|
 * is not strict, neither does anything. */
void ssl_NoteCacheAdded(sslCacheConfig *config, snceServerId id);
snceResult ssl_NoteCacheChange(sslCacheConfig *config, snceRegion *region,
                               snceServerId id);

/* ssl_UndoCacheChanges removes the caches that were added, and gives the others
 * their former options back, as far as the core can: sessions that they lost by
 * a change do not come back, and once another process proves busy, it undoes
 * nothing more. It sets no error. */
void ssl_UndoCacheChanges(sslCacheConfig *config, snceRegion *region);

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCEUNDO_H */
