/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceword.h: bytes to words and back, one word at a time; and two numbers in
 * one word.
 *
 * After narrow stores a processor cannot forward their values to a wide load:
 * the load waits until the stores have left the pipeline. The words of a
 * session are copied by atomics, which are narrow, so the copies that follow
 * must not become vectors either. The empty asm statements keep each word in a
 * register of its own. */
#ifndef SNCEWORD_H
#define SNCEWORD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Unrolls the loop that follows, for gcc. clang unrolls loops of a known length
 * of its own accord, and with this pragma only those: it then keeps the copy of
 * a secret in memory. */
#ifdef __clang__
#define SNCE_UNROLL(times)
#else
#define SNCE_UNROLL(times) SNCE_PRAGMA(GCC unroll times)
#define SNCE_PRAGMA(text) _Pragma(#text)
#endif

/* snceWord_Read copies bytes to |count| words. */
static inline void
snceWord_Read(uint64_t *to, const uint8_t *from, size_t count)
{
    SNCE_UNROLL(12)
    for (size_t i = 0; i < count; i++) {
        uint64_t word;

        memcpy(&word, from + i * sizeof(word), sizeof(word));
        __asm__("" : "+r"(word));
        to[i] = word;
    }
}

/* snceWord_Write copies |count| words to bytes. */
static inline void
snceWord_Write(uint8_t *to, const uint64_t *from, size_t count)
{
    SNCE_UNROLL(12)
    for (size_t i = 0; i < count; i++) {
        uint64_t word = from[i];

        __asm__("" : "+r"(word));
        memcpy(to + i * sizeof(word), &word, sizeof(word));
    }
}

/* snceWord_Wipe overwrites |count| words with zeros, even though nobody reads
 * them again, which would let a compiler drop the stores. */
static inline void
snceWord_Wipe(uint64_t *words, size_t count)
{
    volatile uint64_t *word = words;

    SNCE_UNROLL(12)
    for (size_t i = 0; i < count; i++) {
        word[i] = 0;
    }
}

/* snceWord_Pair returns a word whose upper half is |high| and whose lower half
 * is |low|, both below 2^32. snceWord_High and snceWord_Low return the
 * halves. */
static inline uint64_t
snceWord_Pair(uint64_t high, uint64_t low)
{
    return high << 32 | low;
}

static inline uint64_t
snceWord_High(uint64_t word)
{
    return word >> 32;
}

static inline uint64_t
snceWord_Low(uint64_t word)
{
    return (uint32_t)word;
}

#endif /* SNCEWORD_H */
