/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "test_secret.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstring>

#include "gtest/gtest.h"
#include "test_region.h"

namespace snce_test {

namespace {

// Where the three numbers of a test session end in its state (test_session.h).
constexpr size_t kNumbers = 24;
// Enough for any processor: on aarch64 the least is 128 KiB.
constexpr size_t kStackBytes = 256 * 1024;

uint64_t Piece(const uint8_t* at) {
  uint64_t piece;
  std::memcpy(&piece, at, sizeof(piece));
  return piece;
}

void* RunOperation(void* operation) {
  (*static_cast<const std::function<void()>*>(operation))();
  return nullptr;
}

}  // namespace

void Secrets::Add(const uint8_t* bytes, size_t len) {
  for (size_t at = 0; at + 8 <= len; at += 8) {
    const uint64_t piece = Piece(bytes + at);
    if (piece == 0) continue;
    pieces_.insert(piece);
    first_[piece & 0xffff] = true;
  }
}

void Secrets::AddState(const snceSession& session) {
  Add(session.state + kNumbers, SNCE_STATE_BYTES - kNumbers);
}

uint64_t Secrets::CountIn(const void* memory, size_t bytes) const {
  const uint8_t* from = static_cast<const uint8_t*>(memory);
  uint64_t count = 0;
  for (size_t at = 0; at + 8 <= bytes; ++at) {
    const uint64_t piece = Piece(from + at);
    count += first_[piece & 0xffff] && pieces_.count(piece) != 0;
  }
  return count;
}

uint64_t Secrets::CountInFile(int fd) const {
  constexpr off_t kChunk = 1 << 20;
  std::vector<uint8_t> chunk(kChunk + 7);
  uint64_t count = 0;
  ForEachExtent(fd, [&](off_t data, off_t hole) {
    for (off_t at = data; at < hole; at += kChunk) {
      // Read seven bytes of the next chunk too, so that no piece is cut in two.
      const size_t want = static_cast<size_t>(
          std::min<off_t>(hole - at, static_cast<off_t>(chunk.size())));
      ASSERT_EQ(static_cast<ssize_t>(want), pread(fd, chunk.data(), want, at));
      count += CountIn(chunk.data(), want);
    }
  });
  return count;
}

bool Secrets::IsIn(const std::string& text) const {
  if (CountIn(text.data(), text.size()) != 0) return true;
  std::string lower;
  for (const char c : text)
    lower += static_cast<char>(tolower(static_cast<unsigned char>(c)));
  for (const uint64_t piece : pieces_) {
    std::string bytes, number;
    for (int i = 0; i < 8; ++i) {
      char digits[3];
      snprintf(digits, sizeof(digits), "%02x",
               static_cast<unsigned>(piece >> (8 * i)) & 0xff);
      bytes += digits;
      number = digits + number;
    }
    for (const std::string& form : {bytes, number})
      if (lower.find(form) != std::string::npos) return true;
  }
  return false;
}

uint64_t LeftOnStack(const Secrets& secrets,
                     const std::function<void()>& operation) {
  void* stack = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  pthread_attr_t attributes;
  pthread_t thread;
  uint64_t left = UINT64_MAX;
  if (stack == MAP_FAILED) return left;
  pthread_attr_init(&attributes);
  std::function<void()> copy = operation;
  if (pthread_attr_setstack(&attributes, stack, kStackBytes) == 0 &&
      pthread_create(&thread, &attributes, RunOperation, &copy) == 0 &&
      pthread_join(thread, nullptr) == 0)
    left = secrets.CountIn(stack, kStackBytes);
  pthread_attr_destroy(&attributes);
  munmap(stack, kStackBytes);
  return left;
}

}  // namespace snce_test
