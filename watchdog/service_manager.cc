// See service_manager.h.
#include "watchdog/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace lockwarden {
namespace {

constexpr char kSocket[] = "NOTIFY_SOCKET=";
constexpr char kInterval[] = "WATCHDOG_USEC=";
constexpr char kPid[] = "WATCHDOG_PID=";
constexpr size_t kLongestStatus = 512;

}  // namespace

ServiceManager::Address ServiceManager::Find(const std::vector<std::string>& environment,
                                             pid_t pid) {
  Address address;
  bool ours = true;
  for (absl::string_view entry : environment) {
    int64_t number = 0;
    if (absl::ConsumePrefix(&entry, kSocket)) {
      address.socket = std::string(entry);
    } else if (absl::ConsumePrefix(&entry, kInterval)) {
      if (!absl::SimpleAtoi(entry, &address.watchdog_usec)) address.watchdog_usec = 0;
    } else if (absl::ConsumePrefix(&entry, kPid) && absl::SimpleAtoi(entry, &number)) {
      ours = number == pid;
    }
  }
  if (!ours) address.watchdog_usec = 0;
  return address;
}

std::vector<std::string> ServiceManager::Without(std::vector<std::string> environment,
                                                 bool keep_socket) {
  std::erase_if(environment, [&](const std::string& entry) {
    return (absl::StartsWith(entry, kSocket) && !keep_socket) ||
           absl::StartsWith(entry, kInterval) || absl::StartsWith(entry, kPid);
  });
  return environment;
}

ServiceManager::ServiceManager(Address address) : address_(std::move(address)) {
  if (address_.socket.empty()) return;
  socket_ = UniqueFd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

void ServiceManager::Send(const std::string& message) {
  if (!listens()) return;
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  const size_t size = std::min(address_.socket.size(), sizeof(to.sun_path) - 1);
  std::memcpy(to.sun_path, address_.socket.data(), size);
  if (to.sun_path[0] == '@') to.sun_path[0] = '\0';
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size);
  const ssize_t sent = sendto(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL,
                              reinterpret_cast<const sockaddr*>(&to), length);
  if (sent != static_cast<ssize_t>(message.size())) ++lost_;
}

void ServiceManager::Ready() {
  if (!std::exchange(ready_, true)) Send("READY=1");
}

void ServiceManager::Stopping() {
  if (!std::exchange(stopping_, true)) Send("STOPPING=1");
}

void ServiceManager::Status(const std::string& text) {
  std::string line = text.substr(0, kLongestStatus);
  std::replace(line.begin(), line.end(), '\n', ' ');
  if (line == status_) return;
  status_ = line;
  Send(absl::StrCat("STATUS=", line));
}

void ServiceManager::Look(bool well, uint64_t now_ns) {
  if (address_.watchdog_usec == 0 || !well || now_ns < next_sign_ns_) return;
  next_sign_ns_ = now_ns + address_.watchdog_usec * 1000 / 2;
  Send("WATCHDOG=1");
}

void ServiceManager::Extend(uint64_t usec) { Send(absl::StrCat("EXTEND_TIMEOUT_USEC=", usec)); }

}  // namespace lockwarden
