// The processes that /proc shows. Thread safety: no state.
#pragma once

#include <vector>

namespace lockwarden {

std::vector<int> ProcessList();

}  // namespace lockwarden
