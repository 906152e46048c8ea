// StacksText: stacks.txt of an incident: every thread of a process that still lives, with what it
// does, holds and waits for, and its stack; also threads that never touched a lock.
//
// Pure, but for resolving stacks. Thread safety: no state.
#pragma once

#include <string>

#include "watchdog/inspect/thread_stacks.h"
#include "watchdog/judge.h"

namespace lockwarden {

// `process`: with its last snapshot, for what its threads hold and wait for.
std::string StacksText(const JudgedProcess& process, const ProcessStacks& stacks);

}  // namespace lockwarden
