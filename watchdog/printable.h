// Text that came out of the program, made safe to print: a thread's name must neither
// forge a line of a report nor drive the terminal.
//
// Pure functions; no state.
#pragma once

#include <string>

#include "watchdog/finding.h"

namespace lockwarden {

// Control characters and bytes that are not UTF-8 become \xNN.
std::string Printable(const std::string& text);

// The finding with every string of it printable.
Finding PrintableCopy(const Finding& finding);

}  // namespace lockwarden
