/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// test_ticket.h: ticket keys whose fields follow from one number, so that a
// mixture of two shows.
#ifndef SSLSNCE_TESTS_SUPPORT_TEST_TICKET_H_
#define SSLSNCE_TESTS_SUPPORT_TEST_TICKET_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <set>
#include <vector>

#include "sslsnce/snce.h"
#include "test_clock.h"
#include "test_session.h"

namespace snce_test {

inline snceTicketKey TicketKey(uint64_t id) {
  snceTicketKey key = {};
  key.id = id;
  key.under = id * 7;
  key.created = At(kStart + int64_t(id) * 60 * kSecond);
  key.encryptFrom = key.created + 60 * kSecond;
  key.encryptUntil = key.created + 120 * kSecond;
  key.decryptUntil = key.created + 1000 * kSecond;
  key.source = id * 11;
  key.len = 40;
  const std::vector<uint8_t> value = Bytes(id, key.len);
  std::copy(value.begin(), value.end(), key.value);
  return key;
}

inline bool IsWhole(const snceTicketKey& key) {
  const snceTicketKey made = TicketKey(key.id);
  return key.under == made.under && key.created == made.created &&
         key.encryptFrom == made.encryptFrom &&
         key.encryptUntil == made.encryptUntil &&
         key.decryptUntil == made.decryptUntil && key.source == made.source &&
         key.len == made.len && memcmp(key.value, made.value, key.len) == 0;
}

// The ids of the region's ticket keys. A key that is not whole has the id 0
// here, which no key has; so has a failure to list them.
inline std::multiset<uint64_t> TicketKeysOf(const snceRegion* region) {
  std::vector<snceTicketKey> keys(13000);
  size_t count = 0;
  if (snceTicketKeys_List(region, keys.data(), keys.size(), &count) != SNCE_OK)
    return {0};
  std::multiset<uint64_t> ids;
  for (size_t i = 0; i < count; ++i)
    ids.insert(IsWhole(keys[i]) ? keys[i].id : 0);
  return ids;
}

}  // namespace snce_test

#endif  // SSLSNCE_TESTS_SUPPORT_TEST_TICKET_H_
