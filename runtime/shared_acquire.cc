// A hold changes its mode in place: downwards before the lock does, upwards after it, so that the
// record never claims more than is held.
#include "runtime/shared_acquire.h"

#include "runtime/own_objects.h"

namespace lockwarden::ledger {
namespace {

using RaiseObject = OwnObject<OwnRaise, LockKind::kSharedLock>;

// What the thread is recorded to have of this lock; null: nothing.
HeldEntry* HoldOf(ThreadRecord* record, const void* lock) {
  const PackedRef life = FindLock(lock);
  return life == 0 ? nullptr : FindHeld(record, IndexOf(life));
}

void SetMode(HeldEntry* held, Mode mode) {
  if (held == nullptr) return;  // taken while nothing could be recorded
  // One store, so that a reader sees the hold with the one mode or the other; release as P6.
  held->lock.store(WithMode(held->lock.load(std::memory_order_relaxed),  // own record
                            static_cast<uint8_t>(mode)),
                   std::memory_order_release);
}

template <class WhichFrame>
LockAnswer Raise(const Scope<WhichFrame>& scope, void* lock, uint32_t how, uint64_t site,
                 const TimeLimit* limit, Cycle* cycle) {
  Acquisition<RaiseObject, WhichFrame> acquisition(scope, lock, BitsOfHow(how), site);
  LockAnswer answer = LockAnswer::kBusy;
  if (cycle != nullptr) {
    if (TryUpgradeToExclusive(OwnSharedWord::At(lock))) {
      answer = LockAnswer::kDone;
    } else if (IsVictim(scope, cycle)) {
      answer = LockAnswer::kDeadlock;
    }
  }
  if (answer == LockAnswer::kBusy) {
    answer = ConvertUnrecorded(lock, /*exclusive=*/false, how, limit);
  }
  acquisition.Finish(answer == LockAnswer::kDone, /*holds=*/false);
  if (answer == LockAnswer::kDone) SetMode(HoldOf(scope.record(), lock), Mode::kExclusive);
  return answer;
}

}  // namespace

LockAnswer AcquireSharedLock(void* lock, uint32_t how, uint64_t site, uint64_t cfa,
                             const char* name, const TimeLimit* limit) {
  const uint8_t bits = BitsOfHow(how);
  switch (ModeOfHow(how)) {
    case Mode::kShared: return AcquireOwn<SharedObject>(lock, bits, site, cfa, name, limit);
    case Mode::kUpgrade: return AcquireOwn<UpgradeObject>(lock, bits, site, cfa, name, limit);
    default: return AcquireOwn<ExclusiveObject>(lock, bits, site, cfa, name, limit);
  }
}

LockAnswer ReleaseSharedLock(void* lock, uint32_t how, uint64_t cfa) {
  switch (ModeOfHow(how)) {
    case Mode::kShared: return ReleaseOwn<SharedObject>(lock, true, cfa);
    case Mode::kUpgrade: return ReleaseOwn<UpgradeObject>(lock, true, cfa);
    default: return ReleaseOwn<ExclusiveObject>(lock, true, cfa);
  }
}

LockAnswer ConvertSharedLock(void* lock, uint32_t how, uint64_t site, uint64_t cfa,
                             const TimeLimit* limit, Cycle* cycle) {
  const auto plain = [] { return LockAnswer::kNotRecorded; };
  return InScope(cfa, plain, [=](const auto& scope) {
    const Self self = SelfOf(scope.record());
    if (!OwnSharedWord::HeldBy(lock, self)) return LockAnswer::kNotOwned;
    const bool exclusive = OwnExclusive::MayRelease(lock, self);
    const Mode to = ModeOfHow(how);
    if (to == Mode::kExclusive && !exclusive) {
      return Raise(scope, lock, how, site, limit, cycle);
    }
    if (to == Mode::kExclusive || (to == Mode::kUpgrade && !exclusive)) return LockAnswer::kOwned;
    SetMode(HoldOf(scope.record(), lock), to);
    CountWithoutHold(scope.record());  // P5: what it holds has changed
    return ConvertUnrecorded(lock, exclusive, how, limit);
  });
}

}  // namespace lockwarden::ledger
