/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// Fuzzes the inheritance string: input from another program, in the environment
// of a process.
//
// The core accepts a string only if it is, byte by byte, what snceRegion_Export
// wrote for a region whose descriptor is still open. It refuses a string of
// another form for that reason, and looks no further. If the string names a
// descriptor that is no such region, the core refuses it and leaves the
// descriptor open.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "expect.h"
#include "sslsnce/snce.h"

extern "C" {
size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);
}

namespace {

// The descriptor numbers that a string may name begin here.
constexpr int kFirst = 100;
enum { kMine, kOther, kUnsealed, kPipe, kDirectory, kEnd };

int kept[kEnd];                 // duplicates under other numbers
std::string exported[kEnd];     // of the two regions, by numbers from kFirst
std::string exportedToo[kEnd];  // the same, by the regions' own numbers
snceRegion* regions[kEnd];

void Put(int which) { EXPECT(dup2(kept[which], kFirst + which) >= 0); }

void MakeRegion(int which) {
  snceCacheOptions options = {};
  options.entries = 10;
  EXPECT(snceRegion_Create(&regions[which], &options, true) == SNCE_OK);
  kept[which] = snceRegion_Descriptor(regions[which]);
  char string[SNCE_STRING_MAX];
  EXPECT(snceRegion_Export(regions[which], string, sizeof(string)) == SNCE_OK);
  // Replace the number by that of its place.
  const char* rest = strchr(strchr(string, ':') + 1, ':');
  exported[which] = "snce2:" + std::to_string(kFirst + which) + rest;
  exportedToo[which] = string;
  Put(which);
}

// Whether |string| is that of the region |which|, by either descriptor.
bool IsExported(std::string_view string, int which) {
  return string == exported[which] || string == exportedToo[which];
}

// Whether |string| is "snce2:FD:" and three numbers of 16 hexadecimal digits
// with colons between them; FD is a decimal number of at most nine digits.
bool HasForm(std::string_view string) {
  size_t at = 6;
  if (string.compare(0, at, "snce2:") != 0) return false;
  const size_t digits = string.find_first_not_of("0123456789", at) - at;
  if (digits < 1 || digits > 9 || (digits > 1 && string[at] == '0'))
    return false;
  at += digits;
  if (string.size() != at + 3 * 17) return false;
  for (int number = 0; number < 3; ++number) {
    if (string[at++] != ':') return false;
    if (string.find_first_not_of("0123456789abcdef", at) < at + 16)
      return false;
    at += 16;
  }
  return true;
}

}  // namespace

extern "C" {

int LLVMFuzzerInitialize(int*, char***) {
  MakeRegion(kMine);
  MakeRegion(kOther);
  int pipes[2];
  EXPECT(pipe(pipes) == 0);
  kept[kPipe] = pipes[0];
  kept[kUnsealed] = memfd_create("snce-fuzz", 0);
  kept[kDirectory] = open("/", O_RDONLY | O_DIRECTORY);
  for (int which = kUnsealed; which < kEnd; ++which) Put(which);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static uint64_t inputs;
  // Copy the string to the end of a buffer, so that a read beyond it is found.
  // All longer strings are treated alike.
  static char* const buffers[2] = {new char[256], new char[1024]};
  static const size_t rooms[2] = {256, 1024};
  const size_t room = size < 256 ? 0 : 1;
  const size_t len = strnlen(reinterpret_cast<const char*>(data),
                             std::min(size, rooms[room] - 1));
  char* const begin = buffers[room] + rooms[room] - 1 - len;
  memcpy(begin, data, len);
  begin[len] = 0;
  const std::string_view string(begin, len);
  snceRegion* region = nullptr;
  const snceResult result = snceRegion_Inherit(&region, begin);

  EXPECT((result == SNCE_BAD_STRING) == !HasForm(string));
  EXPECT((result == SNCE_OK) ==
         (IsExported(string, kMine) || IsExported(string, kOther)));
  EXPECT((result == SNCE_OK) == (region != nullptr));
  switch (result) {
    case SNCE_OK: {
      // Closing the region closes its descriptor; restore it from the
      // duplicate, which is the same file.
      const int fd = snceRegion_Descriptor(region);
      const int which = IsExported(string, kMine) ? kMine : kOther;
      snceRegion_Close(region);
      EXPECT(dup2(fd == kept[which] ? kFirst + which : kept[which], fd) == fd);
      break;
    }
    case SNCE_BAD_STRING:
    case SNCE_BAD_DESCRIPTOR:
    case SNCE_FOREIGN:
      break;
    default:
      EXPECT(!"one of these");
  }
  // A refused descriptor is still open.
  if (result != SNCE_BAD_STRING || ++inputs % 1024 == 0) {
    for (int which = 0; which < kEnd; ++which)
      EXPECT(fcntl(kFirst + which, F_GETFD) >= 0);
  }
  return 0;
}

// Begins with an exported string in one case of four.
size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                               unsigned int seed) {
  const std::string& good = exported[seed / 4 % 2];
  if (seed % 4 == 0 && good.size() <= max_size) {
    size = good.size();
    memcpy(data, good.data(), size);
  }
  // Changes one byte of the string, or lets libFuzzer change it.
  if (seed % 4 < 2 && size > 0 && seed / 16 % 4 != 0) {
    static constexpr char kBytes[] = "0123456789abcdefABCDEF:x+- \tsnce2";
    data[seed / 64 % size] =
        uint8_t(kBytes[seed / 65536 % (sizeof(kBytes) - 1)]);
    return size;
  }
  return seed / 16 % 64 == 0 ? size : LLVMFuzzerMutate(data, size, max_size);
}

}  // extern "C"
