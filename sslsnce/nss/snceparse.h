/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceparse.h: the file of caches as lines and faults. Its form is in
 * sslsnce/sslsnce.h; what follows from a fault, in snceconfig.h. */
#ifndef SSLSNCE_NSS_SNCEPARSE_H
#define SSLSNCE_NSS_SNCEPARSE_H

#include "prtypes.h"
#include "seccomon.h"

#include "snceint.h"
#include "sncevalue.h"

SEC_BEGIN_PROTOS

/* One line that names a cache, and what it says of it. */
typedef struct {
    unsigned int number; /* of the line in the file, from 1 */
    unsigned int nameColumn;
    unsigned int
        column[SSL_CACHE_PARAMS]; /* of each value, from 1; 0: not given */
    char *name;     /* lower case, no dot at its end; NULL: the default one */
    PRBool faulty;  /* something is wrong with it, or it is a second one */
    PRUint32 given; /* bits by sslCacheParam: |wish| has a value of it. A flag
                          * that cannot be read has its stricter value; what is
                          * given twice has the smaller or stricter one */
    sslServerCacheWish wish;
} sslCacheConfigLine;

/* What follows from a fault. The last four are told whatever else there is. */
typedef enum {
    sslCacheFault_note,    /* nothing: a value was changed, or |text| says it */
    sslCacheFault_ignored, /* the line has no name that can be read */
    sslCacheFault_closed,  /* the cache of the line is closed */
    sslCacheFault_lowered, /* the line is one for the default cache */
    sslCacheFault_file,    /* the whole file counts as none */
    sslCacheFault_size,    /* the default cache has the application's size */
    sslCacheFault_unlocked, /* all caches are closed */
    sslCacheFault_failed    /* the call fails */
} sslCacheFaultKind;

typedef struct {
    sslCacheFaultKind kind;
    unsigned int number; /* of the line, 0: of the file */
    unsigned int column; /* in bytes from 1 */
    PRUint32 line;       /* index of the line, for sslCacheFault_closed */
    char text[SSL_CACHE_TEXT_BYTES];
} sslCacheFault;

/* So many faults are told, the first ones; of the others, how many there are. */
#define SSL_CACHE_FAULTS_MAX 20

typedef struct {
    const char *path; /* the caller's; NULL: there is no file */
    PRBool unread;    /* the caller's: there is none, or it counts as none */
    PRUint64 version; /* of the file */
    PRBool strict;    /* the caller's: every fault fails the call */
    sslCacheConfigLine *lines;
    PRUint32 count;
    PRUint32 room;
    PRBool closed;            /* the caller's: all caches are to be closed */
    sslServerCacheWish asked; /* the caller's: what the application asks */
    struct sslCacheUndoStr *undo; /* snceundo.h: |undoCount| of them, NULL: none
                                   * are noted */
    PRUint32 undoCount;
    PRUint32 faults; /* all */
    PRUint32 errors; /* of these, the ones that are no notes */
    sslCacheFault fault[SSL_CACHE_FAULTS_MAX];
} sslCacheConfig;

/* ssl_ParseCacheConfig reads the |len| bytes of |data| into |*config|, whose
 * |lines| must be none yet. It goes on after a fault, so that all are found, and
 * so that what can be read of a wrong line is.
 *
 * Fails without memory only. The caller ends with ssl_FreeCacheConfig in any
 * case. */
SECStatus ssl_ParseCacheConfig(sslCacheConfig *config, const char *data,
                               size_t len);

/* ssl_AddCacheFault puts a fault at |number|:|column| into the list. */
void ssl_AddCacheFault(sslCacheConfig *config, sslCacheFaultKind kind,
                       unsigned int number, unsigned int column,
                       const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* ssl_LowerCacheWish lowers |*wish| to what |line| says, where that is less or
 * stricter. */
void ssl_LowerCacheWish(sslServerCacheWish *wish,
                        const sslCacheConfigLine *line);

void ssl_FreeCacheConfig(sslCacheConfig *config);

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCEPARSE_H */
