/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceconfig.h: the file that SSL_SERVER_CACHE_CONFIG names. Its form is in
 * sslsnce/sslsnce.h. */
#ifndef SSLSNCE_NSS_SNCECONFIG_H
#define SSLSNCE_NSS_SNCECONFIG_H

#include "prtypes.h"
#include "seccomon.h"

SEC_BEGIN_PROTOS

/* The parameters that a line may have, as bits of |given|. */
typedef enum {
    sslCacheConfig_entries = 1 << 0,
    sslCacheConfig_certificates = 1 << 1,
    sslCacheConfig_ssl2Timeout = 1 << 2,
    sslCacheConfig_ssl3Timeout = 1 << 3,
    sslCacheConfig_matchClientAddress = 1 << 4
} sslCacheConfigField;

/* One line: a cache, and what is said of it. */
typedef struct {
    char *name;     /* NULL for the default cache */
    PRUint32 given; /* which of the following, by sslCacheConfigField */
    PRUint32 entries;
    PRUint32 certificates;
    PRUint32 ssl2Timeout; /* seconds, as the file has them */
    PRUint32 ssl3Timeout;
    PRBool matchClientAddress;
} sslCacheConfigLine;

typedef struct {
    sslCacheConfigLine *lines;
    PRUint32 count;
} sslCacheConfig;

/* ssl_ReadCacheConfig reads the whole file into |*config|, which the caller
 * ends with ssl_FreeCacheConfig.
 *
 * What is wrong with it is said on stderr, with the line's number, and is the
 * text of the error (PR_GetErrorText): SEC_ERROR_INVALID_ARGS for its contents,
 * NSPR's error for a file that cannot be read. |*config| is empty then. */
SECStatus ssl_ReadCacheConfig(const char *path, sslCacheConfig *config);

void ssl_FreeCacheConfig(sslCacheConfig *config);

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCECONFIG_H */
