/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// Fuzzes a region that a hostile process changes: before this process attaches,
// while it is attached, and between two loads of one operation.
//
// Whatever is changed, every call must return one of the results that snce.h
// names for it, without an access out of bounds, and every session that is
// found must be whole. The last may fail only if a checksum was forged, which
// takes the keys that lie in the region.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "program.h"
#include "sandbox.h"
#include "target.h"
#include "test_clock.h"
#include "test_session.h"
#include "test_ticket.h"

extern "C" {
#include "snceslot.h"
size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);
}

namespace snce_fuzz {
namespace {

using snce_test::At;
using snce_test::kSecond;
using snce_test::kStart;
using snce_test::Session;

#define EXPECT(condition, ...)                   \
  do {                                           \
    if (!(condition)) {                          \
      fprintf(stderr, "%s: ", #condition);       \
      fprintf(stderr, __VA_ARGS__);              \
      fprintf(stderr, " (line %d)\n", __LINE__); \
      abort();                                   \
    }                                            \
  } while (0)

// ---- what is in the regions -------------------------------------------------

constexpr const char* kNames[] = {
    "a.example",   "*.b.example", "c.example",  "d.example", "*.e.example",
    "x.b.example", "A.Example",   "g.example.", "*",         "no name here"};
constexpr uint32_t kKeys = 16, kVariants = 4;
constexpr unsigned kRecorded = 3,
                   kKeyNames = 8;    // keys in the log, and asked for
constexpr uint64_t kTicketKeys = 3;  // in the region at the beginning

snceCacheOptions OptionsNth(unsigned which) {
  static constexpr uint32_t kEntries[] = {40, 20, 60, 300, 1};
  static constexpr uint32_t kCertificates[] = {16, 0, 40};
  snceCacheOptions options = {};
  options.entries = kEntries[which % 5];
  options.certificates = kCertificates[which / 5 % 3];
  options.timeoutSec[SNCE_CLASS_SSL2] = 100;
  options.timeoutSec[SNCE_CLASS_SSL3] = which / 64 % 2 ? 7 : 86400;
  options.matchAddress = which / 16 % 2 == 0;
  options.unlisted = which / 32 % 2 != 0;
  options.clockSkewSec = which / 64 % 2 ? 300 : 2;
  options.closed = which / 128 % 4 == 3;
  return options;
}

// All sessions that can be stored. Sessions with one key have the same ID in
// all virtual servers; the variant says in which server each was stored.
class Sessions {
 public:
  Sessions() {
    for (uint32_t server = 0; server <= kServers; ++server)
      for (uint32_t key = 0; key < kKeys; ++key)
        for (uint32_t variant = 0; variant < kVariants; ++variant) {
          Session session(key, server * kVariants + variant,
                          uint8_t((key * 3 + variant * 5 + 1) & 7));
          session.Created(At(kStart));
          // Some of the larger classes of cells, two sessions of each.
          if (variant == 3 && key < 6)
            session.Certificate(
                snce_test::Bytes(key, (2500u << 2 * (key % 3)) + key));
          all_.push_back(session);
          certificates_.insert(session.certificate());
        }
  }
  bool HaveCertificate(const snceBuffer& certificate) const {
    return certificates_.count(std::vector<uint8_t>(
               certificate.data, certificate.data + certificate.len)) != 0;
  }
  const Session& Of(uint32_t server, uint32_t key, uint32_t variant) const {
    return all_[(std::min(server, kServers) * kKeys + key % kKeys) * kVariants +
                variant % kVariants];
  }

 private:
  std::vector<Session> all_;
  std::set<std::vector<uint8_t>> certificates_;
};

std::vector<uint8_t> KeyName(unsigned which) {
  return snce_test::Bytes(1000 + which, SNCE_KEY_NAME_BYTES);
}

std::vector<uint8_t> KeyValue(unsigned which) {
  return snce_test::Bytes(2000 + which, 60 + which * 500);
}

const uint8_t* BytesOf(const char* name) {
  return reinterpret_cast<const uint8_t*>(name);
}

// ---- the regions ------------------------------------------------------------

// The states of a region: 0, at rest; or as a process left it that died: 1,
// while it moved the sessions of a.example; 2, while it removed that server; 3,
// while it added another one.
constexpr unsigned kStates = 4;

struct World {
  explicit World(unsigned state) : sandbox(OptionsNth(0)) {
    snceRegion* region = sandbox.region();
    snceServerId id;
    for (uint32_t server = 1; server < kServers; ++server) {
      static constexpr unsigned kWhich[] = {16, 8, 32};
      const snceCacheOptions options = OptionsNth(kWhich[server - 1]);
      EXPECT(
          snceServer_Add(region, BytesOf(kNames[server - 1]),
                         strlen(kNames[server - 1]), &options, &id) == SNCE_OK,
          "%s", kNames[server - 1]);
    }
    for (uint32_t server = 0; server < kServers; ++server)
      for (uint32_t key = 0; key < kKeys; key += 1 + server % 2)
        EXPECT(sessions()
                       .Of(server, key, key)
                       .Insert(snceRegion_Cache(region,
                                                {server, 1, region->identity}),
                               At(kStart)) == SNCE_OK,
               "session %d of %d", int(key), int(server));
    uint8_t buf[SNCE_KEY_VALUE_MAX];
    size_t len;
    for (unsigned i = 0; i < kRecorded; ++i)
      EXPECT(
          snceKeyLog_Put(region, KeyName(i).data(), KeyValue(i).data(),
                         KeyValue(i).size(), buf, sizeof(buf), &len) == SNCE_OK,
          "key %d", int(i));
    for (uint64_t id = 1; id <= kTicketKeys; ++id) {
      const snceTicketKey key = snce_test::TicketKey(id);
      EXPECT(snceTicketKeys_Add(region, &key) == SNCE_OK, "ticket key");
    }
    const snceCacheOptions larger = OptionsNth(23);
    if (state == 1)
      sandbox.DieAt("move-copied", 4, [&] {
        snceCache_Configure(snceRegion_Cache(region, {1, 1, region->identity}),
                            &larger);
      });
    if (state == 2)
      sandbox.DieAt("remove-published", 1, [&] {
        snceServer_Remove(region, {1, 1, region->identity});
      });
    if (state == 3)
      sandbox.DieAt("add-entered", 1, [&] {
        snceServer_Add(region, BytesOf("d.example"), 9, &larger, &id);
      });
    sandbox.Keep();
    targets = std::make_unique<Targets>(&sandbox);
    for (uint32_t server = 0; server < kServers; ++server)
      for (uint32_t key = 0; key < kKeys; ++key)
        targets->Know(server, key, *sessions().Of(server, key, key).get());
    sandbox.Reset();
    char string[SNCE_STRING_MAX];
    descriptor = sandbox.Descriptor();
    EXPECT(snceRegion_Export(region, string, sizeof(string)) == SNCE_OK, "-");
    exported = string;
  }

  static const Sessions& sessions() {
    static const Sessions* all = new Sessions;
    return *all;
  }

  Sandbox sandbox;
  std::unique_ptr<Targets> targets;
  int descriptor;  // duplicated for each attachment
  std::string exported;
};

World* worlds[kStates];

// ---- one input --------------------------------------------------------------

bool In(snceResult result, std::initializer_list<snceResult> allowed) {
  return std::find(allowed.begin(), allowed.end(), result) != allowed.end();
}

#define EXPECT_RESULT(result, ...)                         \
  EXPECT(In(result, {__VA_ARGS__}), "%d, %s", int(result), \
         snceResult_Text(result))

class Input {
 public:
  Input(World* world, const Record& first)
      : world_(world),
        sandbox_(&world->sandbox),
        use_(first.a < 128 ? kKept : first.a % kUses) {
    if (use_ == kKept) region_ = sandbox_->region();
  }
  ~Input() {
    Sandbox::Disarm();
    // Under kNoDescriptor, the descriptor would stay open.
    Sandbox::Refuse(refused_ & ~kNoDescriptor);
    snceRegion_Close(second_);
    if (use_ != kKept) snceRegion_Close(region_);
    sandbox_->Reset();
  }

  bool attached() const { return region_ != nullptr; }

  // Returns false if the region is refused, as it must be if its header was
  // changed.
  bool Attach() {
    static constexpr snceAccess kAccess[] = {
        SNCE_ACCESS_ADMIN, SNCE_ACCESS_READ, SNCE_ACCESS_WORK,
        SNCE_ACCESS_ADMIN, SNCE_ACCESS_ADMIN};
    region_ = AttachFor(kAccess[use_]);
    if (region_ != nullptr && !forged_header_ && !armed_) {
      // Every bit that the checksum covers counts. A change after the check
      // does not: the core uses none of it again except to compare it.
      EXPECT(memcmp(sandbox_->Page(0), sandbox_->Kept(0),
                    offsetof(snceHeader, heap)) == 0,
             "a header that is not the region's was taken");
    }
    if (region_ != nullptr && !armed_) {
      // A right checksum does not make another build or another region
      // acceptable.
      const auto same = [this](uint64_t at, uint64_t bytes) {
        return memcmp(sandbox_->Page(0) + at, sandbox_->Kept(0) + at, bytes) ==
               0;
      };
      EXPECT(same(offsetof(snceHeader, signature), 8), "another build's");
      EXPECT(use_ != kInheriting || same(offsetof(snceHeader, id), 16),
             "another region than the string's");
      EXPECT(region_->access == SNCE_ACCESS_READ ||
                 snceRegion_IsLocked(region_) ==
                     (sandbox_->Load(offsetof(snceHeader, lock)) != 0),
             "not locked as the region says");
    }
    return region_ != nullptr;
  }

  void Run(const Record& record) {
    const uint8_t op = record.op % kOps;
    if (op < kMeanwhile) {
      if (meanwhile_ != 0) {
        armed_ = true;
        Sandbox::Arm(meanwhile_, [this, record] { Change(record); });
        meanwhile_ = 0;
      } else {
        Change(record);
      }
    } else if (op == kMeanwhile) {
      meanwhile_ = 1 + record.d % (record.c % 2 ? 64 : 1024);
    } else if (op == kRefuse) {
      refused_ = record.d % 64;
      refused_before_ |= refused_;
      Sandbox::Refuse(refused_);
    } else if (op == kWait) {
      Sandbox::Wait(record.d % 40000);
    } else if (attached()) {
      Call(op, record);
    }
  }

 private:
  snceRegion* AttachFor(snceAccess access) {
    snceRegion* region = nullptr;
    if (use_ == kInheriting) {
      // The string has the number of the descriptor that was exported.
      const snceResult result =
          snceRegion_Inherit(&region, world_->exported.c_str());
      ExpectAttached(result);
      if (result == SNCE_OK) region->fd = dup(region->fd);
      return region;
    }
    const int fd = dup(world_->descriptor);
    const snceResult result = snceRegion_Attach(&region, fd, access);
    ExpectAttached(result);
    EXPECT((result == SNCE_OK) == (region != nullptr), "%d", int(result));
    if (result != SNCE_OK) {
      EXPECT(close(fd) == 0, "a refused descriptor was taken");
    }
    return region;
  }

  void ExpectAttached(snceResult result) const {
    if (refused_ & kNoDescriptor) {
      EXPECT_RESULT(result, SNCE_BAD_DESCRIPTOR);
    } else if (refused_ & kNoLock) {
      EXPECT_RESULT(result, SNCE_OK, SNCE_FOREIGN, SNCE_CORRUPT, SNCE_NO_MEMORY,
                    SNCE_LOCK_LIMIT);
    } else {
      // SNCE_NO_MEMORY: a table may be larger than what can be mapped at once.
      EXPECT_RESULT(result, SNCE_OK, SNCE_FOREIGN, SNCE_CORRUPT,
                    SNCE_NO_MEMORY);
    }
  }

  // Whether a call that needs the administrative lock may return |result|
  // because something is scarce.
  bool Wants(snceResult result) const {
    return In(result, {SNCE_NO_MEMORY}) ||
           (refused_ & kNoDescriptor && result == SNCE_BAD_DESCRIPTOR) ||
           (refused_ & kNoLock && result == SNCE_LOCK_LIMIT);
  }

  // ---- changes ----

  void Change(const Record& record) {
    const Targets& targets = *world_->targets;
    const uint64_t at = targets.WordOf(record);
    const uint64_t other = targets.OtherWordOf(record);
    const uint64_t was = sandbox_->Load(at);
    const uint64_t theirs = sandbox_->Load(other);
    const uint32_t page = targets.PageOf(record.d);
    switch (record.op % kOps) {
      case kSet:
        return sandbox_->Store(at, record.value);
      case kSmall:
        return sandbox_->Store(at, record.value % 64);
      case kRange:
        // In a hint of a name, change the server's number only, so that the
        // hash still fits.
        if (at >= SNCE_AT_NAMES && at < SNCE_AT_KEY_LOG)
          return sandbox_->Store(at, (was & ~SNCE_HINT_NUMBER) |
                                         (record.value & SNCE_HINT_NUMBER));
        return sandbox_->Store(
            at, snceRange_Of(record.value & 0xff,
                             targets.HeapPage(record.value >> 8)));
      case kOnes:
        return sandbox_->Store(at, ~UINT64_C(0));
      case kFlip:
        return sandbox_->Store(at, was ^ UINT64_C(1) << record.value % 64);
      case kAdd:
        return sandbox_->Store(at, was + record.value);
      case kCopy:
        return sandbox_->Store(at, theirs);
      case kSwap:
        sandbox_->Store(at, theirs);
        return sandbox_->Store(other, was);
      case kZeroPage:
        memset(sandbox_->Page(page), 0, SNCE_PAGE);
        return;
      case kFillPage:
        memset(sandbox_->Page(page), int(record.value | 1), SNCE_PAGE);
        return;
      case kCopyPage:
        memcpy(sandbox_->Page(page),
               sandbox_->Page(targets.PageOf(uint32_t(record.value))),
               SNCE_PAGE);
        return;
      case kReplayPage:
        if (const uint8_t* kept = sandbox_->Kept(page))
          memcpy(sandbox_->Page(page), kept, SNCE_PAGE);
        return;
      case kGrow:
        return sandbox_->Grow(targets.Bytes(record));
      case kForgeHeader:
        return ForgeHeader();
      case kForgeSlot:
        return ForgeSlot(targets.SlotOf(record));
      case kForgeSession: {
        Targets::Slot slot;
        if (!targets.SessionOf(record, &slot)) return;
        const uint64_t word = slot.set + offsetof(snceSet, slot) +
                              slot.way * sizeof(snceSlotWords) +
                              record.d % SNCE_ENTRY_WORDS * 8;
        sandbox_->Store(word, record.c % 2 ? sandbox_->Load(word) ^ record.value
                                           : record.value);
        return ForgeSlot(slot);
      }
      case kForgeKey:
        return ForgeKey(SNCE_AT_KEY_CELLS + record.b % 8 * sizeof(snceKeyCell));
    }
  }

  // Computes the header's checksum as snceheader.c does.
  void ForgeHeader() {
    const uint64_t fields[] = {sandbox_->Load(offsetof(snceHeader, signature)),
                               sandbox_->Load(offsetof(snceHeader, id)),
                               sandbox_->Load(offsetof(snceHeader, id) + 8),
                               sandbox_->Load(offsetof(snceHeader, seed)),
                               sandbox_->Load(offsetof(snceHeader, lock))};
    snceHash hash;
    forged_header_ = true;
    snceHash_Init(&hash, SNCE_MAGIC);
    sandbox_->Store(offsetof(snceHeader, sum),
                    snceHash_Words(&hash, 1, fields, 5));
  }

  void ForgeSlot(const Targets::Slot& slot) {
    uint64_t words[SNCE_ENTRY_WORDS];
    const uint64_t place =
        slot.set + offsetof(snceSet, slot) + slot.way * sizeof(snceSlotWords);
    const snceEpoch epoch = snceEpoch_Of(slot.range, slot.id);
    for (unsigned i = 0; i < SNCE_ENTRY_WORDS; ++i)
      words[i] = sandbox_->Load(place + i * 8);
    forged_ = true;
    sandbox_->Store(
        place + SNCE_W_SUM * 8,
        snceSlot_Sum(&sandbox_->region()->hash, &epoch,
                     place % SNCE_CHUNK_BYTES,
                     sandbox_->Load(slot.set + slot.way * 8),
                     words + SNCE_W_SUM + 1, SNCE_W_SUMMED - (SNCE_W_SUM + 1)));
  }

  void ForgeKey(uint64_t cell) {
    uint64_t words[SNCE_KEY_WORDS];
    for (unsigned i = 0; i < SNCE_KEY_WORDS; ++i)
      words[i] = sandbox_->Load(cell + i * 8);
    const uint64_t count =
        SNCE_K_VALUE +
        std::min<uint64_t>(words[SNCE_K_LENGTH], SNCE_KEY_VALUE_MAX) / 8;
    forged_ = true;
    sandbox_->Store(cell,
                    snceHash_Words(&sandbox_->region()->hash, SNCE_AT_KEY_LOG,
                                   words + 1, count - 1));
  }

  void ForgeTicketKey(uint64_t index) {
    const snceEpoch epoch = {0};
    const uint64_t place = SNCE_AT_TICKET_KEYS +
                           offsetof(snceTicketSlots, slot) +
                           index * SNCE_TICKET_WORDS * 8;
    uint64_t words[SNCE_TICKET_WORDS];
    for (unsigned i = 0; i < SNCE_TICKET_WORDS; ++i)
      words[i] = sandbox_->Load(place + i * 8);
    forged_ = true;
    sandbox_->Store(
        place, snceSlot_Sum(&sandbox_->region()->hash, &epoch,
                            SNCE_AT_TICKET_KEYS + index * SNCE_TICKET_WORDS * 8,
                            sandbox_->Load(SNCE_AT_TICKET_KEYS +
                                           offsetof(snceTicketSlots, version) +
                                           index * 8),
                            words + 1, SNCE_TICKET_WORDS - 1));
  }

  // ---- calls ----

  snceRegion* RegionFor(const Record& record) const {
    if (record.c & 0x80 && second_ != nullptr) return second_;
    return record.c & 0x40 ? sandbox_->region() : region_;
  }

  snceServerId IdFor(const Record& record, const snceRegion* region) const {
    const uint32_t which = record.a % 8;
    if (which < 5) return {which, 1, region->identity};
    if (which < 7) return found_;
    return {uint32_t(record.value >> 32) % (SNCE_SERVERS + 4),
            uint32_t(record.value), region->identity};
  }

  static snceTime NowFor(const Record& record) {
    static constexpr int64_t kAfter[] = {0, 50, 101, 100000};
    switch (record.b >> 4) {
      case 15:
        return At(INT64_MAX);
      case 14:
        return At(INT64_MIN);
      default:
        return At(kStart + kAfter[record.b >> 4 & 3] * kSecond);
    }
  }

  void Call(uint8_t op, const Record& record) {
    snceRegion* region = RegionFor(record);
    const bool reading = region->access == SNCE_ACCESS_READ;
    const bool working = region->access == SNCE_ACCESS_WORK;
    const snceServerId id = IdFor(record, region);
    const snceCache cache = snceRegion_Cache(region, id);
    const snceCacheOptions options = OptionsNth(record.d);
    const char* name = kNames[record.d % std::size(kNames)];
    const Session& session =
        World::sessions().Of(id.number, record.b, record.d);
    snceKey key = session.Key();
    snceResult result;

    switch (op) {
      case kLookup:
        return LookUp(cache, record, session);
      case kInsert:
        result = session.Insert(cache, NowFor(record));
        if (reading) {
          EXPECT_RESULT(result, SNCE_READ_ONLY);
        }
        EXPECT_RESULT(result, SNCE_OK, SNCE_DROPPED, SNCE_FULL, SNCE_GONE,
                      SNCE_CLOSED, SNCE_CORRUPT, SNCE_READ_ONLY);
        return;
      case kRemove:
        result = snceCache_Remove(cache, &key);
        if (reading) {
          EXPECT_RESULT(result, SNCE_READ_ONLY);
        }
        EXPECT_RESULT(result, SNCE_OK, SNCE_MISS, SNCE_CORRUPT, SNCE_READ_ONLY,
                      SNCE_NO_MEMORY);
        return;
      case kFind:
        result = snceServer_Find(region, BytesOf(name), strlen(name), &found_);
        EXPECT_RESULT(result, SNCE_OK, SNCE_MISS);
        EXPECT(found_.number < SNCE_SERVERS, "%u", found_.number);
        return;
      case kChoose:
        found_ = snceServer_Choose(region, BytesOf(name), strlen(name));
        EXPECT(found_.number < SNCE_SERVERS, "%u", found_.number);
        return;
      case kList:
        return List(region);
      case kAddServer:
        result = snceServer_Add(region, BytesOf(name), strlen(name), &options,
                                &found_);
        if (reading || working) {
          EXPECT_RESULT(result, SNCE_READ_ONLY, SNCE_INVALID);
        }
        if (Wants(result)) return;
        EXPECT_RESULT(result, SNCE_OK, SNCE_EXISTS, SNCE_FULL, SNCE_INVALID,
                      SNCE_READ_ONLY, SNCE_CORRUPT);
        EXPECT(found_.number < SNCE_SERVERS, "%u", found_.number);
        return;
      case kRemoveServer:
        result = snceServer_Remove(region, id);
        if (Wants(result)) return;
        EXPECT_RESULT(result, SNCE_OK, SNCE_GONE, SNCE_INVALID, SNCE_READ_ONLY);
        return;
      case kConfigure:
        result = snceCache_Configure(cache, &options);
        if (Wants(result)) return;
        EXPECT_RESULT(result, SNCE_OK, SNCE_GONE, SNCE_READ_ONLY, SNCE_CORRUPT);
        return;
      case kFlush:
        result = snceCache_Flush(cache);
        if (Wants(result)) return;
        EXPECT_RESULT(result, SNCE_OK, SNCE_GONE, SNCE_READ_ONLY, SNCE_CORRUPT);
        return;
      case kOptions: {
        snceCacheOptions now;
        result = snceCache_GetOptions(cache, &now);
        EXPECT_RESULT(result, SNCE_OK, SNCE_GONE, SNCE_CORRUPT, SNCE_NO_MEMORY);
        return;
      }
      case kFigures: {
        snceFigures figures;
        result = snceCache_GetFigures(cache, &figures);
        EXPECT_RESULT(result, SNCE_OK, SNCE_GONE, SNCE_CORRUPT, SNCE_NO_MEMORY);
        (void)snceRegion_ResidentBytes(region);
        return;
      }
      case kExpiry:
        (void)snceCache_Expiry(cache, snceClass(record.d & 1), NowFor(record));
        return;
      case kGetKey:
      case kPutKey:
        return UseKey(region, op, record);
      case kForgeTicketKey:
        ForgeTicketKey(record.b % 8);
        return UseTicketKeys(region, op, record);
      case kAddTicketKey:
      case kListTicketKeys:
      case kRemoveTicketKeys:
        return UseTicketKeys(region, op, record);
      case kNoteEarlyData:
        return NoteEarlyData(region, record);
      case kAttach:
        if (second_ == nullptr && use_ != kInheriting)
          second_ = AttachFor(snceAccess(record.d % 3));
        return;
      case kExport: {
        char string[SNCE_STRING_MAX];
        result = snceRegion_Export(region, string, sizeof(string));
        EXPECT_RESULT(result, SNCE_OK, SNCE_BAD_DESCRIPTOR);
        return;
      }
    }
  }

  void LookUp(snceCache cache, const Record& record, const Session& session) {
    // Buffers of the exact size, so that one byte too many is found.
    static constexpr size_t kCapacities[] = {SNCE_CERTIFICATE_MAX, 3000, 1, 0};
    static uint8_t* const buffers[] = {new uint8_t[SNCE_CERTIFICATE_MAX],
                                       new uint8_t[3000], new uint8_t[1],
                                       nullptr};
    const unsigned buffer = record.d >> 8 & 3;
    snceKey key = session.Key();
    snceSession* const out = &answer_;
    out->certificate = {buffers[buffer], 0, kCapacities[buffer]};
    if (record.d >> 10 & 1) {
      key.name = session.get()->name;
      key.nameLen = session.get()->nameLen;
    }
    const bool odd = record.c % 16 == 15;
    if (odd) key.idLen = record.value % 40;
    const snceResult result =
        snceCache_Lookup(cache, &key, NowFor(record), out);
    if (key.idLen == 0 || key.idLen > SNCE_ID_MAX) {
      EXPECT_RESULT(result, SNCE_INVALID);
      return;
    }
    EXPECT_RESULT(result, SNCE_OK, SNCE_MISS, SNCE_TOO_LARGE, SNCE_CORRUPT);
    if (result != SNCE_OK) return;
    EXPECT(out->idLen == key.idLen, "%zu", out->idLen);
    EXPECT(out->certificate.len <= out->certificate.capacity, "%zu",
           out->certificate.len);
    EXPECT(memcmp(out->id, key.id, key.idLen) == 0, "another's");
    if (forged_) return;
    uint64_t serial, variant;
    memcpy(&serial, out->state, 8);
    memcpy(&variant, out->state + 8, 8);
    EXPECT(serial < kKeys && variant < (kServers + 1) * kVariants,
           "a session of nobody");
    EXPECT(variant / kVariants == std::min(cache.id.number, kServers),
           "a session of another virtual server");
    const snceSession& whole = *World::sessions()
                                    .Of(uint32_t(variant / kVariants),
                                        uint32_t(serial), uint32_t(variant))
                                    .get();
    EXPECT(memcmp(whole.id, out->id, SNCE_ID_MAX) == 0, "a mixed session");
    EXPECT(memcmp(whole.state, out->state, SNCE_STATE_BYTES) == 0,
           "a mixed state");
    EXPECT(memcmp(whole.address, out->address, SNCE_ADDRESS_BYTES) == 0,
           "a mixed address");
    EXPECT(whole.created.usec == out->created.usec &&
               whole.sessionClass == out->sessionClass,
           "a mixed time");
    // The certificate is the session's own, or one that was stored after time
    // was turned back: a session names its certificate by cell and generation
    // (rule 8), and changes may make generations repeat.
    EXPECT((whole.certificate.len == 0) == (out->certificate.len == 0) &&
               World::sessions().HaveCertificate(out->certificate),
           "a mixed certificate");
  }

  void List(snceRegion* region) {
    snceServerInfo info;
    uint32_t number = 0;
    for (unsigned count = 0; snceServer_Next(region, number, &info) == SNCE_OK;
         ++count) {
      EXPECT(info.id.number >= number && info.id.number < SNCE_SERVERS, "%u",
             info.id.number);
      EXPECT(info.nameLen <= SNCE_NAME_MAX && info.name[info.nameLen] == 0,
             "%zu", info.nameLen);
      EXPECT(count <= SNCE_SERVERS, "%u", count);
      number = info.id.number + 1;
      found_ = info.id;
    }
  }

  void UseTicketKeys(snceRegion* region, uint8_t op, const Record& record) {
    const uint64_t id = 1 + record.b % 8;
    if (op == kAddTicketKey) {
      const snceTicketKey key = snce_test::TicketKey(id);
      const snceResult result = snceTicketKeys_Add(region, &key);
      EXPECT_RESULT(result, SNCE_OK, SNCE_DROPPED, SNCE_READ_ONLY,
                    SNCE_NO_MEMORY);
      return;
    }
    if (op == kRemoveTicketKeys) {
      uint64_t below = id;
      snceTicketKeys_Remove(
          region,
          [](void* context, const snceTicketKey* key) {
            return key->id < *static_cast<uint64_t*>(context);
          },
          &below);
    }
    snceTicketKey keys[16];
    size_t count = 0;
    const snceResult result =
        snceTicketKeys_List(region, keys, 1 + record.d % 16, &count);
    EXPECT_RESULT(result, SNCE_OK, SNCE_TOO_LARGE, SNCE_NO_MEMORY);
    EXPECT(count <= 1 + record.d % 16, "%zu", count);
    for (size_t i = 0; i < count; ++i) {
      EXPECT(keys[i].len <= SNCE_TICKET_VALUE_MAX, "%zu", keys[i].len);
      EXPECT(forged_ || snce_test::IsWhole(keys[i]), "a mixed ticket key");
    }
  }

  // Whatever the region says, two calls at the same time do not both find the
  // early data new.
  void NoteEarlyData(snceRegion* region, const Record& record) {
    static constexpr snceReplayOptions kOptions[] = {
        {10000000, 7, 14}, {10000000, 3, 1}, {1, 64, 32}, {10000001, 7, 32}};
    const snceReplayOptions& options = kOptions[record.c % 4];
    const uint8_t id[2] = {record.b, 1};
    const snceTime now = At(kStart + int64_t{record.d % 16} * 5000000);
    snceResult result[2];
    for (snceResult& one : result) {
      one = snceReplay_Note(region, &options, id, sizeof(id), now);
      EXPECT_RESULT(one, SNCE_OK, SNCE_EXISTS, SNCE_DROPPED, SNCE_FULL,
                    SNCE_READ_ONLY, SNCE_NO_MEMORY);
    }
    EXPECT(armed_ || result[1] != SNCE_OK, "twice new");
  }

  void UseKey(snceRegion* region, uint8_t op, const Record& record) {
    static constexpr size_t kLens[] = {SNCE_KEY_VALUE_MAX, 1500, 8, 0};
    static uint8_t* const buffers[] = {new uint8_t[SNCE_KEY_VALUE_MAX],
                                       new uint8_t[1500], new uint8_t[8],
                                       nullptr};
    const unsigned buffer = record.d & 3;
    const unsigned which = record.b % kKeyNames;  // selects the cell, too
    static const auto* const names = [] {
      auto* all = new std::vector<std::vector<uint8_t>>;
      for (unsigned i = 0; i < kKeyNames; ++i) all->push_back(KeyName(i));
      return all;
    }();
    static const auto* const values = [] {
      auto* all = new std::vector<std::vector<uint8_t>>;
      for (unsigned i = 0; i < kKeyNames; ++i) all->push_back(KeyValue(i));
      return all;
    }();
    size_t len = 0;
    const snceResult result =
        op == kGetKey
            ? snceKeyLog_Get(region, (*names)[which].data(), buffers[buffer],
                             kLens[buffer], &len)
            : snceKeyLog_Put(region, (*names)[which].data(),
                             (*values)[which].data(), (*values)[which].size(),
                             buffers[buffer], kLens[buffer], &len);
    // A process that could not map something tries again only after a second.
    if (result == SNCE_NO_MEMORY &&
        refused_before_ & (kNoMapping | kNoLock | kNoDescriptor))
      return;
    EXPECT_RESULT(result, SNCE_OK, SNCE_MISS, SNCE_EXISTS, SNCE_TOO_LARGE,
                  SNCE_FULL, SNCE_READ_ONLY, SNCE_CORRUPT);
    if (result == (op == kGetKey ? SNCE_OK : SNCE_EXISTS)) {
      EXPECT(len <= kLens[buffer], "%zu", len);
      EXPECT(forged_ ||
                 (len == (*values)[which].size() &&
                  memcmp(buffers[buffer], (*values)[which].data(), len) == 0),
             "another key");
    }
  }

  World* const world_;
  Sandbox* const sandbox_;
  const unsigned use_;
  snceRegion* region_ = nullptr;
  snceRegion* second_ = nullptr;
  snceServerId found_ = {0, 1, 0};
  uint64_t meanwhile_ = 0;
  uint32_t refused_ = 0, refused_before_ = 0;
  bool forged_ = false, forged_header_ = false, armed_ = false;
  snceSession answer_;
};

std::vector<Record> Parse(const uint8_t* data, size_t size) {
  std::vector<Record> records(std::min(size / sizeof(Record), kRecordsMost));
  if (!records.empty())
    memcpy(records.data(), data, records.size() * sizeof(Record));
  return records;
}

}  // namespace
}  // namespace snce_fuzz

using snce_fuzz::Record;

extern "C" {

int LLVMFuzzerInitialize(int*, char***) {
  for (unsigned state = 0; state < snce_fuzz::kStates; ++state)
    snce_fuzz::worlds[state] = new snce_fuzz::World(state);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static uint64_t inputs;
  std::vector<Record> records = snce_fuzz::Parse(data, size);
  // libFuzzer begins with no bytes, and gives up if they reach no code.
  if (records.empty()) records = {{}, {snce_fuzz::kLookup, 0, 0, 0, 0, 0}};
  const Record& first = records[0];
  snce_fuzz::World* world = snce_fuzz::worlds[first.op % snce_fuzz::kStates];
  {
    snce_fuzz::Input input(world, first);
    const size_t before = input.attached() ? 0 : 1 + first.b % records.size();
    for (size_t i = 1; i < records.size(); ++i) {
      if (i >= before && !input.attached() && !input.Attach()) break;
      input.Run(records[i]);
    }
  }
  // An input must not depend on earlier inputs.
  if (++inputs % 4096 < 2 && !world->sandbox.IsAsKept()) abort();
  return 0;
}

// Most of the time changes records, not bytes.
size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                               unsigned int seed) {
  std::minstd_rand random(seed);
  auto dice = [&random](uint64_t sides) { return random() % sides; };
  auto wide = [&random] {
    return uint64_t{random()} << 40 ^ uint64_t { random() } << 20 ^ random();
  };
  auto fresh = [&]() -> Record {
    // As many changes as calls.
    const uint8_t op =
        uint8_t(dice(2)   ? dice(snce_fuzz::kMeanwhile + 1)
                : dice(2) ? snce_fuzz::kLookup + dice(3)
                          : snce_fuzz::kLookup +
                                dice(snce_fuzz::kOps - snce_fuzz::kLookup));
    return {op,
            uint8_t(random()),
            uint8_t(random()),
            uint8_t(dice(64)),
            uint32_t(wide()),
            dice(3) ? wide() : dice(2048)};
  };
  std::vector<Record> records = snce_fuzz::Parse(data, size);
  // Often about the same session as another record.
  auto related = [&]() -> Record {
    Record record = fresh();
    if (!records.empty() && dice(2)) {
      const Record& other = records[dice(records.size())];
      record.a = uint8_t((record.a & ~7) | (other.a & 7));
      record.b = other.b;
    }
    return record;
  };
  const size_t most =
      std::min(max_size / sizeof(Record), snce_fuzz::kRecordsMost);
  if (most == 0) return size;
  if (records.empty()) records.push_back(fresh());
  for (uint64_t changes = 1 + dice(4); changes-- > 0;) {
    const size_t at = dice(records.size());
    Record& record = records[at];
    switch (dice(12)) {
      case 0:
      case 1:
      case 2:
        if (records.size() < most)
          records.insert(records.begin() + ptrdiff_t(1 + at), related());
        break;
      case 3:
        if (records.size() > 1) records.erase(records.begin() + ptrdiff_t(at));
        break;
      case 4:
        if (records.size() < most)
          records.insert(records.begin() + ptrdiff_t(at),
                         Record(records[dice(records.size())]));
        break;
      case 5:
        std::swap(record, records[dice(records.size())]);
        break;
      case 6:
        record.op = uint8_t(random());
        break;
      case 7:
        record.a = uint8_t(random());
        break;
      case 8:
        record.b = uint8_t(random());
        record.c = uint8_t(random());
        break;
      case 9:
        record.d =
            dice(2) ? uint32_t(wide()) : uint32_t(record.d + dice(9) - 4);
        break;
      case 10:
        record.value = dice(2)   ? wide()
                       : dice(2) ? uint64_t{1} << dice(64)
                                 : record.value + dice(33) - 16;
        break;
      default:
        LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(&record), sizeof(record),
                         sizeof(record));
    }
  }
  memcpy(data, records.data(), records.size() * sizeof(Record));
  return records.size() * sizeof(Record);
}

// The first records of one input, then some of the other.
size_t LLVMFuzzerCustomCrossOver(const uint8_t* data1, size_t size1,
                                 const uint8_t* data2, size_t size2,
                                 uint8_t* out, size_t max_size,
                                 unsigned int seed) {
  std::minstd_rand random(seed);
  const std::vector<Record> one = snce_fuzz::Parse(data1, size1);
  const std::vector<Record> other = snce_fuzz::Parse(data2, size2);
  if (one.empty() || other.empty()) return 0;
  std::vector<Record> both(one.begin(),
                           one.begin() + ptrdiff_t(1 + random() % one.size()));
  both.insert(both.end(), other.begin() + ptrdiff_t(random() % other.size()),
              other.end());
  both.resize(std::min(
      {both.size(), snce_fuzz::kRecordsMost, max_size / sizeof(Record)}));
  memcpy(out, both.data(), both.size() * sizeof(Record));
  return both.size() * sizeof(Record);
}

}  // extern "C"
