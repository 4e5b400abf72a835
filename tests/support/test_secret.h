/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// test_secret.h: plants secrets, and searches memory for them.
#ifndef SSLSNCE_TESTS_SUPPORT_TEST_SECRET_H_
#define SSLSNCE_TESTS_SUPPORT_TEST_SECRET_H_

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_set>
#include <vector>

#include "sslsnce/snce.h"

namespace snce_test {

// Secrets is what a search must not find. It holds each secret as pieces of
// eight bytes, so that a search also finds a part that was left. It ignores
// pieces of zeros.
class Secrets {
 public:
  // Adds |bytes| in pieces of eight, from the start; a rest of less than eight
  // bytes is ignored.
  void Add(const uint8_t* bytes, size_t len);
  void Add(const std::vector<uint8_t>& bytes) {
    Add(bytes.data(), bytes.size());
  }
  // Adds the part of the session's state that is derived from its numbers.
  void AddState(const snceSession& session);
  size_t pieces() const { return pieces_.size(); }

  // How many pieces are in memory, or in all the pages that the memory file
  // |fd| has, at any alignment.
  uint64_t CountIn(const void* memory, size_t bytes) const;
  uint64_t CountInFile(int fd) const;
  // Whether |text| contains any piece, in binary or in hexadecimal.
  bool IsIn(const std::string& text) const;

 private:
  std::unordered_set<uint64_t> pieces_;
  std::vector<bool> first_ = std::vector<bool>(1 << 16);
};

// Runs |operation| alone on a fresh stack, and returns how many pieces of
// |secrets| it left on that stack.
uint64_t LeftOnStack(const Secrets& secrets,
                     const std::function<void()>& operation);

}  // namespace snce_test

#endif  // SSLSNCE_TESTS_SUPPORT_TEST_SECRET_H_
