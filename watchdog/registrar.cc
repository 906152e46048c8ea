// Sockets, credentials and descriptors of the hand-over.
#include "watchdog/registrar.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "runtime/helper_call.h"
#include "runtime/include/lockwarden/test_run.h"
#include "watchdog/process_facts.h"

namespace lockwarden {
namespace {

constexpr int kBacklog = 4096;
constexpr uint64_t kPatienceNs = 10'000'000'000;
constexpr size_t kMostCallers = 1024;
constexpr char kSocketName[] = "/socket";

absl::Status Failed(absl::string_view what) {
  return absl::UnavailableError(absl::StrCat(what, ": ", std::strerror(errno)));
}

// A listening socket; `abstract` puts a NUL before the name.
absl::StatusOr<UniqueFd> Listen(const std::string& path, bool abstract) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() + 2 > sizeof address.sun_path) {
    return absl::UnavailableError(absl::StrCat(path, ": too long for a socket's name"));
  }
  std::memcpy(address.sun_path + (abstract ? 1 : 0), path.data(), path.size());
  const socklen_t size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid() || bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      listen(fd.get(), kBacklog) != 0) {
    return abstract ? absl::UnavailableError(std::strerror(errno)) : Failed(path);
  }
  return fd;
}

// The last call failed for want of one.
bool OutOfDescriptors() { return errno == EMFILE || errno == ENFILE; }

bool Watch(int epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

std::string RandomToken() {
  char bytes[16];
  size_t have = 0;
  while (have < sizeof bytes) {
    const ssize_t got = getrandom(bytes + have, sizeof bytes - have, 0);
    if (got > 0) have += static_cast<size_t>(got);
  }
  return absl::BytesToHexString({bytes, sizeof bytes});
}

// Every descriptor that came with a message: whatever is not wanted is closed.
std::vector<UniqueFd> Descriptors(const msghdr& message) {
  std::vector<UniqueFd> fds;
  for (const cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr;
       c = CMSG_NXTHDR(const_cast<msghdr*>(&message), const_cast<cmsghdr*>(c))) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
      fds.emplace_back(fd);
    }
  }
  return fds;
}

// The process behind a ledger, or nothing when it has ended: its pid may be another's by
// now, which the start time tells. errno is EIO when it lives, but cannot be asked.
UniqueFd OpenProcess(int pid, uint64_t start_ticks) {
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd.valid()) return pidfd;
  const auto stat = ReadProcessStat(pid);
  const bool comparable = start_ticks != 0 && SharesTimeNamespace(pid);
  if (stat.has_value() && !(comparable && stat->start_ticks != start_ticks)) return pidfd;
  pollfd ended{pidfd.get(), POLLIN, 0};
  const bool lives = !stat.has_value() && poll(&ended, 1, 0) == 0;
  pidfd.reset();
  errno = lives ? EIO : 0;
  return pidfd;
}

// Compared without an early end: the time taken must not tell how far a guess was right.
template <size_t kSize>
bool SameToken(const char (&theirs)[kSize], absl::string_view ours) {
  unsigned char differs = ours.size() == kSize ? 0 : 1;
  for (size_t i = 0; i < kSize && i < ours.size(); ++i) {
    differs |= static_cast<unsigned char>(theirs[i] ^ ours[i]);
  }
  return differs == 0;
}

}  // namespace

std::optional<std::string> ReadStepAside(absl::Span<const char> message, absl::string_view token) {
  ledger::StepAsideNotice notice;
  if (message.size() != sizeof notice) return std::nullopt;
  std::memcpy(static_cast<void*>(&notice), message.data(), sizeof notice);
  if (std::memcmp(notice.magic, ledger::kNoticeMagic, sizeof notice.magic) != 0 ||
      notice.layout_version != ledger::kLayoutVersion || !SameToken(notice.token, token)) {
    return std::nullopt;
  }
  return std::string(notice.reason, strnlen(notice.reason, sizeof notice.reason));
}

std::optional<TestCall> ReadTestNotice(absl::Span<const char> message, absl::string_view token) {
  TestNotice notice;
  if (message.size() != sizeof notice) return std::nullopt;
  std::memcpy(static_cast<void*>(&notice), message.data(), sizeof notice);
  if (std::memcmp(notice.magic, TestNotice::kMagic, sizeof notice.magic) != 0 ||
      notice.version != TestNotice::kVersion || !SameToken(notice.token, token)) {
    return std::nullopt;
  }
  TestCall call;
  call.ends = notice.kind == TestNotice::kEnds;
  call.name = std::string(notice.name, strnlen(notice.name, sizeof notice.name));
  return call;
}

absl::Status CheckHello(absl::Span<const char> message, absl::string_view token) {
  ledger::Hello hello;
  if (message.size() != sizeof hello) {
    return absl::InvalidArgumentError("the message has the wrong size");
  }
  std::memcpy(static_cast<void*>(&hello), message.data(), sizeof hello);
  if (std::memcmp(hello.magic, ledger::kMagic, sizeof hello.magic) != 0) {
    return absl::InvalidArgumentError("it is no ledger of Lockwarden's");
  }
  if (hello.layout_version != ledger::kLayoutVersion) {
    return absl::InvalidArgumentError(
        absl::StrCat("its ledger has layout version ", hello.layout_version,
                     ", this command reads ", ledger::kLayoutVersion));
  }
  if (!SameToken(hello.token, token)) return absl::PermissionDeniedError("its token is not this run's");
  return absl::OkStatus();
}

std::vector<std::string> Registrar::DefaultParents() {
  std::vector<std::string> parents;
  for (const char* name : {"XDG_RUNTIME_DIR", "TMPDIR"}) {
    const char* value = getenv(name);
    if (value != nullptr && value[0] == '/') parents.emplace_back(value);
  }
  parents.emplace_back("/tmp");
  return parents;
}

absl::StatusOr<std::unique_ptr<Registrar>> Registrar::Create(
    const std::vector<std::string>& parents) {
  for (const std::string& parent : parents) {
    std::unique_ptr<Registrar> registrar(new Registrar);
    if (registrar->OpenInDirectory(parent).ok() && registrar->OpenAbstract().ok()) {
      return registrar;
    }
  }
  // Nowhere to write (a read-only container): the abstract name alone serves.
  std::unique_ptr<Registrar> registrar(new Registrar);
  registrar->path_ = absl::StrCat("/nonexistent/lockwarden-", registrar->token_.substr(0, 8));
  const absl::Status status = registrar->OpenAbstract();
  if (status.ok()) return registrar;
  return absl::UnavailableError(
      absl::StrCat("cannot make a socket for the recorder: ", status.message()));
}

std::unique_ptr<Registrar> Registrar::Adopt(UniqueFd listener, std::string token,
                                            std::string path) {
  std::unique_ptr<Registrar> registrar(new Registrar);
  registrar->token_ = std::move(token);
  registrar->path_ = std::move(path);
  registrar->listeners_[1] = std::move(listener);
  Watch(registrar->epoll_.get(), registrar->listeners_[1].get());
  return registrar;
}

Registrar::Registrar() : token_(RandomToken()), epoll_(epoll_create1(EPOLL_CLOEXEC)) {}

absl::Status Registrar::OpenInDirectory(const std::string& parent) {
  std::string directory = parent + "/lockwarden-XXXXXX";
  if (mkdtemp(directory.data()) == nullptr) return Failed(directory);
  directory_ = directory;
  // Others may pass through, to the socket whose name they were given, and not look around.
  if (chmod(directory_.c_str(), 0711) != 0) return Failed(directory_);
  auto by_path = Listen(directory_ + kSocketName, false);
  if (!by_path.ok()) return by_path.status();
  path_ = directory_ + kSocketName;
  listeners_[0] = *std::move(by_path);
  // Connecting takes the right to write; the token is what keeps strangers out.
  if (chmod(path_.c_str(), 0666) != 0) return Failed(path_);
  if (!Watch(epoll_.get(), listeners_[0].get())) return Failed("epoll");
  tally_ = UniqueFd(open((path_ + ledger::kTallyEnding).c_str(),
                         O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  const uint64_t none = 0;
  if (pwrite(tally_.get(), &none, sizeof none, 0) != sizeof none) return Failed(path_);
  return absl::OkStatus();
}

uint64_t Registrar::stepped_aside() const {
  uint64_t tally = 0;
  // Read, not mapped: who can write it could cut it short as well.
  if (!tally_.valid() || pread(tally_.get(), &tally, sizeof tally, 0) != sizeof tally) tally = 0;
  return stepped_aside_ + tally;
}

absl::Status Registrar::OpenAbstract() {
  auto abstract = Listen(path_, true);
  if (!abstract.ok()) return abstract.status();
  listeners_[1] = *std::move(abstract);
  if (!Watch(epoll_.get(), listeners_[1].get())) return Failed("epoll");
  return absl::OkStatus();
}

Registrar::~Registrar() {
  if (directory_.empty()) return;
  unlink((path_ + ledger::kTallyEnding).c_str());
  unlink(path_.c_str());
  rmdir(directory_.c_str());
}

void Registrar::Refuse(int pid, absl::string_view why) {
  ++refused_;
  if (first_refusal_.empty()) {
    first_refusal_ = absl::StrCat("refused a ledger from pid ", pid, ": ", why);
  }
}

void Registrar::TakeConnections(int listener, uint64_t now_ns) {
  while (callers_.size() < kMostCallers) {
    UniqueFd fd(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd.valid()) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      // They stay in the backlog, perhaps for ever: said once.
      if (OutOfDescriptors() && first_refusal_.empty()) {
        first_refusal_ = absl::StrCat("cannot take over a ledger: ", std::strerror(errno));
        ++refused_;
      }
      return;  // or nobody is left
    }
    Watch(epoll_.get(), fd.get());
    callers_.push_back({std::move(fd), now_ns + kPatienceNs});
  }
}

bool Registrar::Hear(const Caller& caller, std::vector<Registration>* out) {
  char data[std::max({sizeof(ledger::Hello), sizeof(ledger::StepAsideNotice),
                      sizeof(TestNotice)}) + 1];
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 4)];
  iovec part{data, sizeof data};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t got = recvmsg(caller.fd.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  ucred peer{};
  socklen_t size = sizeof peer;
  getsockopt(caller.fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size);
  if (got <= 0) return Refuse(peer.pid, "it hung up"), true;
  std::vector<UniqueFd> fds = Descriptors(message);
  if (static_cast<size_t>(got) == sizeof ledger::kPing &&
      std::memcmp(data, ledger::kPing, sizeof ledger::kPing) == 0) {
    return true;  // whoever asked has its answer
  }
  if (ReadStepAside({data, static_cast<size_t>(got)}, token_).has_value()) {
    ++stepped_aside_;
    return true;
  }
  if (auto test = ReadTestNotice({data, static_cast<size_t>(got)}, token_); test.has_value()) {
    test->pid = peer.pid;
    test->fd = UniqueFd(fcntl(caller.fd.get(), F_DUPFD_CLOEXEC, 3));
    if (test_calls_.size() < kMostCallers) test_calls_.push_back(*std::move(test));
    return true;
  }
  const absl::Status hello = CheckHello({data, static_cast<size_t>(got)}, token_);
  if (!hello.ok()) return Refuse(peer.pid, hello.message()), true;
  if (fds.empty() && (message.msg_flags & MSG_CTRUNC) != 0) {
    return Refuse(peer.pid, std::strerror(EMFILE)), true;  // no descriptor left to take it with
  }
  if (fds.size() != 1 || (message.msg_flags & MSG_CTRUNC) != 0) {
    return Refuse(peer.pid, "a message brings one descriptor"), true;
  }
  if (peer.pid <= 0) return Refuse(0, "its process is not visible from here"), true;
  auto reader = LedgerReader::FromDescriptor(fds[0].release());
  if (!reader.ok()) return Refuse(peer.pid, reader.status().message()), true;
  Registration registration;
  registration.pid = peer.pid;
  errno = 0;
  registration.pidfd = OpenProcess(peer.pid, (*reader)->identity().start_ticks);
  if (!registration.pidfd.valid() && (OutOfDescriptors() || errno == EIO)) {
    return Refuse(peer.pid, std::strerror(errno)), true;  // or it would count as ended
  }
  registration.reader = *std::move(reader);
  out->push_back(std::move(registration));
  return true;
}

std::vector<Registration> Registrar::Accept(uint64_t now_ns) {
  std::vector<Registration> registrations;
  size_t before;
  do {
    for (const UniqueFd& listener : listeners_) {
      if (listener.valid()) TakeConnections(listener.get(), now_ns);
    }
    before = callers_.size();
    callers_.remove_if([&](const Caller& caller) {
      if (Hear(caller, &registrations)) return true;
      if (now_ns < caller.deadline_ns) return false;
      Refuse(0, "it connected and said nothing");
      return true;
    });
  } while (before == kMostCallers && callers_.size() < before);  // room for the backlog again
  return registrations;
}

}  // namespace lockwarden
