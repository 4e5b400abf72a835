/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncekeyfile.h: reads the files that ticketKeyFile and ticketSecretFile name,
 * as bytes. sslsnce/sslsnce.h says what form the files have. */
#ifndef SSLSNCE_NSS_SNCEKEYFILE_H
#define SSLSNCE_NSS_SNCEKEYFILE_H

#include "prerror.h"
#include "prtime.h"
#include "seccomon.h"

SEC_BEGIN_PROTOS

typedef enum {
    snceKeyFile_keys,   /* ticketKeyFile: keys of 48 or 80 bytes */
    snceKeyFile_secrets /* ticketSecretFile: secrets of any length */
} snceKeyFileKind;

#define SNCE_KEY_FILE_MAX 16        /* keys in all files of a set */
#define SNCE_KEY_FILE_BYTES 1024    /* of the longest secret */
#define SNCE_KEY_FILE_SECRET_MIN 32 /* bytes of the shortest secret */
#define SNCE_KEY_FILE_NAME_BYTES 16 /* of a key, at its beginning */
#define SNCE_KEY_FILE_FILES_MAX 8   /* in a list of paths */
#define SNCE_KEY_FILE_PATHS_MAX                                                \
    4095 /* bytes of a list of paths, without its NUL */

/* Bytes of a message, its NUL included. */
#define SNCE_KEY_FILE_TEXT_BYTES 256

typedef struct {
    PRUint8 bytes[SNCE_KEY_FILE_BYTES];
    unsigned int len;
} snceKeyFileKey;

/* The keys, or the secrets, of one file or of several. */
typedef struct {
    snceKeyFileKey key[SNCE_KEY_FILE_MAX]; /* in the order of the files */
    unsigned int count; /* at least 1 if they were read, else 0 */
    unsigned int
        encrypts; /* index of the key that encrypts; all of them decrypt */

    /* Of all files: changes when the device, inode, size or times of one do,
     * or the reason why the system does not find it. */
    PRUint64 version;
    PRTime oldest; /* if read: when the oldest file was written */

    /* Unless read: */
    char text[SNCE_KEY_FILE_TEXT_BYTES]; /* names the file, and the line if it
                                          * has lines; has none of the content */
    PRErrorCode error; /* NSPR's name for it. PR_PROC_DESC_TABLE_FULL_ERROR and
                        * SEC_ERROR_NO_MEMORY may pass */
    PRBool mayNotRead; /* this user may not read one of the files */
} snceKeyFileSet;

/* snceKeyFile_CheckPaths checks the form of |paths|: one path or several with
 * commas between them, each beginning with '/'. It looks at no file. Returns
 * NULL, or what was expected, a constant phrase. */
const char *snceKeyFile_CheckPaths(const char *paths);

/* snceKeyFile_Read reads the files |paths| into |*set|. If it fails, |*set| has
 * no key, and says why. The caller ends with snceKeyFile_Wipe whatever this
 * returns.
 *
 * Any thread may call it that is not cancelled meanwhile, also before NSPR is
 * initialized. It takes no lock. It may wait for the disk, but not for the writer
 * of a pipe. Every other copy of the content is wiped when this returns. */
SECStatus snceKeyFile_Read(snceKeyFileKind kind, const char *paths,
                           snceKeyFileSet *set);

/* snceKeyFile_Age returns how many days ago the oldest file that was read was written.
 * One that is SNCE_KEY_FILE_OLD_DAYS old is warned of (RFC 9325 section 3.4). */
#define SNCE_KEY_FILE_OLD_DAYS 7
int snceKeyFile_Age(const snceKeyFileSet *set);

/* snceKeyFile_Version returns the version that snceKeyFile_Read would give now.
 * It opens no file. */
PRUint64 snceKeyFile_Version(const char *paths);

/* snceKeyFile_Wipe overwrites all of |*set| with zeros. */
void snceKeyFile_Wipe(snceKeyFileSet *set);

/* snceKeyFile_Parse adds the keys of one file, the |len| bytes of |data|, to
 * |*set|, which is all zeros before the first file. |path| is for messages. If
 * it fails, |*set| has no key, not even of another file, and says why. */
SECStatus snceKeyFile_Parse(snceKeyFileKind kind, const char *path,
                            const PRUint8 *data, size_t len,
                            snceKeyFileSet *set);

/* snceKeyFile_Add adds a key that is from no file to |*set|, under the same rules. If it
 * fails, |*set| has no key. */
SECStatus snceKeyFile_Add(snceKeyFileKind kind, const PRUint8 *bytes,
                          size_t len, snceKeyFileSet *set);

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCEKEYFILE_H */
