// Claiming, binding and reusing thread records; see the state chart in thread_record.h.
//
//   T1 state CAS to kStarting   acq_rel   pairs with T2: the new owner sees what the last
//                                         thread wrote before it was gone
//   T2 state = kLive | kExiting release   pairs with the reader's acquire and with T1
#include "runtime/thread_slots.h"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstddef>

#include "runtime/class_tally.h"
#include "runtime/process.h"
#include "runtime/raw_syscall.h"
#include "runtime/recorder.h"
#include "runtime/sandbox.h"
#include "runtime/stack_capture.h"
#include "runtime/this_clock.h"
#include "runtime/thread_names.h"

extern "C" void* __libc_stack_end;

namespace lockwarden::ledger {
namespace {

pthread_key_t exit_key;
bool exit_key_made = false;

// For who owns the slot: the thread itself, or the one that claimed it.
void MoveTo(ThreadRecord& record, ThreadState state) {
  // Relaxed: own since T1.
  record.state.store(InState(record.state.load(std::memory_order_relaxed), state),
                     std::memory_order_seq_cst);  // T2, N2 of thread_names.cc
}

void OnThreadExit(void*) {
  ThisThread& self = this_thread;
  // G2: a forked child that exits before it has a ledger has no record either.
  if (self.epoch != TheGate()->epoch.load(std::memory_order_acquire)) return;
  // Every hook of this thread has been left: by return, or by cancellation.
  DropAllFrames();
  MoveTo(*self.record, ThreadState::kExiting);
  // Relaxed: a statistic.
  TheLedger().header().threads_exited.fetch_add(1, std::memory_order_relaxed);
}

// Nobody to ask under a filter: then only slots of threads that were joined are free.
bool TidIsGone(uint32_t tid) {
  if (Sandboxed()) return false;
  return RawSyscall(SYS_tgkill, getpid(), static_cast<long>(tid), 0) == -ESRCH;
}

// What a finished thread counted goes to the header before its record is wiped.
void FoldCounters(const Ledger& ledger, ThreadRecord& record) {
  Header& header = ledger.header();
  // Relaxed, all: statistics of a thread that is gone.
  const auto fold = [](std::atomic<uint64_t>& sum, const std::atomic<uint64_t>& value) {
    sum.fetch_add(value.load(std::memory_order_relaxed), std::memory_order_relaxed);
  };
  fold(header.past_acquisitions, record.acquisitions);
  fold(header.past_contentions, record.contentions);
  fold(header.past_wait_ns, record.wait_ns);
  fold(header.past_held_dropped, record.held_dropped);
  fold(header.past_nested_dropped, record.nested_dropped);
  fold(header.past_stack_failures, record.stack_failures);
  for (LockCacheEntry& entry : record.lock_cache) {
    MoveCounts(ledger, &record, entry, WhyMoved::kThreadEnded);
  }
  for (ClassTally& tally : record.class_tallies) EmptyTally(ledger, tally);
}

// Wipes everything but `state`, which the claimer owns.
void Wipe(ThreadRecord& record) {
  // Word by word: another claimer may be looking at the record, and must see whole words.
  std::atomic<uint64_t>* words = reinterpret_cast<std::atomic<uint64_t>*>(&record);
  const uint32_t state = record.state.load(std::memory_order_relaxed);  // own since T1
  constexpr size_t kStateWord = offsetof(ThreadRecord, state) / sizeof(uint64_t);
  for (size_t i = 0; i < sizeof(record) / sizeof(uint64_t); ++i) {
    if (i != kStateWord) words[i].store(0, std::memory_order_relaxed);  // own since T1
  }
  record.tid.store(0, std::memory_order_relaxed);        // own since T1; in that word too
  record.state.store(state, std::memory_order_relaxed);  // own since T1
}

// A thread that ended and still holds a lock keeps its record: it is the only one who can
// be named to those who wait for that lock.
bool HoldsLocks(const Ledger& ledger, const ThreadRecord& record) {
  const LockRecord* locks = ledger.Table<LockRecord>(kLocks);
  for (uint32_t f = 0; f < kFrames; ++f) {
    // Relaxed, all: written by a thread that is gone, before T2.
    const uint32_t count = record.FrameAt(f).held_count.load(std::memory_order_relaxed);
    for (uint32_t i = 0; i < count && i < kHeldCapacity[f]; ++i) {
      const PackedRef ref = record.held[kHeldBegin[f] + i].lock.load(std::memory_order_relaxed);
      if (ref == 0 || ModeOf(ref) == Mode::kUnit) continue;
      const LockRecord& lock = locks[IndexOf(ref)];
      // The kernel hands a robust mutex on. Relaxed: a hint; its kind stays.
      if ((lock.kind_and_flags.load(std::memory_order_relaxed) & kRobust) != 0) continue;
      // Relaxed: as above.
      if (LifeIn(lock.generation.load(std::memory_order_relaxed)) == GenerationOf(ref)) return true;
    }
  }
  return false;
}

// Takes the record out of the very use that `seen` was read from.
bool ClaimRecord(ThreadRecord& record, uint32_t seen) {
  return record.state.compare_exchange_strong(seen, InState(seen + kOneUse, ThreadState::kStarting),
                                              std::memory_order_acq_rel);  // T1
}

bool TryReuse(const Ledger& ledger, ThreadRecord& record) {
  const uint32_t seen = record.state.load(std::memory_order_acquire);  // pairs with T2
  if (StateOf(seen) == ThreadState::kStarting) return false;
  if (StateOf(seen) != ThreadState::kFree) {
    const uint32_t tid = record.tid.load(std::memory_order_relaxed);  // written before T2
    if (tid == 0 || !TidIsGone(tid) || HoldsLocks(ledger, record)) return false;
  }
  if (!ClaimRecord(record, seen)) return false;
  FoldCounters(ledger, record);
  Wipe(record);
  return true;
}

// RLIMIT_STACK when the image began: what glibc gives to threads without attributes.
uint64_t stack_limit = RLIM_INFINITY;

uint64_t StackLimit(uint64_t if_infinite) {
  return stack_limit == RLIM_INFINITY ? if_infinite : stack_limit;
}

// The calling thread's id as libc knows it: what it writes into a mutex that it takes.
uint32_t TidFromLibc() {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&mutex);
  const uint32_t tid = static_cast<uint32_t>(mutex.__data.__owner);
  pthread_mutex_unlock(&mutex);
  return tid;
}

// By where it runs, not by its tid: in a forked child a thread of the parent's is the main
// thread, on the stack that it had.
void NoteStackBounds(ThreadRecord& record, uint64_t stack_size) {
  const uint64_t here = reinterpret_cast<uint64_t>(__builtin_frame_address(0));
  const uint64_t main_high = reinterpret_cast<uint64_t>(__libc_stack_end);
  // glibc keeps a thread's descriptor on top of its stack, and the main thread's elsewhere.
  const uint64_t own_high = static_cast<uint64_t>(pthread_self());
  constexpr uint64_t kDefaultStack = 2u << 20;  // glibc's own, when the limit is infinite
  constexpr uint64_t kEndlessStack = 1u << 30;  // nothing else is mapped that near below it
  uint64_t high = own_high;
  uint64_t size = stack_size != 0 ? stack_size : StackLimit(kDefaultStack);
  if (here >= high || high - here > size) {
    high = main_high;
    size = StackLimit(kEndlessStack);
  }
  if (here >= high || high - here > size) return;  // not where it is expected: unknown
  // Relaxed: own fields, published by T2.
  record.stack_low.store(high - size, std::memory_order_relaxed);
  record.stack_high.store(high, std::memory_order_relaxed);  // as above
}

}  // namespace

void PrepareThreads() {
  rlimit limit{};
  if (RawSyscall(SYS_prlimit64, 0, RLIMIT_STACK, 0, AsLong(&limit)) == 0) {
    stack_limit = limit.rlim_cur;
  }
  // Keys beyond the first 32 make pthread_setspecific allocate: then do without. Exits are
  // still found, when a slot is needed and the kernel says that the tid is gone.
  constexpr pthread_key_t kKeysWithoutAllocation = 32;
  if (exit_key_made) return;
  if (pthread_key_create(&exit_key, OnThreadExit) != 0) return;
  exit_key_made = exit_key < kKeysWithoutAllocation;
  if (!exit_key_made) pthread_key_delete(exit_key);
}

uint32_t ClaimThreadSlot(uint64_t start_routine) {
  const Ledger ledger = TheLedger();
  TableDirectoryEntry& table = ledger.header().tables[kThreads];
  ThreadRecord* records = ledger.Table<ThreadRecord>(kThreads);
  // Relaxed: the count only grows; a stale one means a fresh slot is taken instead.
  const uint32_t used = table.used.load(std::memory_order_relaxed);
  constexpr uint32_t kLooks = 8;  // bounds the system calls of one claim
  uint32_t slot = kNoIndex;
  for (uint32_t look = 0; look < kLooks && used > 1; ++look) {
    // Relaxed: a hint that spreads claimers.
    const uint32_t at = TheGate()->slot_hint.fetch_add(1, std::memory_order_relaxed) % used;
    if (TryReuse(ledger, records[at])) {
      slot = at;
      break;
    }
  }
  while (slot == kNoIndex) {
    const uint32_t fresh = ledger.Allocate(kThreads);
    if (fresh == kNoIndex) return kNoIndex;
    // By CAS as well: once it is counted among the used, another claimer may come by, find
    // it free, and be first. Each turn lost is a slot that somebody else has got.
    constexpr uint32_t kNeverUsed = static_cast<uint32_t>(ThreadState::kFree);
    if (ClaimRecord(records[fresh], kNeverUsed)) slot = fresh;
  }
  ThreadRecord& record = records[slot];
  // Relaxed, all: own since T1, published by T2.
  const uint32_t serial =
      ledger.header().next_thread_serial.fetch_add(1, std::memory_order_relaxed);  // as above
  record.serial.store(serial, std::memory_order_relaxed);                          // as above
  record.start_routine.store(start_routine, std::memory_order_relaxed);  // as above
  record.created_ns.store(MonotonicNs(), std::memory_order_relaxed);     // as above
  const ThisThread& self = this_thread;
  const bool created = start_routine != 0 && self.record != nullptr;
  BeginThreadLife(ledger, serial, created ? self.record : nullptr);
  if (created) {
    // Relaxed, both: as above.
    record.creator_serial.store(self.record->serial.load(std::memory_order_relaxed),
                                std::memory_order_relaxed);  // as above
  }
  return slot;
}

void AbandonThreadSlot(uint32_t slot) {
  MoveTo(TheLedger().Table<ThreadRecord>(kThreads)[slot], ThreadState::kFree);
}

void BindThread(uint32_t slot, uint64_t stack_size) {
  const Ledger ledger = TheLedger();
  ThreadRecord& record = ledger.Table<ThreadRecord>(kThreads)[slot];
  // Relaxed, all: own since T1, published by T2.
  // Libc's answer is wrong in a thread or process that was cloned behind its back.
  record.tid.store(Sandboxed() ? TidFromLibc() : static_cast<uint32_t>(RawSyscall(SYS_gettid)),
                   std::memory_order_relaxed);  // as above
  record.pthread_self.store(static_cast<uint64_t>(pthread_self()),
                            std::memory_order_relaxed);  // as above
  // Relaxed: own since T1.
  NoteThreadSelf(ledger, record.serial.load(std::memory_order_relaxed),
                 static_cast<uint64_t>(pthread_self()));
  NoteStackBounds(record, stack_size);
  if (exit_key_made) pthread_setspecific(exit_key, &record);
  ThisThread& self = this_thread;
  self.record = &record;
  self.locks = ledger.Table<LockRecord>(kLocks);
  self.LeaveFrame(0);
  self.epoch = TheGate()->epoch.load(std::memory_order_acquire);  // G2
  // Relaxed: a statistic.
  ledger.header().threads_started.fetch_add(1, std::memory_order_relaxed);
  MoveTo(record, ThreadState::kLive);
  TakeEarlyName(record);
}

bool RegisterThisThread() {
  const uint32_t slot = ClaimThreadSlot(0);
  if (slot == kNoIndex) return false;
  const InheritedHolds* inherited = this_thread.inherited;
  BindThread(slot, inherited == nullptr ? 0 : inherited->stack_size);
  return true;
}

uint32_t FindThreadSlot(uint64_t pthread_self_value) {
  const Ledger ledger = TheLedger();
  const ThreadRecord* records = ledger.Table<ThreadRecord>(kThreads);
  // Relaxed: a thread that is being joined has long been claimed.
  const uint32_t used = ledger.header().tables[kThreads].used.load(std::memory_order_relaxed);
  uint32_t found = kNoIndex;
  uint64_t found_rank = 0;
  for (uint32_t slot = 0; slot < used; ++slot) {
    const ThreadState state = StateOf(records[slot].state.load(std::memory_order_seq_cst));  // T2, N3
    if (state != ThreadState::kLive && state != ThreadState::kExiting) continue;
    // Relaxed, both: written before T2.
    if (records[slot].pthread_self.load(std::memory_order_relaxed) != pthread_self_value) continue;
    const uint64_t alive = state == ThreadState::kLive ? 1 : 0;
    const uint64_t rank =
        (alive << 32) | records[slot].serial.load(std::memory_order_relaxed);  // as above
    if (found == kNoIndex || rank > found_rank) {
      found = slot;
      found_rank = rank;
    }
  }
  return found;
}

void NoteExit(ThreadRecord* record, uint64_t site, uint64_t cfa) {
  uint32_t held = 0;
  // Relaxed, both: own record.
  for (uint32_t f = 0; f < kFrames; ++f) {
    held += record->FrameAt(f).held_count.load(std::memory_order_relaxed);  // own record
  }
  if (held == 0) return;
  record->exit_stack.store(CaptureIfWanted(record, site, cfa), std::memory_order_relaxed);  // T2 follows
}

namespace {

void ThreadIsGone(uint32_t slot, uint32_t serial) {
  const Ledger ledger = TheLedger();
  ThreadRecord& record = ledger.Table<ThreadRecord>(kThreads)[slot];
  const uint32_t seen = record.state.load(std::memory_order_acquire);  // T2
  if (StateOf(seen) != ThreadState::kExiting && StateOf(seen) != ThreadState::kLive) return;
  // Relaxed: written before T2.
  if (record.serial.load(std::memory_order_relaxed) != serial) return;
  if (HoldsLocks(ledger, record)) {
    // Relaxed: evidence for a reader that can ask the kernel no more.
    record.flags.fetch_or(kThreadJoined, std::memory_order_relaxed);
    return;
  }
  if (!ClaimRecord(record, seen)) return;
  FoldCounters(ledger, record);
  Wipe(record);
  MoveTo(record, ThreadState::kFree);
}

}  // namespace

void ThreadWasJoined(uint32_t slot, uint32_t serial, uint64_t pthread_self_value) {
  if (slot != kNoIndex) return ThreadIsGone(slot, serial);
  slot = FindThreadSlot(pthread_self_value);
  if (slot == kNoIndex) return;
  const ThreadRecord& record = TheLedger().Table<ThreadRecord>(kThreads)[slot];
  // Relaxed, both: written before T2; looked at again by whoever claims the record.
  serial = record.serial.load(std::memory_order_relaxed);
  if (TidIsGone(record.tid.load(std::memory_order_relaxed))) ThreadIsGone(slot, serial);  // as above
}

}  // namespace lockwarden::ledger
