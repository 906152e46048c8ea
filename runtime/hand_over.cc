// Passing a ledger on to the supervisor, or the news that there is none: one message on a
// socket of its own.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstring>

#include "runtime/notice.h"
#include "runtime/process.h"
#include "runtime/raw_syscall.h"
#include "runtime/settings.h"

namespace lockwarden::ledger {
namespace {

bool Failed(long result) { return result < 0 && result > -4096; }

bool handed_over = false;  // written by who initialises the image, or starts its helper

// Connects to the supervisor: first by path, then by the same name in the abstract
// namespace (a program that has changed its root). -1: neither answers.
long Connect(const char* path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const uint64_t length = std::strlen(path);
  for (const uint64_t abstract : {0u, 1u}) {
    const long fd = RawSyscall(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (Failed(fd)) return -1;
    std::memset(address.sun_path, 0, sizeof(address.sun_path));
    if (length + abstract >= sizeof(address.sun_path)) return -1;
    std::memcpy(address.sun_path + abstract, path, length);
    const long size = static_cast<long>(offsetof(sockaddr_un, sun_path) + abstract + length +
                                        (abstract == 0 ? 1 : 0));
    if (!Failed(RawSyscall(SYS_connect, fd, AsLong(&address), size))) return fd;
    RawSyscall(SYS_close, fd);
  }
  return -1;
}

// Sends one message, with a descriptor if there is one. False: nobody got it.
bool Send(void* text, uint64_t size, int fd) {
  const Settings& settings = TheSettings();
  const long connection = settings.token[0] == '\0' ? -1 : Connect(settings.socket_path);
  if (connection < 0) return false;
  iovec part = {text, size};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (fd >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &fd, sizeof(int));
  }
  const bool sent = !Failed(RawSyscall(SYS_sendmsg, connection, AsLong(&message), MSG_NOSIGNAL));
  RawSyscall(SYS_close, connection);
  return sent;
}

}  // namespace

bool HandOver(const Ledger& ledger, int fd) {
  Hello hello;
  std::memcpy(hello.magic, kMagic, sizeof(kMagic));
  hello.layout_version = kLayoutVersion;
  hello.pid = ledger.header().pid;
  hello.ledger_size = ledger.header().total_size;
  std::memcpy(hello.image_id, ledger.header().image_id, sizeof(hello.image_id));
  std::memcpy(hello.token, TheSettings().token, sizeof(hello.token));
  handed_over = Send(&hello, sizeof(hello), fd);
  RawSyscall(SYS_close, fd);
  return handed_over;
}

bool HandedOver() { return handed_over; }

void TallyStepAside() {
  const Settings& settings = TheSettings();
  char path[sizeof(settings.socket_path) + sizeof(kTallyEnding)];
  const uint64_t length = std::strlen(settings.socket_path);
  if (length == 0) return;
  std::memcpy(path, settings.socket_path, length);
  std::memcpy(path + length, kTallyEnding, sizeof(kTallyEnding));
  const long fd = RawSyscall(SYS_openat, AT_FDCWD, AsLong(path), O_RDWR | O_CLOEXEC);
  if (Failed(fd)) return;
  struct stat status{};
  const long at = RawSyscall(SYS_mmap, 0, kPageSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (!Failed(at) &&
      RawSyscall(SYS_newfstatat, fd, AsLong(""), AsLong(&status), AT_EMPTY_PATH) == 0 &&
      status.st_size >= static_cast<off_t>(sizeof(uint64_t))) {
    // Relaxed: a statistic, which the supervisor reads from the file.
    reinterpret_cast<std::atomic<uint64_t>*>(at)->fetch_add(1, std::memory_order_relaxed);
  }
  if (!Failed(at)) RawSyscall(SYS_munmap, at, kPageSize);
  RawSyscall(SYS_close, fd);
}

bool SendStepAside(const char* reason) {
  StepAsideNotice notice;
  std::memcpy(notice.magic, kNoticeMagic, sizeof(kNoticeMagic));
  notice.layout_version = kLayoutVersion;
  notice.pid = static_cast<uint32_t>(getpid());
  std::memcpy(notice.token, TheSettings().token, sizeof(notice.token));
  for (uint64_t i = 0; i + 1 < sizeof(notice.reason) && reason[i] != '\0'; ++i) {
    notice.reason[i] = reason[i];
  }
  return Send(&notice, sizeof(notice), -1);
}

}  // namespace lockwarden::ledger
