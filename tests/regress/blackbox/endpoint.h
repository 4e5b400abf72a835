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

namespace regress {

constexpr PRTime kSecond = PR_USEC_PER_SEC;

// Where mock clocks start: 2001, which no process's clock says, so that a cache
// that asks the wrong clock shows at once.
constexpr PRTime kStart = 1000000000 * kSecond;

// The name that a client asks for.
constexpr char kHost[] = "regress.example";

// How one side is to behave. Plain data: it crosses a socket to a server in
// another process.
struct Side {
  PRTime clock = 0;  // what SSL_SetTimeFunc's function says; 0: the real clock
  PRTime tick = 0;   // how far it moves each time that it is asked
  uint16_t version = SSL_LIBRARY_VERSION_TLS_1_2;
  bool tickets = false;
  bool invalidate = false;  // SSL_InvalidateSession when all is done
  char host[64] = "";       // a client's; "": kHost
};

// What one side saw. The times are those of SSLChannelInfo, in seconds.
struct Outcome {
  bool complete = false;
  bool resumed = false;
  PRErrorCode error = 0;  // of what failed, if not complete
  uint32_t created = 0;
  uint32_t accessed = 0;
  uint32_t expires = 0;
  uint32_t id_length = 0;
};

// A certificate and its key for every server of this program, made once in a
// child and kept in a memory file that children inherit, over exec too.
bool MakeIdentity();

// Starts NSS without a database, once. False, with the error of NSPR, if that
// fails or there is no identity.
bool StartNss();

// Whether this library has SSL_SetTimeFunc (NSS 3.44 and later). NSS is
// started.
bool HasTimeFunc();

// One handshake over |tcp|, a byte after it, and the end. They take |tcp|. The
// server sends the byte when its side is done: the client that has it knows
// that the session is stored.
Outcome Serve(PRFileDesc* tcp, const Side& side);
// |visitor| keeps the client's sessions apart from those of other visitors.
Outcome Visit(PRFileDesc* tcp, const Side& side, const std::string& visitor);

}  // namespace regress

#endif  // SSLSNCE_TESTS_REGRESS_BLACKBOX_ENDPOINT_H_
