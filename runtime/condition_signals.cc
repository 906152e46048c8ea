// Evidence only: every access is relaxed, and what two threads write at once may be lost.
#include "runtime/condition_signals.h"

#include "runtime/recorder.h"
#include "runtime/stack_capture.h"

namespace lockwarden::ledger {
namespace {

bool Knows(uint64_t signallers, uint32_t serial) {
  return static_cast<uint32_t>(signallers) == serial || signallers >> 32 == serial;
}

void AddSignaller(LockRecord& condition, uint32_t serial) {
  std::atomic<uint64_t>& word = Signallers(condition);
  uint64_t seen = word.load(std::memory_order_relaxed);  // evidence only
  while (!Knows(seen, serial)) {
    uint64_t next = seen;
    if (static_cast<uint32_t>(seen) == 0) {
      next |= serial;
    } else if (seen >> 32 == 0) {
      next |= uint64_t{serial} << 32;
    } else {
      SignalMarks(condition).fetch_or(kOthersSignal, std::memory_order_relaxed);  // evidence only
      return;
    }
    // Relaxed: evidence only.
    if (word.compare_exchange_weak(seen, next, std::memory_order_relaxed)) return;
  }
}

}  // namespace

void NoteSignal(const Place& place, const void* condition, DescribeLock describe, bool heard,
                uint64_t site) {
  const LockUse use = IdentifyLock(place.record, condition, describe, site, place.cfa);
  if (use.ref == 0 || (use.kind_and_flags & kFolded) != 0) return;
  LockRecord& record = this_thread.locks[IndexOf(use.ref)];
  // Relaxed, all: evidence only; the serial is this thread's own.
  const uint32_t serial = place.record->serial.load(std::memory_order_relaxed);
  const uint32_t marks = SignalMarks(record).load(std::memory_order_relaxed);      // as above
  const uint64_t signallers = Signallers(record).load(std::memory_order_relaxed);  // as above
  if (!Knows(signallers, serial) && (marks & kOthersSignal) == 0) AddSignaller(record, serial);
  if ((marks & kSomebodyHeard) != 0) return;
  if (heard) {
    SignalMarks(record).fetch_or(kSomebodyHeard, std::memory_order_relaxed);  // as above
    return;
  }
  if (marks / kOneUnheard >= kMostUnheard) return;
  SignalMarks(record).fetch_add(kOneUnheard, std::memory_order_relaxed);  // as above
  const uint32_t stack = CaptureIfWanted(place.record, site, place.cfa);
  UnheardStack(record).store(stack, std::memory_order_relaxed);  // as above
}

void ForgetSignals(LockRecord& record) {
  // Relaxed, all: made visible with the life that begins (L1).
  Signallers(record).store(0, std::memory_order_relaxed);
  SignalMarks(record).store(0, std::memory_order_relaxed);   // as above
  UnheardStack(record).store(0, std::memory_order_relaxed);  // as above
}

}  // namespace lockwarden::ledger
