/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncelook.h: what the ways of a set hold, found by one look at all of them.
 *
 * A look compares ten versions, or ten stamps. Each look is written twice: as a
 * loop, which says what is meant and runs everywhere, and in vectors of SSE2,
 * which every x86-64 has, with several ways side by side.
 * tests/unit/look_test.cc compares the two.
 *
 * A look may be out of date when it is used. A caller that chooses a slot by it
 * loads the slot's version again, and claims that version. */
#ifndef SNCELOOK_H
#define SNCELOOK_H

#include "snceslot.h"

/* The thread sanitizer does not understand vectors of atomics, so with it the
 * loops are used. */
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

/* snceLook is what the versions of a set say, one bit for each way. */
typedef struct {
    uint32_t full;
    uint32_t busy;
    uint32_t
        visited; /* full: looked up since it was stored; empty: SNCE_OVERRODE */
    uint32_t tagged; /* full, with the tag that the caller looks for */
} snceLook;

/* The times that stamps are compared with. */
typedef struct {
    uint32_t nowSec;
    uint32_t timeoutSec[SNCE_CLASSES];
    uint32_t aheadSec; /* stamps further ahead of now than this are treated as
                        * very old */
} snceLookTimes;

/* snceLook_Way takes the lowest way out of a mask that is not empty, and
 * returns it. */
static inline unsigned
snceLook_Way(uint32_t *ways)
{
    unsigned way = (unsigned)__builtin_ctz(*ways);

    *ways &= *ways - 1;
    return way;
}

/* snceLook_Number counts the ways in two masks. __builtin_popcount would call a
 * function where the processor may lack the instruction. */
static inline unsigned
snceLook_Number(uint32_t a, uint32_t b)
{
    uint32_t ways = a << SNCE_WAYS | b;

    ways -= ways >> 1 & 0x55555555; /* in pairs, fours, bytes */
    ways = (ways & 0x33333333) + (ways >> 2 & 0x33333333);
    return (((ways + (ways >> 4)) & 0x0f0f0f0f) * 0x01010101) >> 24;
}

/* snceLook_Age returns the age of a stamp in seconds, off by less than one.
 * Stamps wrap after 68 years. A stamp that is up to |ahead| seconds ahead of
 * the clock has age 0. One that is further ahead is taken for very old. The age
 * is a hint (rule 7).
 *
 * A stamp further ahead than a cache's clockSkewSec was stored before the clock
 * was set back. Lookups refuse such a session, so it should be evicted first.
 * With age 0 it would stay, and new sessions would evict each other in the room
 * that is left: when a full cache's clock had gone back by an hour, 219 of the
 * next 1,000 sessions were there at the end, instead of all. Whether a session
 * has expired is decided by its own words, so no sweep removes such a session,
 * and lookups find it again when the clock is set right.
 *
 * Among sessions that lookups do not refuse, all those ahead of the clock have
 * age 0. */
#define SNCE_CLOCKS_APART (SNCE_CLOCK_SKEW_MAX + 1)
#define SNCE_HALF_A_TURN 0x40000000 /* half of the period of stamps */
#define SNCE_AGE_MAX UINT32_C(0x7fffffff)

static inline uint32_t
snceLook_Age(uint32_t stamp, uint32_t nowSec, uint32_t ahead)
{
    uint32_t age = (nowSec - stamp) & SNCE_AGE_MAX;

    return age > SNCE_AGE_MAX - ahead ? 0 : age;
}

/* Idle times are in half seconds, up to 34 years. Times of use are in seconds
 * after the session was created, and go as far. */
#define SNCE_IDLE_MAX UINT32_C(0x3ffffffe)
#define SNCE_USE_MAX UINT32_C(0x3fffffff)

/* Ranks do not distinguish idle times beyond this one, a year. */
#define SNCE_RANKED_MAX UINT32_C(0x3ffffff)

/* ---- in loops ------------------------------------------------------------ */

/* Relaxed: the caller loads a version again, or claims by compare-and-swap,
 * before it uses the slot. */
static inline snceLook
snceLook_AtPlain(const snceSet *set, uint64_t tag)
{
    snceLook look = { 0, 0, 0, 0 };

    for (unsigned way = SNCE_WAYS; way-- > 0;) {
        snceVersion v =
            atomic_load_explicit(&set->version[way], memory_order_relaxed);

        look.full = 2 * look.full + (v & SNCE_STATE_FULL);
        look.busy = 2 * look.busy + (v / SNCE_STATE_BUSY & 1);
        look.visited = 2 * look.visited + (v / SNCE_VISITED & 1);
        look.tagged =
            2 * look.tagged + snceVersion_Matches(v, SNCE_STATE_FULL, tag);
    }
    return look;
}

/* Relaxed: as in snceLook_AtPlain. */
static inline bool
snceLook_CrowdedPlain(snceSet *const set[2], uint64_t tag)
{
    bool crowded = true;

    for (unsigned i = 0; i < 2 * SNCE_WAYS; i++) {
        snceVersion v = atomic_load_explicit(
            &set[i / SNCE_WAYS]->version[i % SNCE_WAYS], memory_order_relaxed);

        crowded &= (v & SNCE_STATE_FULL) &&
                   !snceVersion_Matches(v, SNCE_STATE_FULL, tag);
    }
    return crowded;
}

static inline unsigned
snceLook_UsedPlain(snceSet *const set[2])
{
    unsigned used = 0;

    for (unsigned i = 0; i < 2 * SNCE_WAYS; i++) {
        snceVersion v = atomic_load_explicit(
            &set[i / SNCE_WAYS]->version[i % SNCE_WAYS], memory_order_relaxed);

        used += v / SNCE_VISITED & 1;
    }
    return used;
}

/* Acquire, also for slots that do not match: if a move has taken an entry out
 * of one of them, the place where the lookup looks next already shows the
 * entry. */
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

/* snceLook_Idle returns for how long an entry has not been used, in half
 * seconds. The result is at least 1. An entry that was never looked up gets a
 * half second more than one that was. */
static inline uint32_t
snceLook_Idle(snceVersion v, uint32_t stamp, uint32_t nowSec)
{
    uint32_t time = snceLook_Age(stamp, nowSec, SNCE_CLOCKS_APART);
    uint32_t visited = v & SNCE_VISITED ? 1 : 0;

    if (visited) {
        uint64_t used = snceVersion_UsedAt(v);

        used = used < SNCE_USE_MAX ? used : SNCE_USE_MAX;
        time -= used < time ? (uint32_t)used : time;
    }
    time = time < SNCE_IDLE_MAX ? time : SNCE_IDLE_MAX;
    return 2 * time + 2 - visited;
}

/* Ways are ranked for eviction. An entry that was never looked up is above one
 * that was; of equals, the one that has been idle longer is above; of equals,
 * the one that comes first, counted from the hand of the set. */
#define SNCE_RANK_UNUSED (UINT32_C(1) << 30)

static inline uint32_t
snceLook_RankOf(snceVersion v, uint32_t idle, unsigned way, unsigned hand)
{
    uint32_t unused = v & SNCE_VISITED ? 0 : SNCE_RANK_UNUSED;

    idle = idle < SNCE_RANKED_MAX ? idle : SNCE_RANKED_MAX;
    return unused | idle << 4 |
           (SNCE_WAYS - 1 - (way + SNCE_WAYS - hand) % SNCE_WAYS);
}

static inline uint64_t
snceLook_RankedPlain(const snceSet *set, unsigned hand, uint32_t nowSec)
{
    uint32_t rank[SNCE_WAYS];
    uint64_t order = 0;

    for (unsigned way = 0; way < SNCE_WAYS; way++) {
        snceVersion v =
            atomic_load_explicit(&set->version[way], memory_order_relaxed);
        uint32_t stamp = snceLook_StampOf(set, way);
        unsigned above = 0;
        uint64_t first;

        rank[way] =
            snceLook_RankOf(v, snceLook_Idle(v, stamp, nowSec), way, hand);
        for (unsigned i = 0; i < way; i++) {
            above += rank[i] > rank[way];
        }
        first = (UINT64_C(1) << 4 * above) - 1;
        order = (order & first) | (order & ~first) << 4 |
                (uint64_t)way << 4 * above;
    }
    return order;
}

/* ---- in vectors ---------------------------------------------------------- */

#ifdef SNCE_LANES_SSE2

/* A value for each of ten ways: 0 to 3 in the first vector, 4 to 7 in the
 * second, 8 and 9 in the lower half of the third. The rest of the third has no
 * meaning. */
#define SNCE_VECTORS 3
typedef struct {
    __m128i of[SNCE_VECTORS];
} snceLanes;

/* Loads two words, or four half words, of shared memory. The processor loads
 * each of them whole and in the order of the program, as if by acquire, but C
 * has no name for that. Volatile, because the compiler must not load them twice
 * or in another order. */
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

/* Returns |a| where |mask| is ones, |b| where it is zeros. */
static inline __m128i
snceLanes_Choose(__m128i mask, __m128i a, __m128i b)
{
    return _mm_or_si128(_mm_and_si128(mask, a), _mm_andnot_si128(mask, b));
}

static inline __m128i
snceLanes_Min(__m128i a, __m128i b)
{
    return snceLanes_Choose(_mm_cmpgt_epi32(a, b), b, a);
}

/* Packs the lanes into bytes, one byte for each way. Their values are small, or
 * all ones. */
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

static inline __m128i
snceLanes_Lower(__m128i a, __m128i b)
{
    return _mm_castps_si128(_mm_shuffle_ps(
        _mm_castsi128_ps(a), _mm_castsi128_ps(b), _MM_SHUFFLE(2, 0, 2, 0)));
}

/* Returns the lower half of each version: everything but the generation. */
static inline snceLanes
snceLanes_Versions(const snceSet *set)
{
    __m128i pair[5];
    snceLanes out;

    SNCE_UNROLL(5)
    for (int i = 0; i < 5; i++) {
        pair[i] = snceLanes_Load(&set->version[2 * i]);
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

    SNCE_UNROLL(3)
    for (int i = 0; i < SNCE_VECTORS; i++) {
        equal.of[i] =
            _mm_cmpeq_epi32(_mm_and_si128(versions->of[i], mask), wanted);
    }
    return snceLanes_Mask(snceLanes_Bytes(&equal));
}

static inline snceLook
snceLook_AtLanes(const snceSet *set, uint64_t tag)
{
    const uint32_t bits = SNCE_STATE_MASK | SNCE_VISITED;
    snceLanes versions = snceLanes_Versions(set);
    snceLanes low;
    snceLook look;
    __m128i state;

    SNCE_UNROLL(3)
    for (int i = 0; i < SNCE_VECTORS; i++) {
        low.of[i] = _mm_and_si128(versions.of[i], snceLanes_All(bits));
    }
    state = snceLanes_Bytes(&low);
    look.full = snceLanes_Mask(_mm_slli_epi16(state, 7)); /* bit 0 */
    look.busy = snceLanes_Mask(_mm_slli_epi16(state, 6));
    look.visited = snceLanes_Mask(_mm_slli_epi16(state, 5));
    look.tagged = snceLanes_Tagged(&versions, tag);
    return look;
}

/* The lower halves of the versions of two sets, in five vectors: ways 0 to 7 of
 * the first set, ways 0 to 7 of the second, and the last two ways of both. */
#define SNCE_VECTORS_OF_TWO 5

static inline void
snceLanes_VersionsOfTwo(snceSet *const set[2], __m128i out[SNCE_VECTORS_OF_TWO])
{
    __m128i last[2];

    SNCE_UNROLL(2)
    for (int i = 0; i < 2; i++) {
        const uint64_t *version = (const void *)set[i]->version;

        out[2 * i] = snceLanes_Lower(snceLanes_Load(version),
                                     snceLanes_Load(version + 2));
        out[2 * i + 1] = snceLanes_Lower(snceLanes_Load(version + 4),
                                         snceLanes_Load(version + 6));
        last[i] = snceLanes_Load(version + 8);
    }
    out[4] = snceLanes_Lower(last[0], last[1]);
}

static inline bool
snceLook_CrowdedLanes(snceSet *const set[2], uint64_t tag)
{
    const __m128i mask =
        snceLanes_All((uint32_t)SNCE_TAG_MASK | SNCE_STATE_MASK);
    const __m128i wanted = snceLanes_All((uint32_t)tag | SNCE_STATE_FULL);
    __m128i versions[SNCE_VECTORS_OF_TWO];
    __m128i tagged = _mm_setzero_si128(), full = wanted;

    snceLanes_VersionsOfTwo(set, versions);
    SNCE_UNROLL(5)
    for (int i = 0; i < SNCE_VECTORS_OF_TWO; i++) {
        full = _mm_and_si128(full, versions[i]);
        tagged = _mm_or_si128(
            tagged, _mm_cmpeq_epi32(_mm_and_si128(versions[i], mask), wanted));
    }
    /* All ones where the bit SNCE_STATE_FULL is set. */
    full = _mm_srai_epi32(_mm_slli_epi32(full, 31), 31);
    return _mm_movemask_epi8(_mm_andnot_si128(tagged, full)) == 0xffff;
}

static inline unsigned
snceLook_UsedLanes(snceSet *const set[2])
{
    const __m128i visited = snceLanes_All(SNCE_VISITED);
    __m128i versions[SNCE_VECTORS_OF_TWO];
    __m128i sum = _mm_setzero_si128();

    snceLanes_VersionsOfTwo(set, versions);
    SNCE_UNROLL(5)
    for (int i = 0; i < SNCE_VECTORS_OF_TWO; i++) {
        sum = _mm_add_epi32(sum, _mm_and_si128(versions[i], visited));
    }
    sum = _mm_sad_epu8(sum, _mm_setzero_si128()); /* one sum for each half */
    sum = _mm_add_epi32(sum, _mm_srli_si128(sum, 8));
    return (unsigned)_mm_cvtsi128_si32(sum) / SNCE_VISITED;
}

static inline uint32_t
snceLook_TaggedLanes(const snceSet *set, uint64_t tag)
{
    snceLanes versions = snceLanes_Versions(set);

    atomic_signal_fence(memory_order_acquire);
    return snceLanes_Tagged(&versions, tag);
}

static inline snceLanes
snceLanes_Stamps(const snceSet *set)
{
    snceLanes out;

    SNCE_UNROLL(3)
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
    SNCE_UNROLL(3)
    for (int i = 0; i < SNCE_VECTORS; i++) {
        __m128i second = _mm_srai_epi32(stamps.of[i], 31);

        expired.of[i] = _mm_cmpgt_epi32(
            snceLanes_Ages(stamps.of[i], times->nowSec, times->aheadSec),
            _mm_xor_si128(first, _mm_and_si128(second, apart)));
    }
    return snceLanes_Mask(snceLanes_Bytes(&expired));
}

/* snceVersion_UsedAt for four lower halves. A step is a number's exponent and
 * the first two bits of its fraction, and so is the beginning of a float: the
 * step is made a float and converted to an integer. The conversion is exact, so
 * that no floating-point exception is raised in the application. */
static inline __m128i
snceLanes_UsedAt(__m128i versions)
{
    const __m128i few = snceLanes_All(4);
    __m128i step = _mm_add_epi32(_mm_srli_epi32(versions, SNCE_TICKET_SHIFT),
                                 snceLanes_All(1)); /* the end of the step */
    __m128i small = _mm_cmpgt_epi32(few, step);
    __m128i bits = _mm_add_epi32(
        _mm_slli_epi32(snceLanes_Choose(small, few, step), 23 - 2),
        snceLanes_All(128u << 23));
    __m128i sec = _mm_cvttps_epi32(
        _mm_min_ps(_mm_castsi128_ps(bits), _mm_set1_ps(SNCE_USE_MAX + 1)));

    return _mm_sub_epi32(snceLanes_Choose(small, step, sec), snceLanes_All(1));
}

/* Returns snceLook_Idle less one. */
static inline __m128i
snceLanes_Idle(__m128i versions, __m128i ages)
{
    /* All ones where the bit SNCE_VISITED is set. */
    __m128i visited = _mm_srai_epi32(_mm_slli_epi32(versions, 29), 31);
    __m128i used = snceLanes_Min(snceLanes_UsedAt(versions), ages);
    __m128i since =
        snceLanes_Min(_mm_sub_epi32(ages, _mm_and_si128(visited, used)),
                      snceLanes_All(SNCE_IDLE_MAX));

    return _mm_add_epi32(_mm_add_epi32(since, since),
                         _mm_add_epi32(visited, snceLanes_All(1)));
}

/* The last four bits of snceLook_RankOf for each way, beginning at SNCE_WAYS -
 * |hand|. */
static const uint32_t snceLanes_Turns[2 * SNCE_WAYS + 2] = {
    9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0
};

/* A way's place in the order is the number of ways that rank above it. */
static inline uint64_t
snceLook_RankedLanes(const snceSet *set, unsigned hand, uint32_t nowSec)
{
    const uint32_t *turns = &snceLanes_Turns[SNCE_WAYS - hand];
    snceLanes versions = snceLanes_Versions(set);
    snceLanes stamps = snceLanes_Stamps(set);
    snceLanes rank, above;
    _Alignas(16) uint32_t place[4 * SNCE_VECTORS];
    uint64_t order = 0;

    SNCE_UNROLL(3)
    for (int i = 0; i < SNCE_VECTORS; i++) {
        __m128i ages = snceLanes_Ages(stamps.of[i], nowSec, SNCE_CLOCKS_APART);
        __m128i idle = _mm_add_epi32(snceLanes_Idle(versions.of[i], ages),
                                     snceLanes_All(1));
        __m128i unused = _mm_andnot_si128(
            _mm_slli_epi32(versions.of[i], 30 - 2), /* moves the bit
                                                     * SNCE_VISITED there */
            snceLanes_All(SNCE_RANK_UNUSED));

        idle = snceLanes_Min(idle, snceLanes_All(SNCE_RANKED_MAX));
        rank.of[i] = _mm_or_si128(
            _mm_or_si128(unused, _mm_slli_epi32(idle, 4)),
            _mm_loadu_si128((const __m128i *)(const void *)&turns[4 * i]));
        above.of[i] = _mm_setzero_si128();
    }
    SNCE_UNROLL(10)
    for (int way = 0; way < SNCE_WAYS; way++) {
        __m128i its = way % 4 == 0   ? _mm_shuffle_epi32(rank.of[way / 4], 0x00)
                      : way % 4 == 1 ? _mm_shuffle_epi32(rank.of[way / 4], 0x55)
                      : way % 4 == 2
                          ? _mm_shuffle_epi32(rank.of[way / 4], 0xaa)
                          : _mm_shuffle_epi32(rank.of[way / 4], 0xff);

        SNCE_UNROLL(3)
        for (int i = 0; i < SNCE_VECTORS; i++) {
            above.of[i] =
                _mm_sub_epi32(above.of[i], _mm_cmpgt_epi32(its, rank.of[i]));
        }
    }
    SNCE_UNROLL(3)
    for (int i = 0; i < SNCE_VECTORS; i++) {
        _mm_store_si128((__m128i *)(void *)&place[4 * i],
                        _mm_slli_epi32(above.of[i], 2));
    }
    SNCE_UNROLL(10)
    for (unsigned way = 0; way < SNCE_WAYS; way++) {
        order |= (uint64_t)way << place[way];
    }
    return order;
}

#endif /* SNCE_LANES_SSE2 */

/* ---- the version that is used -------------------------------------------- */

#ifdef SNCE_LANES_SSE2
#define SNCE_LOOK(name) snceLook_##name##Lanes
#else
#define SNCE_LOOK(name) snceLook_##name##Plain
#endif

/* snceLook_At returns what the versions of |set| say, with the tag |tag|. */
static inline snceLook
snceLook_At(const snceSet *set, uint64_t tag)
{
    return SNCE_LOOK(At)(set, tag);
}

/* snceLook_Crowded tells whether all ways of two sets are full, and none has
 * the tag. */
static inline bool
snceLook_Crowded(snceSet *const set[2], uint64_t tag)
{
    return SNCE_LOOK(Crowded)(set, tag);
}

/* snceLook_Used returns how many sessions of two sets were looked up since they
 * were stored. */
static inline unsigned
snceLook_Used(snceSet *const set[2])
{
    return SNCE_LOOK(Used)(set);
}

/* snceLook_Tagged returns the full ways of |set| that have the tag. Acquires
 * what was published in any way of the set. */
static inline uint32_t
snceLook_Tagged(const snceSet *set, uint64_t tag)
{
    return SNCE_LOOK(Tagged)(set, tag);
}

/* snceLook_Expired returns the ways whose stamps have expired, or are too far
 * ahead of the clock; full ways and others. */
static inline uint32_t
snceLook_Expired(const snceSet *set, const snceLookTimes *times)
{
    return SNCE_LOOK(Expired)(set, times);
}

/* snceLook_Ranked returns the ways of |set|, full and others, in the order of
 * their ranks (snceLook_RankOf), the first in the lowest four bits. |hand| is
 * below SNCE_WAYS. */
static inline uint64_t
snceLook_Ranked(const snceSet *set, unsigned hand, uint32_t nowSec)
{
    return SNCE_LOOK(Ranked)(set, hand, nowSec);
}

/* ---- for rare cases ------------------------------------------------------ */

/* snceLook_Hand returns the hand of |set|: the sum of the generations, modulo
 * SNCE_WAYS. Every claim in the set counts it up, and where several ways are
 * equally good, the choice among them goes round with it. |*unused| is the
 * number of ways, full or not, that were not looked up. */
static inline unsigned
snceLook_Hand(const snceSet *set, unsigned *unused)
{
    uint32_t sum = 0;

    *unused = 0;
    for (unsigned way = 0; way < SNCE_WAYS; way++) {
        snceVersion v =
            atomic_load_explicit(&set->version[way], memory_order_relaxed);

        sum += snceVersion_Generation(v);
        *unused += !(v & SNCE_VISITED);
    }
    return (uint8_t)sum % SNCE_WAYS;
}

/* snceLook_Left returns for how many seconds no stamp of the |ways| of |set|
 * expires; UINT32_MAX if there are no |ways|. */
static inline uint32_t
snceLook_Left(const snceSet *set, uint32_t ways, const snceLookTimes *times)
{
    uint32_t least = UINT32_MAX;

    while (ways) {
        uint32_t stamp = snceLook_StampOf(set, snceLook_Way(&ways));
        uint32_t age = snceLook_Age(stamp, times->nowSec, times->aheadSec);
        uint32_t timeout = times->timeoutSec[stamp >> 31];
        uint32_t left = age < timeout ? timeout - age : 0;

        least = left < least ? left : least;
    }
    return least;
}

/* snceLook_OldestBefore returns those |ways| of |set| that were stored longest
 * before |sec|, at least a second before it; |*age| is how many seconds before.
 * Returns none, with an |*age| of 0, if there are none. */
static inline uint32_t
snceLook_OldestBefore(const snceSet *set, uint32_t ways, uint32_t sec,
                      uint32_t *age)
{
    uint32_t found = 0;

    for (*age = 0; ways;) {
        unsigned way = snceLook_Way(&ways);
        uint32_t time =
            snceLook_Age(snceLook_StampOf(set, way), sec, SNCE_HALF_A_TURN);

        if (time > *age) {
            *age = time;
            found = 0;
        }
        found |= (uint32_t)(time == *age && time > 0) << way;
    }
    return found;
}

#endif /* SNCELOOK_H */
