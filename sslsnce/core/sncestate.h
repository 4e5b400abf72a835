/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncestate.h: the state word, one 64-bit word that says all about a virtual
 * server.
 *
 *   63          32 31     8     6       5        4       3      2     1 0
 *  +--------------+--------+------+--------+---------+--------+-------+-----+
 *  |  generation  |changes |closed|unlisted| address | moving |backing|phase|
 *  +--------------+--------+------+--------+---------+--------+-------+-----+
 *
 * The holder of the administrative lock makes every rare change by one store of
 * this word (rule 9): the old word holds until that store, and the new one from
 * then on. The generation counts the virtual servers for which the directory's
 * entry was used. The change counter counts the changes: a reader that finds
 * the same word again has read words that belong together.
 *
 * This header is pure arithmetic on a value; nothing here touches memory. */
#ifndef SNCESTATE_H
#define SNCESTATE_H

#include <stdbool.h>
#include <stdint.h>

typedef uint64_t snceState;

#define SNCE_SERVER_FREE 0u    /* all-zero memory is a free entry */
#define SNCE_SERVER_LIVE 1u    /* a virtual server */
#define SNCE_SERVER_LEAVING 2u /* removed; its ranges are given back */
#define SNCE_SERVER_PHASE_MASK 3u

#define SNCE_SERVER_BACKING 4u   /* which backing store is in use */
#define SNCE_SERVER_MOVING 8u    /* the other one is being emptied into it */
#define SNCE_SERVER_ADDRESS 16u  /* snceCacheOptions.matchAddress */
#define SNCE_SERVER_UNLISTED 32u /* snceCacheOptions.unlisted */
#define SNCE_SERVER_CLOSED 64u   /* snceCacheOptions.closed */
#define SNCE_SERVER_FLAGS                                                      \
    (SNCE_SERVER_ADDRESS | SNCE_SERVER_UNLISTED | SNCE_SERVER_CLOSED)

#define SNCE_SERVER_CHANGE UINT64_C(0x100)
#define SNCE_SERVER_CHANGE_MASK UINT64_C(0xffffff00)

static inline unsigned
snceState_Phase(snceState state)
{
    return (unsigned)(state & SNCE_SERVER_PHASE_MASK);
}

static inline uint32_t
snceState_Generation(snceState state)
{
    return (uint32_t)(state >> 32);
}

/* snceState_Is tells whether the virtual server of that generation is live. */
static inline bool
snceState_Is(snceState state, uint32_t generation)
{
    return snceState_Generation(state) == generation &&
           snceState_Phase(state) == SNCE_SERVER_LIVE;
}

/* snceState_Rests tells whether the virtual server of that generation is live,
 * open, and not moving. */
static inline bool
snceState_Rests(snceState state, uint32_t generation)
{
    return snceState_Generation(state) == generation &&
           (state & (SNCE_SERVER_PHASE_MASK | SNCE_SERVER_MOVING |
                     SNCE_SERVER_CLOSED)) == SNCE_SERVER_LIVE;
}

static inline unsigned
snceState_Backing(snceState state)
{
    return (state & SNCE_SERVER_BACKING) != 0;
}

/* snceState_Next returns the word after a change that sets the bits |set| and
 * clears the bits |clear|. */
static inline snceState
snceState_Next(snceState state, unsigned set, unsigned clear)
{
    uint64_t changes = (state + SNCE_SERVER_CHANGE) & SNCE_SERVER_CHANGE_MASK;

    return ((state & ~SNCE_SERVER_CHANGE_MASK & ~(uint64_t)clear) | set) |
           changes;
}

/* snceState_Born returns the word with which a free entry that held |state|
 * becomes a virtual server. Its generation is never 0. */
static inline snceState
snceState_Born(snceState state, unsigned flags)
{
    uint32_t generation = snceState_Generation(state) + 1;

    return (uint64_t)(generation ? generation : 1) << 32 |
           (snceState_Next(state, 0, 0) & SNCE_SERVER_CHANGE_MASK) | flags |
           SNCE_SERVER_LIVE;
}

#endif /* SNCESTATE_H */
