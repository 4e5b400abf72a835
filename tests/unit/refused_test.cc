/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// refused_test.cc: a kernel that refuses a system call of the core. The tests
// run in children under a filter of system calls (seccomp), which answers one
// call with an error.

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "sslsnce/snce.h"
#include "test_child.h"
#include "test_clock.h"
#include "test_region.h"
#include "test_server.h"
#include "test_session.h"

namespace snce_test {
namespace {

constexpr int kNoFilter = 77;  // a child's result if there is no seccomp

// A system call and the error that it returns. If |argument| is not -1, the
// error is returned only if that argument has a bit of |value| (|any_bit|), or
// equals |value|.
struct Refusal {
  long call;
  int error;
  int argument;  // 0 to 5; -1: whatever the arguments are
  uint32_t value;
  bool any_bit;
};

bool Refuse(const Refusal& refusal) {
  const uint32_t number = offsetof(struct seccomp_data, nr);
  const uint32_t low =
      uint32_t(offsetof(struct seccomp_data, args)) +
      8 * uint32_t(refusal.argument < 0 ? 0 : refusal.argument);
  std::vector<struct sock_filter> program = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, number),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, uint32_t(refusal.call), 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, low),
      BPF_JUMP(BPF_JMP | (refusal.any_bit ? BPF_JSET : BPF_JEQ) | BPF_K,
               refusal.value, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | uint32_t(refusal.error)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  if (refusal.argument < 0) program[3].jf = 0;  // always go to the error
  struct sock_fprog filter = {static_cast<unsigned short>(program.size()),
                              program.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

// Runs |body| in a child under |refusals|; returns its exit status, or
// kNoFilter.
int Under(const std::vector<Refusal>& refusals,
          const std::function<int()>& body) {
  Child child([&] {
    for (const Refusal& refusal : refusals)
      if (!Refuse(refusal)) return kNoFilter;
    return body();
  });
  return child.Wait(60000);
}

Refusal Always(long call, int error) { return {call, error, -1, 0, false}; }

// The calls that the C library makes. On a processor with 32 bits, those with a
// position in a file have other names.
#ifdef SYS_mmap2
constexpr long kMap = SYS_mmap2, kTruncate = SYS_ftruncate64;
constexpr long kControl = SYS_fcntl64, kSeek = SYS__llseek;
constexpr int kWhence = 4;
#else
constexpr long kMap = SYS_mmap, kTruncate = SYS_ftruncate;
constexpr long kControl = SYS_fcntl, kSeek = SYS_lseek;
constexpr int kWhence = 2;
#endif

// The C library implements fstat by any of these.
const std::vector<Refusal> kNoStatus = {
    Always(SYS_fstat, EIO),      Always(SYS_statx, EIO),
#ifdef SYS_newfstatat
    Always(SYS_newfstatat, EIO),
#endif
#ifdef SYS_fstatat64
    Always(SYS_fstatat64, EIO),  Always(SYS_fstat64, EIO),
#endif
};

class SnceRefused : public ::testing::Test {
 protected:
  void SetUp() override {
    if (Under({Always(SYS_sysinfo, ENOSYS)}, [] { return 0; }) == kNoFilter)
      GTEST_SKIP() << "no filter of system calls here";
  }
};

TEST_F(SnceRefused, ARegionThatCannotBeMadeSaysWhyAndLeavesNothing) {
  const struct {
    const char* what;
    Refusal refusal;
    snceResult result;
  } kTable[] = {
      {"no descriptors", Always(SYS_memfd_create, EMFILE), SNCE_NO_DESCRIPTOR},
      {"none in the system", Always(SYS_memfd_create, ENFILE),
       SNCE_NO_DESCRIPTOR},
      {"no memory for the file", Always(SYS_memfd_create, ENOMEM),
       SNCE_NO_MEMORY},
      {"a file too large", Always(kTruncate, EFBIG), SNCE_LIMIT},
      {"no seals", {kControl, EPERM, 1, F_ADD_SEALS, false}, SNCE_UNSUPPORTED},
      {"no descriptor for exec",
       {kControl, EINVAL, 1, F_SETFD, false},
       SNCE_UNSUPPORTED},
      {"no mapping of it",
       {kMap, ENOMEM, 3, MAP_NORESERVE | MAP_SHARED | MAP_FIXED, false},
       SNCE_NO_MEMORY},
      {"no access to it",
       {SYS_mprotect, ENOMEM, 2, PROT_READ | PROT_WRITE, false},
       SNCE_NO_MEMORY},
      {"no random numbers", Always(SYS_getrandom, ENOSYS), SNCE_UNSUPPORTED},
      {"no status of it", kNoStatus[0], SNCE_BAD_DESCRIPTOR},
  };
  const snceCacheOptions options = Options(1000);
  const int free = dup(0);
  close(free);
  for (const auto& row : kTable) {
    std::vector<Refusal> refused = {row.refusal};
    if (row.result == SNCE_BAD_DESCRIPTOR) refused = kNoStatus;
    const int status = Under(refused, [&] {
      snceRegion* region = nullptr;
      const snceResult result = snceRegion_Create(&region, &options, true);
      // The failed call left no descriptor open: dup gets the first free number
      // again.
      const int next = dup(0);
      return region == nullptr && next == free ? 100 + int(result) : 1;
    });
    EXPECT_EQ(100 + int(row.result), status) << row.what;
  }
}

// MFD_NOEXEC_SEAL came with Linux 6.3.
TEST_F(SnceRefused, AnOlderKernelsMemoryFileDoesToo) {
  constexpr uint32_t kNoExecSeal = 8;
  EXPECT_EQ(0, Under({{SYS_memfd_create, EINVAL, 1, kNoExecSeal, true}}, [] {
              Region region(1000);
              const Session session(1);
              return session.Insert(region.cache(), At(kStart)) == SNCE_OK &&
                             Find(region.cache(), session, At(kStart)) ==
                                 SNCE_OK
                         ? 0
                         : 1;
            }));
}

// Kernels that cannot give back a file's memory, or that report success and
// keep it (qemu-user): the core wipes the memory. And kernels without the
// fallocate call for the last byte of a file.
TEST_F(SnceRefused, AFlushWipesWhatTheSystemKeeps) {
  const Refusal all[] = {{SYS_madvise, EINVAL, 2, MADV_REMOVE, false},
                         {SYS_madvise, 0, 2, MADV_REMOVE, false},
                         Always(SYS_fallocate, EOPNOTSUPP)};
  for (const Refusal& refusal : all) {
    EXPECT_EQ(
        0, Under({refusal},
                 [] {
                   Region region(100000);
                   Session session(1);
                   const std::vector<uint8_t> secret = Bytes(4711, 48);
                   std::copy(secret.begin(), secret.end(),
                             session.get()->state);
                   if (session.Insert(region.cache(), At(kStart)) != SNCE_OK)
                     return 2;
                   if (!CountInFile(region.fd(), secret.data(), secret.size()))
                     return 3;
                   const uint64_t before = DataBytes(region.fd());
                   if (snceCache_Flush(region.cache()) != SNCE_OK) return 4;
                   if (Find(region.cache(), session, At(kStart)) != SNCE_MISS)
                     return 5;
                   // The flush gives no memory to parts that had none before.
                   if (DataBytes(region.fd()) > before + (1 << 20)) return 7;
                   return CountInFile(region.fd(), secret.data(), secret.size())
                              ? 6
                              : 0;
                 }))
        << refusal.call << " " << refusal.error;
  }
}

// Uses a region in every way that needs memory, in this process and in a child.
int UseWithChild(bool inheritable) {
  const snceCacheOptions options = Options(1000);
  snceRegion* made = nullptr;
  if (snceRegion_Create(&made, &options, inheritable) != SNCE_OK) return 2;
  const snceCache cache = snceRegion_DefaultCache(made);
  const Session mine(1, 0, kEverything), childs(2, 0, kEverything);
  if (mine.Insert(cache, At(kStart)) != SNCE_OK) return 3;
  const pid_t child = fork();
  if (child == 0) {
    const bool found = Find(cache, mine, At(kStart)) == SNCE_OK;
    _exit(found && childs.Insert(cache, At(kStart)) == SNCE_OK ? 0 : 1);
  }
  int status = 1;
  if (waitpid(child, &status, 0) != child || status != 0) return 4;
  if (Find(cache, childs, At(kStart)) != SNCE_OK) return 5;
  snceCacheOptions shorter = Options(1000);
  shorter.timeoutSec[SNCE_CLASS_SSL3] = 77;
  if (snceCache_Configure(cache, &shorter) != SNCE_OK) return 6;
  if (Find(cache, mine, At(kStart)) != SNCE_OK) return 7;
  char string[SNCE_STRING_MAX];
  const snceResult exported = snceRegion_Export(made, string, sizeof(string));
  snceRegion_Close(made);
  return exported == SNCE_OK ? 100 : exported == SNCE_BAD_DESCRIPTOR ? 101 : 8;
}

TEST_F(SnceRefused, WithoutMemoryFilesAnUnnamedFileDoes) {
  for (const int error : {ENOSYS, EPERM})
    EXPECT_EQ(100, Under({Always(SYS_memfd_create, error)},
                         [] { return UseWithChild(true); }));
}

TEST_F(SnceRefused, WithoutAnyFileForkedChildrenShareTheMemory) {
  EXPECT_EQ(101,
            Under({Always(SYS_memfd_create, EPERM), Always(SYS_openat, EACCES)},
                  [] { return UseWithChild(false); }));
  // Other programs can inherit only a file.
  EXPECT_EQ(
      100 + int(SNCE_UNSUPPORTED),
      Under({Always(SYS_memfd_create, EPERM), Always(SYS_openat, EACCES)}, [] {
        const snceCacheOptions options = Options(1000);
        snceRegion* region = nullptr;
        return 100 + int(snceRegion_Create(&region, &options, true));
      }));
}

// On a file system without SEEK_DATA a change looks at all slots.
TEST_F(SnceRefused, GrowingWithoutHolesToldKeepsAll) {
  EXPECT_EQ(
      0, Under({{kSeek, EINVAL, kWhence, SEEK_DATA, false}}, [] {
        Region region(1000);
        for (uint64_t serial = 0; serial < 500; ++serial)
          if (Session(serial).Insert(region.cache(), At(kStart)) != SNCE_OK)
            return 2;
        const snceCacheOptions options = Options(4000);
        if (snceCache_Configure(region.cache(), &options) != SNCE_OK) return 3;
        return CountFound(region.cache(), 0, 500, At(kStart)) == 500 ? 0 : 4;
      }));
}

TEST_F(SnceRefused, MemoryOfAFileWithoutStatusIsNotCounted) {
  EXPECT_EQ(0, Under({}, [] {
              Region region(1000);
              if (!snceRegion_ResidentBytes(region.get())) return 2;
              for (const Refusal& refusal : kNoStatus)
                if (!Refuse(refusal)) return 3;
              return snceRegion_ResidentBytes(region.get()) == 0 ? 0 : 4;
            }));
}

// The fork handler can watch only some of these regions. The core treats the
// others as if the process had forked, so that closing wipes none that a child
// still uses.
TEST(SnceRegion, ManyAtOnceStayForAForkedChildWhenTheyAreClosed) {
  std::vector<std::unique_ptr<Region>> regions;
  for (int i = 0; i < 80; ++i) regions.emplace_back(new Region(10));
  for (auto& region : regions)
    ASSERT_EQ(SNCE_OK, Session(1).Insert(region->cache(), At(kStart)));
  Gate closed;
  Child child([&] {
    if (!closed.Wait(60000)) return 2;
    for (auto& region : regions)
      if (Find(region->cache(), Session(1), At(kStart)) != SNCE_OK) return 1;
    return 0;
  });
  for (auto& region : regions) region->Close();
  closed.Open();
  EXPECT_EQ(0, child.Wait(60000));
}

// No wildcard can match a name of one label.
TEST(SnceServerName, OfOneLabelChoosesItsOwnCacheOrTheDefaultOne) {
  Region region(100);
  snceServerId id;
  EXPECT_EQ(kDefault, Choose(region.get(), "localhost"));
  ASSERT_EQ(SNCE_OK, Add(region.get(), "localhost", Options(10), &id));
  EXPECT_EQ(id, Choose(region.get(), "localhost"));
  EXPECT_EQ(kDefault, Choose(region.get(), "other"));
}

TEST(SnceServerName, IsAHostsNameOrAWildcardOrNone) {
  auto is_name = [](const std::string& name) {
    return snceServer_IsName(BytesOf(name), name.size());
  };
  EXPECT_TRUE(is_name("localhost"));
  EXPECT_TRUE(is_name("*.example"));
  EXPECT_TRUE(is_name("a.example."));
  EXPECT_FALSE(is_name(""));
  EXPECT_FALSE(is_name("a..example"));
  EXPECT_FALSE(is_name("a.*.example"));
  EXPECT_FALSE(is_name("*"));
  EXPECT_FALSE(is_name(std::string(300, 'a')));
}

}  // namespace
}  // namespace snce_test
