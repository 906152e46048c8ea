// Read-write lock hooks. A reader's hold is shared, a writer's exclusive; unlock releases
// whichever the thread has.
#include "interpose/describe.h"
#include "interpose/lifetime.h"
#include "interpose/real.h"
#include "runtime/known_acquire.h"

using namespace lockwarden;
using namespace lockwarden::interpose;
using ledger::InScope;

namespace {

constexpr auto kAcquired = [](int rc) { return rc == 0; };

// What is not the newest hold, held more than once, unknown, or unlocked inside a hook.
__attribute__((noinline)) int UnlockInScope(pthread_rwlock_t* rwlock, uint64_t cfa,
                                            uint64_t site) {
  const auto call = [=] { return Real().rwlock_unlock(rwlock); };
  return InScope(cfa, call, [=](const auto& scope) {
    // What this thread was not seen to take: another one's, unless the word names this one as
    // the writer. Readers have no names. Relaxed: own record.
    if (ledger::RecordRelease(scope, rwlock) == 0) {
      const ledger::WordSays says = SaysRwLock(rwlock);
      if (says.owner != scope.record()->tid.load(std::memory_order_relaxed)) {
        ledger::NoteForeignRelease(scope, rwlock, says, site);
      }
    }
    return call();
  });
}

}  // namespace

LOCKWARDEN_HOOK int pthread_rwlock_rdlock(pthread_rwlock_t* rwlock) noexcept {
  return ledger::AcquireHook<ReaderObject>(
      rwlock, LOCKWARDEN_CFA, LOCKWARDEN_SITE, [rwlock] { return Real().rwlock_rdlock(rwlock); },
      kAcquired);
}

LOCKWARDEN_HOOK int pthread_rwlock_tryrdlock(pthread_rwlock_t* rwlock) noexcept {
  return ledger::AcquireHook<ReaderObject, ledger::kTry>(
      rwlock, LOCKWARDEN_CFA, LOCKWARDEN_SITE, [=] { return Real().rwlock_tryrdlock(rwlock); },
      kAcquired);
}

LOCKWARDEN_HOOK int pthread_rwlock_timedrdlock(pthread_rwlock_t* rwlock,
                                               const timespec* deadline) noexcept {
  return ledger::AcquireHook<ReaderObject, ledger::kTimed>(
      rwlock, LOCKWARDEN_CFA, LOCKWARDEN_SITE,
      [=] { return Real().rwlock_timedrdlock(rwlock, deadline); }, kAcquired);
}

LOCKWARDEN_HOOK int pthread_rwlock_clockrdlock(pthread_rwlock_t* rwlock, clockid_t clock,
                                               const timespec* deadline) noexcept {
  return ledger::AcquireHook<ReaderObject, ledger::kTimed>(
      rwlock, LOCKWARDEN_CFA, LOCKWARDEN_SITE,
      [=] { return Real().rwlock_clockrdlock(rwlock, clock, deadline); }, kAcquired);
}

LOCKWARDEN_HOOK int pthread_rwlock_wrlock(pthread_rwlock_t* rwlock) noexcept {
  return ledger::AcquireHook<WriterObject>(
      rwlock, LOCKWARDEN_CFA, LOCKWARDEN_SITE, [rwlock] { return Real().rwlock_wrlock(rwlock); },
      kAcquired);
}

LOCKWARDEN_HOOK int pthread_rwlock_trywrlock(pthread_rwlock_t* rwlock) noexcept {
  return ledger::AcquireHook<WriterObject, ledger::kTry>(
      rwlock, LOCKWARDEN_CFA, LOCKWARDEN_SITE, [=] { return Real().rwlock_trywrlock(rwlock); },
      kAcquired);
}

LOCKWARDEN_HOOK int pthread_rwlock_timedwrlock(pthread_rwlock_t* rwlock,
                                               const timespec* deadline) noexcept {
  return ledger::AcquireHook<WriterObject, ledger::kTimed>(
      rwlock, LOCKWARDEN_CFA, LOCKWARDEN_SITE,
      [=] { return Real().rwlock_timedwrlock(rwlock, deadline); }, kAcquired);
}

LOCKWARDEN_HOOK int pthread_rwlock_clockwrlock(pthread_rwlock_t* rwlock, clockid_t clock,
                                               const timespec* deadline) noexcept {
  return ledger::AcquireHook<WriterObject, ledger::kTimed>(
      rwlock, LOCKWARDEN_CFA, LOCKWARDEN_SITE,
      [=] { return Real().rwlock_clockwrlock(rwlock, clock, deadline); }, kAcquired);
}

LOCKWARDEN_HOOK int pthread_rwlock_unlock(pthread_rwlock_t* rwlock) noexcept {
  if (ledger::CanRecordAtOnce() && ledger::ReleaseTop(rwlock)) {
    return Real().rwlock_unlock(rwlock);
  }
  return UnlockInScope(rwlock, LOCKWARDEN_CFA, LOCKWARDEN_SITE);
}

LOCKWARDEN_HOOK int pthread_rwlock_init(pthread_rwlock_t* rwlock,
                                        const pthread_rwlockattr_t* attributes) noexcept {
  return InitHook(
      LOCKWARDEN_CFA, LOCKWARDEN_SITE, rwlock, [=] { return Real().rwlock_init(rwlock, attributes); }, DescribeRwLock);
}

LOCKWARDEN_HOOK int pthread_rwlock_destroy(pthread_rwlock_t* rwlock) noexcept {
  return DestroyHook(
      LOCKWARDEN_CFA, LOCKWARDEN_SITE, rwlock, [=] { return Real().rwlock_destroy(rwlock); }, SaysRwLock);
}
