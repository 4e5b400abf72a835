/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// program.h: what an input of the region's target says: the changes and calls
// that it makes.
//
// An input is a sequence of records of 16 bytes each. The first record says
// which region is used and how. Every sequence of bytes is a valid input.
#ifndef SSLSNCE_TESTS_FUZZ_PROGRAM_H_
#define SSLSNCE_TESTS_FUZZ_PROGRAM_H_

#include <cstddef>
#include <cstdint>

namespace snce_fuzz {

struct Record {
  uint8_t op;  // Op, modulo kOps; in the first record: which region
  uint8_t a, b, c;
  uint32_t d;
  uint64_t value;
};
static_assert(sizeof(Record) == 16, "no gaps");

constexpr size_t kRecordsMost = 24;

// |a| to |d| name the word that is changed (target.h). |a| holds the part of
// the region and the virtual server, which is also the server of a call; |b|
// says which session, for changes and calls.
//
// New ones go to the end: the inputs of the corpus name them by number.
enum Op : uint8_t {
  // Changes of a word.
  kSet,
  kSmall,  // to a number below 64
  kRange,  // to a range word: a serial, and a page of the heap or beyond it
  kOnes,
  kFlip,
  kAdd,
  kCopy,  // from another word of the same part
  kSwap,
  // Changes of a page.
  kZeroPage,
  kFillPage,
  kCopyPage,
  kReplayPage,  // as it was at the beginning
  // The file grows.
  kGrow,
  // Makes checksums right: the keys of the hash can be read in the region.
  kForgeHeader,
  kForgeSlot,
  kForgeSession,  // after a word of the session was changed
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
  // Calls on ticket keys.
  kAddTicketKey,
  kListTicketKeys,
  kRemoveTicketKeys,
  // Makes the checksum of a ticket key right, then lists the keys.
  kForgeTicketKey,
  // Notes early data twice: |b| which, |c| and |d| with which options and when.
  kNoteEarlyData,
  kOps
};

constexpr bool IsChange(uint8_t op) { return op % kOps < kMeanwhile; }

// The first record's |a|: how the region is used.
enum Use : uint8_t {
  kKept,     // by a handle that was attached before all changes
  kReading,  // by one that attaches after the first |b| records
  kWorking,
  kAdministering,
  kInheriting,
  kUses
};

}  // namespace snce_fuzz

#endif  // SSLSNCE_TESTS_FUZZ_PROGRAM_H_
