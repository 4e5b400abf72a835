/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceconfig.h: applies the configuration file to the caches. sslsnce/sslsnce.h
 * says what form the file has, and what follows from each fault in it. */
#ifndef SSLSNCE_NSS_SNCECONFIG_H
#define SSLSNCE_NSS_SNCECONFIG_H

#include "prtypes.h"
#include "seccomon.h"

#include "snceint.h"
#include "snceparse.h"

SEC_BEGIN_PROTOS

/* ssl_ReadCacheConfig reads the file that SSL_SERVER_CACHE_CONFIG names into
 * |*config|, which the caller ends with ssl_FreeCacheConfig whatever this
 * returns. A file that cannot be read counts as none. This reports nothing yet:
 * ssl_ReportCacheConfig does.
 *
 * Fails with SEC_ERROR_NO_MEMORY or PR_PROC_DESC_TABLE_FULL_ERROR, which may
 * pass; and where SSL_SERVER_CACHE_CONFIG_STRICT asks for it, with
 * SEC_ERROR_INVALID_ARGS for a fault in the file, or NSPR's error for one that
 * cannot be read. */
SECStatus ssl_ReadCacheConfig(sslCacheConfig *config);

/* ssl_OverrideByConfig replaces what the application asks for the default cache
 * by what the file says of it, or lowers it where the file's line is wrong. */
void ssl_OverrideByConfig(sslCacheConfig *config,
                          sslServerCacheRequest *request);

/* ssl_CloseUnlocked closes all caches of a region that cannot be locked in
 * memory as the file asks: |result| is SNCE_LOCK_LIMIT if the limit allows
 * fewer than |bytes|, SNCE_EXISTS if the region exists already without a lock.
 * This closes the default cache in |*options|; ssl_AddByConfig closes the
 * others. It reports the fault, and fails if the file is strict. */
SECStatus ssl_CloseUnlocked(sslCacheConfig *config, snceResult result,
                            PRUint64 bytes, snceCacheOptions *options);

/* ssl_ForgoSize tells whether the caller is to try again with less: |result|
 * says that there is no room for the size that the file asks for the default
 * cache, and the application asks for less. Then |*options| has the lesser
 * size. If the file is strict, this adds the fault instead, and returns
 * PR_FALSE. */
PRBool ssl_ForgoSize(sslCacheConfig *config, snceResult result,
                     snceCacheOptions *options);

/* ssl_AddSizeFault adds the fault that there is no room, because of |result|,
 * for the size that the file asks for the default cache. */
void ssl_AddSizeFault(sslCacheConfig *config, snceResult result);

/* ssl_AddByConfig makes the virtual servers of the file in |region|, and
 * changes those that exist already as their lines say. It closes the cache of a
 * wrong line. If there is no room for a server, its clients get another cache
 * instead; this lowers that cache to the limits of the server's line.
 * |*defaultOptions| are for the default cache, and are lowered if that is the
 * one.
 *
 * Fails with what the core returns. What was made by then stays; for a strict
 * file it can be undone (snceundo.h). The caller has the gate's lock. */
SECStatus ssl_AddByConfig(sslCacheConfig *config, snceRegion *region,
                          snceCacheOptions *defaultOptions);

/* ssl_ReportCacheConfig reports the file's faults to the operator, each message
 * once for each version of the file. If the call failed (|rv|) because of one
 * of them, that message becomes the error's text. The caller does not have the
 * gate's lock, because this may wait for room on stderr (sncelog.h). */
void ssl_ReportCacheConfig(const sslCacheConfig *config, SECStatus rv);

/* ssl_MayLock tells whether RLIMIT_MEMLOCK lets this process lock |bytes|. */
PRBool ssl_MayLock(PRUint64 bytes);

/* ssl_TellLockLimit writes into |text| that |bytes| are to be locked, and the
 * limit that this process has. */
void ssl_TellLockLimit(char *text, PRUint32 textLen, PRUint64 bytes);

/* ssl_KeepTicketOptions gives |*options| for the default cache, which has the
 * options |*now|, what it has about tickets, as far as the file does not say it:
 * the calls of ssl.h have no arguments for that. */
void ssl_KeepTicketOptions(const sslCacheConfig *config,
                           snceCacheOptions *options,
                           const snceCacheOptions *now);

/* ssl_LowerCacheOptions lowers each of |*options| to that of |other| where that
 * is less or stricter, except the size, which is no matter of safety. */
void ssl_LowerCacheOptions(snceCacheOptions *options,
                           const snceCacheOptions *other);

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCECONFIG_H */
