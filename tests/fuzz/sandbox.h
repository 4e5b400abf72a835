/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// sandbox.h: regions that an input spoils, and that are restored within a
// microsecond.
//
// A region is made once, with virtual servers, sessions and keys in it. The
// compiler's hooks on loads and stores
// (-fsanitize-coverage=trace-loads,trace-stores) tell which pages an input
// touches, and only those pages are restored after it. The hooks have two more
// uses: an access to a part of the region where nothing may be read or written
// ends the program; and before the nth load of an operation the region can be
// changed, as another process may do between two loads.
//
// The core maps a region in chunks. They lie in a window of address space, each
// followed by as much inaccessible space. So an access beyond a chunk is found,
// however far it goes.
//
// The next input starts afresh: all that a process notes about a region, and
// all that the system says about its file, is restored: which chunks are
// mapped, the file's size, the time, and what the system refuses.
#ifndef SSLSNCE_TESTS_FUZZ_SANDBOX_H_
#define SSLSNCE_TESTS_FUZZ_SANDBOX_H_

#include <cstdint>
#include <functional>
#include <vector>

extern "C" {
#include "snceregion.h"
}

namespace snce_fuzz {

// What the system refuses; bits.
enum Refusal : uint32_t {
  kNoMapping = 1,
  kNoGrowth = 2,
  kNoAllocation = 4,   // fallocate
  kNoRemoval = 8,      // madvise
  kNoLock = 16,        // mlock2
  kNoDescriptor = 32,  // it is closed
};

// Sandbox is one region, and a copy of what it held when Keep was called.
class Sandbox {
 public:
  // Makes a small region with |options|, and attaches this process to it for
  // administration. Ends the program on failure.
  explicit Sandbox(const snceCacheOptions& options);
  Sandbox(const Sandbox&) = delete;
  Sandbox& operator=(const Sandbox&) = delete;

  snceRegion* region() const { return region_; }
  // The size of its file.
  uint64_t bytes() const { return *bytes_; }
  // The size of its file when Keep was called.
  uint64_t keptBytes() const { return keptBytes_; }
  // Makes the file grow to |bytes|, if that is more, as a hostile process may.
  void Grow(uint64_t bytes) { *bytes_ = bytes > *bytes_ ? bytes : *bytes_; }

  // Runs |body| in a child that dies at the |nth| passing of the step |name|
  // (SNCE_STEP), and keeps the region as the child left it. Ends the program if
  // the child does not get there.
  void DieAt(const char* name, unsigned nth, const std::function<void()>& body);

  // Reset restores what the region holds when Keep is called. Keep gives memory
  // to the parts that are read often, so that Reset need not give it back each
  // time.
  void Keep();
  void Reset();
  // The pages that had memory when Keep was called.
  const std::vector<uint32_t>& pages() const { return pages_; }
  // The contents of |page| at that time; NULL: zeros.
  const uint8_t* Kept(uint32_t page) const;
  // Whether everything is as Keep saw it. Slow.
  bool IsAsKept() const;

  // A new descriptor for the region's file.
  int Descriptor() const;

  // Load and store as a hostile process does. What is beyond the file's end
  // reads as zero and cannot be changed.
  uint64_t Load(uint64_t offset);
  void Store(uint64_t offset, uint64_t value);
  uint8_t* Page(uint32_t page);  // writable; marked as touched

  // Calls |change| once, before the core's |loads|th load (counted from 1) of
  // any region. Disarm cancels that.
  static void Arm(uint64_t loads, std::function<void()> change);
  static void Disarm();
  // These hold until Reset.
  static void Refuse(uint32_t refusals);
  static void Wait(uint64_t msec);

  // The hooks call these.
  void Touch(uint64_t page) {
    if (page < kPages && !touched_[page]) {
      touched_[page] = 1;
      touchedPages_.push_back(static_cast<uint32_t>(page));
    }
  }
  // Touches those pages from |first| to before |end| that had memory at Keep.
  void TouchKept(uint64_t first, uint64_t end);
  void SetBytes(uint64_t bytes) { *bytes_ = bytes; }
  // The core has mapped a chunk of region(); Reset removes it from the map.
  void NoteAdded(const snceMap* map, uint64_t chunk) {
    if (region_ != nullptr && region_->map == map) added_.push_back(chunk);
  }

 private:
  static constexpr uint64_t kPages = SNCE_BYTES_MAX / SNCE_PAGE;

  void Forget();
  void Populate(uint64_t offset, uint64_t bytes);
  void ForEachRun(const std::function<void(uint64_t, uint64_t)>& visit) const;

  snceRegion* region_ = nullptr;
  uint8_t* memory_ = nullptr;  // the sandbox's own mapping
  uint64_t* bytes_;            // shared with the child of DieAt
  uint64_t keptBytes_ = 0;
  uint8_t* touched_;  // for each page that the region can have
  std::vector<uint32_t> touchedPages_;
  std::vector<uint32_t> pages_;
  uint32_t* place_;  // for each page: its place in |contents_| + 1, or 0
  std::vector<uint8_t> contents_;
  // What |region_| had noted at Keep, and which chunks it has mapped since.
  uint64_t mapBytes_ = 0;
  unsigned keptChunks_ = 0;
  std::vector<uint64_t> added_;
};

}  // namespace snce_fuzz

#endif  // SSLSNCE_TESTS_FUZZ_SANDBOX_H_
