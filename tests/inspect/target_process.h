// TargetProcess: a forked child that runs some code and stays until the test is over, with a
// page of memory shared between both. Not thread-safe.
#pragma once

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <new>
#include <optional>

#include "watchdog/process_facts.h"

namespace lockwarden {

// Both sides read and write it.
struct SharedPage {
  std::atomic<int> ready{0};    // counted up by the child's threads
  std::atomic<int> signals{0};  // seen by the child's handler
  std::atomic<int> errors{0};
  std::atomic<int> counter{0};  // moves while a thread runs
};

inline void Doze() {
  const timespec pause = {0, 1'000'000};
  nanosleep(&pause, nullptr);
}

// Polls until `done`, for half a minute at most.
inline bool WaitUntil(const std::function<bool()>& done) {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  const time_t end = now.tv_sec + 30;
  while (!done()) {
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec > end) return false;
    Doze();
  }
  return true;
}

class TargetProcess {
 public:
  explicit TargetProcess(const std::function<void(SharedPage*)>& run) {
    void* memory = mmap(nullptr, sizeof(SharedPage), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    page_ = new (memory) SharedPage;
    pid_ = fork();
    if (pid_ != 0) return;
    run(page_);
    _exit(0);
  }
  ~TargetProcess() {
    if (!reaped_) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    munmap(page_, sizeof(SharedPage));
  }
  TargetProcess(const TargetProcess&) = delete;
  TargetProcess& operator=(const TargetProcess&) = delete;

  int pid() const { return pid_; }
  SharedPage& page() { return *page_; }
  bool WaitReady(int threads) {
    return WaitUntil([&] { return page_->ready.load() >= threads; });
  }
  // nullopt: its status was taken by somebody else.
  std::optional<int> Reap() {
    int status = 0;
    reaped_ = true;
    if (waitpid(pid_, &status, 0) != pid_) return std::nullopt;
    return status;
  }
  char state() const { return ReadProcessStat(pid_).value_or(ProcessStat()).state; }

 private:
  SharedPage* page_;
  int pid_ = 0;
  bool reaped_ = false;
};

}  // namespace lockwarden
