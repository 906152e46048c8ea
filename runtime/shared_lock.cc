// SharedLock's members: each one step of shared_word.h, recorded or not.
#include "lockwarden/shared_lock.h"

#include <type_traits>

#include "runtime/order_policy.h"
#include "runtime/own_type.h"
#include "runtime/shared_acquire.h"

namespace lockwarden {
inline namespace v1 {
namespace {

using internal::Deadline;
using internal::LockAnswer;
using internal::LockKind;
using internal::Mode;
using internal::Throw;
using ledger::OwnExclusive;
using ledger::OwnShared;
using ledger::OwnUpgrade;

constexpr LockKind kKind = LockKind::kSharedLock;

static_assert(std::is_standard_layout_v<SharedLock>, "the word stands at the lock's address");

template <class Format>
__attribute__((noinline)) void TakeUnknown(void* lock, uint64_t site, uint64_t cfa) {
  SharedLock& self = *static_cast<SharedLock*>(lock);
  if (ledger::AcquireKnownFurther<Format>(lock, site, cfa)) return;
  internal::CheckOrder(self, site, cfa);
  if (internal::Acquire<Format>(lock, kKind, 0, site, cfa,
                                internal::IdentityAccess::Of(self).name) != LockAnswer::kDone) {
    Throw(std::errc::resource_deadlock_would_occur,
          "lockwarden::SharedLock asked for by a thread that holds it");
  }
}

template <class Format>
LOCKWARDEN_INLINE void TakeOrThrow(void* lock, uint64_t site, uint64_t cfa) {
  ledger::LockKnown<Format, TakeUnknown<Format>>(lock, site, cfa);
}

template <class Format>
LOCKWARDEN_INLINE bool TryNow(void* lock, uint64_t site, uint64_t cfa, const char* name) {
  return internal::Acquire<Format>(lock, kKind, ledger::kTry, site, cfa, name) ==
         LockAnswer::kDone;
}

template <class Format>
bool TryUntil(void* lock, Deadline deadline, uint64_t site, uint64_t cfa, const char* name) {
  return internal::AcquireUntil<Format>(lock, kKind, deadline, site, cfa, name) ==
         LockAnswer::kDone;
}

template <class Format>
__attribute__((noinline)) void UnlockUnknown(void* lock, uint64_t cfa) {
  if (__builtin_expect(internal::Release<Format>(lock, kKind, 0, cfa) != LockAnswer::kDone, 0)) {
    Throw(std::errc::operation_not_permitted,
          "lockwarden::SharedLock released by a thread that does not hold it so");
  }
}

template <class Format>
LOCKWARDEN_INLINE void Unlock(void* lock, uint64_t cfa) {
  if (!ledger::ReleaseKnown<Format>(lock)) UnlockUnknown<Format>(lock, cfa);
}

bool Convert(void* lock, Mode to, uint8_t bits, uint64_t site, uint64_t cfa,
             Deadline deadline = {}) {
  const ledger::TimeLimit limit = internal::LimitOf(deadline);
  const ledger::TimeLimit* until = nullptr;
  if (deadline.ns != Deadline::kNever) {
    until = &limit;
    bits = ledger::kTimed;
  }
  const uint32_t how = internal::How(kKind, to, bits);
  LockAnswer answer = ledger::TheRecorder()->convert(lock, how, site, cfa, until);
  if (answer == LockAnswer::kNotRecorded) {
    const ledger::Self self = ledger::ThisSelf();
    answer = OwnExclusive::HeldBy(lock, self)
                 ? ledger::ConvertUnrecorded(lock, OwnExclusive::MayRelease(lock, self), how, until)
                 : LockAnswer::kNotOwned;
  }
  if (answer != LockAnswer::kDone && answer != LockAnswer::kBusy) {
    Throw(std::errc::operation_not_permitted,
          "lockwarden::SharedLock converted by a thread that does not hold it so");
  }
  return answer == LockAnswer::kDone;
}

}  // namespace

SharedLock::~SharedLock() { ledger::TheRecorder()->end_life(&word_, LOCKWARDEN_CFA); }

void SharedLock::lock() {
  TakeOrThrow<OwnExclusive>(&word_, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
}
bool SharedLock::try_lock() {
  return TryNow<OwnExclusive>(&word_, LOCKWARDEN_SITE, LOCKWARDEN_CFA, name_);
}
bool SharedLock::TryLock(Deadline deadline) {
  return TryUntil<OwnExclusive>(&word_, deadline, LOCKWARDEN_SITE, LOCKWARDEN_CFA, name_);
}
void SharedLock::unlock() { Unlock<OwnExclusive>(&word_, LOCKWARDEN_CFA); }

void SharedLock::lock_shared() {
  TakeOrThrow<OwnShared>(&word_, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
}
bool SharedLock::try_lock_shared() {
  return TryNow<OwnShared>(&word_, LOCKWARDEN_SITE, LOCKWARDEN_CFA, name_);
}
bool SharedLock::TryLockShared(Deadline deadline) {
  return TryUntil<OwnShared>(&word_, deadline, LOCKWARDEN_SITE, LOCKWARDEN_CFA, name_);
}
void SharedLock::unlock_shared() { Unlock<OwnShared>(&word_, LOCKWARDEN_CFA); }

void SharedLock::lock_upgrade() {
  TakeOrThrow<OwnUpgrade>(&word_, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
}
bool SharedLock::try_lock_upgrade() {
  return TryNow<OwnUpgrade>(&word_, LOCKWARDEN_SITE, LOCKWARDEN_CFA, name_);
}
bool SharedLock::TryLockUpgrade(Deadline deadline) {
  return TryUntil<OwnUpgrade>(&word_, deadline, LOCKWARDEN_SITE, LOCKWARDEN_CFA, name_);
}
void SharedLock::unlock_upgrade() { Unlock<OwnUpgrade>(&word_, LOCKWARDEN_CFA); }

void SharedLock::unlock_upgrade_and_lock() {
  Convert(&word_, Mode::kExclusive, 0, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
}
bool SharedLock::try_unlock_upgrade_and_lock() {
  return Convert(&word_, Mode::kExclusive, ledger::kTry, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
}
bool SharedLock::TryUpgrade(Deadline deadline) {
  return Convert(&word_, Mode::kExclusive, 0, LOCKWARDEN_SITE, LOCKWARDEN_CFA, deadline);
}
void SharedLock::unlock_and_lock_upgrade() {
  Convert(&word_, Mode::kUpgrade, 0, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
}
void SharedLock::unlock_and_lock_shared() {
  if (!OwnExclusive::MayRelease(&word_, ledger::ThisSelf())) {
    Throw(std::errc::operation_not_permitted,
          "lockwarden::SharedLock converted by a thread that does not write");
  }
  Convert(&word_, Mode::kShared, 0, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
}
void SharedLock::unlock_upgrade_and_lock_shared() {
  if (!OwnUpgrade::MayRelease(&word_, ledger::ThisSelf())) {
    Throw(std::errc::operation_not_permitted,
          "lockwarden::SharedLock converted by a thread that may not upgrade");
  }
  Convert(&word_, Mode::kShared, 0, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
}

}  // namespace v1
}  // namespace lockwarden
