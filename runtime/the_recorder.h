// Finds this process's one recorder for the linked types, and the calling thread's id.
//
// Written by: the first caller. Read by: the instrumented types, on every operation.
#pragma once

#include "runtime/gate.h"
#include "runtime/own_lock.h"
#include "runtime/recorder_api.h"

namespace lockwarden::ledger {

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

// The calling thread, right also in a forked child, however it was forked: where nobody
// records, and so nobody else knows.
Self ThisSelf();

}  // namespace lockwarden::ledger
