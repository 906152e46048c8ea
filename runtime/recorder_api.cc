// The recorder behind its table: takes and gives back locks of our own format, and records
// it as the hooks do with libc's.
#include "runtime/recorder_api.h"

#include "runtime/futex_lock.h"
#include "runtime/known_acquire.h"
#include "runtime/lock_word.h"
#include "runtime/process.h"

namespace lockwarden::ledger {
namespace {

template <LockKind kKind, uint32_t kFlags>
struct LinkedObject {
  static constexpr Mode mode = Mode::kExclusive;
  static uint32_t Describe(const void*) { return static_cast<uint32_t>(kKind) | kFlags; }
  static bool LooksTaken(const void* lock) {
    // Relaxed: the lock's word, which others write; a hint.
    return static_cast<const std::atomic<uint32_t>*>(lock)->load(std::memory_order_relaxed) !=
           kLockFree;
  }
};
using LockObject = LinkedObject<LockKind::kLock, 0>;
using RLockObject = LinkedObject<LockKind::kRLock, kRecursive>;

uint32_t OwnTid(const ThreadRecord* record) {
  return record->tid.load(std::memory_order_relaxed);  // own field
}

// By the tid in its word: the thread's own, or, in a forked child, that of the parent's
// thread which took it.
bool OwnedByThis(const ThreadRecord* record, const std::atomic<uint32_t>* word) {
  // Relaxed: only this thread can have written its own tid, before or after the fork.
  const uint32_t owner = word->load(std::memory_order_relaxed) & kLockTidMask;
  if (owner == kLockFree) return false;
  return owner == OwnTid(record) ||
         owner == record->tid_before_fork.load(std::memory_order_relaxed);  // own field
}

void NameOnce(const void* lock, const char* name) {
  const PackedRef ref = FindLock(lock);
  if (ref == 0) return;
  std::atomic<uint32_t>& known = this_thread.locks[IndexOf(ref)].name;
  // Relaxed: a name for people; a reader checks that it ends with a NUL inside the table.
  if (known.load(std::memory_order_relaxed) != 0) return;
  known.store(InternName(TheLedger(), name), std::memory_order_relaxed);  // as above
}

constexpr auto kZeroIsTaken = [](int rc) { return rc == 0; };

// One level more of a lock that the thread holds, if it has levels.
template <class Object, class WhichFrame>
__attribute__((noinline)) LockAnswer LockAgain(Scope<WhichFrame> scope,
                                               std::atomic<uint32_t>* word, uint8_t mode_bits,
                                               uint64_t site) {
  if constexpr (std::is_same_v<Object, RLockObject>) {
    AcquireUnknown<Object>(scope, word, mode_bits, site, [] { return 0; }, kZeroIsTaken);
  }
  return LockAnswer::kOwned;
}

template <class Object, class WhichFrame>
LOCKWARDEN_INLINE LockAnswer LockIn(const Scope<WhichFrame>& scope, std::atomic<uint32_t>* word,
                                    uint8_t mode_bits, uint64_t site, const char* name) {
  ThreadRecord* const record = scope.record();
  if (__builtin_expect(Object::LooksTaken(word), 0) && OwnedByThis(record, word)) {
    return LockAgain<Object>(scope, word, mode_bits, site);
  }
  const bool unnamed = name != nullptr && LookUpLock(record, word).cached == nullptr;
  const uint32_t tid = OwnTid(record);
  if (__builtin_expect((mode_bits & kTry) != 0, 0)) {
    const auto attempt = [=] { return FutexTryLock(word, tid) ? 0 : 1; };
    const int rc = AcquireUnknown<Object>(scope, word, mode_bits, site, attempt, kZeroIsTaken);
    if (rc != 0) return LockAnswer::kBusy;
  } else {
    Acquire<Object>(scope, word, site, [=] { return FutexLock(word, tid), 0; }, kZeroIsTaken);
  }
  if (__builtin_expect(unnamed, 0)) NameOnce(word, name);
  return LockAnswer::kDone;
}

template <class Object>
LockAnswer LockKnownKind(std::atomic<uint32_t>* word, uint8_t mode_bits, uint64_t site,
                         uint64_t cfa, const char* name) {
  return InScope(
      cfa,
      [](std::atomic<uint32_t>*, uint8_t, uint64_t, const char*) {
        return LockAnswer::kNotRecorded;
      },
      [](const auto& scope, std::atomic<uint32_t>* w, uint8_t bits, uint64_t from,
         const char* called) { return LockIn<Object>(scope, w, bits, from, called); },
      word, mode_bits, site, name);
}

LockAnswer LockOwn(std::atomic<uint32_t>* word, LockKind kind, uint8_t mode_bits, uint64_t site,
                   uint64_t cfa, const char* name) {
  return kind == LockKind::kRLock ? LockKnownKind<RLockObject>(word, mode_bits, site, cfa, name)
                                  : LockKnownKind<LockObject>(word, mode_bits, site, cfa, name);
}

// What is not the newest hold, held more than once, or not held at all.
__attribute__((noinline)) LockAnswer UnlockInScope(std::atomic<uint32_t>* word, bool last,
                                                   uint64_t cfa) {
  const auto plain = [] { return LockAnswer::kNotRecorded; };
  return InScope(cfa, plain, [=](const auto& scope) {
    if (!OwnedByThis(scope.record(), word)) return LockAnswer::kNotOwned;
    RecordRelease(scope, word);
    if (last) FutexUnlock(word);
    return LockAnswer::kDone;
  });
}

LockAnswer UnlockOwn(std::atomic<uint32_t>* word, bool last, uint64_t cfa) {
  if (last && CanRecordAtOnce() && ReleaseTop(word)) {
    FutexUnlock(word);
    return LockAnswer::kDone;
  }
  return UnlockInScope(word, last, cfa);
}

void EndLife(const void* lock, uint64_t cfa) {
  InScope(cfa, [] { return 0; }, [=](const auto&) {
    const PackedRef life = FindLock(lock);
    if (life != 0) EndLockLife(life);
    return 0;
  });
}

constexpr RecorderApi kApi = {RecorderApi::kVersion, 0, LockOwn, UnlockOwn, EndLife};

}  // namespace
}  // namespace lockwarden::ledger

const lockwarden::ledger::RecorderApi* lockwarden_recorder_v1() {
  return &lockwarden::ledger::kApi;
}
