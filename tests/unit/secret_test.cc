/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// secret_test.cc: no secret stays in the region, or on its way in and out (G9).
// The tests plant many secrets, and look for any eight bytes of any of them in
// every page that the region has.
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "sslsnce/snce.h"
#include "test_build.h"
#include "test_clock.h"
#include "test_region.h"
#include "test_secret.h"
#include "test_server.h"
#include "test_session.h"

namespace snce_test {
namespace {

constexpr uint64_t kPlanted = 200;
// The variant of the sessions is larger than their serials. States follow from
// both, and two sessions may have the same state if the serial of one is eight
// times the variant of the other.
constexpr uint64_t kVariant = 1000;
// How many pieces of one session's state the tests look for.
constexpr uint64_t kPieces = (SNCE_STATE_BYTES - 24) / 8;

class SnceSecrets : public ::testing::Test {
 protected:
  SnceSecrets() {
    for (uint64_t serial = 0; serial < kPlanted; ++serial) {
      planted_.emplace_back(serial, kVariant, kPlain);
      secrets_.AddState(*planted_.back().get());
    }
  }
  ~SnceSecrets() override { close(fd_); }

  void Plant(snceCache cache) {
    for (const Session& session : planted_)
      ASSERT_EQ(SNCE_OK, session.Insert(cache, now_));
    // Without this, the zeros that the tests expect would mean nothing.
    ASSERT_EQ(kPlanted * kPieces, secrets_.pieces());
    ASSERT_EQ(kPlanted * kPieces, Left());
  }
  void Plant() { Plant(cache_); }
  uint64_t Left() const { return secrets_.CountInFile(fd_); }
  // Inserts so many other sessions that they meet every set of the cache often.
  void InsertOthers(snceTime now, uint64_t count = 6000) {
    for (uint64_t serial = 0; serial < count; ++serial)
      Session(100000 + serial).Created(now).Insert(cache_, now);
  }
  uint64_t CountPlanted(snceCache cache) {
    uint64_t found = 0;
    for (const Session& session : planted_)
      found += Find(cache, session, now_) == SNCE_OK;
    return found;
  }

  Watchdog watchdog_{120};
  const snceTime now_ = At(kStart);
  const snceTime expired_ = now_ + 86400 * kSecond;
  std::vector<Session> planted_;
  Secrets secrets_;
  Region region_{300};
  snceCache cache_ = region_.cache();
  // The test's own descriptor, which outlives the region's.
  const int fd_ = dup(region_.fd());
};

// ---- sessions --------------------------------------------------------------

TEST_F(SnceSecrets, OfSessionsThatALookupMeetsExpiredAreWiped) {
  Plant();
  for (const Session& session : planted_)
    ASSERT_EQ(SNCE_MISS, Find(cache_, session, expired_));
  EXPECT_EQ(0u, Left());
}

TEST_F(SnceSecrets, OfSessionsThatExpiredGoAsOthersAreStored) {
  const snceTime later = expired_ + kSecond;
  Plant();
  // Remove them at once, so that there is room and none takes the place of an
  // expired session.
  for (uint64_t serial = 0; serial < 6000; ++serial) {
    const Session other = Session(100000 + serial).Created(later);
    const snceKey key = other.Key();
    ASSERT_EQ(SNCE_OK, other.Insert(cache_, later));
    ASSERT_EQ(SNCE_OK, snceCache_Remove(cache_, &key));
  }
  EXPECT_EQ(0u, Left());
}

TEST_F(SnceSecrets, OfSessionsThatNobodyMeetsStayUnreachableUntilTheEnd) {
  Plant();
  EXPECT_EQ(0u, CountFound(cache_, 1000000, 1000, expired_));
  EXPECT_EQ(kPlanted * kPieces, Left()) << "README says that they stay";
  region_.Close();
  EXPECT_EQ(0u, Left());
}

TEST_F(SnceSecrets, OfEvictedSessionsAreWiped) {
  Plant();
  InsertOthers(now_ + 10 * kSecond);
  const uint64_t kept = CountPlanted(cache_);
  EXPECT_LT(kept, kPlanted);
  EXPECT_EQ(kept * kPieces, Left());
}

TEST_F(SnceSecrets, OfSessionsReplacedInPlaceAreWiped) {
  Plant();
  for (uint64_t serial = 0; serial < kPlanted; ++serial)
    ASSERT_EQ(SNCE_OK, Session(serial, kVariant + 1).Insert(cache_, now_));
  EXPECT_EQ(0u, Left());
}

TEST_F(SnceSecrets, OfRemovedSessionsAreWiped) {
  Plant();
  for (const Session& session : planted_) {
    const snceKey key = session.Key();
    ASSERT_EQ(SNCE_OK, snceCache_Remove(cache_, &key));
  }
  EXPECT_EQ(0u, Left());
}

TEST_F(SnceSecrets, OfAClassWhoseTimeoutIsNoughtAreWipedWhenMet) {
  Plant();
  const Session other = Session(5000, 1).Class(SNCE_CLASS_SSL2);
  ASSERT_EQ(SNCE_OK, other.Insert(cache_, now_));
  snceCacheOptions options = Options(300);
  options.timeoutSec[SNCE_CLASS_SSL3] = 0;
  ASSERT_EQ(SNCE_OK, snceCache_Configure(cache_, &options));
  EXPECT_EQ(0u, CountPlanted(cache_));
  EXPECT_EQ(0u, Left());
  EXPECT_EQ(SNCE_OK, Find(cache_, other, now_));
}

TEST_F(SnceSecrets, OfFlushedSessionsAreWiped) {
  Plant();
  ASSERT_EQ(SNCE_OK, snceCache_Flush(cache_));
  EXPECT_EQ(0u, Left());
}

// The secrets are also wiped where one change does not sweep all gaps: there
// are many virtual servers, and those later in the directory lie earlier in the
// heap.
TEST_F(SnceSecrets, OfAFlushedVirtualServerAreWipedAmongManyOthers) {
  std::vector<snceCache> servers;
  for (int i = 0; i < 100; ++i)
    servers.push_back(AddServer(region_.get(), "s" + std::to_string(i), 300));
  for (size_t i = servers.size(); i-- > 0;) {
    ASSERT_EQ(SNCE_OK, snceCache_Flush(servers[i]));
    ASSERT_EQ(SNCE_OK, Session(200000).Insert(servers[i], now_));
  }
  for (const size_t which : {0, 33, 66, 99}) {
    Plant(servers[which]);
    ASSERT_EQ(SNCE_OK, snceCache_Flush(servers[which]));
    ASSERT_EQ(0u, Left()) << which;
  }
}

TEST_F(SnceSecrets, AreInOneBackingStoreOnlyWhenTheCacheHasGrown) {
  Plant();
  const snceCacheOptions larger = Options(5000);
  ASSERT_EQ(SNCE_OK, snceCache_Configure(cache_, &larger));
  EXPECT_EQ(kPlanted, CountPlanted(cache_));
  EXPECT_EQ(kPlanted * kPieces, Left());
}

TEST_F(SnceSecrets, OfThoseThatASmallerCacheHasNoRoomForAreWiped) {
  Plant();
  const snceCacheOptions smaller = Options(50);
  ASSERT_EQ(SNCE_OK, snceCache_Configure(cache_, &smaller));
  const uint64_t kept = CountPlanted(cache_);
  EXPECT_LE(kept, 50u);
  EXPECT_GE(kept, 45u);
  EXPECT_EQ(kept * kPieces, Left());
}

TEST_F(SnceSecrets, OfARemovedVirtualServerAreWiped) {
  snceCache server = AddServer(region_.get(), "a.example", 300);
  Plant(server);
  ASSERT_EQ(SNCE_OK, snceServer_Remove(region_.get(), snceCache_Id(server)));
  EXPECT_EQ(0u, Left());
}

TEST_F(SnceSecrets, AreNotInAnotherProcessesWayOutOfTheRegion) {
  // The last process to detach drops the secrets, even if it only attached.
  Plant();
  snceRegion* second = nullptr;
  ASSERT_EQ(SNCE_OK, snceRegion_Attach(&second, dup(fd_), SNCE_ACCESS_WORK));
  region_.Close();
  EXPECT_EQ(kPlanted * kPieces, Left());
  snceRegion_Close(second);
  EXPECT_EQ(0u, Left());
}

// ---- certificates ----------------------------------------------------------

class SnceSecretCertificates : public SnceSecrets {
 protected:
  // One session with a certificate in each class of sizes, in turn.
  SnceSecretCertificates() {
    secrets_ = Secrets();
    planted_.clear();
    for (uint64_t serial = 0; serial < 48; ++serial) {
      static const size_t kLengths[] = {1000, 2000, 4000, 8000, 16000, 65535};
      const size_t len = kLengths[serial % 6] - serial;
      planted_.push_back(Session(serial, kVariant)
                             .Certificate(Bytes((777 + serial) << 32, len)));
      secrets_.Add(planted_.back().certificate());
    }
  }
  void Plant() {
    for (const Session& session : planted_)
      ASSERT_EQ(SNCE_OK, session.Insert(cache_, now_));
    ASSERT_EQ(secrets_.pieces(), Left());
  }
};

TEST_F(SnceSecretCertificates, OfSessionsThatALookupMeetsExpiredAreWiped) {
  Plant();
  for (const Session& session : planted_)
    ASSERT_EQ(SNCE_MISS, Find(cache_, session, expired_));
  EXPECT_EQ(0u, Left());
}

TEST_F(SnceSecretCertificates, OfExpiredSessionsGoAsOthersAreStored) {
  Plant();
  InsertOthers(expired_ + kSecond);
  EXPECT_EQ(0u, Left());
}

TEST_F(SnceSecretCertificates, OfRemovedSessionsAreWiped) {
  Plant();
  for (const Session& session : planted_) {
    const snceKey key = session.Key();
    ASSERT_EQ(SNCE_OK, snceCache_Remove(cache_, &key));
  }
  EXPECT_EQ(0u, Left());
}

TEST_F(SnceSecretCertificates, OfSessionsReplacedWithoutOneAreWiped) {
  Plant();
  for (uint64_t serial = 0; serial < planted_.size(); ++serial)
    ASSERT_EQ(SNCE_OK, Session(serial, kVariant + 1).Insert(cache_, now_));
  EXPECT_EQ(0u, Left());
}

TEST_F(SnceSecretCertificates, EvictedByShorterOnesAreWipedToTheirEnds) {
  snceCacheOptions few = Options(300);
  few.certificates = 16;
  ASSERT_EQ(SNCE_OK, snceCache_Configure(cache_, &few));
  for (const Session& session : planted_)
    ASSERT_EQ(SNCE_OK, session.Insert(cache_, now_));
  // For every class of sizes, the shortest certificate that it takes.
  for (const size_t len : {8, 1032, 2056, 4104, 8200, 16392}) {
    for (uint64_t serial = 0; serial < 200; ++serial)
      Session(7000 + serial)
          .Certificate(Bytes((9000 + serial) << 32, len))
          .Insert(cache_, now_);
  }
  EXPECT_EQ(0u, Left());
}

TEST_F(SnceSecretCertificates, OfFlushedSessionsAreWiped) {
  Plant();
  ASSERT_EQ(SNCE_OK, snceCache_Flush(cache_));
  EXPECT_EQ(0u, Left());
}

TEST_F(SnceSecretCertificates, AreInOneStoreOnlyWhenTheCacheHasMoved) {
  Plant();
  snceCacheOptions other = Options(5000);
  other.certificates = 3000;
  ASSERT_EQ(SNCE_OK, snceCache_Configure(cache_, &other));
  EXPECT_EQ(secrets_.pieces(), Left());
  EXPECT_EQ(planted_.size(), CountPlanted(cache_));
}

TEST_F(SnceSecretCertificates, AreDroppedWhenTheOnlyProcessCloses) {
  Plant();
  region_.Close();
  EXPECT_EQ(0u, Left());
}

// ---- on the way ------------------------------------------------------------

// What an operation leaves in the memory of its caller.
class SnceSecretsOnTheWay : public SnceSecrets {
 protected:
  void SetUp() override {
    if (kSanitized) GTEST_SKIP() << "a sanitizer has its own stacks";
    if (IsCounted()) GTEST_SKIP() << "what is not optimised spills all it has";
    WarmUp();
    Plant();
    std::memset(answer_.get(), 0, sizeof(*answer_.get()));
  }
  // At the first call of a function in another library, the dynamic linker
  // saves the registers on the stack, with what memcpy left in them. So call
  // all functions once before.
  void WarmUp() {
    const Session session = Session(1, 2).Certificate(Bytes(1, 100));
    const snceKey key = session.Key();
    const std::vector<uint8_t> name = Bytes(9, SNCE_KEY_NAME_BYTES);
    std::vector<uint8_t> value = Bytes(8, 100);
    size_t len = 0;
    session.Insert(cache_, now_);
    answer_.Lookup(cache_, key, now_);
    answer_.Lookup(cache_, key, expired_);
    snceCache_Remove(cache_, &key);
    snceSession_Wipe(answer_.get());
    for (int i = 0; i < 2; ++i)
      snceKeyLog_Put(region_.get(), name.data(), value.data(), value.size(),
                     value.data(), value.size(), &len);
  }
  uint64_t LeftBy(const std::function<void()>& operation) {
    return LeftOnStack(secrets_, operation);
  }
  // How many pieces are in the answer: in the state and in the certificate's
  // buffer.
  uint64_t LeftInAnswer() {
    return secrets_.CountIn(answer_.get(), sizeof(*answer_.get())) +
           secrets_.CountIn(answer_.get()->certificate.data,
                            answer_.get()->certificate.capacity);
  }
  snceResult Lookup(const snceKey& key, snceTime now) {
    snceResult result = SNCE_DROPPED;
    EXPECT_EQ(0u, LeftBy([&] { result = answer_.Lookup(cache_, key, now); }));
    return result;
  }

  Answer answer_;
};

TEST_F(SnceSecretsOnTheWay, AStackThatHadOneIsSeen) {
  // Test the check itself: copies on the stack that nobody wipes. There are
  // many of them, because the end of the thread overwrites some.
  EXPECT_NE(0u, LeftBy([&] {
              volatile uint8_t copy[40 * SNCE_STATE_BYTES];
              for (size_t i = 0; i < sizeof(copy); ++i)
                copy[i] = planted_[0].get()->state[i % SNCE_STATE_BYTES];
            }));
}

TEST_F(SnceSecretsOnTheWay, AnInsertLeavesNoneOnTheStack) {
  for (uint64_t serial = 0; serial < kPlanted; ++serial) {
    // Insert new sessions, replace sessions of the same ID, and evict others.
    snceResult result = SNCE_DROPPED;
    EXPECT_EQ(0u,
              LeftBy([&] { result = planted_[serial].Insert(cache_, now_); }))
        << serial;
    ASSERT_EQ(SNCE_OK, result);
  }
  for (uint64_t serial = 0; serial < 400; ++serial) {
    const Session other(100000 + serial);
    ASSERT_EQ(0u, LeftBy([&] { other.Insert(cache_, now_ + kSecond); }))
        << serial;
  }
}

TEST_F(SnceSecretsOnTheWay, AnInsertThatSweepsLeavesNoneOnTheStack) {
  for (uint64_t serial = 0; serial < 400; ++serial) {
    const Session other = Session(100000 + serial).Created(expired_);
    ASSERT_EQ(0u, LeftBy([&] { other.Insert(cache_, expired_ + kSecond * 2); }))
        << serial;
  }
}

TEST_F(SnceSecretsOnTheWay, AHitLeavesOneInTheAnswerOnly) {
  for (const Session& session : planted_) {
    ASSERT_EQ(SNCE_OK, Lookup(session.Key(), now_));
    ASSERT_EQ(kPieces, LeftInAnswer());
    snceSession_Wipe(answer_.get());
    ASSERT_EQ(0u, LeftInAnswer());
  }
}

TEST_F(SnceSecretsOnTheWay, AMissLeavesNone) {
  for (const Session& session : planted_) {
    snceKey key = session.Key();
    const std::string name = "b.example";
    ASSERT_EQ(SNCE_MISS, Lookup(session.KeyNamed(name), now_));
    ASSERT_EQ(0u, LeftInAnswer()) << "another name";
    ASSERT_EQ(SNCE_MISS, Lookup(key, expired_));
    ASSERT_EQ(0u, LeftInAnswer()) << "expired";
    ASSERT_EQ(SNCE_MISS, Lookup(key, now_));
    ASSERT_EQ(0u, LeftInAnswer()) << "not there";
  }
}

TEST_F(SnceSecretsOnTheWay, AMissForAnotherAddressLeavesNone) {
  snceCacheOptions options = Options(300);
  options.matchAddress = true;
  ASSERT_EQ(SNCE_OK, snceCache_Configure(cache_, &options));
  for (const Session& session : planted_) {
    snceKey key = session.Key();
    key.address[3] ^= 1;
    ASSERT_EQ(SNCE_MISS, Lookup(key, now_));
    ASSERT_EQ(0u, LeftInAnswer());
  }
}

TEST_F(SnceSecretsOnTheWay, AnAnswerWithoutRoomForTheCertificateHasNone) {
  std::vector<uint8_t> room(10);
  for (const Session& session : planted_) {
    Session with = session;
    with.Certificate(Bytes(session.get()->state[0], 300));
    ASSERT_EQ(SNCE_OK, with.Insert(cache_, now_));
    const snceKey key = session.Key();
    snceResult result = SNCE_OK;
    answer_.get()->certificate = {room.data(), 0, room.size()};
    EXPECT_EQ(0u, LeftBy([&] {
                result = snceCache_Lookup(cache_, &key, now_, answer_.get());
              }));
    ASSERT_EQ(SNCE_TOO_LARGE, result);
    ASSERT_EQ(0u, LeftInAnswer());
  }
}

TEST_F(SnceSecretsOnTheWay, ARemovalLeavesNoneOnTheStack) {
  for (const Session& session : planted_) {
    const snceKey key = session.Key();
    snceResult result = SNCE_MISS;
    ASSERT_EQ(0u, LeftBy([&] { result = snceCache_Remove(cache_, &key); }));
    ASSERT_EQ(SNCE_OK, result);
  }
}

TEST_F(SnceSecretsOnTheWay, ARemovalOfOneWithACertificateLeavesNone) {
  for (const Session& session : planted_) {
    Session with = session;
    with.Certificate(Bytes(session.get()->state[0], 300));
    snceResult result = SNCE_MISS;
    // A replacement looks at the old session's certificate; then comes a
    // removal.
    ASSERT_EQ(SNCE_OK, with.Insert(cache_, now_));
    ASSERT_EQ(0u, LeftBy([&] { result = with.Insert(cache_, now_); }));
    ASSERT_EQ(SNCE_OK, result);
    const snceKey key = session.Key();
    ASSERT_EQ(0u, LeftBy([&] { result = snceCache_Remove(cache_, &key); }));
    ASSERT_EQ(SNCE_OK, result);
  }
}

TEST_F(SnceSecretsOnTheWay, AChangeLeavesNoneOnTheStack) {
  const snceCacheOptions larger = Options(3000), smaller = Options(50);
  snceResult result = SNCE_MISS;
  EXPECT_EQ(0u, LeftBy([&] { result = snceCache_Configure(cache_, &larger); }));
  EXPECT_EQ(SNCE_OK, result);
  EXPECT_EQ(0u,
            LeftBy([&] { result = snceCache_Configure(cache_, &smaller); }));
  EXPECT_EQ(SNCE_OK, result);
  EXPECT_EQ(0u, LeftBy([&] { result = snceCache_Flush(cache_); }));
  EXPECT_EQ(SNCE_OK, result);
}

TEST_F(SnceSecretsOnTheWay, AKeyRecordLeavesNoneOnTheStack) {
  const std::vector<uint8_t> name = Bytes(1, SNCE_KEY_NAME_BYTES);
  const std::vector<uint8_t> value = Bytes(2, 400), other = Bytes(3, 400);
  std::vector<uint8_t> buffer(SNCE_KEY_VALUE_MAX);
  secrets_.Add(value);
  secrets_.Add(other);
  size_t len = 0;
  snceResult result = SNCE_MISS;
  auto put = [&](const std::vector<uint8_t>& what) {
    result = snceKeyLog_Put(region_.get(), name.data(), what.data(),
                            what.size(), buffer.data(), buffer.size(), &len);
  };
  EXPECT_EQ(0u, LeftBy([&] { put(value); }));
  EXPECT_EQ(SNCE_OK, result);
  EXPECT_EQ(0u, LeftBy([&] { put(other); }));
  EXPECT_EQ(SNCE_EXISTS, result);
  EXPECT_EQ(0u, LeftBy([&] {
              result = snceKeyLog_Get(region_.get(), name.data(), buffer.data(),
                                      buffer.size(), &len);
            }));
  EXPECT_EQ(SNCE_OK, result);
}

}  // namespace
}  // namespace snce_test
