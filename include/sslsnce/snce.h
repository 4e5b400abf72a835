/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snce.h: the core of sslsnce, for the adapter and for tools.
 *
 * The core is a cache of TLS server sessions in memory shared by processes. It
 * knows neither NSS nor NSPR. An NSS application never calls it: see sslsnce.h.
 *
 *   snceRegion   the shared memory itself: made by one process, attached by
 *                others, closed by each.
 *   snceServer   a virtual server within a region: added, found, removed.
 *   snceCache    the sessions of one virtual server.
 *   snceKeyLog   the write-once records of a region that hold wrapped keys.
 *
 * Unless a comment says otherwise, every function may be called at any time by
 * any thread of any attached process, takes no lock, makes no system call and
 * finishes in a bounded number of steps, whatever other processes do. A few system
 * calls it makes the first time that this process needs a part of the region which
 * it has not mapped yet. Without the region's descriptor, or memory or address space
 * for it, the process cannot map more: the part is out of its reach then. A handle
 * must not be closed while another thread of the same process uses it. A thread
 * that is cancelled (pthread_cancel) in a call which makes or closes a region, or
 * takes a turn, ends after the call.
 *
 * Defaults, said once: no function keeps a pointer that it was given; outputs
 * are written on SNCE_OK only, except where noted; lengths and sizes are in
 * bytes; times are microseconds since 1970 in a snceTime; the core never reads
 * a clock. */
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
    SNCE_MISS,      /* nothing live is there under that key */
    SNCE_EXISTS,    /* one of that name was there already */
    SNCE_GONE,      /* that virtual server was removed */
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
    SNCE_BAD_DESCRIPTOR, /* the descriptor named is not open or no memory file */
    SNCE_FOREIGN,        /* a region, but of another build or another cache */
    SNCE_CORRUPT,        /* the region failed a check */
    SNCE_READ_ONLY,      /* the region was attached for reading */
    SNCE_BUSY            /* another process holds the turn for rare changes */
} snceResult;

/* snceResult_Text returns a constant English phrase for |result|, for logs. */
const char *snceResult_Text(snceResult result);

/* snceTime is a point in time: microseconds since 1970-01-01 00:00 UTC. It is
 * a struct so that seconds do not compile. */
typedef struct {
    int64_t usec;
} snceTime;

/* snceClass is the class of a session; each has its own timeout (Tech Note 8).
 */
typedef enum {
    SNCE_CLASS_SSL2 = 0, /* version below SSL 3.0 */
    SNCE_CLASS_SSL3 = 1  /* SSL 3.0, TLS 1.0 to 1.2 */
} snceClass;
#define SNCE_CLASSES 2

/* ---- limits -------------------------------------------------------------- */

#define SNCE_ID_MAX 32             /* a session ID: RFC 5246 section 7.4.1.2 */
#define SNCE_ADDRESS_BYTES 16      /* an IPv6 or mapped IPv4 address */
#define SNCE_STATE_BYTES 96        /* what a session keeps for its owner */
#define SNCE_CERTIFICATE_MAX 65535 /* a client's certificate, DER */
#define SNCE_NAME_MAX 255          /* a server name: RFC 1035 section 2.3.4 */
#define SNCE_ENTRIES_MAX 100000000 /* sessions in one cache */
#define SNCE_SERVERS_MAX 1024      /* virtual servers beside the default one */
#define SNCE_CLOCK_SKEW_MAX 300    /* seconds: snceCacheOptions.clockSkewSec */
#define SNCE_KEY_NAME_BYTES 40     /* the name of a key record */
#define SNCE_KEY_VALUE_MAX 4032    /* its value */
#define SNCE_STRING_MAX 160        /* an inheritance string and its NUL */

/* ---- the region ---------------------------------------------------------- */

typedef struct snceRegionStr snceRegion;

/* snceServerId names one life of one virtual server of one region. Number 0 is
 * the default cache, which always exists; another number is used again, by
 * another server with another generation, after its server was removed. Every
 * region counts numbers and generations from 1, so an id also says which region
 * it belongs to. An id that outlives its server, or its region, therefore never
 * reaches another server. */
typedef struct {
    uint32_t number; /* 0 to SNCE_SERVERS_MAX */
    uint32_t generation;
    uint64_t region; /* the region's identity: random, never 0 */
} snceServerId;

/* snceLocalId is a snceServerId within its region, as a handle has it. */
typedef struct {
    uint32_t number;
    uint32_t generation;
} snceLocalId;

/* snceCache is a handle to the sessions of one virtual server: two words,
 * passed by value, good as long as |region| is open, in this process only.
 * When its virtual server is removed, it finds nothing any more. */
typedef struct {
    snceRegion *region;
    snceLocalId id;
} snceCache;

/* snceCacheOptions describes one virtual server's cache. */
typedef struct {
    uint64_t entries;      /* sessions it holds: 1 to SNCE_ENTRIES_MAX */
    uint64_t certificates; /* client certificates; 0: one for each session */
    uint32_t timeoutSec[SNCE_CLASSES]; /* by snceClass; 0 expires at once, at
                                        * most 100 years of 365 days */
    bool matchAddress; /* the client's address is part of the key */
    bool unlisted;     /* found by its name, never chosen by a client's */
    bool closed;     /* nothing goes in and nothing comes out: a lookup misses,
                        * an insert is refused. What was stored before stays, is
                        * removed by removals, and is found again, unless it
                        * expired, when the cache is opened */
    bool keepClosed; /* for snceCache_Configure: |closed| does not count, the
                      * cache stays closed or open */
    bool lock; /* for snceRegion_Create: the whole region is kept out of swap */
    uint32_t clockSkewSec; /* seconds that a session may have been created ahead
                            * of the clock that asks for it: 0 to
                            * SNCE_CLOCK_SKEW_MAX */
} snceCacheOptions;

/* snceRegion_Create makes a region with one virtual server, the default cache,
 * as |options| say, and attaches this process to it as an administrator.
 *
 * The region is a memory file, sealed against shrinking, kept out of core dumps;
 * where the kernel allows none, a file without a name on a memory file system; else,
 * unless it is |inheritable|, shared memory without a file, which forked children
 * have, and which does not grow. The file grows, and memory is taken page by page, as
 * caches are made and sessions arrive. With |inheritable| the descriptor survives
 * exec, for snceRegion_Export.
 *
 * With |options->lock| the region is locked in memory, each page when it is
 * first touched. RLIMIT_MEMLOCK counts what is mapped, 2 MiB at a time.
 * A lock is a process's own. Every process that attaches to a locked region for
 * work or administration locks it as well, or fails to attach; a child by fork
 * does it in the fork, and if it may not, goes on without
 * (snceRegion_IsLocked). A page stays locked as long as one of the processes
 * lives that have touched it since they locked the region.
 *
 * Returns SNCE_OK; SNCE_INVALID (an option out of range); SNCE_NO_MEMORY;
 * SNCE_NO_DESCRIPTOR; SNCE_LIMIT; SNCE_LOCK_LIMIT (there is no region);
 * SNCE_UNSUPPORTED. On SNCE_OK the caller owns |*out| and ends with snceRegion_Close. Makes system calls; does not block. */
snceResult snceRegion_Create(snceRegion **out, const snceCacheOptions *options,
                             bool inheritable);

/* snceRegion_LeastBytes returns the address space that a region for |options|
 * takes at most when it is new; 0 if an option is out of range. */
uint64_t snceRegion_LeastBytes(const snceCacheOptions *options);

/* snceAccess is what an attached process may do. */
typedef enum {
    SNCE_ACCESS_READ, /* look; the memory is mapped read-only, nothing counts */
    SNCE_ACCESS_WORK, /* look up, insert, remove */
    SNCE_ACCESS_ADMIN /* also change limits and timeouts */
} snceAccess;

/* snceRegion_Attach attaches this process to the region behind |fd|, which it
 * takes over on SNCE_OK only. Nothing in the region is believed before it is
 * checked: the seals, the size, the layout's signature. What is in the region then
 * is mapped, unless it is for reading; later the descriptor is needed for what is
 * made later only.
 *
 * Returns SNCE_OK; SNCE_BAD_DESCRIPTOR; SNCE_FOREIGN (another build's layout,
 * or no region at all); SNCE_CORRUPT (torn); SNCE_NO_MEMORY; SNCE_LOCK_LIMIT
 * (a locked region, which this process may not lock) or SNCE_UNSUPPORTED (nor can its
 * kernel). The caller owns |*out| and ends with snceRegion_Close. Makes system
 * calls. */
snceResult snceRegion_Attach(snceRegion **out, int fd, snceAccess access);

/* snceRegion_Export writes the inheritance string for a child made by fork and
 * exec into |buf|: the descriptor's number, the size, the layout's signature
 * and the random id of the region, in ASCII, ended by a NUL. Any child that
 * keeps the descriptor open can snceRegion_Inherit it. From then on the region
 * counts as shared: see snceRegion_Close.
 *
 * Returns SNCE_OK; SNCE_TOO_LARGE (give SNCE_STRING_MAX bytes);
 * SNCE_BAD_DESCRIPTOR (the descriptor was closed or is not inheritable). */
snceResult snceRegion_Export(const snceRegion *region, char *buf,
                             size_t bufLen);

/* snceRegion_Inherit attaches to the region that |string| names, for work and
 * administration. The string is foreign input: it must be of the exact form.
 *
 * Returns what snceRegion_Attach does, or SNCE_BAD_STRING; SNCE_FOREIGN also
 * when the descriptor holds another region than the string names. */
snceResult snceRegion_Inherit(snceRegion **out, const char *string);

/* snceRegion_IsNamed tells whether |string| names |region|, by whatever
 * descriptor of this process. It maps nothing and keeps no descriptor.
 *
 * Returns SNCE_OK; SNCE_MISS (another region, or none); SNCE_BAD_STRING. System
 * calls: one. */
snceResult snceRegion_IsNamed(const snceRegion *region, const char *string);

/* snceRegion_CheckString tells whether this process could inherit the region that
 * |string| names: it returns what snceRegion_Inherit would, and keeps neither a
 * mapping nor the descriptor. Makes system calls. */
snceResult snceRegion_CheckString(const char *string);

/* snceRegion_StringBytes returns the address space of the region that |string|
 * names, as the string says; 0 if it is not of its form. */
uint64_t snceRegion_StringBytes(const char *string);

/* snceRegion_Close detaches this process. When no other process was ever
 * attached or forked off, and the region was never exported, the contents are
 * dropped first, so that no secret outlives the call; otherwise the kernel drops
 * them with the last process that is attached, or has the descriptor.
 * Closing NULL is a no-op. No other thread may be using |region|. */
void snceRegion_Close(snceRegion *region);

/* snceRegion_Descriptor returns the number of the region's descriptor, which
 * the region owns, or -1 if the application closed it. System calls: one. */
int snceRegion_Descriptor(const snceRegion *region);

/* snceRegion_IsLocked tells whether this process has locked the region. */
bool snceRegion_IsLocked(const snceRegion *region);

/* snceRegion_Bytes returns how large the region's file is now. */
uint64_t snceRegion_Bytes(const snceRegion *region);

/* snceRegion_ResidentBytes returns the memory that the region takes now, which
 * all its processes share; 0 if it cannot be found out. System calls: one. */
uint64_t snceRegion_ResidentBytes(const snceRegion *region);

/* snceRegion_DefaultCache returns the handle of the region's default cache. */
snceCache snceRegion_DefaultCache(snceRegion *region);

/* snceRegion_Cache returns the handle of the virtual server |id|. If that server
 * was removed, or |id| belongs to another region, it is the handle of an empty
 * cache that takes nothing (SNCE_GONE). */
snceCache snceRegion_Cache(snceRegion *region, snceServerId id);

/* snceCache_Id returns the id of |cache|'s virtual server, which may be gone. */
snceServerId snceCache_Id(snceCache cache);

/* ---- virtual servers -----------------------------------------------------
 *
 * Beside the default cache a region holds up to SNCE_SERVERS_MAX virtual
 * servers, each with room, timeouts and figures of its own: one's load evicts
 * nothing of another's. What one process changes counts in all of them, while
 * they go on; a process that dies while it changes something leaves what was
 * or what was to be.
 *
 * Names are host names: labels of ASCII letters, digits, '-' and '_' with a dot
 * between them, together 1 to SNCE_NAME_MAX bytes; they are compared without
 * regard to case (RFC 4343) and shown in lower case. The first label of several
 * may be "*": a wildcard for one label.
 *
 * The calls that change something take turns with other processes' changes:
 * they wait up to two seconds for a turn, then return SNCE_BUSY, and they make
 * system calls. They need an attachment for administration (SNCE_READ_ONLY)
 * and the region's descriptor (SNCE_BAD_DESCRIPTOR), for the turn.
 *
 * Who has the turn first ends the change that another process left half done, and
 * makes room for its own. So each of these calls, removing too, may return
 * SNCE_NO_MEMORY, SNCE_LIMIT (the file may not become so large) or, where the region
 * is locked, SNCE_LOCK_LIMIT and SNCE_UNSUPPORTED (this process may not lock what it
 * has to map, or cannot). Nothing was changed then, except where a comment says what
 * was. */

/* snceServer_IsName tells whether a virtual server can have that name. */
bool snceServer_IsName(const uint8_t *name, size_t nameLen);

/* snceServer_Add makes the virtual server |name| as |options| say; it can be
 * found when this returns.
 *
 * Returns SNCE_OK (|*id| is the new one); SNCE_EXISTS (|*id| is the one that
 * is there, unchanged); SNCE_FULL (there are SNCE_SERVERS_MAX);
 * SNCE_NO_MEMORY, SNCE_LIMIT, SNCE_LOCK_LIMIT or SNCE_UNSUPPORTED (no room: see
 * above); SNCE_INVALID (the name or an option); SNCE_BUSY; SNCE_READ_ONLY;
 * SNCE_BAD_DESCRIPTOR; SNCE_CORRUPT. */
snceResult snceServer_Add(snceRegion *region, const uint8_t *name,
                          size_t nameLen, const snceCacheOptions *options,
                          snceServerId *id);

/* snceServer_Remove removes a virtual server with all its sessions, wiped.
 * After it returns, no process gets any of them.
 *
 * Returns SNCE_OK; SNCE_GONE (it was removed before, or |id| belongs to another
 * region); SNCE_INVALID (the default cache, or no id at all); SNCE_BUSY;
 * SNCE_READ_ONLY; SNCE_BAD_DESCRIPTOR; SNCE_NO_MEMORY, SNCE_LOCK_LIMIT or
 * SNCE_UNSUPPORTED (another one's change cannot be ended: see above). */
snceResult snceServer_Remove(snceRegion *region, snceServerId id);

/* snceServer_Find returns SNCE_OK and the id of the virtual server of exactly
 * that name, a wildcard's included, or SNCE_MISS. */
snceResult snceServer_Find(const snceRegion *region, const uint8_t *name,
                           size_t nameLen, snceServerId *id);

/* snceServer_Choose returns the virtual server for a client that asks for
 * |name| (RFC 6066 section 3; a dot at its end is ignored): the one of that
 * name; else the wildcard for it, "*" instead of its first label; else the
 * default cache, also for a name that can be nobody's, or of length 0. Those
 * that are unlisted are passed over. */
snceServerId snceServer_Choose(const snceRegion *region, const uint8_t *name,
                               size_t nameLen);

/* snceServerInfo is a virtual server as a list shows it. */
typedef struct {
    snceServerId id;
    uint8_t name[SNCE_NAME_MAX + 1]; /* ended by a NUL */
    size_t nameLen;                  /* 0: the default cache */
    snceCacheOptions options;        /* as for snceCache_GetOptions */
} snceServerInfo;

/* snceServer_Next writes the first virtual server whose number is at least
 * |number| into |*out|. A list begins at 0 and goes on at id.number + 1; what is
 * added or removed meanwhile may be in it or not. Returns SNCE_OK or SNCE_MISS
 * (no more). */
snceResult snceServer_Next(const snceRegion *region, uint32_t number,
                           snceServerInfo *out);

/* ---- sessions ------------------------------------------------------------ */

/* snceKey says which session is meant. */
typedef struct {
    const uint8_t *id;
    size_t idLen;                        /* 1 to SNCE_ID_MAX */
    uint8_t address[SNCE_ADDRESS_BYTES]; /* ignored without matchAddress */
    const uint8_t *name;                 /* NULL: under any server name; */
    size_t nameLen;                      /* else this one (0: made without), in
                                          * the spelling that it was made in */
} snceKey;

/* snceSession is one session on its way into a cache or out of one. It holds
 * key material: the caller ends with snceSession_Wipe.
 *
 * The certificate's buffer is the caller's. To insert, data and len say what to
 * store (len 0: none). To look up, data and capacity say where to put it, and
 * len is written; |data| may be NULL where the length or capacity is 0. The
 * server name is for inserting only: it is not kept, only a hash of it under
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
    snceTime lastAccess; /* in: as given; out: of the lookup before this one */
    snceTime expires;    /* out: created + the timeout of its class */
    uint8_t state[SNCE_STATE_BYTES]; /* the caller's own, never looked into */
    snceBuffer certificate;
    const uint8_t *name; /* in: of the server, in the spelling in which keys */
    size_t nameLen;      /* will have it; 0: none. Out: not written */
} snceSession;

/* snceSession_Wipe overwrites |*session| and what its buffer holds. The buffer
 * stays the caller's. */
void snceSession_Wipe(snceSession *session);

/* snceCache_Insert stores |*session|. A session with the same ID (and address,
 * where that counts) is replaced. When a set is full, an expired session goes
 * first, then the one least worth keeping. |now| is the clock of the socket.
 *
 * Returns SNCE_OK; SNCE_INVALID (ID of length zero or above SNCE_ID_MAX, a
 * class that does not exist); SNCE_TOO_LARGE (certificate or name);
 * SNCE_DROPPED (a race was lost, the cache was moved or flushed meanwhile, room for
 * the certificate was needed while another process changed the region, or the
 * session's place is out of this process's reach: this entry is not there);
 * SNCE_FULL (the certificate found no place); SNCE_GONE (the virtual server was
 * removed); SNCE_CLOSED (snceCacheOptions); SNCE_READ_ONLY; SNCE_CORRUPT. Unless
 * SNCE_OK, nothing of the session is in the cache. Where certificates need more room,
 * it takes a turn if nobody has it, and makes system calls. */
snceResult snceCache_Insert(snceCache cache, const snceSession *session,
                            snceTime now);

/* snceCache_InsertUntil is snceCache_Insert, and writes to |*expires| what
 * snceCache_Expiry returns for the session, whatever the result. */
snceResult snceCache_InsertUntil(snceCache cache, const snceSession *session,
                                 snceTime now, snceTime *expires);

/* snceCache_Lookup copies the live session for |key| into |*out|.
 *
 * A session is live while |now| is before created + timeout of its class, by
 * the timeout that the cache has now. An expired one is wiped when met. One that
 * was created more than clockSkewSec after |now| is a miss, so that a clock that
 * was set back lengthens no session; it stays, for the clock may be set right. A
 * session that had a certificate is returned with all of it or not at all.
 * |out->state| is what entries are read into, so that no other copy of a secret
 * is made: unless SNCE_OK is returned it may have been wiped.
 *
 * Returns SNCE_OK; SNCE_MISS (also when the virtual server is gone, its cache closed,
 * or the session out of this process's reach); SNCE_INVALID (ID length); SNCE_TOO_LARGE (the certificate's buffer is too
 * small: its len is what it takes, nothing more is written); SNCE_CORRUPT (the
 * region failed a check). The certificate's data and capacity must be set
 * before. */
snceResult snceCache_Lookup(snceCache cache, const snceKey *key, snceTime now,
                            snceSession *out);

/* snceCache_Remove removes every session under |key|, whatever its name, wiped.
 * After it returns, no process gets a session that was inserted before the
 * call, not even one that was stored twice at once or is half stored.
 *
 * Returns SNCE_OK (removed), SNCE_MISS (also when the virtual server is gone),
 * SNCE_INVALID, SNCE_READ_ONLY, SNCE_CORRUPT, or SNCE_NO_MEMORY (the session's place
 * is out of this process's reach, so that it may still be there). */
snceResult snceCache_Remove(snceCache cache, const snceKey *key);

/* snceCache_Expiry returns when a session of |sessionClass| created at
 * |created| expires by the timeouts that the cache has now; the largest time
 * there is if the sum overflows; |created| if the virtual server is gone. */
snceTime snceCache_Expiry(snceCache cache, snceClass sessionClass,
                          snceTime created);

/* snceCache_Configure makes a live cache what |options| say. Timeouts and flags
 * count at once, for the sessions that are already there too. With more entries
 * it grows, and every live session is carried over. With fewer it shrinks: the
 * sessions that were created last are kept, as many as it is to hold. Other
 * certificates give it another store for them, with what is in use.
 *
 * Takes a turn (see "virtual servers"). Lookups, inserts and removals go on
 * meanwhile; an insert that began before may be dropped.
 *
 * Returns SNCE_OK; SNCE_INVALID; SNCE_GONE; SNCE_NO_MEMORY, SNCE_LIMIT,
 * SNCE_LOCK_LIMIT or SNCE_UNSUPPORTED (no room: the timeouts and flags are set, and
 * the size is the old one, or the cache is still moving, which the next change
 * ends); SNCE_BUSY; SNCE_READ_ONLY; SNCE_BAD_DESCRIPTOR (the region's descriptor was
 * closed, so no turn can be taken); SNCE_CORRUPT. */
snceResult snceCache_Configure(snceCache cache,
                               const snceCacheOptions *options);

/* snceCache_Flush removes every session of the cache, wiped. After it returns,
 * no process gets one whose insert had returned before the call. Takes a turn,
 * but no longer when the cache is large than when it is small.
 *
 * Returns SNCE_OK; SNCE_GONE; SNCE_NO_MEMORY, SNCE_LIMIT, SNCE_LOCK_LIMIT or
 * SNCE_UNSUPPORTED (no room for an empty one beside the full one: nothing was done);
 * SNCE_BUSY; SNCE_READ_ONLY; SNCE_BAD_DESCRIPTOR; SNCE_CORRUPT. */
snceResult snceCache_Flush(snceCache cache);

/* snceCache_IsOpen tells whether the cache is there, its virtual server not
 * removed, and is not closed. One load, no lock, no system call; the answer may be
 * an old one the next moment. */
bool snceCache_IsOpen(snceCache cache);

/* snceCache_GetOptions writes what the cache was last configured to be. Returns
 * SNCE_OK, SNCE_GONE or SNCE_CORRUPT. */
snceResult snceCache_GetOptions(snceCache cache, snceCacheOptions *out);

/* snceFigures are a cache's counts since it was made, over all processes. Each
 * is exact once the processes rest; together they are no snapshot. */
typedef struct {
    uint64_t slots; /* places for sessions */
    uint64_t live;  /* sessions now, expired ones not yet met too */
    uint64_t hits;
    uint64_t missesUnknown; /* no such session, or the cache was closed */
    uint64_t missesExpired;
    uint64_t missesAddress;     /* there, but for another client address */
    uint64_t missesName;        /* there, but under another server name */
    uint64_t missesCertificate; /* there, but its certificate was evicted */
    uint64_t inserts;
    uint64_t replacedExpired; /* inserts that took an expired one's place */
    uint64_t replacedLive;    /* ... that evicted one which had not expired */
    uint64_t dropped;         /* inserts that lost a race */
    uint64_t refused; /* inserts out of range, too large, or into a cache
                               * that was closed */
    uint64_t removals;
    uint64_t reclaimed;    /* slots taken back from writers that died */
    uint64_t corrupt;      /* entries that failed their checksum, spoiled by a
                            * writer that was stopped and woke up too late */
    uint64_t certificates; /* certificates stored now */
    uint64_t missesFuture; /* created further ahead of the clock that asked than
                            * clockSkewSec */
    uint64_t
        keyFailures;     /* keys that the caller could not unwrap, or wrap, when
                            * it tried: snceCache_CountKeyFailure */
    uint64_t unmapped;   /* lookups, inserts and removals that did nothing
                            * because the session's place is out of their
                            * process's reach */
    uint64_t wiped;      /* taken out because they had expired, lost their
                            * certificate or were spoiled by a writer that came
                            * too late, by a flush, or in shrinking: when
                            * all rests, inserts = live + replaced... +
                            * removals + wiped */
    uint64_t overridden; /* unfinished inserts that a removal took away, which
                            * might have been of the removed session; each is
                            * also in |dropped| if its writer went on */
} snceFigures;

/* snceCache_GetFigures sums them into |*out|. A process that died in the middle
 * of an operation, or was stopped in it while the cache moved, may leave |live|
 * and |certificates| off by one. Returns SNCE_OK, SNCE_GONE, SNCE_CORRUPT, or
 * SNCE_NO_MEMORY (the counts are out of this process's reach). */
snceResult snceCache_GetFigures(snceCache cache, snceFigures *out);

/* snceCache_CountKeyFailure counts a key in keyFailures of |cache|; nothing if its
 * virtual server is gone. */
void snceCache_CountKeyFailure(snceCache cache);

/* ---- keys ---------------------------------------------------------------- */

/* snceKeyLog_Get copies the value recorded under |name| into |buf|, which may be
 * NULL if |bufLen| is 0.
 *
 * Returns SNCE_OK (|*len| bytes written); SNCE_MISS; SNCE_TOO_LARGE (|*len| is
 * what it takes); SNCE_CORRUPT; SNCE_NO_MEMORY (a record is out of this process's
 * reach, which may be that one). */
snceResult snceKeyLog_Get(snceRegion *region,
                          const uint8_t name[SNCE_KEY_NAME_BYTES], uint8_t *buf,
                          size_t bufLen, size_t *len);

/* snceKeyLog_Put records |value| under |name| unless that name is taken; of any
 * number of processes that do so at once, one wins and all others learn its
 * value. A record is never changed or freed while the region lives.
 *
 * Returns SNCE_OK (this value is recorded); SNCE_EXISTS (|buf| and |*len| have
 * the recorded one); SNCE_TOO_LARGE (|valueLen|, or |bufLen| for the recorded
 * value); SNCE_FULL; SNCE_READ_ONLY; SNCE_CORRUPT; SNCE_NO_MEMORY (as for
 * snceKeyLog_Get: nothing was recorded). |buf| may be |value|, and each may be NULL if
 * its length is 0. */
snceResult snceKeyLog_Put(snceRegion *region,
                          const uint8_t name[SNCE_KEY_NAME_BYTES],
                          const uint8_t *value, size_t valueLen, uint8_t *buf,
                          size_t bufLen, size_t *len);

#ifdef __cplusplus
}
#endif

#endif /* SSLSNCE_SNCE_H */
