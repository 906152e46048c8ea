// Breaking a deadlock: the wait that would close one throws instead, in the thread that closes it,
// and the others go on.
//
//   lockwarden::set_deadlock_policy(lockwarden::DeadlockPolicy::kThrow);
//   for (;;) try {
//     std::scoped_lock first(from.lock);
//     std::scoped_lock second(to.lock);       // DeadlockError: let go of `first`, and try again
//     return Move(from, to, amount);
//   } catch (const lockwarden::DeadlockError&) {
//   }
//
// It holds for what waits without a time limit for a Lock, an RLock or a SharedLock, also by
// acquire(), and for cycles of such waits, of pthread mutexes and of joins. The failed call holds
// nothing more than before. docs/order.md says what is not found.
//
// Thread safety: all functions may be called by any thread at any time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "lockwarden/order.h"

namespace lockwarden {
inline namespace v1 {

// Process-wide, for locks whose class has no policy of its own (order.h). kReport at start.
void set_deadlock_policy(DeadlockPolicy policy) noexcept;
DeadlockPolicy deadlock_policy() noexcept;

// One thread of a deadlock. It waits for what the next one holds, and the last one for what the
// first one does, which is the thread that the error was thrown in.
struct DeadlockLink {
  uint32_t thread = 0;              // the kernel's id
  std::string thread_name;          // may be empty
  const void* lock = nullptr;       // null: it waits for the next thread's end
  std::string lock_name;            // as in reports: its name, or its kind and a number
  const void* wait_site = nullptr;  // return addresses of the waiting call, and of that by which
  const void* hold_site = nullptr;  // the next thread took the lock; null: not known
};

// Thrown by the call that would have waited, before anything was acquired.
class DeadlockError : public std::exception {
 public:
  DeadlockError(size_t threads, std::vector<DeadlockLink> links);
  const char* what() const noexcept override { return details_->text.c_str(); }
  // How many are in the deadlock, and the first 16 of them.
  size_t threads() const noexcept { return details_->threads; }
  const std::vector<DeadlockLink>& links() const noexcept { return details_->links; }

 private:
  struct Details {
    size_t threads;
    std::vector<DeadlockLink> links;
    std::string text;
  };
  std::shared_ptr<const Details> details_;  // copies of an exception must not throw
};

}  // namespace v1
}  // namespace lockwarden
