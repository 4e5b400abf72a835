/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "own_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

namespace regress {
namespace {

constexpr int kDeadlineSec = 60;
constexpr int kPollMs = 2;

// A result of the child, as it goes through the pipe. The child writes it by
// one write, which a pipe keeps together.
struct Record {
  int line;
  int type;
  char file[256];
  char message[2048];
};

// Sends the failures of EXPECT_ and ASSERT_ in the child to the parent.
class Sender : public ::testing::EmptyTestEventListener {
 public:
  explicit Sender(int fd) : fd_(fd) {}
  void OnTestPartResult(const ::testing::TestPartResult& result) override {
    Record record;
    memset(&record, 0, sizeof(record));
    record.line = result.line_number();
    record.type = result.type();
    strncpy(record.file, result.file_name() ? result.file_name() : "",
            sizeof(record.file) - 1);
    strncpy(record.message, result.message(), sizeof(record.message) - 1);
    if (write(fd_, &record, sizeof(record)) != sizeof(record)) _exit(3);
  }

 private:
  int fd_;
};

}  // namespace

OwnProcess::OwnProcess(const std::function<void()>& body)
    : deadline_(std::chrono::steady_clock::now() +
                std::chrono::seconds(kDeadlineSec)) {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) < 0) return;
  fflush(stdout);
  fflush(stderr);
  pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(2);
    close(fds[0]);
    auto& listeners = ::testing::UnitTest::GetInstance()->listeners();
    delete listeners.Release(listeners.default_result_printer());
    delete listeners.Release(listeners.default_xml_generator());
    listeners.Append(new Sender(fds[1]));
    body();
    _exit(0);
  }
  close(fds[1]);
  if (pid_ < 0) {
    close(fds[0]);
    return;
  }
  setpgid(pid_, pid_);  // in both processes, because either may run first
  results_ = fds[0];
  fcntl(results_, F_SETFL, O_NONBLOCK);
}

OwnProcess::~OwnProcess() {
  if (pid_ > 0) {
    kill(-pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  if (results_ >= 0) close(results_);
}

void OwnProcess::Report(const char* bytes, size_t length) {
  Record record;
  if (length != sizeof(record)) return;
  memcpy(&record, bytes, sizeof(record));
  if (record.type == ::testing::TestPartResult::kSkip) {
    skipped_ = true;
    why_skipped_ = record.message;
  } else if (record.type != ::testing::TestPartResult::kSuccess) {
    ADD_FAILURE_AT(record.file, record.line) << record.message;
  }
}

void OwnProcess::Join() {
  if (pid_ < 0) {
    ADD_FAILURE() << "no child: " << strerror(errno);
    return;
  }
  bool ended = false;
  bool late = false;
  while (!ended && !late) {
    pollfd ready = {results_, POLLIN, 0};
    poll(&ready, 1, kPollMs);
    // WNOWAIT leaves the child a zombie, so that no other process group can get
    // its id before the kill below.
    siginfo_t info;
    info.si_pid = 0;
    ended = waitid(P_PID, static_cast<id_t>(pid_), &info,
                   WEXITED | WNOHANG | WNOWAIT) == 0 &&
            info.si_pid == pid_;
    late = std::chrono::steady_clock::now() > deadline_;
    Record record;
    ssize_t got;
    while ((got = read(results_, &record, sizeof(record))) > 0) {
      Report(reinterpret_cast<const char*>(&record), static_cast<size_t>(got));
    }
  }
  late = !ended;
  int status = 0;
  kill(-pid_, SIGKILL);  // the child and all that it forked
  waitpid(pid_, &status, 0);
  pid_ = -1;
  if (late) {
    ADD_FAILURE() << "not ready after " << kDeadlineSec << " s";
  } else if (WIFSIGNALED(status)) {
    ADD_FAILURE() << "ended by signal " << WTERMSIG(status) << " ("
                  << strsignal(WTERMSIG(status)) << ")";
  } else if (WEXITSTATUS(status) != 0) {
    ADD_FAILURE() << "ended with status " << WEXITSTATUS(status);
  }
  if (skipped_) GTEST_SKIP() << why_skipped_;
}

}  // namespace regress
