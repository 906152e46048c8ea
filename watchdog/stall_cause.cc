// See stall_cause.h. schedstat: Documentation/scheduler/sched-stats.rst; throttling:
// Documentation/admin-guide/cgroup-v2.rst, cpu.stat.
#include "watchdog/stall_cause.h"

#include <sys/syscall.h>

#include "absl/strings/str_cat.h"

namespace lockwarden {
namespace {

struct Named {
  int64_t number;
  const char* name;
};

// Those that block. The older ones do not exist on every architecture.
constexpr Named kCalls[] = {
    {SYS_read, "read"},
    {SYS_write, "write"},
    {SYS_readv, "readv"},
    {SYS_writev, "writev"},
    {SYS_pread64, "pread64"},
    {SYS_pwrite64, "pwrite64"},
    {SYS_ppoll, "ppoll"},
    {SYS_pselect6, "pselect6"},
    {SYS_epoll_pwait, "epoll_pwait"},
    {SYS_futex, "futex"},
    {SYS_nanosleep, "nanosleep"},
    {SYS_clock_nanosleep, "clock_nanosleep"},
    {SYS_accept, "accept"},
    {SYS_accept4, "accept4"},
    {SYS_connect, "connect"},
    {SYS_recvfrom, "recvfrom"},
    {SYS_recvmsg, "recvmsg"},
    {SYS_recvmmsg, "recvmmsg"},
    {SYS_sendto, "sendto"},
    {SYS_sendmsg, "sendmsg"},
    {SYS_sendmmsg, "sendmmsg"},
    {SYS_sendfile, "sendfile"},
    {SYS_splice, "splice"},
    {SYS_wait4, "wait4"},
    {SYS_waitid, "waitid"},
    {SYS_fsync, "fsync"},
    {SYS_fdatasync, "fdatasync"},
    {SYS_sync_file_range, "sync_file_range"},
    {SYS_msync, "msync"},
    {SYS_flock, "flock"},
    {SYS_fcntl, "fcntl"},
    {SYS_ioctl, "ioctl"},
    {SYS_openat, "openat"},
    {SYS_close, "close"},
    {SYS_getdents64, "getdents64"},
    {SYS_rt_sigtimedwait, "rt_sigtimedwait"},
    {SYS_rt_sigsuspend, "rt_sigsuspend"},
    {SYS_io_getevents, "io_getevents"},
    {SYS_io_uring_enter, "io_uring_enter"},
    {SYS_semtimedop, "semtimedop"},
    {SYS_msgrcv, "msgrcv"},
    {SYS_msgsnd, "msgsnd"},
    {SYS_mq_timedreceive, "mq_timedreceive"},
    {SYS_mmap, "mmap"},
    {SYS_munmap, "munmap"},
    {SYS_madvise, "madvise"},
    {SYS_copy_file_range, "copy_file_range"},
#ifdef SYS_poll
    {SYS_poll, "poll"},
    {SYS_select, "select"},
    {SYS_epoll_wait, "epoll_wait"},
    {SYS_pause, "pause"},
    {SYS_open, "open"},
#endif
};

const char* WaitPhrase(ledger::Mode mode) {
  switch (mode) {
    case ledger::Mode::kSignal:
      return "waits for a signal";
    case ledger::Mode::kJoin:
      return "waits for another thread to end";
    case ledger::Mode::kArrive:
      return "waits for others to arrive";
    case ledger::Mode::kUnit:
      return "waits for a unit";
    case ledger::Mode::kUnowned:
      return "waits for a wake-up";
    default:
      return "waits for a lock";
  }
}

StallCause Runnable(KernelView* kernel, uint32_t tid, const CpuUse& before) {
  const CpuUse now = ReadCpuUse(kernel, tid);
  if (!before.schedule.has_value() || !now.schedule.has_value()) {
    return {StallKind::kUnknown, "could run; whether it does is not known"};
  }
  const uint64_t ran = now.schedule->run_ns - before.schedule->run_ns;
  const uint64_t delayed = now.schedule->delay_ns - before.schedule->delay_ns;
  // A throttled group's threads wait in no run queue, and so are not delayed either.
  if (before.throttled_us.has_value() && now.throttled_us.has_value() &&
      (*now.throttled_us - *before.throttled_us) * 1000 > ran) {
    return {StallKind::kThrottled,
            "could run, but its control group has used up its processor time"};
  }
  if (delayed > ran) return {StallKind::kStarved, "could run, but gets no processor"};
  return {StallKind::kRunning, "is running on a processor"};
}

}  // namespace

CpuUse ReadCpuUse(KernelView* kernel, uint32_t tid) {
  return {kernel->Schedule(tid), kernel->ThrottledUs()};
}

const char* StallKindName(StallKind kind) {
  switch (kind) {
    case StallKind::kLock:
      return "lock";
    case StallKind::kSystemCall:
      return "system_call";
    case StallKind::kRunning:
      return "running";
    case StallKind::kStarved:
      return "starved";
    case StallKind::kThrottled:
      return "throttled";
    case StallKind::kUninterruptible:
      return "uninterruptible";
    case StallKind::kStopped:
      return "stopped";
    case StallKind::kEnded:
      return "ended";
    case StallKind::kUnknown:
      return "unknown";
  }
  return "unknown";
}

std::string SystemCallName(int64_t number) {
  for (const Named& call : kCalls) {
    if (call.number == number) return call.name;
  }
  return absl::StrCat("system call ", number);
}

StallCause FindStallCause(const ThreadInfo* thread, KernelView* kernel, const CpuUse& before) {
  if (thread == nullptr) return {StallKind::kUnknown, "is not known"};
  const KernelThread kernel_thread = kernel->Thread(thread->tid);
  if (!kernel_thread.exists) return {StallKind::kEnded, "has ended without stopping its heartbeat"};
  switch (kernel_thread.state) {
    case 'T':
      return {StallKind::kStopped, "is stopped by a signal"};
    case 't':
      return {StallKind::kStopped, "is stopped by a debugger"};
    case 'R':
      return Runnable(kernel, thread->tid, before);
    case 'D': {
      const std::string where = kernel->WaitChannel(thread->tid);
      return {
          StallKind::kUninterruptible,
          absl::StrCat("sleeps uninterruptibly", where.empty() ? "" : " in the kernel's ", where)};
    }
    default:
      break;
  }
  if (!thread->waits.empty()) {
    return {StallKind::kLock, WaitPhrase(thread->waits.back().mode)};
  }
  if (kernel_thread.syscall.has_value() && *kernel_thread.syscall >= 0) {
    return {StallKind::kSystemCall,
            absl::StrCat("sleeps in ", SystemCallName(*kernel_thread.syscall))};
  }
  return {StallKind::kUnknown, "sleeps; where may not be read"};
}

}  // namespace lockwarden
