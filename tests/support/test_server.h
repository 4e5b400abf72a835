/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// test_server.h: virtual servers for tests.
#ifndef SSLSNCE_TESTS_SUPPORT_TEST_SERVER_H_
#define SSLSNCE_TESTS_SUPPORT_TEST_SERVER_H_

#include <ostream>
#include <string>
#include <vector>

#include "sslsnce/snce.h"
#include "test_region.h"

// No region has the identity 0. An id with identity 0 matches any region.
inline bool operator==(snceServerId a, snceServerId b) {
  return a.number == b.number && a.generation == b.generation &&
         (a.region == b.region || a.region == 0 || b.region == 0);
}
inline bool operator!=(snceServerId a, snceServerId b) { return !(a == b); }
inline void PrintTo(snceServerId id, std::ostream* out) {
  *out << id.number << "." << id.generation << " of " << id.region;
}

namespace snce_test {

constexpr snceServerId kDefault = {0, 1, 0};

// An id of |region|; the server need not exist.
inline snceServerId IdOf(const snceRegion* region, uint32_t number,
                         uint32_t generation) {
  return {number, generation, snceServer_Choose(region, nullptr, 0).region};
}

inline const uint8_t* BytesOf(const std::string& name) {
  return reinterpret_cast<const uint8_t*>(name.data());
}

inline snceResult Add(snceRegion* region, const std::string& name,
                      const snceCacheOptions& options, snceServerId* id) {
  return snceServer_Add(region, BytesOf(name), name.size(), &options, id);
}

// Adds a virtual server for |entries| sessions and returns its handle. If it
// cannot be added, the test fails and the handle is one that finds nothing.
snceCache AddServer(snceRegion* region, const std::string& name,
                    uint64_t entries);

inline snceResult Find(const snceRegion* region, const std::string& name,
                       snceServerId* id) {
  return snceServer_Find(region, BytesOf(name), name.size(), id);
}

inline snceServerId Choose(const snceRegion* region, const std::string& name) {
  return snceServer_Choose(region, BytesOf(name), name.size());
}

// All virtual servers, the default cache first.
std::vector<snceServerInfo> List(const snceRegion* region);

inline std::string NameOf(const snceServerInfo& info) {
  return std::string(info.name, info.name + info.nameLen);
}

snceFigures FiguresOf(snceCache cache);

}  // namespace snce_test

#endif  // SSLSNCE_TESTS_SUPPORT_TEST_SERVER_H_
