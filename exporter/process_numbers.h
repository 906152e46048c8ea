// What the kernel counts of a process, for the process_* metrics.
//
// Thread safety: no state. Each answer may be out of date when it arrives.
#pragma once

#include "exporter/live_view.h"

namespace lockwarden {

// All 0 when there is no such process. Descriptors are counted up to 65536.
ProcessNumbers ReadProcessNumbers(int pid);

}  // namespace lockwarden
