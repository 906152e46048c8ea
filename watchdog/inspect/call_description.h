// What a thread does in a system call, for people: which file, pipe, socket or child it is about
// and, where the kernel tells, who is at the other end.
//
// Reads /proc of the process, and the descriptors of all others for a pipe's other end. Thread
// safety: no state. Must never: open what a descriptor stands for.
#pragma once

#include <string>

#include "watchdog/judge.h"

namespace lockwarden {

// "reads from pipe:[123], which pid 77 (feeder) writes", "sleeps for 30 s".
std::string DescribeCall(int pid, const KernelThread& thread, KernelView* kernel);
// The same with nothing to ask, of a core file: "is in read on descriptor 5".
std::string DescribeCallAlone(const KernelThread& thread);

}  // namespace lockwarden
