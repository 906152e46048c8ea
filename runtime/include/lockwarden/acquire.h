// acquire(a, b, ...), acquire(range): takes several locks in ascending order of rank and id,
// whatever the order of the arguments, so that two threads that take the same set cannot
// deadlock.
//
//   auto held = lockwarden::acquire(from.lock, to.lock);       // released when it goes
//   auto read = lockwarden::acquire(lockwarden::shared(table.lock), row.lock);
//   std::vector<lockwarden::Lock*> locks = ...;
//   auto all = lockwarden::acquire(locks);                     // locks, or pointers to them
//
// Locks are released in reverse order. If taking one throws, those taken are released.
// The same lock may be given twice: it is taken once, exclusively if it is given so at all.
//
// Sets nest upwards: one whose lowest lock is not above everything that the thread holds is a
// lock-order violation (order.h), found before anything blocks. Classes with a declared order
// that are acquired together should have ranks in that order.
//
// Locks of other types that have lock(), unlock() and an id() are sorted along, by id.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "lockwarden/order.h"

namespace lockwarden {
inline namespace v1 {

// Asks acquire() to take this lock shared.
template <class L>
struct Shared {
  L& lock;
};
template <class L>
Shared<L> shared(L& lock) noexcept {
  return {lock};
}

namespace internal {

// How one type of lock is taken in one mode.
struct WayToTake {
  void (*take)(void*);
  void (*release)(void*);
  LockIdentity (*identity)(void*);  // null: not a lock of ours
  bool is_shared;
};
struct LockToTake {
  void* lock = nullptr;
  uint64_t id = 0;
  const WayToTake* way = nullptr;
  int rank = 0;
};
// Not in the templates below, where names of the program's could be shadowed. Of the same
// lock given twice, the exclusive one comes first.
inline bool InOrder(const LockToTake& a, const LockToTake& b) {
  if (a.rank != b.rank) return a.rank < b.rank;
  if (a.id != b.id) return a.id < b.id;
  return a.way->is_shared < b.way->is_shared;
}
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
template <class L>
void TakeShared(void* lock) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  static_cast<L*>(lock)->lock_shared();
}
template <class L>
void ReleaseShared(void* lock) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  static_cast<L*>(lock)->unlock_shared();
}

template <class L>
concept HasId = requires(L& lock) {
  static_cast<uint64_t>(lock.id());
};
template <class L>
concept TakenAlone = HasId<L> && requires(L& lock) {
  lock.lock(), lock.unlock();
};
template <class L>
concept TakenShared = HasId<L> && requires(L& lock) {
  lock.lock_shared(), lock.unlock_shared();
};

template <class L>
LockIdentity Identify(void* lock) {
  return IdentityAccess::Of(*static_cast<L*>(lock));
}
template <class L>
constexpr auto IdentityOrNull() -> LockIdentity (*)(void*) {
  if constexpr (IsOurs<L>) {
    return Identify<L>;
  } else {
    return nullptr;
  }
}
template <class L>
inline constexpr WayToTake kAlone{Take<L>, Release<L>, IdentityOrNull<L>(), false};
template <class L>
inline constexpr WayToTake kShared{TakeShared<L>, ReleaseShared<L>, IdentityOrNull<L>(), true};

template <class L>
LockToTake Describe(L& lock, const WayToTake& way) {
  LockToTake entry{std::addressof(lock), lock.id(), &way, 0};
  if constexpr (IsOurs<L>) entry.rank = lock.rank();
  return entry;
}
template <TakenAlone L>
LockToTake ToTake(L& lock) {
  return Describe(lock, kAlone<L>);
}
template <TakenShared L>
LockToTake ToTake(Shared<L> wanted) {
  return Describe(wanted.lock, kShared<L>);
}
template <TakenAlone L>
LockToTake ToTake(L* lock) {
  return ToTake(*lock);
}

// Sorted, each lock once; how many are left.
size_t SortUnsorted(LockToTake* locks, size_t count);
inline size_t SortSet(LockToTake* locks, size_t count) {
  for (size_t i = 1; i < count; ++i) {
    if (!InOrder(locks[i - 1], locks[i]) || SameLock(locks[i - 1], locks[i])) {
      return SortUnsorted(locks, count);
    }
  }
  return count;
}

// Before a set is taken: whether it may be, once and for all of it. Throws as the policy has it.
// False: nobody has asked that single acquisitions be looked at.
bool CheckSetOrder(const LockToTake* locks, size_t count);
// The thread holds nothing, and nobody has asked so: there is no order to check.
bool NoOrderToCheck() noexcept;

// What Acquired is made of: sorted, each lock once, checked, and then taken one by one.
// Of any types and modes; `Entries` is an array, or a vector.
template <class Entries>
struct MixedSet {
  Entries entries;
  size_t Sort() { return SortSet(entries.data(), entries.size()); }
  bool CheckOrder(size_t count) { return CheckSetOrder(entries.data(), count); }
  void Take(size_t i) { entries[i].way->take(entries[i].lock); }
  void Release(size_t i) { entries[i].way->release(entries[i].lock); }
};

// Of one of our types, exclusively: without a call but those of the locks themselves.
template <class L, size_t kCount>
struct UniformSet {
  struct Entry {
    L* lock;
    uint64_t rank_and_id;
    // Ranks may be negative; ids have 31 bits.
    explicit Entry(L& l)
        : lock(std::addressof(l)),
          rank_and_id(uint64_t{static_cast<uint32_t>(l.rank()) ^ 0x80000000u} << 32 | l.id()) {}
  };
  std::array<Entry, kCount> entries;

  size_t Sort() {
    if constexpr (kCount <= 3) {
      constexpr size_t kSteps[] = {0, 1, 0};
      for (size_t step = 0; step < kCount * (kCount - 1) / 2; ++step) {
        Entry& first = entries[kSteps[step]];
        Entry& second = entries[kSteps[step] + 1];
        if (second.rank_and_id < first.rank_and_id) std::swap(first, second);
      }
    } else {
      std::sort(entries.begin(), entries.end(),
                [](const Entry& a, const Entry& b) { return a.rank_and_id < b.rank_and_id; });
    }
    size_t count = 1;
    for (size_t i = 1; i < kCount; ++i) {
      if (entries[i].lock != entries[count - 1].lock) entries[count++] = entries[i];
    }
    return count;
  }
  bool CheckOrder(size_t count) {
    if (NoOrderToCheck()) return false;
    std::array<LockToTake, kCount> described;
    for (size_t i = 0; i < count; ++i) described[i] = ToTake(*entries[i].lock);
    return CheckSetOrder(described.data(), count);
  }
  void Take(size_t i) ABSL_NO_THREAD_SAFETY_ANALYSIS { entries[i].lock->lock(); }
  void Release(size_t i) ABSL_NO_THREAD_SAFETY_ANALYSIS { entries[i].lock->unlock(); }
};

template <class... Locks>
inline constexpr bool kUniform = false;
template <class First, class... Others>
inline constexpr bool kUniform<First, Others...> = IsOurs<First>&& TakenAlone<First> &&
                                                   (std::is_same_v<First, Others> && ...);

}  // namespace internal

// The locks held by one acquire(). Movable; owned by one thread.
template <class Set>
class [[nodiscard]] Acquired {
 public:
  explicit Acquired(Set set) : set_(std::move(set)) {
    const size_t count = set_.Sort();
    if (set_.CheckOrder(count)) {
      const internal::OrderNotLookedAt taking;
      Take(count);
    } else {
      Take(count);
    }
  }
  ~Acquired() { release(); }
  Acquired(Acquired&& other) noexcept
      : set_(std::move(other.set_)), held_(std::exchange(other.held_, 0)) {}
  Acquired& operator=(Acquired&&) = delete;

  // Releases now what is still held, in reverse order.
  void release() {
    while (held_ > 0) set_.Release(--held_);
  }

 private:
  void Take(size_t count) {
    try {
      for (; held_ < count; ++held_) set_.Take(held_);
    } catch (...) {
      release();
      throw;
    }
  }

  Set set_;
  size_t held_ = 0;
};

template <class... Locks>
requires(requires(Locks&... locks) { (internal::ToTake(locks), ...); } ||
         sizeof...(Locks) == 0) auto acquire(Locks&&... locks) {
  if constexpr (internal::kUniform<std::remove_cvref_t<Locks>...>) {
    using L = std::tuple_element_t<0, std::tuple<std::remove_cvref_t<Locks>...>>;
    using Set = internal::UniformSet<L, sizeof...(Locks)>;
    return Acquired<Set>(Set{{typename Set::Entry(locks)...}});
  } else {
    using Set = internal::MixedSet<std::array<internal::LockToTake, sizeof...(Locks)>>;
    return Acquired<Set>(Set{{internal::ToTake(locks)...}});
  }
}

// Of locks, of pointers to locks, or of shared(lock). Allocates.
template <class Range>
requires(requires(Range& range) {
  internal::ToTake(*std::begin(range));
}) auto acquire(Range&& range) {
  internal::MixedSet<std::vector<internal::LockToTake>> set;
  set.entries.reserve(static_cast<size_t>(std::distance(std::begin(range), std::end(range))));
  for (auto&& lock : range) set.entries.push_back(internal::ToTake(lock));
  return Acquired<decltype(set)>(std::move(set));
}

}  // namespace v1
}  // namespace lockwarden
