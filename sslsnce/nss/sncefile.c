/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncefile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "secerr.h"
#include "secport.h"

/* A file with a line for each cache that fits a region takes a tenth of
 * this. */
#define FILE_BYTES_MAX (1024 * 1024)

/* FNV-1a, 64 bits: it tells versions apart, and nobody tries to make two
 * alike. */
PRUint64
ssl_HashVersion(PRUint64 version, const void *data, size_t len)
{
    const PRUint8 *at = data;

    for (; len > 0; --len) {
        version = (version ^ *at++) * 0x100000001b3ull;
    }
    return version;
}

static sslCacheFileState
file_Fail(sslCacheFile *file, PRErrorCode error, const char *what)
{
    file->what = what;
    file->error = error;
    file->version = ssl_HashVersion(file->version, what, strlen(what));
    return sslCacheFile_unusable;
}

/* Names the errors that are usual for configuration files. */
static sslCacheFileState
file_FailSystem(sslCacheFile *file, int error)
{
    switch (error) {
        case ENOENT:
        case ENOTDIR:
            return file_Fail(file, PR_FILE_NOT_FOUND_ERROR, "no such file");
        case EACCES:
        case EPERM:
            return file_Fail(file, PR_NO_ACCESS_RIGHTS_ERROR,
                             "this user may not read it");
        case ELOOP:
            return file_Fail(file, PR_LOOP_ERROR, "too many symbolic links");
        case ENAMETOOLONG:
            return file_Fail(file, PR_NAME_TOO_LONG_ERROR,
                             "the name is too long");
        case ENXIO: /* a socket */
            return file_Fail(file, SEC_ERROR_INVALID_ARGS,
                             "not a regular file");
        case EMFILE:
        case ENFILE:
            (void)file_Fail(file, PR_PROC_DESC_TABLE_FULL_ERROR,
                            "no file descriptor left");
            return sslCacheFile_scarce;
        case ENOMEM:
            (void)file_Fail(file, SEC_ERROR_NO_MEMORY, "out of memory");
            return sslCacheFile_scarce;
        default:
            return file_Fail(file, PR_IO_ERROR, "it cannot be read");
    }
}

/* Reads to the end of the file, or one byte more than a file may have. */
static int
file_ReadAll(int fd, char *data, size_t *len)
{
    size_t filled = 0;

    while (filled <= FILE_BYTES_MAX) {
        ssize_t got = read(fd, data + filled, FILE_BYTES_MAX + 1 - filled);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            *len = filled;
            return got < 0 ? errno : 0;
        }
        filled += (size_t)got;
    }
    *len = filled;
    return 0;
}

static PRUint64
file_Version(PRUint64 version, const struct stat *info)
{
    version = ssl_HashVersion(version, &info->st_dev, sizeof info->st_dev);
    version = ssl_HashVersion(version, &info->st_ino, sizeof info->st_ino);
    version = ssl_HashVersion(version, &info->st_size, sizeof info->st_size);
    version = ssl_HashVersion(version, &info->st_mtim, sizeof info->st_mtim);
    return ssl_HashVersion(version, &info->st_ctim, sizeof info->st_ctim);
}

sslCacheFileState
ssl_ReadCacheFile(const char *path, sslCacheFile *file)
{
    sslCacheFileState state = sslCacheFile_read;
    struct stat info;
    int error;
    int fd;

    PORT_Memset(file, 0, sizeof *file);
    file->version = ssl_HashVersion(0xcbf29ce484222325ull, path, strlen(path));
    if (!*path) {
        return file_Fail(file, PR_FILE_NOT_FOUND_ERROR, "no file is named");
    }
    do {
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        return file_FailSystem(file, errno);
    }
    if (fstat(fd, &info) != 0) {
        state = file_FailSystem(file, errno);
        goto done;
    }
    file->version = file_Version(file->version, &info);
    if (!S_ISREG(info.st_mode)) {
        state = file_Fail(file, SEC_ERROR_INVALID_ARGS, "not a regular file");
        goto done;
    }
    file->data = PORT_Alloc(FILE_BYTES_MAX + 1);
    if (!file->data) {
        state = file_FailSystem(file, ENOMEM);
        goto done;
    }
    error = file_ReadAll(fd, file->data, &file->len);
    if (error) {
        state = file_FailSystem(file, error);
    } else if (file->len > FILE_BYTES_MAX) {
        state = file_Fail(file, SEC_ERROR_INVALID_ARGS, "larger than 1 MiB");
    }

done:
    (void)close(fd);
    if (state != sslCacheFile_read) {
        PORT_Free(file->data);
        file->data = NULL;
        file->len = 0;
    }
    return state;
}

void
ssl_FreeCacheFile(sslCacheFile *file)
{
    PORT_Free(file->data);
    PORT_Memset(file, 0, sizeof *file);
}
