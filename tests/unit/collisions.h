/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* collisions.h: session IDs that only a comparison of the IDs themselves tells
 * apart. The hash is keyed, so nobody can find them without the region's keys.
 * In C, as the core's headers are. */
#ifndef SSLSNCE_TESTS_UNIT_COLLISIONS_H_
#define SSLSNCE_TESTS_UNIT_COLLISIONS_H_

#include <stdbool.h>

#include "sslsnce/snce.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Finds an |other| of 32 bytes that has the same best way and the same tag as
 * |id|. For a cache of two sets that takes some twenty million hashes. */
bool FindCollision(snceCache cache, const uint8_t id[SNCE_ID_MAX],
                   uint8_t other[SNCE_ID_MAX]);

#ifdef __cplusplus
}
#endif

#endif /* SSLSNCE_TESTS_UNIT_COLLISIONS_H_ */
