// About to unlock a mutex, whichever interface the call came through.
#pragma once

#include "interpose/describe.h"
#include "runtime/misuse.h"

namespace lockwarden::interpose {

// By a thread that was not seen to take it. `refused`: what the call answers where EPERM is
// meant.
template <class Call>
__attribute__((noinline)) int ReleaseUnknown(const ledger::Place& place,
                                             const pthread_mutex_t* mutex, uint64_t site,
                                             Call call, int refused) {
  if (!Refuses(mutex)) {
    NoteIfOthers(place, mutex, site);
    return call();
  }
  const ledger::WordSays says = SaysMutex(mutex);
  const ledger::PackedRef life = ledger::FindLock(mutex);
  const int rc = call();
  if (rc == refused) ledger::NoteRefusedRelease(place, life, says, site);
  return rc;
}

template <class Scope, class Call>
LOCKWARDEN_INLINE int ReleaseMutex(const Scope& scope, const pthread_mutex_t* mutex, uint64_t site,
                                   Call call, int refused) {
  return ledger::RecordRelease(scope, mutex) != 0
             ? call()
             : ReleaseUnknown(scope, mutex, site, call, refused);
}

}  // namespace lockwarden::interpose
