/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// sandbox.h: regions that are spoiled and as new again a microsecond later.
//
// A region is made once, with virtual servers, sessions and keys in it. What an
// input changes is found by the compiler's hooks on loads and stores
// (-fsanitize-coverage=trace-loads,trace-stores), and only those pages are put
// back afterwards. The hooks are used for two more things: an access to a part
// of the region where nothing may be read or written ends the program; and
// before the nth load of an operation the region can be changed, as another
// process would do between two loads.
//
// The core's mappings lie in windows of address space without access, so that
// what reaches beyond a region faults, however far.
#ifndef SSLSNCE_TESTS_FUZZ_SANDBOX_H_
#define SSLSNCE_TESTS_FUZZ_SANDBOX_H_

#include <cstdint>
#include <functional>
#include <vector>

extern "C" {
#include "snceregion.h"
}

namespace snce_fuzz {

// Sandbox is one region and what it looked like when it was made.
class Sandbox {
 public:
  // Makes a region as |options| say, small, and attaches this process to it for
  // administration. Ends the program if it cannot.
  explicit Sandbox(const snceCacheOptions& options);
  Sandbox(const Sandbox&) = delete;
  Sandbox& operator=(const Sandbox&) = delete;

  snceRegion* region() const { return region_; }
  uint64_t bytes() const { return region_->bytes; }

  // Runs |body| in a child that dies at the |nth| step |name| (SNCE_STEP) and
  // leaves the region as it then is. Ends the program if it does not get there.
  void DieAt(const char* name, unsigned nth, const std::function<void()>& body);

  // What is there now is what Reset puts back. Where much is read, there is
  // memory from now on, so that it need not be given back each time.
  void Keep();
  void Reset();
  // The pages that Keep saw.
  const std::vector<uint32_t>& pages() const { return pages_; }
  // What the page |page| was then; NULL: zeros.
  const uint8_t* Kept(uint32_t page) const;
  // Is everything what Keep saw? Slow.
  bool IsAsKept() const;

  // A descriptor of its own for the region's file.
  int Descriptor() const;

  // Reading and writing as a hostile process does. |offset| is below bytes().
  uint64_t Load(uint64_t offset);
  void Store(uint64_t offset, uint64_t value);
  uint8_t* Page(uint32_t page);  // writable; marked as touched

  // Calls |change| once, before the core's |loads|th load (from 1) of any
  // region. Disarm gives up what is still waiting.
  static void Arm(uint64_t loads, std::function<void()> change);
  static void Disarm();

  // Called by the hooks.
  void Touch(uint64_t page) {
    if (page < touched_.size() && !touched_[page]) {
      touched_[page] = 1;
      touchedPages_.push_back(static_cast<uint32_t>(page));
    }
  }
  // Those of the pages that Keep saw, from |first| to before |end|.
  void TouchKept(uint64_t first, uint64_t end);

 private:
  void Populate(uint64_t offset, uint64_t bytes);
  void ForEachRun(const std::function<void(uint64_t, uint64_t)>& visit) const;

  snceRegion* region_ = nullptr;
  uint8_t* memory_ = nullptr;  // a mapping of our own
  std::vector<uint8_t> touched_;
  std::vector<uint32_t> touchedPages_;
  std::vector<uint32_t> pages_;
  std::vector<int32_t> place_;  // of a page in |contents_|, or -1
  std::vector<uint8_t> contents_;
};

}  // namespace snce_fuzz

#endif  // SSLSNCE_TESTS_FUZZ_SANDBOX_H_
