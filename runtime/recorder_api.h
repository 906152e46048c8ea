// RecorderApi: the versioned table through which the linked types reach the recorder,
// whether it is the preload's or the linked library's own. One process has one recorder:
// the first library loaded that exports lockwarden_recorder_v1 is it.
//
// Written by: nobody (constant tables). Read by: the instrumented types.
// Must never: change meaning under the same version. Add a version instead.
#pragma once

#include <atomic>
#include <cstdint>

#include "runtime/futex_wait.h"
#include "runtime/lock_ref.h"

namespace lockwarden::ledger {

struct Gate;
struct Settings;
struct ThisThread;

enum class LockAnswer : uint32_t {
  kDone = 0,
  kBusy = 1,         // a try: held by another thread; or the time is up
  kOwned = 2,        // by the caller already: one level more, or nothing, as the kind has it
  kNotOwned = 3,     // not by the caller: nothing was released
  kNotRecorded = 4,  // and nothing was done: the caller does it itself
  kDeadlock = 5,     // it would have closed one: nothing was acquired
};

// Which of our own formats, and how: LockKind, and above it Mode and ModeBits.
constexpr uint32_t How(LockKind kind, uint8_t mode_and_bits) {
  return static_cast<uint32_t>(kind) | uint32_t{mode_and_bits} << 8;
}
constexpr uint32_t How(LockKind kind, Mode mode, uint8_t bits = 0) {
  return How(kind, static_cast<uint8_t>(static_cast<uint8_t>(mode) | bits));
}
constexpr LockKind KindOfHow(uint32_t how) { return static_cast<LockKind>(how & 0xff); }
constexpr Mode ModeOfHow(uint32_t how) { return static_cast<Mode>(how >> 8 & kModeMask); }
constexpr uint8_t BitsOfHow(uint32_t how) {
  return static_cast<uint8_t>(how >> 8 & ~uint32_t{kModeMask});
}
// A release of one level only: the lock stays held.
inline constexpr uint32_t kKeepsLock = 1u << 16;

// A sleep that another thread ends by changing a word: what for, on what, and until when.
struct WaitRequest {
  const void* object = nullptr;  // whose wait it is
  const void* word = nullptr;    // 32 bits, in the object or not far behind it
  uint32_t expected = 0;         // in the word, while one has to wait
  uint32_t how = 0;
  const TimeLimit* limit = nullptr;  // with kTimed
  const void* lock = nullptr;        // kSignal: what was released for the wait
  uint64_t peer = 0;                 // kUnowned and kArrive: as in WaitSlot
  const char* name = nullptr;        // may be null
  uint64_t site = 0, cfa = 0;
};

struct Cycle;  // cycle.h

struct RecorderApi {
  static constexpr uint32_t kVersion = 3;
  uint32_t version;
  uint32_t layout_version;  // the ledger's, which known_lock.h relies on
  // Takes a lock of our own format at `lock`, and records it. `how` has kTry, or kTimed and a
  // limit, or neither. `name` may be null; it is copied once. `cfa` and `site` are those of the
  // type's member function.
  LockAnswer (*acquire)(void* lock, uint32_t how, uint64_t site, uint64_t cfa, const char* name,
                        const TimeLimit* limit);
  // Gives it back.
  LockAnswer (*release)(void* lock, uint32_t how, uint64_t cfa);
  // From one mode of a SharedLock, which its word tells, to that of `how`. `cycle` is null, or as
  // for acquire_or_break.
  LockAnswer (*convert)(void* lock, uint32_t how, uint64_t site, uint64_t cfa,
                        const TimeLimit* limit, Cycle* cycle);
  // Units of a Semaphore are about to be given: those that the thread holds are not its own now.
  void (*note_units)(const void* semaphore, uint32_t units, uint64_t site, uint64_t cfa);
  // Sleeps, once, and records it: kBusy if the time is up, else kDone, perhaps for no reason.
  LockAnswer (*wait)(const WaitRequest* request);
  // The lock is being destroyed.
  void (*end_life)(const void* lock, uint64_t cfa);
  // For known_lock.h, which records by itself; null: it may not. Their layout belongs to
  // the version, that of the records behind them to layout_version. The settings do not change once the gate opens.
  ThisThread* (*this_thread)();
  const std::atomic<Gate*>* gate;
  const Settings* settings;
  // As acquire, without a try or a limit; if it would close a deadlock kDeadlock instead, and
  // *cycle says which.
  LockAnswer (*acquire_or_break)(void* lock, uint32_t how, uint64_t site, uint64_t cfa,
                                 const char* name, Cycle* cycle);
  // The calling thread ends waits for what nobody holds: it signals the condition (`heard`:
  // somebody waits for that), or helps at the object (helpers.h). False: it is not recorded.
  bool (*note_help)(const void* object, LockKind kind, const char* name, bool heard, uint64_t site,
                    uint64_t cfa);
};

}  // namespace lockwarden::ledger

// The recorder of the library that defines it.
extern "C" __attribute__((visibility("default"))) const lockwarden::ledger::RecorderApi*
lockwarden_recorder_v1();
