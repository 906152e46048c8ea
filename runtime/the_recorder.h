// Finds this process's one recorder for the linked types, and the calling thread's id.
//
// Written by: the first caller. Read by: the instrumented types, on every operation.
#pragma once

#include "runtime/gate.h"
#include "runtime/own_lock.h"
#include "runtime/recorder_api.h"

namespace lockwarden::ledger {

// False where LOCKWARDEN_INSTRUMENT=OFF has compiled recording out: the types are then locks alone.
#ifdef LOCKWARDEN_COMPILED_OUT
inline constexpr bool kInstrumented = false;
#else
inline constexpr bool kInstrumented = true;
#endif

// Null: another version of Lockwarden records in this process; the types then work as plain
// locks (said once on standard error). Thread-safe.
const RecorderApi* TheRecorder();

// The recorder's own state, for the shortest way (known_lock.h). Until LearnThread it is that of
// a thread that is not registered, behind a gate that never opens.
#define LOCKWARDEN_HIDDEN __attribute__((visibility("hidden")))
extern LOCKWARDEN_HIDDEN __thread ThisThread* linked_thread
    __attribute__((tls_model("initial-exec")));
// The recorder's gate: written once that is open.
extern LOCKWARDEN_HIDDEN std::atomic<const Gate*> linked_gate;
// What becomes of each acquisition: order and stacks, as in the recorder's settings; and, once the
// program has declared one, its order is checked (order_policy.h).
extern LOCKWARDEN_HIDDEN std::atomic<uint32_t> linked_wants;
inline constexpr uint32_t kWantsOrder = 1, kWantsStacks = 2, kWantsCheck = 4;
// After the table was used: next time this thread may take the shortest way.
void LearnThread();

// The calling thread's ids, 0 until they are asked for; its own.
extern constinit thread_local uint32_t this_tid, tid_before_fork;
// A word that is zero in a process that has not asked yet, and in a forked child.
extern std::atomic<std::atomic<uint32_t>*> fork_mark;
Self FindSelf();

// The calling thread, right also in a forked child, however it was forked: where nobody
// records, and so nobody else knows.
inline Self ThisSelf() {
  // Relaxed: written by this thread, or before it was created; zeroed only by a fork.
  const bool known =
      this_tid != 0 &&
      fork_mark.load(std::memory_order_acquire)->load(std::memory_order_relaxed) != 0;  // M2
  return __builtin_expect(known, 1) ? Self{this_tid, tid_before_fork} : FindSelf();
}

}  // namespace lockwarden::ledger
