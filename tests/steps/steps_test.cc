/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// Three sets of steps must be the same: those that the sources name, those at
// which these tests stop, and those whose cost sslsnce/README.md tells. So a
// new step without a test fails.
#include <dirent.h>

#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "cost.h"
#include "gtest/gtest.h"
#include "scenario.h"

namespace snce_test {
namespace {

// The source directories, relative to the directory in which make runs this.
constexpr const char* kSources[] = {"sslsnce/core", "sslsnce/nss"};
constexpr const char* kReadme = "sslsnce/README.md";

std::string Contents(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.good()) << path << ": run this from the top of the tree";
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::set<std::string> Matches(const std::string& text, const char* pattern) {
  const std::regex expression(pattern);
  std::set<std::string> all;
  for (std::sregex_iterator at(text.begin(), text.end(), expression), end;
       at != end; ++at)
    all.insert((*at)[1]);
  return all;
}

std::set<std::string> InSources() {
  std::set<std::string> all;
  for (const char* folder : kSources) {
    DIR* directory = opendir(folder);
    EXPECT_NE(nullptr, directory) << folder;
    if (directory == nullptr) continue;
    while (const struct dirent* entry = readdir(directory)) {
      const std::string name = entry->d_name;
      if (name.size() < 3 || name[name.size() - 2] != '.') continue;
      const auto some = Matches(Contents(std::string(folder) + "/" + name),
                                "SNCE_STEP\\(\\s*\"([^\"]*)\"");
      all.insert(some.begin(), some.end());
    }
    closedir(directory);
  }
  return all;
}

// The first column of the table "If a process dies here".
std::set<std::string> InReadme() {
  const std::string text = Contents(kReadme);
  const size_t begin = text.find("\n## If a process dies here");
  const size_t end = text.find("\n## ", begin + 1);
  EXPECT_NE(std::string::npos, begin);
  std::set<std::string> all;
  const std::string section = text.substr(begin, end - begin);
  const std::regex row("\n\\|([^|]*)\\|");
  for (std::sregex_iterator at(section.begin(), section.end(), row), none;
       at != none; ++at) {
    const auto some = Matches((*at)[1], "`([^`]*)`");
    all.insert(some.begin(), some.end());
  }
  return all;
}

std::set<std::string> Tested() {
  std::set<std::string> all;
  for (Kind kind :
       {Kind::kSession, Kind::kServer, Kind::kKey, Kind::kTicketKey})
    for (const Place& place : PlacesOf(kind)) all.insert(place.step);
  return all;
}

TEST(SnceSteps, EveryStepOfTheSourcesIsStoppedAt) {
  const std::set<std::string> steps = InSources();
  EXPECT_GT(steps.size(), 30u);
  EXPECT_EQ(steps, Tested());
}

TEST(SnceSteps, EveryStepOfTheSourcesHasACost) {
  const std::vector<std::string> costs = StepsWithACost();
  EXPECT_EQ(InSources(), std::set<std::string>(costs.begin(), costs.end()));
}

TEST(SnceSteps, EveryStepOfTheSourcesIsInTheReadme) {
  EXPECT_EQ(InSources(), InReadme());
}

}  // namespace
}  // namespace snce_test
