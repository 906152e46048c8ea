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
  LockRecord* locks = nullptr;  // the lock table, found in one step on the fast path
  // 0: a hook can begin at once, in the first frame. Else that frame's hook is in progress and
  // this is its stack pointer, a multiple of 8, whose low bits count the frames in use above
  // it; or kInRuntime. So one store begins a hook, and one ends it with all that it left.
  uint64_t busy = 0;
  uint64_t sp_above[kFrames - 1] = {};  // stack pointer at the hook of each frame above
  InheritedHolds* inherited = nullptr;  // on the stack of our fork hook, while it runs
  // While the thread has no record, since all were taken: hooks until it looks for one again, and
  // how many it then waits for, if there is still none.
  uint16_t hooks_to_skip = 0;
  uint16_t next_skip = 0;

  static constexpr uint64_t kAbove = 3;
  static constexpr uint64_t kInRuntime = 4;  // inside a slow path of ours: hooks step aside

  // Hooks in progress: the frame of the next one.
  uint32_t Depth() const {
    return busy <= (kAbove | kInRuntime) ? 0 : 1 + static_cast<uint32_t>(busy & kAbove);
  }
  uint64_t HookSp(uint32_t frame) const {
    return frame == 0 ? busy & ~(kAbove | kInRuntime) : sp_above[frame - 1];
  }
  // Leaves the hook in this frame, and whatever was left behind above it.
  void LeaveFrame(uint32_t frame) {
    busy = frame == 0 ? busy & kInRuntime : (busy & ~kAbove) | (frame - 1);
  }
  bool InRuntime() const { return (busy & kInRuntime) != 0; }
  void SetInRuntime(bool in) { busy = in ? busy | kInRuntime : busy & ~kInRuntime; }
};
static_assert(kFrames - 1 <= ThisThread::kAbove);
static_assert(sizeof(ThisThread) <= 64);

extern std::atomic<Gate*> the_gate;  // never null; written once, by MapGate
extern __thread ThisThread this_thread __attribute__((tls_model("initial-exec")));

inline Gate* TheGate() { return the_gate.load(std::memory_order_acquire); }  // G0

// The mapped ledger of this image; only valid while the gate's state is kRecording.
inline Ledger TheLedger() {
  return Ledger(reinterpret_cast<void*>(TheGate()->epoch.load(std::memory_order_acquire)));  // G2
}

}  // namespace lockwarden::ledger
