// The state is behind a lock of its own that nobody holds while it sleeps or runs the action.
// Whoever waits leaves a note on its stack where it is told how its round has ended: the barrier
// itself may be in its next round by then.
//
//   B1 outcome    store release, then the round moves, release; both pair with B2
//   B2 outcome    load acquire; the round likewise, so that who sees the next one knows its outcome
//   B3 visitors   fetch_sub release, the last touch of a visitor; pairs with B4
//   B4 visitors   load acquire   the destructor's last look
#include "lockwarden/barrier.h"

#include <utility>

#include "runtime/own_type.h"

namespace lockwarden {
inline namespace v1 {
namespace {

constexpr uint32_t kPending = 0, kPassed = 1, kBroken = 2;
constexpr uint32_t kDestroyer = 0x80000000u;
// In the guard's word, where a Lock has its owner: it is nobody's business.
constexpr uint32_t kSomebody = 1;

}  // namespace

struct Barrier::Arrival {
  Arrival* next = nullptr;
  bool complete = false;  // under the guard: all have come, so that giving up is too late
  std::atomic<uint32_t> outcome{kPending};
};

class Barrier::Guard {
 public:
  explicit Guard(const Barrier& barrier) : word_(&barrier.guard_) {
    ledger::FutexLock(word_, kSomebody);
  }
  ~Guard() { ledger::FutexUnlock(word_); }
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

 private:
  std::atomic<uint32_t>* word_;
};

class Barrier::Visit {
 public:
  explicit Visit(Barrier& barrier) : visitors_(&barrier.visitors_) {
    visitors_->fetch_add(1, std::memory_order_relaxed);  // B3 and B4 order what matters
  }
  ~Visit() {
    const uint32_t before = visitors_->fetch_sub(1, std::memory_order_release);  // B3
    if (before == (kDestroyer | 1)) ledger::FutexWake(visitors_, 1);
  }
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;

 private:
  std::atomic<uint32_t>* visitors_;
};

Barrier::Barrier(uint32_t parties, std::function<void()> action, const char* name)
    : parties_(parties), name_(name), action_(std::move(action)) {
  if (parties == 0) internal::Throw(std::errc::invalid_argument, "lockwarden::Barrier of nobody");
}

Barrier::~Barrier() {
  uint32_t seen = visitors_.fetch_or(kDestroyer, std::memory_order_acquire) | kDestroyer;  // B4
  while (seen != kDestroyer) {
    internal::Sleep({.object = this,
                     .word = &visitors_,
                     .expected = seen,
                     .name = name_,
                     .site = LOCKWARDEN_SITE,
                     .cfa = LOCKWARDEN_CFA},
                    internal::LockKind::kBarrier, internal::Mode::kArrive, {});
    seen = visitors_.load(std::memory_order_acquire);  // B4
  }
  ledger::TheRecorder()->end_life(this, LOCKWARDEN_CFA);
}

// Under the guard.
void Barrier::EndRound(Arrival* round, uint32_t outcome) {
  while (round != nullptr) {
    Arrival* const next = round->next;  // before its owner may go
    round->outcome.store(outcome, std::memory_order_release);  // B1
    round = next;
  }
  round_.fetch_add(1, std::memory_order_release);  // B1
  ledger::FutexWake(&round_, ledger::kWakeAll);
}

void Barrier::RunAction(Arrival* round) {
  if (action_ == nullptr) {
    const Guard guard(*this);
    return EndRound(round, kPassed);
  }
  try {
    action_();
  } catch (...) {
    const Guard guard(*this);
    broken_ = true;
    EndRound(round, kBroken);
    throw;
  }
  const Guard guard(*this);
  EndRound(round, kPassed);
}

// The time is up: breaks the barrier for all that wait, unless the round is complete.
bool Barrier::GaveUp(Arrival* own) {
  const Guard guard(*this);
  if (own->complete || own->outcome.load(std::memory_order_acquire) != kPending) {  // B2
    return false;
  }
  broken_ = true;
  arrived_ = 0;
  EndRound(std::exchange(arrivals_, nullptr), kBroken);
  return true;
}

uint32_t Barrier::Wait(internal::Deadline deadline) {
  const Visit visit(*this);
  Arrival own;
  uint32_t index, round;
  Arrival* complete = nullptr;
  {
    const Guard guard(*this);
    if (broken_) throw BrokenBarrier();
    index = arrived_++;
    round = round_.load(std::memory_order_relaxed);  // under the guard
    if (arrived_ == parties_) {
      arrived_ = 0;
      complete = std::exchange(arrivals_, nullptr);
      for (Arrival* each = complete; each != nullptr; each = each->next) each->complete = true;
    } else {
      own.next = std::exchange(arrivals_, &own);
    }
  }
  if (index + 1 == parties_) {
    // Who waits is known by that. The others may come to this one's next round without it.
    if (!internal::IsNoted(noted_, /*heard=*/false)) {
      internal::NoteHelp(&noted_, this, internal::LockKind::kBarrier, name_, /*heard=*/false,
                         LOCKWARDEN_SITE, LOCKWARDEN_CFA);
    }
    RunAction(complete);
    return index;
  }
  while (own.outcome.load(std::memory_order_acquire) == kPending) {  // B2
    const bool in_time =
        internal::Sleep({.object = this,
                         .word = &round_,
                         .expected = round,
                         .peer = parties_,
                         .name = name_,
                         .site = LOCKWARDEN_SITE,
                         .cfa = LOCKWARDEN_CFA},
                        internal::LockKind::kBarrier, internal::Mode::kArrive, deadline);
    // Complete: the action runs, and its end is the end of this wait.
    if (!in_time && !GaveUp(&own)) deadline = internal::Deadline();
    // Another round than this thread's may have ended meanwhile.
    if (own.outcome.load(std::memory_order_acquire) == kPending) {  // B2
      round = round_.load(std::memory_order_acquire);  // B2: and then at the outcome again
    }
  }
  if (own.outcome.load(std::memory_order_relaxed) == kBroken) throw BrokenBarrier();  // B2 before
  return index;
}

void Barrier::abort() {
  const Guard guard(*this);
  broken_ = true;
  arrived_ = 0;
  EndRound(std::exchange(arrivals_, nullptr), kBroken);
}

void Barrier::reset() {
  const Guard guard(*this);
  broken_ = false;
  arrived_ = 0;
  EndRound(std::exchange(arrivals_, nullptr), kBroken);
}

bool Barrier::broken() const {
  const Guard guard(*this);
  return broken_;
}

uint32_t Barrier::waiting() const {
  const Guard guard(*this);
  return arrived_;
}

}  // namespace v1
}  // namespace lockwarden
