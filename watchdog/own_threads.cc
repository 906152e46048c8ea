// Looks for the process's one recorder, which may be the preload's or linked in.
#include "watchdog/own_threads.h"

#include <dlfcn.h>
#include <pthread.h>

// Weak: a process that records nothing has none.
extern "C" __attribute__((weak)) void lockwarden_exempt_thread_v1();

namespace lockwarden {

void BeginOwnThread(const char* name) {
  pthread_setname_np(pthread_self(), name);
  using Function = void (*)();
  // The first library that has one is the recorder; a static one is in no symbol table.
  auto exempt = reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, "lockwarden_exempt_thread_v1"));
  if (exempt == nullptr) exempt = &lockwarden_exempt_thread_v1;
  if (exempt != nullptr) exempt();
}

}  // namespace lockwarden
