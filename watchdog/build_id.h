// The build id of this program: which build it is, for a bug report.
// Thread safety: no state.
#pragma once

#include <string>

namespace lockwarden {

// Hexadecimal; "none" if it was linked without one.
std::string OwnBuildId();

}  // namespace lockwarden
