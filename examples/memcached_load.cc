// A bounded load for memcached over a Unix socket, which checks every byte it gets back.
//
//   memcached_load SOCKET SECONDS CONNECTIONS
//
// Each connection is a thread with keys of its own, so every answer is known in advance.
// Prints the requests a second on standard output; any wrong or missing answer is one
// line on standard error and exit code 1. Knows nothing of Lockwarden.
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kKeys = 500;         // a connection
constexpr int kGetsPerBatch = 27;  // beside kSetsPerBatch: 90 % reads
constexpr int kSetsPerBatch = 3;
constexpr int kAnswerSeconds = 10;

std::atomic<bool> failed{false};

void Fail(const std::string& what) {
  failed = true;
  std::fprintf(stderr, "memcached_load: %s\n", what.c_str());
}

int Connect(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return -1;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const timeval limit{kAnswerSeconds, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) return fd;
  close(fd);
  return -1;
}

// Sends `requests` and compares what comes back with `answers`.
bool Exchange(int fd, const std::string& requests, const std::string& answers) {
  for (size_t sent = 0; sent < requests.size();) {
    const ssize_t n = send(fd, requests.data() + sent, requests.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) return Fail("the server stopped listening"), false;
    sent += static_cast<size_t>(n);
  }
  std::string received(answers.size(), '\0');
  for (size_t got = 0; got < received.size();) {
    const ssize_t n = recv(fd, received.data() + got, received.size() - got, 0);
    if (n <= 0) return Fail("no answer"), false;
    got += static_cast<size_t>(n);
  }
  if (received != answers) return Fail("wrong answer: " + received.substr(0, 80)), false;
  return true;
}

class Connection {
 public:
  Connection(int fd, int number) : fd_(fd), number_(number), values_(kKeys) {}

  // Fills every key once, then batches until `end`; returns the requests answered.
  long Run(Clock::time_point end) {
    for (int key = 0; key < kKeys; ++key) {
      Set(key);
      if (!Flush()) return done_;
    }
    done_ = 0;
    while (!failed && Clock::now() < end) {
      for (int i = 0; i < kSetsPerBatch; ++i) Set(NextKey());
      for (int i = 0; i < kGetsPerBatch; ++i) Get(NextKey());
      if (!Flush()) break;
    }
    return done_;
  }

 private:
  std::string Name(int key) const {
    return "key-" + std::to_string(number_) + "-" + std::to_string(key);
  }
  int NextKey() {  // a fixed sequence that visits all keys
    cursor_ = (cursor_ + 181) % kKeys;
    return cursor_;
  }
  void Set(int key) {
    std::string& value = values_[static_cast<size_t>(key)];
    value = "value-" + std::to_string(++version_) + std::string(64, '.');
    requests_ +=
        "set " + Name(key) + " 0 0 " + std::to_string(value.size()) + "\r\n" + value + "\r\n";
    answers_ += "STORED\r\n";
    ++pending_;
  }
  void Get(int key) {
    const std::string& value = values_[static_cast<size_t>(key)];
    requests_ += "get " + Name(key) + "\r\n";
    answers_ += "VALUE " + Name(key) + " 0 " + std::to_string(value.size()) + "\r\n" + value +
                "\r\nEND\r\n";
    ++pending_;
  }
  bool Flush() {
    const bool ok = Exchange(fd_, requests_, answers_);
    if (ok) done_ += pending_;
    requests_.clear();
    answers_.clear();
    pending_ = 0;
    return ok;
  }

  int fd_;
  int number_;
  int cursor_ = 0;
  long version_ = 0, pending_ = 0, done_ = 0;
  std::vector<std::string> values_;
  std::string requests_, answers_;
};

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc == 4 ? std::atof(argv[2]) : 0;
  const int connections = argc == 4 ? std::atoi(argv[3]) : 0;
  if (seconds <= 0 || seconds > 600 || connections <= 0 || connections > 256) {
    std::fprintf(stderr, "usage: memcached_load SOCKET SECONDS CONNECTIONS\n");
    return 64;
  }
  const Clock::time_point start = Clock::now();
  const Clock::time_point end =
      start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  std::atomic<long> requests{0};
  std::vector<std::thread> threads;
  for (int number = 0; number < connections; ++number) {
    threads.emplace_back([&, number] {
      const int fd = Connect(argv[1]);
      if (fd < 0) return Fail("cannot connect to " + std::string(argv[1]));
      requests += Connection(fd, number).Run(end);
      close(fd);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const double took = std::chrono::duration<double>(Clock::now() - start).count();
  std::printf("%.0f\n", static_cast<double>(requests) / took);
  return failed ? 1 : 0;
}
