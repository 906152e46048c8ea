// ThreadLife: who created a thread, who joined it, and when by their own clocks. From that the
// reader knows which steps of different threads can never meet.
//
// A thread's clock (ThreadRecord::order_clock) moves each time that it creates or joins one.
// What the creator did up to `created_at` comes before all that the thread does; all that the
// thread did comes before what the joiner does from `joined_at` on. (S. Bensalem, K. Havelund:
// Dynamic Deadlock Analysis of Multi-Threaded Programs, 2005, call these segments.)
//
// One record a thread and never reused, found by its serial: the thread's own record is wiped
// for the next one. Of a thread beyond the table nothing is known, which is counted as a drop;
// its steps are then ordered with nobody's.
//
// Written by: the creator, before the thread runs; the thread, once; who joined it. Read by: the
// reader. Must never: be wiped.
#pragma once

#include <atomic>
#include <cstdint>

namespace lockwarden::ledger {

class Ledger;
struct ThreadRecord;

struct ThreadLife {
  std::atomic<uint64_t> pthread_self{0};  // 0: it has not begun
  std::atomic<uint32_t> creator{0};       // serial; 0: not seen being created
  std::atomic<uint32_t> created_at{0};
  std::atomic<uint32_t> joiner{0};  // serial; 0: not joined, or by a call with a time limit
  std::atomic<uint32_t> joined_at{0};
};
static_assert(sizeof(ThreadLife) == 24);

// Begins the life of the thread with that serial. `creator` may be null; else it is the calling
// thread's own record.
void BeginThreadLife(const Ledger& ledger, uint32_t serial, ThreadRecord* creator);
// The newest thread with that descriptor; 0: none is known.
uint32_t FindThreadSerial(const Ledger& ledger, uint64_t pthread_self);
void NoteThreadSelf(const Ledger& ledger, uint32_t serial, uint64_t pthread_self);
// The calling thread, whose record `joiner` is, has waited for the end of that thread without a
// time limit. `serial` 0: its record was used again meanwhile; it is looked for by `pthread_self`.
void NoteThreadJoined(const Ledger& ledger, uint32_t serial, uint64_t pthread_self,
                      ThreadRecord* joiner);

}  // namespace lockwarden::ledger
