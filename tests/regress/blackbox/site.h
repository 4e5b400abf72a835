/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// site.h: a server cache, made by one of the calls that configure one, and the
// processes that serve from it.
#ifndef SSLSNCE_TESTS_REGRESS_BLACKBOX_SITE_H_
#define SSLSNCE_TESTS_REGRESS_BLACKBOX_SITE_H_

#include <sys/types.h>

#include <ostream>
#include <string>
#include <vector>

#include "endpoint.h"

namespace regress {

// The ways to configure a cache.
enum class Call {
  kConfig,         // SSL_ConfigServerSessionIDCache
  kWithOpt,        // SSL_ConfigServerSessionIDCacheWithOpt, one process
  kWithOptShared,  // the same for many processes, with fork and Inherit
  kMpFork,         // SSL_ConfigMPServerSIDCache, fork and Inherit
  kMpExec,         // SSL_ConfigMPServerSIDCache, fork, exec and Inherit
};
constexpr Call kAllCalls[] = {Call::kConfig, Call::kWithOpt,
                              Call::kWithOptShared, Call::kMpFork,
                              Call::kMpExec};
constexpr Call kSharedCalls[] = {Call::kWithOptShared, Call::kMpFork,
                                 Call::kMpExec};
const char* Name(Call call);
// GoogleTest prints a Call that is a test's parameter by its name.
inline void PrintTo(Call call, std::ostream* out) { *out << Name(call); }

// The two timeouts of a call, in seconds.
struct Timeouts {
  PRUint32 ssl2;
  PRUint32 ssl3;
};

SECStatus Configure(Call call, Timeouts timeouts);

// The results at both ends of one connection.
struct Meeting {
  Outcome server;
  Outcome client;
};

class Site {
 public:
  // Configures the cache in this process. If the cache is for many processes,
  // starts two more that inherit it; then NSS must not have been started here
  // yet. A failure fails the test, and ok() returns false.
  Site(Call call, Timeouts timeouts);
  // Returns a server in another process, which configures its own cache by
  // SSL_ConfigServerSessionIDCache: this process has clients only.
  static Site Elsewhere(Timeouts timeouts);
  ~Site();
  Site(Site&& other);
  Site(const Site&) = delete;
  Site& operator=(const Site&) = delete;

  bool ok() const { return ok_; }

  // The number of processes that serve. If the cache is configured in this
  // process, this process is server 0, over a socket pair. The others are
  // reached over loopback.
  size_t servers() const { return workers_.size() + (serves_here_ ? 1 : 0); }

  // Connects a client in this process to a server. An incomplete handshake
  // fails the test.
  Meeting Meet(size_t server, const Side& serving, const Side& visiting = {},
               const std::string& visitor = "visitor");

  // Returns whether |visitor|'s last session resumes at |server| at |clock|.
  bool Resumes(size_t server, PRTime clock,
               const std::string& visitor = "visitor");
  // Makes a new session at |clock|. |visitor| must have none, or one that does
  // not resume any more.
  void Begin(size_t server, PRTime clock,
             const std::string& visitor = "visitor");

  // Configures the cache again, in the process of |server|.
  SECStatus ConfigureAgain(size_t server, Call call, Timeouts timeouts);

 private:
  struct Worker {
    pid_t pid;
    int control;
  };
  Site() = default;
  void Listen();
  void StartWorker(Call call, bool configures, Timeouts timeouts);

  bool ok_ = true;
  bool serves_here_ = false;
  int listener_ = -1;
  uint16_t port_ = 0;  // in host order; the same for every server, so that a
                       // client finds its session again
  std::vector<Worker> workers_;
};

// The main function of an exec'd worker: |spec| is the value of --serve=.
// Returns the exit status.
int ServeAfterExec(const std::string& spec);

}  // namespace regress

#endif  // SSLSNCE_TESTS_REGRESS_BLACKBOX_SITE_H_
