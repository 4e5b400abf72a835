/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "target.h"

#include <cstring>

namespace snce_fuzz {
namespace {

enum Part {
  kHeader,
  kDirectory,
  kNames,
  kCounters,
  kLog,
  kTaken,
  kKeyCell,
  kTable,
  kVersions,     // of a table: more often than their share of it
  kSession,      // the words of one, with its server and key as in a lookup
  kCertificate,  // ... of its certificate
  kStore,
  kStoreHead,
  kFixed,  // anything before the heap
  kHeap,   // anything in it
  kParts
};

// The lower bits of |a| are the virtual server, here and in a call.
unsigned PartOf(const Record& record) { return record.a / 8 % kParts; }

uint32_t ServerOf(const Record& record) {
  const uint32_t which = record.a % 8;
  if (which < 6) return which;
  return which == 6 ? SNCE_SERVERS_MAX : record.value % SNCE_SERVERS;
}

uint64_t EntryOf(uint32_t number) {
  return SNCE_AT_DIRECTORY + uint64_t{number} * sizeof(snceServerWords);
}

}  // namespace

Targets::Targets(Sandbox* sandbox) : sandbox_(sandbox) {
  for (uint64_t i = 0; i < SNCE_NAMES; ++i) {
    const uint64_t at = SNCE_AT_NAMES + i * 8;
    if (sandbox->Load(at) != 0) hints_.push_back(at);
  }
  for (uint32_t number = 0; number < kServers; ++number) {
    const uint64_t entry = EntryOf(number);
    const uint32_t generation = uint32_t(sandbox->Load(entry) >> 32);
    for (unsigned home = 0; home < 2; ++home) {
      const uint64_t words = entry + offsetof(snceServerWords, home) +
                             home * sizeof(snceHomeWords);
      const uint64_t table = sandbox->Load(words);
      const uint64_t store = sandbox->Load(words + 8);
      const uint64_t pages =
          sandbox->Load(entry + offsetof(snceServerWords, pages) + home * 8);
      if (table != 0)
        tables_.push_back({snceRange_Offset(table),
                           snceWord_High(sandbox->Load(words + 16)),
                           table,
                           {number, generation}});
      for (uint32_t page : sandbox->pages())
        if (store != 0 && page >= snceRange_Page(store) &&
            page - snceRange_Page(store) < snceWord_Low(pages))
          stores_.push_back(page);
    }
  }
}

uint64_t Targets::HeapPage(uint64_t dice) const {
  const uint64_t first = SNCE_AT_HEAP / SNCE_PAGE;
  const uint64_t pages = sandbox_->bytes() / SNCE_PAGE - first;
  switch (dice % 4) {
    case 0:  // where something is
      return sandbox_->pages()[dice / 4 % sandbox_->pages().size()];
    case 1:  // about the end
      return first + pages - 16 + dice / 4 % 32;
    default:
      return first + dice / 4 % pages;
  }
}

uint32_t Targets::PageOf(uint32_t dice) const {
  return dice % 8 ? sandbox_->pages()[dice / 8 % sandbox_->pages().size()]
                  : uint32_t(SNCE_AT_HEAP / SNCE_PAGE +
                             dice / 8 %
                                 (sandbox_->bytes() / SNCE_PAGE -
                                  SNCE_AT_HEAP / SNCE_PAGE));
}

uint64_t Targets::WordOf(const Record& record) const {
  const uint32_t d = record.d;

  switch (PartOf(record)) {
    case kHeader:
      return d % 12 * 8;
    case kDirectory:  // the words that count, and the name
      return EntryOf(ServerOf(record)) +
             (record.c % 4 ? d % 19 : d % (sizeof(snceServerWords) / 8)) * 8;
    case kNames:
      return record.c % 4 && !hints_.empty()
                 ? hints_[d % hints_.size()]
                 : SNCE_AT_NAMES + d % SNCE_NAMES * 8;
    case kCounters:
      return SNCE_AT_COUNTERS + ServerOf(record) * sizeof(snceCounters) +
             d % SNCE_FIGURES * 8;
    case kLog:
      return SNCE_AT_KEYS + (record.c % 4 ? d % 8 : d % SNCE_KEY_RECORDS) * 8;
    case kTaken:
      return SNCE_AT_KEYS + offsetof(snceKeyRecords, taken) +
             (record.c % 4 ? d % 8 : d % SNCE_KEY_CELLS) * 8;
    case kKeyCell:
      return SNCE_AT_KEYS + offsetof(snceKeyRecords, cell) +
             record.b % 8 * sizeof(snceKeyCell) +
             (record.c % 4 ? d % 12 : d % SNCE_KEY_WORDS) * 8;
    case kTable:
    case kVersions: {
      const Table& table = tables_[record.b % tables_.size()];
      const uint64_t words =
          PartOf(record) == kTable ? sizeof(snceSet) / 8 : SNCE_WAYS + 5;
      return table.offset + record.c % table.sets * sizeof(snceSet) +
             d % words * 8;
    }
    case kSession:
      if (const Known* known = KnownOf(record))
        return known->slot.set + offsetof(snceSet, slot) +
               known->slot.way * sizeof(snceSlot) + d % SNCE_ENTRY_WORDS * 8;
      return SNCE_AT_HEAP;
    case kCertificate:
      if (const Known* known = KnownOf(record))
        return known->certificate + d % (record.c % 2 ? 4 : 128) * 8;
      return SNCE_AT_HEAP;
    case kStore:
    case kStoreHead: {
      const uint64_t words = PartOf(record) == kStore ? SNCE_PAGE / 8 : 36;
      return stores_.empty() ? SNCE_AT_HEAP
                             : uint64_t{stores_[(record.b | record.c << 8) %
                                                stores_.size()]} *
                                       SNCE_PAGE +
                                   d % words * 8;
    }
    case kFixed:
      return d % (SNCE_AT_JOURNAL / 8) * 8;
    default:
      return SNCE_AT_HEAP + d % ((sandbox_->bytes() - SNCE_AT_HEAP) / 8) * 8;
  }
}

uint64_t Targets::OtherWordOf(const Record& record) const {
  Record other = record;
  other.b = uint8_t(record.value);
  other.c = uint8_t(record.value >> 8);
  other.d = uint32_t(record.value >> 16);
  return WordOf(other);
}

Targets::Slot Targets::SlotOf(const Record& record) const {
  const Table& table = tables_[record.b % tables_.size()];
  return {table.range, table.offset + record.c % table.sets * sizeof(snceSet),
          record.d % SNCE_WAYS, table.id};
}

void Targets::Know(uint32_t server, uint32_t key, const snceSession& session) {
  Known known = {server, key, {}, SNCE_AT_HEAP};
  const auto holds = [this](uint64_t at, const uint8_t* bytes, size_t len) {
    for (size_t i = 0; i + 8 <= len; i += 8) {
      const uint64_t word = sandbox_->Load(at + i);
      if (memcmp(&word, bytes + i, 8) != 0) return false;
    }
    return true;
  };
  bool found = false;
  for (const Table& table : tables_)
    for (uint64_t set = 0; table.id.number == server && set < table.sets; ++set)
      for (unsigned way = 0; way < SNCE_WAYS; ++way) {
        const uint64_t at = table.offset + set * sizeof(snceSet);
        if (!holds(at + offsetof(snceSet, slot) + way * sizeof(snceSlot) +
                       SNCE_W_ID * 8,
                   session.id, SNCE_ID_MAX))
          continue;
        known.slot = {table.range, at, way, table.id};
        found = true;
      }
  const snceBuffer& certificate = session.certificate;
  for (uint32_t page : stores_)
    for (uint64_t i = 0; certificate.len >= 16 && i < SNCE_PAGE; i += 8) {
      const uint64_t at = uint64_t{page} * SNCE_PAGE + i;
      if (holds(at, certificate.data, 8))
        known.certificate = at - SNCE_CELL_HEAD * 8;
    }
  if (found) known_.push_back(known);
}

const Targets::Known* Targets::KnownOf(const Record& record) const {
  for (const Known& known : known_)
    if (known.server == record.a % 8 && known.key == record.b % 16)
      return &known;
  return nullptr;
}

bool Targets::SessionOf(const Record& record, Slot* out) const {
  const Known* known = KnownOf(record);
  if (known != nullptr) *out = known->slot;
  return known != nullptr;
}

}  // namespace snce_fuzz
