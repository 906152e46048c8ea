// See journal.h.
#include "watchdog/journal.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "watchdog/printable.h"

namespace lockwarden {
namespace {

constexpr int kPriority = 3;  // error: something is wrong with PROGRAM, not with the machine

bool IsStandardError(const std::string& stream) {
  struct stat file;
  return !stream.empty() && fstat(STDERR_FILENO, &file) == 0 &&
         stream == absl::StrCat(file.st_dev, ":", file.st_ino);
}

}  // namespace

Journal::Journal(const std::string& stream, std::string socket) : socket_(std::move(socket)) {
  if (!IsStandardError(stream)) return;
  fd_ = UniqueFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

void Journal::Tell(const Finding& finding, const char* kind) {
  if (!listens()) return;
  // Printable text has no line breaks: no field can be forged.
  const std::string message = absl::StrCat(
      "MESSAGE=lockwarden: ", Printable(finding.headline), " (pid ", finding.pid,
      finding.incident.empty() ? "" : ", incident ", finding.incident, ")\nPRIORITY=", kPriority,
      "\nSYSLOG_IDENTIFIER=lockwarden\nLOCKWARDEN_KIND=", kind,
      "\nLOCKWARDEN_INCIDENT=", finding.incident, "\nLOCKWARDEN_FINGERPRINT=", finding.fingerprint,
      "\nLOCKWARDEN_PID=", finding.pid, "\n");
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  const size_t size = std::min(socket_.size(), sizeof(to.sun_path) - 1);
  std::memcpy(to.sun_path, socket_.data(), size);
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size);
  const ssize_t sent = sendto(fd_.get(), message.data(), message.size(), MSG_NOSIGNAL,
                              reinterpret_cast<const sockaddr*>(&to), length);
  if (sent != static_cast<ssize_t>(message.size())) ++lost_;
}

}  // namespace lockwarden
