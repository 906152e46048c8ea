// Plain sockets; see the header.
#include "tests/exporter/http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace lockwarden {
namespace {

// Shorter than civetweb's own 30 s: a worker that is held for so long is a failure.
constexpr int kDeadlineSeconds = 20;

}  // namespace

Connection::Connection(int port) {
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return;
  const timeval deadline = {kDeadlineSeconds, 0};
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline));
  setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &deadline, sizeof(deadline));
  sockaddr_in where = {};
  where.sin_family = AF_INET;
  where.sin_port = htons(static_cast<uint16_t>(port));
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd_, reinterpret_cast<sockaddr*>(&where), sizeof(where)) != 0) {
    close(fd_);
    fd_ = -1;
  }
}

Connection::~Connection() {
  if (fd_ >= 0) close(fd_);
}

bool Connection::Send(const std::string& bytes) {
  return send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
}

std::string Connection::ReceiveUntilClosed() {
  std::string all;
  char buffer[4096];
  ssize_t got;
  while ((got = recv(fd_, buffer, sizeof(buffer), 0)) > 0) {
    all.append(buffer, static_cast<size_t>(got));
  }
  return all;
}

void Connection::Reset() {
  const linger now = {1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  close(fd_);
  fd_ = -1;
}

std::string Scrape(int port) {
  Connection connection(port);
  if (!connection.ok() ||
      !connection.Send("GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")) {
    return "";
  }
  const std::string answer = connection.ReceiveUntilClosed();
  if (answer.rfind("HTTP/1.1 200", 0) != 0) return "";
  const size_t body = answer.find("\r\n\r\n");
  return body == answer.npos ? "" : answer.substr(body + 4);
}

std::string SampleOn(const std::string& page, const std::string& sample) {
  const std::string lines = "\n" + page;
  const size_t at = lines.find("\n" + sample + " ");
  if (at == lines.npos) return "";
  const size_t value = at + sample.size() + 2;
  return lines.substr(value, lines.find('\n', value) - value);
}

}  // namespace lockwarden
