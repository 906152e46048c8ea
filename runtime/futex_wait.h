// Sleeping on a word and waking who sleeps there: the two system calls behind every wait of
// our own types. Private to the process.
//
// Called by: the types' slow paths, on application threads. Must never: touch the word after
// a wake or a time-out, or errno: whoever was woken may have destroyed the object.
#pragma once

#include <atomic>
#include <cstdint>

namespace lockwarden::ledger {

// A moment, after which a wait gives up.
struct TimeLimit {
  int64_t seconds = 0, nanoseconds = 0;  // since the clock's epoch
  uint32_t realtime = 0;                 // of CLOCK_REALTIME; else of CLOCK_MONOTONIC
};

// Who sleeps on a word that several sorts of waiters share, and who is woken.
inline constexpr uint32_t kEverySleeper = 0xffffffffu;

// Sleeps while `*word == expected`, until woken (or for no reason at all: look again). False: the
// time is up. `limit` may be null.
bool FutexWait(const void* word, uint32_t expected, const TimeLimit* limit,
               uint32_t sleeper = kEverySleeper);
void FutexWake(const void* word, uint32_t count, uint32_t sleepers = kEverySleeper);
inline constexpr uint32_t kWakeAll = 0x7fffffffu;

}  // namespace lockwarden::ledger
