/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// The names of virtual servers, and which server a client's name chooses.
#include <atomic>
#include <cctype>
#include <cstdio>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "sslsnce/snce.h"
#include "test_build.h"
#include "test_clock.h"
#include "test_region.h"
#include "test_server.h"
#include "test_session.h"

namespace snce_test {
namespace {

class SnceName : public ::testing::Test {
 protected:
  snceServerId Added(const std::string& name) {
    return snceCache_Id(AddServer(region_.get(), name, 10));
  }
  snceServerId Chosen(const std::string& name) {
    return Choose(region_.get(), name);
  }
  snceResult Refused(const std::string& name) {
    snceServerId id;
    const snceResult result = Add(region_.get(), name, Options(10), &id);
    if (result == SNCE_OK) snceServer_Remove(region_.get(), id);
    return result;
  }

  Region region_{10};
};

TEST_F(SnceName, CaseDoesNotCount) {
  const snceServerId id = Added("Www.ExAmPlE-1_x.ORG");
  EXPECT_EQ("www.example-1_x.org", NameOf(List(region_.get())[1]));
  snceServerId found;
  for (const char* name :
       {"www.example-1_x.org", "WWW.EXAMPLE-1_X.ORG", "wWW.eXAMPLE-1_x.oRG"}) {
    ASSERT_EQ(SNCE_OK, Find(region_.get(), name, &found)) << name;
    EXPECT_EQ(id, found);
    EXPECT_EQ(id, Chosen(name));
  }
}

TEST_F(SnceName, OnlyLettersHaveCase) {
  // Characters beside the letters, 32 away from them, and with the top bit set.
  const snceServerId id = Added("az-09_");
  EXPECT_EQ(id, Chosen("AZ-09_"));
  for (const std::string& name :
       {std::string("az\r09_"), std::string("az-09\x7f"),
        std::string("\x41\x5a-\x10\x19_"), std::string("\xc1z-09_"),
        std::string("\xe1z-09_"), std::string("@Z-09_"), std::string("a[-09_"),
        std::string("`z-09_"), std::string("a{-09_")})
    EXPECT_EQ(kDefault, Chosen(name)) << name;
  for (int c = 0; c < 256; ++c) {
    std::string name = "az-09_";
    name[1] = static_cast<char>(c);
    EXPECT_EQ(c == 'z' || c == 'Z' ? id : kDefault, Chosen(name)) << c;
  }
}

TEST_F(SnceName, ADotAtItsEndIsIgnoredInChoosing) {
  const snceServerId id = Added("a.example");
  EXPECT_EQ(id, Chosen("a.example."));
  EXPECT_EQ(kDefault, Chosen("a.example.."));
  EXPECT_EQ(SNCE_INVALID, Refused("b.example."));
}

TEST_F(SnceName, NamesThatAreNoneAreRefused) {
  for (const std::string& name : {std::string(""),
                                  std::string("."),
                                  std::string(".a"),
                                  std::string("a."),
                                  std::string("a..b"),
                                  std::string("a b"),
                                  std::string("a/b"),
                                  std::string("a:1"),
                                  std::string("[::1]"),
                                  std::string("\xc3\xa4.example"),
                                  std::string("a\0b", 3),
                                  std::string("a.example\0", 10),
                                  std::string("*"),
                                  std::string("*."),
                                  std::string("**.a"),
                                  std::string("*a.b"),
                                  std::string("a*.b"),
                                  std::string("a.*.b"),
                                  std::string("a.*"),
                                  std::string("*.*.a"),
                                  std::string("*..a"),
                                  std::string("*.a."),
                                  std::string("*.a*"),
                                  std::string(SNCE_NAME_MAX + 1, 'a'),
                                  std::string(SNCE_NAME_MAX, 'a') + ".",
                                  std::string(100000, 'a')})
    EXPECT_EQ(SNCE_INVALID, Refused(name)) << name.substr(0, 20);
  EXPECT_EQ(1u, List(region_.get()).size());
}

TEST_F(SnceName, NamesThatMayBeAreTaken) {
  for (const std::string& name :
       {std::string("a"), std::string("-"), std::string("_"),
        std::string("1.2.3.4"), std::string("xn--4ca.example"),
        std::string("*.a"), std::string("*.a.b"), std::string("localhost"),
        std::string(SNCE_NAME_MAX, 'a'),
        "*." + std::string(SNCE_NAME_MAX - 2, 'a')})
    EXPECT_EQ(SNCE_OK, Refused(name)) << name.substr(0, 20);
}

TEST_F(SnceName, NamesOfEveryLengthAreToldApart) {
  std::vector<snceServerId> ids(1);
  for (size_t len = 1; len <= SNCE_NAME_MAX; ++len)
    ids.push_back(Added(std::string(len, 'x')));
  for (size_t len = 1; len <= SNCE_NAME_MAX; ++len) {
    const std::string name(len, 'x');
    ASSERT_EQ(ids[len], Chosen(name)) << len;
    for (size_t at = 0; at < len; ++at) {
      std::string other = name;
      other[at] = 'y';
      ASSERT_EQ(kDefault, Chosen(other)) << len << ", " << at;
    }
    ASSERT_NE(ids[len], Chosen(name + std::string(1, '\0'))) << len;
  }
  EXPECT_EQ(kDefault, Chosen(std::string(SNCE_NAME_MAX + 1, 'x')));
  EXPECT_EQ(kDefault, Chosen(std::string(100000, 'x')));
}

TEST_F(SnceName, AWildcardIsForOneLabel) {
  const snceServerId wild = Added("*.example.org");
  EXPECT_EQ(wild, Chosen("a.example.org"));
  EXPECT_EQ(wild, Chosen("A.EXAMPLE.org."));
  EXPECT_EQ(wild, Chosen("a-long-first-label-of-a-name.example.org"));
  EXPECT_EQ(kDefault, Chosen("example.org"));
  EXPECT_EQ(kDefault, Chosen(".example.org"));
  EXPECT_EQ(kDefault, Chosen("a.b.example.org"));
  EXPECT_EQ(kDefault, Chosen("aexample.org"));
  EXPECT_EQ(kDefault, Chosen("a.example.com"));
  EXPECT_EQ(kDefault, Chosen("*.example.org"));
  snceServerId found;
  ASSERT_EQ(SNCE_OK, Find(region_.get(), "*.example.org", &found));
  EXPECT_EQ(wild, found);
  EXPECT_EQ(SNCE_MISS, Find(region_.get(), "a.example.org", &found));
}

TEST_F(SnceName, AnExactNameComesBeforeAWildcard) {
  const snceServerId wild = Added("*.example.org");
  const snceServerId exact = Added("a.example.org");
  EXPECT_EQ(exact, Chosen("a.example.org"));
  EXPECT_EQ(wild, Chosen("b.example.org"));
  ASSERT_EQ(SNCE_OK, snceServer_Remove(region_.get(), exact));
  EXPECT_EQ(wild, Chosen("a.example.org"));
  ASSERT_EQ(SNCE_OK, snceServer_Remove(region_.get(), wild));
  EXPECT_EQ(kDefault, Chosen("a.example.org"));
  const snceServerId again = Added("*.example.org");
  EXPECT_EQ(again, Chosen("a.example.org"));
}

// Every length of the first label with every length of the rest.
TEST_F(SnceName, WildcardsOfEveryLengthAreFound) {
  for (size_t rest = 1; rest <= SNCE_NAME_MAX - 2; ++rest) {
    const snceServerId wild = Added("*." + std::string(rest, 'r'));
    for (size_t label = 1; label + 1 + rest <= SNCE_NAME_MAX; ++label) {
      const std::string name =
          std::string(label, 'l') + "." + std::string(rest, 'r');
      ASSERT_EQ(wild, Chosen(name)) << label << ", " << rest;
    }
    ASSERT_EQ(kDefault, Chosen("l." + std::string(rest + 1, 'r'))) << rest;
    ASSERT_EQ(SNCE_OK, snceServer_Remove(region_.get(), wild));
  }
}

TEST_F(SnceName, AnUnlistedOneIsFoundButNotChosen) {
  snceCacheOptions options = Options(10);
  options.unlisted = true;
  snceServerId hidden, found;
  ASSERT_EQ(SNCE_OK, Add(region_.get(), "a.example", options, &hidden));
  EXPECT_EQ(kDefault, Chosen("a.example"));
  ASSERT_EQ(SNCE_OK, Find(region_.get(), "a.example", &found));
  EXPECT_EQ(hidden, found);
  const snceServerId wild = Added("*.example");
  EXPECT_EQ(wild, Chosen("a.example"));
}

TEST_F(SnceName, NoNameChoosesTheDefaultCache) {
  Added("a.example");
  EXPECT_EQ(kDefault, snceServer_Choose(region_.get(), nullptr, 0));
  EXPECT_EQ(kDefault, Chosen("."));
}

// Names are added and removed at random; a map holds what must be found.
TEST_F(SnceName, TheIndexForgetsNothingAndKeepsNothing) {
  const int rounds = kSanitized ? 3000 : 40000;
  std::map<std::string, snceServerId> there;
  std::vector<std::string> names;
  for (uint64_t i = 0; i < uint64_t(rounds); ++i) {
    const uint64_t dice = Mix(i);
    if (there.size() < 700 && dice % 8 < 5) {
      // Use some names again and again, most only once.
      const std::string name = dice & 256
                                   ? "host" + std::to_string(dice % 997)
                                   : "*.n" + std::to_string(i) + ".example";
      snceServerId id;
      const snceResult result = Add(region_.get(), name, Options(10), &id);
      if (there.count(name)) {
        ASSERT_EQ(SNCE_EXISTS, result);
        ASSERT_EQ(there[name], id);
      } else {
        ASSERT_EQ(SNCE_OK, result) << name;
        there[name] = id;
        names.push_back(name);
      }
    } else if (!there.empty()) {
      const auto victim =
          there.lower_bound("host" + std::to_string(dice % 997));
      const auto one = victim == there.end() ? there.begin() : victim;
      ASSERT_EQ(SNCE_OK, snceServer_Remove(region_.get(), one->second));
      there.erase(one);
    }
    if (i % 1000 == 999) {
      for (const std::string& name : names) {
        snceServerId id;
        const auto known = there.find(name);
        ASSERT_EQ(known == there.end() ? SNCE_MISS : SNCE_OK,
                  Find(region_.get(), name, &id))
            << name;
        if (known != there.end()) {
          ASSERT_EQ(known->second, id);
        }
      }
      names.clear();
      for (const auto& known : there) names.push_back(known.first);
      ASSERT_EQ(there.size() + 1, List(region_.get()).size());
    }
  }
}

// Readers find the servers that stay, whatever is added and removed beside
// them, and find no server under a name that it does not have.
TEST_F(SnceName, ReadersFindWhatStaysWhileOthersComeAndGo) {
  Watchdog watchdog(120);
  std::vector<snceServerId> stays;
  for (int i = 0; i < 50; ++i)
    stays.push_back(Added("stays" + std::to_string(i) + ".example"));
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> lost{0}, wrong{0}, chosen{0}, lists{0};
  std::vector<std::thread> threads;
  for (int me = 0; me < 2; ++me) {
    threads.emplace_back([&, me] {
      for (uint64_t i = me; !stop; ++i) {
        const int which = int(i % 50);
        lost += Chosen("stays" + std::to_string(which) + ".example") !=
                stays[which];
        const snceServerId id = Chosen("goes" + std::to_string(i % 7));
        for (const snceServerId& other : stays) wrong += id == other;
        ++chosen;
        if (i % 64 == 0) {
          uint64_t seen = 0;
          for (const snceServerInfo& info : List(region_.get())) {
            const std::string name = NameOf(info);
            seen += name.compare(0, 5, "stays") == 0;
            wrong += !name.empty() && name.compare(0, 5, "stays") != 0 &&
                     name.compare(0, 4, "goes") != 0;
          }
          lost += seen != 50;
          ++lists;
        }
      }
    });
  }
  const int rounds = kSanitized ? 1000 : 10000;
  for (int i = 0; i < rounds; ++i) {
    const snceServerId id = Added("goes" + std::to_string(i % 7));
    EXPECT_EQ(SNCE_OK, snceServer_Remove(region_.get(), id));
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(0u, lost);
  EXPECT_EQ(0u, wrong);
  printf("%d choices and %d lists while %d came and went\n", int(chosen),
         int(lists), rounds);
}

}  // namespace
}  // namespace snce_test
