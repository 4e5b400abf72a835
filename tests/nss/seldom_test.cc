/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// seldom_test.cc: rare cases in the adapter: results of the core that no call
// provokes, more threads than the gate has lines, records and sessions in the
// region that this library did not write.

#include <atomic>
#include <cstring>
#include <set>
#include <thread>
#include <vector>

#include "keyhi.h"
#include "prerror.h"
#include "secerr.h"
#include "sslerr.h"
#include "sslsnce/snce.h"
#include "sslsnce/sslsnce.h"
#include "test_identity.h"
#include "test_nss.h"

namespace nss_test {
namespace {

constexpr PRTime kStart = 1700000000 * PRTime{PR_USEC_PER_SEC};

class SeldomTest : public NssTest {};

TEST_F(SeldomTest, EveryResultOfTheCoreHasAnErrorOfItsOwnKind) {
  const struct {
    snceResult result;
    PRErrorCode error;
  } kTable[] = {
      {SNCE_OK, 0},
      {SNCE_MISS, SSL_ERROR_SESSION_NOT_FOUND},
      {SNCE_GONE, SSL_ERROR_SERVER_CACHE_NOT_CONFIGURED},
      {SNCE_INVALID, SEC_ERROR_INVALID_ARGS},
      {SNCE_BAD_STRING, SEC_ERROR_INVALID_ARGS},
      {SNCE_TOO_LARGE, SEC_ERROR_INPUT_LEN},
      {SNCE_FULL, PR_INSUFFICIENT_RESOURCES_ERROR},
      {SNCE_NO_MEMORY, SEC_ERROR_NO_MEMORY},
      {SNCE_NO_DESCRIPTOR, PR_PROC_DESC_TABLE_FULL_ERROR},
      {SNCE_LIMIT, PR_FILE_TOO_BIG_ERROR},
      {SNCE_UNSUPPORTED, PR_OPERATION_NOT_SUPPORTED_ERROR},
      {SNCE_BAD_DESCRIPTOR, PR_BAD_DESCRIPTOR_ERROR},
      {SNCE_FOREIGN, SEC_ERROR_BAD_DATA},
      {SNCE_CORRUPT, SEC_ERROR_BAD_DATABASE},
      {SNCE_READ_ONLY, SEC_ERROR_READ_ONLY},
      {SNCE_BUSY, SEC_ERROR_BUSY},
      {SNCE_DROPPED, SEC_ERROR_BUSY},
      {SNCE_EXISTS, SEC_ERROR_LIBRARY_FAILURE},
  };
  for (const auto& row : kTable)
    EXPECT_EQ(row.error, ShimErrorOf(row.result))
        << snceResult_Text(row.result);
}

// The gate has 64 lines. More threads share them: when one of these leaves, the
// others must still be counted.
TEST_F(SeldomTest, TwoHundredThreadsAreAllCountedInTheGate) {
  EXPECT_EQ(
      0, InFork([] {
        STAGE_CHECK(SSL_ConfigServerSessionIDCache(10, 0, 0, nullptr) ==
                    SECSuccess);
        constexpr int kThreads = 200;
        std::atomic<int> inside{0};
        std::atomic<bool> first{false}, rest{false};
        std::vector<std::thread> threads;
        for (int i = 0; i < kThreads; ++i) {
          threads.emplace_back([&, i] {
            PRUint32 pass;
            if (!ShimEnterGate(&pass)) return;
            ++inside;
            std::atomic<bool>& mine = i == kThreads - 1 ? rest : first;
            while (!mine) std::this_thread::yield();
            ShimLeaveGate(pass);
            --inside;
          });
        }
        for (long tries = 0; inside != kThreads && tries < 100000000; ++tries)
          std::this_thread::yield();
        const bool all = inside == kThreads;
        first = true;
        for (int i = 0; i < kThreads - 1; ++i) threads[size_t(i)].join();
        // The last thread is still inside, so its region stays mapped.
        const bool shut = SSL_ShutdownServerSessionIDCache() == SECSuccess;
        const size_t kept = MemoryDescriptors().size();
        rest = true;
        threads.back().join();
        STAGE_CHECK(all);
        STAGE_CHECK(shut);
        STAGE_CHECK(kept == 1);
        STAGE_CHECK(inside == 0);
        // No thread is inside, so the next region is unmapped.
        STAGE_CHECK(SSL_ConfigServerSessionIDCache(10, 0, 0, nullptr) ==
                    SECSuccess);
        STAGE_CHECK(SSL_ShutdownServerSessionIDCache() == SECSuccess);
        STAGE_CHECK(MemoryDescriptors().size() == 1);
        return 0;
      }));
}

TEST_F(SeldomTest, AnInstanceWithoutADescriptionIsTheDefaultCache) {
  ASSERT_EQ(SECSuccess, ShimConfigInstance(nullptr, 100, 0, 77));
  SSLServerCacheFigures figures;
  ASSERT_EQ(SECSuccess,
            SSL_GetServerCacheFigures(nullptr, &figures, sizeof(figures)));
  EXPECT_EQ(77u, figures.ssl3TimeoutSec);
  EXPECT_EQ(SECSuccess, ShimShutdownInstance(nullptr));
  EXPECT_EQ(SECFailure,
            SSL_GetServerCacheFigures(nullptr, &figures, sizeof(figures)));
  EXPECT_EQ(SSL_ERROR_SERVER_CACHE_NOT_CONFIGURED, PR_GetError());
}

TEST_F(SeldomTest, AnInstanceOfFewerThanNoEntriesIsRefused) {
  ShimInstance one = {};
  EXPECT_EQ(SECFailure, ShimConfigInstance(&one, -1, 0, 0));
  EXPECT_EQ(SEC_ERROR_INVALID_ARGS, PR_GetError());
  EXPECT_TRUE(MemoryDescriptors().empty());
}

// A process by exec inherits the region, but not which of its caches was an
// instance.
TEST_F(SeldomTest, AnInstanceIsInheritedByForkAndNotByExec) {
  ASSERT_EQ(SECSuccess, SSL_ConfigMPServerSIDCache(100, 0, 0, nullptr));
  ShimInstance one = {};
  ASSERT_EQ(SECSuccess, ShimConfigInstance(&one, 100, 0, 10));
  EXPECT_EQ(SECSuccess, ShimInheritInstance(&one, nullptr));
  EXPECT_EQ(SECSuccess, ShimInheritInstance(nullptr, nullptr));
  ShimInstance unknown = {};
  EXPECT_EQ(SECFailure, ShimInheritInstance(&unknown, nullptr));
  EXPECT_EQ(SSL_ERROR_SERVER_CACHE_NOT_CONFIGURED, PR_GetError());
}

// Another process of the same user may have written into the region.
TEST_F(SeldomTest, AStateThatNoSidWasPackedToIsNoSession) {
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(100, 0, 0, nullptr));
  PRTime now = kStart;
  LoneSocket server(true, &now);
  ShimSetPeer(server.fd(), SampleFields(0, 0).address);
  int refused = 0, taken = 0;
  for (size_t at = 0; at < SNCE_STATE_BYTES; ++at) {
    ShimFields in = SampleFields(unsigned(at) + 1, kStart);
    Sid sid(ShimNewSid(&in, nullptr));
    ShimCache(server.fd(), sid.get());
    ASSERT_EQ(SNCE_OK, ShimStoreChanged(sid.get(), at, 0xff));
    PR_SetError(0, 0);
    Sid found(ShimLookup(server.fd(), in.id, in.idLen));
    if (found) {
      ++taken;
      continue;
    }
    ++refused;
    EXPECT_EQ(SEC_ERROR_BAD_DATABASE, PR_GetError()) << "byte " << at;
  }
  // Refused at least: a length over 48, and a client's certificate that the
  // cache does not have.
  EXPECT_GE(refused, 2);
  EXPECT_GE(taken, 48);
}

// The process refuses such a record and uses ticket keys of its own.
TEST_F(SeldomTest, ATicketRecordOfNobodyIsNotBelieved) {
  std::vector<std::vector<PRUint8>> records;
  records.push_back(std::vector<PRUint8>(1, 1));      // too short for a header
  records.push_back(std::vector<PRUint8>(64, 0xff));  // lengths past the end
  records.push_back(std::vector<PRUint8>(64, 0));     // lengths of zero
  std::set<std::vector<PRUint8>> seen;
  for (const std::vector<PRUint8>& record : records) {
    SECKEYPrivateKey* priv = nullptr;
    SECKEYPublicKey* pub = nullptr;
    ASSERT_TRUE(MakeRsaPair(1024, false, &priv, &pub));
    ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(100, 0, 0, nullptr));
    ASSERT_EQ(SECSuccess, SSL_SetSessionTicketKeyPair(pub, priv));
    ShimResetTicketKeys();
    ASSERT_EQ(SECSuccess,
              ShimPutTicketRecord(pub, record.data(), record.size()));
    PRTime now = kStart;
    LoneSocket server(true, &now);
    std::vector<PRUint8> keys(16 + 32 + 32);
    EXPECT_EQ(SECSuccess, ShimTicketKeys(server.fd(), keys.data()));
    EXPECT_TRUE(seen.insert(keys).second);
    ShimResetTicketKeys();
    SSL_ShutdownServerSessionIDCache();
    SECKEY_DestroyPrivateKey(priv);
    SECKEY_DestroyPublicKey(pub);
  }
}

}  // namespace
}  // namespace nss_test
