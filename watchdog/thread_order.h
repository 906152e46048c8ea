// ThreadOrder: which moments of different threads can never be at once, since a creation or a
// join lies between them. Told by each thread's own clock; runtime/thread_life.h says how.
//
// Only that: what one thread does after another by a lock, a condition or a hand-over of any
// kind may come the other way round in the next run.
//
// Immutable but for what it remembers of its own answers. Not thread-safe.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "watchdog/snapshot.h"

namespace lockwarden {

// A time by the clock of the thread with that serial.
struct Moment {
  uint32_t thread = 0;
  uint32_t clock = 0;
  friend bool operator==(const Moment&, const Moment&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const Moment& moment) {
    return H::combine(std::move(h), moment.thread, moment.clock);
  }
};

class ThreadOrder {
 public:
  ThreadOrder() = default;  // nothing is known, so nothing is ordered
  // `lives` by serial - 1, as LedgerReader::ThreadLives returns them.
  explicit ThreadOrder(std::vector<ThreadLifeInfo> lives);

  // `a` has passed whenever `b` is reached.
  bool Before(Moment a, Moment b) const;
  bool Ordered(Moment a, Moment b) const { return Before(a, b) || Before(b, a); }

 private:
  struct Join {
    uint32_t joined = 0, joined_at = 0;
  };
  bool Search(Moment a, Moment b) const;

  std::vector<ThreadLifeInfo> lives_;
  absl::flat_hash_map<uint32_t, std::vector<Join>> joins_;  // by who joined
  mutable absl::flat_hash_map<std::pair<Moment, Moment>, bool> known_;
};

}  // namespace lockwarden
