// Starting and stopping the exposer, and why it could not be started.
#include "exporter/guarded_exposer.h"

#include <CivetServer.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <exception>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "exporter/quiet_signals.h"

namespace lockwarden {
namespace {

// A client that says nothing gives its worker back after this.
constexpr char kRequestTimeoutMs[] = "2000";
constexpr int kWorkers = 4;
constexpr int kThreads = kWorkers + 1;  // and the one that accepts

// Each of civetweb's threads ignores SIGPIPE for the whole process when it begins, some
// time after the constructor has returned, so the old disposition can be put back only
// when all of them have. civetweb's callback has no argument of ours: hence globals, and
// one exposer is opened at a time.
absl::Mutex opening;
absl::Mutex begun_mutex;
int begun ABSL_GUARDED_BY(begun_mutex) = 0;

void* ThreadHasBegun(const mg_context*, int) {
  absl::MutexLock lock(&begun_mutex);
  ++begun;
  return nullptr;
}

// Has an end, since civetweb goes on with fewer threads when it cannot create them all.
void WaitForThreads() {
  const auto all = []() ABSL_EXCLUSIVE_LOCKS_REQUIRED(begun_mutex) { return begun >= kThreads; };
  absl::MutexLock lock(&begun_mutex);
  begun_mutex.AwaitWithTimeout(absl::Condition(&all), absl::Seconds(2));
}

struct SocketAddress {
  sockaddr_storage storage = {};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

SocketAddress ToSocketAddress(const ListenAddress& address, int port) {
  SocketAddress result;
  if (address.ipv6) {
    auto* in6 = reinterpret_cast<sockaddr_in6*>(&result.storage);
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(static_cast<uint16_t>(port));
    inet_pton(AF_INET6, address.host.c_str(), &in6->sin6_addr);
    result.size = sizeof(*in6);
  } else {
    auto* in = reinterpret_cast<sockaddr_in*>(&result.storage);
    in->sin_family = AF_INET;
    in->sin_port = htons(static_cast<uint16_t>(port));
    inet_pton(AF_INET, address.host.c_str(), &in->sin_addr);
    result.size = sizeof(*in);
  }
  return result;
}

// The errno of listening there ourselves, as civetweb does; 0: it works.
int TryToListen(const ListenAddress& address) {
  const SocketAddress where = ToSocketAddress(address, address.port);
  const int fd = socket(where.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  int error = 0;
  if (bind(fd, where.get(), where.size) != 0 || listen(fd, 1) != 0) error = errno;
  close(fd);
  return error;
}

absl::Status WhyNot(const ListenAddress& address, const char* what) {
  const std::string start = absl::StrCat("metrics cannot be served on ", address.ToString(), ": ");
  if (const int error = TryToListen(address); error != 0) {
    return absl::UnavailableError(absl::StrCat(start, strerror(error)));
  }
  if (address.ipv6) {
    return absl::InvalidArgumentError(
        absl::StrCat(start, "the installed libcivetweb has no IPv6; use an IPv4 address"));
  }
  return absl::UnavailableError(absl::StrCat(start, what));
}

// Ends the accepting thread's poll(), so that it looks at its stop flag.
void Knock(const SocketAddress& where) {
  const int fd = socket(where.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return;
  connect(fd, where.get(), where.size);  // whether it succeeds does not matter
  close(fd);
}

}  // namespace

absl::StatusOr<std::unique_ptr<GuardedExposer>> GuardedExposer::Open(
    const ListenAddress& address, std::shared_ptr<prometheus::Collectable> collectable) {
  try {
    return std::unique_ptr<GuardedExposer>(new GuardedExposer(address, std::move(collectable)));
  } catch (const std::exception& e) {
    return WhyNot(address, e.what());
  }
}

GuardedExposer::GuardedExposer(ListenAddress address,
                               std::shared_ptr<prometheus::Collectable> collectable)
    : address_(std::move(address)), pid_(getpid()), collectable_(std::move(collectable)) {
  absl::MutexLock lock(&opening);
  const BlockAllSignals block;
  const PreserveSigpipe preserve;
  {
    absl::MutexLock begun_lock(&begun_mutex);
    begun = 0;
  }
  CivetCallbacks callbacks;
  callbacks.init_thread = ThreadHasBegun;
  exposer_ = std::make_unique<prometheus::Exposer>(
      std::vector<std::string>{"listening_ports", address_.ToString(), "num_threads",
                               absl::StrCat(kWorkers), "request_timeout_ms", kRequestTimeoutMs},
      &callbacks);
  exposer_->RegisterCollectable(collectable_);
  WaitForThreads();
  const std::vector<int> ports = exposer_->GetListeningPorts();
  port_ = ports.empty() ? address_.port : ports.front();
}

GuardedExposer::~GuardedExposer() {
  if (getpid() != pid_) {
    // A forked child: the threads to be joined are the parent's. Its memory goes with it.
    (void)exposer_.release();
    return;
  }
  // The stop flag is set inside the destructor, at a time nobody is told of: so knock
  // until it is done.
  const BlockAllSignals block;
  absl::Notification stopped;
  std::thread knocker;
  try {
    knocker = std::thread([&stopped, where = ToSocketAddress(address_, port_)] {
      do {
        Knock(where);
      } while (!stopped.WaitForNotificationWithTimeout(absl::Milliseconds(10)));
    });
  } catch (const std::system_error&) {
    // No thread to be had: stopping takes its 2 s.
  }
  exposer_.reset();
  stopped.Notify();
  if (knocker.joinable()) knocker.join();
}

}  // namespace lockwarden
