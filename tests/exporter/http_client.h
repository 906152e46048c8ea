// A client for tests: plain sockets to 127.0.0.1, each wait with a deadline, so that a
// server that does not answer fails a test instead of hanging it.
//
// Thread safety: the functions are thread-safe; a Connection belongs to one thread.
#pragma once

#include <string>

namespace lockwarden {

class Connection {
 public:
  explicit Connection(int port);  // ok() tells whether it is connected
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  bool ok() const { return fd_ >= 0; }
  bool Send(const std::string& bytes);
  std::string ReceiveUntilClosed();  // what came before the end or the deadline
  void Reset();                      // closes with a RST instead of a FIN

 private:
  int fd_ = -1;
};

// The body of GET /metrics, or "" when there was no answer with status 200.
std::string Scrape(int port);

// The value of a sample such as `lockwarden_misuse_total{kind="relock"}`, as text;
// "" when the page has no such line.
std::string SampleOn(const std::string& page, const std::string& sample);

}  // namespace lockwarden
