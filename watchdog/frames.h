// Which frames of a stack say something to the reader: the program's own code, as
// against the hooks above it and what starts threads below it.
//
// Pure functions; no state.
#pragma once

#include <string>

#include "watchdog/finding.h"

namespace lockwarden {

// What follows the last slash.
std::string Basename(const std::string& path);

// A frame of the program or one of its libraries: not of Lockwarden, the C library,
// the loader or the C++ standard library.
bool IsUserFrame(const StackFrame& frame);

// The stack without what every stack has: our hooks (at the top, or where one calls back into
// the program) and, at the bottom, what starts a thread or main. A frame of the program is never left out, nor is all of a
// stack: one without any user frame comes back as it is.
StackTrace VisibleFrames(const StackTrace& stack);

}  // namespace lockwarden
