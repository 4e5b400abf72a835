/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncehash.h"

#include <string.h>

/* Keeps the hashes of names apart from those of certificates. */
#define NAME_TWEAK UINT64_C(0x6e616d6500000000)

void
snceHash_Init(snceHash *hash, uint64_t seed)
{
    for (size_t i = 0; i < SNCE_HASH_KEYS; i++) {
        seed += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64's step */
        hash->key[i] = snceHash_Mix(seed);
    }
}

/* Hashes the words in blocks; the hash of each block is the tweak of the next
 * one. */
uint64_t
snceHash_Words(const snceHash *hash, uint64_t tweak, const uint64_t *words,
               size_t count)
{
    while (count > SNCE_HASH_KEYS) {
        tweak = snceHash_Block(hash, tweak, words, SNCE_HASH_KEYS);
        words += SNCE_HASH_KEYS;
        count -= SNCE_HASH_KEYS;
    }
    return snceHash_Block(hash, tweak, words, count);
}

/* In blocks, as snceHash_Words. */
uint64_t
snceHash_Bytes(const snceHash *hash, uint64_t tweak, const uint8_t *data,
               size_t len)
{
    uint64_t sum = tweak ^ len;

    for (size_t done = 0; done < len;) {
        uint64_t block[SNCE_HASH_KEYS];
        size_t bytes = len - done < sizeof(block) ? len - done : sizeof(block);
        size_t words = (bytes + 7) / 8;

        block[words - 1] = 0;
        memcpy(block, data + done, bytes);
        sum = snceHash_Words(hash, sum, block, words);
        done += bytes;
    }
    return sum;
}

uint64_t
snceHash_Name(const snceHash *hash, const uint8_t *name, size_t len)
{
    uint64_t sum;

    if (len == 0) {
        return 0;
    }
    sum = snceHash_Bytes(hash, NAME_TWEAK, name, len);
    return sum ? sum : 1;
}
