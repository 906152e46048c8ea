// Layouts are glibc 2.36's (unchanged since 2.25 but for the condition): pthread_mutex_t,
// pthread_rwlock_t, pthread_cond_t, sem_t, pthread_barrier_t, and struct pthread, whose tid word
// is what pthread_join waits for.
#include "watchdog/inspect/wait_decoder.h"

#include <linux/futex.h>
#include <sys/syscall.h>

#include <algorithm>
#include <iterator>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "watchdog/frames.h"
#include "watchdog/lock_words.h"
#include "watchdog/stall_cause.h"

namespace lockwarden {
namespace {

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

using ledger::LockKind;

// The functions that programs call; a longer name that begins with one and goes on with a letter
// is another function.
struct Caller {
  const char* function;
  Awaited awaited;
};
constexpr Caller kCallers[] = {
    {"pthread_mutex_lock", Awaited::kMutex},
    {"pthread_mutex_timedlock", Awaited::kMutex},
    {"pthread_mutex_clocklock", Awaited::kMutex},
    {"__pthread_mutex_lock", Awaited::kMutex},
    {"___pthread_mutex_lock", Awaited::kMutex},
    {"__pthread_mutex_lock_full", Awaited::kMutex},
    {"__pthread_mutex_cond_lock", Awaited::kMutex},
    {"__pthread_mutex_cond_lock_full", Awaited::kMutex},
    {"mtx_lock", Awaited::kMutex},
    {"mtx_timedlock", Awaited::kMutex},
    {"pthread_rwlock_rdlock", Awaited::kReadLock},
    {"___pthread_rwlock_rdlock", Awaited::kReadLock},
    {"__pthread_rwlock_rdlock", Awaited::kReadLock},
    {"pthread_rwlock_timedrdlock", Awaited::kReadLock},
    {"pthread_rwlock_clockrdlock", Awaited::kReadLock},
    {"pthread_rwlock_wrlock", Awaited::kWriteLock},
    {"___pthread_rwlock_wrlock", Awaited::kWriteLock},
    {"__pthread_rwlock_wrlock", Awaited::kWriteLock},
    {"pthread_rwlock_timedwrlock", Awaited::kWriteLock},
    {"pthread_rwlock_clockwrlock", Awaited::kWriteLock},
    {"pthread_cond_wait", Awaited::kCondition},
    {"___pthread_cond_wait", Awaited::kCondition},
    {"__pthread_cond_wait", Awaited::kCondition},
    {"pthread_cond_timedwait", Awaited::kCondition},
    {"___pthread_cond_timedwait64", Awaited::kCondition},
    {"pthread_cond_clockwait", Awaited::kCondition},
    {"___pthread_cond_clockwait64", Awaited::kCondition},
    {"cnd_wait", Awaited::kCondition},
    {"cnd_timedwait", Awaited::kCondition},
    {"sem_wait", Awaited::kSemaphore},
    {"__new_sem_wait", Awaited::kSemaphore},
    {"__new_sem_wait_slow64", Awaited::kSemaphore},
    {"sem_timedwait", Awaited::kSemaphore},
    {"sem_clockwait", Awaited::kSemaphore},
    {"pthread_barrier_wait", Awaited::kBarrier},
    {"___pthread_barrier_wait", Awaited::kBarrier},
    {"pthread_join", Awaited::kJoin},
    {"___pthread_join", Awaited::kJoin},
    {"__pthread_clockjoin_ex", Awaited::kJoin},
    {"pthread_timedjoin_np", Awaited::kJoin},
    {"pthread_clockjoin_np", Awaited::kJoin},
    {"thrd_join", Awaited::kJoin},
    {"pthread_once", Awaited::kOnce},
    {"__pthread_once_slow", Awaited::kOnce},
    {"___pthread_once", Awaited::kOnce},
    {"__pthread_once", Awaited::kOnce},
    {"call_once", Awaited::kOnce},
    {"__cxa_guard_acquire", Awaited::kStaticGuard},
};

// How others wait, by what their functions are called.
struct Runtime {
  const char* part;  // of a function's name
  const char* kind;
};
constexpr Runtime kRuntimes[] = {
    {"futex_mutex::Mutex", "Rust mutex"},
    {"mutex::futex::Mutex", "Rust mutex"},
    {"mutex5futex", "Rust mutex"},  // as Rust mangles it since 2024
    {"futex_rwlock::RwLock", "Rust rwlock"},
    {"rwlock::futex::RwLock", "Rust rwlock"},
    {"rwlock5futex", "Rust rwlock"},
    {"futex_condvar::Condvar", "Rust condition"},
    {"condvar::futex::Condvar", "Rust condition"},
    {"condvar5futex", "Rust condition"},
    {"std::thread::park", "Rust thread park"},
    {"thread_park", "Rust thread park"},
    {"parking_lot", "Rust parking_lot lock"},
    {"runtime.futex", "Go runtime's note or lock"},
    {"runtime::futex", "Go runtime's note or lock"},
    {"absl::", "absl synchronization object"},
    {"folly::", "folly synchronization object"},
    {"std::__atomic_", "atomic (a wait, latch, barrier or semaphore)"},
    {"__detail::__platform_wait", "atomic (a wait, latch, barrier or semaphore)"},
    {"_State_baseV2", "future"},
    {"__atomic_futex_unsigned", "future"},
    {"_dl_", "dynamic loader's lock"},
    {"malloc", "malloc's lock"},
    {"arena_get", "malloc's lock"},
};

const char* NameOfKind(Awaited awaited) {
  switch (awaited) {
    case Awaited::kMutex:
      return "mutex";
    case Awaited::kReadLock:
    case Awaited::kWriteLock:
      return "rwlock";
    case Awaited::kCondition:
      return "condition";
    case Awaited::kSemaphore:
      return "semaphore";
    case Awaited::kBarrier:
      return "barrier";
    case Awaited::kJoin:
      return "thread";
    case Awaited::kOnce:
      return "once";
    case Awaited::kStaticGuard:
      return "static_guard";
    case Awaited::kFileLock:
      return "file_lock";
    default:
      return "futex";
  }
}

// Of a statically linked program these are in the program's own file.
bool MakesTheCall(const std::string& function) {
  for (const char* part : {"futex", "lll_lock", "syscall"}) {
    if (absl::StrContains(function, part)) return true;
  }
  return false;
}

// Of the innermost call into the C or C++ library; the program's own functions end the search.
std::optional<Awaited> FromStack(const StackTrace& stack) {
  for (const StackFrame& frame : stack) {
    const std::string name = frame.function.substr(0, frame.function.find_first_of("@("));
    for (const Caller& caller : kCallers) {
      if (name == caller.function) return caller.awaited;
    }
    if (IsUserFrame(frame) && !MakesTheCall(name)) break;
  }
  return std::nullopt;
}

std::string RuntimeOf(const StackTrace& stack) {
  constexpr size_t kInnermost = 8;
  for (size_t i = 0; i < std::min(kInnermost, stack.size()); ++i) {
    for (const Runtime& runtime : kRuntimes) {
      if (absl::StrContains(stack[i].function, runtime.part)) return runtime.kind;
    }
  }
  return "";
}

bool IsLibc(const StackFrame& frame) {
  const std::string name = Basename(frame.module);
  return absl::StartsWith(name, "libc.so.") || absl::StartsWith(name, "libpthread.so.");
}

class Decoder {
 public:
  Decoder(const ThreadStack& thread, const absl::flat_hash_set<uint32_t>& living,
          KernelView* kernel)
      : thread_(thread), call_(thread.kernel), living_(living), kernel_(kernel) {}

  DecodedWait Decode() {
    const char state = call_.state;
    if (state == 'R' || state == 'Z' || state == 'X') return wait_;
    if (!call_.syscall.has_value()) {
      if (state == 'S' || state == 'D') wait_.awaited = Awaited::kUnknown;
      return wait_;
    }
    if (*call_.syscall < 0) return wait_;
    if (*call_.syscall != SYS_futex) {
      wait_.awaited = Awaited::kSystemCall;
      wait_.kind = SystemCallName(*call_.syscall);
      return wait_;
    }
    return Futex();
  }

 private:
  uint64_t word() const { return call_.syscall_args[0]; }
  uint32_t value() const { return static_cast<uint32_t>(call_.syscall_args[2]); }

  DecodedWait Futex() {
    const int operation = static_cast<int>(call_.syscall_args[1]) & FUTEX_CMD_MASK;
    const bool priority = operation == FUTEX_LOCK_PI || operation == FUTEX_LOCK_PI2;
    if (!priority && operation != FUTEX_WAIT && operation != FUTEX_WAIT_BITSET &&
        operation != FUTEX_WAIT_REQUEUE_PI) {
      return wait_;  // it wakes others
    }
    wait_.timed = call_.syscall_args[3] != 0;
    const bool private_call = (call_.syscall_args[1] & FUTEX_PRIVATE_FLAG) != 0;
    wait_.shared = !private_call && !kernel_->IsPrivate(word());
    wait_.object = word();
    std::optional<Awaited> told = FromStack(thread_.frames);
    if (priority) told = Awaited::kMutex;
    // A condition's waiter that has been woken waits for the mutex: 0 is what it waits for
    // while it still waits for a signal, unless a newer libc counts there.
    if (told == Awaited::kCondition && value() != 0 && IsHeldMutex()) told = Awaited::kMutex;
    if (!told.has_value()) told = FromWords();
    wait_.awaited = told.value_or(Awaited::kFutex);
    wait_.kind = NameOfKind(wait_.awaited);
    switch (wait_.awaited) {
      case Awaited::kMutex:
        ParkedOnItsStack() ? NoteParked() : Mutex();
        break;
      case Awaited::kReadLock:
      case Awaited::kWriteLock:
        RwLock();
        break;
      case Awaited::kCondition:
        wait_.object -= word() % 8 == 4 ? 44 : 40;
        break;
      case Awaited::kSemaphore:
        Semaphore();
        break;
      case Awaited::kBarrier:
        Barrier();
        break;
      case Awaited::kJoin:
        Join();
        break;
      default: {
        wait_.spoken = RuntimeOf(thread_.frames);
        if (!wait_.spoken.empty()) wait_.note = "it names no owner";
      }
    }
    return wait_;
  }

  // Without a function's name (a C library without debug symbols has names only for what it
  // exports): only what cannot be taken for anything else.
  std::optional<Awaited> FromWords() {
    if (JoinedThread() != 0) return Awaited::kJoin;
    if (!thread_.frames.empty() && !thread_.frames[0].function.empty()) return std::nullopt;
    if (value() >= 2 && IsHeldMutex()) return Awaited::kMutex;
    // A semaphore without units counts those who wait for one in the next word.
    uint32_t words[2] = {};
    const bool in_libc = !thread_.frames.empty() && IsLibc(thread_.frames[0]);
    const bool counted = kernel_->ReadMemory(word(), words, sizeof(words)) && words[0] == 0 &&
                         words[1] != 0 && words[1] <= living_.size();
    if (in_libc && value() == 0 && counted) return Awaited::kSemaphore;
    return std::nullopt;
  }

  // A thread that lives holds what would be a mutex at the word.
  bool IsHeldMutex() {
    LockInfo mutex;
    mutex.address = word();
    mutex.kind = LockKind::kMutex;
    const LockWord says = ReadLockWord(kernel_, mutex);
    return says.says == LockWord::Says::kOwned && living_.contains(says.owner) && KindMakesSense();
  }

  bool KindMakesSense() {
    uint32_t words[5];
    constexpr uint32_t kKnownBits = 0x3ff;
    return kernel_->ReadMemory(word(), words, sizeof(words)) && (words[4] & ~kKnownBits) == 0;
  }

  // glibc parks a waiter whom the kernel refused a priority-inheriting mutex, since it would have
  // closed a deadlock, on a word of its own stack.
  bool ParkedOnItsStack() const {
    constexpr uint64_t kFrames = 1024;  // bytes: the innermost frames of pthread_mutex_lock
    return word() - call_.stack_pointer < kFrames;
  }
  void NoteParked() {
    wait_.attributes = "priority-inheriting";
    wait_.note = "parked for good: the kernel refused the wait, since it closes a deadlock";
  }

  void Mutex() {
    LockInfo lock;
    lock.address = word();
    lock.kind = LockKind::kMutex;
    const LockWord says = ReadLockWord(kernel_, lock);
    uint32_t words[5] = {};
    if (kernel_->ReadMemory(word(), words, sizeof(words)) && says.recursive) {
      wait_.depth = words[1];
    }
    std::vector<std::string> attributes;
    if (says.recursive) attributes.push_back("recursive");
    if (says.robust) attributes.push_back("robust");
    if ((words[4] & 32) != 0) attributes.push_back("priority-inheriting");
    if (says.shared && wait_.shared) attributes.push_back("shared between processes");
    wait_.attributes = absl::StrJoin(attributes, ", ");
    switch (says.says) {
      case LockWord::Says::kOwned:
        wait_.owners = {says.owner};
        break;
      case LockWord::Says::kFree:
        wait_.note = "free by now";
        break;
      case LockWord::Says::kTaken:
        wait_.note = "its holder has not written its name";
        break;
      default:
        wait_.note = "its memory cannot be read";
        break;
    }
    if (wait_.depth > 1)
      wait_.note = absl::StrCat("its holder has taken it ", wait_.depth, " times");
  }

  void RwLock() {
    LockInfo lock;
    lock.kind = LockKind::kRwLock;
    // __readers, __wrphase_futex and __writers_futex: which of them is told by what stands around.
    for (const uint64_t offset : {8, 12, 0}) {
      lock.address = word() - offset;
      const LockWord says = ReadLockWord(kernel_, lock);
      const bool owned = says.says == LockWord::Says::kOwned && living_.contains(says.owner);
      const bool read = says.says == LockWord::Says::kReaders && says.readers < 1u << 20;
      if (!owned && !read) continue;
      wait_.object = lock.address;
      if (owned) wait_.owners = {says.owner};
      if (read) {
        wait_.note = absl::StrCat(
            says.readers, says.readers == 1 ? " reader holds" : " readers hold", " it, unnamed");
        if (says.writer_waits && wait_.awaited == Awaited::kReadLock) {
          absl::StrAppend(&wait_.note, ", and a writer waits, to which readers give way");
        }
      }
      return;
    }
    wait_.object = word() - 8;
    wait_.note = "its holder has not written its name";
  }

  void Semaphore() {
    uint32_t words[2];
    if (!kernel_->ReadMemory(word(), words, sizeof(words))) return;
    wait_.note = absl::StrCat(words[0], words[0] == 1 ? " unit, " : " units, ", words[1],
                              words[1] == 1 ? " waiter" : " waiters");
  }

  // {in@0, current_round@4, count@8, shared@12, out@16}
  void Barrier() {
    uint32_t words[5];
    for (const uint64_t offset : {4, 0}) {
      const uint64_t begin = word() - offset;
      if (!kernel_->ReadMemory(begin, words, sizeof(words))) continue;
      const uint32_t arrived = words[0] - words[1];
      if (words[2] == 0 || arrived > words[2]) continue;
      wait_.object = begin;
      wait_.note = absl::StrCat(arrived, " of ", words[2], " threads have arrived");
      return;
    }
  }

  // A descriptor points to itself, and its tid word is what joiners wait for.
  uint32_t JoinedThread() {
    uint32_t tid = 0;
    if (!kernel_->ReadMemory(word(), &tid, sizeof(tid)) || tid == 0 || tid != value()) return 0;
    constexpr uint64_t kFurthest = 4096;
    constexpr uint64_t kStep = 16;
    for (uint64_t offset = kStep; offset < kFurthest; offset += kStep) {
      const uint64_t begin = (word() & ~(kStep - 1)) - offset;
      uint64_t head[3];  // tcbhead_t: itself, the thread vector, itself
      if (!kernel_->ReadMemory(begin, head, sizeof(head))) return 0;
      if (head[0] == begin && head[2] == begin) {
        wait_.object = begin;
        return tid;
      }
    }
    return 0;
  }

  void Join() {
    const uint32_t tid = JoinedThread();
    const uint32_t named = tid != 0 ? tid : value();
    // The kernel itself clears the word, by a wake-up that is not private; nobody else does.
    wait_.shared = false;
    if (named != 0) wait_.owners = {named};
  }

  const ThreadStack& thread_;
  const KernelThread& call_;
  const absl::flat_hash_set<uint32_t>& living_;
  KernelView* kernel_;
  DecodedWait wait_;
};

}  // namespace

DecodedWait DecodeWait(const ThreadStack& thread, const absl::flat_hash_set<uint32_t>& living,
                       KernelView* kernel) {
  return Decoder(thread, living, kernel).Decode();
}

bool OnlyOwnThreadsCanEnd(const DecodedWait& wait) {
  if (wait.timed || wait.shared) return false;
  switch (wait.awaited) {
    case Awaited::kNothing:
    case Awaited::kFileLock:
    case Awaited::kSystemCall:
    case Awaited::kUnknown:
      return false;
    default:
      return true;
  }
}

}  // namespace lockwarden
