// TestRun: tells the supervisor of `lockwarden run` which test the process is in, and asks it at
// the test's end what it has found in this process meanwhile. For adapters of test frameworks;
// that of GoogleTest is lockwarden/gtest.h. Nothing of Lockwarden's needs to be linked.
//
// Without `lockwarden run` around the process each call does nothing.
//
// Thread safety: none; for the thread that runs the tests. Must never: fail a program because the
// supervisor has gone, or wait for it longer than kPatienceMs.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace lockwarden {
inline namespace v1 {

// What is sent: one message a connection. Answered at a test's end: one message a finding, its
// text, and then the end of the stream.
struct TestNotice {
  static constexpr char kMagic[8] = {'L', 'K', 'W', 'A', 'T', 'E', 'S', 'T'};
  static constexpr uint32_t kVersion = 1;
  enum Kind : uint32_t { kBegins = 1, kEnds = 2 };
  char magic[8] = {};
  uint32_t version = 0;
  uint32_t kind = 0;
  char token[32] = {};
  char name[208] = {};  // of the test, NUL-terminated
};
static_assert(sizeof(TestNotice) == 256);

class TestRun {
 public:
  static constexpr int kPatienceMs = 10'000;

  // A supervisor watches this process.
  static bool IsWatched() { return getenv("LOCKWARDEN_SOCKET") != nullptr; }

  static void Begin(const std::string& name) { Close(Send(TestNotice::kBegins, name)); }

  // The findings since Begin, as text: what FormatText of the supervisor says.
  static std::vector<std::string> End(const std::string& name) {
    std::vector<std::string> findings;
    const int fd = Send(TestNotice::kEnds, name);
    if (fd < 0) return findings;
    std::vector<char> text(1u << 17);
    for (pollfd ready{fd, POLLIN, 0}; poll(&ready, 1, kPatienceMs) == 1;) {
      const ssize_t size = recv(fd, text.data(), text.size(), 0);
      if (size <= 0) break;
      findings.emplace_back(text.data(), static_cast<size_t>(size));
    }
    Close(fd);
    return findings;
  }

 private:
  static void Close(int fd) {
    if (fd >= 0) close(fd);
  }

  // The connection, or -1.
  static int Send(TestNotice::Kind kind, const std::string& name) {
    const char* const variable = getenv("LOCKWARDEN_SOCKET");  // "TOKEN:PATH"
    TestNotice notice;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const size_t token = sizeof notice.token;
    if (variable == nullptr || std::strlen(variable) < token + 2 || variable[token] != ':' ||
        std::strlen(variable) - token > sizeof address.sun_path) {
      return -1;
    }
    std::memcpy(notice.magic, TestNotice::kMagic, sizeof notice.magic);
    notice.version = TestNotice::kVersion;
    notice.kind = kind;
    std::memcpy(notice.token, variable, token);
    name.copy(notice.name, sizeof notice.name - 1);
    std::strcpy(address.sun_path, variable + token + 1);
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        send(fd, &notice, sizeof notice, MSG_NOSIGNAL) != static_cast<ssize_t>(sizeof notice)) {
      close(fd);
      return -1;
    }
    return fd;
  }
};

}  // namespace v1
}  // namespace lockwarden
