/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceconfig.h: the file that SSL_SERVER_CACHE_CONFIG names. Its form is in
 * sslsnce/sslsnce.h. */
#ifndef SSLSNCE_NSS_SNCECONFIG_H
#define SSLSNCE_NSS_SNCECONFIG_H

#include "prtypes.h"
#include "seccomon.h"

#include "snceint.h"

SEC_BEGIN_PROTOS

/* The parameters that a line may have, as bits of |given|. */
typedef enum {
    sslCacheConfig_entries = 1 << 0,
    sslCacheConfig_certificates = 1 << 1,
    sslCacheConfig_ssl2Timeout = 1 << 2,
    sslCacheConfig_ssl3Timeout = 1 << 3,
    sslCacheConfig_matchClientAddress = 1 << 4,
    sslCacheConfig_lock = 1 << 5
} sslCacheConfigField;

/* One line: a cache, and what is said of it. */
typedef struct {
    unsigned int number; /* of the line in the file, from 1 */
    char *name;          /* NULL for the default cache */
    PRUint32 given;      /* what |wish| has, by sslCacheConfigField */
    sslServerCacheWish wish;
} sslCacheConfigLine;

typedef struct {
    const char *path; /* the caller's */
    sslCacheConfigLine *lines;
    PRUint32 count;
} sslCacheConfig;

/* ssl_ReadCacheConfig reads the whole file into |*config|, which the caller
 * ends with ssl_FreeCacheConfig; without a |path| it is empty.
 *
 * What is wrong with it is said on stderr, with the line's number, and is the
 * text of the error (PR_GetErrorText): SEC_ERROR_INVALID_ARGS for its contents,
 * NSPR's error for a file that cannot be read. |*config| is empty then. */
SECStatus ssl_ReadCacheConfig(const char *path, sslCacheConfig *config);

/* ssl_OverrideByConfig puts what the file says of the default cache in the
 * place of what an application wishes. */
void ssl_OverrideByConfig(const sslCacheConfig *config,
                          sslServerCacheWish *wish);

/* ssl_AddByConfig makes the virtual servers of the file in |region|, and gives
 * those that are there what their lines say. Fails as ssl_ReadCacheConfig does;
 * what was made by then stays. */
SECStatus ssl_AddByConfig(const sslCacheConfig *config, snceRegion *region);

/* ssl_FailLock says, as those do, why the memory of the cache cannot be locked
 * as the file asks, and returns SECFailure: |result| SNCE_LOCK_LIMIT for want of
 * |bytes|, or SNCE_EXISTS for a cache that is there already. */
SECStatus ssl_FailLock(const sslCacheConfig *config, snceResult result,
                       PRUint64 bytes);

/* ssl_TellLockLimit puts |bytes| that are to be locked, and the limit that this
 * process has, into |text|. */
void ssl_TellLockLimit(char *text, PRUint32 textLen, PRUint64 bytes);

void ssl_FreeCacheConfig(sslCacheConfig *config);

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCECONFIG_H */
