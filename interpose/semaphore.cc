// Semaphore hooks. A semaphore has no owner, but many are used as locks are (CPython's
// locks are semaphores): the thread whose wait returned is taken to hold a unit until it
// posts. The first post by a thread that holds none shows a hand-over; from then on units
// of that semaphore are not held by anybody. Which it is, the reader judges.
#include "interpose/describe.h"
#include "interpose/lifetime.h"
#include "interpose/real.h"
#include "runtime/recorder.h"
#include "runtime/semaphore_units.h"

using namespace lockwarden;
using namespace lockwarden::interpose;
using ledger::InScope;

namespace {

template <class WhichFrame, class Call>
LOCKWARDEN_INLINE int Acquire(const ledger::Scope<WhichFrame>& scope, sem_t* semaphore,
                              uint8_t mode_bits, uint64_t site, Call call) {
  ledger::Acquisition<SemaphoreObject, WhichFrame> acquisition(scope, semaphore, mode_bits, site);
  const int rc = call();
  const bool acquired = rc == 0;
  acquisition.Finish(acquired, acquired && ledger::HoldsUnits(scope, acquisition.ref()));
  return rc;
}

}  // namespace

// sem_wait is a cancellation point: no noexcept, and the unwinding of a cancelled thread
// passes through.
LOCKWARDEN_HOOK int sem_wait(sem_t* semaphore) {
  const uint64_t site = LOCKWARDEN_SITE;
  const auto call = [=] { return Real().sem_wait(semaphore); };
  return InScope(LOCKWARDEN_CFA, call, [=](const auto& scope) {
    return Acquire(scope, semaphore, 0, site, call);
  });
}

LOCKWARDEN_HOOK int sem_trywait(sem_t* semaphore) noexcept {
  const uint64_t site = LOCKWARDEN_SITE;
  const auto call = [=] { return Real().sem_trywait(semaphore); };
  return InScope(LOCKWARDEN_CFA, call, [=](const auto& scope) {
    return Acquire(scope, semaphore, ledger::kTry, site, call);
  });
}

LOCKWARDEN_HOOK int sem_timedwait(sem_t* semaphore, const timespec* deadline) {
  const uint64_t site = LOCKWARDEN_SITE;
  const auto call = [=] { return Real().sem_timedwait(semaphore, deadline); };
  return InScope(LOCKWARDEN_CFA, call, [=](const auto& scope) {
    return Acquire(scope, semaphore, ledger::kTimed, site, call);
  });
}

LOCKWARDEN_HOOK int sem_clockwait(sem_t* semaphore, clockid_t clock, const timespec* deadline) {
  const uint64_t site = LOCKWARDEN_SITE;
  const auto call = [=] { return Real().sem_clockwait(semaphore, clock, deadline); };
  return InScope(LOCKWARDEN_CFA, call, [=](const auto& scope) {
    return Acquire(scope, semaphore, ledger::kTimed, site, call);
  });
}

LOCKWARDEN_HOOK int sem_post(sem_t* semaphore) noexcept {
  const uint64_t site = LOCKWARDEN_SITE;
  const auto call = [=] { return Real().sem_post(semaphore); };
  return InScope(LOCKWARDEN_CFA, call, [=](const auto& scope) {
    ledger::ReleaseUnit(scope, semaphore, DescribeSemaphore, site);
    return call();
  });
}

LOCKWARDEN_HOOK int sem_init(sem_t* semaphore, int shared, unsigned value) noexcept {
  const uint32_t flags = shared != 0 ? uint32_t{ledger::kProcessShared} : 0u;
  return InitHook(
      LOCKWARDEN_CFA, LOCKWARDEN_SITE, semaphore, [=] { return Real().sem_init(semaphore, shared, value); },
      [=](const void* object) { return DescribeSemaphore(object) | flags; });
}

LOCKWARDEN_HOOK int sem_destroy(sem_t* semaphore) noexcept {
  return DestroyHook(LOCKWARDEN_CFA, LOCKWARDEN_SITE, semaphore,
                     [=] { return Real().sem_destroy(semaphore); });
}
