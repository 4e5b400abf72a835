/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncelayout.h: everything that lies in a region, written once.
 *
 * A field's comment says who writes it, who reads it under what rule, and what
 * a death leaves behind. The rules are numbered in sslsnce/README.md. Offsets
 * count from the start of the region; no pointer is ever stored. */
#ifndef SNCELAYOUT_H
#define SNCELAYOUT_H

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "sslsnce/snce.h"

typedef _Atomic uint64_t snceWord;

/* For the few functions that every lookup goes through, and that a compiler
 * would rather call: its structures then are registers. */
#define SNCE_INLINE static inline __attribute__((always_inline))

/* Of what hardly any lookup meets. After a dozen conditions of which it knows
 * nothing a compiler takes what is left for rare, and makes it small, not fast. */
#define SNCE_RARELY(condition) __builtin_expect(!!(condition), 0)

#define SNCE_LINE 64      /* a cache line */
#define SNCE_PAGE 4096    /* what ranges of the region are counted in */
#define SNCE_WAYS 10      /* slots in a set of a table */
#define SNCE_CELL_WAYS 16 /* cells in a set of a store */

/* Ranges begin on a multiple of this and take whole multiples of it: the largest
 * page of any kernel, so that giving memory back never touches a neighbour. */
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

/* Lock-free or not at all: a lock inside an atomic would die with its holder.
 */
static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2,
              "sslsnce needs lock-free 64-bit atomics");

/* snceLayout_InPages rounds |bytes| up to whole pages. */
static inline uint64_t
snceLayout_InPages(uint64_t bytes)
{
    return (bytes + SNCE_PAGE - 1) / SNCE_PAGE * SNCE_PAGE;
}

/* ---- a session table ----------------------------------------------------- */

/* An entry's words, as they lie in a slot. Written by the claim's holder
 * (rule 3); read by anyone under rule 4; a death leaves a claimed slot whose
 * words do not count. */
enum {
    SNCE_W_SUM = 0,         /* over the words up to SNCE_W_SUMMED, the slot's
                             * place, its version and the table (rule 12) */
    SNCE_W_ID = 1,          /* 4 words, zero-filled */
    SNCE_W_ADDRESS = 5,     /* 2 words */
    SNCE_W_CREATED = 7,     /* microseconds */
    SNCE_W_SHAPE = 8,       /* ID length, class << 8 */
    SNCE_W_CERTIFICATE = 9, /* snceBlobRef or 0 */
    SNCE_W_NAME = 10,       /* snceHash_Name of the server name, or 0 */
    SNCE_W_STATE = 11,      /* 12 words, the owner's */
    SNCE_W_SUMMED = 23,     /* words before this one are summed */
    SNCE_W_ACCESS = 23,     /* microseconds; readers move it (rule 6) */
    SNCE_ENTRY_WORDS = 24
};
static_assert(SNCE_W_STATE * 8 + SNCE_STATE_BYTES == SNCE_W_SUMMED * 8,
              "the owner's state fills its words");

typedef struct {
    snceWord word[SNCE_ENTRY_WORDS];
} snceSlot;
static_assert(sizeof(snceSlot) == 3 * SNCE_LINE, "a slot is three lines");

/* A set: what a lookup scans, what a replacement weighs, and the slots. Two of
 * them fill a page, so that a lookup that missed the processor's translation
 * buffer for the versions does not miss it again for the slot: with sets of
 * sixteen, which straddled pages, a lookup among a million sessions took half
 * as long again. */
typedef struct {
    snceWord version[SNCE_WAYS];       /* rule 2 */
    _Atomic uint32_t stamp[SNCE_WAYS]; /* hints (rule 7): second of creation,
                                         * class in the top bit; written by
                                         * the claim's holder */
    snceWord order;                    /* a hint (rule 7): snceorder.h;
                                         * written by inserts */
    snceSlot slot[SNCE_WAYS];
} snceSet;
static_assert(offsetof(snceSet, slot) == 2 * SNCE_LINE &&
                  2 * sizeof(snceSet) == SNCE_PAGE,
              "slots begin on a line, sets do not straddle pages");

/* ---- a store of certificates --------------------------------------------- */

/* Cells come in classes of size. Each class has its sets in segments, which are
 * ranges of their own and are taken when they are needed: the first one, and then
 * each as large as all before it. */
#define SNCE_CELL_CLASSES 6
#define SNCE_SEGMENTS 28

/* Begins a store's range. A segment's word is the page on which it begins, 0 for
 * none; its size follows from its number. Written by the holder of the turn, once
 * in a store's life; read by anyone. A death leaves a segment or none. */
typedef struct {
    snceWord segment[SNCE_CELL_CLASSES][SNCE_SEGMENTS];
} snceStoreHead;
static_assert(sizeof(snceStoreHead) <= SNCE_PAGE, "a page");

/* Heads a set of cells; the cells follow. A cell is SNCE_CELL_HEAD words and
 * then the data, zero-filled to a word. No set straddles two chunks. */
typedef struct {
    snceWord version[SNCE_CELL_WAYS]; /* rule 2 */
    snceWord count[SNCE_CELL_WAYS]; /* generation << 32 | sessions that refer to
                                  * it; a death can leave it too high, never
                                  * too low (rule 8) */
} snceCellSet;
static_assert(sizeof(snceCellSet) == 4 * SNCE_LINE, "no gaps");

enum {
    SNCE_C_SUM = 0,    /* over the length, the data, the place, the version
                        * and the store (rule 12) */
    SNCE_C_LENGTH = 1, /* bytes of data */
    SNCE_CELL_HEAD = 2
};

/* ---- the directory of virtual servers ------------------------------------ */

/* Bounds of what a directory entry may say. */
#define SNCE_PAGES_MAX (UINT64_C(1) << 23)  /* of a table; of 20 slots each */
#define SNCE_CELLS_MAX (UINT64_C(96) << 20) /* a rough number: sncesize.h */
static_assert(SNCE_CELLS_MAX >= SNCE_ENTRIES_MAX,
              "room for all that may be asked");

/* Where the sessions of a virtual server lie. Range words: sncerange.h. Two
 * numbers in one word: snceWord_Pair. */
typedef struct {
    snceWord table; /* range word of the table */
    snceWord store; /* range word of the store of certificates; when a cache
                     * moves, both homes may have the same */
    snceWord size;  /* sncesize.h; alone of these, anybody may change it */
} snceHomeWords;

/* One virtual server. Everything is written by the holder of the turn for rare
 * changes, one atomic word at a time (rule 9), but for the size words (rule 15); read by anyone. The life word
 * (sncelife.h) says which home is lived in and so what else counts: a change
 * fills in what nobody looks at and is made by one store of that word. A death
 * leaves the life word of before or after, and at worst ranges that are not
 * yet given back: the next change does it (rule 13). */
typedef struct {
    snceWord life;
    _Atomic uint32_t timeoutSec[SNCE_CLASSES]; /* each counts when seen */
    snceHomeWords home[2];
    /* A line of its own for what lookups do not need. */
    snceWord asked[2];      /* by home: entries << 32 | certificates */
    snceWord pages[2];      /* by home: of the table << 32 | of the store */
    snceWord liveFrom[2];   /* by the table's side: what SNCE_N_LIVE was when
                             * it was made */
    snceWord storedFrom[2]; /* by the store's side, for SNCE_N_STORED */
    snceWord grown[2];      /* by home: not 0 if the store may have segments */
    snceWord nameHash;
    snceWord nameLen;              /* 0 for entry 0, the default cache */
    _Atomic uint32_t clockSkewSec; /* counts when seen, as the timeouts do; read
                                    * only where a session is ahead of a clock,
                                    * and by inserts */
    uint8_t reserved[92];
    snceWord name[32]; /* lower case, zero-filled; constant while live */
} snceServerWords;
static_assert(sizeof(snceServerWords) == 512, "no gaps");
static_assert(offsetof(snceServerWords, asked) == SNCE_LINE,
              "what a lookup needs is one line");
static_assert(SNCE_NAME_MAX < 32 * 8, "a name fits its words, and a zero");

/* The default cache, SNCE_SERVERS_MAX others, and whole pages. */
#define SNCE_SERVERS (SNCE_SERVERS_MAX + 1)
#define SNCE_DIRECTORY                                                         \
    ((SNCE_SERVERS + SNCE_PAGE / 512 - 1) / (SNCE_PAGE / 512) *                \
     (SNCE_PAGE / 512))

/* The default cache is never removed: snceLife_Born of a new entry. */
#define SNCE_DEFAULT_GENERATION 1

/* The index of names: open addressing, at most a quarter full. Hints only: a
 * virtual server is what its own entry says. Written under the turn; a death
 * leaves a hint too many (rule 14).
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
    SNCE_N_LIVE,                     /* by the table's side: entries in */
    SNCE_N_STORED = SNCE_N_LIVE + 2, /* by the store's: certificates in */
    SNCE_FIGURES = SNCE_N_STORED + 2
};

/* What one processor counts: three lines that no other processor writes. */
typedef struct {
    snceWord count[3 * SNCE_LINE / 8];
} snceLane;
static_assert(SNCE_FIGURES <= 3 * SNCE_LINE / 8, "three lines are enough");

#define SNCE_LANES 64

typedef struct {
    snceLane lane[SNCE_LANES];
} snceCounters;
static_assert(sizeof(snceCounters) % SNCE_PAGE == 0, "whole pages");

/* Counters lie in blocks, so that none straddles two chunks. */
#define SNCE_COUNTERS_BLOCK (UINT64_C(256) << 10)
#define SNCE_COUNTERS_IN_BLOCK (SNCE_COUNTERS_BLOCK / sizeof(snceCounters))
#define SNCE_COUNTERS_BLOCKS                                                   \
    ((SNCE_SERVERS + SNCE_COUNTERS_IN_BLOCK - 1) / SNCE_COUNTERS_IN_BLOCK)
static_assert(SNCE_CHUNK_BYTES % SNCE_COUNTERS_BLOCK == 0, "whole blocks");

/* ---- the key log --------------------------------------------------------- */

#define SNCE_KEY_RECORDS 1024
#define SNCE_KEY_CELLS (SNCE_KEY_RECORDS + 256) /* deaths leave some taken */

enum {
    SNCE_K_SUM = 0, /* over the words after it: scribbles are seen */
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
    snceWord log[SNCE_KEY_RECORDS]; /* index of a cell + 1; written once, by
                                     * whoever finds the first that is 0 */
    snceWord taken[SNCE_KEY_CELLS]; /* 1: somebody writes the cell, or wrote it;
                                     * a death leaves it taken */
} snceKeyLog;

/* ---- the region ---------------------------------------------------------- */

#define SNCE_MAGIC UINT64_C(0x31656863616e7373) /* "ssnache1" */

/* Written by the creator before anybody can attach; what follows |sum| under
 * the turn (rule 9), but for the last two. */
typedef struct {
    _Atomic uint64_t magic;    /* stored last: before that it is no region */
    uint64_t signature;        /* snceLayout_Signature() of the build */
    uint64_t id[2];            /* random; the inheritance string repeats it */
    uint64_t seed;             /* random; keys of snceHash */
    uint64_t lock;             /* 1: who attaches locks it in memory; else 0 */
    uint64_t sum;              /* over the five fields above */
    _Atomic uint64_t heap;     /* where the next range is looked for first;
                                * a hint */
    _Atomic uint64_t swept;    /* where the next sweep begins; a hint */
    _Atomic uint64_t serial;   /* of the last range taken; a death skips one */
    _Atomic uint64_t dropped;  /* when the last range was given back, seconds of
                                 * the machine's monotonic clock; a hint */
    _Atomic uint64_t change;   /* number + 1 of the server that is being
                                * changed; a death leaves it (rule 13) */
    _Atomic uint32_t servers;  /* entries of the directory ever used */
    _Atomic uint32_t attached; /* processes attached; deaths leave it high */
    _Atomic uint32_t shared;   /* a process attached here has forked, or has
                                 * exported the region; never taken back */
    _Atomic uint32_t wildcards; /* at least the live ones; deaths leave it high
                                 */
    pthread_mutex_t mutex; /* the turn, where there is no file to lock; robust:
                            * the kernel takes it from who dies */
    uint8_t pad[SNCE_PAGE - 112 - sizeof(pthread_mutex_t)];
} snceHeader;
static_assert(sizeof(snceHeader) == SNCE_PAGE, "a page");

/* Fixed places: nothing to believe, nothing to check. The first four parts lie in
 * the first chunk, which every process has mapped. */
#define SNCE_ALIGNED(offset, to) (((offset) + (to)-1) / (to) * (to))
#define SNCE_AT_DIRECTORY ((uint64_t)SNCE_PAGE)
#define SNCE_AT_NAMES                                                          \
    (SNCE_AT_DIRECTORY + SNCE_DIRECTORY * sizeof(snceServerWords))
#define SNCE_AT_KEY_LOG (SNCE_AT_NAMES + sizeof(snceNames))
#define SNCE_AT_COUNTERS                                                       \
    SNCE_ALIGNED(SNCE_AT_KEY_LOG + sizeof(snceKeyLog), SNCE_COUNTERS_BLOCK)
#define SNCE_AT_KEY_CELLS                                                      \
    (SNCE_AT_COUNTERS + SNCE_COUNTERS_BLOCKS * SNCE_COUNTERS_BLOCK)
#define SNCE_AT_HEAP                                                           \
    SNCE_ALIGNED(SNCE_AT_KEY_CELLS + SNCE_KEY_CELLS * sizeof(snceKeyCell),     \
                 (uint64_t)SNCE_GRAIN)

static_assert(SNCE_AT_NAMES % SNCE_PAGE == 0 &&
                  SNCE_AT_KEY_LOG % SNCE_PAGE == 0 &&
                  SNCE_AT_KEY_CELLS % SNCE_PAGE == 0,
              "every part begins on a page");
static_assert(SNCE_AT_COUNTERS <= SNCE_CHUNK_BYTES,
              "what every process needs lies in the first chunk");

/* snceLayout_Signature hashes the sizes, offsets and options above, so that
 * builds that differ in any refuse each other. */
uint64_t snceLayout_Signature(void);

#endif /* SNCELAYOUT_H */
