/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// endpoint.h: the two ends of a handshake, through NSS's public API only.
#ifndef SSLSNCE_TESTS_REGRESS_BLACKBOX_ENDPOINT_H_
#define SSLSNCE_TESTS_REGRESS_BLACKBOX_ENDPOINT_H_

#include <stdint.h>

#include <string>

#include "prerror.h"
#include "prio.h"
#include "prtime.h"
#include "ssl.h"
#include "sslproto.h"
#include "test_defaults.h"

namespace regress {

constexpr PRTime kSecond = PR_USEC_PER_SEC;

// Mock clocks start in 2001. No process's clock reads that, so that a cache
// that reads the wrong clock fails at once.
constexpr PRTime kStart = 1000000000 * kSecond;

// The name that a client asks for.
constexpr char kHost[] = "regress.example";

// How one side behaves. Plain data, because it goes through a socket to a
// server in another process.
struct Side {
  PRTime clock = 0;  // the time of SSL_SetTimeFunc; 0: the real clock
  PRTime tick = 0;   // how far the clock moves each time that it is read
  uint16_t version = SSL_LIBRARY_VERSION_TLS_1_2;
  bool tickets = false;
  bool invalidate = false;  // SSL_InvalidateSession when all is done
  char host[64] = "";       // a client's; "": kHost
};

// The result on one side. The times are those of SSLChannelInfo, in seconds.
struct Outcome {
  bool complete = false;
  bool resumed = false;
  PRErrorCode error = 0;  // of the call that failed, if not complete
  uint32_t created = 0;
  uint32_t accessed = 0;
  uint32_t expires = 0;
  uint32_t id_length = 0;
};

// Makes a certificate and its key for all servers of this program, once, in a
// child. They lie in a memory file that children inherit, over exec too.
// Returns false if that fails.
bool MakeIdentity();

// Starts NSS without a database, once. Returns false, with an NSPR error, if
// that fails or there is no identity.
bool StartNss();

// Returns whether this library has SSL_SetTimeFunc (NSS 3.44 and later). Starts
// NSS.
bool HasTimeFunc();

// Serve and Visit make one handshake over |tcp| and close it; they own |tcp|.
// The server sends a byte when it has finished its side: the client that has
// read it knows that the session is stored.
Outcome Serve(PRFileDesc* tcp, const Side& side);
// A client has one session for each |visitor|.
Outcome Visit(PRFileDesc* tcp, const Side& side, const std::string& visitor);

}  // namespace regress

#endif  // SSLSNCE_TESTS_REGRESS_BLACKBOX_ENDPOINT_H_
