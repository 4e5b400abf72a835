/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncefile.h: reads the configuration file as bytes, which snceparse.h takes
 * apart; and what sncekeyfile.h needs of that to read ticket key files. */
#ifndef SSLSNCE_NSS_SNCEFILE_H
#define SSLSNCE_NSS_SNCEFILE_H

#include <sys/stat.h>

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

/* ssl_FileError returns NSPR's name for |error|, an errno of opening or reading
 * a file. It sets |*what| to a constant phrase for it. */
PRErrorCode ssl_FileError(int error, const char **what);

/* ssl_OpenFile opens |path| for reading. It does not wait for the writer of a
 * pipe. Returns a descriptor, or -1 with errno. */
int ssl_OpenFile(const char *path);

/* ssl_ReadToEnd reads |fd| into the |room| bytes at |data|, until the file or
 * |room| ends. Returns 0 or an errno; |*len| is how many bytes were read. */
int ssl_ReadToEnd(int fd, void *data, size_t room, size_t *len);

/* ssl_PathVersion returns a version that depends on |path| only. ssl_HashVersion
 * mixes |len| bytes of |data| into |version|, ssl_FileVersion the device, inode,
 * size and times of a file. */
PRUint64 ssl_PathVersion(const char *path);
PRUint64 ssl_HashVersion(PRUint64 version, const void *data, size_t len);
PRUint64 ssl_FileVersion(PRUint64 version, const struct stat *info);

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCEFILE_H */
