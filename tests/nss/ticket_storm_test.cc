/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// ticket_storm_test.cc: four processes rotate ticket keys, and replace the set
// that their files give, while one of them is killed every 20 ms. The clock of
// their sockets goes forward by a rotation every 50 ms. A key that any of them
// has encrypted with must decrypt in all others, until its tickets have
// expired.

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <new>
#include <random>
#include <set>
#include <string>

#include "key_files.h"
#include "pk11pub.h"
#include "ssl.h"
#include "sslsnce/sslsnce.h"
#include "test_build.h"
#include "test_tickets.h"

namespace nss_test {
namespace {

using Steady = std::chrono::steady_clock;

constexpr PRTime kHour = 3600 * kSecond;
constexpr int kWorkers = 4;
constexpr unsigned kUses = 1 << 18;
// A key encrypts for an hour. The last ticket made with it is valid for two
// days then.
constexpr PRTime kValid = 48 * kHour;

// That a key was used: its name, and when.
struct Use {
  std::atomic<PRTime> time;  // 0: not written yet
  uint8_t name[16];
};

// What the processes share.
struct Shared {
  std::atomic<PRTime> clock{kStart};
  std::atomic<unsigned> uses{0};
  std::atomic<unsigned> checks{0};
  std::atomic<unsigned> sets{0};
  std::atomic<unsigned> without{0};  // calls that got no key
  std::atomic<unsigned> lost{0};     // keys that did not decrypt
  std::atomic<PRTime> lostAge{0};    // of one of them
  Use use[kUses];
};

class TicketStorm : public NssTest {
 protected:
  void SetUp() override {
    NssTest::SetUp();
    void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(MAP_FAILED, memory);
    shared_ = new (memory) Shared;
    ASSERT_TRUE(files_.Write("lock", ""));
  }
  void TearDown() override {
    munmap(shared_, sizeof(Shared));
    EXPECT_TRUE(files_.Configure(""));
    ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(1000, 0, 0, nullptr));
    NssTest::TearDown();
  }
  static double Seconds() {
    const char* given = getenv("SNCE_STORM_SECONDS");
    return given ? atof(given) : 3;
  }

  // Four secrets, in the order that begins with number |first|: each one stays
  // valid.
  static std::string SecretsFrom(unsigned first) {
    std::string text;
    for (unsigned i = 0; i < 4; ++i)
      text += SecretLine("abcd"[(first + i) % 4]);
    return text;
  }

  // What a worker does until it is killed.
  [[noreturn]] void Work(unsigned seed, bool replaces) {
    std::mt19937 random(seed);
    // NSS's random numbers go on after a fork where they were: without this,
    // all workers would make the same keys. NSS takes the seed up when the
    // random bytes that it has are used up, of which long requests take none.
    PK11_RandomUpdate(&seed, sizeof(seed));
    for (int i = 0; i < 1000; ++i) {
      uint8_t used_up[8];
      PK11_GenerateRandom(used_up, sizeof(used_up));
    }
    PRTime clock = kStart;
    LoneSocket server(true, &clock);
    const int lock = open(files_.Path("lock").c_str(), O_RDWR | O_CLOEXEC);
    if (!AddCertificates(server.fd(), {"ecdsa"}) || lock < 0) _exit(1);
    for (;;) {
      clock = shared_->clock;
      if (replaces && random() % 8 == 0 &&
          flock(lock, LOCK_EX | LOCK_NB) == 0) {
        if (files_.Write("one", SecretsFrom(shared_->sets)) &&
            ShimReloadKeyFiles() == SECSuccess)
          ++shared_->sets;
        flock(lock, LOCK_UN);
      }
      PRUint8 keys[kTicketBytes];
      if (ShimTicketKeys(server.fd(), keys) == SECSuccess) {
        const unsigned i = shared_->uses++;
        if (i >= kUses) _exit(2);
        memcpy(shared_->use[i].name, keys, 16);
        // Release: pairs with the acquire load in Check.
        shared_->use[i].time.store(clock, std::memory_order_release);
      } else {
        ++shared_->without;
      }
      for (int i = 0; i < 4; ++i) Check(server.fd(), &clock, random());
      usleep(random() % 2000);
    }
  }
  // Looks whether one of the keys that were used of late decrypts.
  void Check(PRFileDesc* server, PRTime* clock, unsigned number) {
    const unsigned uses = shared_->uses;
    if (uses == 0) return;
    const Use& use = shared_->use[uses - 1 - number % std::min(uses, 2000u)];
    const PRTime time = use.time.load(std::memory_order_acquire);
    // The clock is read after the use, so it is never behind it.
    *clock = shared_->clock;
    if (time == 0 || *clock - time >= kValid) return;
    ++shared_->checks;
    if (!ShimDecryptsTickets(server, use.name)) {
      shared_->lostAge = *clock - time + 1;
      ++shared_->lost;
    }
  }
  pid_t Start(unsigned seed, bool replaces) {
    const pid_t pid = fork();
    if (pid == 0) Work(seed, replaces);
    return pid;
  }
  void Rage(bool replaces) {
    ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(1000, 0, 0, nullptr));
    pid_t workers[kWorkers];
    unsigned seed = 1, deaths = 0;
    for (pid_t& pid : workers) pid = Start(seed++, replaces);
    const auto begin = Steady::now();
    const auto end =
        begin + std::chrono::milliseconds(static_cast<int>(Seconds() * 1000));
    while (Steady::now() < end) {
      usleep(20000);
      pid_t& victim = workers[seed % kWorkers];
      kill(victim, SIGKILL);
      int status = 0;
      ASSERT_EQ(victim, waitpid(victim, &status, 0));
      // It ended because it was killed, and not before.
      EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
      ++deaths;
      victim = Start(seed++, replaces);
      const auto past = std::chrono::duration_cast<std::chrono::milliseconds>(
          Steady::now() - begin);
      shared_->clock = kStart + past.count() / 50 * kHour;
    }
    for (pid_t pid : workers) {
      kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
    }
    // A process that was not there, all keys that were used of late.
    PRTime clock = shared_->clock;
    LoneSocket server(true, &clock);
    ASSERT_TRUE(AddCertificates(server.fd(), {"ecdsa"}));
    std::set<std::string> names;
    for (unsigned i = 0; i < std::min<unsigned>(shared_->uses, kUses); ++i) {
      const Use& use = shared_->use[i];
      if (use.time == 0) continue;
      const std::string name(reinterpret_cast<const char*>(use.name), 16);
      if (names.insert(name).second && clock - use.time < kValid) {
        EXPECT_TRUE(ShimDecryptsTickets(server.fd(), use.name))
            << (clock - use.time) / kHour << " hours old";
      }
    }
    EXPECT_EQ(0u, shared_->lost)
        << "one was used " << shared_->lostAge / kHour << " hours ago";
    EXPECT_EQ(0u, shared_->without);
    // There was a storm.
    EXPECT_LT(Seconds() * 4, deaths);
    EXPECT_LT(Seconds() * 4, names.size());
    EXPECT_LT(Seconds() * 100, shared_->checks);
    EXPECT_LE(replaces ? Seconds() * 2 : 0, shared_->sets);
    printf("deaths %u, uses %u, keys %zu, checks %u, sets %u\n", deaths,
           unsigned(shared_->uses), names.size(), unsigned(shared_->checks),
           unsigned(shared_->sets));
  }

  KeyFiles files_;
  Shared* shared_ = nullptr;
};

TEST_F(TicketStorm, NoKeyMadeAtRandomIsLost) {
  ASSERT_TRUE(files_.Configure("ticketRotation=1h"));
  Rage(false);
}

TEST_F(TicketStorm, NoKeyOfASecretIsLostWhileSetsAreReplaced) {
  ASSERT_TRUE(files_.Write("one", SecretsFrom(0)));
  ASSERT_TRUE(files_.Configure("ticketRotation=1h ticketSecretFile=" +
                               files_.Path("one")));
  Rage(true);
}

}  // namespace
}  // namespace nss_test
