// What a function expects to be held, said where a person and a compiler read it, and checked
// at run time: the process ends with one line if it is not so.
//
//   void Pay(Account& account) {
//     lockwarden::assert_held(account.lock);     // Clang's analysis takes it from here
//     ...
//   }
//   {
//     lockwarden::NoLocksAllowed scope;          // before code that is not ours
//     callback();
//   }
//
// Thread safety: any thread may call them; they speak of the calling thread. Who holds a lock
// exclusively stands in the lock; who reads is known by the recorder only, and where it cannot
// say (docs/interposition.md) nothing fails.
#pragma once

#include "absl/base/thread_annotations.h"
#include "lockwarden/order.h"

namespace lockwarden {
inline namespace v1 {

namespace internal {
void AssertHeld(const LockIdentity& lock);
void AssertHeldShared(const LockIdentity& lock);
void AssertNotHeld(const LockIdentity& lock);
}  // namespace internal

// Exclusively.
template <internal::IsOurs L>
void assert_held(L& lock) ABSL_ASSERT_EXCLUSIVE_LOCK(lock) {
  internal::AssertHeld(internal::IdentityAccess::Of(lock));
}
// In any mode.
template <internal::IsOurs L>
void assert_held_shared(L& lock) ABSL_ASSERT_SHARED_LOCK(lock) {
  internal::AssertHeldShared(internal::IdentityAccess::Of(lock));
}
template <internal::IsOurs L>
void assert_not_held(L& lock) ABSL_LOCKS_EXCLUDED(lock) {
  internal::AssertNotHeld(internal::IdentityAccess::Of(lock));
}

// A scope that is entered, and left, with no lock held: of these types, of libc's while they are
// recorded, or annotated. Units of semaphores do not count. What is held is a lock-order
// violation, under the process-wide policy (order.h): the constructor may throw
// LockOrderViolation, the destructor only reports or aborts. Locks may be taken and released
// inside.
class [[nodiscard]] NoLocksAllowed {
 public:
  NoLocksAllowed();
  ~NoLocksAllowed();
  NoLocksAllowed(const NoLocksAllowed&) = delete;
  NoLocksAllowed& operator=(const NoLocksAllowed&) = delete;
};

}  // namespace v1
}  // namespace lockwarden
