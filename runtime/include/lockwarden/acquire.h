// acquire(a, b, ...): takes several locks in ascending order of their ids, whatever the
// order of the arguments, so that two threads that take the same set cannot deadlock.
//
//   auto held = lockwarden::acquire(from.lock, to.lock);   // released when it goes
//
// Locks are released in reverse order. If taking one throws, those taken are released.
// The same lock may be given twice: it is taken once.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/base/thread_annotations.h"

namespace lockwarden {
inline namespace v1 {

namespace internal {

struct LockToTake {
  void* lock = nullptr;
  uint64_t id = 0;
  void (*take)(void*) = nullptr;
  void (*release)(void*) = nullptr;
};
// Not in the templates below, where names of the program's could be shadowed.
inline bool ById(const LockToTake& a, const LockToTake& b) { return a.id < b.id; }
inline bool SameLock(const LockToTake& a, const LockToTake& b) { return a.lock == b.lock; }

// Take in one function and release in another is what the analysis exists to refuse.
template <class L>
void Take(void* lock) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  static_cast<L*>(lock)->lock();
}
template <class L>
void Release(void* lock) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  static_cast<L*>(lock)->unlock();
}

}  // namespace internal

// The locks held by one acquire(). Movable; owned by one thread.
template <size_t kCount>
class [[nodiscard]] Acquired {
 public:
  explicit Acquired(std::array<internal::LockToTake, kCount> entries) : entries_(entries) {
    std::sort(entries_.begin(), entries_.end(), internal::ById);
    const auto last = std::unique(entries_.begin(), entries_.end(), internal::SameLock);
    const size_t count = static_cast<size_t>(last - entries_.begin());
    try {
      while (held_ < count) {
        entries_[held_].take(entries_[held_].lock);
        ++held_;
      }
    } catch (...) {
      release();
      throw;
    }
  }
  ~Acquired() { release(); }
  Acquired(Acquired&& other) noexcept : entries_(other.entries_), held_(other.held_) {
    other.held_ = 0;
  }
  Acquired& operator=(Acquired&&) = delete;

  // Releases now what is still held, in reverse order.
  void release() {
    while (held_ > 0) {
      --held_;
      entries_[held_].release(entries_[held_].lock);
    }
  }

 private:
  std::array<internal::LockToTake, kCount> entries_;
  size_t held_ = 0;
};

template <class... Locks>
Acquired<sizeof...(Locks)> acquire(Locks&... locks) {
  return Acquired<sizeof...(Locks)>({internal::LockToTake{
      &locks, locks.id(), internal::Take<Locks>, internal::Release<Locks>}...});
}

}  // namespace v1
}  // namespace lockwarden
