// Lock and RLock: record, lock, record. The recorder may be the preload's or our own.
#include "lockwarden/lock.h"

#include <system_error>

#include "lockwarden/rlock.h"
#include "runtime/futex_lock.h"
#include "runtime/lock_word.h"
#include "runtime/recorder.h"
#include "runtime/the_recorder.h"

namespace lockwarden {
inline namespace v1 {
namespace {

using internal::LockState;
using ledger::LockAnswer;
using ledger::LockKind;

[[noreturn]] void Throw(std::errc code, const char* what) {
  throw std::system_error(std::make_error_code(code), what);
}

// Where nothing can be recorded: the lock alone.
bool OwnedBy(const LockState& state, uint32_t tid) {
  // Relaxed: only this thread can have written its own tid.
  const uint32_t owner = state.word.load(std::memory_order_relaxed) & ledger::kLockTidMask;
  return owner == tid || ledger::WasThisTid(owner);
}

LockAnswer LockUnrecorded(LockState* state, uint8_t mode_bits) {
  const uint32_t tid = ledger::ThisTid();
  if (OwnedBy(*state, tid)) return LockAnswer::kOwned;
  if ((mode_bits & ledger::kTry) != 0) {
    return ledger::FutexTryLock(&state->word, tid) ? LockAnswer::kDone : LockAnswer::kBusy;
  }
  ledger::FutexLock(&state->word, tid);
  return LockAnswer::kDone;
}

LockAnswer UnlockUnrecorded(LockState* state, bool last) {
  if (!OwnedBy(*state, ledger::ThisTid())) return LockAnswer::kNotOwned;
  if (last) ledger::FutexUnlock(&state->word);
  return LockAnswer::kDone;
}

LOCKWARDEN_INLINE LockAnswer Acquire(LockState* state, LockKind kind, uint8_t mode_bits,
                                     uint64_t site, uint64_t cfa) {
  const LockAnswer answer =
      ledger::TheRecorder()->lock(&state->word, kind, mode_bits, site, cfa, state->name);
  return answer == LockAnswer::kNotRecorded ? LockUnrecorded(state, mode_bits) : answer;
}

LOCKWARDEN_INLINE LockAnswer Release(LockState* state, bool last, uint64_t cfa) {
  const LockAnswer answer = ledger::TheRecorder()->unlock(&state->word, last, cfa);
  return answer == LockAnswer::kNotRecorded ? UnlockUnrecorded(state, last) : answer;
}

void EndLife(LockState* state, uint64_t cfa) { ledger::TheRecorder()->end_life(state, cfa); }

}  // namespace

uint32_t internal::AssignId(LockState* state) {
  static constinit std::atomic<uint32_t> next{1};
  // Relaxed, all: the id is a number; nothing is published with it.
  uint32_t id = state->id.load(std::memory_order_relaxed);
  if (id != 0) return id;
  const uint32_t fresh = next.fetch_add(1, std::memory_order_relaxed);
  // As above: the number alone.
  return state->id.compare_exchange_strong(id, fresh, std::memory_order_relaxed) ? fresh : id;
}

Lock::~Lock() { EndLife(&state_, LOCKWARDEN_CFA); }

void Lock::lock() {
  if (__builtin_expect(Acquire(&state_, LockKind::kLock, 0, LOCKWARDEN_SITE, LOCKWARDEN_CFA) !=
                           LockAnswer::kDone, 0)) {
    Throw(std::errc::resource_deadlock_would_occur, "lockwarden::Lock locked twice by its owner");
  }
}

bool Lock::try_lock() {
  return Acquire(&state_, LockKind::kLock, ledger::kTry, LOCKWARDEN_SITE, LOCKWARDEN_CFA) ==
         LockAnswer::kDone;
}

void Lock::unlock() {
  if (__builtin_expect(Release(&state_, /*last=*/true, LOCKWARDEN_CFA) != LockAnswer::kDone, 0)) {
    Throw(std::errc::operation_not_permitted, "lockwarden::Lock unlocked by another thread");
  }
}

RLock::~RLock() { EndLife(&state_, LOCKWARDEN_CFA); }

void RLock::lock() {
  if (Acquire(&state_, LockKind::kRLock, 0, LOCKWARDEN_SITE, LOCKWARDEN_CFA) ==
      LockAnswer::kOwned) {
    depth_.store(depth_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);  // own
  }
}

bool RLock::try_lock() {
  const LockAnswer answer =
      Acquire(&state_, LockKind::kRLock, ledger::kTry, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
  if (answer == LockAnswer::kOwned) depth_.store(depth_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);  // own
  return answer != LockAnswer::kBusy;
}

void RLock::unlock() {
  // Relaxed: the owner's own; anybody else is refused whatever stands there.
  const bool last = depth_.load(std::memory_order_relaxed) == 0;
  if (Release(&state_, last, LOCKWARDEN_CFA) != LockAnswer::kDone) {
    Throw(std::errc::operation_not_permitted, "lockwarden::RLock unlocked by another thread");
  }
  if (!last) depth_.store(depth_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);  // own
}

}  // namespace v1
}  // namespace lockwarden
