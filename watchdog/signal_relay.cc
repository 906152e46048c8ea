// signalfd, kill and sigqueue.
#include "watchdog/signal_relay.h"

#include <unistd.h>

#include <cerrno>

namespace lockwarden {

SignalRelay::SignalRelay(const sigset_t& forwarded) {
  sigset_t wanted = forwarded;
  sigaddset(&wanted, SIGCHLD);
  fd_ = UniqueFd(signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd_.valid()) error_ = errno;
}

bool SignalRelay::Next(signalfd_siginfo* info) {
  return read(fd_.get(), info, sizeof *info) == static_cast<ssize_t>(sizeof *info);
}

bool SignalRelay::CameFromProcess(const signalfd_siginfo& info) {
  return info.ssi_code == SI_USER || info.ssi_code == SI_TKILL || info.ssi_code == SI_QUEUE;
}

void SignalRelay::Forward(const signalfd_siginfo& info, pid_t pid) {
  const int signal = static_cast<int>(info.ssi_signo);
  if (info.ssi_code == SI_QUEUE) {
    sigval value{};
    value.sival_ptr = reinterpret_cast<void*>(info.ssi_ptr);
    sigqueue(pid, signal, value);
    return;
  }
  kill(pid, signal);
}

}  // namespace lockwarden
