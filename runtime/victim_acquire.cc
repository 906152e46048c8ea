// The search begins where the wait is published and the lock could not be had at once.
#include "runtime/victim_acquire.h"

#include "runtime/own_objects.h"

namespace lockwarden::ledger {
namespace {

template <class Object, class WhichFrame>
LockAnswer AcquireIn(const Scope<WhichFrame>& scope, void* lock, uint64_t site, const char* name,
                     Cycle* cycle) {
  const Self self = SelfOf(scope.record());
  if (Object::MayBeOwn(lock) &&
      (Object::HeldBy(lock, self) || ReadsItself<Object>(scope.record(), lock))) {
    return AcquireAgain<Object>(scope, lock, 0, site);
  }
  const bool unnamed = name != nullptr && LookUpLock(scope.record(), lock).cached == nullptr;
  LockAnswer answer = LockAnswer::kDone;
  const auto take = [&] {
    if (unnamed) NameOnce(lock, name);
    if (Object::Try(lock, self)) return 0;
    if (IsVictim(scope, cycle)) {
      answer = LockAnswer::kDeadlock;
      return 1;
    }
    return Object::Take(lock, self, nullptr) ? 0 : 1;
  };
  Acquire<Object>(scope, lock, site, take, kZeroIsTaken);
  return answer;
}

template <class Object>
LockAnswer AcquireObject(void* lock, uint64_t site, uint64_t cfa, const char* name, Cycle* cycle) {
  const auto plain = [] { return LockAnswer::kNotRecorded; };
  return InScope(cfa, plain, [=](const auto& scope) {
    return AcquireIn<Object>(scope, lock, site, name, cycle);
  });
}

}  // namespace

LockAnswer AcquireOrBreak(void* lock, uint32_t how, uint64_t site, uint64_t cfa, const char* name,
                          Cycle* cycle) {
  switch (KindOfHow(how)) {
    case LockKind::kLock:
      return AcquireObject<LockObject>(lock, site, cfa, name, cycle);
    case LockKind::kRLock:
      return AcquireObject<RLockObject>(lock, site, cfa, name, cycle);
    default:
      break;
  }
  switch (ModeOfHow(how)) {
    case Mode::kShared:
      return AcquireObject<SharedObject>(lock, site, cfa, name, cycle);
    case Mode::kUpgrade:
      return AcquireObject<UpgradeObject>(lock, site, cfa, name, cycle);
    default:
      return AcquireObject<ExclusiveObject>(lock, site, cfa, name, cycle);
  }
}

}  // namespace lockwarden::ledger
