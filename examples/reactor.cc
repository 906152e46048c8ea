// A reactor: each loop has a thread and an epoll set of its own, and a connection belongs to one
// loop for life, so its handlers need no lock. What others want from a loop they post to it.
//
// Shows: the one Lock that such a server needs, around the list of posted functions, which is
// swapped out and run without it; and a Heartbeat, so that a loop that hangs in a handler is told.
// The echo server below has two loops. Try
//   lockwarden run -- build/bin/reactor [MESSAGES]
#include <lockwarden/lockwarden.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {

class Loop {
 public:
  Loop() {
    Watch(wake_, [this] { RunPosted(); });
    thread_ = std::jthread([this] { Run(); });
  }
  ~Loop() {
    Post([this] { running_ = false; });
    thread_.join();
    for (const int fd : {wake_, epoll_}) close(fd);
  }

  // By any thread: `function` will run in the loop's.
  void Post(std::function<void()> function) {
    {
      const std::scoped_lock hold(lock_);
      posted_.push_back(std::move(function));
    }
    eventfd_write(wake_, 1);
  }
  // In the loop only (or before it runs): `handler` is called whenever `fd` can be read.
  void Watch(int fd, std::function<void()> handler) {
    handlers_[fd] = std::move(handler);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }
  void Forget(int fd) {
    epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
    close(fd);
  }

 private:
  static constexpr int kTickMilliseconds = 100;  // an idle loop comes by here, too

  void Run() {
    lockwarden::Heartbeat heartbeat("loop", 5s);
    epoll_event events[16];
    while (running_) {
      const int ready = epoll_wait(epoll_, events, 16, kTickMilliseconds);
      heartbeat.beat();  // a handler that takes longer than that is told as a stall
      for (int i = 0; i < ready; ++i) handlers_[events[i].data.fd]();
    }
  }
  void RunPosted() {
    eventfd_t count;
    eventfd_read(wake_, &count);
    std::vector<std::function<void()>> now;
    {
      const std::scoped_lock hold(lock_);
      now.swap(posted_);
    }
    for (const auto& function : now) function();
  }

  lockwarden::Lock lock_{"posted"};
  std::vector<std::function<void()>> posted_;  // guarded by lock_; the rest is the loop's own
  std::map<int, std::function<void()>> handlers_;
  const int epoll_ = epoll_create1(EPOLL_CLOEXEC);
  const int wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  bool running_ = true;
  std::jthread thread_;
};

void Echo(Loop& loop, int fd) {
  char buffer[256];
  const ssize_t got = read(fd, buffer, sizeof buffer);
  if (got <= 0 || write(fd, buffer, static_cast<size_t>(got)) != got) loop.Forget(fd);
}

// Sends so many bytes, each when the one before has come back; how many came.
int Talk(int fd, int messages) {
  int echoed = 0;
  for (char sent = 'x', got = 0; echoed < messages; ++echoed, got = 0) {
    if (write(fd, &sent, 1) != 1 || read(fd, &got, 1) != 1 || got != sent) break;
  }
  close(fd);
  return echoed;
}

}  // namespace

int main(int argc, char** argv) {
  const int messages = argc > 1 ? std::atoi(argv[1]) : 1000;
  Loop loops[2];
  int echoed[4] = {};
  {
    std::vector<std::jthread> clients;
    for (size_t i = 0; i < 4; ++i) {
      int pair[2];
      if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return 1;
      Loop& loop = loops[i % 2];
      loop.Post([&loop, fd = pair[0]] { loop.Watch(fd, [&loop, fd] { Echo(loop, fd); }); });
      clients.emplace_back([&, i, fd = pair[1]] { echoed[i] = Talk(fd, messages); });
    }
  }
  std::printf("%d messages came back\n", echoed[0] + echoed[1] + echoed[2] + echoed[3]);
}
