/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// target.h: decides which word of a region a record names.
#ifndef SSLSNCE_TESTS_FUZZ_TARGET_H_
#define SSLSNCE_TESTS_FUZZ_TARGET_H_

#include <vector>

#include "program.h"
#include "sandbox.h"

namespace snce_fuzz {

// The virtual servers in each region, including the default cache. Calls may
// add more.
constexpr uint32_t kServers = 4;

// Targets finds words in one sandbox, by what it held when Keep was called.
class Targets {
 public:
  explicit Targets(Sandbox* sandbox);

  // Finds where the session |key| of |server| and its certificate lie, so that
  // records can name them.
  void Know(uint32_t server, uint32_t key, const snceSession& session);

  // The offset of the word that |record| names.
  uint64_t WordOf(const Record& record) const;
  // The offset of another word of the same part.
  uint64_t OtherWordOf(const Record& record) const;
  // A page, mostly one that is in use.
  uint32_t PageOf(uint32_t dice) const;
  // The number of a page at which a range may begin, or nearly so.
  uint64_t HeapPage(uint64_t dice) const;
  // The size of the file after a hostile process has made it grow.
  uint64_t Bytes(const Record& record) const;

  // A slot of a session table, with what its checksum depends on.
  struct Slot {
    uint64_t range;
    uint64_t set;  // offset
    unsigned way;
    snceLocalId id;
  };
  Slot SlotOf(const Record& record) const;
  // The slot of the session that |record| names; false if there is none.
  bool SessionOf(const Record& record, Slot* out) const;

 private:
  struct Table {
    uint64_t offset, sets, range;
    snceLocalId id;
  };

  struct Known {
    uint32_t server, key;
    Slot slot;
    uint64_t certificate;  // offset of its cell, or 0
  };
  void AddStore(uint64_t store, uint64_t cells);
  const Known* KnownOf(const Record& record) const;

  Sandbox* sandbox_;
  std::vector<uint64_t> hints_;  // offsets of hints that are in use
  std::vector<Table> tables_;
  std::vector<Known> known_;
  struct Segment {
    uint64_t offset, sets;
    unsigned which;  // class of cells
  };

  std::vector<uint64_t> heads_;  // offsets of stores' heads
  std::vector<Segment> segments_;
  std::vector<uint32_t> cells_;  // pages in use
};

}  // namespace snce_fuzz

#endif  // SSLSNCE_TESTS_FUZZ_TARGET_H_
