// Finds this process's one recorder for the linked types, and the calling thread's id.
//
// Written by: the first caller. Read by: the instrumented types, on every operation.
#pragma once

#include <cstdint>

#include "runtime/recorder_api.h"

namespace lockwarden::ledger {

// Null: another version of Lockwarden records in this process; the types then work as plain
// locks (said once on standard error). Thread-safe.
const RecorderApi* TheRecorder();

// The kernel's id of the calling thread, right also in a forked child, however it was forked.
uint32_t ThisTid();
// Whether the calling thread had this id before it was forked: the word of a lock that it
// holds since then names that. Ask after ThisTid().
bool WasThisTid(uint32_t tid);

}  // namespace lockwarden::ledger
