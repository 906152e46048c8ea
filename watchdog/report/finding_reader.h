// Findings back from their JSON form: report.json of an incident, or a line of --format=json.
// Whoever wrote the file is not trusted: what does not fit is an error, or left out, never a
// crash; keys that are not known are passed over.
//
// Pure functions; no state.
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "watchdog/finding.h"

namespace lockwarden {

// One JSON object. Everything that docs/finding.schema.json describes comes back as it was
// written. Errors: kInvalidArgument, one line.
absl::StatusOr<Finding> ParseFinding(absl::string_view json);

}  // namespace lockwarden
