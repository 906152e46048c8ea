// Around the library's own locks: what the hooks do around libc's. Take and give back, with
// wait and hold recorded, and the calling thread told what it has already.
//
// `Object` is an OwnLock (own_lock.h) that says of itself, besides: Describe, as Acquisition
// needs it, and kLevels: whether its owner may take it again.
//
// Written by: the owning thread, into its own record. Must never: do what a hook may not do.
#pragma once

#include "runtime/known_acquire.h"
#include "runtime/own_lock.h"
#include "runtime/process.h"
#include "runtime/recorder_api.h"

namespace lockwarden::ledger {

// Format, and the name that it has in the ledger.
template <class Format, LockKind kKind, uint32_t kFlags = 0>
struct OwnObject : Format {
  static constexpr LockKind kind = kKind;
  static constexpr bool kLevels = (kFlags & kRecursive) != 0;
  static uint32_t Describe(const void*) { return static_cast<uint32_t>(kKind) | kFlags; }
};

inline Self SelfOf(const ThreadRecord* record) {
  // Relaxed, both: own fields.
  return {record->tid.load(std::memory_order_relaxed),
          record->tid_before_fork.load(std::memory_order_relaxed)};  // as above
}

// Gives the object the name that its owner gave it, if it has none yet.
void NameOnce(const void* object, const char* name);

inline constexpr auto kZeroIsTaken = [](int rc) { return rc == 0; };

// Whether it would wait for itself: it reads what it now asks for otherwise. (Who holds a Lock
// stands in its word.)
template <class Object>
bool ReadsItself(ThreadRecord* record, const void* lock) {
  if constexpr (Object::kind != LockKind::kSharedLock || Object::mode == Mode::kShared) {
    return false;
  } else {
    const PackedRef life = FindLock(lock);
    return life != 0 && FindHeld(record, IndexOf(life)) != nullptr;
  }
}

// One level more of a lock that the thread holds, if it has levels.
template <class Object, class WhichFrame>
__attribute__((noinline)) LockAnswer AcquireAgain(Scope<WhichFrame> scope, void* lock,
                                                  uint8_t mode_bits, uint64_t site) {
  if constexpr (Object::kLevels) {
    AcquireUnknown<Object>(scope, lock, mode_bits, site, [] { return 0; }, kZeroIsTaken);
  }
  return LockAnswer::kOwned;
}

// A try, or with a time limit.
template <class Object, class WhichFrame>
__attribute__((noinline)) LockAnswer AcquireBounded(Scope<WhichFrame> scope, void* lock,
                                                    uint8_t mode_bits, uint64_t site,
                                                    const TimeLimit* limit) {
  const Self self = SelfOf(scope.record());
  const auto attempt = [=] {
    return (mode_bits & kTry) != 0 ? Object::Try(lock, self) : Object::Take(lock, self, limit);
  };
  const auto call = [=] { return attempt() ? 0 : 1; };
  const int rc = AcquireUnknown<Object>(scope, lock, mode_bits, site, call, kZeroIsTaken);
  return rc == 0 ? LockAnswer::kDone : LockAnswer::kBusy;
}

template <class Object, class WhichFrame>
LOCKWARDEN_INLINE LockAnswer AcquireIn(const Scope<WhichFrame>& scope, void* lock,
                                       uint8_t mode_bits, uint64_t site, const char* name,
                                       const TimeLimit* limit) {
  const Self self = SelfOf(scope.record());
  if (__builtin_expect(Object::MayBeOwn(lock), 0) &&
      (Object::HeldBy(lock, self) || ReadsItself<Object>(scope.record(), lock))) {
    return AcquireAgain<Object>(scope, lock, mode_bits, site);
  }
  const bool unnamed = name != nullptr && LookUpLock(scope.record(), lock).cached == nullptr;
  LockAnswer answer = LockAnswer::kDone;
  if (__builtin_expect(mode_bits != 0, 0)) {
    answer = AcquireBounded<Object>(scope, lock, mode_bits, site, limit);
  } else {
    Acquire<Object>(
        scope, lock, site, [=] { return Object::Take(lock, self, nullptr) ? 0 : 1; },
        kZeroIsTaken);
  }
  if (__builtin_expect(unnamed, 0) && answer == LockAnswer::kDone) NameOnce(lock, name);
  return answer;
}

template <class Object>
LOCKWARDEN_INLINE LockAnswer AcquireOwn(void* lock, uint8_t mode_bits, uint64_t site, uint64_t cfa,
                                        const char* name, const TimeLimit* limit) {
  return InScope(
      cfa,
      [](void*, uint8_t, uint64_t, const char*, const TimeLimit*) {
        return LockAnswer::kNotRecorded;
      },
      [](const auto& scope, void* l, uint8_t bits, uint64_t from, const char* called,
         const TimeLimit* until) {
        return AcquireIn<Object>(scope, l, bits, from, called, until);
      },
      lock, mode_bits, site, name, limit);
}

// What is not the newest hold, held more than once, held otherwise, or not held at all.
template <class Object>
__attribute__((noinline)) LockAnswer ReleaseInScope(void* lock, bool last, uint64_t cfa) {
  const auto plain = [] { return LockAnswer::kNotRecorded; };
  return InScope(cfa, plain, [=](const auto& scope) {
    ThreadRecord* const record = scope.record();
    if (!Object::MayRelease(lock, SelfOf(record))) return LockAnswer::kNotOwned;
    if constexpr (Object::kind == LockKind::kSharedLock) {
      const PackedRef life = FindLock(lock);
      const HeldEntry* held = life == 0 ? nullptr : FindHeld(record, IndexOf(life));
      // Relaxed: own record. Who is not named in the word may be somebody else.
      if (held == nullptr && Object::mode == Mode::kShared) NoteHandOver(lock);
      if (held != nullptr &&
          ModeOf(held->lock.load(std::memory_order_relaxed)) != Object::mode) {  // as above
        return LockAnswer::kNotOwned;
      }
    }
    RecordRelease(scope, lock);
    if (last) Object::Release(lock);
    return LockAnswer::kDone;
  });
}

template <class Object>
LOCKWARDEN_INLINE LockAnswer ReleaseOwn(void* lock, bool last, uint64_t cfa) {
  // Only a SharedLock may be held otherwise than it is released.
  constexpr Mode kMode = Object::kind == LockKind::kSharedLock ? Object::mode : Mode::kNone;
  if (last && CanRecordAtOnce() && ReleaseTop<kMode>(lock)) {
    Object::Release(lock);
    return LockAnswer::kDone;
  }
  return ReleaseInScope<Object>(lock, last, cfa);
}

}  // namespace lockwarden::ledger
