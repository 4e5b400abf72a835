/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// Client certificates: equal ones are stored once; each is returned whole or
// not at all.
#include <cstring>
#include <vector>

#include "gtest/gtest.h"
#include "sslsnce/snce.h"
#include "test_clock.h"
#include "test_region.h"
#include "test_session.h"

namespace snce_test {
namespace {

class SnceCertificate : public ::testing::Test {
 protected:
  Region region_{1000};
  snceCache cache_ = region_.cache();
  snceTime now_ = At(kStart);
  Answer answer_;
};

TEST_F(SnceCertificate, CertificatesOfEverySizeComeBack) {
  std::vector<size_t> sizes = {1,    2,     4059,  4060,  4061,  4095,  4096,
                               4097, 16384, 32767, 32768, 65000, 65534, 65535};
  for (size_t len = 3; len < 1200; len += 7) sizes.push_back(len);
  for (size_t len : sizes) {
    const Session session = Session(len).Certificate(Bytes(len, len));
    ASSERT_EQ(SNCE_OK, session.Insert(cache_, now_)) << len;
    ASSERT_EQ(SNCE_OK, answer_.Lookup(cache_, session.Key(), now_)) << len;
    EXPECT_EQ("", answer_.Differs(session)) << len;
  }
}

TEST_F(SnceCertificate, ACertificateTooLargeIsRefusedWithItsSession) {
  ASSERT_EQ(SNCE_OK, Session(2).Insert(cache_, now_));
  for (size_t len : {size_t{65536}, size_t{65537}, size_t{1} << 20}) {
    const Session session = Session(1).Certificate(Bytes(len, len));
    EXPECT_EQ(SNCE_TOO_LARGE, session.Insert(cache_, now_)) << len;
    EXPECT_EQ(SNCE_MISS, Find(cache_, session, now_)) << len;
  }
  EXPECT_EQ(3u, region_.Figures().refused);
  EXPECT_EQ(0u, region_.Figures().certificates);
}

TEST_F(SnceCertificate, ARefusedInsertDoesNotLeaveAnOlderSessionMixed) {
  ASSERT_EQ(SNCE_OK, Session(1, 1).Insert(cache_, now_));
  EXPECT_EQ(SNCE_TOO_LARGE,
            Session(1, 2).Certificate(Bytes(1, 65536)).Insert(cache_, now_));
  if (answer_.Lookup(cache_, Session(1).Key(), now_) == SNCE_OK) {
    EXPECT_EQ("", answer_.Differs(Session(1, 1)));
  }
}

TEST_F(SnceCertificate, EqualOnesAreStoredOnce) {
  const std::vector<uint8_t> certificate = Bytes(1, 1500);
  for (uint64_t serial = 0; serial < 500; ++serial)
    ASSERT_EQ(SNCE_OK,
              Session(serial).Certificate(certificate).Insert(cache_, now_));
  EXPECT_EQ(1u, region_.Figures().certificates);
  for (uint64_t serial = 0; serial < 500; ++serial) {
    const Session session = Session(serial).Certificate(certificate);
    ASSERT_EQ(SNCE_OK, answer_.Lookup(cache_, session.Key(), now_));
    EXPECT_EQ("", answer_.Differs(session));
  }
}

TEST_F(SnceCertificate, OnesThatDifferInOneByteOrInLengthAreTwo) {
  std::vector<uint8_t> certificate = Bytes(1, 1500);
  const Session first = Session(1).Certificate(certificate);
  certificate[1499] ^= 1;
  const Session second = Session(2).Certificate(certificate);
  certificate.pop_back();
  const Session third = Session(3).Certificate(certificate);
  certificate[0] ^= 1;
  const Session fourth = Session(4).Certificate(certificate);
  for (const Session* session : {&first, &second, &third, &fourth})
    ASSERT_EQ(SNCE_OK, session->Insert(cache_, now_));
  for (const Session* session : {&first, &second, &third, &fourth}) {
    ASSERT_EQ(SNCE_OK, answer_.Lookup(cache_, session->Key(), now_));
    EXPECT_EQ("", answer_.Differs(*session));
  }
  EXPECT_EQ(4u, region_.Figures().certificates);
}

TEST_F(SnceCertificate, OneSessionsRemovalLeavesItsFellowsCertificate) {
  const std::vector<uint8_t> certificate = Bytes(1, 900);
  for (uint64_t serial = 0; serial < 10; ++serial)
    ASSERT_EQ(SNCE_OK,
              Session(serial).Certificate(certificate).Insert(cache_, now_));
  for (uint64_t serial = 0; serial < 9; ++serial) {
    const Session session(serial);
    const snceKey key = session.Key();
    ASSERT_EQ(SNCE_OK, snceCache_Remove(cache_, &key));
  }
  const Session last = Session(9).Certificate(certificate);
  ASSERT_EQ(SNCE_OK, answer_.Lookup(cache_, last.Key(), now_));
  EXPECT_EQ("", answer_.Differs(last));
}

TEST_F(SnceCertificate, ASessionStoredAgainWithoutOneHasNone) {
  const Session with = Session(1, 1).Certificate(Bytes(1, 900));
  const Session without(1, 2);
  ASSERT_EQ(SNCE_OK, with.Insert(cache_, now_));
  ASSERT_EQ(SNCE_OK, without.Insert(cache_, now_));
  ASSERT_EQ(SNCE_OK, answer_.Lookup(cache_, with.Key(), now_));
  EXPECT_EQ("", answer_.Differs(without));
  ASSERT_EQ(SNCE_OK, with.Insert(cache_, now_));
  ASSERT_EQ(SNCE_OK, answer_.Lookup(cache_, with.Key(), now_));
  EXPECT_EQ("", answer_.Differs(with));
}

TEST_F(SnceCertificate, ABufferTooSmallIsToldItsLengthAndNothingElse) {
  const Session session = Session(1).Certificate(Bytes(1, 900));
  ASSERT_EQ(SNCE_OK, session.Insert(cache_, now_));
  const snceKey key = session.Key();
  for (size_t capacity : {size_t{0}, size_t{1}, size_t{899}}) {
    std::vector<uint8_t> room(900, 0x5a);
    snceSession out;
    std::memset(&out, 0x5a, sizeof(out));
    out.certificate = {capacity ? room.data() : nullptr, 0, capacity};
    EXPECT_EQ(SNCE_TOO_LARGE, snceCache_Lookup(cache_, &key, now_, &out));
    EXPECT_EQ(900u, out.certificate.len);
    EXPECT_EQ(std::vector<uint8_t>(900, 0x5a), room);
    EXPECT_EQ(0x5a, out.id[0]);
    // The lookup may have copied the state; then it has wiped it.
    for (uint8_t byte : out.state) EXPECT_EQ(out.state[0], byte);
    EXPECT_TRUE(out.state[0] == 0x5a || out.state[0] == 0);
  }
  std::vector<uint8_t> room(900);
  snceSession out;
  std::memset(&out, 0, sizeof(out));
  out.certificate = {room.data(), 0, 900};
  EXPECT_EQ(SNCE_OK, snceCache_Lookup(cache_, &key, now_, &out));
  EXPECT_EQ(session.certificate(), room);
}

TEST_F(SnceCertificate, AsManyAsThereAreSessionsAreKeptByDefault) {
  for (uint64_t serial = 0; serial < 1000; ++serial)
    ASSERT_EQ(SNCE_OK, Session(serial)
                           .Certificate(Bytes(serial, 800 + serial % 800))
                           .Insert(cache_, now_));
  uint64_t found = 0;
  for (uint64_t serial = 0; serial < 1000; ++serial) {
    const Session session =
        Session(serial).Certificate(Bytes(serial, 800 + serial % 800));
    if (answer_.Lookup(cache_, session.Key(), now_) != SNCE_OK) continue;
    EXPECT_EQ("", answer_.Differs(session));
    ++found;
  }
  printf("of 1000 sessions with a certificate each, %d are found\n",
         static_cast<int>(found));
  EXPECT_GE(found, 995u);
}

class SnceCertificateOverflow : public ::testing::Test {
 protected:
  static snceCacheOptions Few() {
    snceCacheOptions options = Options(1000);
    options.certificates = 8;
    return options;
  }

  Region region_{Few()};
  snceCache cache_ = region_.cache();
  snceTime now_ = At(kStart);
  Answer answer_;
};

TEST_F(SnceCertificateOverflow, AnEvictedOneTakesItsSessionsAlong) {
  uint64_t stored = 0;
  for (uint64_t serial = 0; serial < 200; ++serial) {
    const Session session =
        Session(serial).Certificate(Bytes(serial, 500 + serial));
    const snceResult result = session.Insert(cache_, now_);
    ASSERT_TRUE(result == SNCE_OK || result == SNCE_FULL);
    if (result == SNCE_OK) {
      ++stored;
      ASSERT_EQ(SNCE_OK, answer_.Lookup(cache_, session.Key(), now_));
      ASSERT_EQ("", answer_.Differs(session));
    } else {
      ASSERT_EQ(SNCE_MISS, Find(cache_, session, now_));
    }
  }
  uint64_t found = 0;
  for (uint64_t serial = 0; serial < 200; ++serial) {
    const Session session =
        Session(serial).Certificate(Bytes(serial, 500 + serial));
    const snceResult result = answer_.Lookup(cache_, session.Key(), now_);
    if (result == SNCE_OK) {
      EXPECT_EQ("", answer_.Differs(session));
      ++found;
    } else {
      EXPECT_EQ(SNCE_MISS, result);
    }
  }
  printf("8 certificates: %d of 200 sessions stored, %d found\n",
         static_cast<int>(stored), static_cast<int>(found));
  EXPECT_EQ(200u, stored);
  EXPECT_GE(found, 4u);
  EXPECT_GE(region_.Figures().missesCertificate, 1u);
}

TEST_F(SnceCertificateOverflow, SessionsWithoutOneAreNotTouched) {
  for (uint64_t serial = 1000; serial < 1300; ++serial)
    ASSERT_EQ(SNCE_OK, Session(serial).Insert(cache_, now_));
  for (uint64_t serial = 0; serial < 200; ++serial)
    Session(serial).Certificate(Bytes(serial, 700)).Insert(cache_, now_);
  EXPECT_EQ(300u, CountFound(cache_, 1000, 300, now_));
}

TEST_F(SnceCertificateOverflow, LargeOnesAreStoredOrRefusedNeverDropped) {
  for (uint64_t serial = 0; serial < 100; ++serial) {
    const Session session =
        Session(serial).Certificate(Bytes(serial, SNCE_CERTIFICATE_MAX));
    const snceResult result = session.Insert(cache_, now_);
    ASSERT_TRUE(result == SNCE_OK || result == SNCE_FULL);
    const snceResult found = answer_.Lookup(cache_, session.Key(), now_);
    EXPECT_EQ(result == SNCE_OK ? SNCE_OK : SNCE_MISS, found);
    if (found == SNCE_OK) {
      EXPECT_EQ("", answer_.Differs(session));
    }
  }
}

TEST_F(SnceCertificateOverflow, ItsRoomIsUsedAgainAfterRemovals) {
  for (uint64_t round = 0; round < 300; ++round) {
    const Session session =
        Session(round).Certificate(Bytes(round, 1 + round * 211 % 60000));
    const snceKey key = session.Key();
    ASSERT_EQ(SNCE_OK, session.Insert(cache_, now_)) << round;
    ASSERT_EQ(SNCE_OK, answer_.Lookup(cache_, key, now_)) << round;
    EXPECT_EQ("", answer_.Differs(session));
    ASSERT_EQ(SNCE_OK, snceCache_Remove(cache_, &key));
  }
}

TEST(SnceCertificateLimits, ACacheOfOneKeepsTheLargestCertificate) {
  Region region(1);
  Answer answer;
  for (uint64_t serial = 0; serial < 20; ++serial) {
    const Session session =
        Session(serial).Certificate(Bytes(serial, SNCE_CERTIFICATE_MAX));
    ASSERT_EQ(SNCE_OK, session.Insert(region.cache(), At(kStart)));
    ASSERT_EQ(SNCE_OK,
              answer.Lookup(region.cache(), session.Key(), At(kStart)));
    EXPECT_EQ("", answer.Differs(session));
  }
}

}  // namespace
}  // namespace snce_test
