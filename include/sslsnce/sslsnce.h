/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sslsnce.h: the server session cache, for NSS applications.
 *
 * An application that knows nothing of sslsnce goes on calling what ssl.h
 * declares, and gets what is said here. What is new is reached through NSS's
 * experimental API: one binary runs on every NSS, and on one without sslsnce
 * the call returns SECFailure with SSL_ERROR_UNSUPPORTED_EXPERIMENTAL_API.
 *
 * This header needs NSS's ssl.h and sslexp.h of any release, in C or C++. */
#ifndef SSLSNCE_SSLSNCE_H
#define SSLSNCE_SSLSNCE_H

#include "prtypes.h"
#include "ssl.h"
#include "sslexp.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- The calls of ssl.h ----
 *
 * SSL_ConfigServerSessionIDCache, SSL_ConfigMPServerSIDCache and
 * SSL_ConfigServerSessionIDCacheWithOpt make the default cache, or give the one
 * that is there new limits.
 *
 *   maxCacheEntries   sessions that the cache holds. 0: 10,000. At most
 *                     100,000,000. Memory is taken as sessions arrive.
 *   ssl2_timeout      seconds that a session of a version below SSL 3.0 lives:
 *                     5 to 100. 0: 100.
 *   ssl3_timeout      seconds that any other lives: 5 to 86,400. 0: 86,400.
 *                     Both count from the session's creation, by the clock of
 *                     the socket that asks; what is out of range becomes the
 *                     nearest limit.
 *   directory         accepted and ignored: the cache is anonymous memory.
 *   maxCertCacheEntries, maxSrvNameCacheEntries
 *                     client certificates, each of up to 65,535 bytes, and
 *                     server names that the cache holds. 0 or less: one
 *                     certificate for each session; 1,024 names.
 *
 * A session is refused, and its client makes a full handshake again, if its ID
 * is empty or longer than 32 bytes, or its client's certificate has more than
 * 65,535 bytes. A session never comes back without its client's certificate,
 * nor, where the application has an SNI callback, under another server name.
 *
 * A session, or a session ticket, resumes under the server key that it was made
 * under: in every process that has that key, and with no other one. Under
 * another certificate its client makes a full handshake; a certificate renewed
 * with its old key is not another one. Where the SNI callback chooses the
 * certificate, it is called for a handshake that may resume too, before TLS 1.3
 * unless the session is of the name that the client asks for and of the
 * certificate that the socket has already. A cache has room for what 1,024
 * server keys need, and keeps it until it is made anew. The sessions of further
 * ones resume in the process that made them only, and so do those under a key
 * whose token signs but neither decrypts nor derives.
 *
 * Before NSS_Init: allowed. After SSL_ShutdownServerSessionIDCache: makes a new
 * cache. A second time: the timeouts count at once, for the sessions that are
 * there too; more entries make the cache larger and keep what is in it; fewer
 * leave it as large as it is. A single-process cache that is configured again
 * for many processes is exported from then on; one for many processes stays so.
 * In a child process it acts on the cache that the processes share.
 *
 * Return SECSuccess, or SECFailure with
 *   SEC_ERROR_INVALID_ARGS            a number of entries that cannot be
 *   SEC_ERROR_NO_MEMORY               memory or address space; when growing,
 *                                     the timeouts are set, the size is kept
 *   PR_PROC_DESC_TABLE_FULL_ERROR     no file descriptor left
 *   PR_FILE_TOO_BIG_ERROR             RLIMIT_FSIZE forbids the size
 *   PR_OPERATION_NOT_SUPPORTED_ERROR  a kernel without sealed memory files
 *   PR_BAD_DESCRIPTOR_ERROR           the application closed the cache's
 *                                     descriptor, which it cannot be exported
 *                                     or configured again without
 *   SEC_ERROR_BUSY                    another process did not end its own
 *                                     configuring within two seconds
 * and whatever cache was there goes on.
 *
 * Processes. A child by fork has its parent's cache and shares it, whichever
 * call made it. For a child by exec, SSL_ConfigMPServerSIDCache writes a string
 * into the environment (SSL_ENV_VAR_NAME), and leaves the cache's descriptor,
 * the only one that it has, open across exec.
 *
 * SSL_InheritMPServerSIDCache attaches to the cache that |envString|, or with
 * NULL the environment, names. With NULL, in a process that has a cache (by
 * fork, or because this is the second time), it changes nothing and succeeds.
 * It fails, and a cache that was there goes on, with
 *   SSL_ERROR_SERVER_CACHE_NOT_CONFIGURED  no string, and no cache either
 *   SEC_ERROR_INVALID_ARGS                 not a string of that form
 *   PR_BAD_DESCRIPTOR_ERROR                the descriptor that it names was
 *                                          closed, or is not a memory file
 *   SEC_ERROR_BAD_DATA                     a cache of another build, or not the
 *                                          one that the string names
 *   SEC_ERROR_BAD_DATABASE                 a cache that is torn
 *   PR_INVALID_STATE_ERROR                 a good string, of another cache than
 *                                          the one that this process has
 *
 * SSL_ShutdownServerSessionIDCache detaches this process. The cache lives on in
 * others; the last one to go takes it along. Threads in the middle of a lookup
 * or a store are waited for, at most a second (if one is still there, say under
 * a debugger, the memory stays mapped). From then on nothing is cached, and
 * every handshake that asks the cache is a full one, until the next Config; the
 * environment keeps its string. Always succeeds, a second time too.
 *
 * SSL_GetMaxServerCacheLocks and SSL_SetMaxServerCacheLocks keep a number (at
 * first 10, at least 3) for callers that ask. The cache has no locks.
 *
 * Any thread may call any of these at any time. A child process may be forked
 * at any time too. */

/* ---- SSL_GetServerCacheFigures ------------------------------------------- */

/* SSLServerCacheFigures is what the default cache has and has done since it was
 * made, in all processes. Fields are only ever added at the end. */
typedef struct SSLServerCacheFiguresStr {
    PRUint32 length; /* bytes written, |length| included */

    PRUint32 ssl2TimeoutSec;
    PRUint32 ssl3TimeoutSec;
    PRUint32 reserved;

    PRUint64 entries;       /* sessions that it was configured for */
    PRUint64 slots;         /* places for sessions */
    PRUint64 live;          /* sessions now, expired ones included */
    PRUint64 certificates;  /* client certificates now */
    PRUint64 regionBytes;   /* address space */
    PRUint64 residentBytes; /* memory; 0 if that cannot be found out */

    PRUint64 hits;
    PRUint64 missesUnknown; /* no such session */
    PRUint64 missesExpired;
    PRUint64 missesAddress;     /* made from another client address */
    PRUint64 missesName;        /* made for another server name */
    PRUint64 missesCertificate; /* its certificate was evicted */

    PRUint64 inserts;
    PRUint64 replacedExpired; /* inserts into an expired session's place */
    PRUint64 replacedLive;    /* inserts that evicted a live session */
    PRUint64 dropped;         /* inserts that lost a race */
    PRUint64 refused;         /* inserts that were too large */
    PRUint64 removals;
    PRUint64 reclaimed; /* places taken back from processes that died */
    PRUint64 corrupt;   /* sessions spoiled by a process that was stopped while
                         * it stored one, and went on too late */
    PRUint64 wiped;     /* taken out because expired, or their certificate was
                         * evicted */
} SSLServerCacheFigures;

/* SSL_GetServerCacheFigures writes the default cache's figures into |*figures|,
 * which has |len| bytes: as much as fits of what this libssl knows, and into
 * |figures->length| how much that was. Fields beyond it are not written.
 *
 * Returns SECSuccess, or SECFailure with SEC_ERROR_INVALID_ARGS,
 * SSL_ERROR_SERVER_CACHE_NOT_CONFIGURED, SEC_ERROR_BAD_DATABASE or, on an NSS
 * without sslsnce, SSL_ERROR_UNSUPPORTED_EXPERIMENTAL_API. Any thread; does not
 * block; makes one system call. Each figure is exact when the processes rest,
 * but that a process which died in the middle of an operation may leave |live|
 * and |certificates| off by one. */
#define SSL_GetServerCacheFigures(figures, len)                                \
    SSL_EXPERIMENTAL_API("SSL_GetServerCacheFigures",                          \
                         (SSLServerCacheFigures * _figures, PRUintn _len),     \
                         (figures, len))

#ifdef __cplusplus
}
#endif

#endif /* SSLSNCE_SSLSNCE_H */
