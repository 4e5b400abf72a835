/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncelook.h: what a set of a table holds, at one look.
 *
 * A look is many comparisons of ten versions, or ten stamps. It is written down
 * twice: as loops, which say what is meant and run everywhere, and side by side in
 * vectors of SSE2, which every x86-64 has. An insert into a full cache takes 2,500
 * instructions with the loops, 1,470 with the vectors. tests/unit/look_test.cc
 * holds the one against the other.
 *
 * What a look says may be out of date when it is used. Whoever chooses a slot
 * by it loads that slot's version anew, and claims what that says. */
#ifndef SNCELOOK_H
#define SNCELOOK_H

#include "snceslot.h"

/* The thread sanitizer knows no vectors of atomics; with it, the loops. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SNCE_NO_LANES
#endif
#endif
#if defined(__SSE2__) && !defined(__SANITIZE_THREAD__) &&                      \
    !defined(SNCE_NO_LANES)
#define SNCE_LANES_SSE2
#include <emmintrin.h>
#endif

#define SNCE_ALL_WAYS ((UINT32_C(1) << SNCE_WAYS) - 1)

/* snceLook is what the versions of a set say; a bit for each way. */
typedef struct {
    uint32_t full;
    uint32_t busy;
    uint32_t
        visited; /* full: looked up since it was stored; empty: SNCE_OVERRODE */
    uint32_t tagged; /* full, with the tag that was asked for */
    uint8_t hand;    /* of the set, as snceSlot_Look says */
} snceLook;

/* What stamps are compared with. */
typedef struct {
    uint32_t nowSec;
    uint32_t timeoutSec[SNCE_CLASSES];
    uint32_t aheadSec; /* what lies further ahead of now is of no use there */
} snceLookTimes;

/* snceLook_Way takes the lowest way out of a mask that is not empty. */
static inline unsigned
snceLook_Way(uint32_t *ways)
{
    unsigned way = (unsigned)__builtin_ctz(*ways);

    *ways &= *ways - 1;
    return way;
}

/* snceLook_Number counts the ways of two masks. Not __builtin_popcount, which
 * calls a function where the processor may not have the instruction. */
static inline unsigned
snceLook_Number(uint32_t a, uint32_t b)
{
    uint32_t ways = a << SNCE_WAYS | b;

    ways -= ways >> 1 & 0x55555555; /* in pairs, fours, bytes */
    ways = (ways & 0x33333333) + (ways >> 2 & 0x33333333);
    return (((ways + (ways >> 4)) & 0x0f0f0f0f) * 0x01010101) >> 24;
}

/* snceLook_Age is the age of a stamp in seconds, off by less than one. Stamps wrap
 * after 68 years. One that lies up to |ahead| seconds ahead of a clock has age 0,
 * all others are that much older. It is a hint (rule 7).
 *
 * What lies further ahead than a cache's clockSkewSec was stored before the clock
 * stepped back. Lookups refuse it, and it is taken for very old: with age 0 it would
 * stay, and new sessions evict each other in what is left. When a full cache's clock
 * had gone back by an hour, 219 of the next 1,000 sessions were there at the end,
 * instead of all. Whether a session has expired is decided by its own words, so no
 * sweep takes it out, and it is found again when the clock is set right.
 *
 * Among those that are of use, none is older for being ahead. */
#define SNCE_CLOCKS_APART (SNCE_CLOCK_SKEW_MAX + 1)
#define SNCE_HALF_A_TURN 0x40000000 /* of the order of two stamps alone */
#define SNCE_AGE_MAX UINT32_C(0x7fffffff)

static inline uint32_t
snceLook_Age(uint32_t stamp, uint32_t nowSec, uint32_t ahead)
{
    uint32_t age = (nowSec - stamp) & SNCE_AGE_MAX;

    return age > SNCE_AGE_MAX - ahead ? 0 : age;
}

/* What is longest. */
typedef enum {
    SNCE_OLDEST,       /* since it was stored */
    SNCE_OLDEST_NOT_0, /* the same, but a second at least */
    SNCE_IDLEST        /* since it was used; what never was, a bit longer */
} snceLookOrder;

/* Of those younger than an entry that is carried, none goes, however much younger
 * it is. */
static inline uint32_t
snceLook_Ahead(snceLookOrder order)
{
    return order == SNCE_OLDEST_NOT_0 ? SNCE_HALF_A_TURN : SNCE_CLOCKS_APART;
}

/* An idle time is told in half seconds, up to 34 years; a use as long after an
 * entry was stored. */
#define SNCE_IDLE_MAX UINT32_C(0x3ffffffe)
#define SNCE_USE_MAX UINT32_C(0x3fffffff)

/* ---- in loops ------------------------------------------------------------ */

/* Relaxed: what is then used is loaded again, or compared by the claim. */
static inline snceLook
snceLook_AtPlain(const snceSet *set, uint64_t tag)
{
    snceLook look = { 0, 0, 0, 0, 0 };

    for (unsigned way = SNCE_WAYS; way-- > 0;) {
        snceVersion v =
            atomic_load_explicit(&set->version[way], memory_order_relaxed);

        look.full = 2 * look.full + (v & SNCE_STATE_FULL);
        look.busy = 2 * look.busy + (v / SNCE_STATE_BUSY & 1);
        look.visited = 2 * look.visited + (v / SNCE_VISITED & 1);
        look.tagged =
            2 * look.tagged + snceVersion_Matches(v, SNCE_STATE_FULL, tag);
        look.hand = (uint8_t)(look.hand + snceVersion_Generation(v));
    }
    return look;
}

/* Acquire also for a slot that is passed over: an entry that a move took out
 * here is then seen where is looked next. */
static inline uint32_t
snceLook_TaggedPlain(const snceSet *set, uint64_t tag)
{
    uint32_t tagged = 0;

    for (unsigned way = SNCE_WAYS; way-- > 0;) {
        tagged = 2 * tagged +
                 snceVersion_Matches(snceSlot_Version(&set->version[way]),
                                     SNCE_STATE_FULL, tag);
    }
    return tagged;
}

static inline uint32_t
snceLook_StampOf(const snceSet *set, unsigned way)
{
    return atomic_load_explicit(&set->stamp[way], memory_order_relaxed);
}

static inline uint32_t
snceLook_ExpiredPlain(const snceSet *set, const snceLookTimes *times)
{
    uint32_t expired = 0;

    for (unsigned way = SNCE_WAYS; way-- > 0;) {
        uint32_t stamp = snceLook_StampOf(set, way);

        expired =
            2 * expired + (snceLook_Age(stamp, times->nowSec, times->aheadSec) >
                           times->timeoutSec[stamp >> 31]);
    }
    return expired;
}

static inline uint32_t
snceLook_TimePlain(const snceSet *set, unsigned way, snceLookOrder order,
                   uint32_t nowSec)
{
    snceVersion v =
        atomic_load_explicit(&set->version[way], memory_order_relaxed);
    uint32_t time =
        snceLook_Age(snceLook_StampOf(set, way), nowSec, snceLook_Ahead(order));
    uint32_t visited = v & SNCE_VISITED ? 1 : 0;

    if (order != SNCE_IDLEST) {
        return time + (order == SNCE_OLDEST);
    }
    if (visited) {
        uint64_t used = snceVersion_UsedAt(v);

        used = used < SNCE_USE_MAX ? used : SNCE_USE_MAX;
        time -= used < time ? (uint32_t)used : time;
    }
    time = time < SNCE_IDLE_MAX ? time : SNCE_IDLE_MAX;
    return 2 * time + 2 - visited;
}

static inline bool
snceLook_LongestPlain(snceSet *const sets[2], snceLookOrder order,
                      uint32_t nowSec, uint32_t ways[2])
{
    uint32_t found[2] = { 0, 0 }, best = 1;

    for (unsigned i = 0; i < 2; i++) {
        for (uint32_t left = ways[i]; left;) {
            unsigned way = snceLook_Way(&left);
            uint32_t time = snceLook_TimePlain(sets[i], way, order, nowSec);

            if (time > best) {
                found[0] = found[1] = 0;
                best = time;
            }
            found[i] |= (uint32_t)(time == best) << way;
        }
    }
    ways[0] = found[0];
    ways[1] = found[1];
    return (found[0] | found[1]) != 0;
}

/* ---- side by side -------------------------------------------------------- */

#ifdef SNCE_LANES_SSE2

/* Something of ten ways: 0 to 3, 4 to 7, and 8 and 9, with which comes what is
 * not asked for. */
#define SNCE_VECTORS 3
typedef struct {
    __m128i of[SNCE_VECTORS];
} snceLanes;

/* Two words, or four half words, of shared memory. The processor loads each of
 * them whole and in the order of the program, as if by acquire; no compiler has
 * a name for that. It must not load them twice, nor one before the other. */
static inline __m128i
snceLanes_Load(const void *from)
{
    return *(const volatile __m128i *)from;
}

static inline __m128i
snceLanes_All(uint32_t value)
{
    return _mm_set1_epi32((int)value);
}

/* |a| where |mask| is ones, |b| where it is zeros. */
static inline __m128i
snceLanes_Choose(__m128i mask, __m128i a, __m128i b)
{
    return _mm_or_si128(_mm_and_si128(mask, a), _mm_andnot_si128(mask, b));
}

static inline __m128i
snceLanes_Max(__m128i a, __m128i b)
{
    return snceLanes_Choose(_mm_cmpgt_epi32(a, b), a, b);
}

static inline __m128i
snceLanes_Min(__m128i a, __m128i b)
{
    return snceLanes_Choose(_mm_cmpgt_epi32(a, b), b, a);
}

/* Small numbers, or ones and zeros, one byte a way. */
static inline __m128i
snceLanes_Bytes(const snceLanes *lanes)
{
    return _mm_packs_epi16(_mm_packs_epi32(lanes->of[0], lanes->of[1]),
                           _mm_packs_epi32(lanes->of[2], lanes->of[2]));
}

static inline uint32_t
snceLanes_Mask(__m128i bytes)
{
    return (uint32_t)_mm_movemask_epi8(bytes) & SNCE_ALL_WAYS;
}

/* Every way of |ways|, as ones. */
static inline snceLanes
snceLanes_OfWays(uint32_t ways)
{
    snceLanes out;

#pragma GCC unroll 3
    for (int i = 0; i < SNCE_VECTORS; i++) {
        __m128i bit = _mm_slli_epi32(_mm_setr_epi32(1, 2, 4, 8), 4 * i);

        out.of[i] =
            _mm_cmpeq_epi32(_mm_and_si128(snceLanes_All(ways), bit), bit);
    }
    return out;
}

static inline __m128i
snceLanes_Lower(__m128i a, __m128i b)
{
    return _mm_castps_si128(_mm_shuffle_ps(
        _mm_castsi128_ps(a), _mm_castsi128_ps(b), _MM_SHUFFLE(2, 0, 2, 0)));
}

/* The lower half of each version: all but its generation. What of those is added
 * up goes to |*generations|. */
static inline snceLanes
snceLanes_Versions(const snceSet *set, __m128i *generations)
{
    __m128i pair[5];
    snceLanes out;

    *generations = _mm_setzero_si128();
#pragma GCC unroll 5
    for (int i = 0; i < 5; i++) {
        pair[i] = snceLanes_Load(&set->version[2 * i]);
        *generations = _mm_add_epi32(*generations, pair[i]);
    }
    out.of[0] = snceLanes_Lower(pair[0], pair[1]);
    out.of[1] = snceLanes_Lower(pair[2], pair[3]);
    out.of[2] = snceLanes_Lower(pair[4], pair[4]);
    return out;
}

static inline uint32_t
snceLanes_Tagged(const snceLanes *versions, uint64_t tag)
{
    __m128i wanted = snceLanes_All((uint32_t)tag | SNCE_STATE_FULL);
    __m128i mask = snceLanes_All((uint32_t)SNCE_TAG_MASK | SNCE_STATE_MASK);
    snceLanes equal;

#pragma GCC unroll 3
    for (int i = 0; i < SNCE_VECTORS; i++) {
        __m128i differs = _mm_xor_si128(versions->of[i], wanted);

        equal.of[i] =
            _mm_cmpeq_epi32(_mm_and_si128(differs, mask), _mm_setzero_si128());
    }
    return snceLanes_Mask(snceLanes_Bytes(&equal));
}

static inline snceLook
snceLook_AtLanes(const snceSet *set, uint64_t tag)
{
    const uint32_t bits = SNCE_STATE_MASK | SNCE_VISITED;
    __m128i generations, state;
    snceLanes versions = snceLanes_Versions(set, &generations);
    snceLanes low;
    snceLook look;

#pragma GCC unroll 3
    for (int i = 0; i < SNCE_VECTORS; i++) {
        low.of[i] = _mm_and_si128(versions.of[i], snceLanes_All(bits));
    }
    state = snceLanes_Bytes(&low);
    look.full = snceLanes_Mask(_mm_slli_epi16(state, 7)); /* bit 0 */
    look.busy = snceLanes_Mask(_mm_slli_epi16(state, 6));
    look.visited = snceLanes_Mask(_mm_slli_epi16(state, 5));
    look.tagged = snceLanes_Tagged(&versions, tag);
    generations = _mm_add_epi32(generations, _mm_srli_si128(generations, 8));
    look.hand = (uint8_t)_mm_cvtsi128_si32(_mm_srli_si128(generations, 4));
    return look;
}

static inline uint32_t
snceLook_TaggedLanes(const snceSet *set, uint64_t tag)
{
    __m128i generations;
    snceLanes versions = snceLanes_Versions(set, &generations);

    atomic_signal_fence(memory_order_acquire);
    return snceLanes_Tagged(&versions, tag);
}

static inline snceLanes
snceLanes_Stamps(const snceSet *set)
{
    snceLanes out;

#pragma GCC unroll 3
    for (int i = 0; i < SNCE_VECTORS; i++) {
        out.of[i] = snceLanes_Load(&set->stamp[4 * i]);
    }
    return out;
}

static inline __m128i
snceLanes_Ages(__m128i stamps, uint32_t nowSec, uint32_t ahead)
{
    __m128i age = _mm_and_si128(_mm_sub_epi32(snceLanes_All(nowSec), stamps),
                                snceLanes_All(SNCE_AGE_MAX));
    __m128i most = snceLanes_All(SNCE_AGE_MAX - ahead);

    return _mm_andnot_si128(_mm_cmpgt_epi32(age, most), age);
}

static inline uint32_t
snceLook_ExpiredLanes(const snceSet *set, const snceLookTimes *times)
{
    snceLanes stamps = snceLanes_Stamps(set), expired;
    uint32_t timeout[SNCE_CLASSES];
    __m128i first, apart;

    for (int i = 0; i < SNCE_CLASSES; i++) {
        uint32_t sec = times->timeoutSec[i];

        timeout[i] = sec < SNCE_AGE_MAX ? sec : SNCE_AGE_MAX;
    }
    first = snceLanes_All(timeout[0]);
    apart = snceLanes_All(timeout[0] ^ timeout[1]);
#pragma GCC unroll 3
    for (int i = 0; i < SNCE_VECTORS; i++) {
        __m128i second = _mm_srai_epi32(stamps.of[i], 31);

        expired.of[i] = _mm_cmpgt_epi32(
            snceLanes_Ages(stamps.of[i], times->nowSec, times->aheadSec),
            _mm_xor_si128(first, _mm_and_si128(second, apart)));
    }
    return snceLanes_Mask(snceLanes_Bytes(&expired));
}

/* snceVersion_UsedAt, of four lower halves. The time's steps are a number's
 * exponent and the first two bits after its point: what a float has, too. Exactly,
 * so that nobody who asked for it is told of a loss. */
static inline __m128i
snceLanes_UsedAt(__m128i versions)
{
    const __m128i few = snceLanes_All(4);
    __m128i step = _mm_add_epi32(_mm_srli_epi32(versions, SNCE_TICKET_SHIFT),
                                 snceLanes_All(1)); /* the end of it */
    __m128i small = _mm_cmpgt_epi32(few, step);
    __m128i bits = _mm_add_epi32(
        _mm_slli_epi32(snceLanes_Choose(small, few, step), 23 - 2),
        snceLanes_All(128u << 23));
    __m128i sec = _mm_cvttps_epi32(
        _mm_min_ps(_mm_castsi128_ps(bits), _mm_set1_ps(SNCE_USE_MAX + 1)));

    return _mm_sub_epi32(snceLanes_Choose(small, step, sec), snceLanes_All(1));
}

/* One less than snceLook_TimePlain in SNCE_IDLEST. */
static inline __m128i
snceLanes_Idle(__m128i versions, __m128i ages)
{
    /* Ones where the bit SNCE_VISITED is set. */
    __m128i visited = _mm_srai_epi32(_mm_slli_epi32(versions, 29), 31);
    __m128i used = snceLanes_Min(snceLanes_UsedAt(versions), ages);
    __m128i since =
        snceLanes_Min(_mm_sub_epi32(ages, _mm_and_si128(visited, used)),
                      snceLanes_All(SNCE_IDLE_MAX));

    return _mm_add_epi32(_mm_add_epi32(since, since),
                         _mm_add_epi32(visited, snceLanes_All(1)));
}

static inline bool
snceLook_LongestLanes(snceSet *const sets[2], snceLookOrder order,
                      uint32_t nowSec, uint32_t ways[2])
{
    const __m128i least = snceLanes_All(order != SNCE_OLDEST_NOT_0);
    __m128i best = _mm_setzero_si128();
    snceLanes time[2];

    for (int set = 0; set < 2; set++) {
        snceLanes asked = snceLanes_OfWays(ways[set]);
        snceLanes stamps = snceLanes_Stamps(sets[set]);

#pragma GCC unroll 3
        for (int i = 0; i < SNCE_VECTORS; i++) {
            time[set].of[i] =
                snceLanes_Ages(stamps.of[i], nowSec, snceLook_Ahead(order));
        }
        if (order == SNCE_IDLEST) {
            __m128i generations;
            snceLanes versions = snceLanes_Versions(sets[set], &generations);

#pragma GCC unroll 3
            for (int i = 0; i < SNCE_VECTORS; i++) {
                time[set].of[i] =
                    snceLanes_Idle(versions.of[i], time[set].of[i]);
            }
        }
#pragma GCC unroll 3
        for (int i = 0; i < SNCE_VECTORS; i++) {
            time[set].of[i] = _mm_and_si128(
                _mm_add_epi32(time[set].of[i], least), asked.of[i]);
            best = snceLanes_Max(best, time[set].of[i]);
        }
    }
    best =
        snceLanes_Max(best, _mm_shuffle_epi32(best, _MM_SHUFFLE(1, 0, 3, 2)));
    best =
        snceLanes_Max(best, _mm_shuffle_epi32(best, _MM_SHUFFLE(2, 3, 0, 1)));
    if (_mm_cvtsi128_si32(best) == 0) {
        return false;
    }
    for (int set = 0; set < 2; set++) {
#pragma GCC unroll 3
        for (int i = 0; i < SNCE_VECTORS; i++) {
            time[set].of[i] = _mm_cmpeq_epi32(time[set].of[i], best);
        }
        ways[set] = snceLanes_Mask(snceLanes_Bytes(&time[set]));
    }
    return true;
}

#endif /* SNCE_LANES_SSE2 */

/* ---- either -------------------------------------------------------------- */

#ifdef SNCE_LANES_SSE2
#define SNCE_LOOK(name) snceLook_##name##Lanes
#else
#define SNCE_LOOK(name) snceLook_##name##Plain
#endif

/* snceLook_At looks at the versions of |set|. */
static inline snceLook
snceLook_At(const snceSet *set, uint64_t tag)
{
    return SNCE_LOOK(At)(set, tag);
}

/* snceLook_Tagged returns the full ways of |set| that have the tag, and acquires
 * what was published in any way of it. */
static inline uint32_t
snceLook_Tagged(const snceSet *set, uint64_t tag)
{
    return SNCE_LOOK(Tagged)(set, tag);
}

/* snceLook_Expired returns the ways whose stamps have expired, full or not. */
static inline uint32_t
snceLook_Expired(const snceSet *set, const snceLookTimes *times)
{
    return SNCE_LOOK(Expired)(set, times);
}

/* snceLook_Longest takes out of |ways|, those of two sets that are in question, all
 * but those that have been there, or idle, longest. False if there are none. */
static inline bool
snceLook_Longest(snceSet *const sets[2], snceLookOrder order, uint32_t nowSec,
                 uint32_t ways[2])
{
    return SNCE_LOOK(Longest)(sets, order, nowSec, ways);
}

#endif /* SNCELOOK_H */
