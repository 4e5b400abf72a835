/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncehash.h"

void
snceHash_Init(snceHash *hash, uint64_t seed)
{
    for (size_t i = 0; i < SNCE_HASH_KEYS; i++) {
        seed += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64's step */
        hash->key[i] = snceHash_Mix(seed);
    }
}
