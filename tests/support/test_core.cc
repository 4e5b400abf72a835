/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "test_core.h"

#include <dirent.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <vector>

#include "test_region.h"

namespace snce_test {

namespace {

constexpr size_t kMarkerBytes = 64;

void FillMarker(uint8_t* marker) {
  for (size_t i = 0; i < kMarkerBytes; ++i)
    marker[i] = static_cast<uint8_t>(i * 29 + 7);
}

// Where one stretch of memory lies, and how many bytes of it the dump has.
struct Segment {
  uint64_t start, end, bytes;
};

struct Dump {
  std::vector<Segment> segments;
  std::vector<uint8_t> files;  // the contents of the note NT_FILE
};

template <typename T>
bool ReadAt(int fd, uint64_t at, T* out) {
  return pread(fd, out, sizeof(*out), static_cast<off_t>(at)) ==
         static_cast<ssize_t>(sizeof(*out));
}

// Searches the notes of a segment for NT_FILE.
void ReadNotes(int core, const ElfW(Phdr) & header, Dump* dump) {
  uint64_t at = header.p_offset;
  const uint64_t end = at + header.p_filesz;
  ElfW(Nhdr) note;
  while (at + sizeof(note) <= end && ReadAt(core, at, &note)) {
    const uint64_t data = at + sizeof(note) + (note.n_namesz + 3) / 4 * 4;
    if (note.n_type == NT_FILE && data + note.n_descsz <= end) {
      dump->files.resize(note.n_descsz);
      if (pread(core, dump->files.data(), note.n_descsz,
                static_cast<off_t>(data)) != ssize_t(note.n_descsz))
        dump->files.clear();
    }
    at = data + (uint64_t(note.n_descsz) + 3) / 4 * 4;
  }
}

Dump ReadDump(int core) {
  Dump dump;
  ElfW(Ehdr) elf;
  if (!ReadAt(core, 0, &elf) || memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0)
    return dump;
  for (unsigned i = 0; i < elf.e_phnum; ++i) {
    ElfW(Phdr) header;
    if (!ReadAt(core, elf.e_phoff + uint64_t(i) * elf.e_phentsize, &header))
      break;
    if (header.p_type == PT_LOAD)
      dump.segments.push_back(
          {header.p_vaddr, header.p_vaddr + header.p_memsz, header.p_filesz});
    if (header.p_type == PT_NOTE) ReadNotes(core, header, &dump);
  }
  return dump;
}

std::string ReadLine(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

}  // namespace

void CrashIn(const std::string& directory) {
  struct rlimit limit;
  uint8_t* volatile marker = static_cast<uint8_t*>(malloc(kMarkerBytes));
  if (marker == nullptr || getrlimit(RLIMIT_CORE, &limit) != 0) return;
  FillMarker(marker);
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_CORE, &limit) != 0 || chdir(directory.c_str()) != 0)
    return;
  signal(SIGABRT, SIG_DFL);
  abort();
}

CoreDirectory::CoreDirectory() {
  const std::string pattern = ReadLine("/proc/sys/kernel/core_pattern");
  struct rlimit limit;
  char path[] = "/tmp/snce-core.XXXXXX";
  if (pattern.empty() || pattern[0] == '|' || pattern[0] == '/')
    why_ = "core dumps go elsewhere here: " + pattern;
  else if (getrlimit(RLIMIT_CORE, &limit) != 0 ||
           limit.rlim_max != RLIM_INFINITY)
    why_ = "a limit on core dumps that cannot be raised";
  else if (!mkdtemp(path))
    why_ = "no directory";
  else
    path_ = path;
}

CoreDirectory::~CoreDirectory() {
  if (path_.empty()) return;
  if (DIR* directory = opendir(path_.c_str())) {
    while (const struct dirent* entry = readdir(directory))
      if (entry->d_name[0] != '.')
        unlink((path_ + "/" + entry->d_name).c_str());
    closedir(directory);
  }
  rmdir(path_.c_str());
}

int CoreDirectory::Open() const {
  int fd = -1;
  if (DIR* directory = opendir(path_.c_str())) {
    while (const struct dirent* entry = readdir(directory))
      if (fd < 0 && entry->d_name[0] != '.')
        fd = open((path_ + "/" + entry->d_name).c_str(), O_RDONLY | O_CLOEXEC);
    closedir(directory);
  }
  return fd;
}

bool CoreDirectory::HasMarker(int core) const {
  uint8_t marker[kMarkerBytes];
  FillMarker(marker);
  return CountInFile(core, marker, sizeof(marker)) != 0;
}

// The note NT_FILE holds: a count, the page size, a start, an end and an offset
// for each file, then the file names, each ended by a NUL.
uint64_t CoreDirectory::BytesOf(int core, const std::string& name) const {
  const Dump dump = ReadDump(core);
  uint64_t head[2], bytes = 0;
  bool found = false;
  if (dump.files.size() < sizeof(head)) return UINT64_MAX;
  memcpy(head, dump.files.data(), sizeof(head));
  size_t at = sizeof(head) + static_cast<size_t>(head[0]) * 24;
  for (uint64_t i = 0; i < head[0] && at < dump.files.size(); ++i) {
    const auto* text = reinterpret_cast<const char*>(dump.files.data()) + at;
    const std::string file(text, strnlen(text, dump.files.size() - at));
    uint64_t range[2];
    memcpy(range, dump.files.data() + sizeof(head) + i * 24, sizeof(range));
    at += file.size() + 1;
    if (file.compare(0, name.size(), name) != 0) continue;
    found = true;
    for (const Segment& segment : dump.segments)
      if (segment.start < range[1] && segment.end > range[0])
        bytes += segment.bytes;
  }
  return found ? bytes : UINT64_MAX;
}

}  // namespace snce_test
