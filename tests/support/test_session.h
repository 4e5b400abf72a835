/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// test_session.h: sessions whose fields obey an equation.
//
// Every field of a Session follows from three numbers: its serial (which
// session), its variant (which of the sessions stored one after the other under
// that ID) and its shape (which optional parts it has). The state holds the
// three numbers, so that Mixed() recognises an answer made of parts of two
// sessions.
#ifndef SSLSNCE_TESTS_SUPPORT_TEST_SESSION_H_
#define SSLSNCE_TESTS_SUPPORT_TEST_SESSION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "sslsnce/snce.h"
#include "test_clock.h"

namespace snce_test {

// The optional parts of a session, besides ID and state; bits.
enum Shape : uint8_t {
  kPlain = 0,
  kCertificate = 1,
  kName = 2,
  kAnyClass = 4,  // the class follows from the variant; else it is ssl3
  kEverything = 7
};

// A mixing function (splitmix64's finalizer).
uint64_t Mix(uint64_t value);

// |len| bytes derived from |seed|.
std::vector<uint8_t> Bytes(uint64_t seed, size_t len);

// Session is a session to be inserted; it owns its buffers.
class Session {
 public:
  explicit Session(uint64_t serial, uint64_t variant = 0,
                   uint8_t shape = kPlain);
  Session(const Session& other) { *this = other; }
  Session& operator=(const Session& other);

  Session& Class(snceClass session_class);
  Session& Created(snceTime created);
  Session& Id(const std::vector<uint8_t>& id);
  Session& Address(uint8_t fill);
  Session& Certificate(const std::vector<uint8_t>& certificate);
  Session& Name(const std::string& name);

  const snceSession* get() const { return &session_; }
  snceSession* get() { return &session_; }
  const std::vector<uint8_t>& certificate() const { return certificate_; }
  const std::string& name() const { return name_; }

  // The key to this session under any name, valid while the session lives.
  snceKey Key() const;
  // The same key with |name|, which must outlive the key.
  snceKey KeyNamed(const std::string& name) const;

  snceResult Insert(snceCache cache, snceTime now) const {
    return snceCache_Insert(cache, &session_, now);
  }

 private:
  void Bind();

  snceSession session_;
  std::vector<uint8_t> certificate_;
  std::string name_;
};

// Answer is a buffer for one session that a lookup returns.
class Answer {
 public:
  Answer();
  Answer(const Answer&) = delete;
  Answer& operator=(const Answer&) = delete;

  snceResult Lookup(snceCache cache, const snceKey& key, snceTime now);

  snceSession* get() { return &session_; }
  const snceSession& session() const { return session_; }
  std::vector<uint8_t> certificate() const;
  uint64_t serial() const;
  uint64_t variant() const;

  // Empty if every field of the session is the one that the numbers in its
  // state require; else the name of the first field that is not.
  std::string Mixed() const;
  // Empty if every field that the caller gave is equal in |session|.
  std::string Differs(const Session& session) const;

 private:
  snceSession session_;
  std::vector<uint8_t> certificate_;
};

// A lookup for callers that need only the result.
snceResult Find(snceCache cache, const Session& session, snceTime now);
// How many of the sessions |first| to |first| + |count| - 1 a lookup finds,
// with every field right.
uint64_t CountFound(snceCache cache, uint64_t first, uint64_t count,
                    snceTime now, uint8_t shape = kPlain);
// How many slots of a cache are usable. Stores |count| sessions one after the
// other, beginning at |from|, a time at which all others should have expired;
// then removes them. |count| should be several times the number of slots, so
// that the cache is full: with free slots to spare, a lost slot would not be
// noticed.
uint64_t CountUsable(snceCache cache, uint64_t first, uint64_t count,
                     snceTime from);

}  // namespace snce_test

#endif  // SSLSNCE_TESTS_SUPPORT_TEST_SESSION_H_
