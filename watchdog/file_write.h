// Writing to disk for a process that must not die of it.
// Thread safety: no state.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace lockwarden {

// Whether RLIMIT_FSIZE lets a file grow to `size` bytes. Growing it past that limit does
// not fail: it kills the process with SIGXFSZ. So ask first.
bool FileSizeAllowed(uint64_t size);

// Writes all of it. Errors: kResourceExhausted when there is no room, else as below.
absl::Status WriteAt(int fd, const void* data, uint64_t size, uint64_t offset);

// "WHAT: reason" with the code that fits an errno: kResourceExhausted (no room),
// kPermissionDenied, kAlreadyExists, kFailedPrecondition (not there, or not a directory),
// kInternal.
absl::Status ErrnoStatus(const std::string& what, int error);

}  // namespace lockwarden
