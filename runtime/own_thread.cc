// The linked library's ThreadApi, for a process without the preload: nobody else sees the calls.
#include <pthread.h>

#include "runtime/thread_api.h"
#include "runtime/thread_calls.h"
#include "runtime/thread_names.h"

namespace lockwarden::ledger {
namespace {

int Create(unsigned long* thread, void* (*routine)(void*), void* argument, uint64_t cfa,
           PackedRef* created) {
  return CreateThread(routine, argument, /*stack_size=*/0, cfa, created,
                      [=](void* (*first)(void*), void* with) {
                        return pthread_create(thread, nullptr, first, with);
                      });
}

int JoinThread(unsigned long thread, PackedRef created, uint64_t site, uint64_t cfa) {
  return Join(thread, 0, cfa, site, [=] { return pthread_join(thread, nullptr); }, created);
}

void NameOwn(const char* name) {
  pthread_setname_np(pthread_self(), name);
  InScope(LOCKWARDEN_CFA, [] { return 0; }, [=](const auto&) {
    NameThread(static_cast<uint64_t>(pthread_self()), name);
    return 0;
  });
}

constexpr ThreadApi kApi = {ThreadApi::kVersion, 0, Create, JoinThread, NameOwn};

}  // namespace
}  // namespace lockwarden::ledger

const lockwarden::ledger::ThreadApi* lockwarden_thread_v1() { return &lockwarden::ledger::kApi; }
