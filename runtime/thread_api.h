// ThreadApi: how lockwarden::Thread begins and joins threads, through a table beside RecorderApi.
// The preload's goes past its own hooks to libc's functions, so that each call is recorded once;
// the linked library's records what no hook sees.
//
// Written by: nobody (constant tables). Read by: thread.cc.
// Must never: change meaning under the same name. Add another one instead.
#pragma once

#include <cstdint>

#include "runtime/lock_ref.h"

namespace lockwarden::ledger {

struct ThreadApi {
  static constexpr uint32_t kVersion = 1;
  uint32_t version;
  uint32_t reserved;
  // As pthread_create and pthread_join, with default attributes; `thread` is a pthread_t. In
  // `*created`: the thread as a join names it, left alone where that is not recorded; join takes
  // that, or 0.
  int (*create)(unsigned long* thread, void* (*routine)(void*), void* argument, uint64_t cfa,
                PackedRef* created);
  int (*join)(unsigned long thread, PackedRef created, uint64_t site, uint64_t cfa);
  // Names the calling thread, for the kernel and in the ledger; cut after 15 bytes.
  void (*name)(const char* name);
};

}  // namespace lockwarden::ledger

// The table of the library that defines it.
extern "C" __attribute__((visibility("default"))) const lockwarden::ledger::ThreadApi*
lockwarden_thread_v1();
