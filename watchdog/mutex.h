// Mutex and MutexLock: absl::Mutex's names on std::mutex. Debian's Abseil is not built with
// ThreadSanitizer, which would see a race behind each absl::Mutex; and std::mutex alone has
// no annotations for Clang's thread-safety analysis.
//
// Thread safety: that is what they are for.
#pragma once

#include <condition_variable>
#include <mutex>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"

namespace lockwarden {

class ABSL_LOCKABLE Mutex {
 public:
  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { mutex_.lock(); }
  void Unlock() ABSL_UNLOCK_FUNCTION() { mutex_.unlock(); }

  // Until `flag`, which this mutex guards, is set, or the time is up. Whoever sets it calls Notify.
  void WaitFor(const bool& flag, absl::Duration time) ABSL_EXCLUSIVE_LOCKS_REQUIRED(this) {
    std::unique_lock<std::mutex> held(mutex_, std::adopt_lock);
    changed_.wait_for(held, absl::ToChronoNanoseconds(time), [&flag] { return flag; });
    held.release();
  }
  void Notify() { changed_.notify_all(); }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
};

class ABSL_SCOPED_LOCKABLE MutexLock {
 public:
  explicit MutexLock(Mutex* mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) : mutex_(mutex) {
    mutex_->Lock();
  }
  ~MutexLock() ABSL_UNLOCK_FUNCTION() { mutex_->Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex* const mutex_;
};

}  // namespace lockwarden
