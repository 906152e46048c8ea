// An Inspection for people: what is stuck and why, then every thread.
// Pure functions; what the process named is escaped. Thread safety: no state.
#pragma once

#include <string>
#include <vector>

#include "watchdog/inspect/inspection.h"
#include "watchdog/report.h"

namespace lockwarden {

// Begins with "lockwarden: "; ends with a newline.
std::string FormatInspection(const Inspection& inspection, const TextStyle& style);

// Of many processes: the findings first, then one line a process.
std::string FormatSummary(const std::vector<Inspection>& inspections, const TextStyle& style);

}  // namespace lockwarden
