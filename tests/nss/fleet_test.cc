/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// fleet_test.cc: the ticket keys that all machines of a fleet have, from key
// files or derived from one secret. Another machine is this process with
// another region: it shuts its cache down, forgets all ticket keys, and
// configures anew.

#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "key_files.h"
#include "prerror.h"
#include "secerr.h"
#include "ssl.h"
#include "sslexp.h"
#include "sslsnce/sslsnce.h"
#include "test_build.h"
#include "test_tickets.h"

namespace nss_test {
namespace {

constexpr size_t kKeyBytes = 80;
constexpr PRTime kMinute = 60 * kSecond;
constexpr PRTime kHour = 60 * kMinute;

// A key as nginx has them.
std::string Key(char c) {
  std::string key(kKeyBytes, '\1');
  key[0] = c;
  return key;
}

class FleetTest : public TicketFixture {
 protected:
  void SetUp() override {
    Write("caches", "name=*\n");
    TicketFixture::SetUp();
    options_.server_no_cache = true;
    SSL_ShutdownServerSessionIDCache();
  }
  void TearDown() override {
    // So that the next test's keys are made at random.
    Write("caches", "name=*\n");
    SSL_ConfigServerSessionIDCache(1000, 0, 0, nullptr);
    SSL_ShutdownServerSessionIDCache();
    TicketFixture::TearDown();
  }
  std::string Path(const std::string& name) { return files_.Path(name); }
  void Write(const std::string& name, const std::string& text) {
    ASSERT_TRUE(files_.Write(name, text));
  }
  // Goes on as a machine whose configuration file has |line|.
  void BeMachine(const std::string& line) {
    SSL_ShutdownServerSessionIDCache();
    ShimResetTicketKeys();
    Write("caches", line + "\n");
    ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(1000, 0, 0, nullptr));
  }
  void BeWithSecret(const std::string& text, const std::string& more = "") {
    Write("one", text);
    BeMachine("name=* ticketSecretFile=" + Path("one") + " " + more);
  }
  void BeWithKeys(const std::string& more = "") {
    BeMachine("name=* ticketKeyFile=" + Path("one") + " " + more);
  }
  bool Resumes() { return Connect()->resumed(); }
  // Whether tickets under the key |name| decrypt.
  bool Decrypts(const std::string& name) {
    LoneSocket server(true, &clock_);
    return AddCertificates(server.fd(), {"rsa"}) &&
           ShimDecryptsTickets(server.fd(),
                               reinterpret_cast<const PRUint8*>(name.data()));
  }
  // Waits until the files may be looked at again.
  void WaitForLook() { usleep(1100000); }

  KeyFiles files_;
};
INSTANTIATE_TEST_SUITE_P(Versions, FleetTest,
                         ::testing::Values(SSL_LIBRARY_VERSION_TLS_1_2,
                                           SSL_LIBRARY_VERSION_TLS_1_3));

// ---- one secret -------------------------------------------------------------

TEST_P(FleetTest, WithoutFilesAnotherMachineRefuses) {
  BeMachine("name=*");
  EXPECT_FALSE(Resumes());
  EXPECT_TRUE(Resumes());
  BeMachine("name=*");
  EXPECT_FALSE(Resumes());
}

TEST_P(FleetTest, ATicketResumesOnEveryMachineWithTheSecret) {
  BeWithSecret(SecretLine('a'));
  EXPECT_FALSE(Resumes());
  EXPECT_TRUE(Resumes());
  for (int machine = 0; machine < 3; ++machine) {
    BeWithSecret(SecretLine('a'));
    EXPECT_TRUE(Resumes()) << machine;
    EXPECT_TRUE(Resumes()) << machine;
  }
  BeWithSecret(SecretLine('b'));
  EXPECT_FALSE(Resumes());
}

TEST_P(FleetTest, EveryKindOfServerKeyResumesThere) {
  for (const char* server : {"rsa", "ecdsa"}) {
    options_.server = options_.peer_id = server;
    BeWithSecret(SecretLine('a'));
    EXPECT_FALSE(Resumes()) << server;
    BeWithSecret(SecretLine('a'));
    EXPECT_TRUE(Resumes()) << server;
  }
}

TEST_P(FleetTest, UnderAnotherServerKeyItIsAFullHandshake) {
  BeWithSecret(SecretLine('a'));
  EXPECT_FALSE(Resumes());
  options_.server = "rsa-b";
  BeWithSecret(SecretLine('a'));
  EXPECT_FALSE(Resumes());
  EXPECT_TRUE(Resumes());
}

TEST_P(FleetTest, VirtualServersStayApartOnEveryMachine) {
  const auto be = [this] {
    BeWithSecret(SecretLine('a'), "\nname=a.example\nname=b.example");
  };
  be();
  options_.url = "a.example";
  EXPECT_FALSE(Resumes());
  be();
  EXPECT_TRUE(Resumes());
  // Here a.example has another number, which must not matter.
  BeWithSecret(SecretLine('a'), "\nname=b.example\nname=a.example");
  EXPECT_TRUE(Resumes());
  BeWithSecret(SecretLine('a'),
               "\nname=b.example\nname=a.example ticketEpoch=1");
  EXPECT_FALSE(Resumes());
  EXPECT_TRUE(Resumes());
  be();
  EXPECT_FALSE(Resumes()) << "of another epoch";
}

// ---- periods ----

TEST_P(FleetTest, MachinesRotateInStep) {
  const std::string rotation = "ticketRotation=1h maxResumptionAge=1d";
  BeWithSecret(SecretLine('a'), rotation);
  clock_ = kStart / (60 * kMinute) * (60 * kMinute) + 30 * kMinute;
  EXPECT_FALSE(Resumes());
  for (int hour = 0; hour < 5; ++hour) {
    clock_ += 60 * kMinute;
    BeWithSecret(SecretLine('a'), rotation);
    EXPECT_TRUE(Resumes()) << hour;
  }
}

TEST_P(FleetTest, ATicketOfAnOldPeriodResumesUntilItHasExpired) {
  options_.version = SSL_LIBRARY_VERSION_TLS_1_3;
  BeWithSecret(SecretLine('a'), "ticketRotation=1h");
  EXPECT_FALSE(Resumes());
  clock_ += 2 * kDay - kMinute;
  BeWithSecret(SecretLine('a'), "ticketRotation=1h");
  EXPECT_TRUE(Resumes());
  clock_ += 2 * kDay;
  BeWithSecret(SecretLine('a'), "ticketRotation=1h");
  EXPECT_FALSE(Resumes());
}

TEST_P(FleetTest, ClocksFourMinutesApartResumeAcrossAChangeOfPeriod) {
  const std::string rotation = "ticketRotation=1h";
  const PRTime change = (kStart / (60 * kMinute) + 1) * (60 * kMinute);
  // The machine that is ahead is in the next period already.
  clock_ = change + kMinute;
  BeWithSecret(SecretLine('a'), rotation);
  EXPECT_FALSE(Resumes());
  clock_ -= 4 * kMinute;
  BeWithSecret(SecretLine('a'), rotation);
  EXPECT_TRUE(Resumes());
  clock_ += 4 * kMinute;
  BeWithSecret(SecretLine('a'), rotation);
  EXPECT_TRUE(Resumes());
}

TEST_P(FleetTest, ClocksTenMinutesApartMakeFullHandshakes) {
  const std::string rotation = "ticketRotation=1h";
  clock_ = (kStart / (60 * kMinute) + 1) * (60 * kMinute) + kMinute;
  BeWithSecret(SecretLine('a'), rotation);
  EXPECT_FALSE(Resumes());
  clock_ -= 10 * kMinute;
  BeWithSecret(SecretLine('a'), rotation);
  EXPECT_FALSE(Resumes());
  EXPECT_TRUE(Resumes());
}

// A key's name counts, whatever the tickets say that were made with it.
TEST_P(FleetTest, APeriodsKeyDecryptsInItsTimeOnly) {
  const PRTime start = kStart / kHour * kHour;
  clock_ = start + kMinute;
  BeWithSecret(SecretLine('a'), "ticketRotation=1h");
  const std::string name = Current().substr(0, 16);
  const PRTime last = start + kHour + 2 * kDay;  // of its last ticket
  const struct {
    PRTime time;
    bool decrypts;
  } cases[] = {{start - 10 * kMinute, false},
               {start - 5 * kMinute - 1, false},
               {start - 5 * kMinute, true},
               {start, true},
               {last - 1, true},
               {last, false},
               {last + kDay, false}};
  // In a process that has made the key before, and in others.
  for (const bool knows : {false, true}) {
    for (const auto& one : cases) {
      clock_ = one.time;
      BeWithSecret(SecretLine('a'), "ticketRotation=1h");
      if (knows) {
        clock_ = start + kMinute;
        ASSERT_EQ(name, Current().substr(0, 16));
        clock_ = one.time;
      }
      EXPECT_EQ(one.decrypts, Decrypts(name))
          << (one.time - start) / kSecond << (knows ? " known" : "");
    }
  }
}

// ---- a secret is replaced ----

TEST_P(FleetTest, ThePreviousSecretIsAcceptedUntilItIsTakenOut) {
  BeWithSecret(SecretLine('a'));
  EXPECT_FALSE(Resumes());
  BeWithSecret(SecretLine('b') + SecretLine('a'));
  EXPECT_TRUE(Resumes());
  if (Is13()) {  // the ticket was renewed under the new secret
    BeWithSecret(SecretLine('b'));
    EXPECT_TRUE(Resumes());
  } else {
    BeWithSecret(SecretLine('b'));
    EXPECT_FALSE(Resumes());
  }
}

TEST_P(FleetTest, AReplacedFileIsReadWithoutARestart) {
  BeWithSecret(SecretLine('a'));
  EXPECT_FALSE(Resumes());
  EXPECT_TRUE(Resumes());
  Write("one", SecretLine('b') + SecretLine('a'));
  WaitForLook();
  EXPECT_TRUE(Resumes());
  Write("one", SecretLine('b'));
  WaitForLook();
  EXPECT_EQ(Is13(), Resumes()) << "only a renewed ticket counts";
  EXPECT_TRUE(Resumes());
  Write("one", SecretLine('c'));
  WaitForLook();
  EXPECT_FALSE(Resumes());
}

TEST_P(FleetTest, ABadFileLeavesTheKeysInForce) {
  BeWithSecret(SecretLine('a'));
  EXPECT_FALSE(Resumes());
  Write("one", "nonsense\n");
  WaitForLook();
  ::testing::internal::CaptureStderr();
  EXPECT_TRUE(Resumes());
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(std::string::npos, said.find(Path("one"))) << said;
  EXPECT_EQ(std::string::npos, said.find("nonsense")) << said;
  WaitForLook();
  ::testing::internal::CaptureStderr();
  EXPECT_TRUE(Resumes());
  EXPECT_EQ("", ::testing::internal::GetCapturedStderr()) << "said once";
  Write("one", SecretLine('b'));
  WaitForLook();
  EXPECT_FALSE(Resumes());
}

TEST_P(FleetTest, WithoutTheParameterKeysAreMadeAtRandomAgain) {
  BeWithSecret(SecretLine('a'));
  EXPECT_FALSE(Resumes());
  EXPECT_TRUE(Resumes());
  Write("caches", "name=*\n");
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(1000, 0, 0, nullptr));
  EXPECT_FALSE(Resumes());
  EXPECT_TRUE(Resumes());
  BeWithSecret(SecretLine('a'));
  EXPECT_FALSE(Resumes());
}

TEST_P(FleetTest, WithASecretOldTicketsOfRandomKeysStillResume) {
  BeMachine("name=*");
  EXPECT_FALSE(Resumes());
  Write("one", SecretLine('a'));
  Write("caches", "name=* ticketSecretFile=" + Path("one") + "\n");
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(1000, 0, 0, nullptr));
  EXPECT_TRUE(Resumes());
}

TEST_P(FleetTest, AnOldFileIsWarnedOf) {
  Write("one", SecretLine('a'));
  struct timeval times[2] = {};
  times[0].tv_sec = times[1].tv_sec = time(nullptr) - 9 * 86400;
  ASSERT_EQ(0, utimes(Path("one").c_str(), times));
  ::testing::internal::CaptureStderr();
  BeMachine("name=* ticketSecretFile=" + Path("one"));
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(std::string::npos, said.find("the key file is 9 days old")) << said;
  EXPECT_FALSE(Resumes());
  BeMachine("name=* ticketSecretFile=" + Path("one"));
  EXPECT_TRUE(Resumes()) << "it counts all the same";
}

// ---- key files --------------------------------------------------------------

TEST_P(FleetTest, KeysOfFilesResumeOnEveryMachine) {
  Write("one", Key('1'));
  Write("two", Key('2'));
  BeWithKeys();
  EXPECT_FALSE(Resumes());
  BeWithKeys();
  EXPECT_TRUE(Resumes());
  clock_ += kDay;  // they do not rotate by themselves
  BeWithKeys();
  EXPECT_TRUE(Resumes());
  // The second file's key encrypts nothing, and decrypts.
  BeMachine("name=* ticketKeyFile=" + Path("two") + "," + Path("one"));
  EXPECT_TRUE(Resumes());
  BeMachine("name=* ticketKeyFile=" + Path("two"));
  EXPECT_EQ(Is13(), Resumes());
}

// ---- what a machine refuses -------------------------------------------------

TEST_P(FleetTest, AFlushEndsTheTicketsOfOtherMachinesToo) {
  BeWithSecret(SecretLine('a'));
  EXPECT_FALSE(Resumes());
  BeWithSecret(SecretLine('a'));
  EXPECT_TRUE(Resumes());
  // Flushes are noted by the system's clock, which is years after kStart.
  ASSERT_EQ(SECSuccess, SSL_FlushServerCache(nullptr));
  EXPECT_FALSE(Resumes());
  EXPECT_TRUE(Resumes());
}

TEST_P(FleetTest, ARemovalEndsTheTicketsOfOtherMachinesToo) {
  const std::string hosts = "\nname=a.example";
  options_.url = "a.example";
  BeWithSecret(SecretLine('a'), hosts);
  EXPECT_FALSE(Resumes());
  BeWithSecret(SecretLine('a'), hosts);
  EXPECT_TRUE(Resumes());
  BeWithSecret(SecretLine('a'), hosts);
  ASSERT_EQ(SECSuccess, SSL_RemoveServerCache("a.example"));
  ASSERT_EQ(SECSuccess, SSL_AddServerCache("a.example", nullptr));
  EXPECT_FALSE(Resumes());
}

TEST_P(FleetTest, AClientsCertificateCountsInItsOwnRegionOnly) {
  options_.request_certificate = options_.client_has_certificate = true;
  BeWithSecret(SecretLine('a'));
  EXPECT_FALSE(Resumes());
  EXPECT_TRUE(Resumes());
  BeWithSecret(SecretLine('a'));
  EXPECT_FALSE(Resumes());
}

TEST_P(FleetTest, AClientsCertificateCountsWhereTheCacheSaysSo) {
  options_.request_certificate = options_.client_has_certificate = true;
  BeWithSecret(SecretLine('a'));
  EXPECT_FALSE(Resumes());
  BeWithSecret(SecretLine('a'), "ticketClientAuth=shared");
  EXPECT_TRUE(Resumes());
}

// ---- calls and figures ------------------------------------------------------

TEST_P(FleetTest, FiguresTellWhatBecameOfTickets) {
  const auto figures = [] {
    SSLServerCacheFigures shown = {};
    EXPECT_EQ(SECSuccess,
              SSL_GetServerCacheFigures(nullptr, &shown, sizeof(shown)));
    return shown;
  };
  // In TLS 1.3 a resumption makes another ticket.
  const uint64_t renewed = Is13() ? 1 : 0;
  clock_ = kStart / kDay * kDay + kDay / 2;
  BeWithSecret(SecretLine('a'));
  EXPECT_FALSE(Resumes());
  EXPECT_EQ(1u, figures().ticketsMade);
  EXPECT_TRUE(Resumes());
  EXPECT_EQ(1 + renewed, figures().ticketsMade);
  EXPECT_EQ(1u, figures().ticketsCurrent);
  clock_ += kDay;
  EXPECT_TRUE(Resumes());
  EXPECT_EQ(1u, figures().ticketsCurrent);
  EXPECT_EQ(1u, figures().ticketsOlder);
  BeWithSecret(SecretLine('a'));
  clock_ -= 10 * kMinute;
  EXPECT_EQ(!Is13(), Resumes());
  EXPECT_EQ(renewed, figures().ticketsFuture);
  clock_ += 10 * kMinute;
  BeWithSecret(SecretLine('b'));
  EXPECT_FALSE(Resumes());
  EXPECT_EQ(1u, figures().ticketsUnknown);
  EXPECT_EQ(1u, figures().ticketsMade);
  ASSERT_EQ(SECSuccess, SSL_FlushServerCache(nullptr));
  EXPECT_FALSE(Resumes());
  EXPECT_EQ(1u, figures().ticketsFlushed);
  clock_ += 2 * kDay;
  EXPECT_FALSE(Resumes());
  // Before TLS 1.3 the session is too old by then as well.
  EXPECT_EQ(1u, figures().ticketsExpired + figures().ticketsTooOld);
}

// What the list of ticket keys tells.
struct Listed {
  std::vector<SSLServerTicketKey> keys;
  unsigned Count(PRUint32 source) const {
    unsigned count = 0;
    for (const SSLServerTicketKey& key : keys) count += key.source == source;
    return count;
  }
  // The one that encrypts.
  const SSLServerTicketKey* Current() const {
    for (const SSLServerTicketKey& key : keys)
      if (key.encrypts) return &key;
    return nullptr;
  }
};
Listed List() {
  Listed listed;
  const auto visit = [](void* out, const SSLServerTicketKey* key) {
    static_cast<Listed*>(out)->keys.push_back(*key);
    return SECSuccess;
  };
  EXPECT_EQ(SECSuccess, SSL_ListServerTicketKeys(visit, &listed));
  return listed;
}

TEST_P(FleetTest, RandomKeysRotateWhenTheyAreTold) {
  clock_ = PR_Now();
  BeMachine("name=*");
  EXPECT_FALSE(Resumes());
  const Listed before = List();
  ASSERT_TRUE(before.Current());
  EXPECT_EQ(2u, before.keys.size()) << "one and its successor";
  EXPECT_EQ(1u, before.Current()->ticketsMade);
  ASSERT_EQ(SECSuccess, SSL_RotateServerTicketKeys());
  clock_ = PR_Now();
  const Listed after = List();
  ASSERT_TRUE(after.Current());
  EXPECT_EQ(3u, after.Count(ssl_ticket_key_random));
  EXPECT_STRNE(before.Current()->name, after.Current()->name);
  EXPECT_TRUE(Resumes()) << "under the key before";
  EXPECT_FALSE((options_.peer_id = "other", Resumes()));
  EXPECT_LE(1u, List().Current()->ticketsMade);
  SSLServerCacheFigures shown = {};
  EXPECT_EQ(SECSuccess,
            SSL_GetServerCacheFigures(nullptr, &shown, sizeof(shown)));
  EXPECT_EQ(1u, shown.ticketsOlder);
  BeWithSecret(SecretLine('a'));
  EXPECT_EQ(SECFailure, SSL_RotateServerTicketKeys());
  EXPECT_EQ(PR_INVALID_STATE_ERROR, PR_GetError());
}

TEST_P(FleetTest, TheListTellsASecretAndItsPeriods) {
  clock_ = PR_Now();
  BeWithSecret(SecretLine('b') + SecretLine('a'));
  EXPECT_FALSE(Resumes());
  EXPECT_TRUE(Resumes());
  const Listed listed = List();
  EXPECT_EQ(2u, listed.Count(ssl_ticket_key_secret));
  EXPECT_EQ(1u, listed.Count(ssl_ticket_key_period));
  EXPECT_EQ(3u, listed.keys.size());
  ASSERT_TRUE(listed.Current());
  EXPECT_EQ(PRUint32(ssl_ticket_key_period), listed.Current()->source);
  EXPECT_EQ(86400 * kSecond,
            listed.Current()->encryptUntil - listed.Current()->encryptFrom);
  uint64_t accepted = 0;
  for (const SSLServerTicketKey& key : listed.keys)
    accepted += key.ticketsAccepted;
  EXPECT_EQ(1u, accepted);
}

TEST_P(FleetTest, AnApplicationSetsKeys) {
  const std::string one = Key('1'), two = Key('2');
  SECItem items[2];
  for (int i = 0; i < 2; ++i) {
    const std::string& key = i ? two : one;
    items[i] = {siBuffer, (unsigned char*)key.data(), (unsigned)key.size()};
  }
  BeMachine("name=*");
  ASSERT_EQ(SECSuccess, SSL_SetServerTicketKeys(ssl_ticket_key_file, items, 2));
  EXPECT_FALSE(Resumes());
  Write("one", one);
  BeWithKeys();
  EXPECT_TRUE(Resumes()) << "a file with the same key";
  ASSERT_EQ(SECSuccess,
            SSL_SetServerTicketKeys(ssl_ticket_key_secret, &items[1], 1));
  EXPECT_FALSE(Resumes());
  EXPECT_TRUE(Resumes());
  ASSERT_EQ(SECSuccess,
            SSL_SetServerTicketKeys(ssl_ticket_key_random, nullptr, 0));
  EXPECT_FALSE(Resumes());
  EXPECT_TRUE(Resumes());
  // What is wrong changes nothing.
  items[1] = items[0];
  EXPECT_EQ(SECFailure, SSL_SetServerTicketKeys(ssl_ticket_key_file, items, 2));
  EXPECT_EQ(SEC_ERROR_BAD_DATA, PR_GetError());
  std::string text(PR_GetErrorTextLength() + 1, 0);
  PR_GetErrorText(&text[0]);
  EXPECT_EQ(0u, text.find("ticket key 2: ")) << text;
  EXPECT_EQ(SECFailure,
            SSL_SetServerTicketKeys(ssl_ticket_key_period, items, 1));
  EXPECT_EQ(SEC_ERROR_INVALID_ARGS, PR_GetError());
  EXPECT_EQ(SECFailure, SSL_SetServerTicketKeys(ssl_ticket_key_file, items, 0));
  EXPECT_TRUE(Resumes());
}

TEST_P(FleetTest, FilesAreReadAgainWhenTold) {
  BeMachine("name=*");
  EXPECT_EQ(SECFailure, SSL_ReloadServerTicketKeys());
  EXPECT_EQ(PR_INVALID_STATE_ERROR, PR_GetError());
  BeWithSecret(SecretLine('a'));
  EXPECT_FALSE(Resumes());
  Write("one", SecretLine('b'));
  ASSERT_EQ(SECSuccess, SSL_ReloadServerTicketKeys());
  EXPECT_FALSE(Resumes());
  Write("one", "nonsense");
  EXPECT_EQ(SECFailure, SSL_ReloadServerTicketKeys());
  EXPECT_EQ(SEC_ERROR_BAD_DATA, PR_GetError());
  std::string text(PR_GetErrorTextLength() + 1, 0);
  PR_GetErrorText(&text[0]);
  EXPECT_NE(std::string::npos, text.find(Path("one") + ":1: ")) << text;
  EXPECT_TRUE(Resumes());
}

// ---- processes of one machine -----------------------------------------------

// A process that cannot read the files has their keys from the region.
TEST_P(FleetTest, AProcessThatMayNotReadTheFileHasItsKeys) {
  BeWithSecret(SecretLine('a'));
  const std::string keys = Current();
  const pid_t child = fork();
  if (child == 0) {
    unlink(Path("one").c_str());
    ShimResetTicketKeys();
    snce_test::LeaveChild(Current() == keys ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(child, waitpid(child, &status, 0));
  EXPECT_EQ(0, status);
}

// One process reads the new file; the others learn of it from the region.
TEST_P(FleetTest, AReplacedFileCountsInAllProcesses) {
  BeWithSecret(SecretLine('a'));
  const std::string before = Current();
  int go[2], done[2];
  ASSERT_EQ(0, pipe(go));
  ASSERT_EQ(0, pipe(done));
  const pid_t child = fork();
  if (child == 0) {
    char c;
    const bool ok = Current() == before && write(done[1], "x", 1) == 1 &&
                    read(go[0], &c, 1) == 1;
    const std::string after = Current();
    snce_test::LeaveChild(ok && after != before &&
                                  write(done[1], after.data(), after.size()) ==
                                      ssize_t(after.size())
                              ? 0
                              : 1);
  }
  char c;
  ASSERT_EQ(1, read(done[0], &c, 1));
  Write("one", SecretLine('b') + SecretLine('a'));
  WaitForLook();
  const std::string after = Current();
  EXPECT_NE(before, after);
  ASSERT_EQ(1, write(go[1], "x", 1));
  std::string theirs(after.size(), '\0');
  EXPECT_EQ(ssize_t(after.size()), read(done[0], &theirs[0], theirs.size()));
  EXPECT_EQ(after, theirs);
  int status = -1;
  ASSERT_EQ(child, waitpid(child, &status, 0));
  EXPECT_EQ(0, status);
  for (int fd : {go[0], go[1], done[0], done[1]}) close(fd);
}

// A process reads the new file, and can store only the first of its two
// secrets. The others stay with the set before, until the second one is there.
TEST_P(FleetTest, ASetThatIsNotWholeDoesNotCount) {
  // What a process has that has nothing but the region.
  const auto of_region = [this] {
    int out[2];
    std::string keys(kTicketBytes, '\0');
    EXPECT_EQ(0, pipe(out));
    EXPECT_EQ(0, InFork([&] {
                ShimResetTicketKeys();
                setenv(SSL_SERVER_CACHE_CONFIG, "/nowhere", 1);
                unlink(Path("one").c_str());
                const std::string mine = Current();
                return write(out[1], mine.data(), mine.size()) ==
                               ssize_t(kTicketBytes)
                           ? 0
                           : 1;
              }));
    EXPECT_EQ(ssize_t(kTicketBytes), read(out[0], &keys[0], keys.size()));
    close(out[0]);
    close(out[1]);
    return keys;
  };
  for (const bool heals : {false, true}) {
    BeWithSecret(SecretLine('a'));
    const std::string before = Current();
    std::string after;
    ASSERT_EQ(0, InFork([&] {
                Write("one", SecretLine('b') + SecretLine('a'));
                ShimAdvanceClock(0);
                ShimFailWrapsAfter(1);
                STAGE_CHECK(SSL_ConfigServerSessionIDCache(
                                1000, 0, 0, nullptr) == SECSuccess);
                STAGE_CHECK(Current() != before);
                STAGE_CHECK(Current() != before);
                ShimFailWraps(0);
                STAGE_CHECK(Current() != before);
                if (heals) ShimAdvanceClock(1);
                STAGE_CHECK(Current() != before);
                return 0;
              }));
    if (heals) {
      EXPECT_NE(before, of_region());
    } else {
      EXPECT_EQ(before, of_region());
    }
  }
}

// A worker that was started by exec: it inherits, and reads the file, before it
// has NSS, and makes its first handshake when it is told to. Arguments: the
// descriptors of two pipes.
STAGE(HandshakeLate) {
  STAGE_CHECK(SSL_InheritMPServerSIDCache(nullptr) == SECSuccess);
  char c;
  const PRTime clock = kStart;
  STAGE_CHECK(write(std::stoi(args[1]), "x", 1) == 1);
  STAGE_CHECK(read(std::stoi(args[0]), &c, 1) == 1);
  StartNss();
  const std::string keys = KeysOf({"rsa"}, &clock);
  STAGE_CHECK(write(std::stoi(args[1]), keys.data(), keys.size()) ==
              ssize_t(kTicketBytes));
  return 0;
}

// What it read before its first handshake must not take the place of what
// others have read since.
TEST_P(FleetTest, AWorkerThatStartsLateBringsNoOldKeysBack) {
  Write("one", SecretLine('a'));
  Write("caches", "name=* ticketSecretFile=" + Path("one") + "\n");
  ASSERT_EQ(SECSuccess, SSL_ConfigMPServerSIDCache(1000, 0, 0, nullptr));
  const std::string before = Current();
  int go[2], done[2];
  ASSERT_EQ(0, pipe(go));
  ASSERT_EQ(0, pipe(done));
  const pid_t child =
      Spawn("HandshakeLate", {std::to_string(go[0]), std::to_string(done[1])});
  ASSERT_GT(child, 0);
  char c;
  ASSERT_EQ(1, read(done[0], &c, 1));
  Write("one", SecretLine('b'));
  WaitForLook();
  const std::string after = Current();
  ASSERT_NE(before, after);
  // The worker cannot read it by now, as if it had dropped its privileges.
  Write("one", "nonsense");
  ASSERT_EQ(1, write(go[1], "x", 1));
  std::string theirs(kTicketBytes, '\0');
  EXPECT_EQ(ssize_t(kTicketBytes), read(done[0], &theirs[0], theirs.size()));
  EXPECT_EQ(after, theirs);
  EXPECT_EQ(after, Current());
  EXPECT_FALSE(Decrypts(before.substr(0, 16)));
  EXPECT_EQ(0, WaitForChild(child));
  for (int fd : {go[0], go[1], done[0], done[1]}) close(fd);
}

}  // namespace
}  // namespace nss_test
