// Chooses holds to be timed, and counts how long they, and waits, took. See the header.
#include "runtime/hold_timer.h"

#include "runtime/recorder.h"
#include "runtime/sandbox.h"
#include "runtime/this_clock.h"

namespace lockwarden::ledger {
namespace {

// Without a clock every hold seems to take no time.
uint64_t HoldClockNs() {
  // Under a filter of the program's it may be a system call, where the processor's is not trusted;
  // in seccomp's strict mode the time stamp counter itself may not be read.
  return Sandboxed() ? 0 : MonotonicNs();
}

constexpr uint64_t kBetweenTimedHoldsNs = 1'000'000;

// Null: a lock without a class, for want of room.
LockTimes* TimesOf(const LockRecord& lock) {
  // Relaxed: a statistic; whoever changes a life's class meanwhile gets it counted there.
  const uint32_t lock_class = lock.lock_class.load(std::memory_order_relaxed);
  if (lock_class == 0) return nullptr;
  return &TheLedger().Table<LockClassRecord>(kClasses)[lock_class - 1].times;
}

void Count(std::atomic<uint32_t>* buckets, uint64_t duration_ns, uint32_t by) {
  buckets[TimeBucket(duration_ns)].fetch_add(by, std::memory_order_relaxed);  // a statistic
}

}  // namespace

uint32_t ChooseNextTimedHold(ThreadRecord* record, uint64_t now_ns) {
  HoldTimer& timer = record->hold_timer;
  // Relaxed: own record.
  const auto at = static_cast<uint32_t>(record->acquisitions.load(std::memory_order_relaxed));
  const uint32_t stands_for = at - timer.chosen_at;
  const uint64_t elapsed_ns = now_ns - timer.chosen_ns;
  // As many as came in the time between two; upwards in steps, for the sake of threads that
  // take two locks in a row now and then.
  uint64_t mean = elapsed_ns == 0 ? kMostPerTimedHold
                                  : uint64_t{stands_for} * kBetweenTimedHoldsNs / elapsed_ns;
  const uint64_t most = timer.mean == 0 ? 1 : uint64_t{timer.mean} * 2;
  if (mean > most) mean = most;
  if (mean > kMostPerTimedHold) mean = kMostPerTimedHold;
  if (mean == 0) mean = 1;
  timer.mean = static_cast<uint32_t>(mean);
  timer.chosen_at = at;
  timer.chosen_ns = now_ns;
  const auto gap = static_cast<uint32_t>(1 + MixHash(now_ns ^ at) % (2 * mean - 1));
  record->frame0.time_at.store(at + gap, std::memory_order_relaxed);  // own field
  return stands_for;
}

void PassTimedHold(ThreadRecord* record) { ChooseNextTimedHold(record, HoldClockNs()); }

void TimeNewestHold(ThreadRecord* record, uint32_t frame) {
  TimeNewestHold(record, frame, HoldClockNs());
}

void TimeNewestHold(ThreadRecord* record, uint32_t frame, uint64_t now_ns) {
  const uint32_t stands_for = ChooseNextTimedHold(record, now_ns);
  // Relaxed, all: own record.
  const uint32_t count = record->FrameAt(frame).held_count.load(std::memory_order_relaxed);
  if (count == 0) return;
  HeldEntry& entry = record->held[kHeldBegin[frame] + count - 1];
  const PackedRef ref = entry.lock.load(std::memory_order_relaxed);    // own record
  const uint32_t depth = entry.depth.load(std::memory_order_relaxed);  // own record
  if (ref == 0 || depth != 0 || ModeOf(ref) == Mode::kUnit) return;
  // A thread that holds many timed locks for long goes on with the newer ones.
  TimedHold* place = &record->hold_timer.holds[0];
  for (TimedHold& other : record->hold_timer.holds) {
    if (other.lock == 0) {
      place = &other;
      break;
    }
    if (other.since_ns < place->since_ns) place = &other;
  }
  *place = {WithoutMode(ref), now_ns, stands_for};
  entry.depth.store(kHoldTimed, std::memory_order_relaxed);  // own record
}

int TimeHoldAfterHook(ThisThread* self, ThreadRecord* record, int rc) {
  self->busy = LOCKWARDEN_CFA;
  std::atomic_signal_fence(std::memory_order_seq_cst);  // what follows is done in the frame
  TimeNewestHold(record, 0);
  std::atomic_signal_fence(std::memory_order_seq_cst);  // and what came before
  self->busy = 0;
  return rc;
}

void EndTimedHold(ThreadRecord* record, PackedRef ref) { EndTimedHold(record, ref, HoldClockNs()); }

void EndTimedHold(ThreadRecord* record, PackedRef ref, uint64_t now_ns) {
  if (ref == 0) return;
  for (TimedHold& hold : record->hold_timer.holds) {
    if (hold.lock != WithoutMode(ref)) continue;
    const TimedHold timed = hold;
    hold = {};
    LockTimes* times = TimesOf(TheLedger().Table<LockRecord>(kLocks)[IndexOf(ref)]);
    if (times != nullptr && now_ns >= timed.since_ns) {
      Count(times->holds, now_ns - timed.since_ns, timed.stands_for);
    }
    return;
  }
}

void CountWait(const LockRecord& lock, uint64_t waited_ns) {
  if (LockTimes* times = TimesOf(lock); times != nullptr) Count(times->waits, waited_ns, 1);
}

}  // namespace lockwarden::ledger
