/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// test_defaults.h: the defaults of the cache that tests expect, each once. A
// test that needs a certain timeout asks for it.
#ifndef SSLSNCE_TESTS_SUPPORT_NSS_TEST_DEFAULTS_H_
#define SSLSNCE_TESTS_SUPPORT_NSS_TEST_DEFAULTS_H_

#include <cstdint>

// The timeouts that the cache uses where a caller asks for 0 (sslsnce.h).
constexpr uint32_t kDefaultSsl2TimeoutSec = 100;
constexpr uint32_t kDefaultSsl3TimeoutSec = 86400;

#endif  // SSLSNCE_TESTS_SUPPORT_NSS_TEST_DEFAULTS_H_
