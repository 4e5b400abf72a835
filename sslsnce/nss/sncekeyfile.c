/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncekeyfile.c: reads ticket keys and ticket secrets from files.
 *
 * A message names the file, the line and numbers, and quotes nothing of the
 * content. Keys lie in the caller's set, in the buffer of one file and nowhere
 * else. The buffer is allocated once for the largest file, because a realloc
 * would leave a copy behind. No function of the C library copies, compares or
 * searches keys: it would do so in vector registers, which the dynamic linker
 * saves on the stack whenever the process calls a function for the first time. */

#include "sncekeyfile.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "prprf.h"
#include "secerr.h"
#include "secport.h"

#include "sncefile.h"

/* Many times what the keys of a set take. */
#define FILE_BYTES_MAX (64 * 1024)

/* The two lengths of a key: those of nginx and of HAProxy. */
#define SHORT_KEY_BYTES 48
#define LONG_KEY_BYTES 80

/* Messages have these numbers. */
PR_STATIC_ASSERT(SNCE_KEY_FILE_MAX == 16);
PR_STATIC_ASSERT(SNCE_KEY_FILE_BYTES == 1024);
PR_STATIC_ASSERT(SNCE_KEY_FILE_SECRET_MIN == 32);
PR_STATIC_ASSERT(SNCE_KEY_FILE_NAME_BYTES == 16);
PR_STATIC_ASSERT(SNCE_KEY_FILE_FILES_MAX == 8);
PR_STATIC_ASSERT(SNCE_KEY_FILE_PATHS_MAX == 4095);

/* Bytes of the path in a message. A long path is cut at its beginning. */
#define SHOWN_PATH_BYTES 112

/* The file that is being read. */
typedef struct {
    snceKeyFileKind kind;
    const char *path; /* NULL: the key is from no file */
    snceKeyFileSet *set;
    unsigned int line; /* from 1; 0: none, as in a file of bytes */
} keyfileReader;

/* ---- bytes --------------------------------------------------------------- */

/* These go byte by byte: the compiler does not vectorize volatile accesses. */

static PRBool
keyfile_IsEqual(const volatile PRUint8 *a, const volatile PRUint8 *b,
                size_t len)
{
    size_t i = 0;

    while (i < len && a[i] == b[i]) {
        ++i;
    }
    return i == len;
}

static void
keyfile_Copy(volatile PRUint8 *to, const volatile PRUint8 *from, size_t len)
{
    size_t i;

    for (i = 0; i < len; ++i) {
        to[i] = from[i];
    }
}

/* Returns the number of bytes before the first line feed; |len| if there is
 * none. */
static size_t
keyfile_LineLength(const volatile PRUint8 *data, size_t len)
{
    size_t i = 0;

    while (i < len && data[i] != '\n') {
        ++i;
    }
    return i;
}

/* ---- messages ------------------------------------------------------------ */

/* Writes |path| into |shown| in a form fit for a message. */
static void
keyfile_ShowPath(char shown[SHOWN_PATH_BYTES], const char *path)
{
    size_t len = strlen(path);
    PRBool isLong = len >= SHOWN_PATH_BYTES;
    char *c;

    (void)PR_snprintf(shown, SHOWN_PATH_BYTES, "%s%s", isLong ? "..." : "",
                      isLong ? path + len - SHOWN_PATH_BYTES + 4 : path);
    for (c = shown; *c; ++c) {
        if (*c < ' ' || *c >= 0x7f) {
            *c = '?';
        }
    }
}

/* Notes what is wrong with the file, and wipes the keys of the set. */
static SECStatus __attribute__((format(printf, 3, 4)))
keyfile_Fail(const keyfileReader *r, PRErrorCode error, const char *format, ...)
{
    snceKeyFileSet *set = r->set;
    const char *what =
        r->kind == snceKeyFile_keys ? "ticket key" : "ticket secret";
    char shown[SHOWN_PATH_BYTES];
    char number[16] = "";
    size_t len;
    va_list args;

    explicit_bzero(set->key, sizeof set->key);
    set->count = set->encrypts = 0;
    set->error = error;
    if (r->path) {
        keyfile_ShowPath(shown, r->path);
        if (r->line) {
            (void)PR_snprintf(number, sizeof number, ":%u", r->line);
        }
        len = PR_snprintf(set->text, sizeof set->text, "%s file %s%s: ", what,
                          shown, number);
    } else {
        len =
            PR_snprintf(set->text, sizeof set->text, "%s %u: ", what, r->line);
    }
    va_start(args, format);
    (void)PR_vsnprintf(set->text + len, sizeof set->text - len, format, args);
    va_end(args);
    return SECFailure;
}

static SECStatus
keyfile_FailSystem(const keyfileReader *r, int error)
{
    const char *what;
    PRErrorCode code = ssl_FileError(error, &what);

    r->set->mayNotRead = code == PR_NO_ACCESS_RIGHTS_ERROR;
    return keyfile_Fail(r, code, "%s", what);
}

/* ---- paths --------------------------------------------------------------- */

/* Copies the path that |*list| begins with into |path|, and moves |*list|
 * behind it. Returns PR_FALSE at the end of the list. */
static PRBool
keyfile_NextPath(const char **list, char path[SNCE_KEY_FILE_PATHS_MAX + 1])
{
    size_t len;

    if (!*list) {
        return PR_FALSE;
    }
    len = strcspn(*list, ",");
    PORT_Memcpy(path, *list, len);
    path[len] = '\0';
    *list = (*list)[len] ? *list + len + 1 : NULL;
    return PR_TRUE;
}

const char *
snceKeyFile_CheckPaths(const char *paths)
{
    char path[SNCE_KEY_FILE_PATHS_MAX + 1];
    unsigned int files = 0;
    const char *c;

    if (strlen(paths) > SNCE_KEY_FILE_PATHS_MAX) {
        return "at most 4095 bytes";
    }
    for (c = paths; *c; ++c) {
        if ((PRUint8)*c < ' ' || *c == 0x7f) {
            return "no control characters";
        }
    }
    while (keyfile_NextPath(&paths, path)) {
        if (*path != '/') {
            return "paths that begin with /, separated by commas";
        }
        if (++files > SNCE_KEY_FILE_FILES_MAX) {
            return "at most 8 paths";
        }
    }
    return NULL;
}

/* ---- keys ---------------------------------------------------------------- */

/* Whether both are one key: secrets if they are equal, keys already if their
 * names are. */
static PRBool
keyfile_IsSame(snceKeyFileKind kind, const snceKeyFileKey *a,
               const snceKeyFileKey *b)
{
    if (kind == snceKeyFile_keys) {
        return keyfile_IsEqual(a->bytes, b->bytes, SNCE_KEY_FILE_NAME_BYTES);
    }
    return a->len == b->len && keyfile_IsEqual(a->bytes, b->bytes, a->len);
}

/* Checks whether a key of |len| bytes can be added to the set. */
static SECStatus
keyfile_CheckLength(const keyfileReader *r, size_t len)
{
    if (r->kind == snceKeyFile_keys && len != SHORT_KEY_BYTES &&
        len != LONG_KEY_BYTES) {
        return keyfile_Fail(r, SEC_ERROR_BAD_DATA,
                            "a key has 48 or 80 bytes; this one has %u",
                            (unsigned int)len);
    }
    if (r->kind == snceKeyFile_secrets && len < SNCE_KEY_FILE_SECRET_MIN) {
        return keyfile_Fail(r, SEC_ERROR_BAD_DATA,
                            "a secret has at least 32 bytes, all of them on "
                            "one line; this one has %u",
                            (unsigned int)len);
    }
    if (r->kind == snceKeyFile_secrets && len > SNCE_KEY_FILE_BYTES) {
        return keyfile_Fail(r, SEC_ERROR_BAD_DATA,
                            "a secret has at most 1024 bytes; this one has %u",
                            (unsigned int)len);
    }
    if (r->set->count == SNCE_KEY_FILE_MAX) {
        return keyfile_Fail(r, SEC_ERROR_BAD_DATA, "more than 16 in all files");
    }
    return SECSuccess;
}

/* Takes the key that was written behind the last one of the set into the set. */
static SECStatus
keyfile_Add(const keyfileReader *r)
{
    snceKeyFileSet *set = r->set;
    const snceKeyFileKey *key = &set->key[set->count];
    unsigned int i;

    if (keyfile_IsEqual(key->bytes, key->bytes + 1, key->len - 1)) {
        return keyfile_Fail(r, SEC_ERROR_BAD_DATA,
                            "all bytes are equal; use random bytes");
    }
    for (i = 0; i < set->count; ++i) {
        if (keyfile_IsSame(r->kind, key, &set->key[i])) {
            return keyfile_Fail(
                r, SEC_ERROR_BAD_DATA, "%s",
                r->kind == snceKeyFile_keys
                    ? "the key has the name (the first 16 bytes) of an "
                      "earlier one"
                    : "the secret is there already");
        }
    }
    ++set->count;
    return SECSuccess;
}

/* ---- one file ------------------------------------------------------------ */

/* Returns the six bits that |c| stands for in base64, or -1. */
static int
keyfile_Bits(PRUint8 c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Returns how many bytes the |len| characters of |text| stand for in base64, or
 * 0 if they are no base64. Bits of the last character that stand for nothing
 * must be 0, so that a key can be written in one way only. */
static size_t
keyfile_DecodedLength(const PRUint8 *text, size_t len)
{
    size_t digits = len;
    unsigned int unused;
    size_t i;

    while (digits > 0 && len - digits < 2 && text[digits - 1] == '=') {
        --digits;
    }
    if (len % 4 != 0) {
        return 0;
    }
    for (i = 0; i < digits; ++i) {
        if (keyfile_Bits(text[i]) < 0) {
            return 0;
        }
    }
    unused = 2 * (unsigned int)(len - digits);
    if (unused &&
        (digits == 0 || keyfile_Bits(text[digits - 1]) & ((1 << unused) - 1))) {
        return 0;
    }
    return digits * 6 / 8;
}

/* Writes the |len| bytes that |text| stands for. */
static void
keyfile_Decode(const PRUint8 *text, PRUint8 *out, size_t len)
{
    unsigned int word = 0;
    unsigned int bits = 0;

    while (len > 0) {
        word = (word << 6 | (unsigned int)keyfile_Bits(*text++)) & 0xffff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            *out++ = (PRUint8)(word >> bits);
            --len;
        }
    }
}

/* Adds the key of one line. */
static SECStatus
keyfile_ParseLine(const keyfileReader *r, const PRUint8 *text, size_t len)
{
    size_t bytes = keyfile_DecodedLength(text, len);
    snceKeyFileKey *key;

    if (bytes == 0) {
        return keyfile_Fail(r, SEC_ERROR_BAD_DATA, "not base64");
    }
    if (keyfile_CheckLength(r, bytes) != SECSuccess) {
        return SECFailure;
    }
    key = &r->set->key[r->set->count];
    keyfile_Decode(text, key->bytes, bytes);
    key->len = (unsigned int)bytes;
    return keyfile_Add(r);
}

/* Adds the keys of a text, one for each line that is not empty. */
static SECStatus
keyfile_ParseText(keyfileReader *r, const PRUint8 *data, size_t len)
{
    const PRUint8 *end = data + len;

    while (data < end) {
        size_t lineLen = keyfile_LineLength(data, (size_t)(end - data));
        const PRUint8 *next = data + lineLen < end ? data + lineLen : NULL;

        ++r->line;
        if (next && lineLen > 0 && data[lineLen - 1] == '\r') {
            --lineLen;
        }
        if (lineLen > 0 && keyfile_ParseLine(r, data, lineLen) != SECSuccess) {
            return SECFailure;
        }
        data = next ? next + 1 : end;
    }
    return SECSuccess;
}

/* Adds the one key that is the whole file. */
static SECStatus
keyfile_ParseBytes(const keyfileReader *r, const PRUint8 *data, size_t len)
{
    snceKeyFileKey *key;
    size_t i = 0;

    while (i < len && ((data[i] >= ' ' && data[i] < 0x7f) ||
                       (data[i] >= '\t' && data[i] <= '\r'))) {
        ++i;
    }
    if (i == len) {
        return keyfile_Fail(r, SEC_ERROR_BAD_DATA,
                            "48 or 80 bytes of text are no key; use random "
                            "bytes");
    }
    if (keyfile_CheckLength(r, len) != SECSuccess) {
        return SECFailure;
    }
    key = &r->set->key[r->set->count];
    keyfile_Copy(key->bytes, data, len);
    key->len = (unsigned int)len;
    return keyfile_Add(r);
}

/* Adds the keys of the file, which has the content |data|. */
static SECStatus
keyfile_Parse(keyfileReader *r, const PRUint8 *data, size_t len)
{
    snceKeyFileSet *set = r->set;
    unsigned int before = set->count;
    PRBool isText = r->kind == snceKeyFile_secrets ||
                    (len != SHORT_KEY_BYTES && len != LONG_KEY_BYTES);
    SECStatus rv;

    if (len > FILE_BYTES_MAX) {
        return keyfile_Fail(r, SEC_ERROR_BAD_DATA, "larger than 64 KiB");
    }
    rv = isText ? keyfile_ParseText(r, data, len)
                : keyfile_ParseBytes(r, data, len);
    if (rv != SECSuccess) {
        return rv;
    }
    if (set->count == before) {
        r->line = 0;
        return keyfile_Fail(r, SEC_ERROR_BAD_DATA, "it is empty");
    }
    /* HAProxy encrypts with the last key but one: the last one is new, and not
     * every server may have it yet. */
    if (before == 0 && r->kind == snceKeyFile_keys && set->count > 1) {
        set->encrypts = set->count - 2;
    }
    return SECSuccess;
}

SECStatus
snceKeyFile_Parse(snceKeyFileKind kind, const char *path, const PRUint8 *data,
                  size_t len, snceKeyFileSet *set)
{
    keyfileReader r = { kind, path, set, 0 };

    return keyfile_Parse(&r, data, len);
}

/* ---- reading ------------------------------------------------------------- */

/* Checks that the path is no symbolic link of another user, who could make it
 * lead elsewhere. */
static SECStatus
keyfile_CheckLink(const keyfileReader *r)
{
    struct stat info;

    if (lstat(r->path, &info) != 0) {
        return keyfile_FailSystem(r, errno);
    }
    if (S_ISLNK(info.st_mode) && info.st_uid != 0 && info.st_uid != geteuid()) {
        return keyfile_Fail(r, SEC_ERROR_INVALID_ARGS,
                            "a symbolic link of another user");
    }
    return SECSuccess;
}

/* Checks what the system says of the file that was opened. */
static SECStatus
keyfile_CheckFile(const keyfileReader *r, const struct stat *info)
{
    if (!S_ISREG(info->st_mode)) {
        return keyfile_FailSystem(r, ENXIO);
    }
    if (info->st_mode & S_IWOTH) {
        return keyfile_Fail(r, SEC_ERROR_INVALID_ARGS,
                            "every user may write it (chmod o-w)");
    }
    if (info->st_mode & S_IROTH) {
        return keyfile_Fail(r, SEC_ERROR_INVALID_ARGS,
                            "every user may read it (chmod o-r)");
    }
    return SECSuccess;
}

/* Adds the keys of one file. |*info| gets what the system says of the file, if
 * it can be opened. */
static SECStatus
keyfile_ReadFile(keyfileReader *r, struct stat *info)
{
    SECStatus rv = SECFailure;
    PRUint8 *data = NULL;
    size_t len = 0;
    int error;
    int fd;

    if (keyfile_CheckLink(r) != SECSuccess) {
        return SECFailure;
    }
    fd = ssl_OpenFile(r->path);
    if (fd < 0) {
        return keyfile_FailSystem(r, errno);
    }
    if (fstat(fd, info) != 0) {
        rv = keyfile_FailSystem(r, errno);
        goto done;
    }
    rv = keyfile_CheckFile(r, info);
    if (rv != SECSuccess) {
        goto done;
    }
    data = PORT_Alloc(FILE_BYTES_MAX + 1);
    if (!data) {
        rv = keyfile_FailSystem(r, ENOMEM);
        goto done;
    }
    error = ssl_ReadToEnd(fd, data, FILE_BYTES_MAX + 1, &len);
    if (error) {
        rv = keyfile_FailSystem(r, error);
    } else {
        rv = keyfile_Parse(r, data, len);
    }

done:
    (void)close(fd);
    if (data) {
        explicit_bzero(data, FILE_BYTES_MAX + 1);
        PORT_Free(data);
    }
    return rv;
}

/* Mixes into |version| what the system says of the file |path|. That is |*info|,
 * or if the file was not opened, what stat says, as snceKeyFile_Version asks it
 * too. */
static PRUint64
keyfile_Version(PRUint64 version, const char *path, struct stat *info)
{
    if (!info->st_mode && stat(path, info) != 0) {
        int error = errno;

        return ssl_HashVersion(version, &error, sizeof error);
    }
    return ssl_FileVersion(version, info);
}

SECStatus
snceKeyFile_Read(snceKeyFileKind kind, const char *paths, snceKeyFileSet *set)
{
    const char *expected = snceKeyFile_CheckPaths(paths);
    char path[SNCE_KEY_FILE_PATHS_MAX + 1];
    keyfileReader r = { kind, paths, set, 0 };
    SECStatus rv = SECSuccess;

    PORT_Memset(set, 0, sizeof *set);
    set->version = ssl_PathVersion(paths);
    if (expected) {
        return keyfile_Fail(&r, SEC_ERROR_INVALID_ARGS, "expected %s",
                            expected);
    }
    set->oldest = PR_INT64_MAX;
    r.path = path;
    while (keyfile_NextPath(&paths, path)) {
        struct stat info;
        PRTime written;

        PORT_Memset(&info, 0, sizeof info);
        if (rv == SECSuccess) {
            r.line = 0;
            rv = keyfile_ReadFile(&r, &info);
        }
        set->version = keyfile_Version(set->version, path, &info);
        written = (PRTime)info.st_mtim.tv_sec * PR_USEC_PER_SEC +
                  info.st_mtim.tv_nsec / 1000;
        set->oldest = PR_MIN(set->oldest, written);
    }
    return rv;
}

int
snceKeyFile_Age(const snceKeyFileSet *set)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int)((now.tv_sec - set->oldest / PR_USEC_PER_SEC) / 86400);
}

PRUint64
snceKeyFile_Version(const char *paths)
{
    PRUint64 version = ssl_PathVersion(paths);
    char path[SNCE_KEY_FILE_PATHS_MAX + 1];

    if (snceKeyFile_CheckPaths(paths)) {
        return version;
    }
    while (keyfile_NextPath(&paths, path)) {
        struct stat info;

        PORT_Memset(&info, 0, sizeof info);
        version = keyfile_Version(version, path, &info);
    }
    return version;
}

SECStatus
snceKeyFile_Add(snceKeyFileKind kind, const PRUint8 *bytes, size_t len,
                snceKeyFileSet *set)
{
    keyfileReader r = { kind, NULL, set, set->count + 1 };
    SECStatus rv = keyfile_CheckLength(&r, len);

    if (rv == SECSuccess) {
        set->key[set->count].len = (unsigned int)len;
        PORT_Memcpy(set->key[set->count].bytes, bytes, len);
        rv = keyfile_Add(&r);
    }
    return rv;
}

void
snceKeyFile_Wipe(snceKeyFileSet *set)
{
    explicit_bzero(set, sizeof *set);
}
