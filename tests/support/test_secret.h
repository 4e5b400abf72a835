/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// test_secret.h: secrets that are planted, and looked for in memory.
#ifndef SSLSNCE_TESTS_SUPPORT_TEST_SECRET_H_
#define SSLSNCE_TESTS_SUPPORT_TEST_SECRET_H_

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_set>
#include <vector>

#include "sslsnce/snce.h"

namespace snce_test {

// Secrets is what must not be found: all the pieces of eight bytes that the
// secrets added to it are made of, so that a part of one that was left is seen
// too. A piece of zeros is none.
class Secrets {
 public:
  // |bytes| from a multiple of eight on; what is behind the last eight is not
  // looked for.
  void Add(const uint8_t* bytes, size_t len);
  void Add(const std::vector<uint8_t>& bytes) {
    Add(bytes.data(), bytes.size());
  }
  // What follows from nothing but the session's numbers in its state.
  void AddState(const snceSession& session);
  size_t pieces() const { return pieces_.size(); }

  // How many pieces stand in memory, or in all the pages that the memory file
  // |fd| has, wherever they begin.
  uint64_t CountIn(const void* memory, size_t bytes) const;
  uint64_t CountInFile(int fd) const;
  // Whether any piece stands in |text|, as it is or in hexadecimal.
  bool IsIn(const std::string& text) const;

 private:
  std::unordered_set<uint64_t> pieces_;
  std::vector<bool> first_ = std::vector<bool>(1 << 16);
};

// Runs |operation| on a stack that held nothing before and on which nothing
// else runs, and returns how many pieces of |secrets| it left there.
uint64_t LeftOnStack(const Secrets& secrets,
                     const std::function<void()>& operation);

}  // namespace snce_test

#endif  // SSLSNCE_TESTS_SUPPORT_TEST_SECRET_H_
