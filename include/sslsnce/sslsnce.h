/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sslsnce.h: the server session cache, for NSS applications.
 *
 * An application that does not know sslsnce goes on calling the functions of
 * ssl.h; this header says what they then do. The new calls go through NSS's
 * experimental API, so that one binary runs on every NSS: on an NSS without
 * sslsnce they return SECFailure with SSL_ERROR_UNSUPPORTED_EXPERIMENTAL_API.
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

/* The version of this header. The figures (SSL_GetServerCacheFigures) have the
 * version of the library that the process has loaded. */
#define SSLSNCE_VERSION "0.2.0"

/* ---- The calls of ssl.h ----
 *
 * SSL_ConfigServerSessionIDCache, SSL_ConfigMPServerSIDCache and
 * SSL_ConfigServerSessionIDCacheWithOpt make the default cache. If it exists
 * already, they change its limits.
 *
 *   maxCacheEntries   sessions that the cache holds. 0: 10,000. At most
 *                     100,000,000. Memory is taken as sessions arrive.
 *   ssl2_timeout      seconds that a session of a version below SSL 3.0 lives:
 *                     5 to 100. 0: 100.
 *   ssl3_timeout      seconds that any other lives: 5 to 86,400. 0: 86,400.
 *                     Both count from the session's creation, by the clock of
 *                     the socket that looks it up. A value out of range becomes
 *                     the nearest limit. If a session was created more than two
 *                     seconds ahead of that clock (clockSkewSec, below), the
 *                     handshake is a full one: otherwise a clock that is set
 *                     back would lengthen every session.
 *   directory         accepted and ignored: the cache is anonymous memory.
 *   maxCertCacheEntries
 *                     client certificates that the cache holds, each of up to
 *                     65,535 bytes. 0 or less: one for each session.
 *   maxSrvNameCacheEntries
 *                     accepted and ignored: a session keeps a hash of its server
 *                     name.
 *
 * The cache refuses a session, and its client makes a full handshake again, if
 * its ID is empty or over 32 bytes, or its client's certificate has more than
 * 65,535 bytes. A session never resumes without its client's certificate, nor
 * under another server name.
 *
 * A session, or a session ticket, resumes under the server key that it was made
 * under and under no other key, in every process that has that key. With the
 * certificate of another key the client makes a full handshake; a certificate
 * that is renewed with its old key changes nothing.
 *
 * A cache has room for what 1,024 server keys need, and keeps it until all
 * processes have shut the cache down. Sessions under further server keys resume
 * only in the process that made them. The same holds for a server key whose
 * token signs but neither decrypts nor derives, or fails to for a while: the
 * process asks the token again after a second, and then after pauses of up to
 * five minutes (keyFailures, below).
 *
 * Session tickets, and the cookies of HelloRetryRequests, are encrypted under
 * ticket keys, which all processes with a common server key share: RSA, RSA-PSS
 * or EC. A new ticket key encrypts each day (ticketRotation, below), by the
 * clocks of the sockets; the old ones decrypt until the last ticket made with
 * them has expired, and are then wiped. A process whose token fails has ticket
 * keys of its own until the token works, and goes on accepting what they
 * protect. After SSL_SetSessionTicketKeyPair, only that key shares.
 *
 * A session may be resumed by tickets
 *   until its ticket has expired: two days (ticketTimeout) after it was issued.
 *       NSS always takes two days. The client is told the time that is left, as
 *       the lifetime of the ticket (RFC 5077 section 3.3, RFC 9846 section
 *       4.7.1);
 *   until the session itself is too old, however often its ticket was renewed:
 *       a week after its full handshake in TLS 1.3, two rotations before
 *       (maxResumptionAge). The ticket carries the time of that handshake. In
 *       NSS a client that comes back in time resumes for ever;
 *   in the cache that it was made in. Each cache has encryption keys and key
 *       names of its own, derived from the ticket key, the cache's name and its
 *       ticketEpoch. A ticket of another cache is of an unknown key here, and
 *       the client makes a full handshake. The default cache with ticketEpoch 0
 *       uses the keys of the cookies;
 *   until that cache is flushed or removed, or gets another ticketEpoch.
 * A shorter limit counts at once, also for tickets that clients hold. A longer
 * ticketTimeout counts for keys made after the change; after two rotations, all
 * keys in use are such. On a server's socket, the expirationTime of
 * SSL_GetChannelInfo is the end of the ticket by which the session resumed, or of
 * the last ticket that the server sent (TLS 1.3).
 *
 * Early data (TLS 1.3, 0-RTT) that came with a ticket is accepted at most once over
 * all processes that share a cache. As in NSS, a server accepts early data only with
 * an anti-replay context (SSL_SetAntiReplayContext). All contexts of these processes
 * that were created with the same window, k and bits share one filter; a context
 * rejects all early data for one window from its |now| on, and again when its
 * process gets another cache by Config or Inherit. Eight combinations of these
 * parameters can be in use; with further ones early data is rejected. Rejecting it
 * never fails a handshake. An external PSK has no age, so its early data is
 * recognized only for one to two windows, as in NSS.
 *
 * libssl calls the SNI callback once for every ClientHello with a server name,
 * before it decides whether to resume. (Without sslsnce, NSS calls it before
 * TLS 1.3 for full handshakes only.) What the callback made of the socket then
 * counts:
 *   SSL_REQUIRE_CERTIFICATE      a session without a client certificate does not
 *                                resume where a full handshake would insist on one
 *   SSL_NO_CACHE                 no session resumes by ID
 *   SSL_ENABLE_SESSION_TICKETS   if the callback disabled them, no session resumes
 *                                by ticket, and libssl issues none. A ticket that
 *                                the application issued (SSL_SendSessionTicket, TLS
 *                                1.3) resumes with or without this option, as in
 *                                NSS
 *   the name that it chose       a session that was made under another name does
 *                                not resume
 * In these cases the client makes a full handshake. Version and cipher suite
 * stay as they were negotiated before the callback. After a HelloRetryRequest
 * libssl calls the callback again, for the second ClientHello; options that a
 * SSL_HelloRetryRequestCallback changes count in the same way. As in NSS, no
 * SSL_AuthCertificateHook runs for a session that resumes: sockets that trust
 * different client certificates need different caches (SSL_BindServerCache).
 *
 * The cache does not store a session that resumed by ticket, because the client
 * chose its ID. libssl sends no ticket, and the handshake goes on, if the
 * ticket cannot be made or would have more than 61,440 bytes, which leave a
 * client no room for its other extensions. If a ticket was made more than two
 * seconds (clockSkewSec) ahead of the clock of the socket that receives it, the
 * handshake is a full one.
 *
 * The Config calls may come before NSS_Init. After
 * SSL_ShutdownServerSessionIDCache they make a new cache. A second call changes
 * the cache that exists: its timeouts count at once, also for the sessions that
 * are in it; more entries make the cache larger and keep what is in it; fewer
 * leave it as large as it is. A single-process cache that is configured again
 * for many processes is exported from then on; a cache for many processes stays
 * exported. In a child process the call acts on the cache that the processes
 * share. What the cache has about tickets stays, unless the configuration file
 * (below) has a line for the default cache.
 *
 * They return SECSuccess, or SECFailure with
 *   SEC_ERROR_INVALID_ARGS            a number of entries that is negative or too
 *                                     large
 *   SEC_ERROR_NO_MEMORY               no memory or address space; when growing,
 *                                     the timeouts are set, the size is kept
 *   PR_INSUFFICIENT_RESOURCES_ERROR   RLIMIT_MEMLOCK forbids to lock the cache,
 *                                     as a strict configuration file (below) asks,
 *                                     or to lock the part by which it is to grow
 *   PR_PROC_DESC_TABLE_FULL_ERROR     no file descriptor left
 *   PR_FILE_TOO_BIG_ERROR             RLIMIT_FSIZE forbids the size
 *   PR_OPERATION_NOT_SUPPORTED_ERROR  the kernel allows no memory file: neither
 *                                     memfd_create, nor open with O_TMPFILE on a
 *                                     memory file system
 *   PR_BAD_DESCRIPTOR_ERROR           the application closed the cache's
 *                                     descriptor, without which the cache cannot
 *                                     be exported or configured again
 *   SEC_ERROR_BUSY                    another process did not end its own
 *                                     configuring within two seconds
 * and a cache that existed before the call goes on.
 *
 * Processes. A child by fork shares its parent's cache, whichever call made it.
 * For a child by exec, SSL_ConfigMPServerSIDCache writes a string into the
 * environment (SSL_ENV_VAR_NAME), and leaves the cache's only descriptor open
 * across exec.
 *
 * SSL_InheritMPServerSIDCache attaches to the cache that |envString| names, or
 * with NULL to the one that the environment names. With NULL, in a process that
 * has a cache already (by fork, or from an earlier call), it changes nothing
 * and succeeds. The same holds if the string names the cache that the process
 * has, whichever descriptor it gives; that descriptor stays the caller's. If it
 * fails, a cache that the process had goes on. It fails with
 *   SSL_ERROR_SERVER_CACHE_NOT_CONFIGURED  no string, and no cache either
 *   SEC_ERROR_INVALID_ARGS                 a string that Config did not write
 *   PR_BAD_DESCRIPTOR_ERROR                the descriptor in the string was closed,
 *                                          or is not a memory file
 *   SEC_ERROR_BAD_DATA                     a cache of another build, or not the
 *                                          one that the string names
 *   SEC_ERROR_BAD_DATABASE                 the cache's memory failed a check
 *   PR_INSUFFICIENT_RESOURCES_ERROR        a locked cache (below), which this
 *                                          process's RLIMIT_MEMLOCK forbids. The
 *                                          error's text has the bytes and the
 *                                          limit; it is logged too, but not
 *                                          twice in a row for one string
 *   PR_INVALID_STATE_ERROR                 a good string, of another cache than
 *                                          the one that this process has
 *
 * SSL_ShutdownServerSessionIDCache detaches this process. The cache lives on in
 * other processes, and while a child that may still inherit it has its
 * descriptor; it ends with the last of them. The call waits, for at most a
 * second, for threads that are in the middle of a lookup or a store. If one is
 * still there (under a debugger, say), the memory stays mapped. From then on
 * this process caches nothing, and every handshake that asks the cache is a
 * full one, until the next Config; the environment keeps its string. The call
 * always succeeds, a second time too.
 *
 * SSL_GetMaxServerCacheLocks and SSL_SetMaxServerCacheLocks return and set a
 * number (at first 10, at least 3) that has no effect: the cache has no locks.
 *
 * Any thread may call any of these at any time, also as the first call of the
 * process, before NSPR and NSS are initialized. If the thread is cancelled
 * (pthread_cancel), it ends after the call. Another thread may fork at any time
 * too, except during the first call that exports the cache: that call sets the
 * environment, and the C library's lock for it would stay taken in the child.
 *
 * The first Config or Inherit keeps libssl loaded for the life of the process.
 * A program that loaded libssl by dlopen may call dlclose, before or after
 * Shutdown and NSS_Shutdown, and finds its cache again when it loads libssl
 * again. */

/* ---- Virtual servers -----------------------------------------------------
 *
 * Beside the default cache there may be up to 1,024 others, each for a virtual
 * server: a cache with a name, a size, timeouts and figures of its own. The load
 * on one evicts nothing from another. They lie in the same shared memory as the
 * default cache, so that all processes that share it share all of them: a change
 * by one process counts in all processes at once. If a process dies during a
 * change, the cache is as it was before the change, or as the change was to
 * make it.
 *
 * A connection belongs to the first of these caches that there is:
 *   the cache that its socket is bound to (SSL_BindServerCache);
 *   the cache whose name is exactly the name that the client asks for (the
 *   host_name of its server_name extension, RFC 6066 section 3);
 *   the cache "*.example.org", if that name has one label more than example.org;
 *   the default cache.
 * This holds with or without an SNI callback, whose choice of a certificate
 * counts as it always did.
 *
 * A session is found only in the cache that stored it, and only by a client
 * that asks for the same server name as its first client did, or for none if
 * that one asked for none. This holds in the default cache and for tickets too.
 * In every other case the client makes a full handshake.
 *
 * Names are host names of at most 255 bytes: labels of ASCII letters, digits,
 * '-' and '_' with a dot between them, compared without regard to case. "*"
 * names the default cache.
 *
 * Any thread of any process that has a cache, by Config or Inherit, may make
 * these calls; without a cache they fail with
 * SSL_ERROR_SERVER_CACHE_NOT_CONFIGURED. Only one process at a time changes
 * caches: a call that changes something waits up to two seconds for another
 * process's change, then fails with SEC_ERROR_BUSY. Handshakes do not wait. */

/* SSLServerCacheParams says how to make a cache; 0 in a field asks for its
 * default. New fields are only ever added at the end. */
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
                              * ahead of the clock of the socket that looks it
                              * up; at most 300. 0: 2 */

    /* Session tickets (see above). Seconds out of range become the nearest limit. */
    PRUint32 ticketTimeoutSec;    /* for which a ticket may be used; 5 to
                                   * 604,800. 0: 172,800 */
    PRUint32 maxResumptionAgeSec; /* after a full handshake, in which its
                                   * session may be resumed, however often its
                                   * ticket is renewed; 5 to 604,800. 0: 604,800
                                   * in TLS 1.3; before, twice ticketRotationSec
                                   * (RFC 9325 section 3.4) */
    PRUint32 ticketRotationSec;   /* after which another ticket key encrypts, in
                                   * all caches; 60 to 604,800. 0: 86,400. Only
                                   * for the default cache; 0 for any other */
    PRUint32 ticketEpoch;         /* another number ends all tickets of the
                                   * cache. A number that it had before brings
                                   * back those that have not expired */
    PRBool sharesClientAuth; /* PR_TRUE: a ticket of another machine of a fleet
                              * (below) counts also if its session has a client's
                              * certificate. Only for machines that trust the same
                              * issuers */
} SSLServerCacheParams;

/* SSL_AddServerCache makes the cache |name| as |params| say; with NULL every
 * parameter has its default. Handshakes that begin after the call use the
 * cache.
 *
 * Fails with SEC_ERROR_INVALID_ARGS (|name| is not a valid name, a size is out of
 * range, or ticketRotationSec is not 0), PR_FILE_EXISTS_ERROR (the cache exists already),
 * SEC_ERROR_NO_MEMORY (memory or address space), PR_FILE_TOO_BIG_ERROR
 * (RLIMIT_FSIZE), PR_INSUFFICIENT_RESOURCES_ERROR (there are 1,024 already; or
 * RLIMIT_MEMLOCK, where the caches are locked in memory),
 * PR_BAD_DESCRIPTOR_ERROR (the application closed the cache's descriptor) or
 * SEC_ERROR_BUSY. */
#define SSL_AddServerCache(name, params)                                       \
    SSL_EXPERIMENTAL_API(                                                      \
        "SSL_AddServerCache",                                                  \
        (const char *_name, const SSLServerCacheParams *_params),              \
        (name, params))

/* SSL_ChangeServerCache sets all limits of the cache |name|, or with NULL of
 * the default cache, to those in |params|, while the cache is in use. A cache
 * that the configuration file (below) has closed stays closed. Timeouts count
 * at once, also for the sessions that are in the cache. A larger cache keeps
 * every live session; a smaller one keeps the newest, as many as it holds.
 *
 * Fails with SEC_ERROR_INVALID_ARGS (as above, but the default cache may have a
 * ticketRotationSec), PR_FILE_NOT_FOUND_ERROR (no such cache),
 * SEC_ERROR_NO_MEMORY, PR_FILE_TOO_BIG_ERROR or PR_INSUFFICIENT_RESOURCES_ERROR
 * (no room to grow, as for SSL_AddServerCache: timeouts are set, the size is
 * kept), PR_BAD_DESCRIPTOR_ERROR or SEC_ERROR_BUSY. */
#define SSL_ChangeServerCache(name, params)                                    \
    SSL_EXPERIMENTAL_API(                                                      \
        "SSL_ChangeServerCache",                                               \
        (const char *_name, const SSLServerCacheParams *_params),              \
        (name, params))

/* SSL_FlushServerCache removes and wipes every session of the cache |name|, or
 * with NULL of the default cache: after the call, no session is found that was
 * stored before it. No session whose ClientHello came before the call resumes by
 * a ticket either, in any process with these caches, even if there is no room for
 * an empty cache. A resumption that has begun by then may still end.
 *
 * Fails with PR_FILE_NOT_FOUND_ERROR, SEC_ERROR_NO_MEMORY,
 * PR_FILE_TOO_BIG_ERROR or PR_INSUFFICIENT_RESOURCES_ERROR (no room for an
 * empty cache beside the full one), PR_BAD_DESCRIPTOR_ERROR or
 * SEC_ERROR_BUSY. */
#define SSL_FlushServerCache(name)                                             \
    SSL_EXPERIMENTAL_API("SSL_FlushServerCache", (const char *_name), (name))

/* SSL_RemoveServerCache removes the cache |name| with its sessions. From then
 * on, sockets that are bound to it store and find no session, accept no ticket
 * and issue none (SSL_SendSessionTicket fails with SSL_ERROR_FEATURE_DISABLED),
 * even if a cache of that name is added again. The default cache cannot be
 * removed.
 *
 * Fails with SEC_ERROR_INVALID_ARGS (the default cache),
 * PR_FILE_NOT_FOUND_ERROR, PR_BAD_DESCRIPTOR_ERROR or SEC_ERROR_BUSY; and with
 * SEC_ERROR_NO_MEMORY, PR_INSUFFICIENT_RESOURCES_ERROR or
 * PR_OPERATION_NOT_SUPPORTED_ERROR if another process died while it changed a
 * cache, and this process has not the memory to end that change. */
#define SSL_RemoveServerCache(name)                                            \
    SSL_EXPERIMENTAL_API("SSL_RemoveServerCache", (const char *_name), (name))

/* SSL_BindServerCache binds |fd|, a socket of libssl, to the cache |name| ("*"
 * for the default cache): handshakes that begin after the call use that cache,
 * whatever name their clients ask for. With NULL, the name that a client asks
 * for chooses the cache again. Connections that are made with |fd| as their
 * model (SSL_ImportFD, SSL_ReconfigFD) are bound as it is. The socket is bound
 * to the cache that has the name now. After that cache was removed, or the
 * process has shut its caches down, the socket stores and finds nothing until
 * it is bound again; a socket that is bound to "*" uses the default cache of
 * the next Config.
 *
 * Fails with PR_BAD_DESCRIPTOR_ERROR (no socket of libssl) or
 * PR_FILE_NOT_FOUND_ERROR. */
#define SSL_BindServerCache(fd, name)                                          \
    SSL_EXPERIMENTAL_API("SSL_BindServerCache",                                \
                         (PRFileDesc * _fd, const char *_name), (fd, name))

/* SSL_ListServerCaches calls |visit| with |arg| for every cache, with its name
 * (NULL for the default cache) and its parameters. |visit| may use both until
 * it returns, and may make any call. A cache that is added or removed meanwhile
 * may be left out or not. If |visit| does not return SECSuccess, the list ends
 * there, and the call returns that value. */
typedef SECStatus (*SSLServerCacheVisitor)(void *arg, const char *name,
                                           const SSLServerCacheParams *params);
#define SSL_ListServerCaches(visit, arg)                                       \
    SSL_EXPERIMENTAL_API("SSL_ListServerCaches",                               \
                         (SSLServerCacheVisitor _visit, void *_arg),           \
                         (visit, arg))

/* ---- Ticket keys ---------------------------------------------------------
 *
 * All caches of a machine have one source of ticket keys, which is one of
 * these:
 *
 *   random    the default. The processes make a key at random when it is due,
 *             and share it. No other machine has it.
 *   keys      that the application or files give (ticketKeyFile, below). One
 *             encrypts, all decrypt, until they are replaced.
 *   a secret  that all machines of a fleet have (ticketSecretFile, below). Time
 *             is divided into periods of ticketRotation seconds, counted from
 *             1970. Each period's key is derived from the secret and the period
 *             (HKDF with SHA-256, RFC 5869). So all machines change their keys
 *             at the same time, each knows the next key in advance, and none is
 *             ever sent. The machines must have the same ticketRotation. Old
 *             keys are truly destroyed only when the secret is replaced: who
 *             has the secret can derive them. Replace it at least weekly (RFC
 *             9325 section 3.4).
 *
 * With keys or a secret, a ticket resumes on every machine that has them, the
 * server key and a cache of the same name and ticketEpoch; on any other machine
 * the client makes a full handshake. The clocks of two machines may differ by
 * five minutes: a ticket that was made further ahead of a machine's clock is a
 * full handshake there. On another machine than the one that made it, a ticket
 *   has no early data: it is rejected (RFC 9846 section 8);
 *   does not count if the session has a client's certificate, because that
 *       machine may trust other issuers, unless the cache has
 *       ticketClientAuth=shared;
 *   does not count if its session began before the last SSL_FlushServerCache or
 *       SSL_RemoveServerCache of a cache with that name there. To end the
 *       tickets of a cache on all machines, give it another ticketEpoch on all
 *       of them.
 *
 * Another source takes effect with the next handshakes, in the process that has
 * it and in all that share a server key with it. From then on the keys of the
 * old source do not decrypt. Keys that were made at random do, until their
 * tickets have expired.
 *
 * Keys and secrets lie in shared memory only encrypted under another key, and
 * that memory is in no core dump. In FIPS mode all of this works, but HKDF and
 * AES key wrap are not among the mechanisms that NSS 3.87 calls approved. */

/* SSL_RotateServerTicketKeys makes a new key at random, which encrypts at once;
 * what encrypted until now goes on to decrypt. Fails with
 * PR_INVALID_STATE_ERROR if the keys are from another source, which rotates by
 * itself or is replaced. */
#define SSL_RotateServerTicketKeys()                                           \
    SSL_EXPERIMENTAL_API("SSL_RotateServerTicketKeys", (void), ())

/* Where a ticket key is from. */
typedef enum {
    ssl_ticket_key_random = 0,
    ssl_ticket_key_file = 1,   /* of a file, or of SSL_SetServerTicketKeys */
    ssl_ticket_key_secret = 2, /* the secret itself, which encrypts nothing */
    ssl_ticket_key_period = 3  /* derived from it for one period */
} SSLServerTicketKeySource;

/* SSL_SetServerTicketKeys makes |keys| the source, in place of what was, files
 * included. With ssl_ticket_key_file, each of the |count| keys has 48 or 80
 * bytes, with ssl_ticket_key_secret 32 to 1,024; the first one encrypts, or is
 * the secret from which keys are derived, and the others only decrypt. At most
 * 16. With ssl_ticket_key_random and a |count| of 0, keys are made at random.
 * The caller wipes |keys|.
 *
 * Fails with SEC_ERROR_INVALID_ARGS, or SEC_ERROR_BAD_DATA if a key is not as
 * it must be (as in a file, below): the error's text (PR_GetErrorText) says
 * which and why. Then nothing has changed. */
#define SSL_SetServerTicketKeys(source, keys, count)                           \
    SSL_EXPERIMENTAL_API(                                                      \
        "SSL_SetServerTicketKeys",                                             \
        (PRUint32 _source, const SECItem *_keys, PRUintn _count),              \
        (source, keys, count))

/* SSL_ReloadServerTicketKeys reads the files of ticket keys again, in this
 * process, whether they have changed or not. Without this call a process that
 * may read them looks once a second whether they have.
 *
 * Fails with PR_INVALID_STATE_ERROR if no file is configured,
 * PR_NO_ACCESS_RIGHTS_ERROR if this process may not read one, and NSPR's errors
 * for files or SEC_ERROR_BAD_DATA if a file is not as it must be: the error's
 * text says which file, which line, and why. Then the keys in force stay so. */
#define SSL_ReloadServerTicketKeys()                                           \
    SSL_EXPERIMENTAL_API("SSL_ReloadServerTicketKeys", (void), ())

/* SSLServerTicketKey tells about one ticket key. New fields are only ever added
 * at the end. Times are microseconds since 1970; PR_INT64_MAX: no end. */
typedef struct SSLServerTicketKeyStr {
    PRUint32 length; /* sizeof(SSLServerTicketKey) of the library */
    PRUint32 source; /* SSLServerTicketKeySource */
    /* The 16 bytes with which the tickets of the default cache begin, in
     * hexadecimal. In another cache the first 8 are the same. Of a secret, the
     * first 8 tell it from others. */
    char name[33];
    PRBool encrypts; /* now */
    PRBool shared;   /* this process has it from the others */
    PRTime created;  /* or, of keys that were given, when */
    PRTime encryptFrom;
    PRTime encryptUntil;
    PRTime decryptUntil;
    /* By all processes. Those of a secret's periods are counted with the
     * secret. Those of a process that shares its keys with no other are not
     * counted. */
    PRUint64 ticketsMade;
    PRUint64 ticketsAccepted;
} SSLServerTicketKey;

/* SSL_ListServerTicketKeys calls |visit| with |arg| for every ticket key that
 * this process knows and that still decrypts; of a secret's periods, for those
 * whose tickets it has met. |visit| may use |key| until it returns. If |visit|
 * does not return SECSuccess, the list ends there, and the call returns that
 * value. */
typedef SECStatus (*SSLServerTicketKeyVisitor)(void *arg,
                                               const SSLServerTicketKey *key);
#define SSL_ListServerTicketKeys(visit, arg)                                   \
    SSL_EXPERIMENTAL_API("SSL_ListServerTicketKeys",                           \
                         (SSLServerTicketKeyVisitor _visit, void *_arg),       \
                         (visit, arg))

/* ---- For programs that are not rebuilt -----------------------------------
 *
 * The environment variable SSL_SERVER_CACHE_CONFIG names a configuration file.
 * Every call of SSL_Config... reads it, except in programs that run with
 * another user's rights. Each line describes one cache, in NSS's parameter
 * syntax:
 *
 *     # a comment, also behind a line
 *     name=shop.example entries=20000 ssl3Timeout=5m matchClientAddress=no
 *     name=*            entries=50000 ssl3Timeout=1h
 *
 * name=* is the default cache: a value in its line replaces the one that the
 * application asked for. In the line of any other cache, a parameter that is
 * left out has its default. A cache that exists already is changed; a cache
 * that no line names stays as it is.
 *
 *   name                a host name or wildcard, as above, or *
 *   entries, certificates
 *                       numbers, as in SSLServerCacheParams
 *   ssl2Timeout, ssl3Timeout, clockSkew
 *                       seconds, or a number with s, m, h or d: 300, 300s, 5m, 1h,
 *                       1d. clockSkew is how far ahead of the clock of the socket
 *                       that looks it up a session may have been created: 1 to
 *                       300 s, by default 2
 *   ticketTimeout, maxResumptionAge
 *                       durations as above, 5 s to 7 d: how long a ticket, and
 *                       a session by renewed tickets, may be used; by default
 *                       2d, and 7d (before TLS 1.3: two rotations)
 *   ticketEpoch         a number up to 100,000,000; another one ends all tickets
 *                       of the cache. One that it had before brings back those
 *                       that have not expired
 *   ticketRotation      a duration as above, 60 s to 7 d: how long a ticket key
 *                       encrypts; by default 1d; for name=* only, and then for
 *                       all caches
 *   ticketClientAuth    own or shared; own: a ticket of another machine does not
 *                       count if its session has a client's certificate
 *   matchClientAddress  yes, true, on, 1 or no, false, off, 0
 *   lock                the same; for name=* only (below)
 *   ticketKeyFile, ticketSecretFile
 *                       PATH or PATH,PATH,...: files of ticket keys, or of secrets
 *                       from which ticket keys are derived (below); only one of
 *                       the two, for name=* only, and then for all caches
 *
 * Upper and lower case are the same in all of these. Blanks may surround '=', a
 * value may stand in quotes, a name may end in a dot, lines may end in CR LF,
 * and the file may begin with a UTF-8 byte-order mark. It has at most 1 MiB.
 *
 * lock=yes keeps the memory of all caches out of swap: every process that uses
 * them locks each page when it first touches it. Where RLIMIT_MEMLOCK forbids
 * that, SSL_InheritMPServerSIDCache fails with PR_INSUFFICIENT_RESOURCES_ERROR,
 * and a child by fork goes on without the lock.
 * RLIMIT_MEMLOCK counts the memory that a process has mapped, 2 MiB at a time:
 * 8 MiB for a cache of 10,000 sessions.
 *
 * Ticket keys in files let servers on several machines accept each other's
 * tickets. Each path begins with '/'; there are at most 8, and a path with a blank
 * stands in quotes.
 *   ticketKeyFile       A file of exactly 48 or 80 random bytes is one key, as for
 *                       nginx. Any other file has a key of 48 or 80 bytes in
 *                       base64 on each line, as for HAProxy. The first file has
 *                       the key that encrypts: its last key but one, or its only
 *                       one. All keys decrypt. The first 16 bytes of a key are its
 *                       name, which no other key has
 *   ticketSecretFile    A file has a secret of 32 to 1,024 bytes in base64 on each
 *                       line. Ticket keys are derived from the first secret of
 *                       the first file; the others, earlier ones or the next,
 *                       only decrypt
 * Lines may end in CR LF; empty ones count as none. All files together have at most
 * 16 keys or secrets, and each file has at most 64 KiB. A file is refused that every
 * user may read or write, or that a symbolic link of another user, except root,
 * leads to.
 *
 * An error in the file does not take the server down, and makes nothing less
 * safe than the file asks. The call succeeds, and
 *   a wrong line that names a server
 *                       closes the cache of that server: its clients make full
 *                       handshakes, by session ID and by ticket, until a later
 *                       call reads the line corrected. If no line names the server
 *                       any more, its cache stays closed
 *   two lines for one cache
 *                       are both wrong
 *   a line without a name that can be read, or with two names
 *                       is ignored
 *   a wrong line for name=*
 *                       lowers the application's values to each limit that could
 *                       be read from it (for a flag that could not be read: to the
 *                       stricter value)
 *   entries or certificates of name=* for which there is no room (address space,
 *   RLIMIT_FSIZE, when growing RLIMIT_MEMLOCK)
 *                       are replaced by the application's, or kept where they are
 *                       fewer; the rest of the line counts as it is
 *   more servers than the 1,024 that there can be, or than there is room for
 *                       lower the cache that their clients get instead to the
 *                       timeouts, clock skew and address matching of their lines,
 *                       and close it if those lines are wrong
 *   lock=yes where RLIMIT_MEMLOCK forbids it, or where the caches exist already
 *                       closes all caches, also those that the application adds,
 *                       until the line is changed. Caches that no line names stay
 *                       closed even then
 *   a file that is missing, unreadable, empty, too large or no regular file, and
 *   a variable that is empty
 *                       count as no file
 * A value out of range becomes the nearest limit. The call fails only as it
 * does without a file, or because it lacks descriptors or memory to read the
 * file (PR_PROC_DESC_TABLE_FULL_ERROR, SEC_ERROR_NO_MEMORY).
 *
 * All of this is reported on stderr and to syslog (facility daemon, severity
 * error, by a socket of the library's own), each message once in a process for
 * each version of the file:
 *
 *     cache file /etc/caches:12:8: unknown parameter "entris" (did you mean
 *     "entries"?); cache "shop.example" is closed: full handshakes only, until the
 *     line is mended
 *
 * A message is one line, with the fault's line and column (in bytes from 1).
 * After 20 messages, one more says how many are left out.
 * SSL_GetServerCacheFigures tells which caches are closed.
 *
 * With SSL_SERVER_CACHE_CONFIG_STRICT=1 any error fails the call instead,
 * except a value out of range and an empty file. The call then fails with
 * SEC_ERROR_INVALID_ARGS, NSPR's error for a file that cannot be read,
 * PR_INSUFFICIENT_RESOURCES_ERROR (too many servers, or RLIMIT_MEMLOCK),
 * PR_INVALID_STATE_ERROR (too late to lock), or SEC_ERROR_NO_MEMORY or
 * PR_FILE_TOO_BIG_ERROR (no room). The error's text (PR_GetErrorText) is the
 * first message. Every cache is then as it was before the call. If the call ran
 * out of room after it had changed some caches, it changes them back: it
 * removes the servers that it had added, but sessions that the others lost to
 * shorter timeouts or fewer entries do not come back. A cache stays changed
 * only if another process changes caches for two seconds meanwhile. */
#define SSL_SERVER_CACHE_CONFIG "SSL_SERVER_CACHE_CONFIG"
#define SSL_SERVER_CACHE_CONFIG_STRICT "SSL_SERVER_CACHE_CONFIG_STRICT"

/* ---- SSL_GetServerCacheFigures ------------------------------------------- */

/* SSLServerCacheFigures counts what a cache holds, and what it has done since
 * it was made, in all processes. New fields are only ever added at the end. */
typedef struct SSLServerCacheFiguresStr {
    PRUint32 length; /* bytes written, |length| included */

    PRUint32 ssl2TimeoutSec;
    PRUint32 ssl3TimeoutSec;
    PRUint32 closed; /* 1: closed by the configuration file (above): it stores
                      * and finds nothing */

    PRUint64 entries;       /* sessions that it is configured for */
    PRUint64 slots;         /* places for sessions */
    PRUint64 live;          /* sessions now, expired ones included */
    PRUint64 certificates;  /* client certificates now */
    PRUint64 regionBytes;   /* bytes of the shared memory; a process maps what
                             * it uses of them */
    PRUint64 residentBytes; /* memory that it takes now; 0 if unknown */

    PRUint64 hits;
    PRUint64 missesUnknown; /* no such session */
    PRUint64 missesExpired;
    PRUint64 missesAddress;     /* made from another client address */
    PRUint64 missesName;        /* made for another server name */
    PRUint64 missesCertificate; /* its certificate was evicted */

    PRUint64 inserts;
    PRUint64 replacedExpired; /* inserts that took an expired session's place */
    PRUint64 replacedLive;    /* inserts that evicted another session */
    PRUint64 dropped;         /* inserts that lost a race */
    PRUint64 refused;         /* inserts too large, or into a closed cache */
    PRUint64 removals;        /* sessions removed */
    PRUint64 reclaimed;       /* places taken back from processes that died */
    PRUint64 corrupt;    /* sessions spoiled by a process that was stopped while
                          * it stored one, and went on too late */
    PRUint64 wiped;      /* sessions taken out because they expired, or because
                          * their certificate was evicted */
    PRUint64 overridden; /* unfinished inserts that a removal cancelled, because
                          * they might have been of the session to remove */

    PRUint64 missesFuture; /* created more than clockSkewSec ahead of the
                            * socket's clock */
    PRUint64 keyFailures;  /* failures of a token to wrap or unwrap, under a
                            * server key, the keys for master secrets or
                            * tickets: one for each time that it was asked.
                            * Until it works, the process uses keys of its own,
                            * whose sessions resume there only */
    PRUint64 unmapped;     /* lookups, inserts and removals that did nothing
                            * because the process could not map that part of the
                            * cache: the cache's descriptor was closed, or a
                            * limit forbids it */

    /* SSLSNCE_VERSION of the library that answered, ended by a NUL. */
    char version[16];

    /* Session tickets of the cache. */
    PRUint64 ticketsMade;
    PRUint64 ticketsCurrent; /* accepted, under the key that encrypts now */
    PRUint64 ticketsOlder;   /* under a key that encrypted before */
    PRUint64 ticketsNext;    /* under one that will: a clock is ahead */
    PRUint64
        ticketsUnknown; /* refused: under no key that decrypts here; so are those
                              * of another cache */
    PRUint64 ticketsExpired; /* longer ago than ticketTimeoutSec */
    PRUint64 ticketsTooOld;  /* the full handshake was longer ago than
                              * maxResumptionAgeSec */
    PRUint64 ticketsFlushed; /* of before a flush */
    PRUint64 ticketsDamaged; /* the MAC is wrong */
    PRUint64 ticketsFuture;  /* made ahead of the clock */
    PRUint64
        ticketsForeign; /* of another machine, with a client's certificate */
    PRUint64 earlyDataAccepted;
    PRUint64 earlyDataRejected;
} SSLServerCacheFigures;

/* SSL_GetServerCacheFigures writes the figures of the cache |name|, or with
 * NULL of the default cache, into |*figures|, which has |len| bytes. It writes
 * as much as fits of the fields that this libssl knows, and the number of bytes
 * written into |figures->length|. Fields beyond that are not written.
 *
 * Returns SECSuccess, or SECFailure with SEC_ERROR_INVALID_ARGS,
 * SSL_ERROR_SERVER_CACHE_NOT_CONFIGURED, PR_FILE_NOT_FOUND_ERROR (no such
 * cache), SEC_ERROR_BAD_DATABASE or, on an NSS without sslsnce,
 * SSL_ERROR_UNSUPPORTED_EXPERIMENTAL_API. Any thread may call it; it does not
 * block, and makes one system call. While no process is in an operation, each
 * figure is exact, with two exceptions: a process that died in the middle of an
 * operation may leave |live| and |certificates| off by one, and two processes
 * that carried a session at the same moment, because the cache grew, may leave
 * two copies, and both count. |regionBytes| and |residentBytes| are those of
 * all caches. */
#define SSL_GetServerCacheFigures(name, figures, len)                          \
    SSL_EXPERIMENTAL_API(                                                      \
        "SSL_GetServerCacheFigures",                                           \
        (const char *_name, SSLServerCacheFigures *_figures, PRUintn _len),    \
        (name, figures, len))

#ifdef __cplusplus
}
#endif

#endif /* SSLSNCE_SSLSNCE_H */
