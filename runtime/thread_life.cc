// Creation and join, as each of them happens.
//
//   B1 joined_at, then joiner  release   pairs with B2: who sees the joiner sees when
//   B2 joiner                  acquire
#include "runtime/thread_life.h"

#include "runtime/ledger.h"

namespace lockwarden::ledger {
namespace {

// Null beyond the table. Serials begin at 1.
ThreadLife* LifeOf(const Ledger& ledger, uint32_t serial) {
  if (serial == 0 || serial > ledger.Capacity(kThreadLives)) return nullptr;
  return &ledger.Table<ThreadLife>(kThreadLives)[serial - 1];
}

// Moves the calling thread's clock; what it was.
uint32_t Tick(ThreadRecord* self) {
  // Relaxed, both: own record.
  const uint64_t clock = self->order_clock.load(std::memory_order_relaxed);
  self->order_clock.store(clock + 1, std::memory_order_relaxed);  // own record
  return static_cast<uint32_t>(clock);
}

}  // namespace

// A descriptor is not used again before its thread has been joined: the newest that had it.
uint32_t FindThreadSerial(const Ledger& ledger, uint64_t pthread_self) {
  // Relaxed: whoever is joined began long ago.
  uint32_t serial = ledger.header().next_thread_serial.load(std::memory_order_relaxed);
  if (serial > ledger.Capacity(kThreadLives)) serial = ledger.Capacity(kThreadLives) + 1;
  while (--serial > 0) {
    ThreadLife* life = LifeOf(ledger, serial);
    // Relaxed: as above.
    if (life->pthread_self.load(std::memory_order_relaxed) == pthread_self) return serial;
  }
  return 0;
}

void BeginThreadLife(const Ledger& ledger, uint32_t serial, ThreadRecord* creator) {
  ledger.Allocate(kThreadLives);  // counts it, or the drop
  ThreadLife* life = LifeOf(ledger, serial);
  if (creator == nullptr) return;
  const uint32_t clock = Tick(creator);
  if (life == nullptr) return;
  // Relaxed, both: nothing of the thread is recorded before it has been created, and a witness
  // of it is published by W1.
  life->created_at.store(clock, std::memory_order_relaxed);
  life->creator.store(creator->serial.load(std::memory_order_relaxed),
                      std::memory_order_relaxed);  // as above
}

void NoteThreadSelf(const Ledger& ledger, uint32_t serial, uint64_t pthread_self) {
  // Relaxed: read by who joins it, after its end.
  if (ThreadLife* life = LifeOf(ledger, serial)) {
    life->pthread_self.store(pthread_self, std::memory_order_relaxed);
  }
}

void NoteThreadJoined(const Ledger& ledger, uint32_t serial, uint64_t pthread_self,
                      ThreadRecord* joiner) {
  const uint32_t now = Tick(joiner) + 1;
  ThreadLife* life = LifeOf(ledger, serial == 0 ? FindThreadSerial(ledger, pthread_self) : serial);
  if (life == nullptr) return;
  life->joined_at.store(now, std::memory_order_relaxed);              // B1 publishes it
  life->joiner.store(joiner->serial.load(std::memory_order_relaxed),  // own record
                     std::memory_order_release);                      // B1
}

}  // namespace lockwarden::ledger
