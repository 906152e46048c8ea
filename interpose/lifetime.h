// The two ends of a lock's life, the same for every kind: begun when init has succeeded,
// ended when destroy has.
#pragma once

#include "interpose/real.h"
#include "runtime/misuse.h"

namespace lockwarden::interpose {

// `describe` looks at the object after init, and may add what the arguments said.
template <class Call, class Describe>
LOCKWARDEN_INLINE int InitHook(uint64_t cfa, uint64_t site, const void* object, Call call,
                               Describe describe) {
  return ledger::InScope(cfa, call, [=](const auto& scope) {
    const int rc = call();
    if (rc == 0) ledger::BeginLockLife(scope.record(), object, describe(object), site, scope.cfa());
    return rc;
  });
}

// `says` looks at the object's own word; see WordSays.
template <class Call, class Says>
LOCKWARDEN_INLINE int DestroyHook(uint64_t cfa, uint64_t site, const void* object, Call call,
                                  Says says) {
  return ledger::InScope(cfa, call, [=](const auto& scope) {
    // Asked before: once libc has let go of it, the memory may be another's.
    const ledger::PackedRef life = ledger::FindLock(object);
    if (life != 0) {
      const ledger::WordSays word = says(object);
      if (__builtin_expect(word.taken(), 0)) ledger::NoteTakenDestroy(scope, life, word, site);
    }
    const int rc = call();
    if (rc == 0 && life != 0) ledger::EndLockLife(life);
    return rc;
  });
}

// What nobody holds (conditions), or whose holders are only inferred (semaphores).
template <class Call>
LOCKWARDEN_INLINE int DestroyHook(uint64_t cfa, uint64_t site, const void* object, Call call) {
  return DestroyHook(cfa, site, object, call, [](const void*) { return ledger::WordSays{}; });
}

}  // namespace lockwarden::interpose
