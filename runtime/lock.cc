// Lock and RLock: record, lock, record. The recorder may be the preload's or our own.
#include "lockwarden/lock.h"

#include <type_traits>

#include "lockwarden/rlock.h"
#include "runtime/deadlock_policy.h"
#include "runtime/own_lock.h"
#include "runtime/own_type.h"

namespace lockwarden {
inline namespace v1 {
namespace {

using internal::Deadline;
using internal::LockAnswer;
using internal::LockKind;
using internal::LockState;
using ledger::MisuseKind;
using ledger::OwnLock;

constexpr char kNotHeld[] = "released, or waited with, by a thread that does not hold it";

LOCKWARDEN_INLINE LockAnswer Acquire(LockState* state, LockKind kind, uint8_t bits, uint64_t site,
                                     uint64_t cfa) {
  return internal::Acquire<OwnLock>(&state->word, kind, bits, site, cfa, state->name);
}

LockAnswer AcquireUntil(LockState* state, LockKind kind, Deadline deadline, uint64_t site,
                        uint64_t cfa) {
  return internal::AcquireUntil<OwnLock>(&state->word, kind, deadline, site, cfa, state->name);
}

LOCKWARDEN_INLINE LockAnswer Release(LockState* state, LockKind kind, uint32_t extra,
                                     uint64_t cfa) {
  return internal::Release<OwnLock>(&state->word, kind, extra, cfa);
}

void EndLife(const internal::LockIdentity& lock, const LockState& state, uint64_t site,
             uint64_t cfa) {
  // Relaxed: nobody else may use it any more; whoever still holds it is noted.
  if (__builtin_expect(state.word.load(std::memory_order_relaxed) != ledger::kLockFree, 0)) {
    internal::NoteMisuse(MisuseKind::kDestroyHeld, lock, site, cfa);
  }
  ledger::TheRecorder()->end_life(lock.lock, cfa);
}

static_assert(std::is_standard_layout_v<Lock>, "the word stands at the lock's address");

__attribute__((noinline)) void LockUnknown(void* lock, uint64_t site, uint64_t cfa) {
  Lock& self = *static_cast<Lock*>(lock);
  if (ledger::AcquireKnownFurther<OwnLock>(lock, site, cfa)) return;
  if (internal::AcquireChecked<OwnLock>(self, site, cfa) != LockAnswer::kDone) {
    internal::NoteMisuse(MisuseKind::kRelock, internal::IdentityAccess::Of(self), site, cfa);
    internal::Refuse(std::errc::resource_deadlock_would_occur, "Lock", self.name(),
                     "locked again by the thread that holds it");
  }
}

__attribute__((noinline)) void UnlockUnknown(void* lock, uint64_t site, uint64_t cfa) {
  if (internal::Release<OwnLock>(lock, LockKind::kLock, 0, cfa) != LockAnswer::kDone) {
    Lock& self = *static_cast<Lock*>(lock);
    internal::NoteMisuse(MisuseKind::kUnlockNotOwner, internal::IdentityAccess::Of(self), site,
                         cfa);
    internal::Refuse(std::errc::operation_not_permitted, "Lock", self.name(), kNotHeld);
  }
}

void Deepen(std::atomic<uint32_t>& depth) {
  depth.store(depth.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);  // own
}

}  // namespace

uint32_t internal::AssignNewId(std::atomic<uint32_t>* id) {
  static constinit std::atomic<uint32_t> next{1};
  // Relaxed, all: the id is a number; nothing is published with it.
  uint32_t known = id->load(std::memory_order_relaxed);
  if ((known & kIdMask) != 0) return known & kIdMask;
  const uint32_t fresh = next.fetch_add(1, std::memory_order_relaxed) & kIdMask;
  // As above: the number alone.
  const bool first = id->compare_exchange_strong(known, fresh | (known & kHasTraits),
                                                 std::memory_order_relaxed);
  return first ? fresh : known & kIdMask;
}

Lock::~Lock() { EndLife(identity(), state_, LOCKWARDEN_SITE, LOCKWARDEN_CFA); }

void Lock::lock() {
  ledger::LockKnown<OwnLock, LockUnknown>(&state_.word, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
}

bool Lock::try_lock() {
  return Acquire(&state_, LockKind::kLock, ledger::kTry, LOCKWARDEN_SITE, LOCKWARDEN_CFA) ==
         LockAnswer::kDone;
}

bool Lock::TryLock(Deadline deadline) {
  return AcquireUntil(&state_, LockKind::kLock, deadline, LOCKWARDEN_SITE, LOCKWARDEN_CFA) ==
         LockAnswer::kDone;
}

void Lock::unlock() {
  if (!ledger::ReleaseKnown<OwnLock>(&state_.word)) {
    UnlockUnknown(&state_.word, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
  }
}

RLock::~RLock() { EndLife(identity(), state_, LOCKWARDEN_SITE, LOCKWARDEN_CFA); }

void RLock::lock() {
  if (ledger::AcquireKnownFurther<OwnLock>(&state_.word, LOCKWARDEN_SITE, LOCKWARDEN_CFA)) return;
  if (internal::AcquireChecked<OwnLock>(*this, LOCKWARDEN_SITE, LOCKWARDEN_CFA) ==
      LockAnswer::kOwned) {
    Deepen(depth_);
  }
}

bool RLock::try_lock() {
  const LockAnswer answer =
      Acquire(&state_, LockKind::kRLock, ledger::kTry, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
  if (answer == LockAnswer::kOwned) Deepen(depth_);
  return answer != LockAnswer::kBusy;
}

bool RLock::TryLock(Deadline deadline) {
  const LockAnswer answer =
      AcquireUntil(&state_, LockKind::kRLock, deadline, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
  if (answer == LockAnswer::kOwned) Deepen(depth_);
  return answer != LockAnswer::kBusy;
}

void RLock::unlock() {
  // Relaxed: the owner's own; anybody else is refused whatever stands there.
  const bool last = depth_.load(std::memory_order_relaxed) == 0;
  if (last && ledger::ReleaseKnown<OwnLock>(&state_.word)) return;
  if (Release(&state_, LockKind::kRLock, last ? 0 : ledger::kKeepsLock, LOCKWARDEN_CFA) !=
      LockAnswer::kDone) {
    internal::NoteMisuse(MisuseKind::kUnlockNotOwner, identity(), LOCKWARDEN_SITE, LOCKWARDEN_CFA);
    internal::Refuse(std::errc::operation_not_permitted, "RLock", name(), kNotHeld);
  }
  if (!last) depth_.store(depth_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);  // own
}

// A release of the lock alone would leave its further levels in the held list.
uint32_t RLock::ReleaseLevels() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  // Relaxed: the owner's own; anybody else is refused by the first unlock.
  const uint32_t levels = depth_.load(std::memory_order_relaxed) + 1;
  for (uint32_t i = 0; i < levels; ++i) unlock();
  return levels;
}

void RLock::RestoreLevels(uint32_t levels) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  for (uint32_t i = 0; i < levels; ++i) lock();
}

}  // namespace v1
}  // namespace lockwarden
