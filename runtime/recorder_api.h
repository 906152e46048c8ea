// RecorderApi: the versioned table through which the linked types reach the recorder,
// whether it is the preload's or the linked library's own. One process has one recorder:
// the first library loaded that exports lockwarden_recorder_v1 is it.
//
// Written by: nobody (constant tables). Read by: the instrumented types.
// Must never: change meaning under the same version. Add a version instead.
#pragma once

#include <atomic>
#include <cstdint>

#include "runtime/lock_ref.h"

namespace lockwarden::ledger {

// One acquire in progress; lives on the acquiring thread's stack between begin and end.
enum class LockAnswer : uint32_t {
  kDone = 0,
  kBusy = 1,         // a try: held by another thread
  kOwned = 2,        // by the caller already: one level more, or nothing, as the kind has it
  kNotOwned = 3,     // not by the caller: nothing was released
  kNotRecorded = 4,  // and nothing was done: the caller does it itself
};

struct RecorderApi {
  static constexpr uint32_t kVersion = 1;
  uint32_t version;
  uint32_t reserved;
  // Takes a lock of our own format (lock_word.h, at `word`), and records it. mode_bits: 0 or
  // kTry. `name` may be null; it is copied once. `cfa` and `site` are those of the type's
  // member function.
  LockAnswer (*lock)(std::atomic<uint32_t>* word, LockKind kind, uint8_t mode_bits, uint64_t site,
                     uint64_t cfa, const char* name);
  // Gives it back; `last`: the lock itself, not only one level of it.
  LockAnswer (*unlock)(std::atomic<uint32_t>* word, bool last, uint64_t cfa);
  // The lock is being destroyed.
  void (*end_life)(const void* lock, uint64_t cfa);
};

}  // namespace lockwarden::ledger

// The recorder of the library that defines it.
extern "C" __attribute__((visibility("default"))) const lockwarden::ledger::RecorderApi*
lockwarden_recorder_v1();
