// The loop of the server's thread, and the sockets behind it.
#include "exporter/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "watchdog/own_threads.h"
#include "exporter/quiet_signals.h"

namespace lockwarden {
namespace {

constexpr int kBacklog = 128;
constexpr std::chrono::milliseconds kIdle{200};               // then it may have to give way
constexpr std::chrono::milliseconds kWithoutDescriptors{50};  // until it is tried again
constexpr size_t kMostServers = 16;

// Listening sockets of this process; -1: a free place. A forked child closes them, whatever
// else it does: only loads, stores and close(2), as a fork handler must.
std::atomic<int> listening[kMostServers] = {-1, -1, -1, -1, -1, -1, -1, -1,
                                            -1, -1, -1, -1, -1, -1, -1, -1};

void CloseInForkedChild() {
  for (std::atomic<int>& place : listening) {
    // Relaxed: fork copies what the forking thread sees; there is one thread here.
    const int fd = place.exchange(-1, std::memory_order_relaxed);
    if (fd >= 0) close(fd);
  }
}

void NoteListening(int fd) {
  static const int registered = pthread_atfork(nullptr, nullptr, CloseInForkedChild);
  static_cast<void>(registered);  // ENOMEM: a forked child keeps the port
  for (std::atomic<int>& place : listening) {
    int free = -1;
    if (place.compare_exchange_strong(free, fd)) return;
  }
}

void ForgetListening(int fd) {
  for (std::atomic<int>& place : listening) {
    int mine = fd;
    if (place.compare_exchange_strong(mine, -1)) return;
  }
}

struct SocketAddress {
  sockaddr_storage storage = {};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

SocketAddress ToSocketAddress(const ListenAddress& address) {
  SocketAddress result;
  if (address.ipv6) {
    auto* in6 = reinterpret_cast<sockaddr_in6*>(&result.storage);
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(static_cast<uint16_t>(address.port));
    inet_pton(AF_INET6, address.host.c_str(), &in6->sin6_addr);
    result.size = sizeof(*in6);
  } else {
    auto* in = reinterpret_cast<sockaddr_in*>(&result.storage);
    in->sin_family = AF_INET;
    in->sin_port = htons(static_cast<uint16_t>(address.port));
    inet_pton(AF_INET, address.host.c_str(), &in->sin_addr);
    result.size = sizeof(*in);
  }
  return result;
}

absl::Status Unavailable(const std::string& where, const char* why) {
  return absl::UnavailableError(absl::StrCat("metrics cannot be served on ", where, ": ", why));
}

bool Watch(int epoll, int operation, int fd, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  return epoll_ctl(epoll, operation, fd, &event) == 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Open(const ListenAddress& address,
                                                             Handler handler, Limits limits) {
  const SocketAddress where = ToSocketAddress(address);
  UniqueFd fd(socket(where.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  if (!fd.valid() || setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
      bind(fd.get(), where.get(), where.size) != 0 || listen(fd.get(), kBacklog) != 0) {
    return Unavailable(address.ToString(), strerror(errno));
  }
  SocketAddress bound;
  bound.size = sizeof(bound.storage);
  getsockname(fd.get(), reinterpret_cast<sockaddr*>(&bound.storage), &bound.size);
  auto server = Start(std::move(fd), std::move(handler), limits);
  if (!server.ok()) return server;
  (*server)->port_ = ntohs(address.ipv6 ? reinterpret_cast<sockaddr_in6*>(&bound.storage)->sin6_port
                                        : reinterpret_cast<sockaddr_in*>(&bound.storage)->sin_port);
  return server;
}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::OpenAbstract(const std::string& name,
                                                                     Handler handler,
                                                                     Limits limits) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.size() + 1 > sizeof address.sun_path) return Unavailable(name, "the name is too long");
  memcpy(address.sun_path + 1, name.data(), name.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid() || bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      listen(fd.get(), kBacklog) != 0) {
    return Unavailable(name, strerror(errno));
  }
  return Start(std::move(fd), std::move(handler), limits);
}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(UniqueFd listener, Handler handler,
                                                              Limits limits) {
  std::unique_ptr<HttpServer> server(
      new HttpServer(std::move(listener), std::move(handler), limits));
  // Without the second the thread could not be ended.
  if (!Watch(server->epoll_.get(), EPOLL_CTL_ADD, server->listener_.get(), EPOLLIN) ||
      !Watch(server->epoll_.get(), EPOLL_CTL_ADD, server->stop_.get(), EPOLLIN)) {
    return absl::UnavailableError(absl::StrCat("metrics cannot be served: ", strerror(errno)));
  }
  const BlockAllSignals block;
  try {
    server->thread_ = std::thread([raw = server.get()] { raw->Run(); });
  } catch (const std::system_error& e) {
    return absl::UnavailableError(absl::StrCat("metrics cannot be served: ", e.what()));
  }
  return server;
}

HttpServer::HttpServer(UniqueFd listener, Handler handler, Limits limits)
    : pid_(getpid()),
      handler_(std::move(handler)),
      limits_(limits),
      listener_(std::move(listener)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      stop_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  sockaddr_storage own{};
  socklen_t size = sizeof own;
  local_ = getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&own), &size) == 0 &&
           own.ss_family == AF_UNIX;
  NoteListening(listener_.get());
}

HttpServer::~HttpServer() {
  if (getpid() != pid_) {
    // A forked child: the thread to be joined is the parent's, the socket is closed already.
    if (thread_.joinable()) thread_.detach();
    listener_.release();
    return;
  }
  eventfd_write(stop_.get(), 1);
  if (thread_.joinable()) thread_.join();
  ForgetListening(listener_.get());
  while (!connections_.empty()) Close(connections_.begin());
}

int HttpServer::MsUntilNextDeadline() const {
  Clock::time_point next = accept_at_;
  for (const auto& [fd, connection] : connections_) next = std::min(next, connection.deadline);
  if (next == Clock::time_point::max()) return -1;
  if (next == Clock::time_point::min()) return 0;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now());
  return static_cast<int>(std::max<int64_t>(0, left.count()));
}

void HttpServer::Run() {
  BeginOwnThread("lockwarden-http");
  epoll_event events[64];
  for (;;) {
    const int count = epoll_wait(epoll_.get(), events, 64, MsUntilNextDeadline());
    bool accept = false;
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      if (fd == stop_.get()) return;
      if (fd == listener_.get()) {
        accept = true;
      } else if (const auto found = connections_.find(fd); found != connections_.end()) {
        Serve(found);
      }
    }
    const Clock::time_point now = Clock::now();
    for (auto next = connections_.begin(); next != connections_.end();) {
      const auto connection = next++;
      if (connection->second.deadline <= now) Close(connection);
    }
    // Last: who is served makes room.
    if (accept_at_ <= now) {
      AcceptAgain();
      accept = true;
    }
    if (accept) Accept();
  }
}

bool HttpServer::MayConnect(int fd) const {
  if (!local_) return true;
  ucred peer{};
  socklen_t size = sizeof peer;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
         (peer.uid == 0 || peer.uid == geteuid());
}

bool HttpServer::MakeRoom() {
  const auto idlest = std::min_element(
      connections_.begin(), connections_.end(),
      [](const auto& a, const auto& b) { return a.second.progress < b.second.progress; });
  if (Clock::now() - idlest->second.progress < kIdle) {
    PutOffAccepting(idlest->second.progress + kIdle);
    return false;
  }
  Close(idlest);
  return true;
}

// Level-triggered, the socket would wake the loop all the time.
void HttpServer::PutOffAccepting(Clock::time_point until) {
  if (Watch(epoll_.get(), EPOLL_CTL_MOD, listener_.get(), 0)) accept_at_ = until;
}

void HttpServer::AcceptAgain() {
  if (Watch(epoll_.get(), EPOLL_CTL_MOD, listener_.get(), EPOLLIN)) {
    accept_at_ = Clock::time_point::max();
  }
}

void HttpServer::Accept() {
  for (;;) {
    if (connections_.size() >= limits_.connections && !MakeRoom()) return;
    UniqueFd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd.valid()) {
      if (errno == ECONNABORTED || errno == EINTR) continue;
      if (errno != EAGAIN) PutOffAccepting(Clock::now() + kWithoutDescriptors);
      return;
    }
    if (!MayConnect(fd.get())) continue;
    const int number = fd.get();
    if (!Watch(epoll_.get(), EPOLL_CTL_ADD, number, EPOLLIN)) continue;
    Connection connection;
    connection.fd = std::move(fd);
    connection.progress = Clock::now();
    connection.deadline = connection.progress + limits_.request_within;
    connections_.emplace(number, std::move(connection));
  }
}

void HttpServer::Close(Connections::iterator connection) {
  // Forked children may have a copy of the descriptor: the client sees the end all the same.
  shutdown(connection->second.fd.get(), SHUT_RDWR);
  connections_.erase(connection);
  if (accept_at_ != Clock::time_point::max()) accept_at_ = Clock::time_point::min();
}

void HttpServer::Serve(Connections::iterator connection) {
  Connection& it = connection->second;
  if (!(it.answering ? Send(&it) : Receive(&it))) Close(connection);
}

bool HttpServer::Receive(Connection* connection) {
  char buffer[4096];
  const ssize_t got = recv(connection->fd.get(), buffer, sizeof buffer, 0);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (got == 0) return false;
  connection->bytes.append(buffer, static_cast<size_t>(got));
  connection->progress = Clock::now();
  HttpRequest request;
  HttpResponse response;
  bool head = false;
  switch (ParseRequest(connection->bytes, &request)) {
    case RequestState::kIncomplete:
      return true;
    case RequestState::kTooLarge:
      response = {.status = 431, .body = "too large\n"};
      break;
    case RequestState::kMalformed:
      response = {.status = 400, .body = "not HTTP\n"};
      break;
    case RequestState::kComplete:
      head = request.method == "HEAD";
      if (head || request.method == "GET") {
        response = handler_(request);
      } else {
        response = {.status = 405, .body = "read only\n", .headers = {{"Allow", "GET, HEAD"}}};
      }
  }
  connection->bytes = FormatResponse(response, head);
  connection->answering = true;
  connection->deadline = Clock::now() + limits_.read_within;
  return Send(connection);
}

bool HttpServer::Send(Connection* connection) {
  while (connection->sent < connection->bytes.size()) {
    const ssize_t put = send(connection->fd.get(), connection->bytes.data() + connection->sent,
                             connection->bytes.size() - connection->sent, MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) {
      return errno == EAGAIN && Watch(epoll_.get(), EPOLL_CTL_MOD, connection->fd.get(), EPOLLOUT);
    }
    connection->sent += static_cast<size_t>(put);
    connection->progress = Clock::now();
  }
  return false;  // all is said
}

}  // namespace lockwarden
