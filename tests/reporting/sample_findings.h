// Findings as the judge would make them, for tests of what becomes of them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "watchdog/finding.h"

namespace lockwarden {

Finding TwoThreadDeadlock();       // with threads behind it, and others
Finding PotentialDeadlockInBank();  // C++, inlined frames, did not hang
Finding UnlockByAnotherThread();   // misuse
Finding DeadlockWithoutSymbols();  // reader upgrade and a join, in stripped libraries

// Name of the golden file, and the finding.
std::vector<std::pair<std::string, Finding>> AllSamples();

}  // namespace lockwarden
