// A file of metrics for node_exporter's textfile collector: it outlives the process, and so
// does the reason of its last restart.
//
// Thread safety: no state. Blocks on the disk: never called by a thread that answers requests.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace lockwarden {

// Replaces `path` as a whole: who reads it sees the old text or the new one. Readable by
// everybody, as node_exporter is somebody else. Errors: one line that names the file.
absl::Status WriteTextfile(const std::string& path, const std::string& text);

}  // namespace lockwarden
