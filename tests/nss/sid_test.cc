/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// sid_test.cc: which parts of a session the cache keeps, and which sessions it
// refuses. tests/regress/pointers tests how long sessions live, and the
// sockets' pointers.

#include <cstring>

#include "prerror.h"
#include "secerr.h"
#include "sslerr.h"
#include "test_nss.h"

namespace nss_test {
namespace {

constexpr PRTime kSecond = PR_USEC_PER_SEC;
constexpr PRTime kStart = 1700000000 * kSecond;
constexpr uint32_t kSsl2Timeout = 20;
constexpr uint32_t kSsl3Timeout = 300;

class SidTest : public NssTest {
 protected:
  void SetUp() override {
    NssTest::SetUp();
    ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(
                              1000, kSsl2Timeout, kSsl3Timeout, nullptr));
    now_ = kStart;
    server_.reset(new LoneSocket(true, &now_));
    ShimSetPeer(server_->fd(), SampleFields(0, 0).address);
  }
  void TearDown() override {
    server_.reset();
    NssTest::TearDown();
  }

  PRFileDesc* fd() { return server_->fd(); }
  Sid Make(const ShimFields& f, CERTCertificate* cert = nullptr) {
    return Sid(ShimNewSid(&f, cert));
  }
  // Looks up by the server's clock and for its client's address.
  Sid Lookup(const ShimFields& f) {
    return Sid(ShimLookup(fd(), f.id, f.idLen));
  }

  PRTime now_;
  std::unique_ptr<LoneSocket> server_;
};

TEST_F(SidTest, EveryFieldComesBack) {
  ShimFields in = SampleFields(1, kStart - 5);
  strcpy(in.name, "www.example.org");
  in.nameChosen = 1;
  ShimSetServerName(fd(), in.name);
  in.resumable = 0;
  in.masterSecretLen = 47;
  Sid sid = Make(in);
  ShimCache(fd(), sid.get());
  ASSERT_TRUE(ShimIsInServerCache(sid.get()));

  Sid found = Lookup(in);
  ASSERT_TRUE(found);
  EXPECT_TRUE(ShimIsInServerCache(found.get()));
  ShimFields out;
  ShimGetFields(found.get(), &out);
  in.lastAccessTime = now_;
  in.expirationTime = kStart - 5 + kSsl3Timeout * kSecond;
  EXPECT_EQ(0, memcmp(in.id, out.id, 32));
  EXPECT_EQ(in.idLen, out.idLen);
  EXPECT_EQ(0, memcmp(in.address, out.address, sizeof(in.address)));
  EXPECT_EQ(in.version, out.version);
  EXPECT_EQ(in.creationTime, out.creationTime);
  EXPECT_EQ(in.lastAccessTime, out.lastAccessTime);
  EXPECT_EQ(in.expirationTime, out.expirationTime);
  EXPECT_EQ(0, memcmp(in.masterSecret, out.masterSecret, 48));
  EXPECT_EQ(in.masterSecretLen, out.masterSecretLen);
  EXPECT_EQ(in.resumable, out.resumable);
  EXPECT_EQ(in.extendedMasterSecret, out.extendedMasterSecret);
  EXPECT_EQ(in.cipherSuite, out.cipherSuite);
  EXPECT_EQ(in.masterWrapMech, out.masterWrapMech);
  EXPECT_EQ(0, memcmp(in.wrapKeyId, out.wrapKeyId, sizeof(in.wrapKeyId)));
  EXPECT_EQ(in.authType, out.authType);
  EXPECT_EQ(in.authKeyBits, out.authKeyBits);
  EXPECT_EQ(in.keaType, out.keaType);
  EXPECT_EQ(in.keaKeyBits, out.keaKeyBits);
  EXPECT_EQ(in.keaGroup, out.keaGroup);
  EXPECT_EQ(in.sigScheme, out.sigScheme);
  EXPECT_EQ(in.namedCurve, out.namedCurve);
  EXPECT_STREQ(in.name, out.name);
  EXPECT_EQ(nullptr, out.certificate);
}

TEST_F(SidTest, ASessionWithoutACurveComesBackWithoutOne) {
  ShimFields in = SampleFields(1, kStart);
  in.authType = ssl_auth_rsa_sign;
  in.namedCurve = 0;
  ShimCache(fd(), Make(in).get());
  Sid found = Lookup(in);
  ASSERT_TRUE(found);
  ShimFields out;
  ShimGetFields(found.get(), &out);
  EXPECT_EQ(0u, out.namedCurve);
}

TEST_F(SidTest, AnIdOfZeroLengthIsNotCached) {
  ShimFields f = SampleFields(1, kStart);
  f.idLen = 0;
  Sid sid = Make(f);
  ShimCache(fd(), sid.get());
  EXPECT_TRUE(ShimIsNeverCached(sid.get()));
  EXPECT_FALSE(Lookup(f));
}

TEST_F(SidTest, AnOverlongIdIsNotCachedAndNotLookedUp) {
  ShimFields f = SampleFields(1, kStart);
  for (unsigned int len : {33u, 64u, 255u}) {
    Sid sid = Make(f);
    ShimSetIdLength(sid.get(), len);
    ShimCache(fd(), sid.get());
    EXPECT_TRUE(ShimIsNeverCached(sid.get()));
    ShimUncache(fd(), sid.get());
    std::vector<uint8_t> id(len, 1);
    EXPECT_EQ(nullptr, ShimLookup(fd(), id.data(), len));
    EXPECT_EQ(SSL_ERROR_SESSION_NOT_FOUND, PR_GetError());
  }
}

TEST_F(SidTest, AnIdOfOneByteIsAnId) {
  ShimFields f = SampleFields(1, kStart);
  f.idLen = 1;
  memset(f.id + 1, 0, sizeof(f.id) - 1);
  ShimCache(fd(), Make(f).get());
  EXPECT_TRUE(Lookup(f));
  EXPECT_FALSE(Sid(ShimLookup(fd(), f.id, 2)));
}

TEST_F(SidTest, AnUncachedSidMayBeCachedAgain) {
  ShimFields f = SampleFields(1, kStart);
  Sid sid = Make(f);
  ShimCache(fd(), sid.get());
  ShimUncache(fd(), sid.get());
  ShimCache(fd(), sid.get());
  EXPECT_TRUE(ShimIsInServerCache(sid.get()));
  EXPECT_TRUE(Lookup(f));
}

TEST_F(SidTest, ACachedSidIsNotCachedTwice) {
  ShimFields f = SampleFields(1, kStart);
  Sid sid = Make(f);
  ShimCache(fd(), sid.get());
  Sid other = Make(f);
  ShimCache(fd(), other.get());
  ShimUncache(fd(), other.get());
  ShimCache(fd(), sid.get());  // does nothing: the sid says that it is cached
  EXPECT_FALSE(Lookup(f));
}

TEST_F(SidTest, AnotherClientAddressIsAMiss) {
  ShimFields f = SampleFields(1, kStart);
  ShimCache(fd(), Make(f).get());
  uint8_t other[16];
  memcpy(other, f.address, sizeof(other));
  other[15] ^= 1;
  EXPECT_FALSE(Sid(ShimLookupDefault(kStart, other, f.id, f.idLen)));
  EXPECT_TRUE(Sid(ShimLookupDefault(kStart, f.address, f.id, f.idLen)));
}

TEST_F(SidTest, WithoutACacheNothingIsCachedAndNothingCrashes) {
  SSL_ShutdownServerSessionIDCache();
  ShimFields f = SampleFields(1, kStart);
  Sid sid = Make(f);
  ShimCache(fd(), sid.get());
  EXPECT_TRUE(ShimIsNeverCached(sid.get()));
  EXPECT_FALSE(Lookup(f));
  EXPECT_EQ(SSL_ERROR_SERVER_CACHE_NOT_CONFIGURED, PR_GetError());
  ShimUncache(fd(), sid.get());
  EXPECT_TRUE(ShimIsInvalid(sid.get()));
}

struct CertDeleter {
  void operator()(CERTCertificate* c) const { CERT_DestroyCertificate(c); }
};
using Cert = std::unique_ptr<CERTCertificate, CertDeleter>;

TEST_F(SidTest, CertificatesOfEverySizeComeBackWhole) {
  for (size_t padding : {size_t{0}, size_t{2000}, size_t{4000}, size_t{5000},
                         size_t{30000}, size_t{64000}}) {
    Cert cert(MakeCertificate("somebody", padding));
    ASSERT_TRUE(cert);
    ShimFields f = SampleFields(static_cast<uint32_t>(padding), kStart);
    Sid sid = Make(f, cert.get());
    ShimCache(fd(), sid.get());
    ASSERT_TRUE(ShimIsInServerCache(sid.get())) << padding;
    Sid found = Lookup(f);
    ASSERT_TRUE(found) << padding;
    ShimFields out;
    ShimGetFields(found.get(), &out);
    ASSERT_TRUE(out.certificate);
    ASSERT_EQ(cert->derCert.len, out.certificate->len);
    EXPECT_EQ(0, memcmp(cert->derCert.data, out.certificate->data,
                        cert->derCert.len));
  }
}

TEST_F(SidTest, ACertificateOver64KiBKeepsItsSessionOut) {
  Cert cert(MakeCertificate("somebody large", 66000));
  ASSERT_TRUE(cert);
  ASSERT_LT(65535u, cert->derCert.len);
  ShimFields f = SampleFields(1, kStart);
  Sid sid = Make(f, cert.get());
  ShimCache(fd(), sid.get());
  EXPECT_TRUE(ShimIsNeverCached(sid.get()));
  EXPECT_FALSE(Lookup(f));
}

TEST_F(SidTest, ASessionWhoseCertificateWasEvictedIsAMiss) {
  SSL_ShutdownServerSessionIDCache();
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCacheWithOpt(
                            0, 0, nullptr, 200, 8, -1, PR_FALSE));
  std::vector<Cert> certs;
  for (int i = 0; i < 60; ++i) {
    certs.emplace_back(MakeCertificate("client " + std::to_string(i), 0));
    ASSERT_TRUE(certs.back());
    ShimFields f = SampleFields(i, kStart);
    ShimCache(fd(), Make(f, certs.back().get()).get());
  }
  int found = 0;
  for (int i = 0; i < 60; ++i) {
    ShimFields f = SampleFields(i, kStart);
    Sid sid = Lookup(f);
    if (!sid) continue;
    ++found;
    ShimFields out;
    ShimGetFields(sid.get(), &out);
    ASSERT_TRUE(out.certificate);
    EXPECT_EQ(SECEqual,
              SECITEM_CompareItem(&certs[i]->derCert, out.certificate));
  }
  EXPECT_LT(0, found);
}

TEST_F(SidTest, TheLongestServerNameIsFoundUnderItself) {
  ShimFields f = SampleFields(1, kStart);
  memset(f.name, 'N', 255);
  Sid sid = Make(f);
  ShimCache(fd(), sid.get());
  ShimFields out;
  {
    // Without a socket it is found, but without its server name: the cache
    // keeps a hash only.
    Sid found(ShimLookupDefault(now_, f.address, f.id, f.idLen));
    ASSERT_TRUE(found);
    ShimGetFields(found.get(), &out);
    EXPECT_STREQ("", out.name);
    EXPECT_FALSE(out.nameChosen);
  }
  // Names are compared without regard to case. The session gets the name as the
  // socket spells it.
  const std::string asked = std::string(254, 'N') + "n";
  ShimSetServerName(fd(), asked.c_str());
  Sid found(Lookup(f));
  ASSERT_TRUE(found);
  ShimGetFields(found.get(), &out);
  EXPECT_EQ(asked, out.name);
  ShimSetServerName(fd(), (asked.substr(1) + "o").c_str());
  EXPECT_FALSE(Sid(Lookup(f)));
}

}  // namespace
}  // namespace nss_test
