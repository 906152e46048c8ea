// Semaphore hooks. A semaphore has no owner, but many are used as locks are (CPython's
// locks are semaphores): the thread whose wait returned is taken to hold a unit until it
// posts. The first post by a thread that holds none shows a hand-over; from then on units
// of that semaphore are not held by anybody. Which it is, the reader judges.
#include "interpose/describe.h"
#include "interpose/lifetime.h"
#include "interpose/real.h"
#include "runtime/known_acquire.h"
#include "runtime/semaphore_units.h"

using namespace lockwarden;
using namespace lockwarden::interpose;
using ledger::InScope;

namespace {

constexpr auto kAcquired = [](int rc) { return rc == 0; };

// What is not the newest hold, held more than once, or posted by a thread that holds none.
__attribute__((noinline)) int PostInScope(sem_t* semaphore, uint64_t cfa, uint64_t site) {
  const auto call = [=] { return Real().sem_post(semaphore); };
  return InScope(cfa, call, [=](const auto& scope) {
    ledger::ReleaseUnit(scope, semaphore, DescribeSemaphore, site);
    return call();
  });
}

}  // namespace

// sem_wait is a cancellation point: no noexcept, and the unwinding of a cancelled thread
// passes through.
LOCKWARDEN_HOOK int sem_wait(sem_t* semaphore) {
  return ledger::AcquireHook<SemaphoreObject>(
      semaphore, LOCKWARDEN_CFA, LOCKWARDEN_SITE, [=] { return Real().sem_wait(semaphore); },
      kAcquired);
}

LOCKWARDEN_HOOK int sem_trywait(sem_t* semaphore) noexcept {
  return ledger::AcquireHook<SemaphoreObject, ledger::kTry>(
      semaphore, LOCKWARDEN_CFA, LOCKWARDEN_SITE, [=] { return Real().sem_trywait(semaphore); },
      kAcquired);
}

LOCKWARDEN_HOOK int sem_timedwait(sem_t* semaphore, const timespec* deadline) {
  return ledger::AcquireHook<SemaphoreObject, ledger::kTimed>(
      semaphore, LOCKWARDEN_CFA, LOCKWARDEN_SITE,
      [=] { return Real().sem_timedwait(semaphore, deadline); }, kAcquired);
}

LOCKWARDEN_HOOK int sem_clockwait(sem_t* semaphore, clockid_t clock, const timespec* deadline) {
  return ledger::AcquireHook<SemaphoreObject, ledger::kTimed>(
      semaphore, LOCKWARDEN_CFA, LOCKWARDEN_SITE,
      [=] { return Real().sem_clockwait(semaphore, clock, deadline); }, kAcquired);
}

LOCKWARDEN_HOOK int sem_post(sem_t* semaphore) noexcept {
  if (ledger::CanRecordAtOnce() && ledger::ReleaseTopUnit(semaphore)) {
    return Real().sem_post(semaphore);
  }
  return PostInScope(semaphore, LOCKWARDEN_CFA, LOCKWARDEN_SITE);
}

LOCKWARDEN_HOOK int sem_init(sem_t* semaphore, int shared, unsigned value) noexcept {
  const uint32_t flags = (shared != 0 ? uint32_t{ledger::kProcessShared} : 0u) |
                         (value == 1 ? uint32_t{ledger::kOneUnit} : 0u);
  return InitHook(
      LOCKWARDEN_CFA, LOCKWARDEN_SITE, semaphore, [=] { return Real().sem_init(semaphore, shared, value); },
      [=](const void* object) { return DescribeSemaphore(object) | flags; });
}

LOCKWARDEN_HOOK int sem_destroy(sem_t* semaphore) noexcept {
  return DestroyHook(LOCKWARDEN_CFA, LOCKWARDEN_SITE, semaphore,
                     [=] { return Real().sem_destroy(semaphore); });
}
