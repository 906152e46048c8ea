// Manual pages (man macros) and shell completions, made from the table of commands when the
// project is built.
// Pure functions; no state.
#pragma once

#include <string>

#include "watchdog/command_table.h"

namespace lockwarden {

// lockwarden(1).
std::string ManualPage();
// lockwarden-run(1) and so on.
std::string ManualPage(const CommandInfo& command);

std::string BashCompletion();
std::string ZshCompletion();
std::string FishCompletion();

}  // namespace lockwarden
