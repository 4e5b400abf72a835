/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "test_server.h"

#include <cstring>

#include "gtest/gtest.h"

namespace snce_test {

snceCache AddServer(snceRegion* region, const std::string& name,
                    uint64_t entries) {
  snceServerId id = IdOf(region, SNCE_SERVERS_MAX, 0);
  EXPECT_EQ(SNCE_OK, Add(region, name, Options(entries), &id)) << name;
  return snceRegion_Cache(region, id);
}

std::vector<snceServerInfo> List(const snceRegion* region) {
  std::vector<snceServerInfo> all;
  snceServerInfo info;
  for (uint32_t number = 0; snceServer_Next(region, number, &info) == SNCE_OK;
       number = info.id.number + 1)
    all.push_back(info);
  return all;
}

snceFigures FiguresOf(snceCache cache) {
  snceFigures figures;
  std::memset(&figures, 0, sizeof(figures));
  EXPECT_EQ(SNCE_OK, snceCache_GetFigures(cache, &figures));
  return figures;
}

}  // namespace snce_test
