/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// test_child.h: child processes that cannot outlive their test, and waits that
// end.
#ifndef SSLSNCE_TESTS_SUPPORT_TEST_CHILD_H_
#define SSLSNCE_TESTS_SUPPORT_TEST_CHILD_H_

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace snce_test {

// What Child::Wait returns besides an exit status.
constexpr int kTimedOut = -1;
constexpr int kSignalled = -1000;  // kSignalled - signal number

// Child is one forked process. It is killed and reaped, by its pid, when the
// Child goes.
class Child {
 public:
  Child() = default;
  // Forks; the child runs |body| and exits with what it returns, or with 1 if
  // an expectation failed in it.
  explicit Child(const std::function<int()>& body);
  // Forks and executes |program| with |arguments| (argv[0] is added), with all
  // descriptors above 2 closed but |keep| (-1: none).
  static Child Exec(const std::string& program,
                    const std::vector<std::string>& arguments, int keep);
  ~Child();
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;

  pid_t pid() const { return pid_; }
  void Signal(int signal) const;
  // The exit status, kSignalled - number, or kTimedOut (then the child is
  // killed and reaped as well).
  int Wait(int milliseconds);
  // Kills and reaps.
  void End();

 private:
  pid_t pid_ = -1;
};

// Gate lets processes or threads wait for each other; it is shared by fork.
// Every wait ends after a while and says whether the gate was open.
class Gate {
 public:
  Gate();
  ~Gate();
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  void Open();
  bool Wait(int milliseconds);

 private:
  int pipe_[2];
};

// Zeroed memory that forked children share, for one T.
void* SharedMemory(size_t bytes);
void FreeSharedMemory(void* memory, size_t bytes);

template <typename T>
class Shared {
 public:
  Shared() : value_(static_cast<T*>(SharedMemory(sizeof(T)))) {}
  ~Shared() { FreeSharedMemory(value_, sizeof(T)); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  T* operator->() const { return value_; }
  T& operator*() const { return *value_; }

 private:
  T* value_;
};

// Sleeps, to pace a test; no result may depend on it.
void Pace(int milliseconds);

}  // namespace snce_test

#endif  // SSLSNCE_TESTS_SUPPORT_TEST_CHILD_H_
