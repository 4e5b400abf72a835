/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncefile.h: the file of caches as bytes, before anybody reads them. */
#ifndef SSLSNCE_NSS_SNCEFILE_H
#define SSLSNCE_NSS_SNCEFILE_H

#include "prerror.h"
#include "seccomon.h"

SEC_BEGIN_PROTOS

typedef enum {
    sslCacheFile_read,
    sslCacheFile_unusable, /* it is not there, or no file that could be read */
    sslCacheFile_scarce /* this process is short of something at this moment */
} sslCacheFileState;

typedef struct {
    char *data; /* allocated; NULL unless read */
    size_t len;
    /* Differs from that of the file before, whenever one of device, inode, size
     * and times does, or the reason why it cannot be read. */
    PRUint64 version;
    /* Unless read: */
    const char *what;  /* why not, a constant phrase */
    PRErrorCode error; /* NSPR's name for it */
} sslCacheFile;

/* ssl_ReadCacheFile reads the file |path|, of at most 1 MiB, into |*file|, which
 * the caller ends with ssl_FreeCacheFile whatever this returns.
 *
 * Any thread, before NSPR is initialized too. It takes no lock, and waits for no
 * writer of a pipe: only a regular file is read. */
sslCacheFileState ssl_ReadCacheFile(const char *path, sslCacheFile *file);

void ssl_FreeCacheFile(sslCacheFile *file);

/* ssl_HashVersion mixes |len| bytes of |data| into |version|. */
PRUint64 ssl_HashVersion(PRUint64 version, const void *data, size_t len);

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCEFILE_H */
