// DecodeWait: what a thread waits for, told from outside by its system call, the function of the
// C library that made it, and the words of the object itself. Nothing of ours is in the process.
//
// Who names the kind: the stack, since pthread_mutex_lock and sem_wait make the same system
// call. Who names the owner: the lock's own word (watchdog/lock_words.h). Without a stack the
// kind is told by the words alone, and only where they fit nothing else: a mutex that names a
// living thread, a thread's descriptor.
//
// Pure but for KernelView. Thread safety: that of the view. Must never: invent an owner. Memory
// belongs to the program and may hold anything.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "watchdog/inspect/thread_stacks.h"
#include "watchdog/judge.h"

namespace lockwarden {

enum class Awaited {
  kNothing,  // it runs, is stopped, or has ended
  kMutex,
  kReadLock,
  kWriteLock,
  kCondition,
  kSemaphore,
  kBarrier,
  kJoin,
  kOnce,
  kStaticGuard,
  kFutex,  // some other use of a futex
  kFileLock,
  kSystemCall,  // something outside the process, or time
  kUnknown,     // asleep, and the system call may not be read
};

struct DecodedWait {
  Awaited awaited = Awaited::kNothing;
  uint64_t object = 0;  // address; kJoin: of the thread's descriptor
  bool timed = false;   // it ends by itself
  bool shared = false;  // other processes can end it
  // Each of them must act before the wait can end; tids as the process sees them. Empty: nobody
  // is known by name.
  std::vector<uint32_t> owners;
  uint32_t depth = 0;      // of a recursive mutex: how often its owner has taken it
  std::string kind;        // "mutex", "rwlock", ...: as in reports
  std::string spoken;      // in sentences, where that says more: "Rust mutex"; else empty
  std::string attributes;  // "recursive, robust"; empty: nothing special
  std::string note;        // a clause for people: "3 readers hold it"; may be empty
};

// `living`: the process's threads, as it sees them.
DecodedWait DecodeWait(const ThreadStack& thread, const absl::flat_hash_set<uint32_t>& living,
                       KernelView* kernel);

// The wait is in this process's private memory and has no end of its own: only a thread of the
// process, or a signal handler, can end it.
bool OnlyOwnThreadsCanEnd(const DecodedWait& wait);

}  // namespace lockwarden
