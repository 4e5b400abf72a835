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
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "sslsnce/snce.h"

typedef _Atomic uint64_t snceWord;

#define SNCE_LINE 64   /* a cache line */
#define SNCE_PAGE 4096 /* ranges of the region begin on a multiple of this */
#define SNCE_WAYS 16   /* slots in a set, of tables and of stores */

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
    SNCE_W_SUM = 0,         /* over the words up to SNCE_W_SUMMED, the
                                    * slot's place and its version */
    SNCE_W_ID = 1,          /* 4 words, zero-filled */
    SNCE_W_ADDRESS = 5,     /* 2 words */
    SNCE_W_CREATED = 7,     /* microseconds */
    SNCE_W_SHAPE = 8,       /* ID length, class << 8 */
    SNCE_W_CERTIFICATE = 9, /* snceBlobRef or 0 */
    SNCE_W_NAME = 10,       /* snceBlobRef or 0 */
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

/* A set: what a lookup scans, what a replacement weighs, and the slots. */
typedef struct {
    snceWord version[SNCE_WAYS];       /* rule 2; two lines */
    _Atomic uint32_t stamp[SNCE_WAYS]; /* hints (rule 7): second of creation,
                                         * class in the top bit; written by
                                         * the claim's holder */
    snceSlot slot[SNCE_WAYS];
} snceSet;
static_assert(sizeof(snceSet) == (3 + 3 * SNCE_WAYS) * SNCE_LINE,
              "a set has no gaps");

/* Heads a table's range. */
typedef struct {
    _Atomic uint64_t setCount; /* written before the table is published;
                                  * bounded by every reader */
    uint8_t pad[SNCE_PAGE - 8];
} snceTableHead;
static_assert(sizeof(snceTableHead) == SNCE_PAGE, "a page");

/* ---- a blob store -------------------------------------------------------- */

/* Heads a set of cells; the cells follow. A cell is SNCE_CELL_HEAD words and
 * then the data, zero-filled to a word. */
typedef struct {
    snceWord version[SNCE_WAYS]; /* rule 2 */
    snceWord count[SNCE_WAYS];   /* generation << 32 | sessions that refer to
                                  * it; a death can leave it too high, never
                                  * too low (rule 8) */
} snceCellSet;
static_assert(sizeof(snceCellSet) == 4 * SNCE_LINE, "no gaps");

enum {
    SNCE_C_SUM = 0,    /* over the length, the data, the place, the version */
    SNCE_C_LENGTH = 1, /* bytes of data */
    SNCE_CELL_HEAD = 2
};

typedef struct {
    _Atomic uint64_t cells; /* what the store was made for; written before it
                             * is published, bounded by every reader */
    uint8_t pad[SNCE_PAGE - 8];
} snceBlobHead;
static_assert(sizeof(snceBlobHead) == SNCE_PAGE, "a page");

/* ---- the directory of virtual servers ------------------------------------ */

#define SNCE_SERVERS_MAX 1024

#define SNCE_SERVER_FREE 0u
#define SNCE_SERVER_LIVE 1u

#define SNCE_MATCH_ADDRESS 1u

/* One virtual server. Everything is written by the holder of the turn for rare
 * changes (rule 9), one atomic word at a time, in an order in which every
 * prefix is a valid state; read by anyone. */
typedef struct {
    _Atomic uint32_t state;
    _Atomic uint32_t flags;
    _Atomic uint32_t timeoutSec[SNCE_CLASSES];
    _Atomic uint64_t entries;      /* what was asked for; for display */
    _Atomic uint64_t table;        /* offset of the table that takes inserts */
    _Atomic uint64_t previous;     /* offset of the one being emptied into it;
                                    * not 0: growing, or died growing */
    _Atomic uint64_t certificates; /* offset of a blob store */
    _Atomic uint64_t names;        /* offset of a blob store */
    uint8_t reserved[200];
    uint8_t nameLen;   /* the virtual server's name; entry 0, the */
    uint8_t name[255]; /* default cache, has none */
} snceServer;
static_assert(sizeof(snceServer) == 512, "no gaps");

/* ---- figures ------------------------------------------------------------- */

enum {
    SNCE_N_OUT = 0, /* entries taken out, but not replaced by an insert */
    SNCE_N_HIT,
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
    SNCE_N_STORED, /* certificates stored less certificates taken out */
    SNCE_FIGURES
};

/* What one processor counts: two lines that no other processor writes. */
typedef struct {
    snceWord count[SNCE_FIGURES];
} snceLane;
static_assert(sizeof(snceLane) == 2 * SNCE_LINE, "two lines");

#define SNCE_LANES 64

typedef struct {
    snceLane lane[SNCE_LANES];
} snceCounters;

/* ---- the key log --------------------------------------------------------- */

#define SNCE_KEY_RECORDS 1024
#define SNCE_KEY_CELLS (2 * SNCE_KEY_RECORDS)

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
    snceWord log[SNCE_KEY_RECORDS];   /* index of a cell + 1; written once, by
                                     * whoever finds the first that is 0 */
    snceWord taken[SNCE_KEY_CELLS];   /* 1: somebody writes the cell, or wrote
                                     * it; a death leaves it taken */
    snceKeyCell cell[SNCE_KEY_CELLS]; /* its taker's alone until it is in the
                                       * log, constant from then on */
} snceKeyRecords;

/* ---- the region ---------------------------------------------------------- */

#define SNCE_MAGIC UINT64_C(0x31656863616e7373) /* "ssnache1" */

/* Written by the creator before anybody can attach, but for the last three. */
typedef struct {
    _Atomic uint64_t magic;    /* stored last: before that it is no region */
    uint64_t signature;        /* snceLayout_Signature() of the build */
    uint64_t bytes;            /* the whole region */
    uint64_t id[2];            /* random; the inheritance string repeats it */
    uint64_t seed;             /* random; keys of snceHash */
    uint64_t sum;              /* over the five fields above */
    _Atomic uint64_t heap;     /* offset of the first unused byte; rule 9 */
    _Atomic uint32_t attached; /* processes attached; deaths leave it high */
    _Atomic uint32_t forked;   /* a process attached here has forked */
    uint8_t pad[SNCE_PAGE - 72];
} snceHeader;
static_assert(sizeof(snceHeader) == SNCE_PAGE, "a page");

/* Reserved for the journal of inserts and removals that a process carrying
 * sessions to other machines will read; address space only. */
#define SNCE_JOURNAL_BYTES (UINT64_C(64) << 20)

/* Fixed places: nothing to believe, nothing to check. */
#define SNCE_AT_DIRECTORY ((uint64_t)SNCE_PAGE)
#define SNCE_AT_COUNTERS                                                       \
    (SNCE_AT_DIRECTORY + SNCE_SERVERS_MAX * sizeof(snceServer))
#define SNCE_AT_KEYS                                                           \
    (SNCE_AT_COUNTERS + SNCE_SERVERS_MAX * sizeof(snceCounters))
#define SNCE_AT_JOURNAL (SNCE_AT_KEYS + sizeof(snceKeyRecords))
#define SNCE_AT_HEAP (SNCE_AT_JOURNAL + SNCE_JOURNAL_BYTES)

static_assert(SNCE_AT_COUNTERS % SNCE_PAGE == 0 &&
                  SNCE_AT_KEYS % SNCE_PAGE == 0 &&
                  SNCE_AT_JOURNAL % SNCE_PAGE == 0 &&
                  SNCE_AT_HEAP % SNCE_PAGE == 0,
              "every part begins on a page");

/* snceLayout_Signature hashes the sizes, offsets and options above, so that
 * builds that differ in any refuse each other. */
uint64_t snceLayout_Signature(void);

#endif /* SNCELAYOUT_H */
