/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncelayout.h: everything that lies in a region, written once.
 *
 * A field's comment says who writes it, who reads it under which rule, and what
 * a death leaves behind. The rules are numbered in sslsnce/README.md. Offsets
 * count from the start of the region; no pointer is ever stored in it. */
#ifndef SNCELAYOUT_H
#define SNCELAYOUT_H

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "sncelockfree.h"
#include "sslsnce/snce.h"

typedef _Atomic uint64_t snceWord;

/* Forces inlining, for the few functions that every lookup goes through: their
 * structures then stay in registers. Left to itself, the compiler calls
 * them. */
#define SNCE_INLINE static inline __attribute__((always_inline))

/* Marks conditions that are rare in lookups and inserts, so that the compiler
 * keeps the usual path short. Without these marks, after a dozen conditions it
 * takes the usual path for a rare one and optimizes it for size instead of
 * speed. */
#define SNCE_RARELY(condition) __builtin_expect(!!(condition), 0)

#define SNCE_LINE 64      /* a cache line */
#define SNCE_PAGE 4096    /* unit in which ranges are counted */
#define SNCE_WAYS 10      /* slots in a set of a table */
#define SNCE_CELL_WAYS 16 /* cells in a set of a certificate store */

/* Ranges begin on a multiple of this and take whole multiples of it. It is the
 * largest page size of any kernel, so giving memory back never touches a
 * neighbour. */
#define SNCE_GRAIN 65536
#define SNCE_GRAIN_PAGES (SNCE_GRAIN / SNCE_PAGE)

/* A process maps the region in chunks, each when it is first needed. A range that
 * fits into a chunk does not straddle two; a larger one begins on a chunk. */
#define SNCE_CHUNK_SHIFT 21
#define SNCE_CHUNK_BYTES (UINT64_C(1) << SNCE_CHUNK_SHIFT)
#define SNCE_CHUNK_PAGES (SNCE_CHUNK_BYTES / SNCE_PAGE)

/* The largest region. */
#define SNCE_BYTES_MAX (UINT64_C(1) << 38)
#define SNCE_CHUNKS (SNCE_BYTES_MAX >> SNCE_CHUNK_SHIFT)

/* snceLayout_InPages rounds |bytes| up to whole pages. */
static inline uint64_t
snceLayout_InPages(uint64_t bytes)
{
    return (bytes + SNCE_PAGE - 1) / SNCE_PAGE * SNCE_PAGE;
}

/* ---- a session table ----------------------------------------------------- */

/* The words of an entry, as they lie in a slot. The holder of the claim writes
 * them (rule 3); anyone reads them under rule 4. A death leaves the slot
 * claimed, and its words do not count. */
enum {
    SNCE_W_SUM = 0,         /* checksum over the words before SNCE_W_SUMMED, the
                             * slot's place, its version and the table's epoch
                             * (rule 12) */
    SNCE_W_ID = 1,          /* 4 words, zero-filled */
    SNCE_W_ADDRESS = 5,     /* 2 words */
    SNCE_W_CREATED = 7,     /* microseconds */
    SNCE_W_SHAPE = 8,       /* ID length, class << 8 */
    SNCE_W_CERTIFICATE = 9, /* snceBlobRef or 0 */
    SNCE_W_NAME = 10,       /* snceHash_Name of the server name, or 0 */
    SNCE_W_STATE = 11,      /* 12 words, the owner's */
    SNCE_W_SUMMED = 23,     /* the checksum covers the words before this one */
    SNCE_W_ACCESS = 23,     /* microseconds; readers change it (rule 6) */
    SNCE_ENTRY_WORDS = 24
};
static_assert(SNCE_W_STATE * 8 + SNCE_STATE_BYTES == SNCE_W_SUMMED * 8,
              "the owner's state fills its words");

typedef struct {
    snceWord word[SNCE_ENTRY_WORDS];
} snceSlotWords;
static_assert(sizeof(snceSlotWords) == 3 * SNCE_LINE, "a slot is three lines");

/* A set: the versions, which a lookup scans; the stamps and the order, by which
 * an insert chooses the session to evict; and the slots. Two sets fill a page,
 * so that one entry of the processor's translation buffer serves the versions
 * and the slots. With sets of sixteen, which straddled pages, a lookup among a
 * million sessions took half as long again. */
typedef struct {
    snceWord version[SNCE_WAYS];       /* rule 2 */
    _Atomic uint32_t stamp[SNCE_WAYS]; /* hints (rule 7): second of creation,
                                        * class in the top bit; written by the
                                        * claim's holder */
    snceWord order;                    /* a hint (rule 7): snceorder.h; written
                                        * by inserts */
    snceSlotWords slot[SNCE_WAYS];
} snceSet;
static_assert(offsetof(snceSet, slot) == 2 * SNCE_LINE &&
                  2 * sizeof(snceSet) == SNCE_PAGE,
              "slots begin on a line, sets do not straddle pages");

/* ---- a store of certificates --------------------------------------------- */

/* Cells come in classes of size. The sets of a class lie in segments. A segment
 * is a range of its own, taken when it is needed; the first has a fixed size,
 * and each other one is as large as all before it together. */
#define SNCE_CELL_CLASSES 6
#define SNCE_SEGMENTS 28

/* The head of a certificate store, at the beginning of its range. A segment's
 * word is the page on which the segment begins, 0 for none; its size follows
 * from its number. The holder of the administrative lock writes each word once
 * in the store's life; anyone reads it. A death leaves a segment or none. */
typedef struct {
    snceWord segment[SNCE_CELL_CLASSES][SNCE_SEGMENTS];
} snceStoreHead;
static_assert(sizeof(snceStoreHead) <= SNCE_PAGE, "a page");

/* The head of a set of cells; the cells follow it. A cell is SNCE_CELL_HEAD
 * words and then the data, zero-filled to a word. No set straddles two
 * chunks. */
typedef struct {
    snceWord version[SNCE_CELL_WAYS]; /* rule 2 */
    snceWord count[SNCE_CELL_WAYS];   /* generation << 32 | number of sessions
                                       * that refer to the cell; a death can
                                       * leave the number too high, never too
                                       * low (rule 8) */
} snceCellSet;
static_assert(sizeof(snceCellSet) == 4 * SNCE_LINE, "no gaps");

enum {
    SNCE_C_SUM = 0,    /* checksum over the length, the data, the place, the
                        * version and the store's epoch (rule 12) */
    SNCE_C_LENGTH = 1, /* bytes of data */
    SNCE_CELL_HEAD = 2
};

/* ---- the directory of virtual servers ------------------------------------ */

/* Bounds of what a directory entry may say. */
#define SNCE_PAGES_MAX (UINT64_C(1) << 23)  /* of a table; of 20 slots each */
#define SNCE_CELLS_MAX (UINT64_C(96) << 20) /* a rough number: sncesize.h */
static_assert(SNCE_CELLS_MAX >= SNCE_ENTRIES_MAX,
              "room for all that may be asked");

/* A backing store: where the sessions of a virtual server lie. Range words are
 * described in sncerange.h. Two numbers in one word: snceWord_Pair. */
typedef struct {
    snceWord table; /* range word of the table */
    snceWord store; /* range word of the certificate store; while a cache moves,
                     * both backing stores may name the same one */
    snceWord size;  /* sncesize.h; the only one of these words that anybody may
                     * change (rule 15) */
} snceBackingWords;

/* One virtual server. The holder of the administrative lock writes all of this,
 * one atomic word at a time (rule 9), except for the size words, which anybody
 * may change (rule 15). Anyone reads it. The state word (sncestate.h) says
 * which backing store is in use, and so which of the other words count: a
 * change fills in words that nobody looks at, and takes effect by one store of
 * the state word. A death leaves the state word as it was before or after the
 * change, and at worst ranges that are not given back yet; the next change
 * gives them back (rule 13). */
typedef struct {
    snceWord state;
    _Atomic uint32_t timeoutSec[SNCE_CLASSES]; /* takes effect as soon as it is
                                                * stored */
    snceBackingWords backing[2];
    /* Lookups do not need what follows; it begins on a line of its own. */
    snceWord asked[2]; /* of each backing store, as asked for: entries << 32 |
                        * certificates */
    snceWord pages[2]; /* of each backing store, the pages of its ranges:
                        * table's << 32 | certificate store's */
    snceWord liveFrom[2];   /* of each side: SNCE_N_LIVE when the table of that
                             * side was made */
    snceWord storedFrom[2]; /* of each side: SNCE_N_STORED when the certificate
                             * store of that side was made */
    snceWord
        grown[2]; /* of each backing store: not 0 if its certificate store may
                   * have more segments */
    snceWord nameHash;
    snceWord nameLen;              /* 0 for entry 0, the default cache */
    _Atomic uint32_t clockSkewSec; /* takes effect as soon as it is stored. Read
                                    * only by inserts, and by lookups of a
                                    * session that was created after the clock
                                    * that asks */
    /* For the caller: snceCacheOptions. They take effect as soon as they are
     * stored. */
    _Atomic uint32_t ticketTimeoutSec;
    _Atomic uint32_t resumptionAgeSec;
    _Atomic uint32_t ticketRotationSec;
    _Atomic uint32_t ticketEpoch;
    _Atomic uint32_t withinTwoRotations; /* 0 or 1 */
    _Atomic uint32_t flushes; /* counts up with each flush; never reset, because
                               * a server with the same number has another
                               * generation */
    _Atomic uint32_t sharesClientAuth; /* 0 or 1 */
    uint8_t reserved[56];
    snceWord refused;  /* microseconds: snceCache_RefuseTickets */
    snceWord name[32]; /* lower case, zero-filled; constant while live */
} snceServerWords;
static_assert(sizeof(snceServerWords) == 512, "no gaps");
static_assert(offsetof(snceServerWords, asked) == SNCE_LINE,
              "what a lookup needs is one line");
static_assert(SNCE_NAME_MAX < 32 * 8, "a name fits its words, and a zero");

/* The entries of the directory: the default cache and SNCE_SERVERS_MAX others.
 * The directory takes whole pages. */
#define SNCE_SERVERS (SNCE_SERVERS_MAX + 1)
#define SNCE_DIRECTORY                                                         \
    ((SNCE_SERVERS + SNCE_PAGE / 512 - 1) / (SNCE_PAGE / 512) *                \
     (SNCE_PAGE / 512))

/* The generation of the default cache, which is never removed: that of
 * snceState_Born for a new entry. */
#define SNCE_DEFAULT_GENERATION 1

/* The index of names: an open-addressing hash table, at most a quarter full. It
 * holds hints only: whether a virtual server exists is decided by its own
 * entry. The holder of the administrative lock writes it; a death leaves at
 * worst one hint too many (rule 14). A hint is
 *   hash of the name, upper 48 bits | number of the server */
#define SNCE_NAMES 4096
#define SNCE_HINT_NUMBER UINT64_C(0xffff)

typedef struct {
    snceWord hint[SNCE_NAMES];
} snceNames;

/* ---- figures ------------------------------------------------------------- */

enum {
    SNCE_N_HIT = 0,
    SNCE_N_UNKNOWN,
    SNCE_N_EXPIRED,
    SNCE_N_ADDRESS,
    SNCE_N_NAME,
    SNCE_N_CERTIFICATE,
    SNCE_N_INSERT,
    SNCE_N_REPLACED_EXPIRED,
    SNCE_N_REPLACED_LIVE,
    SNCE_N_DROPPED,
    SNCE_N_REFUSED,
    SNCE_N_REMOVED,
    SNCE_N_RECLAIMED,
    SNCE_N_CORRUPT,
    SNCE_N_OVERRIDDEN,
    SNCE_N_FUTURE,
    SNCE_N_KEY_FAILURE,
    SNCE_N_UNMAPPED,
    SNCE_N_EVICTED, /* an insert that evicted a live session: stands for one
                     * SNCE_N_INSERT and one SNCE_N_REPLACED_LIVE, counted by
                     * one addition */
    SNCE_N_LIVE,    /* entries in the table; a figure for each side
                     * (sncerange.h) */
    SNCE_N_STORED = SNCE_N_LIVE + 2, /* certificates in the store; a figure for
                                      * each side */
    SNCE_FIGURES = SNCE_N_STORED + 2
};

/* A lane: the figures that one processor counts, in three cache lines that no
 * other processor writes. */
typedef struct {
    snceWord count[3 * SNCE_LINE / 8];
} snceLane;
static_assert(SNCE_FIGURES <= 3 * SNCE_LINE / 8, "three lines are enough");

/* What becomes of tickets is counted a few times in a handshake, so several
 * processors may share a lane. */
typedef struct {
    snceWord count[2 * SNCE_LINE / 8];
} snceTicketLane;
static_assert(SNCE_TICKET_EVENTS <= 2 * SNCE_LINE / 8, "two lines are enough");

#define SNCE_LANES 60
#define SNCE_TICKET_LANES 6

typedef struct {
    snceLane lane[SNCE_LANES];
    snceTicketLane tickets[SNCE_TICKET_LANES];
} snceCounters;
static_assert(sizeof(snceCounters) % SNCE_PAGE == 0, "whole pages");

/* Counters lie in blocks, so that those of one server do not straddle two
 * chunks. */
#define SNCE_COUNTERS_BLOCK (UINT64_C(256) << 10)
#define SNCE_COUNTERS_IN_BLOCK (SNCE_COUNTERS_BLOCK / sizeof(snceCounters))
#define SNCE_COUNTERS_BLOCKS                                                   \
    ((SNCE_SERVERS + SNCE_COUNTERS_IN_BLOCK - 1) / SNCE_COUNTERS_IN_BLOCK)
static_assert(SNCE_CHUNK_BYTES % SNCE_COUNTERS_BLOCK == 0, "whole blocks");

/* ---- the key log --------------------------------------------------------- */

#define SNCE_KEY_RECORDS 1024
#define SNCE_KEY_CELLS (SNCE_KEY_RECORDS + 256) /* deaths leave some taken */

enum {
    SNCE_K_SUM = 0, /* checksum over the words after it, so that a damaged
                     * record is noticed */
    SNCE_K_LENGTH = 1,
    SNCE_K_NAME = 2,
    SNCE_K_VALUE = SNCE_K_NAME + SNCE_KEY_NAME_BYTES / 8,
    SNCE_KEY_WORDS = SNCE_PAGE / 8
};
static_assert(SNCE_K_VALUE * 8 + SNCE_KEY_VALUE_MAX <= SNCE_PAGE,
              "a record fits its page");

typedef struct {
    snceWord word[SNCE_KEY_WORDS];
} snceKeyCell;

/* A record is a cell that was entered in the log (rule 10). */
typedef struct {
    snceWord log[SNCE_KEY_RECORDS]; /* index of a cell + 1, or 0; written once,
                                     * by the writer that finds this to be the
                                     * first place which is 0 */
    snceWord taken[SNCE_KEY_CELLS]; /* 1: a writer is filling the cell, or has
                                     * filled it; a death leaves it taken */
} snceKeyLog;

/* ---- ticket keys --------------------------------------------------------- */

/* With a new key each minute, and tickets that live a week, 10,080 are valid at
 * once. */
#define SNCE_TICKET_KEYS 10752

enum {
    SNCE_T_SUM = 0, /* over the words after it, as of a slot (snceSlot_Sum) */
    SNCE_T_ID = 1,
    SNCE_T_UNDER = 2,
    SNCE_T_CREATED = 3, /* times in microseconds */
    SNCE_T_ENCRYPT_FROM = 4,
    SNCE_T_ENCRYPT_UNTIL = 5,
    SNCE_T_DECRYPT_UNTIL = 6,
    SNCE_T_LENGTH = 7,
    SNCE_T_SOURCE = 8,
    SNCE_T_VALUE = 9,
    SNCE_TICKET_WORDS = SNCE_T_VALUE + SNCE_TICKET_VALUE_MAX / 8
};

/* Slots under the protocol of snceslot.h. */
typedef struct {
    snceWord changes; /* counts up after every key that comes or goes; a death
                       * leaves out one, of a key that nobody has used */
    snceWord used;    /* slots from the beginning that were ever claimed */
    snceWord looked;  /* microseconds: snceTicketKeys_MayLook */
    snceWord pad[SNCE_PAGE / 8 - 3];
    snceWord version[SNCE_TICKET_KEYS];
    struct {
        snceWord word[SNCE_TICKET_WORDS];
    } slot[SNCE_TICKET_KEYS];
    /* Counted by anybody, from 0 when a key is stored; figures only. */
    snceWord uses[SNCE_TICKET_KEYS][SNCE_TICKET_USES];
} snceTicketSlots;
static_assert(sizeof(snceTicketSlots) <= SNCE_CHUNK_BYTES, "they fit a chunk");
static_assert(sizeof(snceTicketSlots) % SNCE_PAGE == 0, "whole pages");

/* ---- early data ---------------------------------------------------------- */

/* Filters for early data: sncereplay.c. Each belongs to one combination of options,
 * and has a share of the pairs. */
#define SNCE_REPLAY_PAIRS 32768
#define SNCE_REPLAY_PAIRS_MIN 1024 /* left for each later filter */

/* Any process writes these words, each by compare-and-swap. A death leaves each
 * of them as it was before or after. */
typedef struct {
    snceWord options; /* 0: free; written once, in the first free one */
    snceWord born;    /* microseconds + 1; 0: not noted yet; written once */
    snceWord window;  /* number of the newest window; only raised */
    snceWord pad[SNCE_LINE / 8 - 3];
} snceReplayFilter;

/* A word of a pair has bits, and in its upper 16 bits the number of the window to
 * which they belong. The first word is for windows of even number, the second one for
 * the others. Any process writes them, in single operations. */
typedef struct {
    snceReplayFilter filter[SNCE_REPLAY_FILTERS];
    snceWord
        pad[(SNCE_PAGE - SNCE_REPLAY_FILTERS * sizeof(snceReplayFilter)) / 8];
    snceWord pair[SNCE_REPLAY_PAIRS][2];
} snceReplayWords;
static_assert(offsetof(snceReplayWords, pair) == SNCE_PAGE, "a page of heads");
static_assert(SNCE_REPLAY_PAIRS >= SNCE_REPLAY_FILTERS * SNCE_REPLAY_PAIRS_MIN,
              "each filter has a share");

/* ---- the region ---------------------------------------------------------- */

#define SNCE_MAGIC UINT64_C(0x31656863616e7373) /* "ssnache1" */

/* The creator writes this before anybody can attach. Afterwards the fields
 * behind |sum| change under the administrative lock (rule 9); only |attached|
 * and |shared| change without it. */
typedef struct {
    _Atomic uint64_t magic;    /* stored last; until then it is not a region */
    uint64_t signature;        /* snceLayout_Signature() of the build */
    uint64_t id[2];            /* random; the inheritance string contains it */
    uint64_t seed;             /* random; keys of snceHash */
    uint64_t lock;             /* 1: processes that attach, except readers, lock
                                * it in memory; else 0 */
    uint64_t sum;              /* checksum over signature, id, seed and lock */
    _Atomic uint64_t heap;     /* where the search for the next range begins; a
                                * hint */
    _Atomic uint64_t swept;    /* where the next sweep begins; a hint */
    _Atomic uint64_t serial;   /* serial of the last range taken; a death skips
                                * one */
    _Atomic uint64_t dropped;  /* when the last range was given back, in seconds
                                * of the machine's monotonic clock; a hint */
    _Atomic uint64_t change;   /* the mark: number + 1 of the server that is
                                * being changed, else 0; a death leaves it set
                                * (rule 13) */
    _Atomic uint64_t refused;  /* the latest time up to which a removed server
                                * refused tickets */
    _Atomic uint32_t servers;  /* entries of the directory ever used */
    _Atomic uint32_t attached; /* processes attached; each death leaves it one
                                * too high */
    _Atomic uint32_t shared;   /* 1: a process attached here has forked, or has
                                * exported the region; never cleared */
    _Atomic uint32_t wildcards; /* number of wildcard names, at least that of
                                 * the live ones; a death may leave it too
                                 * high */
    /* The administrative lock of a region without a file, which a record lock
     * needs. The mutex is robust: the kernel releases it when its holder
     * dies. */
    pthread_mutex_t mutex;
    uint8_t pad[SNCE_PAGE - 120 - sizeof(pthread_mutex_t)];
} snceHeader;
static_assert(sizeof(snceHeader) == SNCE_PAGE, "a page");

/* Fixed offsets. They are constants and not read from shared memory, so they
 * need no check. The first four parts lie in the first chunk, which every
 * process has mapped. */
#define SNCE_ALIGNED(offset, to) (((offset) + (to)-1) / (to) * (to))
#define SNCE_AT_DIRECTORY ((uint64_t)SNCE_PAGE)
#define SNCE_AT_NAMES                                                          \
    (SNCE_AT_DIRECTORY + SNCE_DIRECTORY * sizeof(snceServerWords))
#define SNCE_AT_KEY_LOG (SNCE_AT_NAMES + sizeof(snceNames))
#define SNCE_AT_COUNTERS                                                       \
    SNCE_ALIGNED(SNCE_AT_KEY_LOG + sizeof(snceKeyLog), SNCE_COUNTERS_BLOCK)
#define SNCE_AT_KEY_CELLS                                                      \
    (SNCE_AT_COUNTERS + SNCE_COUNTERS_BLOCKS * SNCE_COUNTERS_BLOCK)
#define SNCE_AT_TICKET_KEYS                                                    \
    SNCE_ALIGNED(SNCE_AT_KEY_CELLS + SNCE_KEY_CELLS * sizeof(snceKeyCell),     \
                 (uint64_t)SNCE_CHUNK_BYTES)
#define SNCE_AT_REPLAY (SNCE_AT_TICKET_KEYS + sizeof(snceTicketSlots))
#define SNCE_AT_HEAP                                                           \
    SNCE_ALIGNED(SNCE_AT_REPLAY + sizeof(snceReplayWords), (uint64_t)SNCE_GRAIN)

static_assert(SNCE_AT_NAMES % SNCE_PAGE == 0 &&
                  SNCE_AT_KEY_LOG % SNCE_PAGE == 0 &&
                  SNCE_AT_KEY_CELLS % SNCE_PAGE == 0,
              "every part begins on a page");
static_assert(SNCE_AT_COUNTERS <= SNCE_CHUNK_BYTES,
              "what every process needs lies in the first chunk");
static_assert(SNCE_AT_REPLAY % SNCE_CHUNK_BYTES + sizeof(snceReplayWords) <=
                  SNCE_CHUNK_BYTES,
              "the filters lie in the chunk of the ticket keys");

/* snceLayout_Signature hashes the sizes, offsets and options above, so that
 * builds which differ in any of them refuse each other's regions. */
uint64_t snceLayout_Signature(void);

#endif /* SNCELAYOUT_H */
