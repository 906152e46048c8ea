// Reading by stream; writing to a neighbour that is renamed.
#include "watchdog/text_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "watchdog/file_write.h"
#include "watchdog/unique_fd.h"

namespace lockwarden {
namespace {

absl::Status Cannot(absl::string_view what, const std::string& path, int error) {
  return absl::InvalidArgumentError(
      absl::StrCat("cannot ", what, " ", path, ": ", std::strerror(error)));
}

std::string Neighbour(const std::string& path) { return absl::StrCat(path, ".", getpid()); }

// A name that exists is of a crash of ours: in a container each life has the same pid.
UniqueFd Create(const std::string& path) {
  unlink(path.c_str());
  return UniqueFd(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666));
}

}  // namespace

absl::StatusOr<std::string> ReadTextFile(const std::string& path) {
  errno = 0;
  std::ifstream file(path);
  std::ostringstream text;
  // Of an empty file nothing can be copied, which is no error.
  if (file && file.peek() != std::ifstream::traits_type::eof()) text << file.rdbuf();
  if (!file.is_open() || file.bad() || text.fail()) {
    return Cannot("read", path, errno != 0 ? errno : EIO);
  }
  return text.str();
}

absl::Status ReplaceTextFile(const std::string& path, absl::string_view text) {
  if (!FileSizeAllowed(text.size())) return Cannot("write", path, EFBIG);
  const std::string fresh = Neighbour(path);
  const UniqueFd fd = Create(fresh);
  if (!fd.valid()) return Cannot("write", path, errno);
  errno = 0;
  const bool written = WriteAt(fd.get(), text.data(), text.size(), 0).ok();
  if (written && rename(fresh.c_str(), path.c_str()) == 0) return absl::OkStatus();
  const int error = errno != 0 ? errno : EIO;
  unlink(fresh.c_str());
  return Cannot("write", path, error);
}

absl::Status CheckReplaceable(const std::string& path) {
  const std::string fresh = Neighbour(path);
  if (!Create(fresh).valid()) return Cannot("write", path, errno);
  unlink(fresh.c_str());
  return absl::OkStatus();
}

absl::string_view WithoutComment(absl::string_view line) {
  // "{lambda()#1}" is a name: a comment begins the line, or follows a space.
  size_t at = line.find('#');
  while (at != line.npos && at != 0 &&
         !absl::ascii_isspace(static_cast<unsigned char>(line[at - 1]))) {
    at = line.find('#', at + 1);
  }
  return absl::StripAsciiWhitespace(line.substr(0, at));
}

}  // namespace lockwarden
