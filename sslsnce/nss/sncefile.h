/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncefile.h: reads the configuration file as bytes, which snceparse.h takes
 * apart. */
#ifndef SSLSNCE_NSS_SNCEFILE_H
#define SSLSNCE_NSS_SNCEFILE_H

#include "prerror.h"
#include "seccomon.h"

SEC_BEGIN_PROTOS

typedef enum {
    sslCacheFile_read,
    sslCacheFile_unusable, /* it does not exist, or cannot be read */
    sslCacheFile_scarce    /* this process lacks memory or descriptors at this
                            * moment */
} sslCacheFileState;

typedef struct {
    char *data; /* allocated; NULL unless read */
    size_t len;
    /* Changes whenever the file's device, inode, size or times change, or the
     * reason why the file cannot be read. */
    PRUint64 version;
    /* Unless read: */
    const char *what;  /* why not, a constant phrase */
    PRErrorCode error; /* NSPR's name for it */
} sslCacheFile;

/* ssl_ReadCacheFile reads the file |path|, of at most 1 MiB, into |*file|,
 * which the caller ends with ssl_FreeCacheFile whatever this returns.
 *
 * Any thread may call it, also before NSPR is initialized. It takes no lock. It
 * reads only regular files, so that it does not wait for the writer of a
 * pipe. */
sslCacheFileState ssl_ReadCacheFile(const char *path, sslCacheFile *file);

void ssl_FreeCacheFile(sslCacheFile *file);

/* ssl_HashVersion mixes |len| bytes of |data| into |version|. */
PRUint64 ssl_HashVersion(PRUint64 version, const void *data, size_t len);

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCEFILE_H */
