/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// A worker in steady state makes no system call: the test watches one with
// strace.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "roles.h"
#include "sslsnce/snce.h"
#include "test_build.h"
#include "test_child.h"
#include "test_clock.h"
#include "test_region.h"
#include "test_session.h"

namespace snce_test {
namespace {

constexpr uint64_t kRounds = 10000;

// Marks a place in strace's log by a system call that does nothing, and that
// nothing else makes.
void Mark(const char* what, size_t len) {
  if (write(-1, what, len) != -1) abort();
}

}  // namespace

// Warms up, so that nothing needs to be loaded or allocated any more. Then
// marks where the watching begins and ends, for each kind of operation.
int RunSteady() {
  Region region(5000);
  snceCache cache = region.cache();
  Answer answer;
  uint8_t value[64] = {1}, name[SNCE_KEY_NAME_BYTES] = {2};
  size_t len;
  std::vector<Session> sessions;
  for (uint64_t serial = 0; serial < kRounds; ++serial)
    sessions.emplace_back(serial, serial, kEverything);
  for (uint64_t round = 0; round < 2; ++round) {
    const bool watched = round == 1;
    const snceTime now = At(kStart + static_cast<int64_t>(round) * kSecond);
    uint64_t kept = 0, found = 0, removed = 0;
    if (watched) Mark("begin insert", 12);
    for (const Session& session : sessions)
      kept += session.Insert(cache, now) == SNCE_OK;
    if (watched) Mark("end insert", 10);
    if (watched) Mark("begin lookup", 12);
    for (const Session& session : sessions)
      found += answer.Lookup(cache, session.Key(), now) == SNCE_OK;
    if (watched) Mark("end lookup", 10);
    if (watched) Mark("begin expiry", 12);
    for (uint64_t serial = 0; serial < 1000; ++serial)
      answer.Lookup(cache, sessions[serial].Key(), now + 90000 * kSecond);
    if (watched) Mark("end expiry", 10);
    if (watched) Mark("begin remove", 12);
    for (const Session& session : sessions) {
      const snceKey key = session.Key();
      removed += snceCache_Remove(cache, &key) == SNCE_OK;
    }
    if (watched) Mark("end remove", 10);
    if (watched) Mark("begin others", 12);
    snceKeyLog_Get(region.get(), name, value, sizeof(value), &len);
    snceKeyLog_Put(region.get(), name, value, 8, value, sizeof(value), &len);
    snceFigures figures;
    snceCache_GetFigures(cache, &figures);
    snceCacheOptions options;
    snceCache_GetOptions(cache, &options);
    snceCache_Expiry(cache, SNCE_CLASS_SSL3, now);
    snceSession_Wipe(answer.get());
    if (watched) Mark("end others", 10);
    if (kept != kRounds || found < 4000 || removed < 1000) return 3;
  }
  return 0;
}

TEST(SnceSystemCalls, NoneIsMadeInSteadyState) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer makes some of its own";
  char log[] = "/tmp/snce-strace-XXXXXX";
  const int fd = mkstemp(log);
  ASSERT_GE(fd, 0);
  close(fd);
  char self[4096];
  const ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
  ASSERT_GT(len, 0);
  self[len] = '\0';
  const char* strace =
      access("/usr/bin/strace", X_OK) == 0 ? "/usr/bin/strace" : "/bin/strace";
  // strace exits with 1 or 127 if it may not trace, else with the worker's
  // status.
  const int status =
      Child::Exec(strace,
                  {"-f", "-e", "trace=all", "-o", log, self, "--steady"}, -1)
          .Wait(60000);
  std::ifstream lines(log);
  std::string line, within;
  std::vector<std::string> seen;
  int stretches = 0, calls = 0, all = 0;
  while (std::getline(lines, line)) {
    ++all;
    const size_t begin = line.find("write(-1, \"begin ");
    const size_t end = line.find("write(-1, \"end ");
    if (begin != std::string::npos) {
      within = line.substr(begin + 17, 6);
    } else if (end != std::string::npos) {
      EXPECT_EQ(within, line.substr(end + 15, 6));
      within.clear();
      ++stretches;
    } else if (!within.empty()) {
      ADD_FAILURE() << "during " << within << ": " << line;
      ++calls;
    }
  }
  unlink(log);
  if (all < 10)
    GTEST_SKIP() << "strace cannot run here (status " << status << ")";
  ASSERT_EQ(0, status);
  EXPECT_EQ(5, stretches);
  printf("%d system calls in all, %d of them between the marks\n", all, calls);
}

}  // namespace snce_test
