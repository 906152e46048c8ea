// Mutex hooks. Each: (1) steps aside if it cannot record, (2) records what the thread is
// about to do, (3) calls libc, (4) records what came of it, (5) returns exactly what libc
// returned, with libc's errno.
#include <cerrno>

#include "interpose/describe.h"
#include "interpose/lifetime.h"
#include "interpose/mutex_release.h"
#include "interpose/real.h"
#include "runtime/known_acquire.h"

using namespace lockwarden;
using namespace lockwarden::interpose;
using ledger::InScope;

namespace {

// EOWNERDEAD: the previous owner died, but this thread does hold the lock now.
constexpr auto kAcquired = [](int rc) { return rc == 0 || rc == EOWNERDEAD; };

// What is not the newest hold, held more than once, unknown, or unlocked inside a hook.
__attribute__((noinline)) int UnlockInScope(pthread_mutex_t* mutex, uint64_t cfa, uint64_t site) {
  const auto call = [=] { return Real().mutex_unlock(mutex); };
  return InScope(cfa, call, [=](const auto& scope) {
    return ReleaseMutex(scope, mutex, site, call, EPERM);
  });
}

}  // namespace

LOCKWARDEN_HOOK int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
  return ledger::AcquireHook<MutexObject>(
      mutex, LOCKWARDEN_CFA, LOCKWARDEN_SITE, [mutex] { return Real().mutex_lock(mutex); },
      kAcquired);
}

LOCKWARDEN_HOOK int pthread_mutex_trylock(pthread_mutex_t* mutex) noexcept {
  return ledger::AcquireHook<MutexObject, ledger::kTry>(
      mutex, LOCKWARDEN_CFA, LOCKWARDEN_SITE, [=] { return Real().mutex_trylock(mutex); },
      kAcquired);
}

LOCKWARDEN_HOOK int pthread_mutex_timedlock(pthread_mutex_t* mutex,
                                            const timespec* deadline) noexcept {
  return ledger::AcquireHook<MutexObject, ledger::kTimed>(
      mutex, LOCKWARDEN_CFA, LOCKWARDEN_SITE,
      [=] { return Real().mutex_timedlock(mutex, deadline); }, kAcquired);
}

LOCKWARDEN_HOOK int pthread_mutex_clocklock(pthread_mutex_t* mutex, clockid_t clock,
                                            const timespec* deadline) noexcept {
  return ledger::AcquireHook<MutexObject, ledger::kTimed>(
      mutex, LOCKWARDEN_CFA, LOCKWARDEN_SITE,
      [=] { return Real().mutex_clocklock(mutex, clock, deadline); }, kAcquired);
}

LOCKWARDEN_HOOK int pthread_mutex_unlock(pthread_mutex_t* mutex) noexcept {
  if (ledger::CanRecordAtOnce() && ledger::ReleaseTop(mutex)) return Real().mutex_unlock(mutex);
  return UnlockInScope(mutex, LOCKWARDEN_CFA, LOCKWARDEN_SITE);
}

LOCKWARDEN_HOOK int pthread_mutex_init(pthread_mutex_t* mutex,
                                       const pthread_mutexattr_t* attributes) noexcept {
  return InitHook(
      LOCKWARDEN_CFA, LOCKWARDEN_SITE, mutex, [=] { return Real().mutex_init(mutex, attributes); }, DescribeMutex);
}

LOCKWARDEN_HOOK int pthread_mutex_destroy(pthread_mutex_t* mutex) noexcept {
  return DestroyHook(
      LOCKWARDEN_CFA, LOCKWARDEN_SITE, mutex, [=] { return Real().mutex_destroy(mutex); }, SaysMutex);
}

LOCKWARDEN_HOOK int pthread_mutex_consistent(pthread_mutex_t* mutex) noexcept {
  return Real().mutex_consistent(mutex);
}
