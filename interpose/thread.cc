// Threads and forks: who exists, who waits for whose end, and what a child inherits.
#include "interpose/join.h"
#include "interpose/real.h"
#include "runtime/modules.h"
#include "runtime/process.h"
#include "runtime/recorder.h"
#include "runtime/start_info.h"
#include "runtime/thread_names.h"
#include "runtime/thread_slots.h"

using namespace lockwarden;
using namespace lockwarden::interpose;
using ledger::InScope;

namespace {

// Runs first in a new thread. Its frame stays at the bottom of the thread's stack; it has
// no handlers, so cancellation and exceptions pass as they would through libc's own.
void* StartThread(void* argument) {
  const ledger::StartInfo info = *static_cast<ledger::StartInfo*>(argument);
  ledger::BindStartedThread(static_cast<ledger::StartInfo*>(argument));
  return info.routine(info.argument);
}

}  // namespace

LOCKWARDEN_HOOK int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                                   void* (*routine)(void*), void* argument) noexcept {
  const auto plain = [=] { return Real().create(thread, attributes, routine, argument); };
  return InScope(LOCKWARDEN_CFA, plain, [=](const auto&) {
    size_t stack_size = 0;  // the default
    if (attributes != nullptr) pthread_attr_getstacksize(attributes, &stack_size);
    ledger::StartInfo* info = ledger::PrepareThreadStart(routine, argument, stack_size);
    if (info == nullptr) return plain();
    const int rc = Real().create(thread, attributes, StartThread, info);
    if (rc != 0) ledger::AbandonThreadStart(info);
    return rc;
  });
}

// Its frame is unwound like any other of the ending thread; it has no handlers.
LOCKWARDEN_HOOK void pthread_exit(void* result) {
  const uint64_t site = LOCKWARDEN_SITE;
  InScope(LOCKWARDEN_CFA, [] { return 0; }, [=](const auto& scope) {
    ledger::NoteExit(scope.record(), site, scope.cfa());
    return 0;
  });
  Real().thread_exit(result);
  __builtin_unreachable();
}

LOCKWARDEN_HOOK int pthread_setname_np(pthread_t thread, const char* name) noexcept {
  const auto call = [=] { return Real().setname(thread, name); };
  return InScope(LOCKWARDEN_CFA, call, [=](const auto&) {
    const int rc = call();
    if (rc == 0) ledger::NameThread(static_cast<uint64_t>(thread), name);
    return rc;
  });
}

LOCKWARDEN_HOOK int pthread_join(pthread_t thread, void** result) {
  return Join(thread, 0, LOCKWARDEN_CFA, LOCKWARDEN_SITE,
              [=] { return Real().join(thread, result); });
}

LOCKWARDEN_HOOK int pthread_tryjoin_np(pthread_t thread, void** result) noexcept {
  return Join(thread, ledger::kTimed, LOCKWARDEN_CFA, LOCKWARDEN_SITE,
              [=] { return Real().tryjoin(thread, result); });
}

LOCKWARDEN_HOOK int pthread_timedjoin_np(pthread_t thread, void** result,
                                         const timespec* deadline) {
  return Join(thread, ledger::kTimed, LOCKWARDEN_CFA, LOCKWARDEN_SITE,
              [=] { return Real().timedjoin(thread, result, deadline); });
}

LOCKWARDEN_HOOK int pthread_clockjoin_np(pthread_t thread, void** result, clockid_t clock,
                                         const timespec* deadline) {
  return Join(thread, ledger::kTimed, LOCKWARDEN_CFA, LOCKWARDEN_SITE,
              [=] { return Real().clockjoin(thread, result, clock, deadline); });
}

LOCKWARDEN_HOOK pid_t fork() noexcept {
  // On this stack, so that the child finds it at the same place whatever other threads
  // fork meanwhile.
  ledger::InheritedHolds inherited;
  ledger::CollectHolds(&inherited);
  ledger::ThisThread& self = ledger::this_thread;
  self.inherited = &inherited;
  const pid_t pid = Real().fork();
  if (pid == 0) ledger::InitialiseProcess();  // unless a fork handler's lock already did
  self.inherited = nullptr;
  return pid;
}

// dlopen and dlmopen are left alone: they look at who calls them, and modules are noted when
// their code first turns up in a stack.
LOCKWARDEN_HOOK int dlclose(void* handle) noexcept {
  const int rc = Real().dlclose(handle);
  ledger::ForgetUnloaded();
  return rc;
}
