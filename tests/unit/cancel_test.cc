/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// A thread that pthread_cancel ends finishes its call first, and leaves no
// lock, mapping or descriptor behind.
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <functional>

#include "gtest/gtest.h"
#include "sslsnce/snce.h"
#include "test_child.h"
#include "test_clock.h"
#include "test_region.h"
#include "test_server.h"
#include "test_session.h"

namespace snce_test {
namespace {

struct Cancelled {
  std::function<void()> call;
  bool returned = false;
  int state = -1;

  static void* Run(void* arg) {
    auto* self = static_cast<Cancelled*>(arg);
    // From here on, the first cancellation point would end this thread.
    pthread_cancel(pthread_self());
    self->call();
    self->returned = true;
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &self->state);
    pthread_testcancel();
    return nullptr;
  }
};

// Runs |call| in a thread that was cancelled before. Returns whether |call|
// returned; the thread must end after it, and be cancellable again by then.
bool ReturnsFirst(const std::function<void()>& call) {
  Cancelled cancelled;
  cancelled.call = call;
  pthread_t thread;
  void* result = nullptr;
  EXPECT_EQ(0, pthread_create(&thread, nullptr, Cancelled::Run, &cancelled));
  EXPECT_EQ(0, pthread_join(thread, &result));
  EXPECT_EQ(PTHREAD_CANCELED, result);
  EXPECT_TRUE(!cancelled.returned || cancelled.state == PTHREAD_CANCEL_ENABLE);
  return cancelled.returned;
}

TEST(SnceCancel, OfAThreadThatHasTheLockLeavesItToTheNextOne) {
  // When the file grows for a flush, the core calls fallocate, a cancellation
  // point.
  snceCacheOptions options = Options(100);
  options.lock = true;
  snceRegion* made = nullptr;
  if (snceRegion_Create(&made, &options, false) == SNCE_LOCK_LIMIT)
    GTEST_SKIP() << "this process may not lock memory";
  Region region(made);
  snceServerId id;
  snceResult flushed = SNCE_BUSY;
  EXPECT_TRUE(ReturnsFirst([&] { flushed = snceCache_Flush(region.cache()); }));
  EXPECT_EQ(SNCE_OK, flushed);
  EXPECT_EQ(SNCE_OK, Add(region.get(), "a.example", Options(10), &id));
}

TEST(SnceCancel, OfAThreadThatWaitsForTheLockComesAfterTheWait) {
  Region region(100);
  Gate held, done;
  Child holder([&] {
    struct flock lock = {};
    lock.l_type = F_WRLCK;
    lock.l_len = 1;
    if (fcntl(region.fd(), F_SETLK, &lock) != 0) return 1;
    held.Open();
    return done.Wait(60000) ? 0 : 2;
  });
  ASSERT_TRUE(held.Wait(60000));
  snceResult flushed = SNCE_OK;
  EXPECT_TRUE(ReturnsFirst([&] { flushed = snceCache_Flush(region.cache()); }));
  EXPECT_EQ(SNCE_BUSY, flushed);
  done.Open();
  EXPECT_EQ(0, holder.Wait(60000));
  EXPECT_EQ(SNCE_OK, snceCache_Flush(region.cache()));
}

TEST(SnceCancel, OfAThreadThatMakesOrClosesARegionLeavesNothingOpen) {
  const snceCacheOptions options = Options(100);
  const int descriptors = OpenDescriptors();
  snceRegion* region = nullptr;
  snceResult result = SNCE_BUSY;
  EXPECT_TRUE(ReturnsFirst(
      [&] { result = snceRegion_Create(&region, &options, false); }));
  ASSERT_EQ(SNCE_OK, result);
  const ino_t inode = InodeOf(snceRegion_Descriptor(region));
  EXPECT_TRUE(ReturnsFirst([&] { snceRegion_Close(region); }));
  EXPECT_EQ(descriptors, OpenDescriptors());
  EXPECT_TRUE(MappingsOfInode(inode).empty());
}

}  // namespace
}  // namespace snce_test
