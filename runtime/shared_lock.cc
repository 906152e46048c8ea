// SharedLock's members: each one step of shared_word.h, recorded or not.
#include "lockwarden/shared_lock.h"

#include <type_traits>

#include "runtime/deadlock_policy.h"
#include "runtime/own_type.h"
#include "runtime/shared_acquire.h"

namespace lockwarden {
inline namespace v1 {
namespace {

using internal::Deadline;
using internal::LockAnswer;
using internal::LockKind;
using internal::Mode;
using ledger::MisuseKind;
using ledger::OwnExclusive;
using ledger::OwnShared;
using ledger::OwnUpgrade;

constexpr LockKind kKind = LockKind::kSharedLock;

static_assert(std::is_standard_layout_v<SharedLock>, "the word stands at the lock's address");

template <class Format>
__attribute__((noinline)) void TakeUnknown(void* lock, uint64_t site, uint64_t cfa) {
  SharedLock& self = *static_cast<SharedLock*>(lock);
  if (ledger::AcquireKnownFurther<Format>(lock, site, cfa)) return;
  if (internal::AcquireChecked<Format>(self, site, cfa) != LockAnswer::kDone) {
    internal::NoteMisuse(MisuseKind::kRelock, internal::IdentityAccess::Of(self), site, cfa);
    internal::Refuse(std::errc::resource_deadlock_would_occur, "SharedLock", self.name(),
                     "asked for by a thread that holds it");
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
__attribute__((noinline)) void UnlockUnknown(void* lock, uint64_t site, uint64_t cfa) {
  if (__builtin_expect(internal::Release<Format>(lock, kKind, 0, cfa) != LockAnswer::kDone, 0)) {
    SharedLock& self = *static_cast<SharedLock*>(lock);
    internal::NoteMisuse(MisuseKind::kUnlockNotOwner, internal::IdentityAccess::Of(self), site,
                         cfa);
    internal::Refuse(std::errc::operation_not_permitted, "SharedLock", self.name(),
                     "released, or waited with, by a thread that does not hold it so");
  }
}

template <class Format>
LOCKWARDEN_INLINE void Unlock(void* lock, uint64_t site, uint64_t cfa) {
  if (!ledger::ReleaseKnown<Format>(lock)) UnlockUnknown<Format>(lock, site, cfa);
}

[[noreturn]] void RefuseConversion(const internal::LockIdentity& lock, uint64_t site,
                                   uint64_t cfa) {
  internal::NoteMisuse(MisuseKind::kUnlockNotOwner, lock, site, cfa);
  internal::Refuse(std::errc::operation_not_permitted, "SharedLock", lock.name,
                   "converted by a thread that does not hold it so");
}

bool Convert(const internal::LockIdentity& identity, Mode to, uint8_t bits, uint64_t site,
             uint64_t cfa, Deadline deadline = {}) {
  void* const lock = identity.lock;
  const ledger::TimeLimit limit = internal::LimitOf(deadline);
  const ledger::TimeLimit* until = nullptr;
  if (deadline.ns != Deadline::kNever) {
    until = &limit;
    bits = ledger::kTimed;
  }
  const uint32_t how = internal::How(kKind, to, bits);
  LockAnswer answer = LockAnswer::kNotRecorded;
  if (to == Mode::kExclusive && bits == 0) {
    answer = internal::RaiseMayBreak(identity, how, site, cfa);
  }
  if (answer == LockAnswer::kNotRecorded) {
    answer = ledger::TheRecorder()->convert(lock, how, site, cfa, until, nullptr);
  }
  if (answer == LockAnswer::kNotRecorded) {
    const ledger::Self self = ledger::ThisSelf();
    answer = OwnExclusive::HeldBy(lock, self)
                 ? ledger::ConvertUnrecorded(lock, OwnExclusive::MayRelease(lock, self), how, until)
                 : LockAnswer::kNotOwned;
  }
  if (answer != LockAnswer::kDone && answer != LockAnswer::kBusy) {
    RefuseConversion(identity, site, cfa);
  }
  return answer == LockAnswer::kDone;
}

}  // namespace

SharedLock::~SharedLock() {
  if (__builtin_expect(locked(), 0)) {
    internal::NoteMisuse(MisuseKind::kDestroyHeld, identity(), LOCKWARDEN_SITE, LOCKWARDEN_CFA);
  }
  ledger::TheRecorder()->end_life(&word_, LOCKWARDEN_CFA);
}

void SharedLock::lock() {
  TakeOrThrow<OwnExclusive>(&word_, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
}
bool SharedLock::try_lock() {
  return TryNow<OwnExclusive>(&word_, LOCKWARDEN_SITE, LOCKWARDEN_CFA, name_);
}
bool SharedLock::TryLock(Deadline deadline) {
  return TryUntil<OwnExclusive>(&word_, deadline, LOCKWARDEN_SITE, LOCKWARDEN_CFA, name_);
}
void SharedLock::unlock() { Unlock<OwnExclusive>(&word_, LOCKWARDEN_SITE, LOCKWARDEN_CFA); }

void SharedLock::lock_shared() {
  TakeOrThrow<OwnShared>(&word_, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
}
bool SharedLock::try_lock_shared() {
  return TryNow<OwnShared>(&word_, LOCKWARDEN_SITE, LOCKWARDEN_CFA, name_);
}
bool SharedLock::TryLockShared(Deadline deadline) {
  return TryUntil<OwnShared>(&word_, deadline, LOCKWARDEN_SITE, LOCKWARDEN_CFA, name_);
}
void SharedLock::unlock_shared() { Unlock<OwnShared>(&word_, LOCKWARDEN_SITE, LOCKWARDEN_CFA); }

void SharedLock::lock_upgrade() {
  TakeOrThrow<OwnUpgrade>(&word_, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
}
bool SharedLock::try_lock_upgrade() {
  return TryNow<OwnUpgrade>(&word_, LOCKWARDEN_SITE, LOCKWARDEN_CFA, name_);
}
bool SharedLock::TryLockUpgrade(Deadline deadline) {
  return TryUntil<OwnUpgrade>(&word_, deadline, LOCKWARDEN_SITE, LOCKWARDEN_CFA, name_);
}
void SharedLock::unlock_upgrade() { Unlock<OwnUpgrade>(&word_, LOCKWARDEN_SITE, LOCKWARDEN_CFA); }

void SharedLock::unlock_upgrade_and_lock() {
  Convert(identity(), Mode::kExclusive, 0, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
}
bool SharedLock::try_unlock_upgrade_and_lock() {
  return Convert(identity(), Mode::kExclusive, ledger::kTry, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
}
bool SharedLock::TryUpgrade(Deadline deadline) {
  return Convert(identity(), Mode::kExclusive, 0, LOCKWARDEN_SITE, LOCKWARDEN_CFA, deadline);
}
void SharedLock::unlock_and_lock_upgrade() {
  Convert(identity(), Mode::kUpgrade, 0, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
}
void SharedLock::unlock_and_lock_shared() {
  if (!OwnExclusive::MayRelease(&word_, ledger::ThisSelf())) {
    RefuseConversion(identity(), LOCKWARDEN_SITE, LOCKWARDEN_CFA);
  }
  Convert(identity(), Mode::kShared, 0, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
}
void SharedLock::unlock_upgrade_and_lock_shared() {
  if (!OwnUpgrade::MayRelease(&word_, ledger::ThisSelf())) {
    RefuseConversion(identity(), LOCKWARDEN_SITE, LOCKWARDEN_CFA);
  }
  Convert(identity(), Mode::kShared, 0, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
}

}  // namespace v1
}  // namespace lockwarden
