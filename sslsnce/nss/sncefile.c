/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncefile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
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

PRUint64
ssl_PathVersion(const char *path)
{
    return ssl_HashVersion(0xcbf29ce484222325ull, path, strlen(path));
}

static sslCacheFileState
file_Fail(sslCacheFile *file, PRErrorCode error, const char *what)
{
    file->what = what;
    file->error = error;
    file->version = ssl_HashVersion(file->version, what, strlen(what));
    return sslCacheFile_unusable;
}

PRErrorCode
ssl_FileError(int error, const char **what)
{
    switch (error) {
        case ENOENT:
        case ENOTDIR:
            *what = "no such file";
            return PR_FILE_NOT_FOUND_ERROR;
        case EACCES:
        case EPERM:
            *what = "this user may not read it";
            return PR_NO_ACCESS_RIGHTS_ERROR;
        case ELOOP:
            *what = "too many symbolic links";
            return PR_LOOP_ERROR;
        case ENAMETOOLONG:
            *what = "the name is too long";
            return PR_NAME_TOO_LONG_ERROR;
        case ENXIO: /* a socket */
            *what = "not a regular file";
            return SEC_ERROR_INVALID_ARGS;
        case EMFILE:
        case ENFILE:
            *what = "no file descriptor left";
            return PR_PROC_DESC_TABLE_FULL_ERROR;
        case ENOMEM:
            *what = "out of memory";
            return SEC_ERROR_NO_MEMORY;
        default:
            *what = "it cannot be read";
            return PR_IO_ERROR;
    }
}

static sslCacheFileState
file_FailSystem(sslCacheFile *file, int error)
{
    const char *what;
    PRErrorCode code = ssl_FileError(error, &what);

    (void)file_Fail(file, code, what);
    return code == PR_PROC_DESC_TABLE_FULL_ERROR || code == SEC_ERROR_NO_MEMORY
               ? sslCacheFile_scarce
               : sslCacheFile_unusable;
}

int
ssl_OpenFile(const char *path)
{
    int fd;

    do {
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

int
ssl_ReadToEnd(int fd, void *data, size_t room, size_t *len)
{
    size_t filled = 0;

    while (filled < room) {
        ssize_t got = read(fd, (char *)data + filled, room - filled);

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

PRUint64
ssl_FileVersion(PRUint64 version, const struct stat *info)
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
    file->version = ssl_PathVersion(path);
    if (!*path) {
        return file_Fail(file, PR_FILE_NOT_FOUND_ERROR, "no file is named");
    }
    fd = ssl_OpenFile(path);
    if (fd < 0) {
        return file_FailSystem(file, errno);
    }
    if (fstat(fd, &info) != 0) {
        state = file_FailSystem(file, errno);
        goto done;
    }
    file->version = ssl_FileVersion(file->version, &info);
    if (!S_ISREG(info.st_mode)) {
        state = file_Fail(file, SEC_ERROR_INVALID_ARGS, "not a regular file");
        goto done;
    }
    file->data = PORT_Alloc(FILE_BYTES_MAX + 1);
    if (!file->data) {
        state = file_FailSystem(file, ENOMEM);
        goto done;
    }
    error = ssl_ReadToEnd(fd, file->data, FILE_BYTES_MAX + 1, &file->len);
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
