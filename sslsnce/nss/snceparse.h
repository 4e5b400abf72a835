/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceparse.h: the configuration file as lines and faults. sslsnce/sslsnce.h
 * says what form the file has; snceconfig.h, what follows from a fault. */
#ifndef SSLSNCE_NSS_SNCEPARSE_H
#define SSLSNCE_NSS_SNCEPARSE_H

#include "prtypes.h"
#include "seccomon.h"

#include "snceint.h"
#include "sncevalue.h"

SEC_BEGIN_PROTOS

/* One line that names a cache, and the parameters that it gives. */
typedef struct {
    unsigned int number; /* of the line in the file, from 1 */
    unsigned int nameColumn;
    unsigned int
        column[SSL_CACHE_PARAMS]; /* of each value, from 1; 0: not given */
    char *name;    /* lower case, no dot at its end; NULL: the default cache */
    PRBool faulty; /* it has a fault, or another line has its name */
    PRUint32
        given; /* bits by sslCacheParam: |request| has a value of it. If a flag
                * could not be read, it has its stricter value; if a parameter
                * is given twice, the smaller or stricter value. Never set for a
                * parameter whose values are paths */
    sslServerCacheRequest request;
    char *keyPaths; /* of ticketKeyFile or ticketSecretFile, in the form that
                     * snceKeyFile_CheckPaths asks; NULL if there is none, or
                     * none that can be read, or if both are given */
    sslCacheParam keyParam; /* which of the two, if there are |keyPaths| */
} sslCacheConfigLine;

/* What follows from a fault. A fault of one of the last four kinds is reported
 * even if there are too many messages. */
typedef enum {
    sslCacheFault_note,     /* nothing, or what |text| says */
    sslCacheFault_ignored,  /* the line is ignored: it has no name that can be
                             * read */
    sslCacheFault_closed,   /* the cache of the line is closed */
    sslCacheFault_lowered,  /* a line for the default cache lowers its values */
    sslCacheFault_file,     /* the file counts as none */
    sslCacheFault_size,     /* the default cache has the application's size */
    sslCacheFault_unlocked, /* all caches are closed */
    sslCacheFault_failed    /* the call fails */
} sslCacheFaultKind;

typedef struct {
    sslCacheFaultKind kind;
    unsigned int number; /* of the line; 0: the fault is of the whole file */
    unsigned int column; /* in bytes from 1 */
    PRUint32 line;       /* index of the line, for sslCacheFault_closed */
    char text[SSL_CACHE_TEXT_BYTES];
} sslCacheFault;

/* The first so many faults are reported; of the others only the number. */
#define SSL_CACHE_FAULTS_MAX 20

typedef struct {
    const char *path; /* the caller's; NULL: there is no file */
    PRBool unread;    /* the caller's: there is no file, or it counts as none */
    PRUint64 version; /* of the file */
    PRBool strict;    /* the caller's: every fault fails the call */
    sslCacheConfigLine *lines;
    PRUint32 count;
    PRUint32 room;
    PRBool closed;               /* the caller's: all caches are to be closed */
    sslServerCacheRequest asked; /* the caller's: what the application asks */
    struct sslCacheUndoStr *undo; /* snceundo.h: |undoCount| of them; NULL:
                                   * nothing is noted */
    PRUint32 undoCount;
    PRUint32 faults; /* all */
    PRUint32 errors; /* of these, those that are not notes */
    sslCacheFault fault[SSL_CACHE_FAULTS_MAX];
} sslCacheConfig;

/* ssl_FindKeyPaths returns the line that has |keyPaths|, which is one for the
 * default cache, or NULL if there is none. If two lines have some, they
 * contradict each other, and this returns NULL too. The line may be faulty
 * because of something else in it.
 *
 * A fault of the files themselves is one of the value: at the line's |number|
 * and |column[keyParam]|. */
const sslCacheConfigLine *ssl_FindKeyPaths(const sslCacheConfig *config);

/* ssl_ParseCacheConfig reads the |len| bytes of |data| into |*config|, which
 * must have no |lines| yet. After a fault it goes on, so that it finds all
 * faults, and the values of a wrong line that can be read.
 *
 * Fails without memory only. The caller ends with ssl_FreeCacheConfig in any
 * case. */
SECStatus ssl_ParseCacheConfig(sslCacheConfig *config, const char *data,
                               size_t len);

/* ssl_AddCacheFault adds a fault at |number|:|column| to the list. */
void ssl_AddCacheFault(sslCacheConfig *config, sslCacheFaultKind kind,
                       unsigned int number, unsigned int column,
                       const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* ssl_LowerCacheRequest lowers each value of |*request| to that of |line|,
 * where that is less or stricter. */
void ssl_LowerCacheRequest(sslServerCacheRequest *request,
                           const sslCacheConfigLine *line);

void ssl_FreeCacheConfig(sslCacheConfig *config);

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCEPARSE_H */
