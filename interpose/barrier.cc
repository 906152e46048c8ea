// Barrier hooks. Who waits at a barrier waits for anybody: the threads that will arrive are
// not known. Destroying one waits, too: for those who are still on their way out.
#include "interpose/describe.h"
#include "interpose/lifetime.h"
#include "interpose/real.h"
#include "runtime/recorder.h"

using namespace lockwarden;
using namespace lockwarden::interpose;
using ledger::InScope;
using ledger::Mode;

LOCKWARDEN_HOOK int pthread_barrier_wait(pthread_barrier_t* barrier) noexcept {
  const uint64_t site = LOCKWARDEN_SITE;
  const auto call = [=] { return Real().barrier_wait(barrier); };
  return InScope(LOCKWARDEN_CFA, call, [=](const auto& scope) {
    const ledger::LockUse use =
        ledger::IdentifyLock(scope.record(), barrier, DescribeBarrier, site, scope.cfa());
    if (use.ref == 0) return call();
    ledger::PlainWait wait(scope, use.ref | static_cast<uint8_t>(Mode::kArrive), barrier, 0, site);
    return call();
  });
}

LOCKWARDEN_HOOK int pthread_barrier_init(pthread_barrier_t* barrier,
                                         const pthread_barrierattr_t* attributes,
                                         unsigned count) noexcept {
  const auto call = [=] { return Real().barrier_init(barrier, attributes, count); };
  return InitHook(LOCKWARDEN_CFA, LOCKWARDEN_SITE, barrier, call, DescribeBarrier);
}

LOCKWARDEN_HOOK int pthread_barrier_destroy(pthread_barrier_t* barrier) noexcept {
  const uint64_t site = LOCKWARDEN_SITE;
  const auto call = [=] { return Real().barrier_destroy(barrier); };
  return InScope(LOCKWARDEN_CFA, call, [=](const auto& scope) {
    // Asked before: once libc has let go of it, the memory may be another's.
    const ledger::PackedRef life = ledger::FindLock(barrier);
    if (life == 0) return call();
    int rc;
    {
      ledger::PlainWait wait(
          scope, ledger::WithMode(life, static_cast<uint8_t>(Mode::kArrive)), barrier, 0, site);
      rc = call();
    }
    if (rc == 0) ledger::EndLockLife(life);
    return rc;
  });
}
