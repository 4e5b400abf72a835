/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// cancel_test.cc: threads that are cancelled during a call of the cache.

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>

#include "config_file.h"
#include "prerror.h"
#include "secerr.h"
#include "sslexp.h"
#include "sslsnce/sslsnce.h"
#include "test_build.h"
#include "test_nss.h"

namespace nss_test {
namespace {

struct Cancelled {
  std::function<bool()> call;
  bool as_expected = false;

  static void* Run(void* arg) {
    auto* self = static_cast<Cancelled*>(arg);
    // From here on the first cancellation point ends this thread, unless the
    // call disables cancellation.
    pthread_cancel(pthread_self());
    self->as_expected = self->call();
    pthread_testcancel();
    return nullptr;
  }
};

// Runs |call| in a thread that is cancelled before it. Returns whether |call|
// returned true and the thread ended after it.
bool ReturnsFirst(const std::function<bool()>& call) {
  Cancelled cancelled;
  cancelled.call = call;
  pthread_t thread;
  void* result = nullptr;
  return pthread_create(&thread, nullptr, Cancelled::Run, &cancelled) == 0 &&
         pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED &&
         cancelled.as_expected;
}

bool Configure() {
  return SSL_ConfigServerSessionIDCache(100, 0, 0, nullptr) == SECSuccess;
}

class CancelTest : public NssTest {};
class CancelFileTest : public ConfigFileTest {};

// All tests run in a child, which InFork kills if a call waits for ever.

TEST_F(CancelTest, AThreadThatWaitsForVisitorsReleasesTheLock) {
  EXPECT_EQ(0, InFork([] {
              PRUint32 pass;
              STAGE_CHECK(Configure());
              STAGE_CHECK(ShimEnterGate(&pass));
              // Shutdown waits a second for this thread, and then leaves the
              // region mapped.
              STAGE_CHECK(ReturnsFirst([] {
                return SSL_ShutdownServerSessionIDCache() == SECSuccess;
              }));
              ShimLeaveGate(pass);
              STAGE_CHECK(Configure());
              return SSL_ShutdownServerSessionIDCache() == SECSuccess ? 0 : 1;
            }));
}

TEST_F(CancelTest, AThreadThatWaitsForAnotherProcessReleasesTheLock) {
  EXPECT_EQ(0, InFork([] {
              int held[2], done[2];
              STAGE_CHECK(Configure());
              const int fd = MemoryDescriptors().at(0);
              STAGE_CHECK(pipe(held) == 0 && pipe(done) == 0);
              const pid_t holder = fork();
              if (holder == 0) {
                struct flock lock = {};
                char c = 0;
                lock.l_type = F_WRLCK;
                lock.l_len = 1;
                close(done[1]);
                if (fcntl(fd, F_SETLK, &lock) != 0) c = 1;
                (void)!write(held[1], &c, 1);
                (void)!read(done[0], &c, 1);
                snce_test::LeaveChild(0);
              }
              char c = 1;
              STAGE_CHECK(read(held[0], &c, 1) == 1 && c == 0);
              STAGE_CHECK(ReturnsFirst([] {
                return SSL_ConfigServerSessionIDCache(100, 0, 9, nullptr) ==
                           SECFailure &&
                       PR_GetError() == SEC_ERROR_BUSY;
              }));
              STAGE_CHECK(ReturnsFirst([] {
                return SSL_FlushServerCache(nullptr) == SECFailure &&
                       PR_GetError() == SEC_ERROR_BUSY;
              }));
              close(done[1]);
              STAGE_CHECK(waitpid(holder, nullptr, 0) == holder);
              STAGE_CHECK(Configure());
              return SSL_FlushServerCache(nullptr) == SECSuccess ? 0 : 1;
            }));
}

// The call reads the file, writes a message, makes a region and sets the
// environment.
TEST_F(CancelTest, AThreadThatConfiguresFinishes) {
  EXPECT_EQ(0, InFork([] {
              setenv(SSL_SERVER_CACHE_CONFIG, "/dev/null/none", 1);
              // The message about the missing file goes to stderr.
              STAGE_CHECK(freopen("/dev/null", "w", stderr));
              STAGE_CHECK(ReturnsFirst([] {
                Configure();
                return true;
              }));
              unsetenv(SSL_SERVER_CACHE_CONFIG);
              STAGE_CHECK(ReturnsFirst([] {
                return SSL_ConfigMPServerSIDCache(100, 0, 0, nullptr) ==
                       SECSuccess;
              }));
              STAGE_CHECK(ReturnsFirst([] {
                return SSL_InheritMPServerSIDCache(nullptr) == SECSuccess;
              }));
              STAGE_CHECK(ReturnsFirst([] {
                return SSL_ShutdownServerSessionIDCache() == SECSuccess;
              }));
              STAGE_CHECK(MemoryDescriptors().empty());
              STAGE_CHECK(Configure());
              return 0;
            }));
}

STAGE(InheritLockedAndCancelled) {
  STAGE_CHECK(MayLockLittle());
  STAGE_CHECK(ReturnsFirst([] {
    return SSL_InheritMPServerSIDCache(nullptr) == SECFailure &&
           PR_GetError() == PR_INSUFFICIENT_RESOURCES_ERROR;
  }));
  return 0;
}

// The library does not hold its lock while it writes the message.
TEST_F(CancelFileTest, AThreadThatSaysSomethingReturnsFirst) {
  if (!ShareLockedCache()) {
    GTEST_SKIP() << "this process may not lock enough memory";
  }
  EXPECT_EQ(0, InExec("InheritLockedAndCancelled", {}));
}

}  // namespace
}  // namespace nss_test
