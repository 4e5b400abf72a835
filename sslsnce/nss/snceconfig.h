/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceconfig.h: what the file of caches makes of the caches. Its form, and what
 * follows from each fault in it, is said in sslsnce/sslsnce.h. */
#ifndef SSLSNCE_NSS_SNCECONFIG_H
#define SSLSNCE_NSS_SNCECONFIG_H

#include "prtypes.h"
#include "seccomon.h"

#include "snceint.h"
#include "snceparse.h"

SEC_BEGIN_PROTOS

/* ssl_ReadCacheConfig reads the file that SSL_SERVER_CACHE_CONFIG names into
 * |*config|, which the caller ends with ssl_FreeCacheConfig whatever this returns.
 * A file that cannot be read counts as none. Nothing is said yet:
 * ssl_ReportCacheConfig does that.
 *
 * Fails with SEC_ERROR_NO_MEMORY or PR_PROC_DESC_TABLE_FULL_ERROR, which may pass;
 * and where SSL_SERVER_CACHE_CONFIG_STRICT asks for it, with
 * SEC_ERROR_INVALID_ARGS for a fault in the file, or NSPR's error for one that
 * cannot be read. */
SECStatus ssl_ReadCacheConfig(sslCacheConfig *config);

/* ssl_OverrideByConfig puts what the file says of the default cache in the place
 * of what an application asks, or lowers that where the line is wrong. */
void ssl_OverrideByConfig(sslCacheConfig *config, sslServerCacheWish *wish);

/* ssl_CloseUnlocked is for a region that cannot be locked in memory as the file
 * asks: |result| SNCE_LOCK_LIMIT for want of |bytes|, or SNCE_EXISTS for one that
 * is there already. All its caches are to be closed, the default one by the
 * |options| that this changes, the others by ssl_AddByConfig. Fails where the file
 * is strict. */
SECStatus ssl_CloseUnlocked(sslCacheConfig *config, snceResult result,
                            PRUint64 bytes, snceCacheOptions *options);

/* ssl_ForgoSize tells whether the caller is to try again, because |result| says that
 * there is no room for the size that the file asks for the default cache, while the
 * application asks for less: |*options| has that size then. A strict file is told
 * instead, and fails. */
PRBool ssl_ForgoSize(sslCacheConfig *config, snceResult result,
                     snceCacheOptions *options);

/* ssl_AddSizeFault adds the fault that there is no room for that size, for |result|. */
void ssl_AddSizeFault(sslCacheConfig *config, snceResult result);

/* ssl_AddByConfig makes the virtual servers of the file in |region|, and gives
 * those that are there what their lines say. A wrong line's server is closed. If
 * there is no room for another server, the cache that its clients get instead,
 * perhaps the default one, which |defaultOptions| are for, keeps to the limits of
 * its line too.
 *
 * Fails with what the core says; what was made by then stays, and can be undone
 * where the file is strict (snceundo.h). The caller has the gate's lock. */
SECStatus ssl_AddByConfig(sslCacheConfig *config, snceRegion *region,
                          snceCacheOptions *defaultOptions);

/* ssl_ReportCacheConfig tells the operator what there is to tell of the file, each
 * message once for each version of it. If the call failed for one of them, that is
 * the text of the error. It may wait for room on stderr (sncelog.h): the caller has
 * not the gate's lock. */
void ssl_ReportCacheConfig(const sslCacheConfig *config, SECStatus rv);

/* ssl_MayLock tells whether RLIMIT_MEMLOCK lets this process lock so much. */
PRBool ssl_MayLock(PRUint64 bytes);

/* ssl_TellLockLimit puts |bytes| that are to be locked, and the limit that this
 * process has, into |text|. */
void ssl_TellLockLimit(char *text, PRUint32 textLen, PRUint64 bytes);

/* ssl_LowerCacheOptions lowers |*options| to |other|, where that is less or
 * stricter: but for the size, which is no matter of safety. */
void ssl_LowerCacheOptions(snceCacheOptions *options,
                           const snceCacheOptions *other);

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCECONFIG_H */
