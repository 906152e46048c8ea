// One thread after the other: stop, copy, let go, unwind. The next is stopped only when the one
// before runs again, so at any time at most one stands still.
#include "watchdog/inspect/thread_stacks.h"

#include <sys/syscall.h>

#include <algorithm>
#include <csignal>
#include <iterator>
#include <memory>
#include <system_error>
#include <thread>

#include "absl/strings/str_cat.h"
#include "watchdog/inspect/remote_unwinder.h"
#include "watchdog/inspect/stack_copy.h"
#include "watchdog/inspect/stopped_thread.h"
#include "watchdog/inspect/thread_list.h"
#include "watchdog/memory_map.h"

namespace lockwarden {
namespace {

// System calls that a stop ends with EINTR, whatever SA_RESTART says: signal(7), "Interruption
// of system calls and library functions by stop signals", and those of io_uring and aio.
constexpr int64_t kShowStops[] = {
    SYS_epoll_pwait,     SYS_epoll_pwait2, SYS_semtimedop,     SYS_semop,
    SYS_rt_sigtimedwait, SYS_io_getevents, SYS_io_uring_enter,
#ifdef SYS_epoll_wait
    SYS_epoll_wait,
#endif
};

bool StopWouldShow(const KernelThread& thread) {
  return thread.syscall.has_value() && std::find(std::begin(kShowStops), std::end(kShowStops),
                                                 *thread.syscall) != std::end(kShowStops);
}

bool SameMoment(const KernelThread& a, const KernelThread& b) {
  return a.syscall == b.syscall && a.stack_pointer == b.stack_pointer && a.pc == b.pc &&
         a.context_switches == b.context_switches && a.state != 'R' && b.state != 'R';
}

class Collector {
 public:
  // `with_memory`: a thread of the process that still has some.
  Collector(int pid, int with_memory, const StackLimits& limits)
      : pid_(pid),
        limits_(limits),
        end_ns_(MonotonicNow() + limits.total_ns),
        kernel_(MakeProcKernelView(pid)),
        map_(ReadMemoryMap(with_memory)),
        unwinder_(RemoteUnwinder::OfProcess(with_memory)) {}

  // False: it has ended meanwhile.
  bool Collect(ThreadStack* thread) {
    thread->kernel = kernel_->Thread(thread->inside);
    if (!thread->kernel.exists) return false;
    const char state = thread->kernel.state;
    if (state == 'Z' || state == 'X') {
      thread->why = "it has ended";
    } else if (unwinder_ == nullptr) {
      thread->why = "the process's memory map may not be read";
    } else if (MonotonicNow() >= end_ns_) {
      thread->why = "the time for all stacks was over";
    } else {
      Take(thread);
    }
    return true;
  }

 private:
  void Take(ThreadStack* thread) {
    std::string why;
    if (!limits_.may_stop) {
      why = "stopping threads was not asked for";
    } else if (StopWouldShow(thread->kernel)) {
      why = "stopping it would end its system call";
    } else if (thread->kernel.state == 'D') {
      why = "it sleeps uninterruptibly and cannot be stopped";
    } else if (TakeStopped(thread, &why)) {
      return;
    }
    if (!TakeAsleep(thread) && thread->why.empty()) {
      thread->why = absl::StrCat(why, ", and it is not asleep in a system call that can be read");
    }
  }

  bool TakeStopped(ThreadStack* thread, std::string* why) {
    std::optional<Registers> registers;
    bool copied = false;
    const uint64_t deadline = std::min(end_ns_, MonotonicNow() + limits_.thread_ns);
    const StopOutcome outcome = StopBriefly(
        pid_, static_cast<pid_t>(thread->tid), deadline, [&](const user_regs_struct& user) {
          registers = Registers::FromUser(user);
          copied = copy_.Take(static_cast<pid_t>(thread->tid), registers->stack_pointer(), map_);
          ReadSystemCall(user, &thread->kernel);
          if (limits_.while_stopped_for_test) limits_.while_stopped_for_test();
        });
    switch (outcome) {
      case StopOutcome::kStopped:
        Unwind(*registers, copied, StackMethod::kStopped, thread);
        return true;
      case StopOutcome::kRefused:
        *why = "it may not be stopped";
        return false;
      case StopOutcome::kGone:
        *why = "it ended meanwhile";
        return false;
      case StopOutcome::kTooLate:
        *why = absl::StrCat("it did not stop within ", limits_.thread_ns / 1'000'000, " ms");
        return false;
    }
    return false;
  }

  bool TakeAsleep(ThreadStack* thread) {
    constexpr int kTries = 3;
    for (int i = 0; i < kTries; ++i) {
      const KernelThread before = kernel_->Thread(thread->inside);
      const std::optional<Registers> registers = Registers::FromKernel(before);
      if (!registers.has_value()) return false;
      if (!copy_.Take(static_cast<pid_t>(thread->tid), registers->stack_pointer(), map_)) {
        thread->why = "its memory may not be read";
        return false;
      }
      const KernelThread after = kernel_->Thread(thread->inside);
      if (!SameMoment(before, after)) continue;
      thread->kernel = after;
      Unwind(*registers, /*copied=*/true, StackMethod::kAsleep, thread);
      return true;
    }
    thread->why = "it woke up each time it was looked at";
    return false;
  }

  void Unwind(const Registers& registers, bool copied, StackMethod method, ThreadStack* thread) {
    UnwoundStack stack = unwinder_->Unwind(
        registers, [this](uint64_t address, uint64_t* word) { return copy_.Read(address, word); },
        limits_.frames);
    thread->method = method;
    thread->pcs = std::move(stack.pcs);
    thread->complete = stack.complete;
    thread->consistent = copied && !copy_.read_beyond();
    thread->why = std::move(stack.why_not);
  }

  const int pid_;
  const StackLimits& limits_;
  const uint64_t end_ns_;
  const std::unique_ptr<KernelView> kernel_;
  const std::vector<MemoryMapping> map_;
  const std::unique_ptr<RemoteUnwinder> unwinder_;
  StackCopy copy_;
};

ProcessStacks CollectAll(int pid, const StackLimits& limits) {
  ProcessStacks stacks;
  const std::vector<ThreadId> ids = ThreadsOf(pid);
  if (ids.empty()) {
    stacks.why_none = "there is no such process, or its threads may not be listed";
    return stacks;
  }
  Collector collector(pid, ThreadWithMemory(pid, ids), limits);
  for (const ThreadId& id : ids) {
    if (stacks.threads.size() == limits.threads) {
      ++stacks.left_out;
      continue;
    }
    ThreadStack thread;
    thread.tid = id.tid;
    thread.inside = id.inside;
    if (collector.Collect(&thread)) stacks.threads.push_back(std::move(thread));
  }
  if (stacks.threads.empty()) stacks.why_none = "the process has ended";
  return stacks;
}

}  // namespace

const char* StackMethodName(StackMethod method) {
  switch (method) {
    case StackMethod::kNone:
      return "none";
    case StackMethod::kStopped:
      return "stopped";
    case StackMethod::kAsleep:
      return "asleep";
  }
  return "none";
}

ProcessStacks StacksOfAllThreads(int pid, const StackLimits& limits, StackResolver* resolver) {
  ProcessStacks stacks;
  // A tracer is a thread: with this one's end everything that it traces goes on. It takes no
  // signal of the caller's.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread tracer;
  try {
    tracer = std::thread([&] { stacks = CollectAll(pid, limits); });
  } catch (const std::system_error&) {  // as when the program has used up what both may have
    stacks.why_none = "no thread could be started to look at it";
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (tracer.joinable()) tracer.join();
  if (resolver != nullptr) {
    for (ThreadStack& thread : stacks.threads) thread.frames = resolver->Resolve(thread.pcs);
  }
  return stacks;
}

}  // namespace lockwarden
