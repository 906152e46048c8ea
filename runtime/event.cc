// The word: bit 0 it is set, bit 1 somebody may sleep, above them how often it was set: whoever
// sleeps is let go by the next set(), also if it is cleared before the sleeper looks.
//
//   E1 set     CAS release    pairs with E2; wakes by the address alone
//   E2 a look  load acquire
#include "lockwarden/event.h"

#include "runtime/own_type.h"

namespace lockwarden {
inline namespace v1 {
namespace {

constexpr uint32_t kSet = 1, kSleepers = 2, kOnce = 4;

}  // namespace

Event::~Event() { ledger::TheRecorder()->end_life(&state_, LOCKWARDEN_CFA); }

void Event::set() noexcept {
  if (__builtin_expect(!internal::IsNoted(noted_, /*heard=*/false), 0)) {
    internal::NoteHelp(&noted_, &state_, internal::LockKind::kEvent, state_.name, /*heard=*/false,
                       LOCKWARDEN_SITE, LOCKWARDEN_CFA);
  }
  std::atomic<uint32_t>& word = state_.word;
  uint32_t seen = word.load(std::memory_order_relaxed);  // only to compute from
  uint32_t next;
  do {
    next = (seen & kSet) != 0 ? seen : ((seen & ~kSleepers) + kOnce) | kSet;
    // E1; on failure only the word is read.
  } while (!word.compare_exchange_weak(seen, next, std::memory_order_release,
                                       std::memory_order_relaxed));
  if ((seen & kSleepers) != 0) ledger::FutexWake(&state_.word, ledger::kWakeAll);
}

void Event::clear() noexcept {
  state_.word.fetch_and(~kSet, std::memory_order_relaxed);  // tells nobody anything
}

bool Event::is_set() const noexcept {
  return (state_.word.load(std::memory_order_acquire) & kSet) != 0;  // E2
}

bool Event::Wait(internal::Deadline deadline) {
  std::atomic<uint32_t>& word = state_.word;
  uint32_t seen = word.load(std::memory_order_acquire);  // E2
  while ((seen & (kSet | kSleepers)) == 0) {
    if (word.compare_exchange_weak(seen, seen | kSleepers, std::memory_order_acquire)) {  // E2
      seen |= kSleepers;
    }
  }
  if ((seen & kSet) != 0) return true;
  for (bool in_time = true;;) {
    if (word.load(std::memory_order_acquire) != seen) return true;  // E2
    if (!in_time) return false;
    in_time = internal::Sleep({.object = &state_,
                               .word = &word,
                               .expected = seen,
                               .name = state_.name,
                               .site = LOCKWARDEN_SITE,
                               .cfa = LOCKWARDEN_CFA},
                              internal::LockKind::kEvent, internal::Mode::kSignal, deadline);
  }
}

}  // namespace v1
}  // namespace lockwarden
