// An Inspection as one JSON object on one line, without the newline; docs/inspect.md has its keys.
// Threads and findings are as in docs/finding.schema.json. Pure. Thread safety: no state.
#pragma once

#include <string>

#include "watchdog/inspect/inspection.h"

namespace lockwarden {

std::string InspectionJson(const Inspection& inspection);

}  // namespace lockwarden
