/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// config_file_test.cc: the syntax and the parameters of the file that
// SSL_SERVER_CACHE_CONFIG names; and which files are refused with
// SSL_SERVER_CACHE_CONFIG_STRICT.

#include "config_file.h"

#include <sys/stat.h>

#include "secerr.h"
#include "sncetestshim.h"
#include "sslerr.h"
#include "test_region.h"

namespace nss_test {
namespace {

class StrictConfigFileTest : public ConfigFileTest {
 protected:
  void SetUp() override {
    ConfigFileTest::SetUp();
    setenv(SSL_SERVER_CACHE_CONFIG_STRICT, "1", 1);
  }

  // Expects that a file with |text| is refused: stderr and the error's text
  // have the message |what| about |place| (":LINE:COLUMN"), and there is no
  // cache.
  void ExpectRefused(const std::string& text, const std::string& place,
                     const std::string& what) {
    Write(text);
    std::string said;
    EXPECT_EQ(SECFailure, Configure(&said)) << text;
    EXPECT_STREQ("SEC_ERROR_INVALID_ARGS", PR_ErrorToName(PR_GetError()));
    const std::string message = Message(place, what + "; the call fails");
    EXPECT_NE(std::string::npos, said.find(message)) << said << message;
    EXPECT_EQ(message, text_ + "\n");
    EXPECT_FALSE(IsThere(nullptr));
    EXPECT_EQ(SSL_ERROR_SERVER_CACHE_NOT_CONFIGURED, PR_GetError());
  }
};

TEST_F(ConfigFileTest, EachLineIsACache) {
  Write(
      "# caches of this machine\n"
      "\n"
      "name=shop.example entries=20000 ssl3Timeout=300 "
      "matchClientAddress=no\n"
      "  name='*.news.example'\tssl2Timeout=7   certificates=5 # of clients\n"
      "#name=not.example\n"
      "entries=30 name=last.example");
  ASSERT_EQ(SECSuccess, Configure()) << text_;
  EXPECT_EQ(20000u, Figures("shop.example").entries);
  EXPECT_EQ(300u, Figures("shop.example").ssl3TimeoutSec);
  EXPECT_EQ(100u, Figures("shop.example").ssl2TimeoutSec);
  EXPECT_EQ(10000u, Figures("*.news.example").entries);
  EXPECT_EQ(7u, Figures("*.news.example").ssl2TimeoutSec);
  EXPECT_EQ(30u, Figures("last.example").entries);
  // The default cache has the application's values.
  EXPECT_EQ(500u, Figures(nullptr).entries);
  EXPECT_EQ(50u, Figures(nullptr).ssl2TimeoutSec);
  EXPECT_EQ(60u, Figures(nullptr).ssl3TimeoutSec);
}

TEST_F(ConfigFileTest, TheStarOverridesWhatTheApplicationAsked) {
  Write("name=* entries=700 ssl3Timeout=3600\n");
  ASSERT_EQ(SECSuccess, Configure());
  EXPECT_EQ(700u, Figures(nullptr).entries);
  EXPECT_EQ(3600u, Figures(nullptr).ssl3TimeoutSec);
  EXPECT_EQ(50u, Figures(nullptr).ssl2TimeoutSec);
}

TEST_F(ConfigFileTest, TimeoutsAreClampedAsInTheCalls) {
  Write(
      "name=* ssl2Timeout=1 ssl3Timeout=1\n"
      "name=a.example ssl2Timeout=101 ssl3Timeout=86401\n");
  ASSERT_EQ(SECSuccess, Configure());
  EXPECT_EQ(5u, Figures(nullptr).ssl2TimeoutSec);
  EXPECT_EQ(5u, Figures(nullptr).ssl3TimeoutSec);
  EXPECT_EQ(100u, Figures("a.example").ssl2TimeoutSec);
  EXPECT_EQ(kDefaultSsl3TimeoutSec, Figures("a.example").ssl3TimeoutSec);
}

TEST_F(ConfigFileTest, AnEmptyFileChangesNothing) {
  Write("");
  ASSERT_EQ(SECSuccess, Configure());
  EXPECT_EQ(500u, Figures(nullptr).entries);
}

// Small differences in form do not matter.
TEST_F(ConfigFileTest,
       BlanksCommentsCarriageReturnsAndAByteOrderMarkAreAccepted) {
  std::string said = ConfigureBy(
      "\xef\xbb\xbfname = a.example entries =20\tssl3Timeout= 30 # of the "
      "shop\r\n"
      "\t# nothing\r\n"
      "\r\n"
      "name=B.Example. entries=21 ssl3Timeout=31\r\n"
      "name='c.exampl\\e' entries={22} ssl3Timeout=\"32\"  #\r\n"
      "name = *.d.example.\r\n"
      "#name=e.example");
  EXPECT_EQ("", said);
  EXPECT_EQ(20u, Figures("a.example").entries);
  EXPECT_EQ(30u, Figures("a.example").ssl3TimeoutSec);
  EXPECT_EQ(21u, Figures("b.example").entries);
  EXPECT_EQ(31u, Figures("b.example").ssl3TimeoutSec);
  EXPECT_EQ(22u, Figures("c.example").entries);
  EXPECT_EQ(32u, Figures("c.example").ssl3TimeoutSec);
  EXPECT_TRUE(IsThere("*.d.example"));
  EXPECT_FALSE(IsThere("e.example"));
}

SECStatus CollectClockSkew(void* arg, const char* name,
                           const SSLServerCacheParams* params) {
  (*static_cast<std::string*>(arg)) +=
      std::to_string(params->clockSkewSec) + " ";
  return SECSuccess;
}

// The limits of the tickets of one cache, in seconds.
struct TicketLimits {
  std::string name;  // "*" for the default cache
  PRUint32 timeout;
  PRUint32 age;
  PRUint32 rotation;
};
bool operator==(const TicketLimits& a, const TicketLimits& b) {
  return a.name == b.name && a.timeout == b.timeout && a.age == b.age &&
         a.rotation == b.rotation;
}
void PrintTo(const TicketLimits& limits, std::ostream* out) {
  *out << limits.name << " " << limits.timeout << " " << limits.age << " "
       << limits.rotation;
}

SECStatus CollectTicketLimits(void* arg, const char* name,
                              const SSLServerCacheParams* params) {
  static_cast<std::vector<TicketLimits>*>(arg)->push_back(
      {name ? name : "*", params->ticketTimeoutSec, params->maxResumptionAgeSec,
       params->ticketRotationSec});
  return SECSuccess;
}

// Returns those of all caches. An age of 0 is the default, which depends on the
// version of TLS; a named cache has no rotation.
std::vector<TicketLimits> AllTicketLimits() {
  std::vector<TicketLimits> all;
  EXPECT_EQ(SECSuccess, SSL_ListServerCaches(CollectTicketLimits, &all));
  return all;
}
using AllLimits = std::vector<TicketLimits>;

const TicketLimits kDefaultTicketLimits = {"*", 172800, 0, 86400};

SECStatus CollectAnyAddress(void* arg, const char* name,
                            const SSLServerCacheParams* params) {
  (*static_cast<std::string*>(arg)) += params->anyClientAddress ? 'n' : 'y';
  return SECSuccess;
}

TEST_F(ConfigFileTest, FlagsAreWordsOrNumbers) {
  const struct {
    const char* word;
    char match;
  } kWords[] = {{"yes", 'y'}, {"true", 'y'},  {"on", 'y'},  {"1", 'y'},
                {"no", 'n'},  {"false", 'n'}, {"off", 'n'}, {"0", 'n'},
                {"YES", 'y'}, {"False", 'n'}};
  for (const auto& expected : kWords) {
    EXPECT_EQ("", ConfigureBy(std::string("name=* matchClientAddress=") +
                              expected.word + " lock=off\n"));
    std::string seen;
    EXPECT_EQ(SECSuccess, SSL_ListServerCaches(CollectAnyAddress, &seen));
    EXPECT_EQ(std::string(1, expected.match), seen) << expected.word;
  }
}

TEST_F(ConfigFileTest, TimesMayHaveAUnit) {
  const struct {
    const char* text;
    PRUint32 seconds;
  } kTimes[] = {{"300", 300},
                {"300s", 300},
                {"5m", 300},
                {"5M", 300},
                {"1h", 3600},
                {"1d", 86400},
                {"24h", 86400},
                {"1440m", 86400},
                {"0", kDefaultSsl3TimeoutSec},
                {"0m", kDefaultSsl3TimeoutSec}};
  for (const auto& time : kTimes) {
    EXPECT_EQ("", ConfigureBy(std::string("name=a.example ssl3Timeout=") +
                              time.text + "\n"));
    EXPECT_EQ(time.seconds, Figures("a.example").ssl3TimeoutSec) << time.text;
  }
  EXPECT_EQ("", ConfigureBy("name=a.example ssl2Timeout=1m clockSkew=5m\n"));
  EXPECT_EQ(60u, Figures("a.example").ssl2TimeoutSec);
  std::string skews;
  EXPECT_EQ(SECSuccess, SSL_ListServerCaches(CollectClockSkew, &skews));
  EXPECT_EQ("2 300 ", skews);
}

TEST_F(ConfigFileTest, TheLimitsOfTicketsMayHaveAUnit) {
  EXPECT_EQ("", ConfigureBy("name=* ticketTimeout=12h maxResumptionAge=3d "
                            "ticketRotation=90m\n"
                            "name=a.example tickettimeout=300s "
                            "MAXRESUMPTIONAGE=10m\n"
                            "name=b.example ticketTimeout=5\n"
                            "name=c.example maxResumptionAge=7d\n"));
  EXPECT_EQ((AllLimits{{"*", 43200, 259200, 5400},
                       {"a.example", 300, 600, 0},
                       {"b.example", 5, 0, 0},
                       {"c.example", 172800, 604800, 0}}),
            AllTicketLimits());
}

TEST_F(ConfigFileTest, AZeroIsTheDefaultOfALimitOfTickets) {
  EXPECT_EQ("", ConfigureBy("name=* ticketTimeout=0 maxResumptionAge=0d "
                            "ticketRotation=0h\n"));
  EXPECT_EQ(AllLimits{kDefaultTicketLimits}, AllTicketLimits());
}

TEST_F(ConfigFileTest, WhatIsClampedOfTheLimitsOfTicketsIsReported) {
  EXPECT_EQ(
      Message(":1:22", "ticketTimeout=4 became 5 (5 to 604800 seconds)") +
          Message(":1:41",
                  "maxResumptionAge=1 became 5 (5 to 604800 "
                  "seconds)") +
          Message(":1:58",
                  "ticketRotation=59s became 60 (60 to 604800 "
                  "seconds)") +
          Message(":2:30",
                  "ticketTimeout=8d became 604800 (5 to 604800 "
                  "seconds)") +
          Message(":2:50",
                  "maxResumptionAge=169h became 604800 (5 to 604800 "
                  "seconds)"),
      ConfigureBy("name=* ticketTimeout=4 maxResumptionAge=1 "
                  "ticketRotation=59s\n"
                  "name=a.example ticketTimeout=8d maxResumptionAge=169h\n"));
  EXPECT_EQ((AllLimits{{"*", 5, 5, 60}, {"a.example", 604800, 604800, 0}}),
            AllTicketLimits());
  EXPECT_EQ(Message(":1:23",
                    "ticketRotation=604801 became 604800 (60 to "
                    "604800 seconds)"),
            ConfigureBy("name=* ticketRotation=604801\n"));
  EXPECT_EQ(604800u, AllTicketLimits()[0].rotation);
}

TEST_F(ConfigFileTest, AWrongStarShortensTheLimitsOfTicketsOnly) {
  ConfigureBy(
      "name=* ticketTimeout=1h maxResumptionAge=2h ticketRotation=30m "
      "colour=red\n");
  EXPECT_EQ((AllLimits{{"*", 3600, 7200, 1800}}), AllTicketLimits());
  SSL_ShutdownServerSessionIDCache();
  // The application asks for the defaults, which are not longer than these.
  for (const char* value : {"7d", "0"}) {
    ConfigureBy(std::string("name=* ticketTimeout=") + value +
                " maxResumptionAge=" + value + " ticketRotation=" + value +
                " colour=red\n");
    EXPECT_EQ(AllLimits{kDefaultTicketLimits}, AllTicketLimits()) << value;
    SSL_ShutdownServerSessionIDCache();
  }
  // The values that could not be read count for nothing.
  ConfigureBy(
      "name=* ticketTimeout=5w maxResumptionAge=1h30m ticketRotation=-60\n");
  EXPECT_EQ(AllLimits{kDefaultTicketLimits}, AllTicketLimits());
  SSL_ShutdownServerSessionIDCache();
  // Of two values the smaller one counts, whichever comes first.
  ConfigureBy(
      "name=* ticketTimeout=1h ticketTimeout=2h ticketRotation=2h "
      "ticketRotation=1h\n");
  EXPECT_EQ((AllLimits{{"*", 3600, 0, 3600}}), AllTicketLimits());
}

TEST_F(ConfigFileTest, ALineWithARotationOfItsOwnIsACacheThatIsClosed) {
  EXPECT_NE(std::string::npos,
            ConfigureBy("name=a.example ticketRotation=1h ticketTimeout=1h\n"
                        "name=b.example ticketTimeout=1h\n")
                .find("ticketRotation is for name=*, and then for all caches"));
  EXPECT_TRUE(IsClosed("a.example"));
  EXPECT_FALSE(IsClosed("b.example"));
  EXPECT_FALSE(IsClosed(nullptr));
  EXPECT_EQ(kDefaultTicketLimits, AllTicketLimits()[0]);
}

TEST_F(ConfigFileTest, WhatIsClampedIsReported) {
  EXPECT_EQ(
      Message(":1:13", "ssl3Timeout=3 became 5 (5 to 86400 seconds)") +
          Message(":1:27", "ssl2Timeout=5m became 100 (5 to 100 seconds)") +
          Message(":2:28",
                  "ssl3Timeout=2d became 86400 "
                  "(5 to 86400 seconds)") +
          Message(":3:26", "clockSkew=301 became 300 (1 to 300 seconds)") +
          Message(":4:40",
                  "certificates=51 became 50 (one for each "
                  "session)"),
      ConfigureBy("ssl3Timeout=3 ssl2Timeout=5m name=*\n"
                  "name=a.example ssl3Timeout=2d\n"
                  "name=b.example clockSkew=301\n"
                  "name=c.example entries=50 certificates=51\n"));
  EXPECT_EQ(5u, Figures(nullptr).ssl3TimeoutSec);
  EXPECT_EQ(100u, Figures(nullptr).ssl2TimeoutSec);
  EXPECT_EQ(86400u, Figures("a.example").ssl3TimeoutSec);
  for (const char* name : {(const char*)nullptr, "a.example", "b.example"}) {
    EXPECT_FALSE(IsClosed(name));
  }
  // In the default cache the limit is the number of entries that the
  // application asks for.
  EXPECT_EQ(Message(":1:21",
                    "certificates=501 became 500 (one for each "
                    "session)"),
            ConfigureBy("name=* certificates=501\n"));
}

TEST_F(StrictConfigFileTest, FaultsAreNamedWithTheirPlaceAndWhatWasExpected) {
  const std::string good = "name=a.example\n# fine\n\n";
  ExpectRefused(good + "name=b.example entris=5\n", ":4:16",
                "unknown parameter \"entris\" (did you mean \"entries\"?)");
  ExpectRefused(good + "nmae=b.example\n", ":4:1",
                "unknown parameter \"nmae\" (did you mean \"name\"?)");
  ExpectRefused(good + "name=b.example ssl3_timeout=5\n", ":4:16",
                "unknown parameter \"ssl3_timeout\" (did you mean "
                "\"ssl3Timeout\"?)");
  ExpectRefused(good + "name=b.example colour=5\n", ":4:16",
                "unknown parameter \"colour\"");
  ExpectRefused(good + "entries=5\n", ":4:1",
                "no name, expected name=HOST or name=*");
  ExpectRefused(good + "name=b.example entries=many\n", ":4:24",
                "entries=\"many\", expected a number");
  ExpectRefused(good + "name=b.example entries=-5\n", ":4:24",
                "entries=\"-5\", expected a number");
  ExpectRefused(good + "name=b.example entries=0x10\n", ":4:24",
                "entries=\"0x10\", expected a number");
  ExpectRefused(good + "name=b.example entries=5m\n", ":4:24",
                "entries=\"5m\", expected a number");
  ExpectRefused(good + "name=b.example entries=5#\n", ":4:24",
                "entries=\"5#\", expected a number");
  ExpectRefused(good + "name=b.example entries=010\n", ":4:24",
                "entries=\"010\", expected no 0 in front");
  ExpectRefused(good + "name=b.example entries=100000001\n", ":4:24",
                "entries=\"100000001\", expected at most 100000000");
  ExpectRefused(good + "name=b.example entries=99999999999999999999\n", ":4:24",
                "entries=\"99999999999999999999\", expected at most 100000000");
  ExpectRefused(good + "name=b.example ssl3Timeout=5w\n", ":4:28",
                "ssl3Timeout=\"5w\", expected seconds, 5m, 1h or 1d");
  ExpectRefused(good + "name=b.example ssl3Timeout=1h30m\n", ":4:28",
                "ssl3Timeout=\"1h30m\", expected seconds, 5m, 1h or 1d");
  ExpectRefused(good + "name=b.example ticketTimeout=5w\n", ":4:30",
                "ticketTimeout=\"5w\", expected seconds, 5m, 1h or 1d");
  ExpectRefused(good + "name=b.example maxResumptionAge=-1\n", ":4:33",
                "maxResumptionAge=\"-1\", expected seconds, 5m, 1h or 1d");
  ExpectRefused(good + "name=* ticketRotation=01d\n", ":4:23",
                "ticketRotation=\"01d\", expected no 0 in front");
  ExpectRefused(good + "name=b.example ticketTimeouts=5\n", ":4:16",
                "unknown parameter \"ticketTimeouts\" (did you mean "
                "\"ticketTimeout\"?)");
  ExpectRefused(good + "name=b.example ticketTimeout=9 ticketTimeout=8\n",
                ":4:46", "a second value for \"ticketTimeout\"");
  ExpectRefused(good + "name=b.example matchClientAddress=maybe\n", ":4:35",
                "matchClientAddress=\"maybe\", expected yes or no");
  ExpectRefused(good + "name=b.example entries=5 entries=5\n", ":4:34",
                "a second value for \"entries\"");
  ExpectRefused(good + "name=b.example clockSkew=9 clockSkew=8\n", ":4:38",
                "a second value for \"clockSkew\"");
  ExpectRefused(good + "name=b.example name=c.example\n", ":4:21",
                "a second name");
  ExpectRefused(good + "name=A.example.\n", ":4:6",
                "a second line for \"a.example\", after line 1");
  ExpectRefused("name=*\n" + good + "name=*\n", ":5:6",
                "a second line for \"*\", after line 1");
  ExpectRefused(good + "name=b..example\n", ":4:6",
                "\"b..example\" is no host name, expected one, or *");
  ExpectRefused(good + "name=b.example entries\n", ":4:16",
                "expected parameter=value");
  ExpectRefused(good + "name=b.example =5\n", ":4:16",
                "expected parameter=value");
  ExpectRefused(good + "name=b.example entries=\n", ":4:24",
                "no value for \"entries\"");
  ExpectRefused(good + "name=b.example entries= # 5\n", ":4:24",
                "no value for \"entries\"");
  ExpectRefused(good + "entries= name=b.example\n", ":4:9",
                "no value for \"entries\"");
  ExpectRefused(good + "entries= name = b.example\n", ":4:9",
                "no value for \"entries\"");
  ExpectRefused(good + "name=b.example entries=''\n", ":4:24",
                "no value for \"entries\"");
  ExpectRefused(good + "name='b.example\n", ":4:6",
                "a quotation that does not end");
  ExpectRefused(good + "name='b.example'entries=5\n", ":4:17",
                "expected a blank behind a quotation");
  ExpectRefused(std::string("name=a.example\0 entries=5\n", 26), ":1:6",
                "\"a.example?\" is no host name, expected one, or *");
}

TEST_F(StrictConfigFileTest, EveryFaultIsToldAndTheFirstIsTheErrorsText) {
  Write("name=a.example entris=5\nentries=5\nname=b.example lock=2\n");
  std::string said;
  EXPECT_EQ(SECFailure, Configure(&said));
  const std::string first =
      Message(":1:16",
              "unknown parameter \"entris\" (did you mean "
              "\"entries\"?); the call fails");
  EXPECT_EQ(first +
                Message(":2:1",
                        "no name, expected name=HOST or name=*; the "
                        "call fails") +
                Message(":3:21",
                        "lock=\"2\", expected yes or no; the call "
                        "fails") +
                Message(":3:21",
                        "lock is for name=*, and then for all caches; "
                        "the call fails"),
            said);
  EXPECT_EQ(first, text_ + "\n");
}

TEST_F(StrictConfigFileTest, AClampedValueIsReportedAndNoFault) {
  EXPECT_EQ(Message(":1:28", "ssl3Timeout=3 became 5 (5 to 86400 seconds)"),
            ConfigureBy("name=a.example ssl3Timeout=3\n"));
}

TEST_F(StrictConfigFileTest, AMissingFileIsNamed) {
  unlink(path_.c_str());
  std::string said;
  EXPECT_EQ(SECFailure, Configure(&said));
  EXPECT_STREQ("PR_FILE_NOT_FOUND_ERROR", PR_ErrorToName(PR_GetError()));
  EXPECT_EQ(Message("", "no such file; the call fails"), said);
  EXPECT_EQ(said, text_ + "\n");
}

TEST_F(StrictConfigFileTest, ADirectoryIsNoFile) {
  setenv(SSL_SERVER_CACHE_CONFIG, "/tmp", 1);
  std::string said;
  EXPECT_EQ(SECFailure, Configure(&said));
  EXPECT_EQ("cache file /tmp: not a regular file; the call fails\n", said);
}

TEST_F(StrictConfigFileTest, NoFileIsNamed) {
  setenv(SSL_SERVER_CACHE_CONFIG, "", 1);
  std::string said;
  EXPECT_EQ(SECFailure, Configure(&said));
  EXPECT_STREQ("PR_FILE_NOT_FOUND_ERROR", PR_ErrorToName(PR_GetError()));
}

TEST_F(ConfigFileTest, OnlyAClearNoIsNotStrict) {
  Write("name=a.example entris=5\n");
  for (const char* value : {"", "0", "no", "off", "False"}) {
    setenv(SSL_SERVER_CACHE_CONFIG_STRICT, value, 1);
    EXPECT_EQ(SECSuccess, Configure()) << value;
    SSL_ShutdownServerSessionIDCache();
  }
  for (const char* value : {"1", "yes", "On", "2", "ja", " "}) {
    setenv(SSL_SERVER_CACHE_CONFIG_STRICT, value, 1);
    EXPECT_EQ(SECFailure, Configure()) << value;
  }
}

TEST_F(StrictConfigFileTest, WhatCannotBeMadeIsNamedAndNothingIsLeft) {
  Write(Hosts(1025, "entries=10"));
  std::string said;
  EXPECT_EQ(SECFailure, Configure(&said));
  EXPECT_STREQ("PR_INSUFFICIENT_RESOURCES_ERROR",
               PR_ErrorToName(PR_GetError()));
  EXPECT_EQ(
      Message(":1025:6",
              "the cache cannot be made: 1024 are there, as many as there "
              "can be; the call fails"),
      said);
  EXPECT_FALSE(IsThere(nullptr));
}

// Strict files that change caches which exist already.
class StrictChangeTest : public StrictConfigFileTest {
 protected:
  void SetUp() override {
    StrictConfigFileTest::SetUp();
    Write(
        "name=* ssl2Timeout=20 ssl3Timeout=20\n"
        "name=a.example ssl3Timeout=20 entries=30 certificates=20\n"
        "name=*.b.example ssl3Timeout=20 entries=40 clockSkew=3\n");
    ASSERT_EQ(SECSuccess, Configure()) << text_;
    before_ = Caches();
    ASSERT_EQ(3u, before_.size());
  }
  // Returns the caches, one a line.
  static std::vector<std::string> Caches() {
    std::vector<std::string> caches;
    EXPECT_EQ(SECSuccess, SSL_ListServerCaches(Show, &caches));
    return caches;
  }
  // Expects that the call fails with |error| at |place|, and changes no cache.
  void ExpectNothingChangedBy(const std::string& text, const char* error,
                              const std::string& place) {
    Write(text);
    std::string said;
    EXPECT_EQ(SECFailure, Configure(&said));
    EXPECT_STREQ(error, PR_ErrorToName(PR_GetError()));
    EXPECT_NE(std::string::npos, said.find(path_ + place)) << said;
    EXPECT_NE(std::string::npos, said.find("; the call fails")) << said;
    EXPECT_EQ(said, text_ + "\n");
    EXPECT_EQ(before_, Caches());
  }
  static constexpr char kChanges[] =
      "name=* ssl3Timeout=50 entries=600 matchClientAddress=no "
      "ticketTimeout=1h maxResumptionAge=1h ticketRotation=1h\n"
      "name=a.example ssl3Timeout=50 entries=90 ticketTimeout=1h "
      "maxResumptionAge=1h\n"
      "name=*.b.example ssl3Timeout=10 entries=20\n"
      "name=c.example\n";

  std::vector<std::string> before_;

 private:
  static SECStatus Show(void* caches, const char* name,
                        const SSLServerCacheParams* params) {
    std::string text = name ? name : "*";
    for (PRUint32 value :
         {params->entries, params->certificates, params->ssl2TimeoutSec,
          params->ssl3TimeoutSec, PRUint32(params->anyClientAddress),
          params->clockSkewSec, params->ticketTimeoutSec,
          params->maxResumptionAgeSec, params->ticketRotationSec}) {
      text += " " + std::to_string(value);
    }
    static_cast<std::vector<std::string>*>(caches)->push_back(text);
    return SECSuccess;
  }
};

TEST_F(StrictChangeTest, MoreServersThanThereCanBeChangeNothing) {
  ExpectNothingChangedBy(kChanges + Hosts(1022, "entries=10"),
                         "PR_INSUFFICIENT_RESOURCES_ERROR", ":1026:6: ");
  // One server less is the largest number that there can be.
  Write(kChanges + Hosts(1021, "entries=10"));
  EXPECT_EQ(SECSuccess, Configure()) << text_;
  EXPECT_EQ(1025u, Caches().size());
}

TEST_F(StrictChangeTest, ServersWithoutAddressSpaceChangeNothing) {
  for (int round = 0; round < 2; ++round) {
    ExpectNothingChangedBy(kChanges + Hosts(64, "entries=100000000"),
                           "SEC_ERROR_NO_MEMORY", ":");
  }
  // The failed calls have given back their memory.
  Write(kChanges + Hosts(2, "entries=100000000"));
  EXPECT_EQ(SECSuccess, Configure()) << text_;
}

TEST_F(StrictChangeTest, AServerThatCannotGrowChangesNothing) {
  SSLServerCacheParams params;
  memset(&params, 0, sizeof(params));
  params.length = sizeof(params);
  params.entries = 100000000;
  while (SSL_AddServerCache(
             ("big" + std::to_string(before_.size()) + ".example").c_str(),
             &params) == SECSuccess) {
    before_ = Caches();
  }
  ASSERT_EQ(SEC_ERROR_NO_MEMORY, PR_GetError());
  ExpectNothingChangedBy(
      "name=* ssl3Timeout=50\nname=c.example\n"
      "name=*.b.example ssl3Timeout=10 entries=20\n"
      "name=a.example ssl3Timeout=50 entries=100000000\n",
      "SEC_ERROR_NO_MEMORY", ":4:6: ");
  // The default cache is changed last: if that fails, the rest is undone too.
  ExpectNothingChangedBy(
      "name=c.example\nname=*.b.example ssl3Timeout=10 entries=20\n"
      "name=* ssl3Timeout=50 entries=100000000\n",
      "SEC_ERROR_NO_MEMORY", ":3:31: no room for entries=100000000");
}

TEST_F(ConfigFileTest, ASecondConfigReadsTheFileAgain) {
  Write("name=a.example ssl3Timeout=10\nname=b.example\n");
  ASSERT_EQ(SECSuccess, Configure());
  Write(
      "name=* ssl3Timeout=30\nname=a.example ssl3Timeout=20\n"
      "name=c.example\n");
  ASSERT_EQ(SECSuccess, Configure());
  EXPECT_EQ(30u, Figures(nullptr).ssl3TimeoutSec);
  EXPECT_EQ(20u, Figures("a.example").ssl3TimeoutSec);
  EXPECT_EQ(kDefaultSsl3TimeoutSec, Figures("b.example").ssl3TimeoutSec);
  EXPECT_EQ(kDefaultSsl3TimeoutSec, Figures("c.example").ssl3TimeoutSec);
  // In a strict file a fault changes nothing.
  setenv(SSL_SERVER_CACHE_CONFIG_STRICT, "1", 1);
  Write("name=a.example ssl3Timeout=40\nname=a.example\n");
  EXPECT_EQ(SECFailure, Configure());
  EXPECT_EQ(20u, Figures("a.example").ssl3TimeoutSec);
}

TEST_F(ConfigFileTest, ASecondConfigChangesTheLimitsOfTickets) {
  ConfigureBy(
      "name=* ticketTimeout=1h maxResumptionAge=2h ticketRotation=30m\n"
      "name=a.example ticketTimeout=2h maxResumptionAge=3h\n");
  ConfigureBy("name=* ticketTimeout=5m\nname=a.example ticketTimeout=10m\n");
  EXPECT_EQ((AllLimits{{"*", 300, 0, 86400}, {"a.example", 600, 0, 0}}),
            AllTicketLimits());
  // A cache that the file does not name any more is left as it is. So is the
  // default cache: the call has no arguments about tickets.
  ConfigureBy("");
  EXPECT_EQ((AllLimits{{"*", 300, 0, 86400}, {"a.example", 600, 0, 0}}),
            AllTicketLimits());
  ConfigureBy("name=*\n");
  EXPECT_EQ((AllLimits{kDefaultTicketLimits, {"a.example", 600, 0, 0}}),
            AllTicketLimits());
}

std::string KeyPaths(const std::string& text) {
  char found[256];
  ShimFindKeyPaths(text.c_str(), found);
  return found;
}

TEST_F(ConfigFileTest, TheStarMayNameFilesOfTicketKeys) {
  EXPECT_EQ("none", KeyPaths("name=*\nname=a.example\n"));
  EXPECT_EQ("1:22 ticketKeyFile /etc/ticket.key",
            KeyPaths("name=* ticketKeyFile=/etc/ticket.key\n"));
  EXPECT_EQ("3:18 ticketSecretFile /a,/b,/c",
            KeyPaths("# x\nname=a.example\n"
                     "ticketsecretfile=/a,/b,/c name=* lock=yes\n"));
  // Quotes and backslashes are as in every value.
  EXPECT_EQ("1:24 ticketKeyFile /etc/my key,/\xc3\xa9#",
            KeyPaths("name=* ticketKeyFile = '/etc/my key,/\xc3\xa9#'"));
  EXPECT_EQ("1:22 ticketKeyFile /etc/my key,/b\"",
            KeyPaths("name=* ticketKeyFile=/etc/my\\ key,/b\\\""));
  const std::string eight = "/1,/2,/3,/4,/5,/6,/7,/8";
  EXPECT_EQ("1:22 ticketKeyFile " + eight,
            KeyPaths("name=* ticketKeyFile=" + eight));
}

// Something else that is wrong in the line, or in another one, does not take
// the keys away.
TEST_F(ConfigFileTest, AFaultElsewhereLeavesTheFilesOfTicketKeys) {
  EXPECT_EQ("1:22 ticketKeyFile /a faulty",
            KeyPaths("name=* ticketKeyFile=/a entris=5\n"));
  EXPECT_EQ("1:22 ticketKeyFile /a faulty",
            KeyPaths("name=* ticketKeyFile=/a\nname=* entries=5\n"));
  EXPECT_EQ("2:22 ticketKeyFile /a",
            KeyPaths("name=b.example ticketKeyFile=/b\n"
                     "name=* ticketKeyFile=/a\nname=a.example x=y\n"));
}

TEST_F(ConfigFileTest, FilesOfTicketKeysThatContradictEachOtherAreNone) {
  for (const char* text :
       {"name=* ticketKeyFile=/a ticketKeyFile=/a\n",
        "name=* ticketKeyFile=/a ticketKeyFile=\n",
        "name=* ticketKeyFile= ticketKeyFile=/a\n",
        "name=* ticketKeyFile=/a ticketSecretFile=/b\n",
        "name=* ticketSecretFile=/b ticketKeyFile=/a ticketKeyFile=/a\n",
        "name=* ticketSecretFile=b ticketKeyFile=/a\n",
        "name=* ticketKeyFile=/a\nname=* ticketSecretFile=/b\n",
        "name=* ticketKeyFile=/a\nname=* ticketKeyFile=/b\n",
        "name=* ticketKeyFile=a\n", "name=* ticketKeyFile=/a,\n",
        "name=a.example ticketKeyFile=/a\n", "ticketKeyFile=/a\n",
        "name=* name=* ticketKeyFile=/a\n"}) {
    EXPECT_EQ("none", KeyPaths(text)) << text;
  }
}

TEST_F(ConfigFileTest, AnEpochIsSetAndAFaultKeepsIt) {
  const auto epoch = [] {
    PRUint32 found = 0;
    const auto visit = [](void* out, const char* name,
                          const SSLServerCacheParams* params) {
      if (!name) *static_cast<PRUint32*>(out) = params->ticketEpoch;
      return SECSuccess;
    };
    EXPECT_EQ(SECSuccess, SSL_ListServerCaches(visit, &found));
    return found;
  };
  EXPECT_EQ("", ConfigureBy("name=* ticketEpoch=7\n"));
  EXPECT_EQ(7u, epoch());
  EXPECT_NE("", ConfigureBy("name=* ticketEpoch=eight\n"));
  EXPECT_EQ(7u, epoch());
  EXPECT_NE("", ConfigureBy("name=* ticketEpoch=8 entris=5\n"));
  EXPECT_EQ(8u, epoch());
  ConfigureBy("");
  EXPECT_EQ(8u, epoch());
  EXPECT_EQ("", ConfigureBy("name=*\n"));
  EXPECT_EQ(0u, epoch());
}

TEST_F(ConfigFileTest, EveryCallReadsIt) {
  Write("name=a.example ssl3Timeout=10\n");
  for (int call = 0; call < 3; ++call) {
    SSL_ShutdownServerSessionIDCache();
    SECStatus rv = call == 0 ? SSL_ConfigServerSessionIDCache(0, 0, 0, nullptr)
                   : call == 1 ? SSL_ConfigMPServerSIDCache(0, 0, 0, nullptr)
                               : SSL_ConfigServerSessionIDCacheWithOpt(
                                     0, 0, nullptr, 0, 0, 0, PR_TRUE);
    ASSERT_EQ(SECSuccess, rv);
    EXPECT_EQ(10u, Figures("a.example").ssl3TimeoutSec);
  }
}

// ---- lock=yes --------------------------------------------------------------

bool IsLockedInMemory() {
  const std::vector<int> regions = MemoryDescriptors();
  const std::vector<snce_test::Mapping> mappings =
      regions.empty() ? std::vector<snce_test::Mapping>()
                      : snce_test::MappingsOf(regions[0]);
  return !mappings.empty() &&
         mappings[0].flags.find(" lo ") != std::string::npos;
}

STAGE(InheritLocked) {
  STAGE_CHECK(SSL_InheritMPServerSIDCache(nullptr) == SECSuccess);
  STAGE_CHECK(IsLockedInMemory());
  return 0;
}

// Argument: the bytes of the region. The message comes once, but the error has
// its text each time.
STAGE(InheritLockedWithLittle) {
  STAGE_CHECK(MayLockLittle());
  for (bool first : {true, false}) {
    ::testing::internal::CaptureStderr();
    const SECStatus rv = SSL_InheritMPServerSIDCache(nullptr);
    const PRErrorCode error = PR_GetError();
    char text[512] = "";
    STAGE_CHECK(PR_GetErrorTextLength() < 512);
    PR_GetErrorText(text);
    const std::string said = ::testing::internal::GetCapturedStderr();
    const std::string told = text;
    STAGE_CHECK(rv == SECFailure);
    STAGE_CHECK(error == PR_INSUFFICIENT_RESOURCES_ERROR);
    STAGE_CHECK(told.find("it takes " + args[0] + " bytes") !=
                std::string::npos);
    STAGE_CHECK(told.find("(RLIMIT_MEMLOCK) is 65536") != std::string::npos);
    STAGE_CHECK(said == (first ? told + "\n" : ""));
  }
  return 0;
}

TEST_F(ConfigFileTest, LockKeepsTheCachesInMemoryInEveryProcess) {
  Write("name=a.example\nname=* lock=yes certificates=100\n");
  if (Configure() != SECSuccess &&
      PR_GetError() == PR_INSUFFICIENT_RESOURCES_ERROR) {
    GTEST_SKIP() << "this process may not lock enough memory";
  }
  EXPECT_TRUE(IsLockedInMemory());
  EXPECT_EQ(0, InFork([] {
              STAGE_CHECK(IsLockedInMemory());
              return 0;
            }));
  ASSERT_EQ(SECSuccess, SSL_ConfigMPServerSIDCache(500, 0, 60, nullptr));
  EXPECT_EQ(0, InExec("InheritLocked", {}));
  const uint64_t bytes = Figures(nullptr).regionBytes;
  EXPECT_EQ(0, InExec("InheritLockedWithLittle", {std::to_string(bytes)}));
}

TEST_F(ConfigFileTest, LockNoIsNoLock) {
  Write("name=* lock=no\n");
  ASSERT_EQ(SECSuccess, Configure());
  EXPECT_FALSE(IsLockedInMemory());
}

TEST_F(StrictConfigFileTest, LockIsForAllCachesOrNone) {
  ExpectRefused("name=a.example lock=yes\n", ":1:21",
                "lock is for name=*, and then for all caches");
}

TEST_F(StrictConfigFileTest, ARotationOfKeysIsForAllCachesToo) {
  const std::string what =
      "ticketRotation is for name=*, and then for all caches";
  ExpectRefused("name=a.example ticketRotation=1h\n", ":1:31", what);
  ExpectRefused("name=*\nticketRotation=1h name=*.b.example\n", ":2:16", what);
  // 0, the default, is none for a single cache either.
  ExpectRefused("name=a.example ticketRotation=0\n", ":1:31", what);
}

TEST_F(StrictConfigFileTest, FilesOfTicketKeysAreForAllCachesToo) {
  ExpectRefused("name=a.example ticketKeyFile=/a\n", ":1:30",
                "ticketKeyFile is for name=*, and then for all caches");
  ExpectRefused("name=*\nticketSecretFile=/a name=*.b.example\n", ":2:18",
                "ticketSecretFile is for name=*, and then for all caches");
}

TEST_F(StrictConfigFileTest, AFaultyListOfFilesIsToldWithWhatWasExpected) {
  const std::string form =
      ", expected paths that begin with /, separated by "
      "commas";
  for (const std::string label : {"ticketKeyFile", "ticketSecretFile"}) {
    const std::string begin = "name=* " + label + "=";
    const std::string place = ":1:" + std::to_string(begin.size() + 1);
    for (const char* value : {"key", "./key", "/a,", ",/a", "/a,,/b", "/a,b"}) {
      ExpectRefused(begin + value + "\n", place,
                    label + "=\"" + value + "\"" + form);
    }
    ExpectRefused(begin + "'/a, /b'\n", place, label + "=\"/a, /b\"" + form);
    ExpectRefused(begin + "/a, /b\n", place, label + "=\"/a,\"" + form);
    ExpectRefused(begin + "\n", place, "no value for \"" + label + "\"");
    ExpectRefused(begin + "'/a\n", place, "a quotation that does not end");
    ExpectRefused(begin + "'/a\tb'\n", place,
                  label + "=\"/a?b\", expected no control characters");
    ExpectRefused(begin + std::string("/a\0b\n", 5), place,
                  label + "=\"/a?b\", expected no control characters");
    ExpectRefused(begin + "/1,/2,/3,/4,/5,/6,/7,/8,/9\n", place,
                  label +
                      "=\"/1,/2,/3,/4,/5,/6,/7,/8,/9\", expected at most "
                      "8 paths");
    for (size_t len : {4096, 4097, 10000}) {
      ExpectRefused(begin + "/" + std::string(len - 1, 'x') + "\n", place,
                    label + "=\"/" + std::string(59, 'x') +
                        "...\", expected at most 4095 bytes");
    }
    EXPECT_EQ(0u, KeyPaths(begin + "/" + std::string(4094, 'x') + "\n")
                      .find(place.substr(1) + " " + label + " /xxx"));
    ExpectRefused(begin + "/a " + label + "=/b\n",
                  ":1:" + std::to_string(begin.size() + label.size() + 5),
                  "a second value for \"" + label + "\"");
  }
  ExpectRefused("name=* ticketKeyFile=/a ticketSecretFile=/b\n", ":1:42",
                "ticketKeyFile and ticketSecretFile exclude each other");
  ExpectRefused("name=* ticketSecretFile=/a ticketKeyFile=/b\n", ":1:42",
                "ticketSecretFile and ticketKeyFile exclude each other");
  ExpectRefused("name=* ticketKeyFiles=/a\n", ":1:8",
                "unknown parameter \"ticketKeyFiles\" (did you mean "
                "\"ticketKeyFile\"?)");
}

// A host's name that is far too long is none, as one that is a little too long.
TEST_F(StrictConfigFileTest, ANameThatIsTooLongIsNone) {
  for (size_t len : {256, 257, 258, 4096, 5000}) {
    std::string name;
    while (name.size() < len) name += "abcdefg.";
    name.resize(len - 1);
    ExpectRefused("name=" + name + "x\n", ":1:6",
                  "\"" + name.substr(0, 60) +
                      "...\" is no host name, expected one, or *");
  }
}

TEST_F(StrictConfigFileTest, WhatMayNotBeLockedIsToldWithTheLimitAndTheBytes) {
  Write("name=a.example\nname=* lock=yes certificates=100\n");
  ASSERT_EQ(0, chmod(path_.c_str(), 0644));
  EXPECT_EQ(
      0, InFork([&] {
        STAGE_CHECK(MayLockLittle());
        std::string said;
        STAGE_CHECK(Configure(&said) == SECFailure);
        STAGE_CHECK(PR_GetError() == PR_INSUFFICIENT_RESOURCES_ERROR);
        const std::string begin =
            path_ + ":2:13: the cache cannot be locked in memory: it takes ";
        const size_t at = said.find(begin);
        STAGE_CHECK(at != std::string::npos);
        STAGE_CHECK(std::stoull(said.substr(at + begin.size())) > uint64_t(1)
                                                                      << 20);
        STAGE_CHECK(said.find("(RLIMIT_MEMLOCK) is 65536") !=
                    std::string::npos);
        STAGE_CHECK(text_ + "\n" == said);
        STAGE_CHECK(MemoryDescriptors().empty());
        return 0;
      }));
}

TEST_F(StrictConfigFileTest, ACacheThatIsThereIsNotLockedAnyMore) {
  Write("name=* ssl3Timeout=30\n");
  ASSERT_EQ(SECSuccess, Configure());
  Write("name=* ssl3Timeout=40 lock=yes\n");
  std::string said;
  EXPECT_EQ(SECFailure, Configure(&said));
  EXPECT_EQ(PR_INVALID_STATE_ERROR, PR_GetError());
  EXPECT_EQ(Message(":1:28",
                    "too late to lock the cache in memory: it is there "
                    "already; the call fails"),
            said);
  EXPECT_EQ(30u, Figures(nullptr).ssl3TimeoutSec);
  EXPECT_FALSE(IsLockedInMemory());
}

}  // namespace
}  // namespace nss_test
