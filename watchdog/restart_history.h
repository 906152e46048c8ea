// RestartHistory: when PROGRAM was restarted, in a file, so that a supervisor that is itself
// started again (by systemd, by a container's runtime) goes on with the budget that is left.
//
// Written and read by: the supervisor's loop. Times are CLOCK_MONOTONIC, good until the next
// boot, whose id is the file's first line. Must never: keep PROGRAM from being started, because
// a file is damaged.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace lockwarden {

// Of another boot, or after `now_ns`, or damaged: nothing. Pure.
std::vector<uint64_t> ParseRestartHistory(absl::string_view text, absl::string_view boot_id,
                                          uint64_t now_ns);
std::string FormatRestartHistory(const std::vector<uint64_t>& restarts_ns,
                                 absl::string_view boot_id);

// A file that is not there is an empty history.
std::vector<uint64_t> LoadRestartHistory(const std::string& path, uint64_t now_ns);
// Errors: kInvalidArgument, one line; the old file is still there.
absl::Status SaveRestartHistory(const std::string& path, const std::vector<uint64_t>& restarts_ns);

}  // namespace lockwarden
