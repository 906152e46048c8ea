// Heartbeats, on the recorder's side: "I am alive", said by a thread with a coarse clock and a
// few stores. The reader compares the last beat with the deadline; nobody is waited for.
//
// Written by: the beating thread, into one record of the heartbeat table; the caller keeps the
// handle. Read by: the watchdog, which says STALL. Must never: allocate, or be relied on for
// more than a few milliseconds of precision.
//
//   H1 state    release, after all fields of a new heartbeat   pairs with H2
//   H2 state    acquire, by the reader before and after the fields
//   H3 deadline  release, after the beat that it counts from   pairs with H4
//   H4 deadline  acquire, by the reader before last_ns: a shorter deadline is never compared
//                with a beat from before it was set
#pragma once

#include <cstdint>

namespace lockwarden::ledger {

// What the program keeps of a heartbeat. The layout of struct lockwarden_heartbeat.
struct HeartbeatHandle {
  const char* name = nullptr;  // outlives the handle; copied at the first beat of each image
  uint64_t deadline_ns = 0;
  uint64_t essential = 0;
  uint64_t image = 0;  // which ledger `slot` is in; 0: in none yet
  uint64_t slot = 0;
};

// Found by name, as RecorderApi is. Must never: change meaning under the same name.
struct HeartbeatApi {
  static constexpr uint32_t kVersion = 1;
  uint32_t version;
  uint32_t reserved;
  // A first beat makes the heartbeat known, with the deadline of its handle; so does the first
  // in a forked child, whose parent's heartbeats are not its own.
  void (*beat)(HeartbeatHandle* handle, uint64_t cfa);
  // No beat is expected until resume; with `until_beat`, until the next beat.
  void (*pause)(HeartbeatHandle* handle, bool until_beat, uint64_t cfa);
  void (*resume)(HeartbeatHandle* handle, uint64_t cfa);
  // Counts from a beat that this is. Returns the one before.
  uint64_t (*set_deadline)(HeartbeatHandle* handle, uint64_t deadline_ns, uint64_t cfa);
  void (*stop)(HeartbeatHandle* handle);
};

}  // namespace lockwarden::ledger

// The table of the library that defines it.
extern "C" __attribute__((visibility("default"))) const lockwarden::ledger::HeartbeatApi*
lockwarden_heartbeat_v1();
