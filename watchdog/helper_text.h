// What reports say of those who could end a wait for what nobody holds: a queue, a barrier, an
// event.
//
// Pure functions of a model's node. Must never: say more than was seen.
#pragma once

#include <string>

#include "watchdog/wait_model.h"

namespace lockwarden {

// " (2 of 3 have come)", of a barrier that says how many make a round; else "".
std::string Arrivals(const ModelNode& node);
// ", whose other end only thread 'b' and 2 others were seen at": ByHelpers(node), and `next` is how
// the report calls one of the helpers.
std::string HelpersText(const ModelNode& node, std::string next);

}  // namespace lockwarden
