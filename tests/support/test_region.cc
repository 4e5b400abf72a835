/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "test_region.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "gtest/gtest.h"

namespace snce_test {

snceCacheOptions Options(uint64_t entries) {
  snceCacheOptions options;
  std::memset(&options, 0, sizeof(options));
  options.entries = entries;
  options.timeoutSec[SNCE_CLASS_SSL2] = 100;
  options.timeoutSec[SNCE_CLASS_SSL3] = 86400;
  options.clockSkewSec = SNCE_CLOCK_SKEW_MAX;
  return options;
}

Region::Region(uint64_t entries, bool inheritable) {
  Create(Options(entries), inheritable);
}

Region::Region(const snceCacheOptions& options, bool inheritable) {
  Create(options, inheritable);
}

void Region::Create(const snceCacheOptions& options, bool inheritable) {
  const snceResult result = snceRegion_Create(&region_, &options, inheritable);
  if (result != SNCE_OK) {
    // Without a region no test can go on, and a constructor cannot ASSERT.
    fprintf(stderr, "no region: %s\n", snceResult_Text(result));
    abort();
  }
}

snceFigures Region::Figures() const {
  snceFigures figures;
  std::memset(&figures, 0, sizeof(figures));
  EXPECT_EQ(SNCE_OK, snceCache_GetFigures(cache(), &figures));
  return figures;
}

ino_t InodeOf(int fd) {
  struct stat status;
  return fstat(fd, &status) == 0 ? status.st_ino : 0;
}

std::vector<Mapping> MappingsOf(int fd) { return MappingsOfInode(InodeOf(fd)); }

std::vector<Mapping> MappingsOfInode(ino_t inode) {
  std::vector<Mapping> found;
  std::ifstream smaps("/proc/self/smaps");
  std::string line;
  bool wanted = false;
  while (std::getline(smaps, line)) {
    uintptr_t start, end;
    char permissions[8], path[256] = "";
    unsigned long long file = 0;
    if (sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " %7s %*s %*s %llu %255s",
               &start, &end, permissions, &file, path) >= 4) {
      wanted = file == inode && strncmp(path, "/memfd:", 7) == 0;
      if (wanted) found.push_back({start, end, permissions, inode, path, ""});
    } else if (wanted && line.compare(0, 8, "VmFlags:") == 0) {
      found.back().flags = line.substr(8) + " ";
    }
  }
  return found;
}

void ForEachExtent(int fd, const std::function<void(off_t, off_t)>& visit) {
  const off_t size = lseek(fd, 0, SEEK_END);
  off_t at = 0;
  while (at < size) {
    const off_t data = lseek(fd, at, SEEK_DATA);
    if (data < 0) break;
    const off_t hole = lseek(fd, data, SEEK_HOLE);
    if (hole <= data) break;
    visit(data, hole);
    at = hole;
  }
}

std::vector<off_t> FindInFile(int fd, const uint8_t* pattern, size_t len) {
  std::vector<off_t> found;
  constexpr off_t kChunk = 1 << 20;
  std::vector<uint8_t> chunk(kChunk + 4096);
  ForEachExtent(fd, [&](off_t data, off_t hole) {
    for (off_t at = data; at < hole; at += kChunk) {
      // Overlap the next chunk, so that no pattern falls between two.
      const size_t want = static_cast<size_t>(
          std::min<off_t>(hole - at, kChunk + static_cast<off_t>(len) - 1));
      const ssize_t got = pread(fd, chunk.data(), want, at);
      if (got <= 0) return;
      const uint8_t* from = chunk.data();
      const uint8_t* const end = from + got;
      while (const void* hit =
                 memmem(from, static_cast<size_t>(end - from), pattern, len)) {
        from = static_cast<const uint8_t*>(hit);
        found.push_back(at + (from++ - chunk.data()));
      }
    }
  });
  return found;
}

uint64_t CountInFile(int fd, const uint8_t* pattern, size_t len) {
  return FindInFile(fd, pattern, len).size();
}

uint64_t DataBytes(int fd) {
  uint64_t bytes = 0;
  ForEachExtent(fd, [&](off_t data, off_t hole) {
    bytes += static_cast<uint64_t>(hole - data);
  });
  return bytes;
}

int MemoryFile() {
  // Ask for a file that is not executable: the seal against executing
  // (F_SEAL_EXEC) would, on an executable file, also forbid writing.
  constexpr unsigned kNoExecSeal = 8;  // MFD_NOEXEC_SEAL, since Linux 6.3
  const int fd = memfd_create("snce-test", kNoExecSeal);
  return fd >= 0 ? fd : memfd_create("snce-test", MFD_ALLOW_SEALING);
}

int OpenDescriptors() {
  int count = 0;
  DIR* directory = opendir("/proc/self/fd");
  if (directory == nullptr) return -1;
  while (const struct dirent* entry = readdir(directory))
    count += entry->d_name[0] != '.';
  closedir(directory);
  return count - 1;  // the directory's own descriptor
}

int CopyOf(int fd, bool sealed) {
  const int copy = MemoryFile();
  if (copy < 0) return -1;
  if (ftruncate(copy, lseek(fd, 0, SEEK_END)) != 0) {
    close(copy);
    return -1;
  }
  std::vector<uint8_t> chunk(1 << 20);
  ForEachExtent(fd, [&](off_t data, off_t hole) {
    for (off_t at = data; at < hole;) {
      const ssize_t got = pread(
          fd, chunk.data(),
          std::min<size_t>(chunk.size(), static_cast<size_t>(hole - at)), at);
      if (got <= 0) return;
      if (pwrite(copy, chunk.data(), static_cast<size_t>(got), at) != got)
        return;
      at += got;
    }
  });
  if (sealed) SealLike(copy, fd);
  return copy;
}

void SealLike(int copy, int fd) {
  EXPECT_EQ(0, fcntl(copy, F_ADD_SEALS, fcntl(fd, F_GET_SEALS)));
}

namespace {

void LimitProcessorTime(unsigned seconds) {
  const struct itimerval limit = {{0, 0}, {static_cast<time_t>(seconds), 0}};
  setitimer(ITIMER_PROF, &limit, nullptr);
}

}  // namespace

Watchdog::Watchdog(unsigned seconds) {
  LimitProcessorTime(seconds);
  alarm(10 * seconds);
}

Watchdog::~Watchdog() {
  alarm(0);
  LimitProcessorTime(0);
}

}  // namespace snce_test
