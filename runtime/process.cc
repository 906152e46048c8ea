// The gate, and what opens it. See gate.h for the state chart and G1/G2.
#include "runtime/process.h"

#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "runtime/modules.h"
#include "runtime/notice.h"
#include "runtime/raw_syscall.h"
#include "runtime/recorder.h"
#include "runtime/settings.h"
#include "runtime/thread_slots.h"

namespace lockwarden::ledger {
namespace {

// Before the page is mapped, and for good where it cannot be: never open. Its epoch differs
// from every thread's.
Gate closed_gate;

// The ledger that this memory last knew: in a forked child, its parent's, still mapped.
Ledger mapped_before;

constexpr const char* kFiltered = "a seccomp filter forbids what the recorder needs";
constexpr const char* kNoWipeOnFork = "the kernel has no MADV_WIPEONFORK";

bool MapGate() {
  void* page = reinterpret_cast<void*>(RawSyscall(SYS_mmap, 0, kPageSize, PROT_READ | PROT_WRITE,
                                                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (reinterpret_cast<long>(page) < 0 && reinterpret_cast<long>(page) > -4096) {
    StepAside("no memory for the gate page");
    return false;
  }
  if (RawSyscall(SYS_madvise, AsLong(page), kPageSize, MADV_WIPEONFORK) != 0) {
    RawSyscall(SYS_munmap, AsLong(page), kPageSize);
    StepAside(kNoWipeOnFork);
    return false;
  }
  // G0: of several threads that come first, one maps the page that all use.
  Gate* before = &closed_gate;
  if (!the_gate.compare_exchange_strong(before, static_cast<Gate*>(page),
                                        std::memory_order_acq_rel)) {
    RawSyscall(SYS_munmap, AsLong(page), kPageSize);
  }
  return true;
}

void SetGateState(GateState state) {
  TheGate()->state.store(static_cast<uint32_t>(state), std::memory_order_release);  // G3
}

struct Range {
  uint64_t begin = 0, end = 0;
  long size() const { return static_cast<long>(end - begin); }
};

Range PagesOf(const void* begin, const void* end) {
  return {reinterpret_cast<uint64_t>(begin) & ~(kPageSize - 1),
          (reinterpret_cast<uint64_t>(end) + kPageSize - 1) & ~(kPageSize - 1)};
}

// Private pages take its place, and what is written there is lost.
void Blank(Range range) {
  RawSyscall(SYS_mmap, static_cast<long>(range.begin), range.size(), PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

void Unmap(Range range) {
  if (range.begin < range.end) {
    RawSyscall(SYS_munmap, static_cast<long>(range.begin), range.size());
  }
}

// Of the parent's ledger, what a release may touch that goes on in the forked child: it has no
// frame which would tell that a signal handler forked inside it (ReleaseTop). Blank pages are
// left for it: they are in no ledger, and say that nothing is held.
struct LeftForRelease {
  Range record, locks;

  LeftForRelease(const Ledger& ledger, const ThreadRecord* of) {
    const LockRecord* const first = ledger.Table<LockRecord>(kLocks);
    // Relaxed: this thread knows of no lock beyond.
    const uint32_t used =
        std::min(ledger.Capacity(kLocks),
                 ledger.header().tables[kLocks].used.load(std::memory_order_relaxed));
    record = PagesOf(of, of + 1);
    locks = PagesOf(first, first + used);
    // Where the one table ends and the other begins.
    locks.begin = std::max(locks.begin, record.end);
    locks.end = std::max(locks.end, locks.begin);
    Blank(record);
    if (locks.begin < locks.end) Blank(locks);
  }
};

// The parent's ledger goes from a forked child's memory. If a signal handler forked inside a hook
// that has a frame, that hook will go on in the child too, with pointers into any table.
void LetGo(const Ledger& ledger, const ThreadRecord* record, bool in_use) {
  const uint64_t begin = reinterpret_cast<uint64_t>(ledger.base());
  const uint64_t end = begin + ledger.header().total_size;
  if (in_use) return Blank({begin, end});
  if (record == nullptr) return Unmap({begin, end});
  static_assert(kThreads < kLocks, "in this order in the segment");
  const LeftForRelease left(ledger, record);
  Unmap({begin, left.record.begin});
  Unmap({left.record.end, left.locks.begin});
  Unmap({left.locks.end, end});
}

// The forked child's only thread takes over what it held in its parent.
void Inherit(const InheritedHolds& inherited) {
  ThisThread& self = this_thread;
  for (uint32_t i = 0; i < inherited.count; ++i) {
    const InheritedHolds::Hold& hold = inherited.holds[i];
    const void* lock = reinterpret_cast<const void*>(hold.address);
    BeginLockLife(self.record, lock, hold.kind_and_flags & ~uint32_t{kRecordDestroyed}, hold.site,
                  LOCKWARDEN_CFA);
    const PackedRef ref = FindLock(lock);
    if (ref == 0) continue;
    PushHeld(self.record, 0, WithMode(ref, static_cast<uint8_t>(hold.mode | kInherited)),
             hold.site, 0);
  }
}

}  // namespace

constinit std::atomic<Gate*> the_gate{&closed_gate};
__thread ThisThread this_thread __attribute__((tls_model("initial-exec")));

void StepAside(const char* reason, Tried allowed) {
  SetGateState(GateState::kSteppedAside);
  const bool told = allowed >= Tried::kNotice && SendStepAside(reason);
  // A forked child has another place to be counted in: its parent's ledger, still mapped.
  if (!told && mapped_before.mapped()) {
    // Relaxed: a statistic.
    mapped_before.header().fork_drops.fetch_add(1, std::memory_order_relaxed);
  }
  if (allowed < Tried::kLine) return;
  const char prefix[] = "lockwarden: not recording in this process: ";
  const iovec parts[3] = {{const_cast<char*>(prefix), sizeof(prefix) - 1},
                          {const_cast<char*>(reason), std::strlen(reason)},
                          {const_cast<char*>("\n"), 1}};
  WriteLine(parts, 3);
}

namespace {

// Once an image: what must be known before the first system call that is not the loader's
// too, and the gate. False: there is none, for good.
bool Open() {
  if (TheGate() != &closed_gate) return true;
  // G3.
  if (closed_gate.state.load(std::memory_order_acquire) != 0) return false;
  LoadSettings();
  const Tried allowed = TrySystemCalls();
  if (allowed == Tried::kAll) return MapGate();
  NoteSeccomp();
  if (allowed < Tried::kNotice) TallyStepAside();
  StepAside(kFiltered, allowed);
  return false;
}

}  // namespace

bool InitialiseProcess() {
  if (!Open()) return false;
  uint32_t state = static_cast<uint32_t>(GateState::kNew);
  // G3: one thread wins the right to initialise; the acquire half is for those that do not.
  if (!TheGate()->state.compare_exchange_strong(
          state, static_cast<uint32_t>(GateState::kInitialising), std::memory_order_acq_rel)) {
    // Another thread has initialised, is at it, or has given up.
    return state == static_cast<uint32_t>(GateState::kRecording);
  }
  ThisThread& self = this_thread;
  const bool forked_in_hook = self.busy != 0;
  const ThreadRecord* const record_before = self.record;
  // Relaxed: its own record, in the parent's ledger, which is still mapped.
  const uint32_t tid_before =
      record_before == nullptr ? 0 : record_before->tid.load(std::memory_order_relaxed);
  self.epoch = 1;
  self.record = nullptr;
  self.LeaveFrame(0);
  self.SetInRuntime(true);
  Ledger ledger;
  int fd = -1;
  const char* reason = kFiltered;
  // In the child of a program that has confined itself, not even a line can be risked.
  const bool free = !Sandboxed();
  bool recording = free && CreateSegment(&ledger, &fd, &reason);
  if (recording) {
    if (mapped_before.mapped()) {
      // A forked child: the loader's lock may belong to a thread that no longer exists.
      CopyModules(mapped_before, ledger);
      ledger.header().flags |= kForkedChild;
      LetGo(mapped_before, record_before, forked_in_hook);
    } else {
      RecordModules(ledger);
    }
    mapped_before = ledger;
    PrepareThreads();
    HandOver(ledger, fd);
    TheGate()->epoch.store(reinterpret_cast<uint64_t>(ledger.base()),
                          std::memory_order_release);  // G1
    SetGateState(GateState::kRecording);
    recording = RegisterThisThread();
    // Relaxed: own record, read by this thread alone.
    if (recording) self.record->tid_before_fork.store(tid_before, std::memory_order_relaxed);
    if (recording && self.inherited != nullptr) Inherit(*self.inherited);
  } else {
    StepAside(reason, free ? Tried::kAll : Tried::kNothing);
    if (free && forked_in_hook && mapped_before.mapped()) {
      LetGo(mapped_before, record_before, forked_in_hook);
      mapped_before = Ledger();
    } else if (free && record_before != nullptr && mapped_before.mapped()) {
      // The rest stays, to count the children of this process in.
      const LeftForRelease left(mapped_before, record_before);
    }
  }
  self.SetInRuntime(false);
  return recording;
}

namespace {

// While another thread of this image makes the ledger. It waits for nobody, and takes a
// fraction of a millisecond unless it is descheduled; to go on unrecorded instead might be to
// sleep unrecorded for good. Bounded all the same.
GateState StateOnceInitialised() {
  constexpr int kMostYields = 100'000;
  GateState state = GateState::kInitialising;
  for (int i = 0; i < kMostYields && state == GateState::kInitialising; ++i) {
    RawSyscall(SYS_sched_yield);
    // Acquire: pairs with G3.
    state = static_cast<GateState>(TheGate()->state.load(std::memory_order_acquire));
  }
  return state;
}

}  // namespace

bool EnterSlow(uint64_t) {
  ThisThread& self = this_thread;
  if (self.InRuntime()) return false;
  // Acquire: pairs with G3.
  GateState state = static_cast<GateState>(TheGate()->state.load(std::memory_order_acquire));
  if (state == GateState::kNew) {
    if (InitialiseProcess() && self.epoch == TheGate()->epoch.load(std::memory_order_acquire)) {  // G2
      return true;
    }
    state = static_cast<GateState>(TheGate()->state.load(std::memory_order_acquire));  // G3
  }
  if (state == GateState::kInitialising) state = StateOnceInitialised();
  if (state != GateState::kRecording) return false;
  if (self.hooks_to_skip == 0) {
    self.SetInRuntime(true);
    const bool registered = RegisterThisThread();
    self.SetInRuntime(false);
    if (registered) return true;
    // To look is to ask the kernel about other threads.
    constexpr uint16_t kMostSkipped = 1023;
    self.hooks_to_skip = self.next_skip;
    self.next_skip = static_cast<uint16_t>(std::min(2 * self.next_skip + 1, int{kMostSkipped}));
  } else {
    --self.hooks_to_skip;
  }
  // Relaxed: a statistic.
  TheLedger().header().unrecorded_calls.fetch_add(1, std::memory_order_relaxed);
  return false;
}

void CollectHolds(InheritedHolds* out) {
  const ThisThread& self = this_thread;
  out->count = 0;
  out->stack_size = 0;
  // G2.
  if (self.record == nullptr || self.epoch != TheGate()->epoch.load(std::memory_order_acquire)) {
    return;  // not registered with this image
  }
  out->stack_size = self.record->stack_high.load(std::memory_order_relaxed) -  // own record
                    self.record->stack_low.load(std::memory_order_relaxed);
  const LockRecord* locks = TheLedger().Table<LockRecord>(kLocks);
  for (uint32_t f = 0; f < kFrames; ++f) {
    // Relaxed, all: own record, and lock records that it keeps alive by holding.
    const uint32_t count = self.record->FrameAt(f).held_count.load(std::memory_order_relaxed);
    for (uint32_t i = 0; i < count && out->count < InheritedHolds::kCapacity; ++i) {
      const HeldEntry& entry = self.record->held[kHeldBegin[f] + i];
      const PackedRef ref = entry.lock.load(std::memory_order_relaxed);  // own record
      if (ref == 0) continue;
      const LockRecord& lock = locks[IndexOf(ref)];
      const uint32_t kind_and_flags = lock.kind_and_flags.load(std::memory_order_relaxed);
      if ((kind_and_flags & kFolded) != 0) continue;  // which lock it is, is not known
      out->holds[out->count++] = {lock.address.load(std::memory_order_relaxed),  // as above
                                  entry.site.load(std::memory_order_relaxed),    // as above
                                  kind_and_flags, ModeBitsOf(ref)};
    }
  }
}

}  // namespace lockwarden::ledger
