// Names of threads, as pthread_setname_np gives them: in the ledger, so that they are known
// when the process is dead. (What prctl sets is read from the kernel while it lives.)
//
// Written by: whoever names a thread. Read by: readers, for display. Must never: make a
// system call.
#pragma once

#include <cstdint>

#include "runtime/thread_record.h"

namespace lockwarden::ledger {

// It was given this name. A thread that was just created may not have a record yet: the
// name is then kept until it has.
void NameThread(uint64_t pthread_self, const char* name);
// The calling thread's record is live from now on: was the thread named before?
void TakeEarlyName(ThreadRecord& own);

}  // namespace lockwarden::ledger
