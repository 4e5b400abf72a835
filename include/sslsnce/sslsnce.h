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
 *                     nearest limit. A session that was created more than two
 *                     seconds ahead of that clock (clockSkewSec, below) is a
 *                     full handshake: else a clock that is set back would
 *                     lengthen every session.
 *   directory         accepted and ignored: the cache is anonymous memory.
 *   maxCertCacheEntries, maxSrvNameCacheEntries
 *                     client certificates, each of up to 65,535 bytes, and
 *                     server names that the cache holds. 0 or less: one
 *                     certificate for each session; 1,024 names.
 *
 * A session is refused, and its client makes a full handshake again, if its ID
 * is empty or longer than 32 bytes, or its client's certificate has more than
 * 65,535 bytes. A session never comes back without its client's certificate,
 * nor under another server name.
 *
 * A session, or a session ticket, resumes under the server key that it was made
 * under: in every process that has that key, and with no other one. Under
 * another certificate its client makes a full handshake; a certificate renewed
 * with its old key is not another one. A cache has room for what 1,024 server
 * keys need, and keeps it until it is made anew. The sessions of further ones
 * resume in the process that made them only, and so do those under a key whose
 * token signs but neither decrypts nor derives, or fails to for a while: it is
 * asked again after a second, and then after pauses of up to five minutes
 * (keyFailures, below). Until then the process protects tickets and cookies of
 * HelloRetryRequests with keys of its own, and accepts them after it too.
 *
 * The SNI callback is called once for every ClientHello with a server name,
 * before libssl decides whether to resume; NSS calls it before TLS 1.3 for full
 * handshakes only. A session resumes on the socket as the callback left it:
 *   SSL_REQUIRE_CERTIFICATE      not without a client certificate, where a full
 *                                handshake would insist on one
 *   SSL_NO_CACHE                 not by ID
 *   SSL_ENABLE_SESSION_TICKETS   not by ticket, and no ticket is issued, if the
 *                                callback disabled them. A ticket that the
 *                                application issued (SSL_SendSessionTicket, TLS
 *                                1.3) resumes with or without this option, as in
 *                                NSS
 *   the name that it chose       not if the session was made under another
 * In these cases its client makes a full handshake. Version and cipher suite
 * stay as they were negotiated before the callback. After a HelloRetryRequest the
 * callback is called again, for the second ClientHello; options that a
 * SSL_HelloRetryRequestCallback changes count in the same way. As in NSS, no
 * SSL_AuthCertificateHook runs for a session that resumes: sockets that trust
 * different client certificates need different caches (SSL_BindServerCache).
 *
 * A session that resumed by ticket is not in the cache: its ID is the client's
 * choice. A ticket that cannot be made, or would have more than 61,440 bytes,
 * which leave a client no room for its other extensions, is not sent; the
 * handshake goes on. A ticket that was made more than two seconds ahead of the
 * clock of the socket that is offered it is a full handshake.
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
 *   PR_INSUFFICIENT_RESOURCES_ERROR   RLIMIT_MEMLOCK forbids to lock the cache,
 *                                     as a strict file of caches asks (below), or
 *                                     as much more of it as it is to grow
 *   PR_PROC_DESC_TABLE_FULL_ERROR     no file descriptor left
 *   PR_FILE_TOO_BIG_ERROR             RLIMIT_FSIZE forbids the size
 *   PR_OPERATION_NOT_SUPPORTED_ERROR  no memory file can be had (memfd_create, and
 *                                    open with O_TMPFILE on a memory file system)
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
 * fork, or because this is the second time), it changes nothing and succeeds; so
 * it does with a string that names the cache that the process has, by whatever
 * descriptor, which stays the caller's.
 * It fails, and a cache that was there goes on, with
 *   SSL_ERROR_SERVER_CACHE_NOT_CONFIGURED  no string, and no cache either
 *   SEC_ERROR_INVALID_ARGS                 not a string of that form
 *   PR_BAD_DESCRIPTOR_ERROR                the descriptor that it names was
 *                                          closed, or is not a memory file
 *   SEC_ERROR_BAD_DATA                     a cache of another build, or not the
 *                                          one that the string names
 *   SEC_ERROR_BAD_DATABASE                 a cache that is torn
 *   PR_INSUFFICIENT_RESOURCES_ERROR        a locked cache (below), which this
 *                                          process's RLIMIT_MEMLOCK forbids. The
 *                                          error's text has the bytes and the
 *                                          limit; it is logged too, but not
 *                                          twice in a row for one string
 *   PR_INVALID_STATE_ERROR                 a good string, of another cache than
 *                                          the one that this process has
 *
 * SSL_ShutdownServerSessionIDCache detaches this process. The cache lives on in
 * others, and as long as a child has its descriptor, which it may inherit it by;
 * the last one to go takes it along. Threads in the middle of a lookup
 * or a store are waited for, at most a second (if one is still there, say under
 * a debugger, the memory stays mapped). From then on nothing is cached, and
 * every handshake that asks the cache is a full one, until the next Config; the
 * environment keeps its string. Always succeeds, a second time too.
 *
 * SSL_GetMaxServerCacheLocks and SSL_SetMaxServerCacheLocks keep a number (at
 * first 10, at least 3) for callers that ask. The cache has no locks.
 *
 * Any thread may call any of these at any time, also as the first call of the
 * process, before NSPR and NSS are initialized. A thread that is cancelled
 * (pthread_cancel) ends after the call. A child process may be forked at any time
 * too, but for the first call in a process that exports the cache:
 * it sets the environment, which the C library does under a lock that such a
 * child would find taken.
 *
 * The first Config or Inherit keeps libssl loaded for the life of the process: a
 * program that loaded it by dlopen may call dlclose, before or after Shutdown
 * and NSS_Shutdown, and finds its cache again when it loads it again. */

/* ---- Virtual servers -----------------------------------------------------
 *
 * Beside the default cache there may be up to 1,024 others, each for a virtual
 * server: a cache with a name, a size, timeouts and figures of its own. The load
 * on one evicts nothing of another. They lie where the default cache lies, so
 * that all processes that share it share them: what one process changes counts
 * in all of them at once, and a process that dies while it changes something
 * leaves what was before or what was to be.
 *
 * A connection belongs to the cache that its socket is bound to by
 * SSL_BindServerCache; else to the one whose name the client asks for (the
 * host_name of its server_name extension, RFC 6066 section 3), exactly, or as
 * "*.example.org" for any name of one more label than example.org; else to the
 * default cache. This is so with or without an SNI callback, whose choice of a
 * certificate counts as it always did.
 *
 * A session is found only in the cache where it was put, and only under the
 * server name that its first client asked for, or without a name if that client
 * did; in the default cache too, and by ticket too. Anything else is a full
 * handshake.
 *
 * Names are host names of at most 255 bytes: labels of ASCII letters, digits,
 * '-' and '_' with a dot between them, compared without regard to case. "*" is
 * the default cache.
 *
 * All calls may be made by any thread of any process that has a cache, by
 * Config or Inherit; they fail with SSL_ERROR_SERVER_CACHE_NOT_CONFIGURED where
 * there is none. Those that change something take turns: they may wait for
 * another process's change, for two seconds at most (then SEC_ERROR_BUSY).
 * Handshakes do not wait. */

/* SSLServerCacheParams is what a cache is to be; all zero is a good beginning.
 * Fields are only ever added at the end. */
typedef struct SSLServerCacheParamsStr {
    PRUint32 length;         /* sizeof(SSLServerCacheParams) */
    PRUint32 entries;        /* sessions; 0: 10,000 */
    PRUint32 certificates;   /* client certificates; 0: one for each session */
    PRUint32 ssl2TimeoutSec; /* as for SSL_ConfigServerSessionIDCache */
    PRUint32 ssl3TimeoutSec;
    PRBool anyClientAddress; /* PR_FALSE: a session is found only from the
                              * client address that it was made from, as in the
                              * default cache */
    PRUint32 clockSkewSec;   /* seconds that a session may have been created
                              * ahead of the clock of the socket that asks; at
                              * most 300. 0: 2 */
} SSLServerCacheParams;

/* SSL_AddServerCache makes the cache |name| as |params| say; with NULL all is
 * default. It counts for the handshakes that begin after it.
 *
 * Fails with SEC_ERROR_INVALID_ARGS (no such name can be, or a parameter is out
 * of range), PR_FILE_EXISTS_ERROR (it is there already), SEC_ERROR_NO_MEMORY
 * (memory or address space), PR_FILE_TOO_BIG_ERROR (RLIMIT_FSIZE),
 * PR_INSUFFICIENT_RESOURCES_ERROR (1,024 are there; or RLIMIT_MEMLOCK, where the
 * caches are locked in memory), PR_BAD_DESCRIPTOR_ERROR (the application closed the
 * cache's descriptor) or SEC_ERROR_BUSY. */
#define SSL_AddServerCache(name, params)                                       \
    SSL_EXPERIMENTAL_API(                                                      \
        "SSL_AddServerCache",                                                  \
        (const char *_name, const SSLServerCacheParams *_params),              \
        (name, params))

/* SSL_ChangeServerCache gives the cache |name|, or with NULL the default one,
 * the limits in |params|, all of them, while it works; one that the file of caches
 * has closed (below) stays closed. Timeouts count at once,
 * for the sessions that are there too. A larger cache keeps every live session;
 * a smaller one the newest, as many as it holds.
 *
 * Fails with SEC_ERROR_INVALID_ARGS, PR_FILE_NOT_FOUND_ERROR (no such cache),
 * SEC_ERROR_NO_MEMORY, PR_FILE_TOO_BIG_ERROR or PR_INSUFFICIENT_RESOURCES_ERROR (no
 * room to grow, as for SSL_AddServerCache: timeouts are set, the size is kept),
 * PR_BAD_DESCRIPTOR_ERROR or SEC_ERROR_BUSY. */
#define SSL_ChangeServerCache(name, params)                                    \
    SSL_EXPERIMENTAL_API(                                                      \
        "SSL_ChangeServerCache",                                               \
        (const char *_name, const SSLServerCacheParams *_params),              \
        (name, params))

/* SSL_FlushServerCache removes and wipes every session of the cache |name|, or
 * with NULL of the default one: none that was stored before the call is found
 * after it. Tickets that clients hold go on working.
 *
 * Fails with PR_FILE_NOT_FOUND_ERROR, SEC_ERROR_NO_MEMORY, PR_FILE_TOO_BIG_ERROR or
 * PR_INSUFFICIENT_RESOURCES_ERROR (no room for an empty cache beside the full one),
 * PR_BAD_DESCRIPTOR_ERROR or SEC_ERROR_BUSY. */
#define SSL_FlushServerCache(name)                                             \
    SSL_EXPERIMENTAL_API("SSL_FlushServerCache", (const char *_name), (name))

/* SSL_RemoveServerCache removes the cache |name| with its sessions. Sockets that
 * are bound to it store and find nothing from then on, accept no tickets and
 * issue none (SSL_SendSessionTicket fails with SSL_ERROR_FEATURE_DISABLED), also
 * if a cache of that name is added again. The default cache cannot be removed.
 *
 * Fails with PR_FILE_NOT_FOUND_ERROR or SEC_ERROR_BUSY. */
#define SSL_RemoveServerCache(name)                                            \
    SSL_EXPERIMENTAL_API("SSL_RemoveServerCache", (const char *_name), (name))

/* SSL_BindServerCache binds |fd|, a socket of libssl, to the cache |name|, for
 * the handshakes that begin after it, whatever name their clients ask for ("*"
 * for the default cache); with NULL it gives the choice back to that name.
 * Connections that are made with |fd| as their model (SSL_ImportFD,
 * SSL_ReconfigFD) are bound as it is. A binding is to the cache that has the name
 * now: when that is removed, or the process shuts its caches down, the socket
 * stores and finds nothing until it is bound again.
 *
 * Fails with PR_BAD_DESCRIPTOR_ERROR (no socket of libssl) or
 * PR_FILE_NOT_FOUND_ERROR. */
#define SSL_BindServerCache(fd, name)                                          \
    SSL_EXPERIMENTAL_API("SSL_BindServerCache",                                \
                         (PRFileDesc * _fd, const char *_name), (fd, name))

/* SSL_ListServerCaches calls |visit| with |arg| for every cache: its name, NULL
 * for the default cache, and what it is. Both are |visit|'s until it returns;
 * it may make any call. One that is added or removed meanwhile may be left out
 * or not. Ends early when |visit| does not return SECSuccess, and returns that.
 */
typedef SECStatus (*SSLServerCacheVisitor)(void *arg, const char *name,
                                           const SSLServerCacheParams *params);
#define SSL_ListServerCaches(visit, arg)                                       \
    SSL_EXPERIMENTAL_API("SSL_ListServerCaches",                               \
                         (SSLServerCacheVisitor _visit, void *_arg),           \
                         (visit, arg))

/* ---- For programs that nobody rebuilds -----------------------------------
 *
 * The environment variable SSL_SERVER_CACHE_CONFIG names a file that every call
 * of SSL_Config... reads (but in programs that run with another user's rights).
 * Each of its lines is a cache, in NSS's parameter syntax:
 *
 *     # a comment, also behind a line
 *     name=shop.example entries=20000 ssl3Timeout=5m matchClientAddress=no
 *     name=*            entries=50000 ssl3Timeout=1h
 *
 * name=* is the default cache: what is given for it takes the place of what the
 * application asked for. Of any other cache, what is not given has its default. A
 * cache that is there already is changed, one that no line names stays.
 *
 *   name                a host name or wildcard, as above, or *
 *   entries, certificates
 *                       numbers, as in SSLServerCacheParams
 *   ssl2Timeout, ssl3Timeout, clockSkew
 *                       seconds, or a number with s, m, h or d: 300, 300s, 5m, 1h,
 *                       1d. clockSkew is how far ahead of the asking socket's clock
 *                       a session may have been created: 1 to 300 s; 2
 *   matchClientAddress  yes, true, on, 1 or no, false, off, 0
 *   lock                the same; for name=* only (below)
 *
 * Case does not count in any of these. Blanks may stand around '=', values in quotes,
 * a dot at the end of a name; lines may end in CR LF, and a UTF-8 byte-order mark may
 * begin the file, which has at most 1 MiB.
 *
 * lock=yes keeps the memory of all caches out of swap: every process that uses them
 * locks it, a page when it is first touched, or SSL_InheritMPServerSIDCache refuses
 * it with PR_INSUFFICIENT_RESOURCES_ERROR. RLIMIT_MEMLOCK counts the memory that a
 * process has mapped, 2 MiB at a time: 8 MiB for a cache of 10,000 sessions. A child
 * by fork that may not lock goes on without.
 *
 * An error in the file does not take the server down, and makes nothing less safe
 * than the file asks. The call succeeds, and
 *   a wrong line that names a server
 *                       closes its cache: its clients get full handshakes, by
 *                       session ID and by ticket, until a later call reads the
 *                       line mended. While no line names it, it stays closed
 *   two lines for one cache
 *                       are both wrong
 *   a line without a name that can be read, or with two
 *                       is ignored
 *   a wrong line for name=*
 *                       lowers the application's values to each limit that could
 *                       be read of it (a flag that could not: to the stricter)
 *   entries or certificates of name=* for which there is no room (address space,
 *   RLIMIT_FSIZE, when growing RLIMIT_MEMLOCK)
 *                       count as the application's, or as the line's where those
 *                       are fewer; the rest of the line counts as it is
 *   more servers than the 1,024 that there can be, or than there is room for
 *                       lower the cache that their clients get instead to the
 *                       timeouts and the address matching of their lines, and
 *                       close it if those are wrong
 *   lock=yes where RLIMIT_MEMLOCK forbids it, or for caches that are there already
 *                       closes all caches, those too that the application adds,
 *                       until the line is changed. Caches that no line names stay
 *                       closed then as well
 *   a file that is missing, unreadable, empty, too large or no regular file, and
 *   a variable that is empty
 *                       count as no file
 * A value out of range becomes the nearest limit. The call fails only as it does
 * without a file, or with PR_PROC_DESC_TABLE_FULL_ERROR or SEC_ERROR_NO_MEMORY if
 * the file cannot be read for want of these.
 *
 * All this is reported on stderr and to syslog (facility daemon, severity error, by
 * a socket of its own), each message once for each version of the file in a process:
 *
 *     cache file /etc/caches:12:8: unknown parameter "entris" (did you mean
 *     "entries"?); cache "shop.example" is closed: full handshakes only, until the
 *     line is mended
 *
 * with line and column (in bytes from 1), in one line; after 20 messages, how many
 * more there are. SSL_GetServerCacheFigures tells which caches are closed.
 *
 * With SSL_SERVER_CACHE_CONFIG_STRICT=1 any error, a value out of range and an
 * empty file excepted, fails the call instead: SEC_ERROR_INVALID_ARGS, NSPR's
 * error for a file that cannot be read, PR_INSUFFICIENT_RESOURCES_ERROR (servers,
 * RLIMIT_MEMLOCK), PR_INVALID_STATE_ERROR (too late to lock), or
 * SEC_ERROR_NO_MEMORY or PR_FILE_TOO_BIG_ERROR (no room). The first message is the
 * error's text (PR_GetErrorText). Every cache is then what it was before the call.
 * If the room ran short only after some caches were changed, the call has changed
 * them back: servers that it had added are gone again, and sessions that shorter
 * timeouts or fewer entries cost the others do not come back. A cache stays changed
 * only if another process changes caches for two seconds meanwhile. */
#define SSL_SERVER_CACHE_CONFIG "SSL_SERVER_CACHE_CONFIG"
#define SSL_SERVER_CACHE_CONFIG_STRICT "SSL_SERVER_CACHE_CONFIG_STRICT"

/* ---- SSL_GetServerCacheFigures ------------------------------------------- */

/* SSLServerCacheFigures is what a cache has and has done since it was made, in
 * all processes. Fields are only ever added at the end. */
typedef struct SSLServerCacheFiguresStr {
    PRUint32 length; /* bytes written, |length| included */

    PRUint32 ssl2TimeoutSec;
    PRUint32 ssl3TimeoutSec;
    PRUint32 closed; /* 1: nothing goes in or comes out, because of the file of
                      * caches (above) */

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
    PRUint64 replacedLive;    /* inserts that evicted another session */
    PRUint64 dropped;         /* inserts that lost a race */
    PRUint64 refused;         /* inserts that were too large */
    PRUint64 removals;
    PRUint64 reclaimed;  /* places taken back from processes that died */
    PRUint64 corrupt;    /* sessions spoiled by a process that was stopped while
                         * it stored one, and went on too late */
    PRUint64 wiped;      /* taken out because expired, or their certificate was
                         * evicted */
    PRUint64 overridden; /* unfinished inserts that a removal took away, which
                          * might have been of the removed session */

    PRUint64 missesFuture; /* created further ahead of the socket's clock than
                            * clockSkewSec */
    PRUint64 keyFailures;  /* keys for master secrets and tickets that a token
                            * would not unwrap, or wrap, under a server key, each
                            * time that it was asked; until then the process has
                            * keys of its own, whose sessions resume there only */
} SSLServerCacheFigures;

/* SSL_GetServerCacheFigures writes the figures of the cache |name|, or with NULL
 * of the default one, into |*figures|, which has |len| bytes: as much as fits of
 * what this libssl knows, and into |figures->length| how much that was. Fields
 * beyond it are not written.
 *
 * Returns SECSuccess, or SECFailure with SEC_ERROR_INVALID_ARGS,
 * SSL_ERROR_SERVER_CACHE_NOT_CONFIGURED, PR_FILE_NOT_FOUND_ERROR (no such
 * cache), SEC_ERROR_BAD_DATABASE or, on an NSS without sslsnce,
 * SSL_ERROR_UNSUPPORTED_EXPERIMENTAL_API. Any thread; does not block; makes one
 * system call. Each figure is exact when the processes rest, but that a process
 * which died in the middle of an operation may leave |live| and |certificates|
 * off by one. |regionBytes| and |residentBytes| are those of all caches. */
#define SSL_GetServerCacheFigures(name, figures, len)                          \
    SSL_EXPERIMENTAL_API(                                                      \
        "SSL_GetServerCacheFigures",                                           \
        (const char *_name, SSLServerCacheFigures *_figures, PRUintn _len),    \
        (name, figures, len))

#ifdef __cplusplus
}
#endif

#endif /* SSLSNCE_SSLSNCE_H */
