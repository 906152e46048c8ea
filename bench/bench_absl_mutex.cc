// absl::Mutex as a peer: its deadlock detection is what it offers of Lockwarden's job.
// LOCKWARDEN_BENCH_DETECT=1 in the environment switches it on (where the installed
// Abseil was built with it), else it is off.
#include <cstdlib>

#include "absl/synchronization/mutex.h"
#include "bench/lock_cases.h"

namespace {

struct AbslMutex {
  void lock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex.Lock(); }
  void unlock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex.Unlock(); }
  absl::Mutex mutex;
};

}  // namespace

int main(int argc, char** argv) {
  absl::SetMutexDeadlockDetectionMode(std::getenv("LOCKWARDEN_BENCH_DETECT") != nullptr
                                          ? absl::OnDeadlockCycle::kReport
                                          : absl::OnDeadlockCycle::kIgnore);
  return lockwarden::bench::RunCases<AbslMutex>(argc, argv);
}
