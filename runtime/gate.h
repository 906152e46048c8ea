// The gate: the only way from a thread to the ledger, in one private anonymous page
// marked MADV_WIPEONFORK. After a fork the child finds it zero and so knows that it is
// a new process, whatever ran before us in it (other libraries' fork handlers, raw
// clone): it can never write into its parent's ledger.
//
// Written by: Initialise, once an image. Read by: every hook, first thing.
//
//   G1 epoch = ledger base   release   pairs with G2: the ledger is formatted, handed over
//   G2 epoch                 acquire   on x86 a plain load
//   G0 the_gate = the page   CAS, release   pairs with TheGate's acquire: the page is there,
//                            wiped on fork; of several first threads one maps it for all
//
// A thread is registered with the present image exactly if its own `epoch` equals the
// gate's. State chart (state): kNew -> kInitialising (CAS, by the one thread that will
// initialise; others wait a moment for it) -> kRecording | kSteppedAside.
#pragma once

#include <atomic>
#include <cstdint>

#include "runtime/ledger.h"

namespace lockwarden::ledger {

enum class GateState : uint32_t { kNew = 0, kInitialising = 1, kRecording = 2, kSteppedAside = 3 };

struct Gate {
  std::atomic<uint64_t> epoch{0};     // address of the ledger; 0: none
  std::atomic<uint32_t> state{0};     // GateState
  std::atomic<uint32_t> slot_hint{0};  // where the search for a free thread slot begins
};

struct InheritedHolds;

// Thread-local state: 64 bytes, initial-exec, owner thread only. `epoch` starts out as a
// value that no gate has, so one comparison covers "not initialised", "new thread" and
// "forked child".
struct ThisThread {
  uint64_t epoch = 1;
  ThreadRecord* record = nullptr;
  uint32_t depth = 0;       // hooks in progress: the frame of the next one
  uint32_t in_runtime = 0;  // inside a slow path of ours: hooks step aside
  uint64_t hook_sp[kFrames] = {};  // stack pointer at the hook of each frame in use
  InheritedHolds* inherited = nullptr;  // on the stack of our fork hook, while it runs
  LockRecord* locks = nullptr;  // the lock table, found in one step on the fast path
};
static_assert(sizeof(ThisThread) <= 64);

extern std::atomic<Gate*> the_gate;  // never null; written once, by MapGate
extern __thread ThisThread this_thread __attribute__((tls_model("initial-exec")));

inline Gate* TheGate() { return the_gate.load(std::memory_order_acquire); }  // G0

// The mapped ledger of this image; only valid while the gate's state is kRecording.
inline Ledger TheLedger() {
  return Ledger(reinterpret_cast<void*>(TheGate()->epoch.load(std::memory_order_acquire)));  // G2
}

}  // namespace lockwarden::ledger
