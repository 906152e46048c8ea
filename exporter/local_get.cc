// Names, sockets and time-outs.
#include "exporter/local_get.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <map>
#include <sstream>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "watchdog/process_facts.h"
#include "watchdog/unique_fd.h"

namespace lockwarden {
namespace {

constexpr char kPrefix[] = "lockwarden-serve/";
constexpr timeval kPatience = {1, 0};  // for each step
constexpr absl::Duration kWholePatience = absl::Seconds(3);

bool IsRunBy(int fd, uid_t uid) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == uid;
}

// Invalid: nobody listens, does not accept, or is somebody else.
UniqueFd Connect(const LocalServer& server) {
  // Who does not take connections keeps nobody waiting.
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path + 1, server.name.data(),
         std::min(server.name.size(), sizeof(address.sun_path) - 1));
  const auto size =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + server.name.size());
  const bool is_there = fd.valid() &&
                        connect(fd.get(), reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                        IsRunBy(fd.get(), server.uid) && fcntl(fd.get(), F_SETFL, 0) == 0;
  return is_there ? std::move(fd) : UniqueFd();
}

}  // namespace

std::string LocalName(uid_t uid, pid_t pid, uint64_t start_ticks) {
  return absl::StrCat(kPrefix, uid, "/", pid, "/", start_ticks);
}

std::string OwnLocalName() {
  const auto stat = ReadProcessStat(getpid());
  return LocalName(geteuid(), getpid(), stat.has_value() ? stat->start_ticks : 0);
}

std::vector<LocalServer> ParseLocalServers(const std::string& lines, uid_t user) {
  std::vector<LocalServer> servers;
  for (absl::string_view line : absl::StrSplit(lines, '\n')) {
    const size_t at = line.find(absl::StrCat(" @", kPrefix));
    if (at == line.npos) continue;
    const std::vector<absl::string_view> parts =
        absl::StrSplit(line.substr(at + 2 + sizeof(kPrefix) - 1), '/');
    LocalServer server;
    uint32_t uid = 0;
    uint64_t start_ticks = 0;
    if (parts.size() != 3 || !absl::SimpleAtoi(parts[0], &uid) ||
        !absl::SimpleAtoi(parts[1], &server.pid) || server.pid <= 0 ||
        !absl::SimpleAtoi(parts[2], &start_ticks)) {
      continue;
    }
    if (user != 0 && uid != user) continue;
    server.uid = uid;
    server.name = LocalName(uid, server.pid, start_ticks);
    servers.push_back(std::move(server));
  }
  // A name stands there once for the socket that listens, and once for each connection.
  const auto by_name = [](const LocalServer& a, const LocalServer& b) {
    return std::pair(a.pid, a.name) < std::pair(b.pid, b.name);
  };
  std::sort(servers.begin(), servers.end(), by_name);
  servers.erase(std::unique(servers.begin(), servers.end(),
                            [](const auto& a, const auto& b) { return a.name == b.name; }),
                servers.end());
  return servers;
}

std::vector<LocalServer> ShareOut(std::vector<LocalServer> servers, uid_t user, size_t most) {
  std::stable_partition(servers.begin(), servers.end(),
                        [user](const LocalServer& server) { return server.uid == user; });
  std::map<uid_t, size_t> taken;
  const size_t share = std::max<size_t>(most / 4, 1);
  std::erase_if(servers, [&](const LocalServer& server) {
    return server.uid != user && ++taken[server.uid] > share;
  });
  if (servers.size() > most) servers.resize(most);
  return servers;
}

std::vector<LocalServer> FindLocalServers(size_t most) {
  std::ifstream file("/proc/net/unix");
  std::ostringstream lines;
  lines << file.rdbuf();
  std::vector<LocalServer> servers = ParseLocalServers(lines.str(), geteuid());
  std::erase_if(servers, [](const LocalServer& server) { return !Connect(server).valid(); });
  return ShareOut(std::move(servers), geteuid(), most);
}

std::string LocalGet(const LocalServer& server, const std::string& path, size_t most) {
  const absl::Time deadline = absl::Now() + kWholePatience;
  const UniqueFd fd = Connect(server);
  const std::string request = absl::StrCat("GET ", path, " HTTP/1.1\r\n\r\n");
  if (!fd.valid() || send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
                         static_cast<ssize_t>(request.size())) {
    return "";
  }
  std::string answer;
  char buffer[16384];
  for (ssize_t got; (got = recv(fd.get(), buffer, sizeof buffer, 0)) != 0;) {
    if (got < 0 || answer.size() > most || absl::Now() > deadline) return "";
    answer.append(buffer, static_cast<size_t>(got));
  }
  const size_t body = answer.find("\r\n\r\n");
  if (body == answer.npos || answer.rfind("HTTP/1.1 200 ", 0) != 0) return "";
  return answer.substr(body + 4);
}

}  // namespace lockwarden
