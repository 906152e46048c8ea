// The lock words are those of glibc 2.36; see watchdog/lock_words.cc.
#include "tests/watchdog/scene.h"

#include <gtest/gtest.h>

#include "runtime/condition_signals.h"

namespace lockwarden {

using ledger::LockKind;
using ledger::Mode;

namespace {

constexpr uint64_t kSite = 0x4020;

ledger::PackedRef With(ledger::PackedRef lock, Mode mode, bool timed = false) {
  return ledger::WithMode(
      lock, static_cast<uint8_t>(static_cast<uint8_t>(mode) | (timed ? ledger::kTimed : 0)));
}

}  // namespace

Scene::Scene(int pid) : book(8), pid_(pid) {}

uint32_t Scene::Thread(const std::string& name) {
  const uint32_t tid = next_tid_++;
  kernel.AddThread(tid);
  return book.AddThread(tid, name);
}

Scene::Ref Scene::Add(LockKind kind, uint32_t flags, size_t bytes) {
  const uint64_t address = next_address_;
  next_address_ += 0x100;
  kernel.Clear(address, bytes);
  return book.AddLock(kind, address, flags);
}

Scene::Ref Scene::Mutex(uint32_t flags) { return Add(LockKind::kMutex, flags, 40); }
Scene::Ref Scene::OwnLock() { return Add(LockKind::kLock, ledger::kInitSeen, 8); }
Scene::Ref Scene::RwLock(uint32_t flags) {
  const Ref lock = Add(LockKind::kRwLock, flags, 56);
  if ((flags & ledger::kPreferWriterNonrecursive) != 0) kernel.SetWord(AddressOf(lock) + 48, 2);
  return lock;
}
Scene::Ref Scene::Semaphore(uint32_t flags) { return Add(LockKind::kSemaphore, flags, 32); }
Scene::Ref Scene::Condition() { return Add(LockKind::kCondition, ledger::kInitSeen, 48); }
Scene::Ref Scene::Barrier() { return Add(LockKind::kBarrier, ledger::kInitSeen, 32); }
Scene::Ref Scene::Queue() { return Add(LockKind::kQueue, 0, 32); }
Scene::Ref Scene::Event() { return Add(LockKind::kEvent, 0, 16); }
Scene::Ref Scene::Once() { return Add(LockKind::kOnce, 0, 4); }
Scene::Ref Scene::Guard() { return Add(LockKind::kGuard, 0, 8); }
Scene::Ref Scene::Futex() { return Add(LockKind::kFutex, 0, 4); }
Scene::Ref Scene::Future() { return Add(LockKind::kFuture, 0, 4); }
Scene::Ref Scene::Spin() {
  const Ref lock = Add(LockKind::kSpin, ledger::kInitSeen, 4);
#ifdef __x86_64__
  kernel.SetWord(AddressOf(lock), 1);  // free
#endif
  return lock;
}

void Scene::Take(uint32_t thread, Ref lock, uint64_t site) {
  book.Hold(thread, With(lock, Mode::kExclusive), site);
  const uint64_t address = AddressOf(lock);
  switch (ledger::KindOf(book.lock(lock).kind_and_flags)) {
    case LockKind::kLock: kernel.SetWord(address, TidOf(thread)); break;
    case LockKind::kSpin: kernel.SetWord(address, 2); break;  // neither 0 nor 1: taken anywhere
    case LockKind::kOnce: kernel.SetWord(address, 5); break;  // in progress, after one fork
    case LockKind::kGuard: kernel.SetWord(address, 0x100); break;
    case LockKind::kRwLock:
      kernel.SetWord(address, 3);  // write phase, a writer
      kernel.SetWord(address + 24, TidOf(thread));
      break;
    default:
      kernel.SetWord(address, 2);
      kernel.SetWord(address + 8, TidOf(thread));
      break;
  }
}

void Scene::TakeShared(uint32_t thread, Ref rwlock, uint64_t site) {
  book.Hold(thread, With(rwlock, Mode::kShared), site);
  const uint64_t address = AddressOf(rwlock);
  kernel.SetWord(address, kernel.memory[address] + 8u);
}

void Scene::TakeUnit(uint32_t thread, Ref semaphore, uint64_t site) {
  book.Hold(thread, With(semaphore, Mode::kUnit), site);
}

void Scene::Block(uint32_t thread, Ref lock, bool timed) {
  book.BeginWait(thread, With(lock, Mode::kExclusive, timed), AddressOf(lock), kSite);
  kernel.SleepOn(TidOf(thread), AddressOf(lock), timed);
}

void Scene::BlockShared(uint32_t thread, Ref rwlock) {
  book.BeginWait(thread, With(rwlock, Mode::kShared), AddressOf(rwlock), kSite);
  kernel.SleepOn(TidOf(thread), AddressOf(rwlock) + 8);
}

void Scene::BlockWriter(uint32_t thread, Ref rwlock, bool timed) {
  book.BeginWait(thread, With(rwlock, Mode::kExclusive, timed), AddressOf(rwlock), kSite);
  kernel.SleepOn(TidOf(thread), AddressOf(rwlock) + 8, timed);
  const uint64_t address = AddressOf(rwlock);
  kernel.SetWord(address, kernel.memory[address] | 2u);
}

void Scene::BlockUnit(uint32_t thread, Ref semaphore, bool timed) {
  book.BeginWait(thread, With(semaphore, Mode::kUnit, timed), AddressOf(semaphore), kSite);
  kernel.SleepOn(TidOf(thread), AddressOf(semaphore), timed, 0);
}

void Scene::BlockJoin(uint32_t thread, uint32_t joined) {
  const uint64_t descriptor = book.thread(joined).pthread_self;
  book.BeginWait(
      thread, ledger::Pack(joined, SerialOf(joined), static_cast<uint8_t>(Mode::kJoin)),
      /*object=*/0, kSite, descriptor);
  kernel.SleepOn(TidOf(thread), descriptor + 720, false, TidOf(joined), /*is_private=*/false);
}

void Scene::BlockCondition(uint32_t thread, Ref condition, Ref mutex, bool on_mutex, bool timed) {
  book.BeginWait(thread, With(condition, Mode::kSignal, timed), AddressOf(condition), kSite,
                 With(mutex, Mode::kExclusive));
  // Once woken it waits for the mutex without a limit, whatever the call's limit was.
  kernel.SleepOn(TidOf(thread), on_mutex ? AddressOf(mutex) : AddressOf(condition) + 8,
                 timed && !on_mutex);
}

void Scene::Signalled(uint32_t serial, Ref condition, bool heard) {
  ledger::LockRecord& record = book.lock(condition);
  std::atomic<uint64_t>& by = ledger::Signallers(record);
  const uint64_t first = by & 0xffffffffu;
  if (first == 0) {
    by = serial;
  } else if (first != serial && by >> 32 == 0) {
    by |= uint64_t{serial} << 32;
  } else if (first != serial && by >> 32 != serial) {
    ledger::SignalMarks(record) |= ledger::kOthersSignal;
  }
  ledger::SignalMarks(record) |= heard ? ledger::kSomebodyHeard : 0;
  if (!heard) ledger::SignalMarks(record) += ledger::kOneUnheard;
}

void Scene::BlockOn(uint32_t thread, Ref object) {
  book.BeginWait(thread, With(object, Mode::kSignal), AddressOf(object), kSite);
  kernel.SleepOn(TidOf(thread), AddressOf(object));
}

void Scene::Helps(uint32_t thread, Ref object) {
  ledger::ThreadRecord& record = book.thread(thread);
  record.helped[record.helped_count++] = ledger::WithoutMode(object);
  ++ledger::HelperCount(book.lock(object));
}

void Scene::BlockBarrier(uint32_t thread, Ref barrier, uint64_t parties) {
  book.BeginWait(thread, With(barrier, Mode::kArrive), AddressOf(barrier), kSite, parties);
  kernel.SleepOn(TidOf(thread), AddressOf(barrier) + 4);
}

void Scene::BlockFutex(uint32_t thread, Ref futex, bool timed) {
  book.BeginWait(thread, With(futex, Mode::kUnowned, timed), AddressOf(futex), kSite);
  kernel.SleepOn(TidOf(thread), AddressOf(futex), timed);
}

void Scene::BlockFuture(uint32_t thread, Ref future, Ref from, bool timed) {
  book.BeginWait(thread, With(future, Mode::kUnowned, timed), AddressOf(future), kSite, from);
  kernel.SleepOn(TidOf(thread), AddressOf(future), timed);
}

void Scene::BlockSpin(uint32_t thread, Ref spin) {
  book.BeginWait(thread, With(spin, Mode::kExclusive), AddressOf(spin), kSite);
  kernel.Run(TidOf(thread));
}

ProcessJudge& Scene::judge() {
  if (judge_ == nullptr) {
    reader_ = book.Reader();
    judge_ = std::make_unique<ProcessJudge>(reader_.get(), &kernel, &resolver, pid_,
                                            JudgeOptions{.confirm_after_ns = kConfirm});
  }
  return *judge_;
}

std::vector<Finding> Scene::Step(uint64_t now_ns) { return judge().Step(now_ns); }

std::vector<Finding> Scene::Judge(const std::function<void()>& between) {
  const std::vector<Finding> first = Step(kStart);
  EXPECT_TRUE(Only(first, FindingKind::kDeadlock).empty()) << "one look is not enough";
  EXPECT_TRUE(Only(first, FindingKind::kSelfDeadlock).empty()) << "one look is not enough";
  if (between) between();
  std::vector<Finding> findings = first;
  for (Finding& finding : Step(kStart + kConfirm)) findings.push_back(std::move(finding));
  return findings;
}

std::vector<Finding> Only(const std::vector<Finding>& findings, FindingKind kind) {
  std::vector<Finding> found;
  for (const Finding& finding : findings) {
    if (finding.kind == kind) found.push_back(finding);
  }
  return found;
}

}  // namespace lockwarden
