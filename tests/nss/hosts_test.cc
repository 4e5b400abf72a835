/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// hosts_test.cc: virtual servers, by the experimental calls of sslsnce.h and by
// handshakes.

#include <cstring>
#include <map>

#include "prerror.h"
#include "secerr.h"
#include "sslerr.h"
#include "sslexp.h"
#include "sslsnce/sslsnce.h"
#include "test_nss.h"

namespace nss_test {
namespace {

constexpr PRTime kSecond = PR_USEC_PER_SEC;
constexpr PRTime kStart = 1000000000 * kSecond;

SSLServerCacheParams Params(PRUint32 entries, PRUint32 ssl3_timeout) {
  SSLServerCacheParams params;
  memset(&params, 0, sizeof(params));
  params.length = sizeof(params);
  params.entries = entries;
  params.ssl3TimeoutSec = ssl3_timeout;
  return params;
}

SSLServerCacheFigures Figures(const char* name) {
  SSLServerCacheFigures figures;
  memset(&figures, 0, sizeof(figures));
  EXPECT_EQ(SECSuccess,
            SSL_GetServerCacheFigures(name, &figures, sizeof(figures)))
      << PR_ErrorToName(PR_GetError());
  return figures;
}

SECStatus Collect(void* arg, const char* name,
                  const SSLServerCacheParams* params) {
  auto* all = static_cast<std::map<std::string, SSLServerCacheParams>*>(arg);
  (*all)[name ? name : "*"] = *params;
  return SECSuccess;
}

std::map<std::string, SSLServerCacheParams> List() {
  std::map<std::string, SSLServerCacheParams> all;
  EXPECT_EQ(SECSuccess, SSL_ListServerCaches(Collect, &all));
  return all;
}

class HostsTest : public NssTest {
 protected:
  void SetUp() override {
    NssTest::SetUp();
    ASSERT_EQ(SECSuccess,
              SSL_ConfigServerSessionIDCache(1000, 0, 300, nullptr));
  }

  void Add(const char* name, PRUint32 entries = 100, PRUint32 timeout = 0) {
    SSLServerCacheParams params = Params(entries, timeout);
    ASSERT_EQ(SECSuccess, SSL_AddServerCache(name, &params))
        << PR_ErrorToName(PR_GetError());
  }

  // Makes a connection of a client that asks for |name|, with the server's
  // clock at |clock|, on a socket bound to |bound| if that is given. Returns
  // whether it resumed.
  bool Resumes(const std::string& name, PRTime clock = kStart,
               const char* bound = nullptr) {
    ConnectOptions options;
    options.url = name;
    options.server_clock = &clock;
    Connection connection(&listener_, options);
    if (bound) {
      EXPECT_EQ(SECSuccess, SSL_BindServerCache(connection.server(), bound));
    }
    EXPECT_TRUE(connection.Handshake())
        << "client " << PR_ErrorToName(connection.client_error()) << " server "
        << PR_ErrorToName(connection.server_error());
    return connection.resumed();
  }

  Listener listener_;
};

#define EXPECT_FAILS(error, call)                                       \
  do {                                                                  \
    PR_SetError(0, 0);                                                  \
    EXPECT_EQ(SECFailure, call);                                        \
    EXPECT_STREQ(PR_ErrorToName(error), PR_ErrorToName(PR_GetError())); \
  } while (0)

TEST_F(HostsTest, WithoutACacheEveryCallSaysSo) {
  LoneSocket server(true);
  SSL_ShutdownServerSessionIDCache();
  const PRErrorCode none = SSL_ERROR_SERVER_CACHE_NOT_CONFIGURED;
  std::map<std::string, SSLServerCacheParams> all;
  SSLServerCacheParams params = Params(0, 0);
  EXPECT_FAILS(none, SSL_AddServerCache("a.example", &params));
  EXPECT_FAILS(none, SSL_ChangeServerCache("a.example", &params));
  EXPECT_FAILS(none, SSL_FlushServerCache("a.example"));
  EXPECT_FAILS(none, SSL_RemoveServerCache("a.example"));
  EXPECT_FAILS(none, SSL_BindServerCache(server.fd(), "a.example"));
  EXPECT_FAILS(none, SSL_ListServerCaches(Collect, &all));
  EXPECT_EQ(SECSuccess, SSL_BindServerCache(server.fd(), nullptr));
}

TEST_F(HostsTest, ACacheThatIsNotThereIsNotFound) {
  LoneSocket server(true);
  const PRErrorCode none = PR_FILE_NOT_FOUND_ERROR;
  SSLServerCacheParams params = Params(0, 0);
  SSLServerCacheFigures figures;
  EXPECT_FAILS(none, SSL_ChangeServerCache("a.example", &params));
  EXPECT_FAILS(none, SSL_FlushServerCache("a.example"));
  EXPECT_FAILS(none, SSL_RemoveServerCache("a.example"));
  EXPECT_FAILS(none, SSL_BindServerCache(server.fd(), "a.example"));
  EXPECT_FAILS(
      none, SSL_GetServerCacheFigures("a.example", &figures, sizeof(figures)));
}

TEST_F(HostsTest, BadArgumentsAreInvalid) {
  const PRErrorCode bad = SEC_ERROR_INVALID_ARGS;
  SSLServerCacheParams params = Params(0, 0);
  for (const char* name : {"", "*", ".", "a..b", "a b", "a/b", "-*", "x.*.y",
                           "*.", "\xc3\xa4.example"}) {
    EXPECT_FAILS(bad, SSL_AddServerCache(name, &params));
  }
  EXPECT_FAILS(bad, SSL_AddServerCache(nullptr, &params));
  EXPECT_FAILS(bad, SSL_RemoveServerCache(nullptr));
  EXPECT_FAILS(bad, SSL_ListServerCaches(nullptr, nullptr));
  params.length = 0;
  EXPECT_FAILS(bad, SSL_AddServerCache("a.example", &params));
  params = Params(2000000000, 0);
  EXPECT_FAILS(bad, SSL_AddServerCache("a.example", &params));
  EXPECT_FAILS(PR_BAD_DESCRIPTOR_ERROR, SSL_BindServerCache(nullptr, nullptr));
  EXPECT_EQ(1u, List().size());
}

TEST_F(HostsTest, OneNameIsThereOnce) {
  Add("a.example");
  EXPECT_FAILS(PR_FILE_EXISTS_ERROR, SSL_AddServerCache("A.Example", nullptr));
  EXPECT_EQ(SECSuccess, SSL_RemoveServerCache("a.EXAMPLE"));
  EXPECT_FAILS(PR_FILE_NOT_FOUND_ERROR, SSL_RemoveServerCache("a.example"));
  Add("a.example");
}

TEST_F(HostsTest, WithoutParametersAllIsDefault) {
  ASSERT_EQ(SECSuccess, SSL_AddServerCache("a.example", nullptr));
  const SSLServerCacheFigures figures = Figures("a.example");
  EXPECT_EQ(10000u, figures.entries);
  EXPECT_EQ(100u, figures.ssl2TimeoutSec);
  EXPECT_EQ(kDefaultSsl3TimeoutSec, figures.ssl3TimeoutSec);
}

// The application was built with a header that has fewer fields than this
// libssl.
TEST_F(HostsTest, ParametersThatAnApplicationDoesNotKnowAreDefault) {
  SSLServerCacheParams params = Params(50, 77);
  params.length = offsetof(SSLServerCacheParams, ssl3TimeoutSec);
  ASSERT_EQ(SECSuccess, SSL_AddServerCache("a.example", &params));
  EXPECT_EQ(50u, Figures("a.example").entries);
  EXPECT_EQ(kDefaultSsl3TimeoutSec, Figures("a.example").ssl3TimeoutSec);
}

TEST_F(HostsTest, AListHasEveryCache) {
  Add("a.example", 100, 10);
  Add("*.b.example", 200, 20);
  auto all = List();
  ASSERT_EQ(3u, all.size());
  EXPECT_EQ(1000u, all["*"].entries);
  EXPECT_EQ(300u, all["*"].ssl3TimeoutSec);
  EXPECT_EQ(100u, all["a.example"].entries);
  EXPECT_EQ(10u, all["a.example"].ssl3TimeoutSec);
  EXPECT_FALSE(all["a.example"].anyClientAddress);
  EXPECT_EQ(200u, all["*.b.example"].entries);
  SSL_RemoveServerCache("a.example");
  EXPECT_EQ(2u, List().size());
}

TEST_F(HostsTest, TheClientsNameChoosesTheCache) {
  Add("a.example");
  Add("*.b.example");
  EXPECT_FALSE(Resumes("a.example"));
  EXPECT_TRUE(Resumes("a.example"));
  EXPECT_FALSE(Resumes("x.b.example"));
  EXPECT_TRUE(Resumes("x.b.example"));
  EXPECT_FALSE(Resumes("x.y.b.example"));
  EXPECT_FALSE(Resumes("b.example"));
  EXPECT_FALSE(Resumes("c.example"));
  EXPECT_TRUE(Resumes("c.example"));
  EXPECT_FALSE(Resumes("127.0.0.1"));  // sends no server name
  EXPECT_EQ(1u, Figures("a.example").inserts);
  EXPECT_EQ(1u, Figures("a.example").hits);
  EXPECT_EQ(1u, Figures("*.b.example").inserts);
  EXPECT_EQ(4u, Figures(nullptr).inserts);
  EXPECT_EQ(1u, Figures(nullptr).hits);
}

TEST_F(HostsTest, ABoundSocketHasItsCacheWhateverTheClientAsksFor) {
  Add("a.example");
  Add("b.example");
  EXPECT_FALSE(Resumes("b.example", kStart, "a.example"));
  EXPECT_TRUE(Resumes("b.example", kStart, "a.example"));
  EXPECT_EQ(1u, Figures("a.example").inserts);
  EXPECT_EQ(0u, Figures("b.example").inserts);
  // The same client offers the same ID, but in another cache.
  EXPECT_FALSE(Resumes("b.example"));
}

TEST_F(HostsTest, UnboundAgainTheNameChooses) {
  Add("a.example");
  ConnectOptions options;
  options.url = "c.example";
  Connection connection(&listener_, options);
  ASSERT_EQ(SECSuccess, SSL_BindServerCache(connection.server(), "a.example"));
  ASSERT_EQ(SECSuccess, SSL_BindServerCache(connection.server(), nullptr));
  ASSERT_TRUE(connection.Handshake());
  EXPECT_EQ(0u, Figures("a.example").inserts);
  EXPECT_EQ(1u, Figures(nullptr).inserts);
}

TEST_F(HostsTest, ASocketMayBeBoundToTheDefaultCache) {
  Add("a.example");
  EXPECT_FALSE(Resumes("a.example", kStart, "*"));
  EXPECT_TRUE(Resumes("a.example", kStart, "*"));
  EXPECT_EQ(0u, Figures("a.example").inserts);
  EXPECT_EQ(1u, Figures("*").inserts);
  EXPECT_FAILS(SEC_ERROR_INVALID_ARGS, SSL_RemoveServerCache("*"));
}

TEST_F(HostsTest, AConnectionIsBoundAsItsModel) {
  Add("a.example");
  PRFileDesc* model = SSL_ImportFD(nullptr, PR_NewTCPSocket());
  ASSERT_EQ(SECSuccess, SSL_BindServerCache(model, "a.example"));
  for (bool import : {true, false}) {
    PRFileDesc* tcp = PR_NewTCPSocket();
    PRFileDesc* fd;
    if (import) {
      fd = SSL_ImportFD(model, tcp);
    } else {
      fd = SSL_ReconfigFD(model, SSL_ImportFD(nullptr, tcp));
    }
    ASSERT_TRUE(fd);
    EXPECT_EQ(ShimBoundCache(model), ShimBoundCache(fd)) << import;
    EXPECT_NE(0u, ShimBoundCache(fd)) << import;
    PR_Close(fd);
  }
  PR_Close(model);
}

TEST_F(HostsTest, EachHasATimeoutOfItsOwn) {
  Add("a.example", 100, 10);
  Add("b.example", 100, 600);
  for (const char* name : {"a.example", "b.example", "c.example"}) {
    EXPECT_FALSE(Resumes(name, kStart));
  }
  EXPECT_TRUE(Resumes("a.example", kStart + 10 * kSecond - 1));
  EXPECT_FALSE(Resumes("a.example", kStart + 10 * kSecond));
  EXPECT_TRUE(Resumes("c.example", kStart + 300 * kSecond - 1));
  EXPECT_FALSE(Resumes("c.example", kStart + 300 * kSecond));
  EXPECT_TRUE(Resumes("b.example", kStart + 600 * kSecond - 1));
  EXPECT_FALSE(Resumes("b.example", kStart + 600 * kSecond));
}

TEST_F(HostsTest, AChangeCountsForTheSessionsThatAreThere) {
  Add("a.example", 100, 600);
  EXPECT_FALSE(Resumes("a.example", kStart));
  SSLServerCacheParams params = Params(5000, 10);
  ASSERT_EQ(SECSuccess, SSL_ChangeServerCache("a.example", &params));
  EXPECT_TRUE(Resumes("a.example", kStart + 10 * kSecond - 1));
  EXPECT_FALSE(Resumes("a.example", kStart + 10 * kSecond));
  EXPECT_EQ(5000u, Figures("a.example").entries);
  params = Params(50, 10);
  ASSERT_EQ(SECSuccess, SSL_ChangeServerCache("a.example", &params));
  EXPECT_EQ(50u, Figures("a.example").entries);
  EXPECT_TRUE(Resumes("a.example", kStart + 11 * kSecond));
  EXPECT_EQ(300u, Figures(nullptr).ssl3TimeoutSec);
}

TEST_F(HostsTest, AClockThatIsSetBackByMoreThanTheSkewMeansAFullHandshake) {
  Add("a.example");
  SSLServerCacheParams params = Params(100, 0);
  params.clockSkewSec = 300;
  ASSERT_EQ(SECSuccess, SSL_AddServerCache("b.example", &params));
  const struct {
    const char* name;
    PRTime skew;
  } caches[] = {{"a.example", 2 * kSecond},
                {"b.example", 300 * kSecond},
                {"c.example", 2 * kSecond}};
  for (const auto& cache : caches) {
    EXPECT_FALSE(Resumes(cache.name, kStart));
    EXPECT_TRUE(Resumes(cache.name, kStart - cache.skew)) << cache.name;
    EXPECT_FALSE(Resumes(cache.name, kStart - cache.skew - 1)) << cache.name;
  }
  for (const char* name : {"a.example", "b.example", "*"}) {
    EXPECT_EQ(1u, Figures(name).missesFuture) << name;
    EXPECT_EQ(0u, Figures(name).missesExpired) << name;
    EXPECT_EQ(2u, Figures(name).live) << name;
  }
}

TEST_F(HostsTest, TheClockSkewIsTwoSecondsOrWhatAnApplicationAsksForUpTo300) {
  const struct {
    PRUint32 asked, given;
  } skews[] = {{0, 2}, {1, 1}, {300, 300}, {301, 300}, {PR_UINT32_MAX, 300}};
  for (const auto& skew : skews) {
    SSLServerCacheParams params = Params(100, 0);
    params.clockSkewSec = skew.asked;
    ASSERT_EQ(SECSuccess, SSL_AddServerCache("a.example", &params));
    EXPECT_EQ(skew.given, List()["a.example"].clockSkewSec);
    params.clockSkewSec = 77;
    ASSERT_EQ(SECSuccess, SSL_ChangeServerCache("a.example", &params));
    EXPECT_EQ(77u, List()["a.example"].clockSkewSec);
    ASSERT_EQ(SECSuccess, SSL_ChangeServerCache(nullptr, &params));
    EXPECT_EQ(77u, List()["*"].clockSkewSec);
    ASSERT_EQ(SECSuccess, SSL_RemoveServerCache("a.example"));
  }
}

TEST_F(HostsTest, TheDefaultCacheChangesByTheNameNull) {
  SSLServerCacheParams params = Params(2000, 20);
  ASSERT_EQ(SECSuccess, SSL_ChangeServerCache(nullptr, &params));
  EXPECT_EQ(2000u, Figures(nullptr).entries);
  EXPECT_EQ(20u, Figures(nullptr).ssl3TimeoutSec);
}

TEST_F(HostsTest, AFlushedCacheIsEmptyAndGoesOn) {
  Add("a.example");
  EXPECT_FALSE(Resumes("a.example"));
  EXPECT_FALSE(Resumes("c.example"));
  ASSERT_EQ(SECSuccess, SSL_FlushServerCache("a.example"));
  EXPECT_EQ(0u, Figures("a.example").live);
  EXPECT_FALSE(Resumes("a.example"));
  EXPECT_TRUE(Resumes("a.example"));
  EXPECT_TRUE(Resumes("c.example"));
  ASSERT_EQ(SECSuccess, SSL_FlushServerCache(nullptr));
  EXPECT_FALSE(Resumes("c.example"));
}

TEST_F(HostsTest, ARemovedCachesClientsMakeFullHandshakes) {
  Add("a.example");
  EXPECT_FALSE(Resumes("a.example"));
  ASSERT_EQ(SECSuccess, SSL_RemoveServerCache("a.example"));
  EXPECT_FALSE(Resumes("a.example"));  // from now on in the default cache
  EXPECT_TRUE(Resumes("a.example"));
  Add("a.example");
  EXPECT_FALSE(Resumes("a.example"));
  EXPECT_TRUE(Resumes("a.example"));
}

TEST_F(HostsTest, ASocketBoundToARemovedCacheNeverReachesItsSuccessor) {
  Add("a.example");
  ConnectOptions options;
  options.url = "a.example";
  for (bool resumed : {false, false}) {
    Connection connection(&listener_, options);
    ASSERT_EQ(SECSuccess,
              SSL_BindServerCache(connection.server(), "a.example"));
    ASSERT_EQ(SECSuccess, SSL_RemoveServerCache("a.example"));
    Add("a.example");
    ASSERT_TRUE(connection.Handshake());
    EXPECT_EQ(resumed, connection.resumed());
    EXPECT_EQ(0u, Figures("a.example").inserts);
  }
}

// Numbers and generations of servers begin anew in every region, so b.example
// gets those that a.example had in the region before.
TEST_F(HostsTest, NothingThatBelongedToACacheReachesOneOfALaterRegion) {
  ConnectOptions options;
  options.url = "c.example";
  Add("a.example");
  PRFileDesc* model = SSL_ImportFD(nullptr, PR_NewTCPSocket());
  Identity identity = FindIdentity("rsa");
  ASSERT_EQ(SECSuccess, SSL_ConfigServerCert(model, identity.cert, identity.key,
                                             nullptr, 0));
  CERT_DestroyCertificate(identity.cert);
  SECKEY_DestroyPrivateKey(identity.key);
  ASSERT_EQ(SECSuccess, SSL_BindServerCache(model, "a.example"));
  LoneSocket server(true);
  ASSERT_EQ(SECSuccess, SSL_BindServerCache(server.fd(), "a.example"));
  ShimNoteOrigin(server.fd());
  ShimFields fields = SampleFields(1, kStart);
  Sid in_flight(ShimNewSid(&fields, nullptr));
  ShimSetOrigin(in_flight.get(), server.fd());
  const PRUint32 number = ShimBoundCache(server.fd());
  EXPECT_FALSE(Resumes("c.example", kStart, "a.example"));
  Connection bound(&listener_, options);
  ASSERT_EQ(SECSuccess, SSL_BindServerCache(bound.server(), "a.example"));

  SSL_ShutdownServerSessionIDCache();
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(100, 0, 0, nullptr));
  Add("b.example");
  LoneSocket other(true);
  ASSERT_EQ(SECSuccess, SSL_BindServerCache(other.fd(), "b.example"));
  ASSERT_EQ(number, ShimBoundCache(other.fd()));

  // The session of a handshake that was in flight during the Shutdown.
  ShimCache(server.fd(), in_flight.get());
  EXPECT_FALSE(ShimIsInServerCache(in_flight.get()));
  // A connection whose socket was bound, and one that copies a bound model.
  ASSERT_TRUE(bound.Handshake());
  EXPECT_FALSE(bound.resumed());
  Connection modelled(&listener_, options);
  ASSERT_TRUE(SSL_ReconfigFD(model, modelled.server()));
  ASSERT_EQ(number, ShimBoundCache(modelled.server()));
  ASSERT_TRUE(modelled.Handshake());
  EXPECT_EQ(0u, Figures("b.example").inserts);
  EXPECT_EQ(0u, Figures("b.example").removals);
  EXPECT_EQ(0u, Figures(nullptr).inserts);
  PR_Close(model);
}

TEST_F(HostsTest, AnInstanceOfAnEarlierRegionIsMadeAnew) {
  ShimInstance one = {}, two = {};
  ASSERT_EQ(SECSuccess, ShimConfigInstance(&one, 100, 0, 10));
  ShimInstance old = one;
  SSL_ShutdownServerSessionIDCache();
  ASSERT_EQ(SECSuccess, ShimConfigInstance(&two, 100, 0, 600));
  ASSERT_EQ(600u, Figures("instance-0").ssl3TimeoutSec);
  // Configuring the old instance changes nothing of the one that has its number
  // now, ...
  ASSERT_EQ(SECSuccess, ShimConfigInstance(&one, 100, 0, 20));
  EXPECT_EQ(600u, Figures("instance-0").ssl3TimeoutSec);
  EXPECT_EQ(20u, Figures("instance-1").ssl3TimeoutSec);
  // ... and shutting it down does not remove that one.
  ASSERT_EQ(SECSuccess, ShimShutdownInstance(&old));
  EXPECT_EQ(600u, Figures("instance-0").ssl3TimeoutSec);
}

// All caches share the ticket keys, but each ticket belongs to one cache.
TEST_F(HostsTest, ATicketOfOneCacheIsNoneOfAnother) {
  Add("a.example");
  Add("b.example");
  for (uint16_t version :
       {SSL_LIBRARY_VERSION_TLS_1_2, SSL_LIBRARY_VERSION_TLS_1_3}) {
    ConnectOptions options;
    options.url = "c.example";
    options.tickets = true;
    options.version = version;
    struct {
      const char* bound;
      bool resumed;
    } steps[] = {{"a.example", false}, {"a.example", true},
                 {"b.example", false}, {"b.example", true},
                 {nullptr, false},     {nullptr, true}};
    for (const auto& step : steps) {
      Connection connection(&listener_, options);
      if (step.bound) {
        ASSERT_EQ(SECSuccess,
                  SSL_BindServerCache(connection.server(), step.bound));
      }
      ASSERT_TRUE(connection.Handshake() && connection.Talk());
      EXPECT_EQ(step.resumed, connection.resumed())
          << version << " " << (step.bound ? step.bound : "unbound");
    }
    SSL_ClearSessionCache();
  }
}

TEST_F(HostsTest, WithoutTheAddressAClientResumesFromAnywhere) {
  SSLServerCacheParams params = Params(0, 0);
  params.anyClientAddress = PR_TRUE;
  ASSERT_EQ(SECSuccess, SSL_AddServerCache("a.example", &params));
  LoneSocket server(true);
  ASSERT_EQ(SECSuccess, SSL_BindServerCache(server.fd(), "a.example"));
  ShimNoteOrigin(server.fd());
  ShimFields f = SampleFields(1, PR_Now());
  Sid sid(ShimNewSid(&f, nullptr));
  ShimSetOrigin(sid.get(), server.fd());
  ShimCache(server.fd(), sid.get());
  f.address[0] ^= 1;
  ShimSetPeer(server.fd(), f.address);
  EXPECT_TRUE(Sid(ShimLookup(server.fd(), f.id, f.idLen)));
}

TEST_F(HostsTest, AChildSeesWhatItsParentChangesAtOnce) {
  int ends[2];
  ASSERT_EQ(0, pipe(ends));
  Add("a.example", 100, 10);
  // The child does not look before the parent says so, and answers by its exit
  // status.
  EXPECT_EQ(0, InFork([&] {
              Add("b.example", 100, 20);
              SSLServerCacheParams params = Params(100, 30);
              return SSL_ChangeServerCache("a.example", &params) == SECSuccess
                         ? 0
                         : 1;
            }));
  EXPECT_EQ(30u, Figures("a.example").ssl3TimeoutSec);
  EXPECT_EQ(20u, Figures("b.example").ssl3TimeoutSec);
  ASSERT_EQ(SECSuccess, SSL_RemoveServerCache("b.example"));
  EXPECT_EQ(0, InFork([&] { return List().size() == 2 ? 0 : 1; }));
  close(ends[0]);
  close(ends[1]);
}

TEST_F(HostsTest, AThousandAndTwentyFourFitAndNoMore) {
  SSLServerCacheParams params = Params(10, 0);
  for (int i = 0; i < 1024; ++i) {
    const std::string name = "host" + std::to_string(i) + ".example";
    ASSERT_EQ(SECSuccess, SSL_AddServerCache(name.c_str(), &params))
        << i << " " << PR_ErrorToName(PR_GetError());
  }
  EXPECT_FAILS(PR_INSUFFICIENT_RESOURCES_ERROR,
               SSL_AddServerCache("one.more.example", &params));
  EXPECT_EQ(1025u, List().size());
  EXPECT_FALSE(Resumes("host1023.example"));
  EXPECT_TRUE(Resumes("host1023.example"));
  EXPECT_EQ(1u, Figures("host1023.example").hits);
}

// ---- the ...Instance calls ----

TEST_F(HostsTest, AnInstanceIsACacheOfItsOwn) {
  ShimInstance one = {};
  ShimInstance two = {};
  ASSERT_EQ(SECSuccess, ShimConfigInstance(&one, 100, 0, 10));
  ASSERT_EQ(SECSuccess, ShimConfigInstance(&two, 100, 0, 600));
  ConnectOptions options;
  options.url = "c.example";
  auto resumes = [&](const ShimInstance* instance, PRTime clock) {
    options.server_clock = &clock;
    Connection connection(&listener_, options);
    if (instance) ShimBindInstance(connection.server(), instance);
    EXPECT_TRUE(connection.Handshake());
    return connection.resumed();
  };
  EXPECT_FALSE(resumes(&one, kStart));
  EXPECT_TRUE(resumes(&one, kStart + 10 * kSecond - 1));
  EXPECT_FALSE(resumes(&two, kStart));
  EXPECT_TRUE(resumes(&two, kStart + 600 * kSecond - 1));
  EXPECT_FALSE(resumes(&one, kStart));
  EXPECT_FALSE(resumes(&one, kStart + 10 * kSecond));
  // The names of clients do not choose it, and it is not listed.
  EXPECT_EQ(1u, List().size());
  EXPECT_FALSE(Resumes("instance-0"));
  EXPECT_EQ(1u, Figures(nullptr).inserts);

  EXPECT_EQ(SECSuccess, ShimShutdownInstance(&one));
  EXPECT_FALSE(resumes(&one, kStart));  // the instance is gone
  EXPECT_FALSE(resumes(&two, kStart));
  EXPECT_TRUE(resumes(&two, kStart));
}

TEST_F(HostsTest, AnInstanceMayBeTheFirstCacheOfAProcess) {
  SSL_ShutdownServerSessionIDCache();
  ShimInstance one = {};
  ASSERT_EQ(SECSuccess, ShimConfigInstance(&one, 100, 0, 10));
  EXPECT_EQ(10000u, Figures(nullptr).entries);
  // Configuring it again changes its timeouts.
  ASSERT_EQ(SECSuccess, ShimConfigInstance(&one, 100, 0, 20));
  EXPECT_EQ(20u, Figures("instance-0").ssl3TimeoutSec);
}

}  // namespace
}  // namespace nss_test
