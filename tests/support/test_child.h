/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// test_child.h: child processes that cannot outlive their test, and waits that
// are bounded.
#ifndef SSLSNCE_TESTS_SUPPORT_TEST_CHILD_H_
#define SSLSNCE_TESTS_SUPPORT_TEST_CHILD_H_

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace snce_test {

// Results of Child::Wait that are no exit status.
constexpr int kTimedOut = -1;
constexpr int kSignalled = -1000;  // kSignalled - signal number

// Child is one forked process. The destructor kills and reaps it, by its pid.
class Child {
 public:
  Child() = default;
  // Forks; the child runs |body| and exits with what it returns, or with 1 if
  // an expectation failed in it.
  explicit Child(const std::function<int()>& body);
  // Forks and executes |program| with |arguments|; Exec adds argv[0]. Closes
  // all descriptors above 2 except |keep| (-1: all).
  static Child Exec(const std::string& program,
                    const std::vector<std::string>& arguments, int keep);
  ~Child();
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;

  pid_t pid() const { return pid_; }
  void Signal(int signal) const;
  // Returns the exit status, kSignalled - number, or kTimedOut; in the last
  // case Wait has killed and reaped the child.
  int Wait(int milliseconds);
  // Kills and reaps the child.
  void End();

 private:
  pid_t pid_ = -1;
};

// Gate lets processes or threads wait for each other; forked children share it.
// Wait is bounded and returns whether the gate was open.
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

// Zeroed memory for one T, which forked children share.
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

// Sleeps, to pace a test; no result may depend on the sleep.
void Pace(int milliseconds);

}  // namespace snce_test

#endif  // SSLSNCE_TESTS_SUPPORT_TEST_CHILD_H_
