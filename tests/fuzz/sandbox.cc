/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sandbox.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

extern "C" {
int __real_fstat64(int, struct stat*);
int __real_ftruncate64(int, off_t);
int __real_fallocate64(int, int, off_t, off_t);
off_t __real_lseek64(int, off_t, int);
}

namespace snce_fuzz {
namespace {

// A region begins in the middle of its window, so that no 32-bit index into the
// first chunk, whatever its unit, reaches beyond the window.
constexpr unsigned kWindows = 12;  // three for each region
constexpr uint64_t kWindow = UINT64_C(1) << 42;
constexpr uint64_t kLead = kWindow / 2;

// How far chunks are apart in a window: each is followed by one without access.
constexpr uint64_t kStride = 2 * SNCE_CHUNK_BYTES;
// Limits, as if there were no more address space: how many chunks may be
// mapped, and how many at once. The kernel has a limit, too.
constexpr unsigned kChunksMost = 2048;
constexpr uint64_t kRunMost = 512;

// If the system refuses to take memory back, the core wipes it; in a file
// larger than this that would take too long.
constexpr uint64_t kWipedMost = 64 << 20;

// A map lies in the middle of so much address space.
constexpr uint64_t kMapWindow = UINT64_C(1) << 31;

enum : uint8_t { kMapped = 0x40, kLive = 0x80 };  // beside the protection

struct Window {
  snceMap* map;    // whose chunks are here; NULL: free
  Sandbox* owner;  // whose chunks are or were here
  unsigned live;   // chunks that the core has mapped
  // The state of each chunk. A chunk that the core unmaps stays mapped, which
  // saves the next input the page faults of a new mapping.
  uint8_t chunk[SNCE_CHUNKS];
};

uintptr_t windowsAt;  // 0: not reserved yet
Window windows[kWindows];
uintptr_t mapsAt;  // one for each window
unsigned live;     // chunks in all windows
uint8_t mapIsThere[kWindows];

// The chunk that __wrap_snceMap_Add asks the core to map.
struct {
  bool is;
  unsigned window;
  uint64_t chunk;
} wanted;

// What Sandbox::Arm set.
uint64_t loadsLeft;
std::function<void()> change;

// What Sandbox::Refuse and Sandbox::Wait set.
uint32_t refusals;
uint64_t clockMsec;

// What the child of Sandbox::DieAt must do.
const char* dieAt;
unsigned dieLeft;

// The sandbox that is being made, until its file is known; and all sandboxes,
// by inode.
Sandbox* making;
std::vector<std::pair<ino_t, Sandbox*>> made;

[[noreturn]] void Fail(const char* what) {
  fprintf(stderr, "sandbox: %s\n", what);
  abort();
}

void* RawMap(uintptr_t at, uint64_t bytes, int protection, int flags, int fd,
             uint64_t offset = 0) {
  return reinterpret_cast<void*>(syscall(SYS_mmap, at, bytes, long{protection},
                                         long{flags}, long{fd},
                                         static_cast<long>(offset)));
}

// Reserves address space; it takes memory only as it is used, and reads as
// zeros.
void* Reserve(uint64_t bytes, int protection) {
  void* at = RawMap(0, bytes, protection,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
  if (at == MAP_FAILED) Fail("no address space for the windows");
  return at;
}

void ReserveWindows() {
  // Reserve one chunk more, so that the windows can begin on a multiple of a
  // chunk.
  windowsAt = (reinterpret_cast<uintptr_t>(
                   Reserve(kWindows * kWindow + SNCE_CHUNK_BYTES, PROT_NONE)) +
               SNCE_CHUNK_BYTES - 1) &
              ~(SNCE_CHUNK_BYTES - 1);
  mapsAt =
      reinterpret_cast<uintptr_t>(Reserve(kWindows * kMapWindow, PROT_NONE));
}

uintptr_t StartOf(unsigned window) {
  return windowsAt + window * kWindow + kLead;
}

// The place of an address in the windows.
struct Place {
  unsigned window;  // kWindows: in no window
  uint64_t chunk;   // SNCE_CHUNKS or more: before or behind them
  uint64_t offset;  // in the chunk; SNCE_CHUNK_BYTES or more: behind it
};

inline Place PlaceOf(const void* address) {
  const uintptr_t at = reinterpret_cast<uintptr_t>(address) - windowsAt;
  if (windowsAt == 0 || at >= kWindows * kWindow) return {kWindows, 0, 0};
  const uint64_t inside = at % kWindow - kLead;
  return {unsigned(at / kWindow), inside / kStride, inside % kStride};
}

Sandbox* OwnerOf(int fd) {
  struct stat status;
  if (made.empty() || __real_fstat64(fd, &status) != 0) return nullptr;
  for (const auto& known : made)
    if (known.first == status.st_ino) return known.second;
  return nullptr;
}

unsigned WindowFor(const snceMap* map) {
  for (unsigned i = 0; i < kWindows; ++i)
    if (windows[i].map == map) return i;
  return kWindows;
}

// Between the parts the core must not access anything.
bool IsForbidden(uint64_t offset) {
  constexpr uint64_t counters =
      SNCE_AT_COUNTERS + SNCE_COUNTERS_BLOCKS * SNCE_COUNTERS_BLOCK;
  constexpr uint64_t keys =
      SNCE_AT_KEY_CELLS + SNCE_KEY_CELLS * sizeof(snceKeyCell);
  static_assert(
      counters == SNCE_AT_KEY_CELLS && keys == SNCE_AT_TICKET_KEYS &&
          SNCE_AT_TICKET_KEYS + sizeof(snceTicketSlots) == SNCE_AT_REPLAY,
      "no gaps");
  return (offset >= SNCE_AT_KEY_LOG + sizeof(snceKeyLog) &&
          offset < SNCE_AT_COUNTERS) ||
         (offset >= SNCE_AT_REPLAY + sizeof(snceReplayWords) &&
          offset < SNCE_AT_HEAP);
}

inline void Note(const void* address, bool load) {
  if (reinterpret_cast<uintptr_t>(address) - windowsAt >= kWindows * kWindow ||
      windowsAt == 0)
    return;
  const Place place = PlaceOf(address);
  const Window& window = windows[place.window];
  if (place.chunk >= SNCE_CHUNKS) return;  // this access will fault
  if (place.offset >= SNCE_CHUNK_BYTES) Fail("an access beyond a chunk");
  if (!(window.chunk[place.chunk] & kLive))
    Fail("an access to a chunk that is not mapped");
  const uint64_t offset = place.chunk * SNCE_CHUNK_BYTES + place.offset;
  if (offset >= window.owner->bytes()) Fail("an access beyond the file's end");
  if (IsForbidden(offset) && !(refusals & kNoRemoval))
    Fail("an access between the parts");
  window.owner->Touch(offset / SNCE_PAGE);
  if (load && loadsLeft != 0 && --loadsLeft == 0) change();
}

// Ends the program unless the core may give back |bytes| bytes at |offset|: all
// of the region, figures, and what lies in the heap.
void CheckDiscarded(const Sandbox& owner, uint64_t offset, uint64_t bytes) {
  const uint64_t in_chunk = offset % SNCE_CHUNK_BYTES;
  if (in_chunk + bytes > SNCE_CHUNK_BYTES)
    Fail("memory is given back beyond a chunk");
  if (offset + bytes > owner.bytes())
    Fail("memory is given back beyond the region");
  // The core gives back whole chunks when it gives back all of the region, and
  // the whole grains of the last one.
  if (offset >= SNCE_AT_HEAP ||
      (in_chunk == 0 && (bytes == SNCE_CHUNK_BYTES ||
                         owner.bytes() - (offset + bytes) < SNCE_GRAIN)))
    return;
  if (offset < SNCE_AT_COUNTERS || offset + bytes > SNCE_AT_KEY_CELLS)
    Fail("memory of a fixed part is given back");
}

bool Refused(uint32_t what, int error) {
  if (!(refusals & what)) return false;
  errno = error;
  return true;
}

}  // namespace

Sandbox::Sandbox(const snceCacheOptions& options) {
  if (windowsAt == 0) ReserveWindows();
  bytes_ = static_cast<uint64_t*>(RawMap(0, SNCE_PAGE, PROT_READ | PROT_WRITE,
                                         MAP_SHARED | MAP_ANONYMOUS, -1));
  touched_ = static_cast<uint8_t*>(Reserve(kPages, PROT_READ | PROT_WRITE));
  place_ = static_cast<uint32_t*>(
      Reserve(kPages * sizeof(*place_), PROT_READ | PROT_WRITE));
  making = this;
  const snceResult result = snceRegion_Create(&region_, &options, true);
  if (result != SNCE_OK) Fail(snceResult_Text(result));
  if (making != nullptr) Fail("the region has no file");
  void* memory = RawMap(0, SNCE_BYTES_MAX, PROT_READ | PROT_WRITE, MAP_SHARED,
                        region_->fd);
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

// Calls |visit| with each run of pages that have memory: its first page and its
// end.
void Sandbox::ForEachRun(
    const std::function<void(uint64_t, uint64_t)>& visit) const {
  const int fd = region_->fd;
  off_t at = 0;
  while ((at = __real_lseek64(fd, at, SEEK_DATA)) >= 0) {
    const off_t hole = __real_lseek64(fd, at, SEEK_HOLE);
    if (hole <= at) Fail("no hole");
    visit(uint64_t(at) / SNCE_PAGE,
          (uint64_t(hole) + SNCE_PAGE - 1) / SNCE_PAGE);
    at = hole;
  }
}

void Sandbox::Keep() {
  Populate(0, SNCE_AT_KEY_LOG + sizeof(snceKeyLog));
  Populate(SNCE_AT_COUNTERS, 6 * sizeof(snceCounters));
  Populate(SNCE_AT_KEY_CELLS, 8 * sizeof(snceKeyCell));
  for (uint64_t server = 0; server < 6; ++server) {
    const auto* entry =
        reinterpret_cast<const snceServerWords*>(memory_ + SNCE_AT_DIRECTORY) +
        server;
    for (unsigned backing = 0; backing < 2; ++backing)
      Populate(
          snceRange_Offset(entry->backing[backing].table),
          (entry->backing[backing].table ? entry->pages[backing] >> 32 : 0) *
              SNCE_PAGE);
  }
  ForEachRun([this](uint64_t first, uint64_t end) {
    for (uint64_t page = first; page < end; ++page) {
      pages_.push_back(uint32_t(page));
      place_[page] = uint32_t(pages_.size());
    }
  });
  contents_.resize(pages_.size() * SNCE_PAGE);
  for (size_t i = 0; i < pages_.size(); ++i)
    memcpy(&contents_[i * SNCE_PAGE], memory_ + uint64_t{pages_[i]} * SNCE_PAGE,
           SNCE_PAGE);
  for (uint32_t page : touchedPages_) touched_[page] = 0;
  touchedPages_.clear();
  keptBytes_ = bytes();
  mapBytes_ = region_->map->bytes;
  keptChunks_ = windows[WindowFor(region_->map)].live;
  added_.clear();
}

const uint8_t* Sandbox::Kept(uint32_t page) const {
  return place_[page] == 0 ? nullptr
                           : &contents_[size_t{place_[page] - 1} * SNCE_PAGE];
}

void Sandbox::Forget() {
  snceMap* map = region_->map;
  Window& window = windows[WindowFor(map)];
  for (uint64_t chunk : added_) {
    map->chunk[chunk] = static_cast<uint8_t*>(nullptr);
    window.chunk[chunk] &= uint8_t(~kLive);
    --window.live;
    --live;
  }
  added_.clear();
  map->bytes = mapBytes_;
  map->pauseSec = 0;
  for (auto& counters : map->counters)
    counters = static_cast<snceCounters*>(nullptr);
}

void Sandbox::Reset() {
  refusals = 0;
  clockMsec = 0;
  *bytes_ = keptBytes_;
  Forget();
  // The hooks do not see some changes: to the count of attachments, the count
  // of wildcards, and the taken cells of the key log.
  Touch(0);
  for (uint64_t at = SNCE_AT_KEY_LOG; at < SNCE_AT_KEY_LOG + sizeof(snceKeyLog);
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
           place_[end] == 0) {
      touched_[end++] = 0;
      ++i;
    }
    if (__real_fallocate64(
            region_->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
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
  unsigned chunks = 0;
  for (uint64_t i = 0; i < SNCE_CHUNKS; ++i)
    chunks += region_->map->chunk[i] != nullptr;
  if (chunks != keptChunks_) {
    fprintf(stderr, "sandbox: other chunks are mapped\n");
    same = false;
  }
  return same && count == pages_.size();
}

int Sandbox::Descriptor() const { return fcntl(region_->fd, F_DUPFD, 3); }

uint64_t Sandbox::Load(uint64_t offset) {
  uint64_t value;
  if (offset / SNCE_PAGE >= kPages || offset >= bytes()) return 0;
  Touch(offset / SNCE_PAGE);  // reading may take memory
  memcpy(&value, memory_ + offset / 8 * 8, sizeof(value));
  return value;
}

void Sandbox::Store(uint64_t offset, uint64_t value) {
  if (offset / SNCE_PAGE >= kPages || offset >= bytes()) return;
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

void Sandbox::Refuse(uint32_t what) { refusals = what; }

void Sandbox::Wait(uint64_t msec) { clockMsec += msec; }

void Sandbox::TouchKept(uint64_t first, uint64_t end) {
  for (auto page = std::lower_bound(pages_.begin(), pages_.end(), first);
       page != pages_.end() && *page < end; ++page)
    Touch(*page);
}

}  // namespace snce_fuzz

using namespace snce_fuzz;

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

// Limit what ASan keeps of freed memory, which would be hundreds of megabytes.
const char* __asan_default_options() {
  return "quarantine_size_mb=4:malloc_context_size=3";
}

void snceStep(const char* name) {
  if (snce_fuzz::dieAt != nullptr && strcmp(name, snce_fuzz::dieAt) == 0 &&
      --snce_fuzz::dieLeft == 0)
    kill(getpid(), SIGKILL);
}

// ---- mappings (-Wl,--wrap) --------------------------------------------------

void* __real_mmap64(void*, size_t, int, int, int, off_t);
int __real_munmap(void*, size_t);
int __real_mprotect(void*, size_t, int);
int __real_madvise(void*, size_t, int);
int __real_munlock(const void*, size_t);
int __real_mlock2(const void*, size_t, unsigned);
snceResult __real_snceMap_Add(snceMap*, const snceMapFile*, uint64_t, uint64_t);

// Lets the core map chunks one at a time, so that each gets its own place.
snceResult __wrap_snceMap_Add(snceMap* map, const snceMapFile* file,
                              uint64_t first, uint64_t count) {
  unsigned window = WindowFor(map);
  if (window == kWindows) {
    // A window that this file used before saves the page faults of a new one.
    Sandbox* owner = OwnerOf(file->fd);
    for (unsigned i = 0; i < kWindows && window == kWindows; ++i)
      if (windows[i].map == nullptr && windows[i].owner == owner) window = i;
    for (unsigned i = 0; i < kWindows && window == kWindows; ++i)
      if (windows[i].map == nullptr && windows[i].owner == nullptr) window = i;
    if (window == kWindows || owner == nullptr) Fail("too many mappings");
    windows[window].map = map;
    windows[window].owner = owner;
  }
  if (count > kRunMost) return SNCE_NO_MEMORY;
  for (uint64_t i = first; i < first + count; ++i) {
    if (snceMap_At(map, i << SNCE_CHUNK_SHIFT) != nullptr) continue;
    wanted = {true, window, i};
    const snceResult result = __real_snceMap_Add(map, file, i, 1);
    wanted.is = false;
    if (result != SNCE_OK) return result;
    if (snceMap_At(map, i << SNCE_CHUNK_SHIFT) == nullptr)
      Fail("a chunk is not entered");
    windows[window].owner->NoteAdded(map, i);
  }
  return __real_snceMap_Add(map, file, first, count);
}

static void* PlaceOfWanted() {
  return reinterpret_cast<void*>(StartOf(wanted.window) +
                                 wanted.chunk * kStride);
}

static void* MapWanted(void* at, size_t bytes, int flags, int fd,
                       off_t offset) {
  Window& window = windows[wanted.window];
  uint8_t& chunk = window.chunk[wanted.chunk];
  if (!wanted.is || at != PlaceOfWanted() || bytes != SNCE_CHUNK_BYTES ||
      uint64_t(offset) != wanted.chunk * SNCE_CHUNK_BYTES ||
      OwnerOf(fd) != window.owner || (chunk & kLive))
    Fail("a chunk is mapped that was not asked for");
  if (!(chunk & kMapped)) {
    if (RawMap(reinterpret_cast<uintptr_t>(at), bytes, PROT_NONE, flags, fd,
               uint64_t(offset)) == MAP_FAILED)
      Fail("a chunk cannot be mapped");
    chunk = kMapped | PROT_NONE;
  }
  chunk |= kLive;
  ++window.live;
  ++live;
  return at;
}

void* __wrap_mmap64(void* at, size_t bytes, int protection, int flags, int fd,
                    off_t offset) {
  if (PlaceOf(at).window < kWindows)
    return MapWanted(at, bytes, flags, fd, offset);
  if (wanted.is && at == nullptr && protection == PROT_NONE) {
    if (live >= kChunksMost || (refusals & kNoMapping)) {
      errno = ENOMEM;
      return MAP_FAILED;
    }
    if (bytes != kStride) Fail("another reservation than of a chunk");
    return PlaceOfWanted();
  }
  if (bytes == sizeof(snceMap) && at == nullptr && windowsAt != 0) {
    if (Refused(kNoMapping, ENOMEM)) return MAP_FAILED;
    for (unsigned i = 0; i < kWindows; ++i)
      if (!mapIsThere[i]) {
        mapIsThere[i] = 1;
        return RawMap(mapsAt + i * kMapWindow + kMapWindow / 2, bytes,
                      protection, flags | MAP_FIXED, fd);
      }
    Fail("too many maps");
  }
  return __real_mmap64(at, bytes, protection, flags, fd, offset);
}

int __wrap_munmap(void* at, size_t bytes) {
  const uintptr_t map = reinterpret_cast<uintptr_t>(at) - mapsAt;
  const Place place = PlaceOf(at);
  if (windowsAt != 0 && map < kWindows * kMapWindow) {
    const unsigned window = WindowFor(static_cast<snceMap*>(at));
    if (window < kWindows && windows[window].live != 0)
      Fail("a chunk stays mapped");
    if (window < kWindows) windows[window].map = nullptr;
    mapIsThere[map / kMapWindow] = 0;
    return RawMap(reinterpret_cast<uintptr_t>(at), bytes, PROT_NONE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
                  -1) == at
               ? 0
               : -1;
  }
  if (place.window == kWindows) return __real_munmap(at, bytes);
  if (bytes != SNCE_CHUNK_BYTES || place.chunk >= SNCE_CHUNKS ||
      place.offset % SNCE_CHUNK_BYTES != 0)
    Fail("something else than a chunk is unmapped");
  Window& window = windows[place.window];
  if (place.offset == 0 && (window.chunk[place.chunk] & kLive)) {
    window.chunk[place.chunk] &= uint8_t(~kLive);
    --window.live;
    --live;
  }
  return 0;
}

int __wrap_mprotect(void* at, size_t bytes, int protection) {
  const Place place = PlaceOf(at);
  if (place.window == kWindows) return __real_mprotect(at, bytes, protection);
  uint8_t& chunk = windows[place.window].chunk[place.chunk];
  if (!(chunk & kLive) || place.offset != 0 || bytes != SNCE_CHUNK_BYTES)
    Fail("something else than a chunk is protected");
  if ((chunk & ~(kLive | kMapped)) != protection &&
      __real_mprotect(at, bytes, protection) != 0)
    return -1;
  chunk = uint8_t(kLive | kMapped | protection);
  return 0;
}

int __wrap_munlock(const void* at, size_t bytes) {
  return PlaceOf(at).window == kWindows ? __real_munlock(at, bytes) : 0;
}

int __wrap_mlock2(const void* at, size_t bytes, unsigned flags) {
  if (PlaceOf(at).window == kWindows) return __real_mlock2(at, bytes, flags);
  return Refused(kNoLock, EPERM) ? -1 : 0;
}

int __wrap_madvise(void* at, size_t bytes, int advice) {
  const Place place = PlaceOf(at);
  if (place.window == kWindows) return __real_madvise(at, bytes, advice);
  if (advice != MADV_REMOVE) return 0;
  const uint64_t offset = place.chunk * SNCE_CHUNK_BYTES + place.offset;
  Sandbox* owner = windows[place.window].owner;
  if (owner->bytes() < kWipedMost && Refused(kNoRemoval, EINVAL)) return -1;
  CheckDiscarded(*owner, offset, bytes);
  owner->TouchKept(offset / SNCE_PAGE, (offset + bytes) / SNCE_PAGE);
  return __real_madvise(at, bytes, advice);
}

// ---- the file ---------------------------------------------------------------

// The real file has the largest size that it may reach. The core is told
// another size, which Reset can restore.

int __wrap_fstat64(int fd, struct stat* status) {
  Sandbox* owner = OwnerOf(fd);
  if (owner != nullptr && Refused(kNoDescriptor, EBADF)) return -1;
  const int rv = __real_fstat64(fd, status);
  if (rv == 0 && owner != nullptr) status->st_size = off_t(owner->bytes());
  return rv;
}

int __wrap_fstat(int fd, struct stat* status) {
  return __wrap_fstat64(fd, status);
}

static int Lengthen(Sandbox* owner, uint64_t bytes) {
  if (Refused(kNoGrowth, ENOSPC)) return -1;
  if (bytes < owner->bytes()) Fail("the file is cut");
  if (bytes > SNCE_BYTES_MAX) Fail("the file grows beyond its most");
  owner->SetBytes(bytes);
  return 0;
}

int __wrap_ftruncate64(int fd, off_t bytes) {
  Sandbox* owner = OwnerOf(fd);
  if (owner == nullptr && making != nullptr) {
    struct stat status;
    if (__real_fstat64(fd, &status) != 0) return -1;
    owner = making;
    made.emplace_back(status.st_ino, owner);
    making = nullptr;
    owner->SetBytes(0);
    if (__real_ftruncate64(fd, off_t(SNCE_BYTES_MAX)) != 0) return -1;
  }
  if (owner == nullptr) return __real_ftruncate64(fd, bytes);
  return Lengthen(owner, uint64_t(bytes));
}

int __wrap_fallocate64(int fd, int mode, off_t offset, off_t bytes) {
  Sandbox* owner = OwnerOf(fd);
  if (owner != nullptr) {
    if (mode != 0) Fail("a hole in what may be another file");
    if (Refused(kNoAllocation, EOPNOTSUPP)) return -1;
    return Lengthen(owner, uint64_t(offset + bytes));
  }
  return __real_fallocate64(fd, mode, offset, bytes);
}

off_t __wrap_lseek64(int fd, off_t offset, int whence) {
  Sandbox* owner = OwnerOf(fd);
  if (owner == nullptr) return __real_lseek64(fd, offset, whence);
  const off_t end = off_t(owner->bytes());
  const off_t found =
      offset < end ? __real_lseek64(fd, offset, whence) : off_t{-1};
  if (found >= 0 && found < end) return found;
  if (whence == SEEK_HOLE && offset >= 0 && offset < end) return end;
  errno = ENXIO;
  return -1;
}

// ---- the rest ---------------------------------------------------------------

// Marks the page of a server's figures as touched: the core adds to figures
// without a load that the hooks see. All are on the first page of the server's
// figures, because there is only one processor here.
static void TouchFigures(const snceRegion* region, uint32_t server) {
  const unsigned window = WindowFor(region->map);
  if (window != kWindows)
    windows[window].owner->Touch(snceRegion_CountersOffset(server) / SNCE_PAGE);
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

// One processor, fixed random numbers and one clock, so that an input does the
// same each time.
int __wrap_sched_getcpu() { return 0; }

ssize_t __wrap_getrandom(void* out, size_t bytes, unsigned) {
  static uint8_t next = 1;
  memset(out, next++, bytes);
  return ssize_t(bytes);
}

int __real_clock_gettime(clockid_t, struct timespec*);
int __wrap_clock_gettime(clockid_t clock, struct timespec* now) {
  if (clock != CLOCK_MONOTONIC_COARSE) return __real_clock_gettime(clock, now);
  now->tv_sec = time_t(1000000 + clockMsec / 1000);
  now->tv_nsec = long(clockMsec % 1000 * 1000000);
  return 0;
}

}  // extern "C"
