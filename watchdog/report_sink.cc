// Writes in pieces that a pipe with room for one never blocks on (PIPE_BUF).
#include "watchdog/report_sink.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace lockwarden {
namespace {
constexpr int kPatienceMs = 1000;  // without any progress
}

ReportSink::ReportSink(int fd, UniqueFd owned) : fd_(fd), owned_(std::move(owned)) {
  terminal_ = isatty(fd_) == 1;
  struct stat file;
  regular_ = fstat(fd_, &file) == 0 && S_ISREG(file.st_mode);
}

ReportSink ReportSink::Stderr() { return ReportSink(STDERR_FILENO, UniqueFd()); }

absl::StatusOr<ReportSink> ReportSink::File(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600));
  if (!fd.valid()) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot write reports to ", path, ": ", std::strerror(errno)));
  }
  const int number = fd.get();
  return ReportSink(number, std::move(fd));
}

bool ReportSink::WritePart(absl::string_view* text) {
  if (!regular_) {
    pollfd wanted{fd_, POLLOUT, 0};
    int ready;
    do {
      ready = poll(&wanted, 1, kPatienceMs);
    } while (ready < 0 && errno == EINTR);
    if (ready == 0) errno = 0;
    if (ready <= 0) return false;
  }
  const size_t size = regular_ ? text->size() : std::min<size_t>(text->size(), PIPE_BUF);
  const ssize_t wrote = write(fd_, text->data(), size);
  if (wrote < 0) return errno == EINTR || errno == EAGAIN;
  text->remove_prefix(static_cast<size_t>(wrote));
  return true;
}

void ReportSink::Write(absl::string_view text) {
  while (!text.empty()) {
    if (WritePart(&text)) continue;
    if (++lost_ == 1) why_lost_ = errno == 0 ? "nobody read them" : std::strerror(errno);
    return;
  }
}

}  // namespace lockwarden
