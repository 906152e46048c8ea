// The recorder behind its table: takes and gives back locks of our own formats, and records
// it as the hooks do with libc's.
#include "runtime/recorder_api.h"

#include "runtime/own_acquire.h"

namespace lockwarden::ledger {
namespace {

using LockObject = OwnObject<OwnLock, LockKind::kLock>;
using RLockObject = OwnObject<OwnLock, LockKind::kRLock, kRecursive>;

LockAnswer Acquire(void* lock, uint32_t how, uint64_t site, uint64_t cfa, const char* name,
                   const TimeLimit* limit) {
  const uint8_t bits = BitsOfHow(how);
  return KindOfHow(how) == LockKind::kLock
             ? AcquireOwn<LockObject>(lock, bits, site, cfa, name, limit)
             : AcquireOwn<RLockObject>(lock, bits, site, cfa, name, limit);
}

// What is not the newest hold, held more than once, or not held at all.
__attribute__((noinline)) LockAnswer ReleaseInScope(void* lock, uint32_t how, uint64_t cfa) {
  const auto plain = [] { return LockAnswer::kNotRecorded; };
  return InScope(cfa, plain, [=](const auto& scope) {
    if (!OwnLock::HeldBy(lock, SelfOf(scope.record()))) return LockAnswer::kNotOwned;
    RecordRelease(scope, lock);
    if ((how & kKeepsLock) == 0) OwnLock::Release(lock);
    return LockAnswer::kDone;
  });
}

LockAnswer Release(void* lock, uint32_t how, uint64_t cfa) {
  if ((how & kKeepsLock) == 0 && CanRecordAtOnce() && ReleaseTop(lock)) {
    OwnLock::Release(lock);
    return LockAnswer::kDone;
  }
  return ReleaseInScope(lock, how, cfa);
}

void EndLife(const void* lock, uint64_t cfa) {
  InScope(cfa, [] { return 0; }, [=](const auto&) {
    const PackedRef life = FindLock(lock);
    if (life != 0) EndLockLife(life);
    return 0;
  });
}

constexpr RecorderApi kApi = {RecorderApi::kVersion, 0, Acquire, Release, EndLife};

}  // namespace

void NameOnce(const void* object, const char* name) {
  const PackedRef ref = FindLock(object);
  if (ref == 0) return;
  std::atomic<uint32_t>& known = this_thread.locks[IndexOf(ref)].name;
  // Relaxed: a name for people; a reader checks that it ends with a NUL inside the table.
  if (known.load(std::memory_order_relaxed) != 0) return;
  known.store(InternName(TheLedger(), name), std::memory_order_relaxed);  // as above
}

}  // namespace lockwarden::ledger

const lockwarden::ledger::RecorderApi* lockwarden_recorder_v1() {
  return &lockwarden::ledger::kApi;
}
