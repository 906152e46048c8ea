// A ledger in a memfd, and one message.
#include "hello_client.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>

#include "runtime/ledger.h"
#include "watchdog/process_facts.h"
#include "watchdog/unique_fd.h"

namespace lockwarden {
namespace {

UniqueFd MakeLedger(Mistake mistake, ledger::Hello* hello) {
  const ledger::Capacities capacities = ledger::Capacities{}.Scaled(10);
  const uint64_t size = ledger::Ledger::SizeFor(capacities);
  UniqueFd fd(memfd_create("ledger", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (ftruncate(fd.get(), static_cast<off_t>(size)) != 0) return UniqueFd();
  if (mistake != Mistake::kUnsealed) {
    fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  }
  if (mistake == Mistake::kGarbage) return fd;
  void* base = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (base == MAP_FAILED) return UniqueFd();
  ledger::Ledger::Format(base, capacities);
  ledger::Header& header = ledger::Ledger(base).header();
  header.pid = static_cast<uint32_t>(getpid());
  header.process_start_ticks = ReadProcessStat(getpid())->start_ticks;
  header.image_id[0] = hello->image_id[0] = 1;
  munmap(base, size);
  hello->ledger_size = size;
  return fd;
}

UniqueFd Connect(const std::string& path, bool abstract) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + (abstract ? 1 : 0), path.data(), path.size());
  UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) fd.reset();
  return fd;
}

}  // namespace

bool SendHello(const std::string& variable, Mistake mistake, bool by_abstract_name) {
  constexpr size_t kToken = sizeof(ledger::Hello::token);
  const UniqueFd connection = Connect(variable.substr(kToken + 1), by_abstract_name);
  if (!connection.valid()) return false;
  if (mistake == Mistake::kSilence) return true;
  ledger::Hello hello;
  std::memcpy(hello.magic, ledger::kMagic, sizeof hello.magic);
  hello.layout_version = ledger::kLayoutVersion + (mistake == Mistake::kVersion ? 1 : 0);
  hello.pid = static_cast<uint32_t>(getpid());
  std::memcpy(hello.token, variable.data(), kToken);
  if (mistake == Mistake::kToken) hello.token[kToken - 1] ^= 1;
  if (mistake == Mistake::kMagic) hello.magic[0] = 'X';
  const UniqueFd fd = MakeLedger(mistake, &hello);
  const int fds[2] = {fd.get(), fd.get()};
  const size_t count = mistake == Mistake::kNoDescriptor     ? 0
                       : mistake == Mistake::kTwoDescriptors ? 2
                                                             : 1;
  iovec part{&hello, sizeof hello - (mistake == Mistake::kShort ? 1 : 0)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fds)] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (count != 0) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    cmsghdr* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(count * sizeof(int));
    std::memcpy(CMSG_DATA(rights), fds, count * sizeof(int));
  }
  return sendmsg(connection.get(), &message, MSG_NOSIGNAL) >= 0;
}

}  // namespace lockwarden
