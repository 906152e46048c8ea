// Small text files that a person has written: read whole, or not at all.
// Thread safety: no state.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lockwarden {

// Errors: kInvalidArgument, "cannot read PATH: reason".
absl::StatusOr<std::string> ReadTextFile(const std::string& path);

// Whoever reads the file meanwhile finds the old text or the new one. Errors: kInvalidArgument,
// "cannot write PATH: reason"; then nothing has changed.
absl::Status ReplaceTextFile(const std::string& path, absl::string_view text);
// Whether that could be done now. The same errors; changes nothing.
absl::Status CheckReplaceable(const std::string& path);

// A line up to a '#', without the blanks around it.
absl::string_view WithoutComment(absl::string_view line);

}  // namespace lockwarden
