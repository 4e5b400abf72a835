/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "target.h"

#include <algorithm>
#include <cstring>

extern "C" {
#include "sncecell.h"
}

namespace snce_fuzz {
namespace {

// New ones go to the end, as in program.h.
enum Part {
  kHeader,
  kDirectory,
  kNames,
  kCounters,
  kLog,
  kTaken,
  kKeyCell,
  kTable,
  kVersions,     // of a table; chosen more often than their share of the table
  kSession,      // a word of a session, with server and key as in a lookup
  kCertificate,  // a word of that session's certificate
  kCells,        // pages that hold certificates
  kCellHead,     // versions and counts of a set of cells
  kSegment,      // where a segment of a store begins
  kFixed,        // any word before the heap
  kHeap,         // any word of the heap
  kTicketKey,    // the words before the slots, and of the first slots
  kReplay,       // the heads of the filters for early data, and their words
  kParts
};

// The lower bits of |a| are the virtual server, in changes and in calls.
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
    for (unsigned backing = 0; backing < 2; ++backing) {
      const uint64_t words = entry + offsetof(snceServerWords, backing) +
                             backing * sizeof(snceBackingWords);
      const uint64_t table = sandbox->Load(words);
      const uint64_t store = sandbox->Load(words + 8);
      if (table != 0)
        tables_.push_back({snceRange_Offset(table),
                           snceWord_High(sandbox->Load(words + 16)),
                           table,
                           {number, generation}});
      if (store != 0) AddStore(store, snceWord_Low(sandbox->Load(words + 16)));
    }
  }
}

void Targets::AddStore(uint64_t store, uint64_t cells) {
  const uint64_t head = snceRange_Offset(store);
  heads_.push_back(head);
  for (unsigned which = 0; which < SNCE_CELL_CLASSES; ++which)
    for (unsigned i = 0; i < SNCE_SEGMENTS; ++i) {
      const uint64_t first =
          sandbox_->Load(head + offsetof(snceStoreHead, segment) +
                         (which * SNCE_SEGMENTS + i) * 8);
      const uint64_t pages =
          (snceCell_SegmentBytes(which, cells, i) + SNCE_PAGE - 1) / SNCE_PAGE;
      if (first == 0) break;
      segments_.push_back({first * SNCE_PAGE,
                           snceCell_SetsBefore(which, cells, i + 1) -
                               snceCell_SetsBefore(which, cells, i),
                           which});
      for (uint32_t page : sandbox_->pages())
        if (page >= first && page - first < pages) cells_.push_back(page);
    }
}

uint64_t Targets::HeapPage(uint64_t dice) const {
  const uint64_t first = SNCE_AT_HEAP / SNCE_PAGE;
  const uint64_t end = sandbox_->bytes() / SNCE_PAGE;
  const uint64_t more = dice / 64;
  uint64_t page;
  switch (dice % 8) {
    case 0:  // where something lies
    case 1:
      page = sandbox_->pages()[more % sandbox_->pages().size()];
      break;
    case 2:  // about the file's end
      page = end - 64 + more % 128;
      break;
    case 3:  // at the end of a chunk
      page = more / 64 % (end / SNCE_CHUNK_PAGES + 1) * SNCE_CHUNK_PAGES +
             SNCE_CHUNK_PAGES - 1 - more % 64;
      break;
    case 4:  // about the largest size of a region
      page = SNCE_BYTES_MAX / SNCE_PAGE - 64 + more % 128;
      break;
    case 5:  // before the heap
      page = more % first;
      break;
    default:
      page = first + more % (sandbox_->keptBytes() / SNCE_PAGE - first);
  }
  return dice / 8 % 8 ? page / SNCE_GRAIN_PAGES * SNCE_GRAIN_PAGES : page;
}

uint64_t Targets::Bytes(const Record& record) const {
  switch (record.d % 8) {
    case 4:  // in the middle of a grain
      return sandbox_->bytes() + record.value % SNCE_GRAIN;
    case 5:
      return SNCE_BYTES_MAX - record.value % 64 * SNCE_GRAIN;
    case 6:
      return SNCE_BYTES_MAX + record.value % 64 * SNCE_GRAIN;
    case 7:
      return record.value % (4 * SNCE_BYTES_MAX);
    default:
      return sandbox_->bytes() + record.value % 1024 * SNCE_GRAIN;
  }
}

uint32_t Targets::PageOf(uint32_t dice) const {
  return dice % 8 ? sandbox_->pages()[dice / 8 % sandbox_->pages().size()]
                  : uint32_t(SNCE_AT_HEAP / SNCE_PAGE +
                             dice / 8 %
                                 (sandbox_->keptBytes() / SNCE_PAGE -
                                  SNCE_AT_HEAP / SNCE_PAGE));
}

uint64_t Targets::WordOf(const Record& record) const {
  const uint32_t d = record.d;

  switch (PartOf(record)) {
    case kHeader:
      return d % 14 * 8;
    case kDirectory:  // the words that matter, and the name
      return EntryOf(ServerOf(record)) +
             (record.c % 4 ? d % 21 : d % (sizeof(snceServerWords) / 8)) * 8;
    case kNames:
      return record.c % 4 && !hints_.empty()
                 ? hints_[d % hints_.size()]
                 : SNCE_AT_NAMES + d % SNCE_NAMES * 8;
    case kCounters:
      return snceRegion_CountersOffset(ServerOf(record)) + d % SNCE_FIGURES * 8;
    case kLog:
      return SNCE_AT_KEY_LOG +
             (record.c % 4 ? d % 8 : d % SNCE_KEY_RECORDS) * 8;
    case kTaken:
      return SNCE_AT_KEY_LOG + offsetof(snceKeyLog, taken) +
             (record.c % 4 ? d % 8 : d % SNCE_KEY_CELLS) * 8;
    case kKeyCell:
      return SNCE_AT_KEY_CELLS + record.b % 8 * sizeof(snceKeyCell) +
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
               known->slot.way * sizeof(snceSlotWords) +
               d % SNCE_ENTRY_WORDS * 8;
      return SNCE_AT_HEAP;
    case kCertificate:
      if (const Known* known = KnownOf(record))
        return known->certificate + d % (record.c % 2 ? 4 : 128) * 8;
      return SNCE_AT_HEAP;
    case kCells:
      return cells_.empty() ? SNCE_AT_HEAP
                            : uint64_t{cells_[(record.b | record.c << 8) %
                                              cells_.size()]} *
                                      SNCE_PAGE +
                                  d % (SNCE_PAGE / 8) * 8;
    case kCellHead: {
      if (segments_.empty()) return SNCE_AT_HEAP;
      const Segment& segment = segments_[record.b % segments_.size()];
      return segment.offset +
             snceCell_Offset(segment.which, record.c % segment.sets) +
             d % (sizeof(snceCellSet) / 8) * 8;
    }
    case kSegment: {
      const uint64_t which = d % SNCE_CELL_CLASSES;
      const uint64_t i = d / SNCE_CELL_CLASSES;
      return heads_[record.b % heads_.size()] +
             offsetof(snceStoreHead, segment) +
             (which * SNCE_SEGMENTS +
              (record.c % 4 ? i % 3 : i % SNCE_SEGMENTS)) *
                 8;
    }
    case kTicketKey: {
      const uint64_t slot = record.b % 8;
      constexpr uint64_t words[] = {offsetof(snceTicketSlots, changes),
                                    offsetof(snceTicketSlots, used)};
      if (record.c % 8 == 0) return SNCE_AT_TICKET_KEYS + words[d % 2];
      return SNCE_AT_TICKET_KEYS +
             (record.c % 4 == 0
                  ? offsetof(snceTicketSlots, version) + slot * 8
                  : offsetof(snceTicketSlots, slot) +
                        (slot * SNCE_TICKET_WORDS + d % SNCE_TICKET_WORDS) * 8);
    }
    case kReplay:
      return SNCE_AT_REPLAY +
             (record.c % 4
                  ? d % (SNCE_REPLAY_FILTERS * sizeof(snceReplayFilter) / 8)
                  : SNCE_PAGE / 8 + d % (2 * SNCE_REPLAY_PAIRS)) *
                 8;
    case kFixed:
      return d % (SNCE_AT_HEAP / 8) * 8;
    default:
      return SNCE_AT_HEAP +
             d % ((sandbox_->keptBytes() - SNCE_AT_HEAP) / 8) * 8;
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
        if (!holds(at + offsetof(snceSet, slot) + way * sizeof(snceSlotWords) +
                       SNCE_W_ID * 8,
                   session.id, SNCE_ID_MAX))
          continue;
        known.slot = {table.range, at, way, table.id};
        found = true;
      }
  const snceBuffer& certificate = session.certificate;
  for (uint32_t page : cells_)
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
