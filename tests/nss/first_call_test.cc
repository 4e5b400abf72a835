/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// first_call_test.cc: the first calls of a process, by many threads at once,
// before NSPR is initialized.

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "prerror.h"
#include "prinit.h"
#include "secerr.h"
#include "sslerr.h"
#include "sslexp.h"
#include "sslsnce/sslsnce.h"
#include "test_build.h"
#include "test_nss.h"

namespace nss_test {
namespace {

constexpr int kThreads = 16;
constexpr int kProcesses = 100;

bool Fails(SECStatus rv, PRErrorCode code) {
  return rv == SECFailure && PR_GetError() == code;
}

SECStatus Visit(void*, const char*, const SSLServerCacheParams*) {
  return SECSuccess;
}

bool IsNone(SECStatus rv) {
  return Fails(rv, SSL_ERROR_SERVER_CACHE_NOT_CONFIGURED);
}

// Each of these may be a process's first call. It returns true if the call had
// the outcome that sslsnce.h says.
using Call = bool (*)();
const Call kConfig = [] {
  return SSL_ConfigServerSessionIDCache(100, 0, 0, nullptr) == SECSuccess;
};
const Call kCalls[] = {
    kConfig,
    [] {
      return SSL_ConfigServerSessionIDCacheWithOpt(0, 0, nullptr, 100, 0, 0,
                                                   PR_FALSE) == SECSuccess;
    },
    [] {
      return Fails(SSL_ConfigServerSessionIDCache(-1, 0, 0, nullptr),
                   SEC_ERROR_INVALID_ARGS);
    },
    [] {
      return Fails(SSL_InheritMPServerSIDCache("nonsense"),
                   SEC_ERROR_INVALID_ARGS);
    },
    [] {
      return Fails(SSL_SetMaxServerCacheLocks(0), SEC_ERROR_INVALID_ARGS) &&
             SSL_GetMaxServerCacheLocks() >= 3;
    },
    [] {
      return Fails(SSL_SetSessionTicketKeyPair(nullptr, nullptr),
                   SEC_ERROR_INVALID_ARGS);
    },
    [] {
      return Fails(SSL_AddServerCache(nullptr, nullptr),
                   SEC_ERROR_INVALID_ARGS);
    },
    [] {
      return Fails(SSL_RemoveServerCache(nullptr), SEC_ERROR_INVALID_ARGS);
    },
    [] {
      return Fails(SSL_BindServerCache(nullptr, nullptr),
                   PR_BAD_DESCRIPTOR_ERROR);
    },
    [] {
      return Fails(SSL_ListServerCaches(nullptr, nullptr),
                   SEC_ERROR_INVALID_ARGS);
    },
    [] {
      return Fails(SSL_GetServerCacheFigures(nullptr, nullptr, 0),
                   SEC_ERROR_INVALID_ARGS);
    },
};
// These calls need a process without a cache.
const Call kCallsWithoutCache[] = {
    [] { return IsNone(SSL_InheritMPServerSIDCache(nullptr)); },
    [] { return IsNone(SSL_ChangeServerCache(nullptr, nullptr)); },
    [] { return IsNone(SSL_FlushServerCache(nullptr)); },
    [] { return IsNone(SSL_RemoveServerCache("a.example")); },
    [] { return IsNone(SSL_AddServerCache("a.example", nullptr)); },
    [] { return IsNone(SSL_ListServerCaches(Visit, nullptr)); },
    [] { return SSL_ShutdownServerSessionIDCache() == SECSuccess; },
};

// Runs in a child: every thread waits for the others, then calls. Returns the
// exit status.
int CallAtOnce(const std::vector<Call>& calls) {
  pthread_barrier_t barrier;
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  if (PR_Initialized()) return 2;
  pthread_barrier_init(&barrier, nullptr, kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      const Call call = calls[size_t(t) % calls.size()];
      pthread_barrier_wait(&barrier);
      if (!call()) ++wrong;
    });
  }
  for (std::thread& thread : threads) thread.join();
  return wrong ? 3 : 0;
}

// Returns how many of kProcesses processes exit with status 0.
int EndWell(const std::vector<Call>& calls) {
  int well = 0;
  for (int i = 0; i < kProcesses; ++i)
    well += InFork([&] { return CallAtOnce(calls); }) == 0;
  return well;
}

STAGE(FirstCallsAtOnce) {
  unsetenv(SSL_ENV_VAR_NAME);
  STAGE_CHECK(EndWell({kConfig}) == kProcesses);
  STAGE_CHECK(EndWell({std::begin(kCalls), std::end(kCalls)}) == kProcesses);
  STAGE_CHECK(EndWell({std::begin(kCallsWithoutCache),
                       std::end(kCallsWithoutCache)}) == kProcesses);
  return 0;
}

// Each of the calls alone is the first call, by all threads at once.
STAGE(OneFirstCallAtOnce) {
  unsetenv(SSL_ENV_VAR_NAME);
  int bad = 0;
  for (const auto& calls :
       {std::vector<Call>(std::begin(kCalls), std::end(kCalls)),
        std::vector<Call>(std::begin(kCallsWithoutCache),
                          std::end(kCallsWithoutCache))}) {
    for (size_t i = 0; i < calls.size(); ++i) {
      for (int round = 0; round < 10; ++round)
        bad += InFork([&] { return CallAtOnce({calls[i]}); }) != 0;
    }
  }
  STAGE_CHECK(bad == 0);
  return 0;
}

// A thread forks while another one makes the first call. The child's own first
// call must work all the same.
STAGE(ForkInTheFirstCall) {
  int bad = 0;
  for (int i = 0; i < kProcesses; ++i) {
    bad += InFork([] {
             pthread_barrier_t barrier;
             std::atomic<bool> wrong{false};
             if (PR_Initialized()) return 2;
             pthread_barrier_init(&barrier, nullptr, 2);
             std::thread first([&] {
               pthread_barrier_wait(&barrier);
               if (!kConfig()) wrong = true;
             });
             pthread_barrier_wait(&barrier);
             const int child = InFork([] {
               if (!kConfig()) return 4;
               return PR_ErrorToString(SSL_ERROR_BAD_CERTIFICATE, 0) ? 0 : 5;
             });
             first.join();
             return child != 0 ? child : wrong ? 3 : 0;
           }) != 0;
  }
  STAGE_CHECK(bad == 0);
  return 0;
}

class FirstCallTest : public NssTest {};

TEST_F(FirstCallTest, SixteenThreadsMayMakeItAtOnce) {
  EXPECT_EQ(0, InExec("FirstCallsAtOnce", {}));
}

TEST_F(FirstCallTest, WhicheverCallItIs) {
  EXPECT_EQ(0, InExec("OneFirstCallAtOnce", {}));
}

TEST_F(FirstCallTest, AProcessMayForkInTheMiddleOfIt) {
  EXPECT_EQ(0, InExec("ForkInTheFirstCall", {}));
}

}  // namespace
}  // namespace nss_test
