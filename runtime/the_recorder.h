// Finds this process's one recorder for the linked types, and the calling thread's id.
//
// Written by: the first caller. Read by: the instrumented types, on every operation.
#pragma once

#include "runtime/own_lock.h"
#include "runtime/recorder_api.h"

namespace lockwarden::ledger {

// Null: another version of Lockwarden records in this process; the types then work as plain
// locks (said once on standard error). Thread-safe.
const RecorderApi* TheRecorder();

// The calling thread, right also in a forked child, however it was forked: where nobody
// records, and so nobody else knows.
Self ThisSelf();

}  // namespace lockwarden::ledger
