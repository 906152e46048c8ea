// Scene: a small process for verdict tests: its ledger, its lock words and what the
// kernel says of its threads, kept consistent, so that a test states only what happens
// and which witness it then bends.
//
// Not thread-safe; no threads: every state is written down, none is raced for.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/watchdog/fake_kernel.h"
#include "tests/watchdog/ledger_builder.h"
#include "watchdog/judge.h"

namespace lockwarden {

class Scene {
 public:
  using Ref = ledger::PackedRef;
  static constexpr uint64_t kStart = 2'000'000'000;   // of the first look
  static constexpr uint64_t kConfirm = 30'000'000;

  explicit Scene(int pid = 4242);

  // Threads are named by slot; their tids are 100, 101, ...
  uint32_t Thread(const std::string& name);
  uint32_t TidOf(uint32_t thread) { return book.thread(thread).tid; }
  uint32_t SerialOf(uint32_t thread) { return book.thread(thread).serial; }

  Ref Mutex(uint32_t flags = ledger::kInitSeen);
  Ref OwnLock();  // lockwarden::Lock
  Ref RwLock(uint32_t flags = ledger::kInitSeen);
  Ref Semaphore(uint32_t flags = ledger::kInitSeen);
  Ref Condition();
  Ref Barrier();
  Ref Queue();  // one end of a lockwarden::Queue
  Ref Event();
  Ref Spin();
  Ref Once();
  Ref Guard();  // of a static C++ object
  Ref Futex();
  Ref Future();
  uint64_t AddressOf(Ref lock) { return book.lock(lock).address; }

  // Takes and blocks in all three books: ledger, memory, kernel.
  void Take(uint32_t thread, Ref lock, uint64_t site = 0x4010);
  void TakeShared(uint32_t thread, Ref rwlock, uint64_t site = 0x4010);
  void TakeUnit(uint32_t thread, Ref semaphore, uint64_t site = 0x4010);
  void Block(uint32_t thread, Ref lock, bool timed = false);
  void BlockShared(uint32_t thread, Ref rwlock);
  void BlockWriter(uint32_t thread, Ref rwlock, bool timed = false);
  void BlockUnit(uint32_t thread, Ref semaphore, bool timed = false);
  void BlockJoin(uint32_t thread, uint32_t joined);
  // Asleep on the condition, or, with `on_mutex`, already on its mutex.
  void BlockCondition(uint32_t thread, Ref condition, Ref mutex, bool on_mutex, bool timed = false);
  // A thread (by serial) has signalled it, and found somebody waiting or not.
  void Signalled(uint32_t serial, Ref condition, bool heard);
  // `parties`: how many make a round; 0: that is not known.
  void BlockBarrier(uint32_t thread, Ref barrier, uint64_t parties = 0);
  // A queue or an event.
  void BlockOn(uint32_t thread, Ref object);
  // The thread was seen to help at a queue, a barrier or an event.
  void Helps(uint32_t thread, Ref object);
  // `from` as a join names a thread; 0: anybody may keep the promise.
  void BlockFuture(uint32_t thread, Ref future, Ref from, bool timed = false);
  void BlockFutex(uint32_t thread, Ref futex, bool timed = false);
  // Awake, in our loop: Spun says that it has gone round.
  void BlockSpin(uint32_t thread, Ref spin);
  void Spun(uint32_t thread) { ++book.thread(thread).frame0.wait.spins; }

  // Two looks, kConfirm apart; `between` runs between them.
  std::vector<Finding> Judge(const std::function<void()>& between = nullptr);
  std::vector<Finding> Step(uint64_t now_ns);

  LedgerBuilder book;
  FakeKernelView kernel;
  FakeResolver resolver;
  ProcessJudge& judge();

 private:
  Ref Add(ledger::LockKind kind, uint32_t flags, size_t bytes);

  const int pid_;
  uint32_t next_tid_ = 100;
  uint64_t next_address_ = 0x10000;
  std::unique_ptr<LedgerReader> reader_;
  std::unique_ptr<ProcessJudge> judge_;
};

// Those of one kind.
std::vector<Finding> Only(const std::vector<Finding>& findings, FindingKind kind);

}  // namespace lockwarden
