/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// program.h: an input of the region's target: what is changed and what is
// called.
//
// An input is a row of records, each of 16 bytes. The first says which region
// is used and how. Any bytes are an input.
#ifndef SSLSNCE_TESTS_FUZZ_PROGRAM_H_
#define SSLSNCE_TESTS_FUZZ_PROGRAM_H_

#include <cstddef>
#include <cstdint>

namespace snce_fuzz {

struct Record {
  uint8_t op;  // Op, modulo kOps; in the first record which region
  uint8_t a, b, c;
  uint32_t d;
  uint64_t value;
};
static_assert(sizeof(Record) == 16, "no gaps");

constexpr size_t kRecordsMost = 24;

// Changes go to a word that |a| to |d| name (target.h). In |a| are the part of
// the region and the virtual server, which calls have there too; in |b| is
// which session, for both.
enum Op : uint8_t {
  // Changes of a word.
  kSet,
  kSmall,  // to a number below 64
  kRange,  // to a range word: a serial, and a page of the heap or just behind
  kOnes,
  kFlip,
  kAdd,
  kCopy,  // from another word of the same part
  kSwap,
  // Changes of a page.
  kZeroPage,
  kFillPage,
  kCopyPage,
  kReplayPage,  // as it was at first
  // The file grows.
  kGrow,
  // Checksums are made right: the keys of the hash are there to be read.
  kForgeHeader,
  kForgeSlot,
  kForgeSession,  // after a word of it was changed
  kForgeKey,
  // The next change happens in the middle of the call after it.
  kMeanwhile,
  // Calls.
  kLookup,
  kInsert,
  kRemove,
  kFind,
  kChoose,
  kList,
  kAddServer,
  kRemoveServer,
  kConfigure,
  kFlush,
  kOptions,
  kFigures,
  kExpiry,
  kGetKey,
  kPutKey,
  kAttach,
  kExport,
  // What the system does.
  kRefuse,  // |d|: Refusal
  kWait,    // |d| milliseconds pass
  kOps
};

constexpr bool IsChange(uint8_t op) { return op % kOps < kMeanwhile; }

// How the first record's |a| has the region used.
enum Use : uint8_t {
  kKept,     // by an attachment that was made before anything was changed
  kReading,  // by one that is made after the first |b| records
  kWorking,
  kAdministering,
  kInheriting,
  kUses
};

}  // namespace snce_fuzz

#endif  // SSLSNCE_TESTS_FUZZ_PROGRAM_H_
