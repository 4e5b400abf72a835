/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// rotate_test.cc: the ticket keys over time: a new one each day, old ones as
// long as their tickets are valid, the same ones in every process; and the
// region keys of processes with different server keys.

#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "prerror.h"
#include "ssl.h"
#include "sslerr.h"
#include "test_build.h"
#include "test_tickets.h"

namespace nss_test {
namespace {

using Keys = std::string;

class RotateTest : public TicketFixture {
 protected:
  bool Resumes() { return Connect()->resumed(); }
};
INSTANTIATE_TEST_SUITE_P(Versions, RotateTest,
                         ::testing::Values(SSL_LIBRARY_VERSION_TLS_1_2,
                                           SSL_LIBRARY_VERSION_TLS_1_3));

TEST_P(RotateTest, AKeyIsInUseForADay) {
  const Keys first = Current();
  ASSERT_FALSE(first.empty());
  clock_ += kDay - 1;
  EXPECT_EQ(first, Current());
  clock_ += 1;
  const Keys second = Current();
  EXPECT_NE(first, second);
  EXPECT_NE(first.substr(0, 16), second.substr(0, 16));
  clock_ += kDay - 1;
  EXPECT_EQ(second, Current());
  clock_ += 1;
  EXPECT_NE(second, Current());
}

TEST_P(RotateTest, TheNextKeyIsThereBeforeItIsInUse) {
  const Keys first = Current();
  EXPECT_EQ(2u, ShimCountTicketKeys());
  clock_ += kDay;
  ASSERT_NE(first, Current());
  EXPECT_EQ(3u, ShimCountTicketKeys());
}

TEST_P(RotateTest, TicketsResumeAcrossRotations) {
  ASSERT_FALSE(Resumes());
  for (int day = 0; day < 10; ++day) {
    const Keys before = Current();
    clock_ += kDay;
    ASSERT_NE(before, Current());
    // In TLS 1.2 a client keeps its ticket, which expires after two days; in
    // TLS 1.3 it has a new one from each connection, for a week.
    const bool expired =
        day % (GetParam() == SSL_LIBRARY_VERSION_TLS_1_2 ? 2 : 7) ==
        (GetParam() == SSL_LIBRARY_VERSION_TLS_1_2 ? 1 : 6);
    ASSERT_EQ(!expired, Resumes()) << day;
  }
}

TEST_P(RotateTest, AfterItsLastTicketHasExpiredAKeyIsGone) {
  for (int day = 0; day < 30; ++day) {
    ASSERT_FALSE(Current().empty());
    // The key in use, its successor, and those of the last three days.
    EXPECT_LE(ShimCountTicketKeys(), 5u) << day;
    clock_ += kDay;
  }
  clock_ += 100 * kDay;
  ASSERT_FALSE(Current().empty());
  EXPECT_LE(ShimCountTicketKeys(), 2u);
}

TEST_P(RotateTest, AKeyThatHasExpiredDoesNotDecrypt) {
  const Keys first = Current();
  LoneSocket server(true, &clock_);
  ASSERT_TRUE(AddCertificates(server.fd(), {"rsa"}));
  const auto decrypts = [&] {
    return ShimDecryptsTickets(server.fd(), reinterpret_cast<const PRUint8*>(
                                                first.data())) == PR_TRUE;
  };
  // A day in use, and two for its last ticket.
  clock_ = kStart + 3 * kDay - 1;
  EXPECT_TRUE(decrypts());
  clock_ = kStart + 3 * kDay;
  EXPECT_FALSE(decrypts());
  // A client with such a ticket makes a full handshake.
  ASSERT_FALSE(Resumes());
  clock_ += 4 * kDay;
  EXPECT_FALSE(Resumes());
  EXPECT_TRUE(Resumes());
}

TEST_P(RotateTest, WithoutACacheAProcessRotatesItsOwn) {
  SSL_ShutdownServerSessionIDCache();
  ShimResetTicketKeys();
  const Keys first = Current();
  ASSERT_FALSE(first.empty());
  clock_ += kDay;
  EXPECT_NE(first, Current());
}

TEST_P(RotateTest, AClockThatGoesBackMakesNoNewKey) {
  const Keys first = Current();
  clock_ += kDay;
  const Keys second = Current();
  clock_ -= 1;
  EXPECT_EQ(first, Current());
  clock_ += 1;
  EXPECT_EQ(second, Current());
  EXPECT_EQ(3u, ShimCountTicketKeys());
}

TEST_P(RotateTest, ASecondConfigForgetsTheFirstRegionsKeys) {
  const Keys first = Current();
  SSL_ShutdownServerSessionIDCache();
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(1000, 0, 0, nullptr));
  const Keys second = Current();
  EXPECT_NE(first, second);
  EXPECT_EQ(2u, ShimCountTicketKeys());
}

TEST_P(RotateTest, ThreadsThatStartTogetherMakeOneKey) {
  std::vector<Keys> keys(8);
  std::vector<std::thread> threads;
  for (Keys& its : keys) threads.emplace_back([&] { its = Current(); });
  for (std::thread& thread : threads) thread.join();
  for (const Keys& its : keys) EXPECT_EQ(keys[0], its);
  EXPECT_EQ(2u, ShimCountTicketKeys());
}

// ---- processes ----

// What a child of this process has for keys at |time|; it takes them |times|
// times.
Keys InChild(const std::vector<std::string>& nicknames, PRTime time) {
  int out[2];
  if (pipe(out) != 0) return Keys();
  pid_t pid = fork();
  if (pid == 0) {
    close(out[0]);
    bool ok = SSL_InheritMPServerSIDCache(nullptr) == SECSuccess;
    StartNss();
    const Keys keys = ok ? KeysOf(nicknames, &time) : Keys();
    ok = keys.size() == kTicketBytes &&
         write(out[1], keys.data(), keys.size()) == ssize_t(keys.size());
    snce_test::LeaveChild(ok ? 0 : 1);
  }
  close(out[1]);
  char keys[kTicketBytes];
  const ssize_t got = read(out[0], keys, sizeof(keys));
  close(out[0]);
  int status = -1;
  if (waitpid(pid, &status, 0) != pid || status != 0) return Keys();
  return got == ssize_t(sizeof(keys)) ? Keys(keys, sizeof(keys)) : Keys();
}

STAGE(RotateInAnyProcess) {
  STAGE_CHECK(SSL_ConfigMPServerSIDCache(10, 0, 0, nullptr) == SECSuccess);
  std::set<Keys> all;
  PRTime now = kStart;
  for (int day = 0; day < 5; ++day, now += kDay) {
    const Keys one = InChild({args[0]}, now);
    STAGE_CHECK(!one.empty() && all.insert(one).second);
    STAGE_CHECK(InChild({args[0]}, now + kDay / 2) == one);
    STAGE_CHECK(InChild({args[0]}, now + kDay - 1) == one);
  }
  return 0;
}

// The processes that made the keys have gone each time.
TEST(RotateProcessesTest, AnyProcessRotatesForAll) {
  EXPECT_EQ(0, InExec("RotateInAnyProcess", {"rsa"}));
  EXPECT_EQ(0, InExec("RotateInAnyProcess", {"ecdsa"}));
}

STAGE(BridgeTicketKeys) {
  STAGE_CHECK(SSL_ConfigMPServerSIDCache(10, 0, 0, nullptr) == SECSuccess);
  const Keys rsa = InChild({"rsa"}, kStart);
  const Keys ec = InChild({"ecdsa"}, kStart + 1);
  STAGE_CHECK(!rsa.empty() && !ec.empty() && rsa != ec);
  // One that has both server keys.
  const Keys both = InChild({"rsa", "ecdsa"}, kStart + 2);
  STAGE_CHECK(both == ec);  // the newer one
  STAGE_CHECK(InChild({"rsa"}, kStart + 3) == both);
  STAGE_CHECK(InChild({"ecdsa"}, kStart + 3) == both);
  STAGE_CHECK(InChild({"rsa"}, kStart + kDay + 3) ==
              InChild({"ecdsa"}, kStart + kDay + 3));
  return 0;
}

TEST(RotateProcessesTest, AProcessWithBothServerKeysLetsTheOthersShare) {
  EXPECT_EQ(0, InExec("BridgeTicketKeys", {}));
}

STAGE(ShareWhatOneHas) {
  STAGE_CHECK(SSL_ConfigMPServerSIDCache(10, 0, 0, nullptr) == SECSuccess);
  const Keys both = InChild({"rsa", "ecdsa", "rsa-b", "ecdsa-b"}, kStart);
  STAGE_CHECK(!both.empty());
  for (const char* nickname : {"rsa", "ecdsa", "rsa-b", "ecdsa-b"})
    STAGE_CHECK(InChild({nickname}, kStart + 1) == both);
  return 0;
}

TEST(RotateProcessesTest, OneServerKeyOfSeveralIsEnough) {
  EXPECT_EQ(0, InExec("ShareWhatOneHas", {}));
}

}  // namespace
}  // namespace nss_test
