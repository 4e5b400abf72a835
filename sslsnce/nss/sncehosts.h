/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncehosts.h: virtual servers by name, within the adapter. */
#ifndef SSLSNCE_NSS_SNCEHOSTS_H
#define SSLSNCE_NSS_SNCEHOSTS_H

#include "snceint.h"

SEC_BEGIN_PROTOS

/* ssl_FindServerCache writes the handle of the cache |name| in |region|, or
 * with NULL or "*" that of the default cache. Fails with
 * PR_FILE_NOT_FOUND_ERROR. */
SECStatus ssl_FindServerCache(snceRegion *region, const char *name,
                              snceCache *cache);

/* ssl_HostStatus sets the error that sslsnce.h promises for the core's |result|
 * of a call about a virtual server. */
SECStatus ssl_HostStatus(snceResult result);

/* ssl_AddServerCache adds the virtual server |name| as |options| say; while the
 * default cache is closed, it adds it closed. ssl_ChangeServerCache gives
 * |cache| the limits in |options|. If |cache| is closed it stays closed: only
 * the configuration file opens it. */
snceResult ssl_AddServerCache(snceRegion *region, const char *name,
                              snceCacheOptions *options, snceServerId *id);
snceResult ssl_ChangeServerCache(snceCache cache, snceCacheOptions *options);

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCEHOSTS_H */
