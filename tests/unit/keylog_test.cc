/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// The key log's write-once records.
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "sslsnce/snce.h"
#include "test_region.h"
#include "test_session.h"

namespace snce_test {
namespace {

class SnceKeyLog : public ::testing::Test {
 protected:
  static std::vector<uint8_t> Name(uint64_t which) {
    return Bytes(which, SNCE_KEY_NAME_BYTES);
  }
  static std::vector<uint8_t> Value(uint64_t which, size_t len) {
    return Bytes(which + (uint64_t{1} << 40), len);
  }
  snceResult Put(uint64_t which, const std::vector<uint8_t>& value) {
    return snceKeyLog_Put(region_.get(), Name(which).data(), value.data(),
                          value.size(), buffer_, sizeof(buffer_), &len_);
  }
  snceResult Get(uint64_t which) {
    return snceKeyLog_Get(region_.get(), Name(which).data(), buffer_,
                          sizeof(buffer_), &len_);
  }
  std::vector<uint8_t> Got() const {
    return std::vector<uint8_t>(buffer_, buffer_ + len_);
  }

  Region region_{100};
  uint8_t buffer_[SNCE_KEY_VALUE_MAX];
  size_t len_ = 0;
};

TEST_F(SnceKeyLog, ANameNotRecordedMisses) {
  EXPECT_EQ(SNCE_MISS, Get(1));
  ASSERT_EQ(SNCE_OK, Put(1, Value(1, 10)));
  EXPECT_EQ(SNCE_MISS, Get(2));
}

TEST_F(SnceKeyLog, ARecordedValueComesBack) {
  uint64_t which = 0;
  for (size_t len :
       {1u, 2u, 7u, 8u, 9u, 48u, 255u, 256u, 512u, 1024u, 4031u, 4032u}) {
    ++which;
    ASSERT_EQ(SNCE_OK, Put(which, Value(which, len))) << len;
    ASSERT_EQ(SNCE_OK, Get(which)) << len;
    EXPECT_EQ(Value(which, len), Got());
  }
}

TEST_F(SnceKeyLog, EveryByteOfANameCounts) {
  std::vector<uint8_t> name = Name(1);
  const std::vector<uint8_t> value = Value(1, 16);
  ASSERT_EQ(SNCE_OK, Put(1, value));
  for (uint8_t& byte : name) {
    byte ^= 1;
    EXPECT_EQ(SNCE_MISS, snceKeyLog_Get(region_.get(), name.data(), buffer_,
                                        sizeof(buffer_), &len_));
    byte ^= 1;
  }
}

TEST_F(SnceKeyLog, ANameOfZerosIsANameLikeOthers) {
  const std::vector<uint8_t> zeros(SNCE_KEY_NAME_BYTES, 0);
  EXPECT_EQ(SNCE_MISS, snceKeyLog_Get(region_.get(), zeros.data(), buffer_,
                                      sizeof(buffer_), &len_));
  ASSERT_EQ(SNCE_OK, snceKeyLog_Put(region_.get(), zeros.data(), zeros.data(),
                                    8, buffer_, sizeof(buffer_), &len_));
  EXPECT_EQ(SNCE_OK, snceKeyLog_Get(region_.get(), zeros.data(), buffer_,
                                    sizeof(buffer_), &len_));
  EXPECT_EQ(std::vector<uint8_t>(8, 0), Got());
}

TEST_F(SnceKeyLog, TheFirstValueStaysAndTheSecondCallerLearnsIt) {
  ASSERT_EQ(SNCE_OK, Put(1, Value(1, 100)));
  EXPECT_EQ(SNCE_EXISTS, Put(1, Value(2, 50)));
  EXPECT_EQ(Value(1, 100), Got());
  ASSERT_EQ(SNCE_OK, Get(1));
  EXPECT_EQ(Value(1, 100), Got());
}

TEST_F(SnceKeyLog, TheBufferMayBeTheValue) {
  ASSERT_EQ(SNCE_OK, Put(1, Value(1, 100)));
  std::vector<uint8_t> mine = Value(2, 100);
  EXPECT_EQ(SNCE_EXISTS,
            snceKeyLog_Put(region_.get(), Name(1).data(), mine.data(),
                           mine.size(), mine.data(), mine.size(), &len_));
  EXPECT_EQ(100u, len_);
  EXPECT_EQ(Value(1, 100), mine);
  mine = Value(3, 100);
  EXPECT_EQ(SNCE_OK,
            snceKeyLog_Put(region_.get(), Name(3).data(), mine.data(),
                           mine.size(), mine.data(), mine.size(), &len_));
  ASSERT_EQ(SNCE_OK, Get(3));
  EXPECT_EQ(Value(3, 100), Got());
}

// UBSan reports a NULL that is passed to memcpy, so this test runs under it
// too.
TEST_F(SnceKeyLog, AnEmptyValueIsOneAndNeedsNoBuffer) {
  EXPECT_EQ(SNCE_OK, snceKeyLog_Put(region_.get(), Name(1).data(), nullptr, 0,
                                    nullptr, 0, &len_));
  len_ = 1;
  EXPECT_EQ(SNCE_OK,
            snceKeyLog_Get(region_.get(), Name(1).data(), nullptr, 0, &len_));
  EXPECT_EQ(0u, len_);
  EXPECT_EQ(SNCE_EXISTS, Put(1, Value(1, 8)));
  EXPECT_EQ(std::vector<uint8_t>(), Got());
}

TEST_F(SnceKeyLog, AValueTooLargeIsRefused) {
  for (size_t len : {size_t{SNCE_KEY_VALUE_MAX} + 1, size_t{100000}}) {
    EXPECT_EQ(SNCE_TOO_LARGE, Put(1, Value(1, len)));
    EXPECT_EQ(SNCE_MISS, Get(1));
  }
  EXPECT_EQ(SNCE_OK, Put(1, Value(1, SNCE_KEY_VALUE_MAX)));
}

TEST_F(SnceKeyLog, ABufferTooSmallIsToldTheLength) {
  ASSERT_EQ(SNCE_OK, Put(1, Value(1, 100)));
  std::vector<uint8_t> small(100, 0x5a);
  for (size_t len : {0u, 1u, 99u}) {
    len_ = 0;
    EXPECT_EQ(SNCE_TOO_LARGE, snceKeyLog_Get(region_.get(), Name(1).data(),
                                             small.data(), len, &len_));
    EXPECT_EQ(100u, len_);
    len_ = 0;
    EXPECT_EQ(SNCE_TOO_LARGE,
              snceKeyLog_Put(region_.get(), Name(1).data(), Value(2, 8).data(),
                             8, small.data(), len, &len_));
    EXPECT_EQ(100u, len_);
  }
  EXPECT_EQ(std::vector<uint8_t>(100, 0x5a), small);
  EXPECT_EQ(SNCE_OK, snceKeyLog_Get(region_.get(), Name(1).data(), small.data(),
                                    100, &len_));
}

TEST_F(SnceKeyLog, IsFilledToTheLastRecordAndKeepsThemAll) {
  for (size_t len : {size_t{48}, size_t{SNCE_KEY_VALUE_MAX}}) {
    Region region(100);
    uint64_t count = 0;
    snceResult result = SNCE_OK;
    // Wrapped keys: at worst one for each server key, mechanism and process.
    constexpr uint64_t kBound = 200000;
    for (; count < kBound; ++count) {
      result = snceKeyLog_Put(region.get(), Name(count).data(),
                              Value(count, len).data(), len, buffer_,
                              sizeof(buffer_), &len_);
      if (result != SNCE_OK) break;
    }
    printf("%d records of %d bytes\n", int(count), int(len));
    ASSERT_LT(count, kBound);
    EXPECT_EQ(SNCE_FULL, result);
    EXPECT_GE(count, 64u);
    for (uint64_t which = 0; which < count; ++which) {
      ASSERT_EQ(SNCE_OK, snceKeyLog_Get(region.get(), Name(which).data(),
                                        buffer_, sizeof(buffer_), &len_));
      ASSERT_EQ(Value(which, len), Got());
    }
    EXPECT_EQ(SNCE_MISS, snceKeyLog_Get(region.get(), Name(count).data(),
                                        buffer_, sizeof(buffer_), &len_));
    EXPECT_EQ(SNCE_EXISTS,
              snceKeyLog_Put(region.get(), Name(0).data(), Value(9, 8).data(),
                             8, buffer_, sizeof(buffer_), &len_));
    EXPECT_EQ(Value(0, len), Got());
    EXPECT_EQ(SNCE_FULL, snceKeyLog_Put(region.get(), Name(count + 1).data(),
                                        Value(9, 4032).data(), 4032, buffer_,
                                        sizeof(buffer_), &len_));
  }
}

TEST_F(SnceKeyLog, SurvivesAFullCacheAndAGrowingOne) {
  ASSERT_EQ(SNCE_OK, Put(1, Value(1, 500)));
  for (uint64_t serial = 0; serial < 1000; ++serial)
    ASSERT_EQ(
        SNCE_OK,
        Session(serial, 0, kEverything).Insert(region_.cache(), At(kStart)));
  const snceCacheOptions options = Options(5000);
  ASSERT_EQ(SNCE_OK, snceCache_Configure(region_.cache(), &options));
  ASSERT_EQ(SNCE_OK, Get(1));
  EXPECT_EQ(Value(1, 500), Got());
}

// Else each process that finds the record spoiled would record another one, and
// keep its own key.
TEST_F(SnceKeyLog, ASpoiledRecordIsToldAndNotRecordedAgain) {
  const std::vector<uint8_t> value = Value(1, 100);
  ASSERT_EQ(SNCE_OK, Put(1, value));
  ASSERT_EQ(SNCE_OK, Put(2, Value(2, 100)));
  const std::vector<off_t> at =
      FindInFile(region_.fd(), value.data(), value.size());
  ASSERT_EQ(1u, at.size());
  ASSERT_EQ(1, pwrite(region_.fd(), "!", 1, at[0] + 50));
  EXPECT_EQ(SNCE_CORRUPT, Get(1));
  EXPECT_EQ(SNCE_CORRUPT, Put(1, value));
  EXPECT_EQ(SNCE_CORRUPT, Get(1));
  // Other records are not affected.
  ASSERT_EQ(SNCE_OK, Get(2));
  EXPECT_EQ(Value(2, 100), Got());
  EXPECT_EQ(SNCE_OK, Put(3, value));
}

TEST_F(SnceKeyLog, OfEightThreadsOneWinsAndAllLearnItsValue) {
  constexpr int kThreads = 8;
  constexpr uint64_t kRecords = 40;
  std::atomic<int> winners[kRecords] = {};
  std::atomic<int> wrong{0};
  std::vector<uint8_t> learned[kRecords][kThreads];
  std::vector<std::thread> threads;
  std::atomic<int> waiting{0};
  for (int me = 0; me < kThreads; ++me) {
    threads.emplace_back([&, me] {
      ++waiting;
      while (waiting < kThreads) std::this_thread::yield();
      for (uint64_t record = 0; record < kRecords; ++record) {
        const std::vector<uint8_t> mine =
            Value(record * kThreads + uint64_t(me), 200 + size_t(me));
        uint8_t buffer[SNCE_KEY_VALUE_MAX];
        size_t len = 0;
        snceResult result = SNCE_DROPPED;
        for (int tries = 0; tries < 1000 && result == SNCE_DROPPED; ++tries)
          result =
              snceKeyLog_Put(region_.get(), Name(record).data(), mine.data(),
                             mine.size(), buffer, sizeof(buffer), &len);
        if (result == SNCE_OK) {
          ++winners[record];
          learned[record][me] = mine;
        } else if (result == SNCE_EXISTS) {
          learned[record][me].assign(buffer, buffer + len);
        } else {
          ++wrong;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(0, wrong);
  for (uint64_t record = 0; record < kRecords; ++record) {
    EXPECT_EQ(1, winners[record]) << record;
    ASSERT_EQ(SNCE_OK, Get(record));
    for (int me = 0; me < kThreads; ++me)
      EXPECT_EQ(Got(), learned[record][me]) << record;
  }
}

}  // namespace
}  // namespace snce_test
