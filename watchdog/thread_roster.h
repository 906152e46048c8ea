// ThreadRoster: which threads the process has, according to the kernel, for one look.
//
// Read lazily: a look that does not ask costs nothing. Not thread-safe.
// Must never: call a thread gone because the list could not be read.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/container/flat_hash_set.h"
#include "watchdog/judge.h"

namespace lockwarden {

class ThreadRoster {
 public:
  ThreadRoster(KernelView* kernel, uint32_t main_tid) : kernel_(kernel), main_tid_(main_tid) {}

  // The kernel does not have it any more. A main thread that called pthread_exit stays in
  // the list, as a zombie, and is gone all the same.
  bool IsGone(uint32_t tid);
  // Somebody is neither in `recorded` nor in `exempt` and may run, or nobody can tell.
  bool HasOutsiders(const absl::flat_hash_set<uint32_t>& recorded,
                    const absl::flat_hash_set<uint32_t>& exempt);

 private:
  const absl::flat_hash_set<uint32_t>* Tids();  // null when they cannot be listed
  bool IsZombie(uint32_t tid);

  KernelView* kernel_;
  const uint32_t main_tid_;
  bool read_ = false;
  std::optional<absl::flat_hash_set<uint32_t>> tids_;
};

}  // namespace lockwarden
