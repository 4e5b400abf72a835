/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sandbox.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace snce_fuzz {
namespace {

// A region lies in the middle of its window. No offset that has 32 bits of
// pages or sets reaches beyond two of them; what has more bits faults anyway.
constexpr unsigned kWindows = 12;  // three of each region
constexpr uint64_t kWindow = UINT64_C(1) << 42;
constexpr uint64_t kLead = kWindow / 2;

// So small that a page number of a few bits may lie beyond it.
constexpr rlim_t kRegionMost = 400 << 20;

struct Window {
  bool used;
  bool mapped;  // left by who unmapped it, for the next one
  uint64_t bytes;
  Sandbox* owner;
};

uintptr_t windowsAt;  // 0: not reserved yet
Window windows[kWindows];

// What Sandbox::Arm set.
uint64_t loadsLeft;
std::function<void()> change;

// Sandbox::DieAt, in the child.
const char* dieAt;
unsigned dieLeft;

// The sandbox that is made, for its mappings; and all of them, by inode.
Sandbox* making;
std::vector<std::pair<ino_t, Sandbox*>> made;

[[noreturn]] void Fail(const char* what) {
  fprintf(stderr, "sandbox: %s\n", what);
  abort();
}

void* RawMap(uintptr_t at, uint64_t bytes, int protection, int flags, int fd) {
  return reinterpret_cast<void*>(syscall(SYS_mmap, at, bytes, long{protection},
                                         long{flags}, long{fd}, 0L));
}

void Reserve() {
  void* at = RawMap(0, kWindows * kWindow, PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
  if (at == MAP_FAILED) Fail("no address space for the windows");
  windowsAt = reinterpret_cast<uintptr_t>(at);
}

ino_t InodeOf(int fd) {
  struct stat status;
  return fstat(fd, &status) == 0 ? status.st_ino : 0;
}

uintptr_t StartOf(unsigned window) {
  return windowsAt + window * kWindow + kLead;
}

unsigned WindowOf(const void* address) {
  const uintptr_t at = reinterpret_cast<uintptr_t>(address) - windowsAt;
  return windowsAt != 0 && at < kWindows * kWindow ? unsigned(at / kWindow)
                                                   : kWindows;
}

// Where nothing of the core may be.
bool IsForbidden(uint64_t offset) {
  return offset >= SNCE_AT_JOURNAL && offset < SNCE_AT_HEAP;
}

inline void Note(const void* address, bool load) {
  const uintptr_t at = reinterpret_cast<uintptr_t>(address) - windowsAt;
  if (at >= kWindows * kWindow || windowsAt == 0) return;
  const Window& window = windows[at / kWindow];
  const uint64_t offset = at % kWindow - kLead;
  if (offset >= window.bytes || !window.used) return;  // this will fault
  if (IsForbidden(offset)) Fail("an access to the journal");
  if (window.owner == nullptr) return;
  window.owner->Touch(offset / SNCE_PAGE);
  if (load && loadsLeft != 0 && --loadsLeft == 0) change();
}

}  // namespace

Sandbox::Sandbox(const snceCacheOptions& options) {
  if (windowsAt == 0) Reserve();
  struct rlimit before, less;
  getrlimit(RLIMIT_FSIZE, &before);
  less = before;
  less.rlim_cur = kRegionMost;
  setrlimit(RLIMIT_FSIZE, &less);
  making = this;
  const snceResult result = snceRegion_Create(&region_, &options, true);
  making = nullptr;
  setrlimit(RLIMIT_FSIZE, &before);
  if (result != SNCE_OK) Fail(snceResult_Text(result));
  made.emplace_back(InodeOf(region_->fd), this);
  const unsigned window = WindowOf(region_->base);
  if (window == kWindows) Fail("too many regions");
  windows[window].owner = this;
  touched_.resize(bytes() / SNCE_PAGE);
  place_.assign(bytes() / SNCE_PAGE, -1);
  void* memory =
      RawMap(0, bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, region_->fd);
  if (memory == MAP_FAILED) Fail("no mapping");
  memory_ = static_cast<uint8_t*>(memory);
}

void Sandbox::DieAt(const char* name, unsigned nth,
                    const std::function<void()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    dieAt = name;
    dieLeft = nth;
    body();
    _exit(1);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) Fail("no child");
  if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) Fail(name);
}

void Sandbox::Populate(uint64_t offset, uint64_t bytes) {
  for (uint64_t at = offset; at < offset + bytes; at += SNCE_PAGE)
    *reinterpret_cast<volatile uint8_t*>(memory_ + at) = memory_[at];
}

// Calls |visit| with each run of pages that have memory: first, end.
void Sandbox::ForEachRun(
    const std::function<void(uint64_t, uint64_t)>& visit) const {
  const int fd = region_->fd;
  off_t at = 0;
  while ((at = lseek(fd, at, SEEK_DATA)) >= 0) {
    const off_t hole = lseek(fd, at, SEEK_HOLE);
    if (hole <= at) Fail("no hole");
    visit(uint64_t(at) / SNCE_PAGE,
          (uint64_t(hole) + SNCE_PAGE - 1) / SNCE_PAGE);
    at = hole;
  }
}

void Sandbox::Keep() {
  Populate(0, SNCE_AT_COUNTERS);
  Populate(SNCE_AT_COUNTERS, 6 * sizeof(snceCounters));
  Populate(SNCE_AT_KEYS,
           offsetof(snceKeyRecords, cell) + 8 * sizeof(snceKeyCell));
  for (uint64_t server = 0; server < 6; ++server) {
    const auto* entry =
        reinterpret_cast<const snceServerWords*>(memory_ + SNCE_AT_DIRECTORY) +
        server;
    for (unsigned home = 0; home < 2; ++home)
      Populate(
          snceRange_Offset(entry->home[home].table),
          (entry->home[home].table ? entry->pages[home] >> 32 : 0) * SNCE_PAGE);
  }
  ForEachRun([this](uint64_t first, uint64_t end) {
    for (uint64_t page = first; page < end; ++page) {
      place_[page] = int32_t(pages_.size());
      pages_.push_back(uint32_t(page));
    }
  });
  contents_.resize(pages_.size() * SNCE_PAGE);
  for (size_t i = 0; i < pages_.size(); ++i)
    memcpy(&contents_[i * SNCE_PAGE], memory_ + uint64_t{pages_[i]} * SNCE_PAGE,
           SNCE_PAGE);
  touchedPages_.clear();
  std::fill(touched_.begin(), touched_.end(), 0);
}

const uint8_t* Sandbox::Kept(uint32_t page) const {
  return place_[page] < 0 ? nullptr
                          : &contents_[size_t(place_[page]) * SNCE_PAGE];
}

void Sandbox::Reset() {
  // Changed without a load or a store that the hooks see: the attachments, the
  // wildcards, and the cells of the key log that are taken.
  Touch(0);
  for (uint64_t at = SNCE_AT_KEYS; at < SNCE_AT_KEYS + 6 * SNCE_PAGE;
       at += SNCE_PAGE)
    Touch(at / SNCE_PAGE);
  std::sort(touchedPages_.begin(), touchedPages_.end());
  for (size_t i = 0; i < touchedPages_.size();) {
    const uint32_t page = touchedPages_[i];
    if (const uint8_t* kept = Kept(page)) {
      memcpy(memory_ + uint64_t{page} * SNCE_PAGE, kept, SNCE_PAGE);
      touched_[page] = 0;
      ++i;
      continue;
    }
    uint32_t end = page;
    while (i < touchedPages_.size() && touchedPages_[i] == end &&
           place_[end] < 0) {
      touched_[end++] = 0;
      ++i;
    }
    if (fallocate(region_->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                  off_t{page} * SNCE_PAGE, off_t{end - page} * SNCE_PAGE) != 0)
      Fail("memory cannot be given back");
  }
  touchedPages_.clear();
}

bool Sandbox::IsAsKept() const {
  size_t count = 0;
  bool same = true;
  ForEachRun([&](uint64_t first, uint64_t end) {
    for (uint64_t page = first; page < end; ++page) {
      const uint8_t* kept = Kept(uint32_t(page));
      const bool equal =
          kept != nullptr &&
          memcmp(kept, memory_ + page * SNCE_PAGE, SNCE_PAGE) == 0;
      if (!equal)
        fprintf(stderr, "sandbox: page %d is not as it was kept\n", int(page));
      same &= equal;
      ++count;
    }
  });
  return same && count == pages_.size();
}

int Sandbox::Descriptor() const { return fcntl(region_->fd, F_DUPFD, 3); }

uint64_t Sandbox::Load(uint64_t offset) {
  uint64_t value;
  Touch(offset / SNCE_PAGE);  // to read it may take memory
  memcpy(&value, memory_ + offset / 8 * 8, sizeof(value));
  return value;
}

void Sandbox::Store(uint64_t offset, uint64_t value) {
  Touch(offset / SNCE_PAGE);
  memcpy(memory_ + offset / 8 * 8, &value, sizeof(value));
}

uint8_t* Sandbox::Page(uint32_t page) {
  Touch(page);
  return memory_ + uint64_t{page} * SNCE_PAGE;
}

void Sandbox::Arm(uint64_t loads, std::function<void()> what) {
  change = std::move(what);
  loadsLeft = loads;
}

void Sandbox::Disarm() { loadsLeft = 0; }

void Sandbox::TouchKept(uint64_t first, uint64_t end) {
  for (auto page = std::lower_bound(pages_.begin(), pages_.end(), first);
       page != pages_.end() && *page < end; ++page)
    Touch(*page);
}

}  // namespace snce_fuzz

using snce_fuzz::kWindows;
using snce_fuzz::Sandbox;
using snce_fuzz::windows;

// ---- the hooks --------------------------------------------------------------

extern "C" {

#define HOOK(name, type, load) \
  void name(type* address) { snce_fuzz::Note(address, load); }
HOOK(__sanitizer_cov_load1, uint8_t, true)
HOOK(__sanitizer_cov_load2, uint16_t, true)
HOOK(__sanitizer_cov_load4, uint32_t, true)
HOOK(__sanitizer_cov_load8, uint64_t, true)
HOOK(__sanitizer_cov_load16, __int128, true)
HOOK(__sanitizer_cov_store1, uint8_t, false)
HOOK(__sanitizer_cov_store2, uint16_t, false)
HOOK(__sanitizer_cov_store4, uint32_t, false)
HOOK(__sanitizer_cov_store8, uint64_t, false)
HOOK(__sanitizer_cov_store16, __int128, false)

// What is freed is kept for a while, but not for hundreds of megabytes.
const char* __asan_default_options() {
  return "quarantine_size_mb=4:malloc_context_size=3";
}

void snceStep(const char* name) {
  if (snce_fuzz::dieAt != nullptr && strcmp(name, snce_fuzz::dieAt) == 0 &&
      --snce_fuzz::dieLeft == 0)
    kill(getpid(), SIGKILL);
}

// ---- system calls of the core (-Wl,--wrap) ----------------------------------

void* __real_mmap64(void*, size_t, int, int, int, off_t);
int __real_munmap(void*, size_t);
int __real_madvise(void*, size_t, int);

void* __wrap_mmap64(void* at, size_t bytes, int protection, int flags, int fd,
                    off_t offset) {
  if (at != nullptr || fd < 0 || offset != 0 || snce_fuzz::windowsAt == 0)
    return __real_mmap64(at, bytes, protection, flags, fd, offset);
  Sandbox* owner = snce_fuzz::making;
  const ino_t inode = snce_fuzz::InodeOf(fd);
  for (const auto& known : snce_fuzz::made)
    if (known.first == inode) owner = known.second;
  // One that is there already spares the faults of a new one.
  for (unsigned i = 0; i < kWindows; ++i)
    if (!windows[i].used && windows[i].mapped && windows[i].owner == owner) {
      windows[i].used = true;
      return reinterpret_cast<void*>(snce_fuzz::StartOf(i));
    }
  for (unsigned i = 0; i < kWindows; ++i)
    if (!windows[i].used && !windows[i].mapped) {
      windows[i] = {true, true, bytes, owner};
      return snce_fuzz::RawMap(snce_fuzz::StartOf(i), bytes, protection,
                               flags | MAP_FIXED, fd);
    }
  snce_fuzz::Fail("too many mappings");
}

int __wrap_munmap(void* at, size_t bytes) {
  const unsigned window = snce_fuzz::WindowOf(at);
  if (window == kWindows) return __real_munmap(at, bytes);
  windows[window].used = false;
  return 0;
}

int __wrap_madvise(void* at, size_t bytes, int advice) {
  const unsigned window = snce_fuzz::WindowOf(at);
  if (window != kWindows && advice == MADV_REMOVE) {
    const uint64_t offset =
        static_cast<uint8_t*>(at) -
        reinterpret_cast<uint8_t*>(snce_fuzz::StartOf(window));
    if (offset > windows[window].bytes ||
        bytes > windows[window].bytes - offset)
      snce_fuzz::Fail("memory is given back beyond the region");
    if (windows[window].owner != nullptr)
      windows[window].owner->TouchKept(offset / SNCE_PAGE,
                                       (offset + bytes) / SNCE_PAGE);
  }
  return int(syscall(SYS_madvise, at, bytes, long{advice}));
}

// Figures are added to without a load of them: all on the first page of a
// server's, because all is one processor's here.
static void TouchFigures(const snceRegion* region, uint32_t server) {
  const unsigned window = snce_fuzz::WindowOf(region->base);
  if (window != kWindows && windows[window].owner != nullptr)
    windows[window].owner->Touch(
        (SNCE_AT_COUNTERS + uint64_t{server} * sizeof(snceCounters)) /
        SNCE_PAGE);
}

void __real_snceCount_Add(const snceRegion*, uint32_t, unsigned, uint64_t);
void __wrap_snceCount_Add(const snceRegion* region, uint32_t server,
                          unsigned figure, uint64_t n) {
  TouchFigures(region, server);
  __real_snceCount_Add(region, server, figure, n);
}

snceLane* __real_snceCount_Lane(const snceRegion*, uint32_t);
snceLane* __wrap_snceCount_Lane(const snceRegion* region, uint32_t server) {
  TouchFigures(region, server);
  return __real_snceCount_Lane(region, server);
}

// One processor, one random number: an input does the same each time.
int __wrap_sched_getcpu() { return 0; }

ssize_t __wrap_getrandom(void* out, size_t bytes, unsigned) {
  static uint8_t next = 1;
  memset(out, next++, bytes);
  return ssize_t(bytes);
}

}  // extern "C"
