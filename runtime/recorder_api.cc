// The recorder behind its table: takes and gives back locks of our own formats, and records
// it as the hooks do with libc's.
#include "runtime/recorder_api.h"

#include "runtime/exempt_thread.h"
#include "runtime/own_objects.h"
#include "runtime/own_wait.h"
#include "runtime/shared_acquire.h"
#include "runtime/unit_acquire.h"
#include "runtime/victim_acquire.h"

namespace lockwarden::ledger {
namespace {

LockAnswer Acquire(void* lock, uint32_t how, uint64_t site, uint64_t cfa, const char* name,
                   const TimeLimit* limit) {
  const uint8_t bits = BitsOfHow(how);
  switch (KindOfHow(how)) {
    case LockKind::kLock:
      return AcquireOwn<LockObject>(lock, bits, site, cfa, name, limit);
    case LockKind::kRLock:
      return AcquireOwn<RLockObject>(lock, bits, site, cfa, name, limit);
    case LockKind::kSemaphore:
      return AcquireUnit(lock, how, site, cfa, name, limit);
    default:
      return AcquireSharedLock(lock, how, site, cfa, name, limit);
  }
}

LockAnswer Release(void* lock, uint32_t how, uint64_t cfa) {
  if (KindOfHow(how) == LockKind::kSharedLock) return ReleaseSharedLock(lock, how, cfa);
  return ReleaseOwn<LockObject>(lock, (how & kKeepsLock) == 0, cfa);
}

void EndLife(const void* lock, uint64_t cfa) {
  InScope(
      cfa, [] { return 0; },
      [=](const auto&) {
        const PackedRef life = FindLock(lock);
        if (life != 0) EndLockLife(life);
        return 0;
      });
}

constexpr RecorderApi kApi = {RecorderApi::kVersion,
                              kLayoutVersion,
                              Acquire,
                              Release,
                              ConvertSharedLock,
                              NoteUnits,
                              WaitOwn,
                              EndLife,
                              [] { return &this_thread; },
                              &the_gate,
                              &the_settings,
                              AcquireOrBreak,
                              NoteHelpOwn};

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

void lockwarden_exempt_thread_v1() {
  using namespace lockwarden::ledger;
  InScope(
      LOCKWARDEN_CFA, [] { return 0; },
      [](const auto& scope) {
        // Relaxed: own record; a reader may take one look more until it sees it.
        scope.record()->exempt.store(1, std::memory_order_relaxed);
        return 0;
      });
  this_thread.SetInRuntime(true);  // hooks step aside from now on
}

const lockwarden::ledger::RecorderApi* lockwarden_recorder_v1() {
  return &lockwarden::ledger::kApi;
}
