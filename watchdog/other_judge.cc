// Asks by connecting: a socket whose process has ended refuses.
#include "watchdog/other_judge.h"

#include <dlfcn.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "runtime/helper_call.h"
#include "runtime/ledger.h"
#include "runtime/recorder_api.h"
#include "runtime/settings.h"
#include "watchdog/unique_fd.h"

namespace lockwarden {
namespace {

// The preload's helper is known to the preload alone. A recorder that is linked statically may
// not be found: then there is no preload.
std::string SocketPath() {
  using Function = const ledger::RecorderApi* (*)();
  const auto found = reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, "lockwarden_recorder_v1"));
  const ledger::RecorderApi* const api = found == nullptr ? nullptr : found();
  if (api != nullptr && api->version == ledger::RecorderApi::kVersion && api->settings != nullptr &&
      api->settings->token[0] != '\0') {
    return api->settings->socket_path;
  }
  const char* variable = secure_getenv(ledger::kSocketVariable);
  const char* colon = variable == nullptr ? nullptr : std::strchr(variable, ':');
  return colon == nullptr ? "" : colon + 1;
}

}  // namespace

bool OtherJudge::Answers() { return Answers(SocketPath()); }

bool OtherJudge::Answers(const std::string& path) {
  for (const size_t abstract : {0u, 1u}) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() + 2 > sizeof address.sun_path) return false;
    std::memcpy(address.sun_path + abstract, path.data(), path.size());
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
    const UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd.valid()) return false;
    if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) {
      if (errno == EAGAIN) return true;  // too busy to take us
      continue;
    }
    send(fd.get(), ledger::kPing, sizeof ledger::kPing, MSG_NOSIGNAL);
    return true;
  }
  return false;
}

}  // namespace lockwarden
