/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// A process of the same user has mapped the region and spoils it while others
// work in it.
//
// The core promises then that every call returns, with one of the results that
// snce.h names; that no call reads or writes outside the region; and that a
// session that is found is whole. The last promise holds because the hostile
// process here does not compute checksums. Their keys lie in the region: a
// process that reads them can insert what it likes, as any process may that is
// allowed to insert. A process that writes old pages back sets the region back
// in time. Then a removed session may return; and because it names its
// certificate by cell and generation (rule 8), and generations repeat then, it
// may return with a certificate that was stored there later. It never returns
// with a certificate that nobody stored.
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "sslsnce/snce.h"
#include "test_build.h"
#include "test_child.h"
#include "test_clock.h"
#include "test_region.h"
#include "test_server.h"
#include "test_session.h"

namespace snce_test {
namespace {

constexpr int kWorkers = 3;
constexpr int kForMs = 2000;
constexpr uint64_t kKeys = 100;  // sessions in use in each virtual server
constexpr int kRecorded = 4;     // keys in the key log
constexpr size_t kPage = 4096;

// Where the words are that say where ranges lie: the directory's entries, and
// how many words of an entry matter.
constexpr off_t kDirectory = 4096, kEntry = 512;
constexpr uint64_t kEntries = 4, kEntryWords = 18;

// Returns what is wrong with a session that was found, or "". A certificate of
// another session is not wrong, but counted in |*swapped|.
std::string Wrong(const Answer& answer, uint64_t serial,
                  std::atomic<uint64_t>* swapped) {
  static const std::set<std::vector<uint8_t>>* const stored = [] {
    auto* all = new std::set<std::vector<uint8_t>>;
    for (uint64_t variant = 0; variant < 2000; ++variant)
      all->insert(Session(0, variant, kCertificate).certificate());
    return all;
  }();
  if (answer.serial() != serial) return "another session";
  const std::string mixed = answer.Mixed();
  // The certificate is compared last, so all other fields are right.
  if (mixed.compare(0, 11, "certificate") != 0 ||
      !(answer.session().state[16] & kCertificate) ||
      stored->count(answer.certificate()) == 0)
    return mixed;
  ++*swapped;
  return "";
}

// What the hostile process does; bits.
enum Harm : unsigned {
  kWords = 1,    // random words, bits and small numbers
  kPages = 2,    // pages of zeros, of ones, of noise
  kOffsets = 4,  // words of the directory or header, or any word, swapped
  kReplays = 8,  // pages as they were before
  kTruncates = 16,
  kAll = 31
};

struct Tally {
  std::atomic<uint64_t> operations[kWorkers + 1];
  std::atomic<uint64_t> hits, inserts, changes, attached, refused;
  std::atomic<uint64_t> mixed, swapped, odd, odd_result;
  std::atomic<const char*> odd_call;  // a literal: the same in each process
  std::atomic<uint64_t> scribbles, cuts_refused, cuts;
  std::atomic<bool> stop;
};

// Counts a result of |call| that is not in |allowed|.
void Expect(const char* call, snceResult result,
            std::initializer_list<snceResult> allowed, Tally* tally) {
  for (snceResult one : allowed)
    if (result == one) return;
  ++tally->odd;
  tally->odd_result = uint64_t(result);
  tally->odd_call = call;
}

// ---- the hostile process ----------------------------------------------------

class Scribbler {
 public:
  Scribbler(int fd, unsigned harm, Tally* tally)
      : fd_(fd), harm_(harm), tally_(tally), bytes_(lseek(fd, 0, SEEK_END)) {
    // Map more than the file has now: it grows while it is used.
    memory_ = static_cast<uint8_t*>(mmap(
        nullptr, size_t(kMapped), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    if (memory_ == MAP_FAILED) abort();
    Find();
    for (off_t page : pages_)
      old_.emplace_back(memory_ + page, memory_ + page + kPage);
    kept_ = pages_;
  }

  int Run() {
    for (uint64_t i = 0; !tally_->stop && getppid() != 1; ++i) {
      for (uint64_t j = 0; j < 16; ++j) Scribble(Mix(i * 16 + j));
      if (i % 16 == 0) Find();
      // From time to time restore the old cache, so that there are sessions to
      // find, and let the others run.
      if (i % 32 == 0)
        for (size_t page = 0; page < kept_.size(); ++page) Replay(page);
      if (i % 4 == 0) Pace(1);
      sched_yield();
    }
    return 0;
  }

 private:
  static constexpr off_t kMapped = off_t{1} << 32;

  // Finds the pages that have memory behind them.
  void Find() {
    pages_.clear();
    for (off_t at = 0; pages_.size() < 4096; at += off_t{kPage}) {
      at = lseek(fd_, at, SEEK_DATA);
      if (at < 0 || at >= kMapped) break;
      pages_.push_back(at);
    }
    if (pages_.empty()) pages_.push_back(0);
  }

  void Replay(size_t which) {
    memcpy(memory_ + kept_[which], old_[which].data(), kPage);
  }

  volatile uint64_t* WordAt(off_t at) {
    return reinterpret_cast<volatile uint64_t*>(memory_ + at);
  }
  off_t AnyWord(uint64_t dice) {
    return pages_[dice % pages_.size()] + off_t((dice >> 32) % 512) * 8;
  }
  // A word that says where something lies or to whom it belongs.
  off_t Offset(uint64_t dice) {
    return dice % 8 == 0 ? off_t((dice >> 3) % 12) * 8
                         : kDirectory + off_t((dice >> 3) % kEntries) * kEntry +
                               off_t((dice >> 32) % kEntryWords) * 8;
  }

  void Scribble(uint64_t dice) {
    unsigned which;
    do {
      which = 1u << dice % 5;
      dice = Mix(dice);
    } while (!(harm_ & which));
    switch (which) {
      case kWords: {
        volatile uint64_t* word = WordAt(AnyWord(dice));
        const uint64_t other = Mix(dice);
        *word = dice >> 62 == 0   ? other
                : dice >> 62 == 1 ? other % 64
                : dice >> 62 == 2 ? *word ^ uint64_t { 1 } << other % 64
                                  : other << 32 | other % 100000;
        break;
      }
      case kPages: {
        uint8_t* page = memory_ + pages_[dice % pages_.size()];
        if (dice >> 62 == 0) {
          memset(page, 0, kPage);
        } else if (dice >> 62 == 1) {
          memset(page, 0xff, kPage);
        } else {
          memcpy(page, Bytes(dice, kPage).data(), kPage);
        }
        break;
      }
      case kOffsets: {
        const bool directory = dice >> 60 != 0;
        volatile uint64_t* one =
            WordAt(directory ? Offset(dice) : AnyWord(dice));
        volatile uint64_t* other =
            WordAt(directory ? Offset(Mix(dice)) : AnyWord(Mix(dice)));
        const uint64_t kept = *one;
        *one = *other;
        *other = kept;
        break;
      }
      case kReplays:
        Replay(dice % kept_.size());
        break;
      case kTruncates: {
        const off_t to =
            off_t(dice >> 1) % bytes_ / off_t{kPage} * off_t{kPage};
        // The seal must be the reason for the refusal: EPERM.
        if (ftruncate(fd_, to) == 0) {
          ++tally_->cuts;
        } else {
          tally_->cuts_refused += errno == EPERM;
        }
        break;
      }
    }
    ++tally_->scribbles;
  }

  const int fd_;
  const unsigned harm_;
  Tally* const tally_;
  const off_t bytes_;
  uint8_t* memory_;
  std::vector<off_t> pages_;  // that exist now
  std::vector<off_t> kept_;   // that existed at first; old_ has their contents
  std::vector<std::vector<uint8_t>> old_;
};

// ---- the other processes ----------------------------------------------------

std::vector<uint8_t> KeyName(int which) {
  return Bytes(1000 + uint64_t(which), SNCE_KEY_NAME_BYTES);
}
std::vector<uint8_t> KeyValue(int which) {
  return Bytes(2000 + uint64_t(which), size_t(100 + 300 * which));
}

// Looks up, inserts and removes sessions, and asks for names and keys.
void Work(snceRegion* region, Answer* answer, uint64_t dice, Tally* tally) {
  static const char* const kNames[] = {"", "a.example", "x.b.example",
                                       "c.example"};
  const snceServerId id = Choose(region, kNames[(dice >> 20) % 4]);
  if (id.number > SNCE_SERVERS_MAX) ++tally->odd;
  const snceCache cache = snceRegion_Cache(region, id);
  const Session session(dice % kKeys, dice, (dice >> 40) & 7);
  const snceKey key = session.Key();
  snceResult result;
  switch ((dice >> 32) % 8) {
    case 0:
      Expect("Remove", snceCache_Remove(cache, &key),
             {SNCE_OK, SNCE_MISS, SNCE_CORRUPT}, tally);
      break;
    case 1:
    case 2:
    case 3:
      Expect("Insert", session.Insert(cache, At(kStart)),
             {SNCE_OK, SNCE_DROPPED, SNCE_FULL, SNCE_GONE, SNCE_CLOSED,
              SNCE_CORRUPT},
             tally);
      ++tally->inserts;
      break;
    case 4: {
      const int which = int(dice >> 44) % kRecorded;
      uint8_t buf[SNCE_KEY_VALUE_MAX];
      size_t len = 0;
      result =
          snceKeyLog_Get(region, KeyName(which).data(), buf, sizeof(buf), &len);
      Expect("KeyLog_Get", result, {SNCE_OK, SNCE_MISS, SNCE_CORRUPT}, tally);
      if (result == SNCE_OK)
        tally->mixed += std::vector<uint8_t>(buf, buf + len) != KeyValue(which);
      break;
    }
    default:
      result = answer->Lookup(cache, key, At(kStart));
      Expect("Lookup", result,
             {SNCE_OK, SNCE_MISS, SNCE_TOO_LARGE, SNCE_CORRUPT}, tally);
      if (result == SNCE_OK) {
        ++tally->hits;
        tally->mixed += !Wrong(*answer, dice % kKeys, &tally->swapped).empty();
      }
  }
}

int Worker(snceRegion* region, uint64_t me, Tally* tally) {
  Answer answer;
  for (uint64_t i = 0; !tally->stop && getppid() != 1; ++i) {
    Work(region, &answer, Mix(me * 1000003 + i), tally);
    ++tally->operations[me];
  }
  return 0;
}

// Makes one change, or attaches once.
void Change(snceRegion* region, int fd, uint64_t dice, Tally* tally) {
  static const char* const kNames[] = {"a.example", "*.b.example", "c.example",
                                       "d.example"};
  const std::string name = kNames[dice % 4];
  snceCacheOptions options = Options(40 + (dice >> 8) % 400);
  options.certificates = dice >> 20 & 1 ? 0 : 64;
  snceServerId id = kDefault;
  Expect("Find", Find(region, name, &id), {SNCE_OK, SNCE_MISS}, tally);
  const snceCache cache = snceRegion_Cache(region, id);
  // SNCE_BUSY is allowed: the lock is on the file, and this process may have
  // been interrupted for two seconds.
  switch ((dice >> 40) % 8) {
    case 0:
      Expect("Add", Add(region, name, options, &id),
             {SNCE_OK, SNCE_EXISTS, SNCE_FULL, SNCE_NO_MEMORY, SNCE_BUSY,
              SNCE_CORRUPT},
             tally);
      break;
    case 1:
      Expect("Server_Remove", snceServer_Remove(region, id),
             {SNCE_OK, SNCE_GONE, SNCE_INVALID, SNCE_NO_MEMORY, SNCE_BUSY},
             tally);
      break;
    case 2:
      Expect("Configure", snceCache_Configure(cache, &options),
             {SNCE_OK, SNCE_GONE, SNCE_NO_MEMORY, SNCE_CORRUPT, SNCE_BUSY},
             tally);
      break;
    case 3:
      Expect("Flush", snceCache_Flush(cache),
             {SNCE_OK, SNCE_GONE, SNCE_NO_MEMORY, SNCE_CORRUPT, SNCE_BUSY},
             tally);
      break;
    case 4: {
      uint8_t buf[SNCE_KEY_VALUE_MAX];
      size_t len;
      const int which = int(dice >> 44) % kRecorded;
      const std::vector<uint8_t> value = KeyValue(which);
      Expect("KeyLog_Put",
             snceKeyLog_Put(region, KeyName(which).data(), value.data(),
                            value.size(), buf, sizeof(buf), &len),
             {SNCE_OK, SNCE_EXISTS, SNCE_FULL, SNCE_CORRUPT}, tally);
      break;
    }
    case 5: {
      snceServerInfo info;
      uint32_t number = 0;
      for (; snceServer_Next(region, number, &info) == SNCE_OK;
           number = info.id.number + 1)
        if (info.id.number < number || info.id.number > SNCE_SERVERS_MAX ||
            info.nameLen > SNCE_NAME_MAX) {
          ++tally->odd;
          break;
        }
      break;
    }
    case 6: {
      snceFigures figures;
      Expect("GetFigures", snceCache_GetFigures(cache, &figures),
             {SNCE_OK, SNCE_GONE, SNCE_CORRUPT}, tally);
      Expect("GetOptions", snceCache_GetOptions(cache, &options),
             {SNCE_OK, SNCE_GONE, SNCE_CORRUPT}, tally);
      break;
    }
    default: {
      snceRegion* other = nullptr;
      const int copy = dup(fd);
      const snceResult result =
          snceRegion_Attach(&other, copy, snceAccess((dice >> 44) % 3));
      Expect("Attach", result,
             {SNCE_OK, SNCE_FOREIGN, SNCE_CORRUPT, SNCE_NO_MEMORY}, tally);
      if (result == SNCE_OK) {
        ++tally->attached;
        Answer answer;
        const Session session(dice % kKeys);
        if (answer.Lookup(snceRegion_DefaultCache(other), session.Key(),
                          At(kStart)) == SNCE_OK)
          tally->mixed += !Wrong(answer, dice % kKeys, &tally->swapped).empty();
        snceRegion_Close(other);
      } else {
        ++tally->refused;
        close(copy);
      }
    }
  }
  ++tally->changes;
}

int Changer(snceRegion* region, int fd, Tally* tally) {
  for (uint64_t i = 0; !tally->stop && getppid() != 1; ++i) {
    Change(region, fd, Mix(7000001 + i), tally);
    ++tally->operations[kWorkers];
  }
  return 0;
}

// ---- the tests --------------------------------------------------------------

// Limits the size of the region's file: a spoiled word may name any place in
// it, and reading there takes memory.
class SmallFiles {
 public:
  SmallFiles() {
    getrlimit(RLIMIT_FSIZE, &before_);
    struct rlimit less = before_;
    less.rlim_cur = 400 << 20;
    setrlimit(RLIMIT_FSIZE, &less);
  }
  ~SmallFiles() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  struct rlimit before_;
};

class SnceHostileProcess : public ::testing::Test {
 protected:
  SnceHostileProcess() {
    snceCacheOptions options = Options(256);
    options.certificates = 64;
    {
      SmallFiles small;
      region_ = std::make_unique<Region>(options);
    }
    for (const char* name : {"a.example", "*.b.example", "c.example"}) {
      const snceCache cache = AddServer(region_->get(), name, 100);
      for (uint64_t key = 0; key < kKeys; key += 2)
        EXPECT_EQ(SNCE_OK,
                  Session(key, 0, kEverything).Insert(cache, At(kStart)));
    }
    for (uint64_t key = 0; key < kKeys; ++key)
      EXPECT_EQ(
          SNCE_OK,
          Session(key, 0, kEverything).Insert(region_->cache(), At(kStart)));
    uint8_t buf[SNCE_KEY_VALUE_MAX];
    size_t len;
    for (int which = 0; which < kRecorded; ++which) {
      const std::vector<uint8_t> value = KeyValue(which);
      EXPECT_EQ(SNCE_OK, snceKeyLog_Put(region_->get(), KeyName(which).data(),
                                        value.data(), value.size(), buf,
                                        sizeof(buf), &len));
    }
  }

  void ExpectSealed() {
    constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_SEAL;
    const int fd = region_->fd();
    EXPECT_EQ(kSeals, fcntl(fd, F_GET_SEALS) & (kSeals | F_SEAL_WRITE));
    EXPECT_EQ(-1, fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    EXPECT_EQ(EPERM, errno);
    const off_t bytes = lseek(fd, 0, SEEK_END);
    for (off_t to : {off_t{0}, off_t{4096}, bytes - 1}) {
      EXPECT_EQ(-1, ftruncate(fd, to));
      EXPECT_EQ(EPERM, errno);
    }
    EXPECT_EQ(bytes, lseek(fd, 0, SEEK_END));
  }

  // Runs workers in a region to which a process does |harm|.
  void Storm(unsigned harm) {
    ExpectSealed();
    std::vector<Child> workers;
    for (uint64_t me = 0; me < kWorkers; ++me)
      workers.emplace_back(
          [this, me] { return Worker(region_->get(), me, &*tally_); });
    workers.emplace_back(
        [this] { return Changer(region_->get(), region_->fd(), &*tally_); });
    Child scribbler([this, harm] {
      return Scribbler(region_->fd(), harm, &*tally_).Run();
    });
    Pace(kForMs);
    tally_->stop = true;
    // A worker that hangs in a call never sees that.
    for (size_t i = 0; i < workers.size(); ++i)
      EXPECT_EQ(0, workers[i].Wait(20000)) << "worker " << i;
    EXPECT_EQ(0, scribbler.Wait(20000));
    uint64_t operations = 0;
    for (const auto& count : tally_->operations) {
      EXPECT_GT(count, 20u);
      operations += count;
    }
    printf(
        "%d scribbles; %d operations, %d hits, %d inserts, %d changes; %d "
        "times attached, %d times refused; %d cuts refused; %d found with a "
        "certificate of later\n",
        int(tally_->scribbles), int(operations), int(tally_->hits),
        int(tally_->inserts), int(tally_->changes), int(tally_->attached),
        int(tally_->refused), int(tally_->cuts_refused), int(tally_->swapped));
    EXPECT_EQ(0u, tally_->mixed) << "sessions or keys that nobody stored";
    EXPECT_EQ(0u, tally_->odd)
        << tally_->odd_call.load() << ": "
        << snceResult_Text(snceResult(uint64_t(tally_->odd_result)));
    EXPECT_EQ(0u, tally_->cuts) << "the seal did not hold";
    EXPECT_GT(tally_->hits, 100u);
    EXPECT_GT(tally_->scribbles, 100u);
    ExpectSealed();
    ExpectAFreshRegionWorks();
  }

  // Expects that a fresh region works in this process, which was attached to
  // the spoiled one.
  void ExpectAFreshRegionWorks() {
    Region fresh(1000);
    for (uint64_t key = 0; key < kKeys; ++key)
      ASSERT_EQ(SNCE_OK,
                Session(key, 1, kEverything).Insert(fresh.cache(), At(kStart)));
    EXPECT_EQ(kKeys, [&] {
      uint64_t found = 0;
      Answer answer;
      for (uint64_t key = 0; key < kKeys; ++key) {
        const Session session(key, 1, kEverything);
        found += answer.Lookup(fresh.cache(), session.Key(), At(kStart)) ==
                     SNCE_OK &&
                 answer.Differs(session).empty();
      }
      return found;
    }());
    const snceFigures figures = fresh.Figures();
    EXPECT_EQ(kKeys, figures.live);
    EXPECT_EQ(0u, figures.corrupt);
  }

  Watchdog watchdog_{kSanitized ? 240u : 90u};
  std::unique_ptr<Region> region_;
  Shared<Tally> tally_;
};

TEST_F(SnceHostileProcess, RandomWordsAreAnsweredByAMissOrAnError) {
  Storm(kWords);
}

TEST_F(SnceHostileProcess, PagesOfZerosOnesAndNoiseAreAnsweredSo) {
  Storm(kPages);
}

TEST_F(SnceHostileProcess, OffsetsThatAreSwappedAreAnsweredSo) {
  Storm(kOffsets);
}

TEST_F(SnceHostileProcess, OldVersionsComeBackWholeOrNotAtAll) {
  Storm(kReplays);
}

TEST_F(SnceHostileProcess, TheRegionCannotBeCutUnderItsProcesses) {
  Storm(kTruncates);
  EXPECT_GT(tally_->cuts_refused, 100u);
}

TEST_F(SnceHostileProcess, AllOfItAtOnceIsAnsweredSo) { Storm(kAll); }

}  // namespace
}  // namespace snce_test
