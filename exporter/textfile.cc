// Written beside it under another name, then renamed.
#include "exporter/textfile.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "watchdog/file_write.h"
#include "watchdog/unique_fd.h"

namespace lockwarden {
namespace {

absl::Status Failed(const std::string& path) {
  return absl::InvalidArgumentError(absl::StrCat("textfile ", path, ": ", strerror(errno)));
}

}  // namespace

absl::Status WriteTextfile(const std::string& path, const std::string& text) {
  if (!FileSizeAllowed(text.size())) {
    errno = EFBIG;
    return Failed(path);
  }
  // node_exporter reads *.prom only; a name that exists is another's, or of a crash of ours.
  const std::string fresh = absl::StrCat(path, ".", getpid(), ".tmp");
  unlink(fresh.c_str());
  UniqueFd fd(open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!fd.valid()) return Failed(path);
  size_t written = 0;
  while (written < text.size()) {
    const ssize_t put = write(fd.get(), text.data() + written, text.size() - written);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) break;
    written += static_cast<size_t>(put);
  }
  const bool whole = written == text.size() && fchmod(fd.get(), 0644) == 0;
  if (!whole || rename(fresh.c_str(), path.c_str()) != 0) {
    const absl::Status failed = Failed(path);
    unlink(fresh.c_str());
    return failed;
  }
  return absl::OkStatus();
}

}  // namespace lockwarden
