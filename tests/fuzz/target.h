/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// target.h: which word of a region a record means.
#ifndef SSLSNCE_TESTS_FUZZ_TARGET_H_
#define SSLSNCE_TESTS_FUZZ_TARGET_H_

#include <vector>

#include "program.h"
#include "sandbox.h"

namespace snce_fuzz {

// The virtual servers that the regions have, the default cache too, and more
// that may be added.
constexpr uint32_t kServers = 4;

// Targets finds words in one sandbox, by what was there when it was kept.
class Targets {
 public:
  explicit Targets(Sandbox* sandbox);

  // Finds where the session |key| of |server| lies, and its certificate, so
  // that records can mean it.
  void Know(uint32_t server, uint32_t key, const snceSession& session);

  // The offset of the word that |record| means.
  uint64_t WordOf(const Record& record) const;
  // ... and of another one of the same part.
  uint64_t OtherWordOf(const Record& record) const;
  // The page that it means: one that is in use, mostly.
  uint32_t PageOf(uint32_t dice) const;
  // A page number where a range may begin, or nearly so.
  uint64_t HeapPage(uint64_t dice) const;
  // How large the file is when a hostile process has made it grow.
  uint64_t Bytes(const Record& record) const;

  // A slot of a session table, for its checksum.
  struct Slot {
    uint64_t range;
    uint64_t set;  // offset
    unsigned way;
    snceLocalId id;
  };
  Slot SlotOf(const Record& record) const;
  // That of the session that it means; false if there is none.
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
  std::vector<uint64_t> hints_;  // offsets of those that are in use
  std::vector<Table> tables_;
  std::vector<Known> known_;
  struct Segment {
    uint64_t offset, sets;
    unsigned which;  // class of cells
  };

  std::vector<uint64_t> heads_;  // of stores
  std::vector<Segment> segments_;
  std::vector<uint32_t> cells_;  // pages in use
};

}  // namespace snce_fuzz

#endif  // SSLSNCE_TESTS_FUZZ_TARGET_H_
