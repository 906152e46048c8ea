// Threads and forks: who exists, who waits for whose end, and what a child inherits.
#include "interpose/helper.h"
#include "interpose/real.h"
#include "runtime/modules.h"
#include "runtime/process.h"
#include "runtime/recorder.h"
#include "runtime/thread_api.h"
#include "runtime/thread_calls.h"
#include "runtime/thread_names.h"
#include "runtime/thread_slots.h"

using namespace lockwarden;
using namespace lockwarden::interpose;
using ledger::InScope;

LOCKWARDEN_HOOK int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                                   void* (*routine)(void*), void* argument) noexcept {
  ConsiderHelper();
  size_t stack_size = 0;  // the default
  if (attributes != nullptr) pthread_attr_getstacksize(attributes, &stack_size);
  return ledger::CreateThread(routine, argument, stack_size, LOCKWARDEN_CFA, nullptr,
                              [=](void* (*first)(void*), void* with) {
                                return Real().create(thread, attributes, first, with);
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
  return ledger::Join(thread, 0, LOCKWARDEN_CFA, LOCKWARDEN_SITE,
                      [=] { return Real().join(thread, result); });
}

LOCKWARDEN_HOOK int pthread_tryjoin_np(pthread_t thread, void** result) noexcept {
  return ledger::Join(thread, ledger::kTimed, LOCKWARDEN_CFA, LOCKWARDEN_SITE,
                      [=] { return Real().tryjoin(thread, result); });
}

LOCKWARDEN_HOOK int pthread_timedjoin_np(pthread_t thread, void** result,
                                         const timespec* deadline) {
  return ledger::Join(thread, ledger::kTimed, LOCKWARDEN_CFA, LOCKWARDEN_SITE,
                      [=] { return Real().timedjoin(thread, result, deadline); });
}

LOCKWARDEN_HOOK int pthread_clockjoin_np(pthread_t thread, void** result, clockid_t clock,
                                         const timespec* deadline) {
  return ledger::Join(thread, ledger::kTimed, LOCKWARDEN_CFA, LOCKWARDEN_SITE,
                      [=] { return Real().clockjoin(thread, result, clock, deadline); });
}

namespace {

int CreateForThreadType(unsigned long* thread, void* (*routine)(void*), void* argument,
                        uint64_t cfa, ledger::PackedRef* created) {
  ConsiderHelper();
  return ledger::CreateThread(routine, argument, /*stack_size=*/0, cfa, created,
                              [=](void* (*first)(void*), void* with) {
                                return Real().create(thread, nullptr, first, with);
                              });
}

int JoinForThreadType(unsigned long thread, ledger::PackedRef created, uint64_t site,
                      uint64_t cfa) {
  return ledger::Join(thread, 0, cfa, site, [=] { return Real().join(thread, nullptr); }, created);
}

constexpr ledger::ThreadApi kThreadApi = {
    ledger::ThreadApi::kVersion, 0, CreateForThreadType, JoinForThreadType,
    [](const char* name) { pthread_setname_np(pthread_self(), name); }};

}  // namespace

LOCKWARDEN_HOOK const ledger::ThreadApi* lockwarden_thread_v1() { return &kThreadApi; }

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
