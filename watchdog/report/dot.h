// What both Graphviz writers need.
// Thread safety: no state.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace lockwarden {

// As a double-quoted string of the DOT language. A backslash begins an escape there, so each is
// doubled; the text must be printable already.
std::string DotQuoted(absl::string_view text);

}  // namespace lockwarden
