// C11 threads, mutexes and conditions. glibc's are its pthread objects under other names,
// but its functions do not call the exported pthread ones, so they have hooks of their own.
// They answer with thrd_success (0) and its like.
#include <threads.h>

#include "interpose/condition_wait.h"
#include "interpose/helper.h"
#include "interpose/lifetime.h"
#include "interpose/mutex_release.h"
#include "interpose/real.h"
#include "runtime/known_acquire.h"
#include "runtime/thread_calls.h"

using namespace lockwarden;
using namespace lockwarden::interpose;
using ledger::InScope;

namespace {

static_assert(thrd_success == 0 && sizeof(mtx_t) == sizeof(pthread_mutex_t) &&
              sizeof(cnd_t) == sizeof(pthread_cond_t));
constexpr auto kAcquired = [](int rc) { return rc == thrd_success; };

const pthread_mutex_t* AsPthread(const mtx_t* mutex) {
  return reinterpret_cast<const pthread_mutex_t*>(mutex);
}

__attribute__((noinline)) int UnlockInScope(mtx_t* mutex, uint64_t cfa, uint64_t site) {
  const auto call = [=] { return Real().mtx_unlock(mutex); };
  return InScope(cfa, call, [=](const auto& scope) {
    return ReleaseMutex(scope, AsPthread(mutex), site, call, thrd_error);
  });
}

// Runs first in a new thread; as RunStartedThread. The routine's result is an int.
int StartC11Thread(void* argument) {
  const ledger::StartInfo info = *static_cast<ledger::StartInfo*>(argument);
  ledger::BindStartedThread(static_cast<ledger::StartInfo*>(argument));
  return reinterpret_cast<thrd_start_t>(reinterpret_cast<uintptr_t>(info.routine))(info.argument);
}

}  // namespace

LOCKWARDEN_HOOK int mtx_lock(mtx_t* mutex) {
  return ledger::AcquireHook<MutexObject>(
      mutex, LOCKWARDEN_CFA, LOCKWARDEN_SITE, [mutex] { return Real().mtx_lock(mutex); },
      kAcquired);
}

LOCKWARDEN_HOOK int mtx_trylock(mtx_t* mutex) {
  return ledger::AcquireHook<MutexObject, ledger::kTry>(
      mutex, LOCKWARDEN_CFA, LOCKWARDEN_SITE, [=] { return Real().mtx_trylock(mutex); }, kAcquired);
}

LOCKWARDEN_HOOK int mtx_timedlock(mtx_t* mutex, const timespec* deadline) {
  return ledger::AcquireHook<MutexObject, ledger::kTimed>(
      mutex, LOCKWARDEN_CFA, LOCKWARDEN_SITE, [=] { return Real().mtx_timedlock(mutex, deadline); },
      kAcquired);
}

LOCKWARDEN_HOOK int mtx_unlock(mtx_t* mutex) {
  if (ledger::CanRecordAtOnce() && ledger::ReleaseTop(mutex)) return Real().mtx_unlock(mutex);
  return UnlockInScope(mutex, LOCKWARDEN_CFA, LOCKWARDEN_SITE);
}

LOCKWARDEN_HOOK int mtx_init(mtx_t* mutex, int type) {
  const auto call = [=] { return Real().mtx_init(mutex, type); };
  return InitHook(LOCKWARDEN_CFA, LOCKWARDEN_SITE, mutex, call, DescribeMutex);
}

LOCKWARDEN_HOOK void mtx_destroy(mtx_t* mutex) {
  DestroyHook(
      LOCKWARDEN_CFA, LOCKWARDEN_SITE, mutex, [=] { return Real().mtx_destroy(mutex), 0; },
      SaysMutex);
}

LOCKWARDEN_HOOK int cnd_wait(cnd_t* condition, mtx_t* mutex) {
  const uint64_t site = LOCKWARDEN_SITE;
  const auto call = [=] { return Real().cnd_wait(condition, mutex); };
  return InScope(LOCKWARDEN_CFA, call, [=](const auto& scope) {
    return WaitForSignal(scope, condition, mutex, 0, site, call);
  });
}

LOCKWARDEN_HOOK int cnd_timedwait(cnd_t* condition, mtx_t* mutex, const timespec* deadline) {
  const uint64_t site = LOCKWARDEN_SITE;
  const auto call = [=] { return Real().cnd_timedwait(condition, mutex, deadline); };
  return InScope(LOCKWARDEN_CFA, call, [=](const auto& scope) {
    return WaitForSignal(scope, condition, mutex, ledger::kTimed, site, call);
  });
}

LOCKWARDEN_HOOK int cnd_signal(cnd_t* condition) {
  return SignalHook(LOCKWARDEN_CFA, LOCKWARDEN_SITE, condition,
                    [=] { return Real().cnd_signal(condition); });
}

LOCKWARDEN_HOOK int cnd_broadcast(cnd_t* condition) {
  return SignalHook(LOCKWARDEN_CFA, LOCKWARDEN_SITE, condition,
                    [=] { return Real().cnd_broadcast(condition); });
}

LOCKWARDEN_HOOK int cnd_init(cnd_t* condition) {
  const auto call = [=] { return Real().cnd_init(condition); };
  return InitHook(LOCKWARDEN_CFA, LOCKWARDEN_SITE, condition, call, DescribeCondition);
}

LOCKWARDEN_HOOK void cnd_destroy(cnd_t* condition) {
  DestroyHook(LOCKWARDEN_CFA, LOCKWARDEN_SITE, condition,
              [=] { return Real().cnd_destroy(condition), 0; });
}

LOCKWARDEN_HOOK int thrd_create(thrd_t* thread, thrd_start_t routine, void* argument) {
  ConsiderHelper();
  const auto plain = [=] { return Real().thrd_create(thread, routine, argument); };
  return InScope(LOCKWARDEN_CFA, plain, [=](const auto&) {
    const auto carried =
        reinterpret_cast<void* (*)(void*)>(reinterpret_cast<uintptr_t>(routine));
    ledger::StartInfo* info = ledger::PrepareThreadStart(carried, argument, /*stack_size=*/0);
    if (info == nullptr) return plain();
    const int rc = Real().thrd_create(thread, StartC11Thread, info);
    if (rc != thrd_success) ledger::AbandonThreadStart(info);
    return rc;
  });
}

LOCKWARDEN_HOOK int thrd_join(thrd_t thread, int* result) {
  return ledger::Join(thread, 0, LOCKWARDEN_CFA, LOCKWARDEN_SITE,
                      [=] { return Real().thrd_join(thread, result); });
}
