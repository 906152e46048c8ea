// HttpServer: answers requests from one thread that never waits for a client.
//
//   listening socket ─▶ connection: reading ─▶ handler ─▶ writing ─▶ closed
//                          └─ no whole request in 2 s, or not read in 10 s ─▶ closed
//
// A client that says nothing, or reads slowly, holds a connection and nothing else. When all
// are taken, the one that has neither said nor read anything for longest gives way, once that
// is a moment; until then new ones wait to be accepted. So idle clients cannot black out a
// scrape, however many they are, and who was only just accepted is not mistaken for one.
//
// The process is left as it was: no signal is taken or ignored, every descriptor is closed
// on exec, and in a forked child the listening socket is closed by a fork handler, so
// that the child does not keep the port.
//
// Thread safety: one thread constructs and destroys; the handler runs in the server's
// thread alone, and must answer from what is at hand: what it waits for, all wait for.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "exporter/http_message.h"
#include "exporter/listen_address.h"
#include "watchdog/unique_fd.h"

namespace lockwarden {

class HttpServer {
 public:
  using Handler = std::function<HttpResponse(const HttpRequest&)>;
  struct Limits {
    size_t connections = 64;
    std::chrono::milliseconds request_within{2000};
    std::chrono::milliseconds read_within{10000};
  };

  // Errors: kUnavailable when the port cannot be had now (one line that names it).
  static absl::StatusOr<std::unique_ptr<HttpServer>> Open(const ListenAddress& address,
                                                          Handler handler, Limits limits);
  // In the abstract namespace of Unix sockets; serves its own user and root only.
  static absl::StatusOr<std::unique_ptr<HttpServer>> OpenAbstract(const std::string& name,
                                                                  Handler handler, Limits limits);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  int port() const { return port_; }  // 0: a Unix socket

 private:
  using Clock = std::chrono::steady_clock;
  struct Connection {
    UniqueFd fd;
    std::string bytes;  // received, then to be sent
    size_t sent = 0;
    bool answering = false;
    Clock::time_point deadline;
    Clock::time_point progress;  // when it was accepted, or last said or read something
  };
  using Connections = std::map<int, Connection>;

  HttpServer(UniqueFd listener, Handler handler, Limits limits);
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(UniqueFd listener, Handler handler,
                                                           Limits limits);
  void Run();
  void Accept();
  // False: nobody is idle yet; accepting is put off until somebody is.
  bool MakeRoom();
  void PutOffAccepting(Clock::time_point until);
  void AcceptAgain();
  bool MayConnect(int fd) const;
  void Serve(Connections::iterator connection);
  bool Receive(Connection* connection);  // false: it is over
  bool Send(Connection* connection);     // false: it is over
  void Answer(Connection* connection);
  void Close(Connections::iterator connection);
  int MsUntilNextDeadline() const;  // -1: there is none

  const pid_t pid_;  // who has the thread
  const Handler handler_;
  const Limits limits_;
  int port_ = 0;
  bool local_ = false;  // a Unix socket
  UniqueFd listener_, epoll_, stop_;
  Clock::time_point accept_at_ = Clock::time_point::max();  // put off until then; max: it is not
  Connections connections_;                                 // the server's thread only
  std::thread thread_;
};

}  // namespace lockwarden
