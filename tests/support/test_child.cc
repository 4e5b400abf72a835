/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "test_child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "gtest/gtest.h"
#include "test_build.h"

namespace snce_test {

Child::Child(const std::function<int()>& body) {
  fflush(stdout);
  fflush(stderr);
  pid_ = fork();
  if (pid_ != 0) {
    if (pid_ < 0) abort();
    return;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int status = body();
  fflush(stdout);
  fflush(stderr);
  LeaveChild(status == 0 && ::testing::Test::HasFailure() ? 1 : status);
}

Child Child::Exec(const std::string& program,
                  const std::vector<std::string>& arguments, int keep) {
  return Child([&]() {
    std::vector<char*> argv;
    argv.push_back(const_cast<char*>(program.c_str()));
    for (const std::string& argument : arguments)
      argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    if (keep > 3) syscall(SYS_close_range, 3u, unsigned(keep - 1), 0u);
    syscall(SYS_close_range, unsigned(keep < 3 ? 3 : keep + 1), ~0u, 0u);
    execv(program.c_str(), argv.data());
    return 127;
  });
}

Child::~Child() { End(); }

Child::Child(Child&& other) noexcept : pid_(other.pid_) { other.pid_ = -1; }

Child& Child::operator=(Child&& other) noexcept {
  if (this != &other) {
    End();
    pid_ = other.pid_;
    other.pid_ = -1;
  }
  return *this;
}

void Child::Signal(int signal) const {
  if (pid_ > 0) kill(pid_, signal);
}

int Child::Wait(int milliseconds) {
  if (pid_ <= 0) return kTimedOut;
  const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  struct pollfd wait = {pidfd, POLLIN, 0};
  const int ready = pidfd < 0 ? 0 : poll(&wait, 1, milliseconds);
  if (pidfd >= 0) close(pidfd);
  if (ready != 1) {
    End();
    return kTimedOut;
  }
  int status = 0;
  if (waitpid(pid_, &status, 0) != pid_) return kTimedOut;
  pid_ = -1;
  return WIFSIGNALED(status) ? kSignalled - WTERMSIG(status)
                             : WEXITSTATUS(status);
}

void Child::End() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  // A traced child may report a stop before its end.
  int status = 0;
  while (waitpid(pid_, &status, __WALL) == pid_ && WIFSTOPPED(status)) {
  }
  pid_ = -1;
}

Gate::Gate() {
  if (pipe2(pipe_, O_CLOEXEC) != 0) abort();
}

Gate::~Gate() {
  close(pipe_[0]);
  close(pipe_[1]);
}

// Nobody reads the byte, so the gate stays open for all that wait.
void Gate::Open() {
  const char byte = 1;
  if (write(pipe_[1], &byte, 1) != 1) abort();
}

bool Gate::Wait(int milliseconds) {
  struct pollfd wait = {pipe_[0], POLLIN, 0};
  return poll(&wait, 1, milliseconds) == 1;
}

void* SharedMemory(size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) abort();
  return memory;
}

void FreeSharedMemory(void* memory, size_t bytes) { munmap(memory, bytes); }

void Pace(int milliseconds) {
  struct timespec time = {milliseconds / 1000,
                          (milliseconds % 1000) * 1000000L};
  nanosleep(&time, nullptr);
}

}  // namespace snce_test
