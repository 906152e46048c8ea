// See file_write.h.
#include "watchdog/file_write.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace lockwarden {

bool FileSizeAllowed(uint64_t size) {
  struct rlimit limit;
  return getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
         size <= limit.rlim_cur;
}

absl::Status WriteAt(int fd, const void* data, uint64_t size, uint64_t offset) {
  if (!FileSizeAllowed(offset + size)) return ErrnoStatus("RLIMIT_FSIZE", EFBIG);
  const char* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t n = pwrite(fd, at, size, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return ErrnoStatus("write", n == 0 ? ENOSPC : errno);
    at += n;
    offset += static_cast<uint64_t>(n);
    size -= static_cast<uint64_t>(n);
  }
  return absl::OkStatus();
}

absl::Status ErrnoStatus(const std::string& what, int error) {
  const std::string message = absl::StrCat(what, ": ", std::strerror(error));
  switch (error) {
    case ENOSPC: case EDQUOT: case EFBIG: return absl::ResourceExhaustedError(message);
    case EACCES: case EPERM: case EROFS: return absl::PermissionDeniedError(message);
    case EEXIST: case ENOTEMPTY: return absl::AlreadyExistsError(message);
    case ENOENT: case ENOTDIR: case ELOOP: return absl::FailedPreconditionError(message);
    default: return absl::InternalError(message);
  }
}

}  // namespace lockwarden
