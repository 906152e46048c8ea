// The slow half: a lock is taken at a place that its record does not name.
//
//   M1 ready = 1   release   pairs with M2: the record is whole
//   M2 ready       acquire
#include "runtime/handler_use.h"

#include <signal.h>

#include "runtime/raw_syscall.h"
#include "runtime/sandbox.h"
#include "runtime/this_clock.h"

namespace lockwarden::ledger {
namespace {

constexpr uint32_t kLookedBackAt = 256;  // records; a repeat further back gets its own

// Of the calling thread, bit n-1 for signal n. False: not to be known.
bool BlockedSignals(uint64_t* blocked) {
  *blocked = 0;
  return !Sandboxed() &&
         RawSyscall(SYS_rt_sigprocmask, SIG_BLOCK, 0, AsLong(blocked), sizeof(*blocked)) == 0;
}

struct Use {
  PackedRef lock;
  uint64_t site;
  uint32_t stack;
};

// The newest records of locks taken in handlers; the first that `wanted` says yes to.
template <class Wanted>
MisuseRecord* FindRecent(const Ledger& ledger, Wanted wanted) {
  const TableDirectoryEntry& table = ledger.header().tables[kMisuse];
  MisuseRecord* records = ledger.Table<MisuseRecord>(kMisuse);
  // Relaxed: a repeat that is missed gets a record of its own.
  uint32_t used = table.used.load(std::memory_order_relaxed);
  if (used > table.capacity) used = table.capacity;
  for (uint32_t look = 0; look < kLookedBackAt && look < used; ++look) {
    MisuseRecord& record = records[used - 1 - look];
    if (record.ready.load(std::memory_order_acquire) == 0) continue;  // M2
    // Relaxed: whole since M1.
    const uint32_t kind = record.kind.load(std::memory_order_relaxed);
    if (kind == static_cast<uint32_t>(MisuseKind::kTakenInHandler) && wanted(record)) {
      return &record;
    }
  }
  return nullptr;
}

// Taken in the same way.
bool IsSame(const MisuseRecord& record, const Use& use) {
  // Relaxed, all: whole since M1.
  return record.lock.load(std::memory_order_relaxed) == use.lock &&
         record.site.load(std::memory_order_relaxed) == use.site &&  // as above
         record.stack.load(std::memory_order_relaxed) == use.stack;  // as above
}

// Whether the handlers that take the lock can interrupt code that has these signals blocked. A
// handler's own is blocked while it runs (but with SA_NODEFER), beside others perhaps: if code has
// all of them blocked the handler cannot come, if none it can, and else who knows.
uint32_t WhatItKeepsOut(const Ledger& ledger, PackedRef lock, uint64_t blocked) {
  uint32_t says = kPlainBlocked;
  FindRecent(ledger, [&](const MisuseRecord& record) {
    // Relaxed, both: whole since M1.
    const PackedRef taken = record.lock.load(std::memory_order_relaxed);
    if (WithoutMode(taken) != WithoutMode(lock)) return false;
    const uint64_t there = record.other_lock.load(std::memory_order_relaxed);  // as above
    if (there == 0 || (there & ~blocked) != 0) says = kPlainDoubtful;
    const bool open = blocked == 0 || (there != 0 && (there & blocked) == 0);
    if (open) says = kPlainOpen;
    return open;
  });
  return says;
}

void RecordTakenInHandler(const Ledger& ledger, const ThreadRecord& thread, const Use& use) {
  const auto same = [&](const MisuseRecord& record) { return IsSame(record, use); };
  if (MisuseRecord* known = FindRecent(ledger, same)) {
    known->count.fetch_add(1, std::memory_order_relaxed);  // a statistic
    // What is blocked each time is so because of the handler, or everywhere.
    uint64_t blocked;
    // Relaxed: evidence only.
    if (BlockedSignals(&blocked)) known->other_lock.fetch_and(blocked, std::memory_order_relaxed);
    return;
  }
  uint64_t blocked;
  BlockedSignals(&blocked);
  const uint32_t index = ledger.Allocate(kMisuse);  // a full table is counted there
  if (index == kNoIndex) return;
  MisuseRecord& record = ledger.Table<MisuseRecord>(kMisuse)[index];
  // Relaxed, all: published by M1.
  record.kind.store(static_cast<uint32_t>(MisuseKind::kTakenInHandler), std::memory_order_relaxed);
  record.thread_serial.store(thread.serial.load(std::memory_order_relaxed),
                             std::memory_order_relaxed);          // own record
  record.stack.store(use.stack, std::memory_order_relaxed);       // M1
  record.count.store(1, std::memory_order_relaxed);               // M1
  record.lock.store(use.lock, std::memory_order_relaxed);         // M1
  record.site.store(use.site, std::memory_order_relaxed);         // M1
  record.other_lock.store(blocked, std::memory_order_relaxed);    // M1
  record.time_ns.store(MonotonicNs(), std::memory_order_relaxed);  // M1
  record.ready.store(1, std::memory_order_release);               // M1
  // Relaxed, both: a hint for who comes by later.
  std::atomic<uint32_t>& plain = this_thread.locks[IndexOf(use.lock)].plain_stack;
  const uint32_t before = plain.fetch_or(kPlainAsk, std::memory_order_relaxed);
  if ((before & kPlainAsk) != 0) return;
  ledger.header().module_generation.fetch_add(1, std::memory_order_relaxed);  // as above
}

// A lock that handlers take, outside of them.
void AskWhatIsBlocked(const Ledger& ledger, std::atomic<uint32_t>* plain, PackedRef lock,
                      uint32_t stack) {
  // Relaxed, both: of several uses any that says as much will do.
  const uint32_t known = plain->load(std::memory_order_relaxed);
  const bool shared = ModeOf(lock) == Mode::kShared;
  const bool first_writer = !shared && (known & kPlainShared) != 0;
  if ((known & kPlainMask) == kPlainOpen && !first_writer) return;
  if (shared && (known & kPlainStack) != 0 && (known & kPlainShared) == 0) return;
  uint64_t blocked;
  const uint32_t says =
      BlockedSignals(&blocked) ? WhatItKeepsOut(ledger, lock, blocked) : kPlainDoubtful;
  if (says <= (known & kPlainMask) && !first_writer) return;
  plain->store(stack | says | kPlainAsk | (shared ? kPlainShared : 0),
               std::memory_order_relaxed);  // as above
}

}  // namespace

void NoteUseSlow(ThreadRecord* record, PackedRef lock, uint64_t site, uint32_t stack) {
  const Ledger ledger = TheLedger();
  const uint64_t head = ledger.Table<uint64_t>(kStacks)[stack];
  if ((head & kStackInHandler) != 0) {
    // What gives up by itself cannot wait for ever for the code that it interrupted.
    if ((ModeBitsOf(lock) & (kTry | kTimed)) != 0) return;
    return RecordTakenInHandler(ledger, *record, {lock, site, stack});
  }
  LockRecord& use = this_thread.locks[IndexOf(lock)];
  // One place is enough, but a place that takes it alone says more than one that shares it.
  const bool shared = ModeOf(lock) == Mode::kShared;
  const uint32_t known = use.plain_stack.load(std::memory_order_relaxed);  // of several, any will do
  if ((known & kPlainAsk) != 0) {
    return AskWhatIsBlocked(ledger, &use.plain_stack, lock, stack);
  }
  if (known != 0 && (shared || (known & kPlainShared) == 0)) return;
  // Relaxed: names an interned stack, which a reader checks as it does every stack.
  use.plain_stack.store(shared ? stack | kPlainShared : stack, std::memory_order_relaxed);
}

}  // namespace lockwarden::ledger
