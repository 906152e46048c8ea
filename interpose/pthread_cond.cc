// Condition variable hooks, in both symbol versions; see condition_wait.h and
// condition_versions.h.
#include "interpose/condition_versions.h"
#include "interpose/condition_wait.h"
#include "interpose/lifetime.h"
#include "interpose/real.h"

using namespace lockwarden;
using namespace lockwarden::interpose;
using ledger::InScope;

LOCKWARDEN_NEW_VERSION(LockwardenNew_pthread_cond_wait, pthread_cond_wait);
LOCKWARDEN_HOOK int LOCKWARDEN_CONDITION(pthread_cond_wait)(pthread_cond_t* condition,
                                                            pthread_mutex_t* mutex) {
  const uint64_t site = LOCKWARDEN_SITE;
  const auto call = [=] { return Real().cond_wait(condition, mutex); };
  return InScope(LOCKWARDEN_CFA, call, [=](const auto& scope) {
    return WaitForSignal(scope, condition, mutex, 0, site, call);
  });
}

LOCKWARDEN_NEW_VERSION(LockwardenNew_pthread_cond_timedwait, pthread_cond_timedwait);
LOCKWARDEN_HOOK int LOCKWARDEN_CONDITION(pthread_cond_timedwait)(pthread_cond_t* condition,
                                                                 pthread_mutex_t* mutex,
                                                                 const timespec* deadline) {
  const uint64_t site = LOCKWARDEN_SITE;
  const auto call = [=] { return Real().cond_timedwait(condition, mutex, deadline); };
  return InScope(LOCKWARDEN_CFA, call, [=](const auto& scope) {
    return WaitForSignal(scope, condition, mutex, ledger::kTimed, site, call);
  });
}

LOCKWARDEN_HOOK int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex,
                                           clockid_t clock, const timespec* deadline) {
  const uint64_t site = LOCKWARDEN_SITE;
  const auto call = [=] { return Real().cond_clockwait(condition, mutex, clock, deadline); };
  return InScope(LOCKWARDEN_CFA, call, [=](const auto& scope) {
    return WaitForSignal(scope, condition, mutex, ledger::kTimed, site, call);
  });
}

LOCKWARDEN_NEW_VERSION(LockwardenNew_pthread_cond_signal, pthread_cond_signal);
LOCKWARDEN_HOOK int LOCKWARDEN_CONDITION(pthread_cond_signal)(pthread_cond_t* condition) noexcept {
  return SignalHook(LOCKWARDEN_CFA, LOCKWARDEN_SITE, condition,
                    [=] { return Real().cond_signal(condition); });
}

LOCKWARDEN_NEW_VERSION(LockwardenNew_pthread_cond_broadcast, pthread_cond_broadcast);
LOCKWARDEN_HOOK int LOCKWARDEN_CONDITION(pthread_cond_broadcast)(
    pthread_cond_t* condition) noexcept {
  return SignalHook(LOCKWARDEN_CFA, LOCKWARDEN_SITE, condition,
                    [=] { return Real().cond_broadcast(condition); });
}

LOCKWARDEN_NEW_VERSION(LockwardenNew_pthread_cond_init, pthread_cond_init);
LOCKWARDEN_HOOK int LOCKWARDEN_CONDITION(pthread_cond_init)(
    pthread_cond_t* condition, const pthread_condattr_t* attributes) noexcept {
  const auto call = [=] { return Real().cond_init(condition, attributes); };
  return InitHook(LOCKWARDEN_CFA, LOCKWARDEN_SITE, condition, call, DescribeCondition);
}

LOCKWARDEN_NEW_VERSION(LockwardenNew_pthread_cond_destroy, pthread_cond_destroy);
LOCKWARDEN_HOOK int LOCKWARDEN_CONDITION(pthread_cond_destroy)(
    pthread_cond_t* condition) noexcept {
  return DestroyHook(LOCKWARDEN_CFA, LOCKWARDEN_SITE, condition,
                     [=] { return Real().cond_destroy(condition); });
}

#ifdef LOCKWARDEN_OLD_CONDITIONS

namespace {

uint32_t DescribeOldCondition(const void*) {
  return Kind(ledger::LockKind::kCondition) | ledger::kBehindPointer;
}

}  // namespace

LOCKWARDEN_OLD_VERSION(LockwardenOld_pthread_cond_wait, pthread_cond_wait);
LOCKWARDEN_HOOK int LockwardenOld_pthread_cond_wait(pthread_cond_t* condition,
                                                    pthread_mutex_t* mutex) {
  const uint64_t site = LOCKWARDEN_SITE;
  const auto call = [=] { return Real().old_cond_wait(condition, mutex); };
  return InScope(LOCKWARDEN_CFA, call, [=](const auto& scope) {
    return WaitForSignal(scope, condition, mutex, 0, site, call, DescribeOldCondition);
  });
}

LOCKWARDEN_OLD_VERSION(LockwardenOld_pthread_cond_timedwait, pthread_cond_timedwait);
LOCKWARDEN_HOOK int LockwardenOld_pthread_cond_timedwait(pthread_cond_t* condition,
                                                         pthread_mutex_t* mutex,
                                                         const timespec* deadline) {
  const uint64_t site = LOCKWARDEN_SITE;
  const auto call = [=] { return Real().old_cond_timedwait(condition, mutex, deadline); };
  return InScope(LOCKWARDEN_CFA, call, [=](const auto& scope) {
    return WaitForSignal(scope, condition, mutex, ledger::kTimed, site, call,
                         DescribeOldCondition);
  });
}

#endif  // LOCKWARDEN_OLD_CONDITIONS
