/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// log_test.cc: the messages of the cache to the operator, on stderr and to
// syslog. They come once for each version of the configuration file, contain no
// secret, and do not block the server.

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <functional>
#include <thread>
#include <vector>

#include "config_file.h"
#include "sncetestshim.h"

namespace nss_test {
namespace {

constexpr char kFaulty[] = "name=a.example entris=5\n";
constexpr char kFault[] =
    ":1:16: unknown parameter \"entris\" (did you mean \"entries\"?); cache "
    "\"a.example\" is closed: full handshakes only, until the line is mended";

bool WriteTo(const char* path, const std::string& text) {
  std::ofstream out(path);
  out << text;
  out.close();
  return !out.fail();
}

// Gives this process an empty /dev of its own. Returns false if it may not.
bool OwnDev() {
  const std::string uid = std::to_string(geteuid()),
                    gid = std::to_string(getegid());
  if (geteuid() == 0) {
    if (unshare(CLONE_NEWNS) != 0) return false;
  } else if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0 ||
             !WriteTo("/proc/self/setgroups", "deny") ||
             !WriteTo("/proc/self/uid_map", "0 " + uid + " 1") ||
             !WriteTo("/proc/self/gid_map", "0 " + gid + " 1")) {
    return false;
  }
  return mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         mount("none", "/dev", "tmpfs", 0, nullptr) == 0;
}

// Makes the socket of a syslog daemon. Returns -1 if that fails.
int ListenToSyslog() {
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  struct sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  strcpy(address.sun_path, "/dev/log");
  if (bind(fd, reinterpret_cast<struct sockaddr*>(&address), sizeof(address))) {
    close(fd);
    return -1;
  }
  return fd;
}

// Returns the next message, or "" if there is none.
std::string Receive(int fd) {
  char text[4096];
  const ssize_t len = recv(fd, text, sizeof(text), 0);
  return len > 0 ? std::string(text, size_t(len)) : std::string();
}

std::vector<int> Descriptors() {
  std::vector<int> open;
  for (int fd = 0; fd < 256; ++fd)
    if (fcntl(fd, F_GETFD) >= 0) open.push_back(fd);
  return open;
}

class LogTest : public ConfigFileTest {
 protected:
  // Runs |body| in a child with a /dev of its own.
  void InOwnDev(const std::function<int()>& body) {
    const int status = InFork([&] { return OwnDev() ? body() : 77; });
    if (status == 77) GTEST_SKIP() << "no mount namespace here";
    EXPECT_EQ(0, status);
  }
};

TEST_F(LogTest, AMessageIsADatagramOfDaemonAndErrorWithNameAndProcess) {
  Write(kFaulty);
  InOwnDev([&] {
    const int log = ListenToSyslog();
    STAGE_CHECK(log >= 0);
    const std::vector<int> before = Descriptors();
    std::string said;
    STAGE_CHECK(Configure(&said) == SECSuccess);
    const std::string text = "cache file " + path_ + kFault;
    STAGE_CHECK(said == text + "\n");
    const std::string got = Receive(log);
    const std::string expected = std::string("<27>") +
                                 program_invocation_short_name + "[" +
                                 std::to_string(getpid()) + "]: " + text;
    if (got != expected) fprintf(stderr, "got %s\n", got.c_str());
    STAGE_CHECK(got == expected);
    STAGE_CHECK(Receive(log).empty());
    // Only the cache's descriptor is new.
    std::vector<int> after = Descriptors();
    STAGE_CHECK(after.size() == before.size() + 1);
    return 0;
  });
}

TEST_F(LogTest, TheApplicationsOwnSyslogIsLeftAsItIs) {
  Write(kFaulty);
  InOwnDev([&] {
    const int log = ListenToSyslog();
    STAGE_CHECK(log >= 0);
    openlog("application", LOG_NDELAY, LOG_MAIL);
    STAGE_CHECK(Configure() == SECSuccess);
    STAGE_CHECK(Receive(log).find("<27>") == 0);
    syslog(LOG_INFO, "its own");
    const std::string got = Receive(log);
    STAGE_CHECK(got.find("<22>") == 0);
    STAGE_CHECK(got.find("application: its own") != std::string::npos);
    closelog();
    return 0;
  });
}

// No process reads from the syslog socket and from stderr.
TEST_F(LogTest, WhatNobodyReadsIsNotWaitedFor) {
  Write(kFaulty);
  InOwnDev([&] {
    const int log = ListenToSyslog();
    STAGE_CHECK(log >= 0);
    const int writer = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    struct sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    strcpy(address.sun_path, "/dev/log");
    while (sendto(writer, "x", 1, 0, reinterpret_cast<sockaddr*>(&address),
                  sizeof(address)) == 1) {
    }
    int pipe_ends[2];
    STAGE_CHECK(pipe2(pipe_ends, O_NONBLOCK) == 0);
    while (write(pipe_ends[1], "x", 1) == 1) {
    }
    STAGE_CHECK(fcntl(pipe_ends[1], F_SETFL, 0) == 0);
    const int saved = dup(2);
    dup2(pipe_ends[1], 2);
    alarm(20);  // ends the child if it waits
    const SECStatus rv = SSL_ConfigServerSessionIDCache(0, 0, 0, nullptr);
    dup2(saved, 2);
    STAGE_CHECK(rv == SECSuccess);
    STAGE_CHECK(IsClosed("a.example"));
    return 0;
  });
}

// Runs |says|, which writes a message and has to wait for room on stderr, in a
// thread, and meanwhile |body|, which must not wait. Called in a child. Returns
// |body|'s status.
int WhileOneWaits(const std::function<void()>& says,
                  const std::function<int()>& body) {
  int pipe_ends[2];
  STAGE_CHECK(pipe(pipe_ends) == 0);
  const int saved = dup(2);
  dup2(pipe_ends[1], 2);
  ShimFillStderr();
  alarm(20);  // ends the child if it waits
  std::thread waits(says);
  while (!ShimHasFilledStderr()) std::this_thread::yield();
  const int status = body();
  char bytes[65536];
  STAGE_CHECK(read(pipe_ends[0], bytes, sizeof(bytes)) > 0);
  waits.join();
  dup2(saved, 2);
  return status;
}

TEST_F(LogTest, AMessageThatWaitsKeepsNoOtherThreadFromTheCaches) {
  Write(kFaulty);
  EXPECT_EQ(
      0, InFork([] {
        return WhileOneWaits(
            [] { SSL_ConfigServerSessionIDCache(10, 0, 0, nullptr); },
            [] {
              STAGE_CHECK(SSL_AddServerCache("b.example", nullptr) ==
                          SECSuccess);
              STAGE_CHECK(SSL_ConfigServerSessionIDCache(10, 0, 0, nullptr) ==
                          SECSuccess);
              STAGE_CHECK(SSL_ShutdownServerSessionIDCache() == SECSuccess);
              return 0;
            });
      }));
}

STAGE(InheritLockedWithoutRoomToSaySo) {
  STAGE_CHECK(MayLockLittle());
  unsetenv(SSL_SERVER_CACHE_CONFIG);
  return WhileOneWaits([] { SSL_InheritMPServerSIDCache(nullptr); },
                       [] {
                         STAGE_CHECK(SSL_ConfigServerSessionIDCache(
                                         10, 0, 0, nullptr) == SECSuccess);
                         return 0;
                       });
}

TEST_F(LogTest, NorDoesOneOfInherit) {
  if (!ShareLockedCache()) {
    GTEST_SKIP() << "this process may not lock enough memory";
  }
  EXPECT_EQ(0, InExec("InheritLockedWithoutRoomToSaySo", {}));
}

TEST_F(LogTest, AStderrThatWasClosedKillsNobody) {
  Write(kFaulty);
  InOwnDev([&] {  // no syslog either
    int pipe_ends[2];
    STAGE_CHECK(pipe(pipe_ends) == 0);
    close(pipe_ends[0]);
    signal(SIGPIPE, SIG_DFL);
    const int saved = dup(2);
    dup2(pipe_ends[1], 2);
    SECStatus rv = SSL_ConfigServerSessionIDCache(0, 0, 0, nullptr);
    close(2);
    Write("name=b.example entris=5\n");
    if (rv == SECSuccess) rv = SSL_ConfigServerSessionIDCache(0, 0, 0, nullptr);
    dup2(saved, 2);
    STAGE_CHECK(rv == SECSuccess);
    sigset_t pending;
    STAGE_CHECK(sigpending(&pending) == 0 && !sigismember(&pending, SIGPIPE));
    sigset_t mask;
    STAGE_CHECK(pthread_sigmask(SIG_BLOCK, nullptr, &mask) == 0 &&
                !sigismember(&mask, SIGPIPE));
    return 0;
  });
}

TEST_F(LogTest, AMessageIsSaidOnceForEachVersionOfTheFile) {
  const std::string message = "cache file " + path_ + kFault + "\n";
  EXPECT_EQ(message, ConfigureBy(kFaulty));
  std::string said;
  EXPECT_EQ(SECSuccess, Configure(&said));
  EXPECT_EQ("", said);
  SSL_ShutdownServerSessionIDCache();
  EXPECT_EQ(SECSuccess, Configure(&said));
  EXPECT_EQ("", said);
  // A child does not repeat its parent's messages.
  EXPECT_EQ(0, InFork([&] {
              STAGE_CHECK(Configure(&said) == SECSuccess);
              STAGE_CHECK(said.empty());
              return 0;
            }));
  // The same text in another file is another version, and so is a missing file.
  EXPECT_EQ(message, ConfigureBy(kFaulty));
  const std::string kept = path_ + ".kept";
  ASSERT_EQ(0, rename(path_.c_str(), kept.c_str()));
  const std::string missing =
      Message("", "no such file; the application's values count");
  EXPECT_EQ(SECSuccess, Configure(&said));
  EXPECT_EQ(missing, said);
  EXPECT_EQ(SECSuccess, Configure(&said));
  EXPECT_EQ("", said);
  ASSERT_EQ(0, rename(kept.c_str(), path_.c_str()));
  EXPECT_EQ(SECSuccess, Configure(&said));
  EXPECT_EQ(message, said);
}

TEST_F(LogTest, WhatIsNewInTheSameVersionIsSaid) {
  ConfigureBy(kFaulty);
  setenv(SSL_SERVER_CACHE_CONFIG_STRICT, "1", 1);
  for (bool first : {true, false}) {
    std::string said;
    EXPECT_EQ(SECFailure, Configure(&said));
    EXPECT_NE("", text_);
    EXPECT_EQ(first ? text_ + "\n" : "", said);
  }
}

TEST_F(LogTest, TwentyMessagesAreSaidAndTheOthersCounted) {
  std::string text, expected;
  for (int i = 1; i <= 25; ++i) {
    text += "entries=1\n";
    if (i <= 20) {
      expected += Message(":" + std::to_string(i) + ":1",
                          "no name, expected name=HOST or name=*; line "
                          "ignored");
    }
  }
  EXPECT_EQ(expected + Message("", "5 more messages"), ConfigureBy(text));
}

TEST_F(LogTest, WhatEndsTheCallOrClosesAllIsSaidWhateverElseThereIs) {
  ConfigureBy("name=a.example\n");
  std::string text;
  for (int i = 1; i <= 25; ++i) text += "entries=1\n";
  const std::string said = ConfigureBy(text + "name=* lock=yes\n");
  EXPECT_NE(
      std::string::npos,
      said.find(Message(":26:13",
                        "too late to lock the cache in memory: it is there "
                        "already; all caches are closed")))
      << said;
  EXPECT_NE(std::string::npos, said.find(Message("", "6 more messages")));
}

// A path may contain any character, but a message is always one line.
TEST_F(LogTest, APathDoesNotEndAMessage) {
  const std::string path = path_ + "\n<0>kernel: \x1b[2Jon fire";
  setenv(SSL_SERVER_CACHE_CONFIG, path.c_str(), 1);
  std::string said;
  EXPECT_EQ(SECSuccess, Configure(&said));
  EXPECT_EQ("cache file " + path_ +
                "?<0>kernel: ?[2Jon fire: no such file; the application's "
                "values count\n",
            said);
}

TEST_F(LogTest, WhatAFileHasInItDoesNotGetIntoTheTerminalAsItIs) {
  const std::string said = ConfigureBy(
      "name=a.example entries=\x1b[2J\xff\n"
      "name=" +
      std::string(300, 'y') + ".example\n" + "\x1b]0;x\x07=5\n");
  for (char c : said) {
    EXPECT_TRUE(c == '\n' || (c >= ' ' && c < 0x7f)) << int(c);
  }
  EXPECT_NE(std::string::npos, said.find("entries=\"?[2J?\"")) << said;
  EXPECT_EQ(std::string::npos, said.find(std::string(64, 'y')));
}

// The path is by mistake that of a private key, or of a file of passwords.
TEST_F(LogTest, AWrongFileIsNotQuoted) {
  const std::string secrets[] = {
      "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7",
      "internal:correct horse battery staple", "hunter2",
      "aGVsbG8gd29ybGQ+/w=="};
  std::string text = "-----BEGIN PRIVATE KEY-----\n";
  for (const std::string& secret : secrets) text += secret + "\n";
  const std::string said = ConfigureBy(text + "-----END PRIVATE KEY-----\n");
  EXPECT_NE(std::string::npos, said.find(":2:1: expected parameter=value; line "
                                         "ignored\n"))
      << said;
  for (const std::string& secret : secrets) {
    for (size_t at = 0; at + 6 <= secret.size(); ++at) {
      EXPECT_EQ(std::string::npos, said.find(secret.substr(at, 6))) << said;
    }
  }
}

}  // namespace
}  // namespace nss_test
