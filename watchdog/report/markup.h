// Text for HTML, SVG and XML documents.
// Thread safety: no state.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace lockwarden {

// With & < > " ' replaced: good inside an element and inside a quoted attribute. What is not
// allowed in XML at all (control characters, broken UTF-8) must have gone before: Printable.
std::string Escaped(absl::string_view text);

// At most `length` characters; longer ones end in an ellipsis. Never cuts a character in two.
std::string Shortened(absl::string_view text, size_t length);

}  // namespace lockwarden
