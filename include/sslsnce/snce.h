/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snce.h: the core of sslsnce, for the adapter and for tools.
 *
 * The core is a cache of TLS server sessions in memory that processes share. It
 * uses neither NSS nor NSPR. An NSS application never calls it: see sslsnce.h.
 *
 *   snceRegion   the shared memory itself: made by one process, attached by
 *                others, closed by each.
 *   snceServer   a virtual server within a region: added, found, removed.
 *   snceCache    the sessions of one virtual server.
 *   snceKeyLog   the write-once records of a region that hold wrapped keys.
 *   snceTicketKeys   the ticket keys of a region, which come and go.
 *   snceReplay   the early data that the processes of a region have seen.
 *
 * Unless a comment says otherwise, any thread of any attached process may call
 * every function at any time. A function takes no lock, makes no system call
 * and finishes in a bounded number of steps, whatever other processes do. The
 * exception: it makes a few system calls the first time that this process needs
 * a part of the region which it has not mapped yet. A process that lacks the
 * region's descriptor, memory or address space cannot map that part, which is
 * then out of its reach. A handle must not be closed while another thread of
 * the same process uses it. A thread that is cancelled (pthread_cancel) in a
 * call which makes or closes a region, or takes the administrative lock, ends
 * after the call.
 *
 * Unless a comment says otherwise: no function keeps a pointer that it was
 * given; outputs are written on SNCE_OK only; lengths and sizes are in bytes;
 * times are microseconds since 1970 in a snceTime. The core never reads a clock
 * to judge a session's age. */
#ifndef SSLSNCE_SNCE_H
#define SSLSNCE_SNCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* snceResult is the outcome of every core function that can fail. */
typedef enum {
    SNCE_OK = 0,
    SNCE_MISS,      /* no live entry under that key */
    SNCE_EXISTS,    /* one of that name exists already */
    SNCE_GONE,      /* the virtual server was removed */
    SNCE_CLOSED,    /* the cache is closed; not cached */
    SNCE_DROPPED,   /* lost a race against another writer; not cached */
    SNCE_INVALID,   /* an argument is out of its range */
    SNCE_TOO_LARGE, /* a size does not fit the region or the caller's buffer */
    SNCE_FULL,      /* no room left in a table of fixed size */
    SNCE_NO_MEMORY, /* the system refused memory or address space, or a part of
                     * the region is out of this process's reach */
    SNCE_NO_DESCRIPTOR, /* no file descriptor left, in this process or at all */
    SNCE_LIMIT,         /* a resource limit (RLIMIT_FSIZE) forbids the size */
    SNCE_LOCK_LIMIT,    /* RLIMIT_MEMLOCK forbids to lock so much memory */
    SNCE_UNSUPPORTED, /* this kernel has neither memory files nor a memory file
                       * system, or cannot lock memory as it is touched */
    SNCE_BAD_STRING,  /* an inheritance string is not of its form */
    SNCE_BAD_DESCRIPTOR, /* the descriptor is not open or no memory file */
    SNCE_FOREIGN,        /* a region, but of another build or another cache */
    SNCE_CORRUPT,        /* the region failed a check */
    SNCE_READ_ONLY,      /* the region was attached for reading */
    SNCE_BUSY            /* another process holds the administrative lock */
} snceResult;

/* snceResult_Text returns a constant English phrase for |result|, for logs. */
const char *snceResult_Text(snceResult result);

/* snceTime is a point in time: microseconds since 1970-01-01 00:00 UTC. It is
 * a struct so that seconds do not compile. */
typedef struct {
    int64_t usec;
} snceTime;

/* snceClass is the class of a session; each class has its own timeout (Tech
 * Note 8). */
typedef enum {
    SNCE_CLASS_SSL2 = 0, /* version below SSL 3.0 */
    SNCE_CLASS_SSL3 = 1  /* SSL 3.0, TLS 1.0 to 1.2 */
} snceClass;
#define SNCE_CLASSES 2

/* ---- limits -------------------------------------------------------------- */

#define SNCE_ID_MAX 32             /* a session ID: RFC 5246 section 7.4.1.2 */
#define SNCE_ADDRESS_BYTES 16      /* an IPv6 or mapped IPv4 address */
#define SNCE_STATE_BYTES 96        /* what the caller keeps with a session */
#define SNCE_CERTIFICATE_MAX 65535 /* a client's certificate, DER */
#define SNCE_NAME_MAX 255          /* a server name: RFC 1035 section 2.3.4 */
#define SNCE_ENTRIES_MAX 100000000 /* sessions in one cache */
#define SNCE_SERVERS_MAX 1024      /* virtual servers beside the default one */
#define SNCE_CLOCK_SKEW_MAX 300    /* seconds: snceCacheOptions.clockSkewSec */
#define SNCE_KEY_NAME_BYTES 40     /* the name of a key record */
#define SNCE_KEY_VALUE_MAX 4032    /* its value */
#define SNCE_TICKET_VALUE_MAX 48   /* an encrypted ticket key */
#define SNCE_REPLAY_FILTERS 8      /* combinations of snceReplayOptions */
#define SNCE_REPLAY_WINDOW_MAX ((INT64_C(1) << 48) - 1) /* microseconds */
#define SNCE_REPLAY_HASHES_MAX 64
#define SNCE_REPLAY_BITS_MAX 32
#define SNCE_STRING_MAX 160 /* an inheritance string and its NUL */

/* ---- the region ---------------------------------------------------------- */

typedef struct snceRegionStr snceRegion;

/* snceServerId names one virtual server of one region, for as long as that
 * server exists. Number 0 is the default cache, which always exists. Another
 * number is used again after its server was removed, by another server with
 * another generation. Every region counts numbers and generations from 1, so an
 * id also says which region it belongs to. Therefore an id that outlives its
 * server, or its region, never reaches another server. */
typedef struct {
    uint32_t number; /* 0 to SNCE_SERVERS_MAX */
    uint32_t generation;
    uint64_t region; /* the region's identity: random, never 0 */
} snceServerId;

/* snceLocalId is a snceServerId without the region, which a handle has beside
 * it. */
typedef struct {
    uint32_t number;
    uint32_t generation;
} snceLocalId;

/* snceCache is a handle to the sessions of one virtual server: two words,
 * passed by value, valid in this process only and while |region| is open. After
 * its virtual server was removed, it finds nothing. */
typedef struct {
    snceRegion *region;
    snceLocalId id;
} snceCache;

/* snceCacheOptions describes one virtual server's cache. */
typedef struct {
    uint64_t entries;      /* sessions that it holds: 1 to SNCE_ENTRIES_MAX */
    uint64_t certificates; /* client certificates; 0: one for each session */
    uint32_t timeoutSec[SNCE_CLASSES]; /* by snceClass; 0 expires at once, at
                                        * most 100 years of 365 days */
    bool matchAddress; /* the client's address is part of the key */
    bool unlisted;     /* a client's name never chooses it; snceServer_Find
                        * finds it */
    bool closed;       /* a lookup misses, an insert is refused. Sessions that
                        * were stored before stay: removals remove them, and when
                        * the cache is opened lookups find those again that have
                        * not expired */
    bool keepClosed;   /* for snceCache_Configure: ignore |closed|; the cache
                        * stays closed or open */
    bool lock; /* for snceRegion_Create: keep the whole region out of swap */
    uint32_t clockSkewSec; /* seconds that a session may have been created ahead
                            * of the clock of its lookup: 0 to
                            * SNCE_CLOCK_SKEW_MAX */
    /* The core only keeps these, for callers that issue session tickets. */
    uint32_t ticketTimeoutSec;  /* seconds that a ticket may be used; 0: the
                                 * caller's default */
    uint32_t resumptionAgeSec;  /* seconds after a full handshake in which its
                                 * session may be resumed by tickets; 0: the
                                 * caller's default */
    bool withinTwoRotations;    /* ... and, before TLS 1.3, within twice
                                 * ticketRotationSec as well */
    uint32_t ticketEpoch;       /* another number is another name space */
    uint32_t flushes;           /* out: how often the cache was flushed, so that
                                 * the caller can refuse tickets from before */
    uint32_t ticketRotationSec; /* seconds that a ticket key encrypts; 0: the
                                 * caller's default. Callers read that of the
                                 * default cache, for the whole region */
    bool sharesClientAuth;      /* tickets of other regions may have a client's
                                 * certificate */
    snceTime refusedUntil;      /* out: see snceCache_RefuseTickets */
} snceCacheOptions;

/* snceRegion_Create makes a region with one virtual server, the default cache,
 * as |options| say, and attaches this process to it as an administrator.
 *
 * The region is a memory file, sealed against shrinking, kept out of core
 * dumps. Where the kernel allows no memory file, it is a file without a name on
 * a memory file system. Where it allows neither, and |inheritable| is not set,
 * it is shared memory without a file, which forked children have and which does
 * not grow. The file grows, and memory is taken page by page, as caches are
 * made and sessions arrive. With |inheritable| the descriptor survives exec,
 * for snceRegion_Export.
 *
 * With |options->lock| the region is locked in memory, each page when it is
 * first touched. RLIMIT_MEMLOCK counts what is mapped, 2 MiB at a time. Each
 * process has its own lock: every process that attaches to a locked region for
 * work or administration locks it as well, or fails to attach. A child by fork
 * locks it in the fork; if it may not, it goes on without
 * (snceRegion_IsLocked). A page stays locked while one of the processes lives
 * that have touched it since they locked the region.
 *
 * Returns SNCE_OK; SNCE_INVALID (an option out of range); SNCE_NO_MEMORY;
 * SNCE_NO_DESCRIPTOR; SNCE_LIMIT; SNCE_LOCK_LIMIT; SNCE_UNSUPPORTED. On SNCE_OK
 * the caller owns |*out| and ends with snceRegion_Close; otherwise there is no
 * region. Makes system calls; does not block. */
snceResult snceRegion_Create(snceRegion **out, const snceCacheOptions *options,
                             bool inheritable);

/* snceRegion_LeastBytes returns the most address space that a new region for
 * |options| takes; 0 if an option is out of range. */
uint64_t snceRegion_LeastBytes(const snceCacheOptions *options);

/* snceAccess is what an attached process may do. */
typedef enum {
    SNCE_ACCESS_READ, /* look up only; the memory is mapped read-only, and no
                       * figure counts it */
    SNCE_ACCESS_WORK, /* look up, insert, remove */
    SNCE_ACCESS_ADMIN /* also change limits and timeouts */
} snceAccess;

/* snceRegion_Attach attaches this process to the region behind |fd|. The region
 * takes |fd| over on SNCE_OK only. The call checks the seals, the size and the
 * layout's signature before it believes anything in the region. It maps
 * everything that the region has, unless |access| is for reading. Later the
 * descriptor is needed only for caches that are made or grow afterwards.
 *
 * Returns SNCE_OK; SNCE_BAD_DESCRIPTOR; SNCE_FOREIGN (another build's layout,
 * or no region at all); SNCE_CORRUPT (the region failed a check);
 * SNCE_NO_MEMORY; SNCE_LOCK_LIMIT (the region is locked, and this process may
 * not lock it) or SNCE_UNSUPPORTED (the region is locked, and this kernel
 * cannot lock it). The caller owns |*out| and ends with snceRegion_Close. Makes
 * system calls. */
snceResult snceRegion_Attach(snceRegion **out, int fd, snceAccess access);

/* snceRegion_Export writes the inheritance string for a child made by fork and
 * exec into |buf|: the descriptor's number, the size, the layout's signature
 * and the random id of the region, in ASCII, ended by a NUL. Any child that
 * keeps the descriptor open can call snceRegion_Inherit with it. From then on
 * the region counts as shared: see snceRegion_Close.
 *
 * Returns SNCE_OK; SNCE_TOO_LARGE (give SNCE_STRING_MAX bytes);
 * SNCE_BAD_DESCRIPTOR (the descriptor was closed or is not inheritable). */
snceResult snceRegion_Export(const snceRegion *region, char *buf,
                             size_t bufLen);

/* snceRegion_Inherit attaches to the region that |string| names, for work and
 * administration. The string is untrusted input: it must have exactly the form
 * that snceRegion_Export writes.
 *
 * Returns what snceRegion_Attach returns, or SNCE_BAD_STRING; SNCE_FOREIGN also
 * if the descriptor holds another region than the string names. */
snceResult snceRegion_Inherit(snceRegion **out, const char *string);

/* snceRegion_IsNamed tells whether |string| names |region|, by whatever
 * descriptor of this process. It maps nothing and keeps no descriptor.
 *
 * Returns SNCE_OK; SNCE_MISS (another region, or none); SNCE_BAD_STRING. Makes
 * one system call. */
snceResult snceRegion_IsNamed(const snceRegion *region, const char *string);

/* snceRegion_CheckString tells whether this process could inherit the region that
 * |string| names: it returns what snceRegion_Inherit would, and keeps neither a
 * mapping nor the descriptor. Makes system calls. */
snceResult snceRegion_CheckString(const char *string);

/* snceRegion_StringBytes returns the address space of the region that |string|
 * names, as the string says; 0 if the string has not the right form. */
uint64_t snceRegion_StringBytes(const char *string);

/* snceRegion_Close detaches this process. If no other process was ever attached
 * or forked off, and the region was never exported, the call drops the contents
 * first, so that no secret outlives it. Otherwise the kernel drops them with
 * the last process that is attached or has the descriptor. Closing NULL is a
 * no-op. No other thread may be using |region|. */
void snceRegion_Close(snceRegion *region);

/* snceRegion_Identity returns what snceServerId.region of its servers is: random, and
 * never 0. */
uint64_t snceRegion_Identity(const snceRegion *region);

/* snceRegion_Descriptor returns the number of the region's descriptor, which
 * the region owns, or -1 if the application closed it. Makes one system
 * call. */
int snceRegion_Descriptor(const snceRegion *region);

/* snceRegion_IsLocked tells whether this process has locked the region. */
bool snceRegion_IsLocked(const snceRegion *region);

/* snceRegion_Bytes returns the present size of the region's file. */
uint64_t snceRegion_Bytes(const snceRegion *region);

/* snceRegion_ResidentBytes returns the memory that the region takes now, which
 * all its processes share; 0 if it is unknown. Makes one system call. */
uint64_t snceRegion_ResidentBytes(const snceRegion *region);

/* snceRegion_DefaultCache returns the handle of the region's default cache. */
snceCache snceRegion_DefaultCache(snceRegion *region);

/* snceRegion_Cache returns the handle of the virtual server |id|. If that
 * server was removed, or |id| belongs to another region, the handle is that of
 * an empty cache, into which nothing can be inserted (SNCE_GONE). */
snceCache snceRegion_Cache(snceRegion *region, snceServerId id);

/* snceCache_Id returns the id of |cache|'s virtual server, which may have been
 * removed. */
snceServerId snceCache_Id(snceCache cache);

/* ---- virtual servers -----------------------------------------------------
 *
 * Beside the default cache a region holds up to SNCE_SERVERS_MAX virtual
 * servers, each with room, timeouts and figures of its own: the load on one
 * evicts nothing of another. A change by one process counts at once in all
 * processes, which go on meanwhile. If a process dies in a change, the cache is
 * as it was before, or as the change was to make it.
 *
 * Names are host names: labels of ASCII letters, digits, '-' and '_' with a dot
 * between them, together 1 to SNCE_NAME_MAX bytes; they are compared without
 * regard to case (RFC 4343) and shown in lower case. The first label of several
 * may be "*": a wildcard for one label.
 *
 * The calls that change something hold the administrative lock: they wait up to
 * two seconds for it, then return SNCE_BUSY, and they make system calls. They
 * need an attachment for administration (else SNCE_READ_ONLY) and, for the
 * administrative lock, the region's descriptor (else SNCE_BAD_DESCRIPTOR).
 *
 * A process that takes the administrative lock first ends the change that
 * another process left half done, and makes room for its own. So each of these
 * calls, removing too, may return SNCE_NO_MEMORY, SNCE_LIMIT (the file may not
 * become so large) or, where the region is locked, SNCE_LOCK_LIMIT and
 * SNCE_UNSUPPORTED (this process may not lock what it has to map, or cannot).
 * Then nothing was changed, except where a comment says what was. */

/* snceServer_IsName tells whether |name| is a valid name of a virtual
 * server. */
bool snceServer_IsName(const uint8_t *name, size_t nameLen);

/* snceServer_Add makes the virtual server |name| as |options| say; it can be
 * found when this returns.
 *
 * Returns SNCE_OK (|*id| is the new one); SNCE_EXISTS (|*id| is the existing
 * one, unchanged); SNCE_FULL (there are SNCE_SERVERS_MAX); SNCE_NO_MEMORY,
 * SNCE_LIMIT, SNCE_LOCK_LIMIT or SNCE_UNSUPPORTED (no room: see above);
 * SNCE_INVALID (the name or an option); SNCE_BUSY; SNCE_READ_ONLY;
 * SNCE_BAD_DESCRIPTOR; SNCE_CORRUPT (another process changed what this call had
 * just stored in the directory: nothing was added). */
snceResult snceServer_Add(snceRegion *region, const uint8_t *name,
                          size_t nameLen, const snceCacheOptions *options,
                          snceServerId *id);

/* snceServer_Remove removes a virtual server with all its sessions, which it
 * wipes. After it returns, no process gets any of them.
 *
 * Returns SNCE_OK; SNCE_GONE (it was removed before, or |id| belongs to another
 * region); SNCE_INVALID (the default cache, or no id at all); SNCE_BUSY;
 * SNCE_READ_ONLY; SNCE_BAD_DESCRIPTOR; SNCE_NO_MEMORY, SNCE_LOCK_LIMIT or
 * SNCE_UNSUPPORTED (what another process left half done cannot be ended: see
 * above). */
snceResult snceServer_Remove(snceRegion *region, snceServerId id);

/* snceServer_Find returns SNCE_OK and the id of the virtual server whose name
 * is exactly |name|, which may be a wildcard's, or SNCE_MISS. */
snceResult snceServer_Find(const snceRegion *region, const uint8_t *name,
                           size_t nameLen, snceServerId *id);

/* snceServer_Choose returns the virtual server for a client that asks for
 * |name| (RFC 6066 section 3; a dot at its end is ignored): the server of that
 * name; else the wildcard for it, "*" instead of its first label; else the
 * default cache, also for a name of length 0 or one that no server can have.
 * Unlisted servers are passed over. */
snceServerId snceServer_Choose(const snceRegion *region, const uint8_t *name,
                               size_t nameLen);

/* snceServerInfo describes a virtual server in a list. */
typedef struct {
    snceServerId id;
    uint8_t name[SNCE_NAME_MAX + 1]; /* ended by a NUL */
    size_t nameLen;                  /* 0: the default cache */
    snceCacheOptions options;        /* as for snceCache_GetOptions */
} snceServerInfo;

/* snceServer_Next writes the first virtual server whose number is at least
 * |number| into |*out|. To list all, begin at 0 and go on at id.number + 1; the
 * list may or may not have a server that is added or removed meanwhile. Returns
 * SNCE_OK or SNCE_MISS (no more). */
snceResult snceServer_Next(const snceRegion *region, uint32_t number,
                           snceServerInfo *out);

/* ---- sessions ------------------------------------------------------------ */

/* snceKey names a session. */
typedef struct {
    const uint8_t *id;
    size_t idLen;                        /* 1 to SNCE_ID_MAX */
    uint8_t address[SNCE_ADDRESS_BYTES]; /* ignored without matchAddress */
    const uint8_t *name;                 /* NULL: any server name */
    size_t nameLen;                      /* of |name|, spelled as when the
                                          * session was inserted; 0: made
                                          * without a name */
} snceKey;

/* snceSession is one session, to insert or as a lookup returned it. It holds
 * key material: the caller ends with snceSession_Wipe.
 *
 * The certificate's buffer is the caller's. To insert, data and len say what to
 * store (len 0: none). To look up, data and capacity say where to put it, and
 * len is written; |data| may be NULL where the length or capacity is 0. The
 * server name is for inserting only: the cache keeps only a hash of it under
 * the region's secret keys, by which lookups compare. */
typedef struct {
    uint8_t *data;
    size_t len;
    size_t capacity;
} snceBuffer;

typedef struct {
    uint8_t id[SNCE_ID_MAX];
    size_t idLen;
    uint8_t address[SNCE_ADDRESS_BYTES];
    snceClass sessionClass;
    snceTime created;
    snceTime lastAccess; /* in: as given; out: the time of the lookup before
                          * this one */
    snceTime expires;    /* out: created + the timeout of its class */
    uint8_t state[SNCE_STATE_BYTES]; /* the caller's own; the core does not read
                                      * it */
    snceBuffer certificate;
    const uint8_t *name; /* in: the server name, spelled as keys will spell
                          * it */
    size_t nameLen;      /* 0: none. Out: not written */
} snceSession;

/* snceSession_Wipe overwrites |*session| and the contents of its buffer. The
 * buffer stays the caller's. */
void snceSession_Wipe(snceSession *session);

/* snceCache_Insert stores |*session|. It replaces a session with the same ID
 * (and address, where that counts). If both sets are full, an expired session
 * makes room, or else a live one is evicted. |now| is the clock of the socket.
 *
 * Returns SNCE_OK; SNCE_INVALID (ID of length zero or above SNCE_ID_MAX, a
 * class that does not exist); SNCE_TOO_LARGE (certificate or name);
 * SNCE_DROPPED (a race was lost, the cache was moved or flushed meanwhile, room
 * for the certificate was needed while another process changed the region, or
 * the session's place is out of this process's reach: this entry is not there);
 * SNCE_FULL (no place for the certificate); SNCE_GONE (the virtual server was
 * removed); SNCE_CLOSED (snceCacheOptions); SNCE_READ_ONLY; SNCE_CORRUPT.
 * Unless it returns SNCE_OK, nothing of the session is in the cache. If
 * certificates need more room, the call takes the administrative lock if nobody
 * has it, and makes system calls. */
snceResult snceCache_Insert(snceCache cache, const snceSession *session,
                            snceTime now);

/* snceCache_InsertUntil does what snceCache_Insert does, and writes to
 * |*expires| what snceCache_Expiry returns for the session, whatever the
 * result. */
snceResult snceCache_InsertUntil(snceCache cache, const snceSession *session,
                                 snceTime now, snceTime *expires);

/* snceCache_Lookup copies the live session for |key| into |*out|.
 *
 * A session is live while |now| is before created + timeout of its class, by
 * the timeout that the cache has now. A lookup wipes an expired session that it
 * meets. A session that was created more than clockSkewSec after |now| is a
 * miss, so that a clock that was set back lengthens no session; it stays,
 * because the clock may be set right. A session that had a certificate is
 * returned with all of it or not at all. The lookup reads entries into
 * |out->state|, so that it makes no other copy of a secret: unless SNCE_OK is
 * returned, it may have been wiped.
 *
 * Returns SNCE_OK; SNCE_MISS (also if the virtual server is gone, its cache
 * closed, or the session out of this process's reach); SNCE_INVALID (ID
 * length); SNCE_TOO_LARGE (the certificate's buffer is too small: its len is
 * the size needed, and nothing more is written); SNCE_CORRUPT (the region
 * failed a check). The certificate's data and capacity must be set before. */
snceResult snceCache_Lookup(snceCache cache, const snceKey *key, snceTime now,
                            snceSession *out);

/* snceCache_Remove removes every session under |key|, whatever its server name,
 * and wipes it. After it returns, no process gets a session that was inserted
 * before the call, not even one that was stored twice at once or is half
 * stored.
 *
 * Returns SNCE_OK (removed), SNCE_MISS (also if the virtual server is gone),
 * SNCE_INVALID, SNCE_READ_ONLY, SNCE_CORRUPT, or SNCE_NO_MEMORY (the session's
 * place is out of this process's reach, so that it may still be there). */
snceResult snceCache_Remove(snceCache cache, const snceKey *key);

/* snceCache_Expiry returns when a session of |sessionClass| created at
 * |created| expires by the timeouts that the cache has now. If the sum
 * overflows, it returns the latest time there is; if the virtual server is
 * gone, |created|. */
snceTime snceCache_Expiry(snceCache cache, snceClass sessionClass,
                          snceTime created);

/* snceCache_Configure makes a live cache what |options| say. Timeouts and flags
 * count at once, also for the sessions that are in it. With more entries it
 * grows, and every live session is carried over. With fewer it shrinks: it
 * keeps the sessions that were created last, as many as it is to hold. With
 * another number of certificates it gets another certificate store, with the
 * certificates that are in use.
 *
 * Takes the administrative lock (see "virtual servers"). Lookups, inserts and
 * removals go on meanwhile; an insert that began before may be dropped.
 *
 * Returns SNCE_OK; SNCE_INVALID; SNCE_GONE; SNCE_NO_MEMORY, SNCE_LIMIT,
 * SNCE_LOCK_LIMIT or SNCE_UNSUPPORTED (no room: the timeouts and flags are set,
 * and the size is the old one, or the cache is still moving, which the next
 * change ends); SNCE_BUSY; SNCE_READ_ONLY; SNCE_BAD_DESCRIPTOR (the region's
 * descriptor was closed, so the administrative lock cannot be taken);
 * SNCE_CORRUPT. */
snceResult snceCache_Configure(snceCache cache,
                               const snceCacheOptions *options);

/* snceCache_RefuseTickets notes a time for callers that accept tickets of other
 * regions: they refuse those of sessions that began before |until|. An earlier time
 * changes nothing. A server that is added later has the latest time of those that
 * were removed, because it may have the name of one. Takes the administrative lock.
 *
 * Returns SNCE_OK; SNCE_GONE; SNCE_BUSY; SNCE_READ_ONLY; SNCE_BAD_DESCRIPTOR;
 * SNCE_NO_MEMORY, SNCE_LOCK_LIMIT or SNCE_UNSUPPORTED (what another process left half
 * done cannot be ended: see "virtual servers"); SNCE_CORRUPT. */
snceResult snceCache_RefuseTickets(snceCache cache, snceTime until);

/* snceCache_Flush removes every session of the cache, and wipes them. After it
 * returns, no process gets a session whose insert had returned before the call.
 * Takes the administrative lock, for as long in a small cache as in a large
 * one.
 *
 * Returns SNCE_OK; SNCE_GONE; SNCE_NO_MEMORY, SNCE_LIMIT, SNCE_LOCK_LIMIT or
 * SNCE_UNSUPPORTED (no room for an empty cache beside the full one: nothing was
 * done); SNCE_BUSY; SNCE_READ_ONLY; SNCE_BAD_DESCRIPTOR; SNCE_CORRUPT. */
snceResult snceCache_Flush(snceCache cache);

/* snceCache_IsOpen tells whether the cache exists (its virtual server was not
 * removed) and is not closed. It makes one load; the answer may be out of date
 * the next moment. */
bool snceCache_IsOpen(snceCache cache);

/* snceCache_GetOptions writes the options with which the cache was last
 * configured. Returns SNCE_OK, SNCE_GONE or SNCE_CORRUPT. */
snceResult snceCache_GetOptions(snceCache cache, snceCacheOptions *out);

/* snceTicketEvent is what can become of a session ticket, and of early data. The core
 * only counts them, for callers that issue tickets. */
typedef enum {
    SNCE_TICKET_MADE,
    SNCE_TICKET_CURRENT, /* accepted, under the key that encrypts now */
    SNCE_TICKET_OLDER,   /* under an older one */
    SNCE_TICKET_NEXT,    /* under the next one */
    SNCE_TICKET_UNKNOWN, /* refused: of an unknown key */
    SNCE_TICKET_EXPIRED,
    SNCE_TICKET_TOO_OLD, /* since the full handshake */
    SNCE_TICKET_FLUSHED, /* of before a flush */
    SNCE_TICKET_DAMAGED, /* its MAC is wrong */
    SNCE_TICKET_FUTURE,  /* made ahead of the clock */
    SNCE_TICKET_FOREIGN, /* of another region, with a client's certificate */
    SNCE_EARLY_ACCEPTED,
    SNCE_EARLY_REJECTED,
    SNCE_TICKET_EVENTS
} snceTicketEvent;

/* snceFigures are a cache's counts since it was made, over all processes. While
 * no process is in an operation, each of them is exact. They are read one after
 * another, not at one moment. */
typedef struct {
    uint64_t slots; /* places for sessions */
    uint64_t live;  /* sessions now, also expired ones that are not yet wiped */
    uint64_t hits;
    uint64_t missesUnknown; /* no such session, or the cache was closed */
    uint64_t missesExpired;
    uint64_t missesAddress;     /* there, but for another client address */
    uint64_t missesName;        /* there, but under another server name */
    uint64_t missesCertificate; /* there, but its certificate was evicted */
    uint64_t inserts;
    uint64_t replacedExpired; /* inserts that took an expired one's place */
    uint64_t replacedLive;    /* inserts that evicted a live one */
    uint64_t dropped;         /* inserts that lost a race */
    uint64_t refused;         /* invalid, too large, or the cache was closed */
    uint64_t removals;        /* sessions removed */
    uint64_t reclaimed;       /* slots taken back from writers that died */
    uint64_t corrupt;      /* entries that failed their checksum, spoiled by a
                            * writer that was stopped and went on too late */
    uint64_t certificates; /* certificates stored now */
    uint64_t missesFuture; /* created more than clockSkewSec ahead of the clock
                            * of the lookup */
    uint64_t keyFailures;  /* keys that the caller tried in vain to wrap or
                            * unwrap: snceCache_CountKeyFailure */
    uint64_t unmapped;     /* lookups, inserts and removals that did nothing
                            * because the session's place is out of their
                            * process's reach */
    uint64_t wiped;        /* sessions taken out because they had expired, had
                            * lost their certificate, or had been spoiled by a
                            * writer that went on too late; by a flush; or in
                            * shrinking. While no process is in an operation,
                            * inserts = live + replaced... + removals + wiped */
    uint64_t overridden; /* unfinished inserts that a removal cancelled because
                          * they might have been of the removed session; each is
                          * also in |dropped| if its writer went on */
    uint64_t tickets[SNCE_TICKET_EVENTS]; /* by snceTicketEvent */
} snceFigures;

/* snceCache_GetFigures sums the figures into |*out|. A process that died in the
 * middle of an operation, or was stopped in one while the cache moved, may
 * leave |live| and |certificates| off by one. Returns SNCE_OK, SNCE_GONE,
 * SNCE_CORRUPT, or SNCE_NO_MEMORY (the counts are out of this process's
 * reach). */
snceResult snceCache_GetFigures(snceCache cache, snceFigures *out);

/* snceCache_CountKeyFailure counts one key in the figure keyFailures of
 * |cache|; it does nothing if the virtual server is gone. */
void snceCache_CountKeyFailure(snceCache cache);

/* snceCache_CountTicket counts |event| in the figures of |cache|; it does nothing if the
 * virtual server is gone. */
void snceCache_CountTicket(snceCache cache, snceTicketEvent event);

/* ---- keys ---------------------------------------------------------------- */

/* snceKeyLog_Get copies the value recorded under |name| into |buf|, which may
 * be NULL if |bufLen| is 0.
 *
 * Returns SNCE_OK (|*len| bytes written); SNCE_MISS; SNCE_TOO_LARGE (|*len| is
 * the size needed); SNCE_CORRUPT; SNCE_NO_MEMORY (a record is out of this
 * process's reach, which may be the one asked for). */
snceResult snceKeyLog_Get(snceRegion *region,
                          const uint8_t name[SNCE_KEY_NAME_BYTES], uint8_t *buf,
                          size_t bufLen, size_t *len);

/* snceKeyLog_Put records |value| under |name| unless that name is taken. If
 * several processes do so at once, one wins, and all others get its value. A
 * record is never changed or freed while the region exists.
 *
 * Returns SNCE_OK (this value is recorded); SNCE_EXISTS (|buf| and |*len| have
 * the recorded one); SNCE_TOO_LARGE (|valueLen|, or |bufLen| for the recorded
 * value); SNCE_FULL; SNCE_READ_ONLY; SNCE_CORRUPT; SNCE_NO_MEMORY (as for
 * snceKeyLog_Get: nothing was recorded). |buf| may be |value|, and each may be
 * NULL if its length is 0. */
snceResult snceKeyLog_Put(snceRegion *region,
                          const uint8_t name[SNCE_KEY_NAME_BYTES],
                          const uint8_t *value, size_t valueLen, uint8_t *buf,
                          size_t bufLen, size_t *len);

/* ---- ticket keys --------------------------------------------------------- */

/* What a ticket key is used for. */
typedef enum {
    SNCE_USE_MADE,     /* a ticket was made with it */
    SNCE_USE_ACCEPTED, /* one was accepted */
    SNCE_TICKET_USES
} snceTicketUse;

/* snceTicketKey is a key under which servers encrypt session tickets, for the
 * time in which it does and the time in which it still decrypts. The core does
 * not know the key: |value| is encrypted by the caller, under a key that |under|
 * names. Times are those of the sockets' clocks. */
typedef struct {
    uint64_t id;    /* random, not 0; one key that is stored under several keys
                     * has one id */
    uint64_t under; /* names the key under which |value| is encrypted */
    snceTime created;
    snceTime encryptFrom;
    snceTime encryptUntil; /* exclusive */
    snceTime decryptUntil; /* exclusive; then the key is wiped */
    uint64_t source;       /* the caller's: where the key is from */
    uint64_t
        uses[SNCE_TICKET_USES]; /* out: as snceTicketKeys_CountUse counted */
    size_t len;                 /* of |value| */
    uint8_t value[SNCE_TICKET_VALUE_MAX];
} snceTicketKey;

/* snceTicketKeys_Changes returns a number that changes with every key that is
 * added to the region or removed from it. A caller that sees the number of its
 * last snceTicketKeys_List has seen all keys. Makes no system call. */
uint64_t snceTicketKeys_Changes(const snceRegion *region);

/* snceTicketKeys_Add stores |key| for all processes. Two processes may add a key
 * for the same time at once: then both are there, and the callers choose by the
 * same rule. If there is no room, the key with the earliest |decryptUntil| goes.
 *
 * Returns SNCE_OK (every snceTicketKeys_List that begins from now on has it);
 * SNCE_DROPPED (other processes were faster at every try: nothing was stored);
 * SNCE_INVALID (|id| or |len| is 0, or |len| too large); SNCE_READ_ONLY;
 * SNCE_NO_MEMORY (out of this process's reach). If the process dies meanwhile,
 * the key is there or not, and nobody waits. */
snceResult snceTicketKeys_Add(snceRegion *region, const snceTicketKey *key);

/* snceTicketKeys_List copies the keys of the region, at most |max|, in no order.
 * |*count| is how many. Keys are secrets only as far as |value| is. A key that is
 * added or removed meanwhile may be in it or not.
 *
 * Returns SNCE_OK, SNCE_TOO_LARGE (there are more) or SNCE_NO_MEMORY. */
snceResult snceTicketKeys_List(const snceRegion *region, snceTicketKey *out,
                               size_t max, size_t *count);

/* snceTicketKeys_Remove wipes the keys that |gone| says are to go, which gets
 * |context| and each key in turn. Returns how many. */
typedef bool (*snceTicketKeys_Gone)(void *context, const snceTicketKey *key);
unsigned snceTicketKeys_Remove(snceRegion *region, snceTicketKeys_Gone gone,
                               void *context);

/* snceTicketKeys_CountUse counts one use of the key of |id|, if the region has it. A
 * use that is counted while a key goes may be counted for the next one in its place. */
void snceTicketKeys_CountUse(snceRegion *region, uint64_t id,
                             snceTicketUse use);

/* snceTicketKeys_MayLook returns true to one process of the region in each |apart|
 * microseconds, by the clock that |now| is of: that one is to look where keys come
 * from. Makes no system call. */
bool snceTicketKeys_MayLook(snceRegion *region, snceTime now, int64_t apart);

/* ---- early data ---------------------------------------------------------- */

/* snceReplayOptions says how a region recognizes early data (0-RTT) that it has
 * seen. All callers with the same options share what they note; callers with
 * different options share nothing. |hashes| and |bits| are k and bits of NSS's
 * SSL_CreateAntiReplayContext; sncereplay.c says how they decide how often new early
 * data is taken for a replay. */
typedef struct {
    int64_t windowUsec; /* 1 .. SNCE_REPLAY_WINDOW_MAX */
    unsigned hashes;    /* 1 .. SNCE_REPLAY_HASHES_MAX */
    unsigned bits;      /* 1 .. SNCE_REPLAY_BITS_MAX */
} snceReplayOptions;

/* snceReplay_Open makes the filters for |options| if the region has none yet. Their
 * first window begins at |now|.
 *
 * Returns SNCE_OK, SNCE_INVALID (an option is out of its range, or |now| is before
 * 1970), SNCE_FULL (the region has filters for SNCE_REPLAY_FILTERS other options),
 * SNCE_READ_ONLY or SNCE_NO_MEMORY (out of this process's reach). */
snceResult snceReplay_Open(snceRegion *region, const snceReplayOptions *options,
                           snceTime now);

/* snceReplay_Note notes the early data that the |len| bytes |id| identify, as seen at
 * |now|. It opens the filters first, if nobody has.
 *
 * Returns SNCE_OK if the early data is new. Of all calls with the same |id| and
 * |options| whose times are less than |options->windowUsec| apart, in whatever
 * thread or process, at most one returns that. Returns SNCE_EXISTS if it was noted
 * before or is taken for other early data that was. Returns SNCE_DROPPED if nobody
 * can tell: the first window is not over, |now| lies in an earlier window than the
 * time of another call, or a window ended during this call. Otherwise returns what
 * snceReplay_Open does. The caller rejects the early data for every result but
 * SNCE_OK. A process that dies meanwhile leaves it noted or not. */
snceResult snceReplay_Note(snceRegion *region, const snceReplayOptions *options,
                           const uint8_t *id, size_t len, snceTime now);

#ifdef __cplusplus
}
#endif

#endif /* SSLSNCE_SNCE_H */
