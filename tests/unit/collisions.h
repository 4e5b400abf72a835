/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* collisions.h: session IDs that are told apart by comparing them alone. The
 * hash is keyed, so nobody else can find them. In C, as the core's headers are.
 */
#ifndef SSLSNCE_TESTS_UNIT_COLLISIONS_H_
#define SSLSNCE_TESTS_UNIT_COLLISIONS_H_

#include <stdbool.h>

#include "sslsnce/snce.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Finds an |other| of 32 bytes that meets |id| at its best place under its tag.
 * For a cache of two sets that takes some twenty million hashes. */
bool FindCollision(snceCache cache, const uint8_t id[SNCE_ID_MAX],
                   uint8_t other[SNCE_ID_MAX]);

#ifdef __cplusplus
}
#endif

#endif /* SSLSNCE_TESTS_UNIT_COLLISIONS_H_ */
