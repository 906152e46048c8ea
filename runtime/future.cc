// The word: bit 0 it is set, bit 1 somebody may sleep, bit 2 somebody is about to set it.
//
//   F1 claimed  fetch_or relaxed   chooses one of those who set; tells nobody anything
//   F2 set      fetch_or release   pairs with F3; then wakes by the address alone
//   F3 a look   load acquire
//
// Whoever sets keeps the state alive meanwhile, by its promise.
#include "lockwarden/future.h"

#include <cxxabi.h>

#include "runtime/own_type.h"

namespace lockwarden {
inline namespace v1 {
namespace internal {
namespace {

constexpr uint32_t kSet = 1, kSleepers = 2, kClaimed = 4;

}  // namespace

FutureState::~FutureState() { ledger::TheRecorder()->end_life(&state_, LOCKWARDEN_CFA); }

void FutureState::Claim() {
  if ((state_.word.fetch_or(kClaimed, std::memory_order_relaxed) & kClaimed) != 0) {  // F1
    throw std::future_error(std::future_errc::promise_already_satisfied);
  }
}

void FutureState::Unclaim() noexcept {
  state_.word.fetch_and(~kClaimed, std::memory_order_relaxed);  // F1, undone
}

void FutureState::Publish() noexcept {
  const uint32_t before = state_.word.fetch_or(kSet, std::memory_order_release);  // F2
  if ((before & kSleepers) != 0) ledger::FutexWake(&state_.word, ledger::kWakeAll);
}

void FutureState::SetError(std::exception_ptr error) {
  Claim();
  error_ = std::move(error);
  Publish();
}

void FutureState::Break() {
  // Relaxed: F1 alone decides.
  if ((state_.word.fetch_or(kClaimed, std::memory_order_relaxed) & kClaimed) != 0) return;
  error_ = std::make_exception_ptr(std::future_error(std::future_errc::broken_promise));
  Publish();
}

bool FutureState::ready() const noexcept {
  return (state_.word.load(std::memory_order_acquire) & kSet) != 0;  // F3
}

bool FutureState::Wait(Deadline deadline, uint64_t thread) {
  for (bool in_time = true;;) {
    uint32_t seen = state_.word.load(std::memory_order_acquire);  // F3
    if ((seen & kSet) != 0) return true;
    if (!in_time) return false;
    if ((seen & kSleepers) == 0) {
      // Relaxed: the kernel compares the word again before the sleep.
      seen = state_.word.fetch_or(kSleepers, std::memory_order_relaxed) | kSleepers;
      if ((seen & kSet) != 0) continue;
    }
    in_time = internal::Sleep({.object = &state_,
                               .word = &state_.word,
                               .expected = seen,
                               .peer = thread,
                               .name = state_.name,
                               .site = LOCKWARDEN_SITE,
                               .cfa = LOCKWARDEN_CFA},
                              LockKind::kFuture, Mode::kUnowned, deadline);
  }
}

void FutureState::Retrieve() {
  if (std::exchange(retrieved_, true)) {
    throw std::future_error(std::future_errc::future_already_retrieved);
  }
}

void ThrowNoState() { throw std::future_error(std::future_errc::no_state); }

void RunAndKeepError(FutureState& state, void (*body)(void*), void* argument) {
  try {
    body(argument);
  } catch (const abi::__forced_unwind&) {
    throw;  // pthread_exit, or a cancellation: the promise goes, and is broken
  } catch (...) {
    state.SetError(std::current_exception());
  }
}

}  // namespace internal
}  // namespace v1
}  // namespace lockwarden
