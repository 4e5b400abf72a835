/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// Early data that a region has seen: one call wins, whatever the others do.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "ranges.h"
#include "sslsnce/snce.h"
#include "test_build.h"
#include "test_child.h"
#include "test_clock.h"
#include "test_region.h"
#include "test_session.h"
#include "test_stepper.h"

namespace snce_test {
namespace {

constexpr int64_t kWindow = 10 * kSecond;
// Begins a window; kStart + kWindow is when nothing is too early any more.
constexpr int64_t kFrom = kStart + 2 * kWindow;
static_assert(kStart % kWindow == 0, "windows begin at multiples");

constexpr snceReplayOptions kUsual = {kWindow, 7, 14};  // selfserv's
constexpr snceReplayOptions kOneWord = {kWindow, 3, 1};

class SnceReplay : public ::testing::Test {
 protected:
  SnceReplay() { EXPECT_EQ(SNCE_OK, Open(kUsual, kStart)); }

  snceResult Open(const snceReplayOptions& options, int64_t now) {
    return snceReplay_Open(region_.get(), &options, At(now));
  }
  snceResult Note(uint64_t id, int64_t now,
                  const snceReplayOptions& options = kUsual) {
    return snceReplay_Note(region_.get(), &options,
                           reinterpret_cast<const uint8_t*>(&id), sizeof(id),
                           At(now));
  }

  Region region_{100};
};

TEST_F(SnceReplay, OnlyTheFirstCallFindsItNew) {
  EXPECT_EQ(SNCE_OK, Note(1, kFrom));
  EXPECT_EQ(SNCE_EXISTS, Note(1, kFrom));
  EXPECT_EQ(SNCE_OK, Note(2, kFrom));
  EXPECT_EQ(SNCE_EXISTS, Note(1, kFrom + kWindow - 1));
  EXPECT_EQ(SNCE_EXISTS, Note(2, kFrom + kWindow));
}

TEST_F(SnceReplay, NothingIsNewInTheFirstWindow) {
  constexpr snceReplayOptions other = {kWindow, 7, 13};
  ASSERT_EQ(SNCE_OK, Open(other, kStart + 5));
  EXPECT_EQ(SNCE_DROPPED, Note(1, kStart, other));
  EXPECT_EQ(SNCE_DROPPED, Note(1, kStart + 5, other));
  EXPECT_EQ(SNCE_DROPPED, Note(1, kStart + 5 + kWindow - 1, other));
  ASSERT_EQ(SNCE_OK, Open(other, kStart + 6));  // is open already
  EXPECT_EQ(SNCE_OK, Note(1, kStart + 5 + kWindow, other));
}

TEST_F(SnceReplay, TheFirstNoteOpensTheFilters) {
  constexpr snceReplayOptions other = {kWindow, 7, 13};
  EXPECT_EQ(SNCE_DROPPED, Note(1, kFrom, other));
  EXPECT_EQ(SNCE_DROPPED, Note(1, kFrom + kWindow - 1, other));
  EXPECT_EQ(SNCE_OK, Note(1, kFrom + kWindow, other));
}

// Whatever the place of the first call in its window, for the length of a
// window no other call finds the same early data new.
TEST_F(SnceReplay, ItIsRecognizedForAWindow) {
  constexpr snceReplayOptions small = {7, 7, 14};
  ASSERT_EQ(SNCE_OK, Open(small, 0));
  int64_t now = 7;
  for (uint64_t id = 1; id <= 7; ++id, now += 8) {
    ASSERT_EQ(SNCE_OK, Note(id, now, small)) << now;
    for (int i = 0; i < 6; ++i)
      ASSERT_EQ(SNCE_EXISTS, Note(id, ++now, small)) << now;
  }
}

TEST_F(SnceReplay, ItIsForgottenAfterTwoWindows) {
  EXPECT_EQ(SNCE_OK, Note(1, kFrom));
  EXPECT_EQ(SNCE_OK, Note(1, kFrom + 2 * kWindow));
  EXPECT_EQ(SNCE_OK, Note(2, kFrom + 2 * kWindow));
  EXPECT_EQ(SNCE_OK, Note(1, kFrom + 1000 * kWindow));
}

// The number of the window in a word has 16 bits.
TEST_F(SnceReplay, NewEarlyDataIsNewWhenTheNumbersBeginAgain) {
  for (uint64_t i = 0; i < 10; ++i) {
    const int64_t now = kFrom + int64_t(i) * 65536 * kWindow;
    ASSERT_EQ(SNCE_OK, Note(i, now));
    ASSERT_EQ(SNCE_EXISTS, Note(i, now));
    ASSERT_EQ(SNCE_EXISTS, Note(i, now + kWindow));
  }
}

TEST_F(SnceReplay, NothingIsNewUntilAClockThatWasSetBackIsThereAgain) {
  EXPECT_EQ(SNCE_OK, Note(1, kFrom + 10 * kWindow));
  for (int64_t back : {1, 2, 5, 10}) {
    EXPECT_EQ(SNCE_DROPPED, Note(2, kFrom + (10 - back) * kWindow));
    EXPECT_EQ(SNCE_DROPPED, Note(1, kFrom + (10 - back) * kWindow));
  }
  EXPECT_EQ(SNCE_DROPPED, Note(2, 0));
  EXPECT_EQ(SNCE_DROPPED, Note(2, kFrom + 10 * kWindow - 1));
  EXPECT_EQ(SNCE_OK, Note(2, kFrom + 10 * kWindow));
  EXPECT_EQ(SNCE_EXISTS, Note(1, kFrom + 10 * kWindow));
}

TEST_F(SnceReplay, OtherOptionsShareNothing) {
  const snceReplayOptions others[] = {kUsual,
                                      {kWindow + 1, 7, 14},
                                      {kWindow, 6, 14},
                                      {kWindow, 7, 15},
                                      {SNCE_REPLAY_WINDOW_MAX, 64, 32}};
  for (const snceReplayOptions& options : others)
    ASSERT_EQ(SNCE_OK, Open(options, 0));
  for (const snceReplayOptions& options : others) {
    const int64_t now = std::max(kFrom, options.windowUsec);
    EXPECT_EQ(SNCE_OK, Note(1, now, options));
    EXPECT_EQ(SNCE_EXISTS, Note(1, now, options));
  }
}

TEST_F(SnceReplay, WhatIsOutOfRangeIsRefused) {
  const snceReplayOptions bad[] = {
      {0, 7, 14},       {-1, 7, 14},       {SNCE_REPLAY_WINDOW_MAX + 1, 7, 14},
      {kWindow, 0, 14}, {kWindow, 65, 14}, {kWindow, 7, 0},
      {kWindow, 7, 33}};
  for (const snceReplayOptions& options : bad) {
    EXPECT_EQ(SNCE_INVALID, Open(options, kStart));
    EXPECT_EQ(SNCE_INVALID, Note(1, kFrom, options));
  }
  EXPECT_EQ(SNCE_INVALID, Note(1, -1));
}

TEST_F(SnceReplay, AReaderNotesNothing) {
  const int fd = dup(region_.fd());
  snceRegion* reader = nullptr;
  ASSERT_EQ(SNCE_OK, snceRegion_Attach(&reader, fd, SNCE_ACCESS_READ));
  Region owner(reader);
  const uint8_t id[4] = {};
  EXPECT_EQ(SNCE_READ_ONLY,
            snceReplay_Note(reader, &kUsual, id, sizeof(id), At(kFrom)));
}

// However much the first ones ask for, each has filters of its own, and the
// ninth has none.
TEST_F(SnceReplay, EightCombinationsOfOptionsHaveRoom) {
  const auto options = [](unsigned i) {
    return i == 0 ? kUsual
                  : snceReplayOptions{kWindow + i, 7, i == 7 ? 14u : 32u};
  };
  for (unsigned i = 1; i < 8; ++i) ASSERT_EQ(SNCE_OK, Open(options(i), kStart));
  EXPECT_EQ(SNCE_FULL, Open(options(8), kStart));
  EXPECT_EQ(SNCE_FULL, Note(1, kFrom, options(8)));
  constexpr uint64_t kIds = 500;
  for (unsigned i = 0; i < 8; ++i) {
    uint64_t taken = 0;
    for (uint64_t id = 0; id < kIds; ++id)
      taken += Note(id, kFrom, options(i)) != SNCE_OK;
    EXPECT_LE(taken, 3u) << i;
  }
  for (unsigned i = 0; i < 8; ++i)
    for (uint64_t id = 0; id < kIds; ++id)
      ASSERT_EQ(SNCE_EXISTS, Note(id, kFrom, options(i))) << i << " " << id;
}

TEST_F(SnceReplay, MemoryIsTakenAsItIsUsed) {
  Region other(100);
  const uint64_t before = DataBytes(other.fd());
  ASSERT_EQ(SNCE_OK, snceReplay_Open(other.get(), &kUsual, At(kStart)));
  const uint8_t id[4] = {};
  ASSERT_EQ(SNCE_OK,
            snceReplay_Note(other.get(), &kUsual, id, sizeof(id), At(kFrom)));
  EXPECT_LE(DataBytes(other.fd()) - before, 2u * sysconf(_SC_PAGESIZE));
}

// Of |tried| new IDs, |taken| were taken for replays.
struct FalsePositives {
  uint64_t taken, tried;
};

// Notes |each| IDs in every window, and counts over the last tenth of each
// window but the first.
FalsePositives CountFalsePositives(snceRegion* region,
                                   const snceReplayOptions& options,
                                   uint64_t each, uint64_t windows) {
  const uint64_t last = each / 10;
  uint64_t taken = 0, id = 0;
  for (uint64_t i = 0; i < windows; ++i) {
    const int64_t now = kFrom + int64_t(i) * options.windowUsec;
    for (uint64_t n = 0; n < each; ++n) {
      const uint64_t words[2] = {Mix(++id), id};
      const bool is_new =
          snceReplay_Note(region, &options,
                          reinterpret_cast<const uint8_t*>(words),
                          sizeof(words), At(now)) == SNCE_OK;
      if (i > 0 && n >= each - last && !is_new) ++taken;
    }
  }
  return {taken, (windows - 1) * last};
}

// Expects |per_cent|, as far as chance allows: each region hashes with a key of
// its own, so the count differs from run to run. It stays within six standard
// deviations and a fifth of what is expected.
void ExpectRate(double per_cent, const FalsePositives& counted) {
  const double expected = per_cent / 100 * double(counted.tried);
  EXPECT_NEAR(double(counted.taken), expected,
              6 * std::sqrt(expected) + expected / 5)
      << "of " << counted.tried;
}

// The rates are those that sncereplay.c names.
TEST_F(SnceReplay, FewAreTakenForAReplayThatAreNone) {
  ExpectRate(0.03, CountFalsePositives(region_.get(), kUsual, 1000,
                                       kSanitized ? 200 : 4000));
  constexpr snceReplayOptions other = {kWindow + 10, 7, 14};
  ASSERT_EQ(SNCE_OK, Open(other, kStart));
  ExpectRate(0.26, CountFalsePositives(region_.get(), other, 2000,
                                       kSanitized ? 100 : 500));
}

TEST_F(SnceReplay, TheLargestFilterHasRoomForEightyThousand) {
  Region other(100);
  constexpr snceReplayOptions most = {kWindow, 7, 32};
  ASSERT_EQ(SNCE_OK, snceReplay_Open(other.get(), &most, At(kStart)));
  ExpectRate(1.2,
             CountFalsePositives(other.get(), most, 80000, kSanitized ? 2 : 6));
}

// ---- at once ----------------------------------------------------------------

constexpr unsigned kAtOnce = 4;

// Notes the ids below |count|, by the clock that |now| makes of an id, and
// counts in |wins| how often each was new.
void NoteAll(snceRegion* region, uint64_t count,
             const std::function<int64_t(uint64_t)>& now,
             std::atomic<uint8_t>* wins) {
  for (uint64_t id = 0; id < count; ++id) {
    const std::vector<uint8_t> bytes = Bytes(id, 32);
    if (snceReplay_Note(region, &kUsual, bytes.data(), bytes.size(),
                        At(now(id))) == SNCE_OK)
      ++wins[id];
  }
}

// How many of the ids were new |times| times.
uint64_t CountWon(const std::atomic<uint8_t>* wins, uint64_t count,
                  unsigned times) {
  uint64_t result = 0;
  for (uint64_t id = 0; id < count; ++id) result += wins[id] == times;
  return result;
}

constexpr uint64_t kIds = 20000;
struct Wins {
  std::atomic<unsigned> waiting;
  std::atomic<uint8_t> of[kIds];
};

TEST_F(SnceReplay, OfThreadsAtOnceOneFindsItNew) {
  std::vector<std::atomic<uint8_t>> wins(1000);
  std::atomic<unsigned> waiting{kAtOnce};
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < kAtOnce; ++i)
    threads.emplace_back([&] {
      --waiting;
      while (waiting) std::this_thread::yield();
      NoteAll(
          region_.get(), 1000, [](uint64_t) { return kFrom; }, wins.data());
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(1000u,
            CountWon(wins.data(), 1000, 0) + CountWon(wins.data(), 1000, 1));
  EXPECT_GE(CountWon(wins.data(), 1000, 1), 990u);
}

TEST_F(SnceReplay, OfProcessesAtOnceOneFindsItNew) {
  Shared<Wins> wins;
  wins->waiting = kAtOnce;
  std::vector<Child> children;
  for (unsigned i = 0; i < kAtOnce; ++i)
    children.emplace_back([&] {
      --wins->waiting;
      while (wins->waiting) std::this_thread::yield();
      NoteAll(
          region_.get(), 2000, [](uint64_t) { return kFrom; }, wins->of);
      return 0;
    });
  for (Child& child : children) ASSERT_EQ(0, child.Wait(30000));
  EXPECT_EQ(2000u, CountWon(wins->of, 2000, 0) + CountWon(wins->of, 2000, 1));
  EXPECT_GE(CountWon(wins->of, 2000, 1), 1980u);
}

// The processes' clocks differ by a microsecond, and each ID comes at the end
// of a window.
TEST_F(SnceReplay, AtTheEndOfAWindowOneFindsItNewAtMost) {
  Shared<Wins> wins;
  wins->waiting = kAtOnce;
  std::vector<Child> children;
  for (unsigned i = 0; i < kAtOnce; ++i)
    children.emplace_back([&, i] {
      --wins->waiting;
      while (wins->waiting) std::this_thread::yield();
      NoteAll(
          region_.get(), kIds,
          [i](uint64_t id) {
            return kFrom + int64_t(id + 1) * kWindow - int64_t(i % 2);
          },
          wins->of);
      return 0;
    });
  for (Child& child : children) ASSERT_EQ(0, child.Wait(30000));
  EXPECT_EQ(kIds, CountWon(wins->of, kIds, 0) + CountWon(wins->of, kIds, 1));
  EXPECT_GE(CountWon(wins->of, kIds, 1), kIds / 100);
}

// ---- one instruction at a time ----------------------------------------------

// A process notes early data at the end of a window and is stopped at each
// instruction in turn. All IDs have their bits in the same two words.
class SnceReplayStepped : public SnceReplay {
 protected:
  SnceReplayStepped() { EXPECT_EQ(SNCE_OK, Open(kOneWord, kStart)); }

  static int64_t EndOf(uint64_t turn) {
    return kFrom + int64_t(8 * turn + 1) * kWindow - 1;
  }

  // Calls |meanwhile| with the stopped process, and the turn, for each
  // instruction. Something else was noted |ago| microseconds before. Returns
  // how many instructions there are, 0 if a process cannot be stepped through
  // here.
  uint64_t AtEachInstruction(
      int64_t ago,
      const std::function<void(Stepper* writer, uint64_t turn)>& meanwhile) {
    const auto note = [&](uint64_t turn) {
      return Note(turn, EndOf(turn), kOneWord);
    };
    const uint64_t steps =
        kSanitized ? 0 : CountSteps([&] { return note(turn_); });
    for (uint64_t i = 1; i < steps; ++i) {
      const uint64_t turn = ++turn_;
      (void)Note(turn + 100000, EndOf(turn) - ago, kOneWord);
      Stepper writer([&] { return note(turn); });
      if (!writer.Step(i)) break;
      meanwhile(&writer, turn);
      if (HasFailure()) {
        ADD_FAILURE() << "at instruction " << i << " of " << steps;
        break;
      }
    }
    return steps;
  }

 private:
  uint64_t turn_ = 0;
};

// The word has bits of an earlier window, or of this one.
TEST_F(SnceReplayStepped, InTheSameWindowOneFindsItNew) {
  for (int64_t ago : {2 * kWindow, int64_t{1}}) {
    uint64_t found = 0;
    const uint64_t steps =
        AtEachInstruction(ago, [&](Stepper* writer, uint64_t turn) {
          const snceResult other = Note(turn, EndOf(turn), kOneWord);
          const snceResult late = writer->Finish();
          EXPECT_LE((other == SNCE_OK) + (late == SNCE_OK), 1);
          found += other == SNCE_OK || late == SNCE_OK;
        });
    if (steps == 0) GTEST_SKIP() << "the plain build does this, by tracing";
    EXPECT_GE(found, steps / 10 * 9);
  }
}

TEST_F(SnceReplayStepped, InTheNextWindowOneFindsItNewAtMost) {
  AtEachInstruction(2 * kWindow, [&](Stepper* writer, uint64_t turn) {
    const snceResult other = Note(turn, EndOf(turn) + 1, kOneWord);
    const snceResult late = writer->Finish();
    EXPECT_LE((other == SNCE_OK) + (late == SNCE_OK), 1) << other << late;
    EXPECT_NE(SNCE_OK, Note(turn, EndOf(turn) + 1, kOneWord));
  });
}

TEST_F(SnceReplayStepped, ALateOneMakesNothingNewAgain) {
  AtEachInstruction(2 * kWindow, [&](Stepper* writer, uint64_t turn) {
    const int64_t later = EndOf(turn) + 1 + kWindow;  // in the same word
    (void)Note(turn + 200000, later, kOneWord);
    (void)writer->Finish();
    EXPECT_NE(SNCE_OK, Note(turn + 200000, later, kOneWord));
    EXPECT_NE(SNCE_OK, Note(turn + 200000, later + kWindow - 1, kOneWord));
  });
}

TEST_F(SnceReplayStepped, ADeathCostsAtMostTheEarlyDataOfItsClient) {
  AtEachInstruction(2 * kWindow, [&](Stepper* writer, uint64_t turn) {
    writer->Kill();
    const snceResult again = Note(turn, EndOf(turn), kOneWord);
    EXPECT_TRUE(again == SNCE_OK || again == SNCE_EXISTS) << again;
    EXPECT_EQ(SNCE_EXISTS, Note(turn, EndOf(turn), kOneWord));
    EXPECT_EQ(SNCE_OK, Note(turn, EndOf(turn)));  // others' early data
  });
}

TEST_F(SnceReplayStepped, ADeathWhileFiltersAreMadeLeavesThemForTheNext) {
  for (uint64_t at = 1;; ++at) {
    Region fresh(100);
    const snceReplayOptions options = {kWindow, 7, 13};
    Stepper writer(
        [&] { return snceReplay_Open(fresh.get(), &options, At(kStart)); });
    if (kSanitized || !writer.works()) GTEST_SKIP() << "the plain build does";
    if (!writer.Step(at)) break;
    writer.Kill();
    const uint8_t id[4] = {};
    EXPECT_EQ(SNCE_DROPPED,
              snceReplay_Note(fresh.get(), &options, id, 4, At(kStart)));
    EXPECT_EQ(SNCE_OK, snceReplay_Note(fresh.get(), &options, id, 4,
                                       At(kStart + kWindow)));
    ASSERT_FALSE(HasFailure()) << at;
  }
}

// ---- damage
// -------------------------------------------------------------------

// Any words there lead to no access elsewhere, and every call returns.
TEST_F(SnceReplay, NonsenseInTheFiltersIsHarmless) {
  for (uint64_t round = 0; round < 300; ++round) {
    for (uint64_t i = 0; i < 64; ++i) {
      const uint64_t dice = Mix(round * 100 + i);
      const uint64_t at = dice % 2 ? dice / 2 % 64 : dice / 2 % (512 + 65536);
      const uint64_t word = dice % 5 ? Mix(dice) : dice / 5 % 4;
      ASSERT_EQ(8,
                pwrite(region_.fd(), &word, 8, off_t(ReplayOffset() + at * 8)));
    }
    for (const snceReplayOptions& options :
         {kUsual, kOneWord, snceReplayOptions{kWindow + int64_t(round), 9, 32}})
      for (uint64_t id = 0; id < 20; ++id) {
        const snceResult result = Note(id, kFrom + int64_t(round) * 7, options);
        ASSERT_TRUE(result == SNCE_OK || result == SNCE_EXISTS ||
                    result == SNCE_DROPPED || result == SNCE_FULL)
            << result;
      }
  }
}

}  // namespace
}  // namespace snce_test
