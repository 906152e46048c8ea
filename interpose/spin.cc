// Spin lock hooks. A thread that waits for one does not sleep, so the kernel cannot say
// what it waits for: the hook spins itself, and a counter in the thread's record that
// moves is the proof that it still does.
//
// The lock has no room for its owner: who released it without being known to hold it has
// shown that its holders prove nothing (NoteHandOver).
#include <cerrno>

#include "interpose/describe.h"
#include "interpose/lifetime.h"
#include "interpose/real.h"
#include "runtime/known_acquire.h"

using namespace lockwarden;
using namespace lockwarden::interpose;
using ledger::InScope;

namespace {

constexpr auto kAcquired = [](int rc) { return rc == 0; };

const void* Address(pthread_spinlock_t* lock) { return const_cast<const int*>(lock); }

inline void Relax() {
#ifdef __x86_64__
  __builtin_ia32_pause();
#else
  __asm__ volatile("yield");
#endif
}

template <class Scope>
LOCKWARDEN_INLINE int Spin(const Scope& scope, pthread_spinlock_t* lock) {
  int rc = Real().spin_trylock(lock);
  if (__builtin_expect(rc != EBUSY, 1)) return rc;
  std::atomic<uint32_t>& spins = scope.frame().wait.spins;
  do {
    do {
      Relax();
      // Relaxed, both: own record; the reader only looks whether it moves.
      spins.store(spins.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    } while (SpinObject::LooksTaken(Address(lock)));
    rc = Real().spin_trylock(lock);
  } while (rc == EBUSY);
  return rc;
}

__attribute__((noinline)) int UnlockInScope(pthread_spinlock_t* lock, uint64_t cfa) {
  const auto call = [=] { return Real().spin_unlock(lock); };
  return InScope(cfa, call, [=](const auto& scope) {
    if (ledger::RecordRelease(scope, Address(lock)) == 0) {
      ledger::NoteHandOver(Address(lock));
    }
    return call();
  });
}

}  // namespace

LOCKWARDEN_HOOK int pthread_spin_lock(pthread_spinlock_t* lock) noexcept {
  return InScope(
      LOCKWARDEN_CFA, [](pthread_spinlock_t* l, uint64_t) { return Real().spin_lock(l); },
      [](const auto& scope, pthread_spinlock_t* l, uint64_t site) {
        return ledger::Acquire<SpinObject>(
            scope, Address(l), site, [l, scope] { return Spin(scope, l); }, kAcquired);
      },
      lock, LOCKWARDEN_SITE);
}

LOCKWARDEN_HOOK int pthread_spin_trylock(pthread_spinlock_t* lock) noexcept {
  return ledger::AcquireHook<SpinObject, ledger::kTry>(
      Address(lock), LOCKWARDEN_CFA, LOCKWARDEN_SITE, [=] { return Real().spin_trylock(lock); },
      kAcquired);
}

LOCKWARDEN_HOOK int pthread_spin_unlock(pthread_spinlock_t* lock) noexcept {
  if (ledger::CanRecordAtOnce() && ledger::ReleaseTop(Address(lock))) {
    return Real().spin_unlock(lock);
  }
  return UnlockInScope(lock, LOCKWARDEN_CFA);
}

LOCKWARDEN_HOOK int pthread_spin_init(pthread_spinlock_t* lock, int shared) noexcept {
  const uint32_t flags =
      shared == PTHREAD_PROCESS_SHARED ? uint32_t{ledger::kProcessShared} : 0u;
  return InitHook(
      LOCKWARDEN_CFA, LOCKWARDEN_SITE, Address(lock),
      [=] { return Real().spin_init(lock, shared); },
      [=](const void* object) { return DescribeSpin(object) | flags; });
}

LOCKWARDEN_HOOK int pthread_spin_destroy(pthread_spinlock_t* lock) noexcept {
  return DestroyHook(LOCKWARDEN_CFA, LOCKWARDEN_SITE, Address(lock),
                     [=] { return Real().spin_destroy(lock); });
}
