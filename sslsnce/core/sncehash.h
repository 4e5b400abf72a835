/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncehash.h: the keyed hash that chooses sets and tags, and makes checksums.
 *
 * Pairs of words are added to secret keys and multiplied (the NH family: Black
 * and others, "UMAC: Fast and Secure Message Authentication", CRYPTO 1999). The
 * products do not wait for each other, so a checksum over a session costs a
 * dozen multiplications side by side. The keys come from the region's random
 * seed. The hash protects against torn entries and against session IDs that are
 * chosen to collide, not against a process that can write the region. */
#ifndef SNCEHASH_H
#define SNCEHASH_H

#include <stddef.h>
#include <stdint.h>

#include "snceword.h"

#define SNCE_HASH_KEYS 24 /* words hashed in one block; even */

typedef struct {
    uint64_t key[SNCE_HASH_KEYS];
} snceHash;

/* snceHash_Init derives the keys from the region's |seed|. */
void snceHash_Init(snceHash *hash, uint64_t seed);

/* snceHash_Mix spreads every bit of |x| over the result (a bijection). */
static inline uint64_t
snceHash_Mix(uint64_t x)
{
    /* Finalizer of splitmix64 (Steele and others, OOPSLA 2014). */
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* snceHash_Multiply adds the 128-bit product of |a| and |b| to |sum|. */
static inline void
snceHash_Multiply(uint64_t sum[2], uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;

    sum[0] += (uint64_t)product;
    sum[1] += (uint64_t)(product >> 64);
    /* Without this, the compiler makes all products first, keeps them in memory
     * and adds them afterwards. */
    __asm__("" : "+r"(sum[0]), "+r"(sum[1]));
#else
    uint64_t aLow = (uint32_t)a, aHigh = a >> 32;
    uint64_t bLow = (uint32_t)b, bHigh = b >> 32;
    uint64_t middle = aHigh * bLow + (aLow * bLow >> 32);

    sum[0] += a * b;
    sum[1] += aHigh * bHigh + (middle >> 32) +
              ((aLow * bHigh + (uint32_t)middle) >> 32);
#endif
}

/* snceHash_Add adds |count| words, an even number, to |sum|. They are the words
 * of their block from number |from| on. Where |count| is a constant, as in
 * every lookup, the compiler leaves nothing of the loop. */
static inline void
snceHash_Add(const snceHash *hash, uint64_t sum[2], size_t from,
             const uint64_t *words, size_t count)
{
    SNCE_UNROLL(12)
    for (size_t i = 0; i + 1 < count; i += 2) {
        snceHash_Multiply(sum, words[i] + hash->key[from + i],
                          words[i + 1] + hash->key[from + i + 1]);
    }
}

/* snceHash_Fold returns one word made from a |sum| that began as { tweak, count
 * }. The word tells different inputs apart, but is not mixed: two inputs that
 * are alike may have words that are alike. */
static inline uint64_t
snceHash_Fold(const uint64_t sum[2])
{
    return sum[0] + sum[1] * UINT64_C(0x9e3779b97f4a7c15);
}

/* snceHash_FoldBlock returns the checksum of |count| words, at most
 * SNCE_HASH_KEYS, and a |tweak|. */
static inline uint64_t
snceHash_FoldBlock(const snceHash *hash, uint64_t tweak, const uint64_t *words,
                   size_t count)
{
    uint64_t sum[2] = { tweak, count };

    snceHash_Add(hash, sum, 0, words, count);
    if (count % 2) {
        snceHash_Multiply(sum, words[count - 1] + hash->key[SNCE_HASH_KEYS - 2],
                          hash->key[SNCE_HASH_KEYS - 1]);
    }
    return snceHash_Fold(sum);
}

/* snceHash_Block hashes |count| words, at most SNCE_HASH_KEYS; different
 * |tweak|s give unrelated results. */
static inline uint64_t
snceHash_Block(const snceHash *hash, uint64_t tweak, const uint64_t *words,
               size_t count)
{
    return snceHash_Mix(snceHash_FoldBlock(hash, tweak, words, count));
}

/* snceHash_Words hashes any number of words, otherwise as snceHash_Block. */
uint64_t snceHash_Words(const snceHash *hash, uint64_t tweak,
                        const uint64_t *words, size_t count);

/* snceHash_Bytes hashes |len| bytes, any number of them. */
uint64_t snceHash_Bytes(const snceHash *hash, uint64_t tweak,
                        const uint8_t *data, size_t len);

/* snceHash_Name hashes a session's server name. The result is 0 if |len| is 0,
 * and never 0 otherwise. */
uint64_t snceHash_Name(const snceHash *hash, const uint8_t *name, size_t len);

/* snceHash_Range maps |hash| evenly onto 0 .. |count| - 1, |count| below 2^32.
 */
static inline uint64_t
snceHash_Range(uint64_t hash, uint64_t count)
{
    return (hash >> 32) * count >> 32;
}

#endif /* SNCEHASH_H */
