// What to do about a deadlock, by its shape and by what its threads wait for.
// Pure.
#pragma once

#include <string>
#include <vector>

#include "watchdog/deadlock_detector.h"

namespace lockwarden {

// `self`: one thread waits for what it holds itself.
std::vector<std::string> DeadlockAdvice(const WaitModel& model, const Deadlock& deadlock,
                                        bool self);

}  // namespace lockwarden
