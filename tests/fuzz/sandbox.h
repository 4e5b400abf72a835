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
// The core maps a region in chunks. They lie in a window of address space, each
// with as much space without access behind it, so that what reaches beyond its
// chunk is seen, however far it reaches.
//
// Nothing that a process notes about a region or the system says about its file
// is left for the next input: which chunks are mapped, how large the file is,
// what time it is and what the system refuses.
#ifndef SSLSNCE_TESTS_FUZZ_SANDBOX_H_
#define SSLSNCE_TESTS_FUZZ_SANDBOX_H_

#include <cstdint>
#include <functional>
#include <vector>

extern "C" {
#include "snceregion.h"
}

namespace snce_fuzz {

// What the system refuses to do; bits.
enum Refusal : uint32_t {
  kNoMapping = 1,
  kNoGrowth = 2,
  kNoHoles = 4,        // fallocate
  kNoRemoval = 8,      // madvise
  kNoLock = 16,        // mlock2
  kNoDescriptor = 32,  // it is closed
};

// Sandbox is one region and what it looked like when it was made.
class Sandbox {
 public:
  // Makes a region as |options| say, small, and attaches this process to it for
  // administration. Ends the program if it cannot.
  explicit Sandbox(const snceCacheOptions& options);
  Sandbox(const Sandbox&) = delete;
  Sandbox& operator=(const Sandbox&) = delete;

  snceRegion* region() const { return region_; }
  // How large its file is.
  uint64_t bytes() const { return *bytes_; }
  // ... and was when Keep saw it.
  uint64_t keptBytes() const { return keptBytes_; }
  // It grows, for a hostile process, to |bytes| if that is more.
  void Grow(uint64_t bytes) { *bytes_ = bytes > *bytes_ ? bytes : *bytes_; }

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

  // Reading and writing as a hostile process does. What is beyond the file's
  // end reads as zero, and stays so.
  uint64_t Load(uint64_t offset);
  void Store(uint64_t offset, uint64_t value);
  uint8_t* Page(uint32_t page);  // writable; marked as touched

  // Calls |change| once, before the core's |loads|th load (from 1) of any
  // region. Disarm gives up what is still waiting.
  static void Arm(uint64_t loads, std::function<void()> change);
  static void Disarm();
  // Until Reset.
  static void Refuse(uint32_t refusals);
  static void Wait(uint64_t msec);

  // Called by the hooks.
  void Touch(uint64_t page) {
    if (page < kPages && !touched_[page]) {
      touched_[page] = 1;
      touchedPages_.push_back(static_cast<uint32_t>(page));
    }
  }
  // Those of the pages that Keep saw, from |first| to before |end|.
  void TouchKept(uint64_t first, uint64_t end);
  void SetBytes(uint64_t bytes) { *bytes_ = bytes; }
  // The core has mapped a chunk; Reset undoes it in the map of region().
  void NoteAdded(const snceMap* map, uint64_t chunk) {
    if (region_ != nullptr && region_->map == map) added_.push_back(chunk);
  }

 private:
  static constexpr uint64_t kPages = SNCE_BYTES_MAX / SNCE_PAGE;

  void Forget();
  void Populate(uint64_t offset, uint64_t bytes);
  void ForEachRun(const std::function<void(uint64_t, uint64_t)>& visit) const;

  snceRegion* region_ = nullptr;
  uint8_t* memory_ = nullptr;  // a mapping of our own
  uint64_t* bytes_;            // shared with the child of DieAt
  uint64_t keptBytes_ = 0;
  uint8_t* touched_;  // of each page that there may be
  std::vector<uint32_t> touchedPages_;
  std::vector<uint32_t> pages_;
  uint32_t* place_;  // of each page: its place in |contents_| + 1, or 0
  std::vector<uint8_t> contents_;
  // What |region_| had noted, and which chunks it has mapped since.
  uint64_t mapBytes_ = 0;
  unsigned keptChunks_ = 0;
  std::vector<uint64_t> added_;
};

}  // namespace snce_fuzz

#endif  // SSLSNCE_TESTS_FUZZ_SANDBOX_H_
