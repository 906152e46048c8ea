// See shared_word.h for the protocol.
#include "runtime/shared_word.h"

namespace lockwarden::ledger {
namespace {

// Who sleeps on the readers' half.
constexpr uint32_t kReaders = 1, kDrainer = 2;
// Readers let in at once, while they are woken, and a seat given up.
constexpr uint64_t kClosedAndWait = InReaders(kReadersClosed | kReadersWait);

const void* SeatHalf(const SharedWord* word) { return word; }
const void* ReadersHalf(const SharedWord* word) {
  return reinterpret_cast<const char*>(word) + sizeof(uint32_t);  // little-endian, as the judge
}
uint32_t ReadersBits(uint64_t seen) { return static_cast<uint32_t>(seen >> 32); }

void WakeReaders(SharedWord* word, uint64_t before) {
  if ((before & InReaders(kReadersWait)) != 0) FutexWake(ReadersHalf(word), kWakeAll, kReaders);
}

void Wake(SharedWord* word, uint64_t before) {
  WakeReaders(word, before);
  if ((before & kLockWaiters) != 0) FutexWake(SeatHalf(word), 1);
}

bool TakeSeat(SharedWord* word, uint32_t tid, uint64_t closed, const TimeLimit* limit) {
  uint64_t others = 0;  // may have slept behind us: the bit is kept, as in futex_lock.cc
  uint64_t seen = word->load(std::memory_order_relaxed);  // S1 synchronises, not this look
  for (;;) {
    if (SeatOf(seen) == kLockFree) {
      // S1; on failure only the word is read.
      if (word->compare_exchange_weak(seen, seen | tid | others | closed,
                                      std::memory_order_acquire, std::memory_order_relaxed)) {
        return true;
      }
      continue;
    }
    if ((seen & kLockWaiters) == 0 &&
        !word->compare_exchange_weak(seen, seen | kLockWaiters, std::memory_order_relaxed)) {  // S6
      continue;
    }
    const bool in_time = FutexWait(SeatHalf(word), SeatOf(seen) | kLockWaiters, limit);
    others = kLockWaiters;
    seen = word->load(std::memory_order_relaxed);  // S1 synchronises, not this look
    if (!in_time && SeatOf(seen) != kLockFree) return false;
  }
}

// It is closed: until the readers of before have left.
bool Drain(SharedWord* word, const TimeLimit* limit) {
  for (bool in_time = true;;) {
    const uint64_t seen = word->load(std::memory_order_acquire);  // S5
    if (ReadersOf(seen) == 0) return true;
    if (!in_time) return false;
    in_time = FutexWait(ReadersHalf(word), ReadersBits(seen), limit, kDrainer);
  }
}

}  // namespace

bool TakeShared(SharedWord* word, const TimeLimit* limit) {
  uint64_t seen = word->load(std::memory_order_relaxed);  // S3 synchronises, not this look
  for (;;) {
    if (!IsClosed(seen)) {
      // S3; on failure only the word is read.
      if (word->compare_exchange_weak(seen, seen + kOneReader, std::memory_order_acquire,
                                      std::memory_order_relaxed)) {
        return true;
      }
      continue;
    }
    const uint64_t waiting = seen | InReaders(kReadersWait);
    if (seen != waiting &&
        !word->compare_exchange_weak(seen, waiting, std::memory_order_relaxed)) {  // S6
      continue;
    }
    const bool in_time = FutexWait(ReadersHalf(word), ReadersBits(waiting), limit, kReaders);
    seen = word->load(std::memory_order_relaxed);  // S3 synchronises, not this look
    if (!in_time && IsClosed(seen)) return false;
  }
}

bool TakeExclusive(SharedWord* word, uint32_t tid, const TimeLimit* limit) {
  if (!TakeSeat(word, tid, InReaders(kReadersClosed), limit)) return false;
  if (Drain(word, limit)) return true;
  Wake(word, word->fetch_and(~(kSeatMask | kClosedAndWait), std::memory_order_release));  // S2
  return false;
}

bool TakeUpgrade(SharedWord* word, uint32_t tid, const TimeLimit* limit) {
  return TryUpgrade(word, tid) || TakeSeat(word, tid, 0, limit);
}

bool TryUpgrade(SharedWord* word, uint32_t tid) {
  uint64_t seen = word->load(std::memory_order_relaxed);  // S1 synchronises, not this look
  while (SeatOf(seen) == kLockFree) {
    // S1; on failure only the word is read.
    if (word->compare_exchange_weak(seen, seen | tid, std::memory_order_acquire,
                                    std::memory_order_relaxed)) {
      return true;
    }
  }
  return false;
}

void WakeDrainer(SharedWord* word) { FutexWake(ReadersHalf(word), 1, kDrainer); }

void WakeOthers(SharedWord* word, uint64_t before) { Wake(word, before); }

void ReleaseUpgrade(SharedWord* word) {
  Wake(word, word->fetch_and(~kSeatMask, std::memory_order_release));  // S2
}

bool UpgradeToExclusive(SharedWord* word, const TimeLimit* limit) {
  // Relaxed: S5 synchronises with the readers, and the seat was had before.
  word->fetch_or(InReaders(kReadersClosed), std::memory_order_relaxed);
  if (Drain(word, limit)) return true;
  ExclusiveToUpgrade(word);
  return false;
}

bool TryUpgradeToExclusive(SharedWord* word) {
  uint64_t seen = word->load(std::memory_order_relaxed);  // the exchange below synchronises
  while (ReadersOf(seen) == 0) {
    // As S5; on failure only the word is read.
    if (word->compare_exchange_weak(seen, seen | InReaders(kReadersClosed),
                                    std::memory_order_acquire, std::memory_order_relaxed)) {
      return true;
    }
  }
  return false;
}

void ExclusiveToUpgrade(SharedWord* word) {
  WakeReaders(word, word->fetch_and(~kClosedAndWait, std::memory_order_release));  // S2
}

void ExclusiveToShared(SharedWord* word) {
  Wake(word, word->exchange(kOneReader, std::memory_order_release));  // S2
}

void UpgradeToShared(SharedWord* word) {
  uint64_t seen = word->load(std::memory_order_relaxed);  // only to compute from
  while (!word->compare_exchange_weak(seen, (seen & ~kSeatMask) + kOneReader,
                                      std::memory_order_release,  // S2
                                      std::memory_order_relaxed)) {
  }
  Wake(word, seen);
}

}  // namespace lockwarden::ledger
