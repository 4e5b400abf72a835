/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncelife.h: the life word, one 64-bit word that says all about a virtual
 * server.
 *
 *   63          32 31     8     6       5        4       3      2     1 0
 *  +--------------+--------+------+--------+---------+--------+----+-----+
 *  |  generation  |  turn  |closed|unlisted| address | moving |home|state|
 *  +--------------+--------+------+--------+---------+--------+----+-----+
 *
 * Every rare change is made by one store of this word, by the holder of the
 * turn (rule 9): what was before it holds until then, what comes after it
 * holds at once. The generation counts the virtual servers that the entry was
 * for, the turn the changes, so that a reader who finds the same word again
 * read what belongs together.
 *
 * This header is pure arithmetic on a value; nothing here touches memory. */
#ifndef SNCELIFE_H
#define SNCELIFE_H

#include <stdbool.h>
#include <stdint.h>

typedef uint64_t snceLife;

#define SNCE_LIFE_FREE 0u    /* all-zero memory is a free entry */
#define SNCE_LIFE_LIVE 1u    /* a virtual server */
#define SNCE_LIFE_LEAVING 2u /* it was removed; its ranges are given back */
#define SNCE_LIFE_STATE_MASK 3u

#define SNCE_LIFE_HOME 4u      /* which home is lived in */
#define SNCE_LIFE_MOVING 8u    /* the other one is being emptied into it */
#define SNCE_LIFE_ADDRESS 16u  /* snceCacheOptions.matchAddress */
#define SNCE_LIFE_UNLISTED 32u /* snceCacheOptions.unlisted */
#define SNCE_LIFE_CLOSED 64u   /* snceCacheOptions.closed */
#define SNCE_LIFE_FLAGS                                                        \
    (SNCE_LIFE_ADDRESS | SNCE_LIFE_UNLISTED | SNCE_LIFE_CLOSED)

#define SNCE_LIFE_TURN UINT64_C(0x100)
#define SNCE_LIFE_TURN_MASK UINT64_C(0xffffff00)

static inline unsigned
snceLife_State(snceLife life)
{
    return (unsigned)(life & SNCE_LIFE_STATE_MASK);
}

static inline uint32_t
snceLife_Generation(snceLife life)
{
    return (uint32_t)(life >> 32);
}

/* snceLife_Is tells whether the virtual server of that generation lives. */
static inline bool
snceLife_Is(snceLife life, uint32_t generation)
{
    return snceLife_Generation(life) == generation &&
           snceLife_State(life) == SNCE_LIFE_LIVE;
}

/* snceLife_Rests tells whether it lives, is open, and does not move. */
static inline bool
snceLife_Rests(snceLife life, uint32_t generation)
{
    return snceLife_Generation(life) == generation &&
           (life & (SNCE_LIFE_STATE_MASK | SNCE_LIFE_MOVING |
                    SNCE_LIFE_CLOSED)) == SNCE_LIFE_LIVE;
}

static inline unsigned
snceLife_Home(snceLife life)
{
    return (life & SNCE_LIFE_HOME) != 0;
}

/* snceLife_Next returns the word for the change that sets |set| and clears
 * |clear|. */
static inline snceLife
snceLife_Next(snceLife life, unsigned set, unsigned clear)
{
    uint64_t turn = (life + SNCE_LIFE_TURN) & SNCE_LIFE_TURN_MASK;

    return ((life & ~SNCE_LIFE_TURN_MASK & ~(uint64_t)clear) | set) | turn;
}

/* snceLife_Born returns the word with which a free entry that held |life|
 * becomes a virtual server; its generation is never 0. */
static inline snceLife
snceLife_Born(snceLife life, unsigned flags)
{
    uint32_t generation = snceLife_Generation(life) + 1;

    return (uint64_t)(generation ? generation : 1) << 32 |
           (snceLife_Next(life, 0, 0) & SNCE_LIFE_TURN_MASK) | flags |
           SNCE_LIFE_LIVE;
}

#endif /* SNCELIFE_H */
