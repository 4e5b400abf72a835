/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// test_region.h: a region for a test, and what the kernel reports about it.
#ifndef SSLSNCE_TESTS_SUPPORT_TEST_REGION_H_
#define SSLSNCE_TESTS_SUPPORT_TEST_REGION_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "sslsnce/snce.h"

// Results print as their phrase, not as a number.
inline void PrintTo(snceResult result, std::ostream* out) {
  *out << static_cast<int>(result) << " (" << snceResult_Text(result) << ")";
}

namespace snce_test {

// Options for |entries| sessions, with timeouts of 100 and 86400 seconds and
// the largest clock skew.
snceCacheOptions Options(uint64_t entries);

// Region owns a region and closes it. A constructor that cannot make one aborts
// the program.
class Region {
 public:
  explicit Region(uint64_t entries, bool inheritable = false);
  explicit Region(const snceCacheOptions& options, bool inheritable = false);
  // Takes over |region|, which may be NULL.
  explicit Region(snceRegion* region) : region_(region) {}
  ~Region() { Close(); }
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  void Close() {
    snceRegion_Close(region_);
    region_ = nullptr;
  }
  snceRegion* get() const { return region_; }
  snceCache cache() const { return snceRegion_DefaultCache(region_); }
  int fd() const { return snceRegion_Descriptor(region_); }
  snceFigures Figures() const;

 private:
  void Create(const snceCacheOptions& options, bool inheritable);

  snceRegion* region_ = nullptr;
};

// A line of /proc/self/smaps.
struct Mapping {
  uintptr_t start;
  uintptr_t end;
  std::string permissions;  // "rw-s"
  ino_t inode;
  std::string path;
  std::string flags;  // VmFlags: " rd wr sh ... dd "
};

// This process's mappings of the file behind |fd|, or of inode |inode|.
std::vector<Mapping> MappingsOf(int fd);
std::vector<Mapping> MappingsOfInode(ino_t inode);
ino_t InodeOf(int fd);

// Calls |visit| with the start and the end of each stretch of the memory file
// |fd| that has memory behind it.
void ForEachExtent(int fd, const std::function<void(off_t, off_t)>& visit);

// The offsets of |pattern| in all the pages that the memory file |fd| has.
// |pattern| must be much shorter than a page.
std::vector<off_t> FindInFile(int fd, const uint8_t* pattern, size_t len);
uint64_t CountInFile(int fd, const uint8_t* pattern, size_t len);

// How many bytes of the memory file |fd| have memory behind them.
uint64_t DataBytes(int fd);

// A new memory file with the contents of |fd|, and the same seals unless
// |sealed| is false. The caller closes it.
int CopyOf(int fd, bool sealed = true);
// An empty memory file that can be sealed like a region's.
int MemoryFile();
// Gives |copy|, made by CopyOf without seals, the seals of |fd|.
void SealLike(int copy, int fd);

// How many descriptors this process has open.
int OpenDescriptors();

// Watchdog ends the program by a signal if it uses more than |seconds| of
// processor time, or takes ten times as long by the clock, which leaves room
// for a busy machine. So an endless loop fails its test instead of hanging the
// run.
class Watchdog {
 public:
  explicit Watchdog(unsigned seconds);
  ~Watchdog();
};

}  // namespace snce_test

#endif  // SSLSNCE_TESTS_SUPPORT_TEST_REGION_H_
