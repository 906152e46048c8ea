// The guards of static C++ initialisers: held from an acquire that returned 1 until release
// or abort, by the thread that initialises; others wait in acquire.
//
// The real functions are those of the C++ runtime library that the program has from the
// start. A C program may bring one along in a plugin only, out of RTLD_NEXT's sight, and to
// look it up then would take the loader's lock and memory in the middle of the program's
// work, for functions that dlclose may take away again. There our own do it: compiled
// code only looks at a guard's first byte, so one set of functions serves all objects, as
// long as it stays the same. (They differ in one thing: a single thread that initialises a
// static within its own initialiser waits for ever, where libstdc++ throws.)
//
// Written by: ResolveGuardsAtLoad. Read by: the hooks.
#include <dlfcn.h>
#include <linux/futex.h>

#include <climits>

#include "interpose/describe.h"
#include "interpose/real.h"
#include "runtime/known_acquire.h"
#include "runtime/raw_syscall.h"

using namespace lockwarden;
using namespace lockwarden::interpose;
using ledger::InScope;

// There in a process that has a C++ runtime library from the start.
extern "C" __attribute__((weak)) void* __cxa_get_globals();

namespace {

// The words of a guard, as libstdc++ has them on little-endian machines.
constexpr int kDone = 1, kPending = 0x100, kWaiting = 0x10000;

int OwnAcquire(uint64_t* guard) {
  int* const word = reinterpret_cast<int*>(guard);
  int seen = 0;
  // Acquire: pairs with OwnEnd's release; who finds it done sees the object.
  while (!__atomic_compare_exchange_n(word, &seen, kPending, false, __ATOMIC_ACQ_REL,
                                      __ATOMIC_ACQUIRE)) {
    if (seen == kDone) return 0;
    // Relaxed: whatever was there, the loop looks again with acquire.
    if (seen == (kPending | kWaiting) ||
        __atomic_compare_exchange_n(word, &seen, kPending | kWaiting, false, __ATOMIC_RELAXED,
                                    __ATOMIC_RELAXED)) {
      ledger::RawSyscall(SYS_futex, ledger::AsLong(word), FUTEX_WAIT, kPending | kWaiting, 0);
    }
    seen = 0;
  }
  return 1;
}

void OwnEnd(uint64_t* guard, int value) {
  int* const word = reinterpret_cast<int*>(guard);
  const int before = __atomic_exchange_n(word, value, __ATOMIC_ACQ_REL);  // OwnAcquire's acquire
  if ((before & kWaiting) != 0) {
    ledger::RawSyscall(SYS_futex, ledger::AsLong(word), FUTEX_WAKE, INT_MAX);
  }
}

struct GuardFunctions {
  int (*acquire)(uint64_t*);
  void (*release)(uint64_t*);
  void (*abort)(uint64_t*);
};
void ResolveFirst();
constinit GuardFunctions real = {
    [](uint64_t* guard) { return ResolveFirst(), real.acquire(guard); },
    [](uint64_t* guard) { return ResolveFirst(), real.release(guard); },
    [](uint64_t* guard) { return ResolveFirst(), real.abort(guard); },
};
// Another library's constructor was here before ours.
void ResolveFirst() {
  ledger::ThisThread& self = ledger::this_thread;
  const bool before = self.InRuntime();
  self.SetInRuntime(true);  // as in ResolveReal
  ResolveGuardsAtLoad();
  self.SetInRuntime(before);
}

// A static belongs to the thread that initialises it; release and abort end that.
template <class Call>
LOCKWARDEN_INLINE void EndGuard(uint64_t* guard, uint64_t cfa, Call call) {
  const auto plain = [=] { return call(guard), 0; };
  InScope(cfa, plain, [=](const auto& scope) {
    if (ledger::RecordRelease(scope, guard) == 0) ledger::NoteHandOver(guard);
    return plain();
  });
}

}  // namespace

namespace lockwarden::interpose {

void ResolveGuardsAtLoad() {
  GuardFunctions found = {OwnAcquire, [](uint64_t* guard) { OwnEnd(guard, kDone); },
                          [](uint64_t* guard) { OwnEnd(guard, 0); }};
  if (__cxa_get_globals != nullptr) {
    void* const acquire = dlsym(RTLD_NEXT, "__cxa_guard_acquire");
    void* const release = dlsym(RTLD_NEXT, "__cxa_guard_release");
    void* const abort = dlsym(RTLD_NEXT, "__cxa_guard_abort");
    if (acquire != nullptr && release != nullptr && abort != nullptr) {
      found = {reinterpret_cast<int (*)(uint64_t*)>(acquire),
               reinterpret_cast<void (*)(uint64_t*)>(release),
               reinterpret_cast<void (*)(uint64_t*)>(abort)};
    }
  }
  real = found;
}

}  // namespace lockwarden::interpose

// Throws, with libstdc++, if a single thread initialises a static within its own initialiser.
LOCKWARDEN_HOOK int __cxa_guard_acquire(uint64_t* guard) {
  const uint64_t site = LOCKWARDEN_SITE;
  const auto call = [=] { return real.acquire(guard); };
  if (GuardObject::LooksDone(guard)) return call();
  return InScope(LOCKWARDEN_CFA, call, [=](const auto& scope) {
    return ledger::AcquireUnknown<GuardObject>(scope, guard, 0, site, call,
                                               [](int rc) { return rc == 1; });
  });
}

LOCKWARDEN_HOOK void __cxa_guard_release(uint64_t* guard) noexcept {
  EndGuard(guard, LOCKWARDEN_CFA, real.release);
}

LOCKWARDEN_HOOK void __cxa_guard_abort(uint64_t* guard) noexcept {
  EndGuard(guard, LOCKWARDEN_CFA, real.abort);
}
