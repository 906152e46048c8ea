// The steps are those of interpose/pthread_mutex.cc, pthread_rwlock.cc, semaphore.cc and
// join.h; the words those of glibc 2.36 (watchdog/lock_words.cc).
#include "tests/explorer/replay.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include "runtime/semaphore_units.h"
#include "runtime/settings.h"
#include "runtime/thread_slots.h"

namespace lockwarden::explorer {
namespace {

constexpr uint64_t kConfirm = 30'000'000, kStart = 2'000'000'000;
constexpr auto kAcquired = [](int rc) { return rc == 0; };
constexpr auto kGranted = [] { return 0; };
constexpr auto kRefused = [] { return EBUSY; };

ledger::Capacities Small() { return ledger::Capacities{}.Scaled(8); }

// As far as a fake thread's hook is concerned, this is its thread.
class Being {
 public:
  explicit Being(ledger::ThisThread* self) : self_(self), before_(ledger::this_thread) {
    ledger::this_thread = *self;
  }
  ~Being() {
    *self_ = ledger::this_thread;
    ledger::this_thread = before_;
  }

 private:
  ledger::ThisThread* self_;
  const ledger::ThisThread before_;
};

uint64_t DescriptorOf(size_t thread) { return 0x7f0000000000 + thread * 0x10000; }

}  // namespace

Replay::Replay(const LockProgram& program, const StateSpace& space)
    : program_(program),
      space_(space),
      gate_before_(ledger::the_gate),
      thread_before_(ledger::this_thread) {
  size_ = ledger::Ledger::SizeFor(Small());
  base_ = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
               -1, 0);
  if (base_ == MAP_FAILED) std::abort();
  ledger::Ledger::Format(base_, Small());
  gate_.epoch = reinterpret_cast<uint64_t>(base_);
  gate_.state = static_cast<uint32_t>(ledger::GateState::kRecording);
  ledger::the_gate = &gate_;
  ledger::the_settings = ledger::ParseSettings("profile=test,stacks=off", nullptr);
  ledger::TheLedger().header().pid = TidOf(0);
  auto reader = LedgerReader::FromMemory(base_, size_);
  EXPECT_TRUE(reader.ok()) << reader.status();
  reader_ = std::move(*reader);

  std::memset(memory_.data(), 0, sizeof(memory_));
  Bear(0);
  WriteWords(space_.states[0]);
  const Being main(&threads_[0].self);
  const Scope scope(threads_[0].record, 0, First{});
  for (size_t i = 0; i < program_.objects.size(); ++i) {  // as their init hooks do
    const Kind kind = program_.objects[i].kind;
    const auto describe = kind == Kind::kMutex       ? interpose::DescribeMutex
                          : kind == Kind::kSemaphore ? interpose::DescribeSemaphore
                                                     : interpose::DescribeRwLock;
    const bool one_unit = kind == Kind::kSemaphore && program_.objects[i].units == 1;
    const uint32_t flags = one_unit ? uint32_t{ledger::kOneUnit} : 0u;
    ledger::BeginLockLife(scope.record(), AddressOf(i), describe(AddressOf(i)) | flags, 1,
                          scope.cfa());
  }
}

Replay::~Replay() {
  ledger::the_gate = gate_before_;
  ledger::this_thread = thread_before_;
  munmap(base_, size_);
}

void Replay::Bear(size_t thread) {
  const ledger::Ledger ledger = ledger::TheLedger();
  FakeThread& fake = threads_[thread];
  fake.slot = ledger.Allocate(ledger::kThreads);
  fake.record = &ledger.Table<ledger::ThreadRecord>(ledger::kThreads)[fake.slot];
  fake.record->tid = TidOf(thread);
  fake.serial = ledger.header().next_thread_serial++;
  fake.record->serial = fake.serial;
  ledger::BeginThreadLife(ledger, fake.record->serial, thread == 0 ? nullptr : threads_[0].record);
  ledger::NoteThreadSelf(ledger, fake.record->serial, DescriptorOf(thread));
  fake.record->pthread_self = DescriptorOf(thread);
  fake.record->start_routine = thread == 0 ? 0 : 1;
  fake.record->creator_serial = thread == 0 ? 0 : threads_[0].record->serial.load();
  fake.record->state = static_cast<uint32_t>(ledger::ThreadState::kLive);
  fake.self.epoch = gate_.epoch;
  fake.self.record = fake.record;
  fake.self.locks = ledger.Table<ledger::LockRecord>(ledger::kLocks);
  kernel_.AddThread(TidOf(thread));
}

uint64_t Replay::SiteOf(size_t thread) const {
  return 0x400000 + thread * 0x1000 + space_.states[state_].pc[thread] * 0x10u;
}

void Replay::Play(const StateSpace::Edge& edge) {
  const size_t thread = edge.move.thread;
  const State& next = space_.states[edge.to];
  Record(thread, edge.move.action);
  state_ = edge.to;
  WriteWords(next);
  if (next.status[thread] == Status::kDone) {
    threads_[thread].record->state = static_cast<uint32_t>(ledger::ThreadState::kExiting);
    kernel_.threads.erase(TidOf(thread));
  }
  WriteKernel(next);
}

void Replay::Record(size_t thread, Action action) {
  const Step& step = space_.StepOf(space_.states[state_], thread);
  if (step.op == Op::kCreate) return Bear(step.object);
  const Being self(&threads_[thread].self);
  switch (step.op) {
    case Op::kLock:
      return RecordAcquire<interpose::MutexObject>(thread, step, action);
    case Op::kRead:
      return RecordAcquire<interpose::ReaderObject>(thread, step, action);
    case Op::kWrite:
      return RecordAcquire<interpose::WriterObject>(thread, step, action);
    case Op::kWait:
      return RecordAcquire<interpose::SemaphoreObject>(thread, step, action);
    case Op::kJoin:
      return RecordJoin(thread, step, action);
    default:
      return RecordRelease(thread, step);
  }
}

template <class Object>
void Replay::RecordAcquire(size_t thread, const Step& step, Action action) {
  FakeThread& fake = threads_[thread];
  const Scope scope(fake.record, 0, First{});
  void* const lock = AddressOf(step.object);
  const uint8_t bits = step.how == How::kTry     ? ledger::kTry
                       : step.how == How::kTimed ? ledger::kTimed
                                                 : 0;
  const bool acquired = action == Action::kSucceed;
  const bool was_pending = fake.pending.index() != 0;
  if constexpr (Object::mode != ledger::Mode::kUnit) {
    if (!was_pending && action != Action::kBlock) {  // it never sleeps: the whole hook
      if (step.how == How::kPlain) {
        ledger::Acquire<Object>(scope, lock, SiteOf(thread), kGranted, kAcquired);
      } else if (acquired) {
        ledger::AcquireUnknown<Object>(scope, lock, bits, SiteOf(thread), kGranted, kAcquired);
      } else {
        ledger::AcquireUnknown<Object>(scope, lock, bits, SiteOf(thread), kRefused, kAcquired);
      }
      return;
    }
  }
  if (!was_pending) {
    fake.pending.emplace<Acquisition<Object>>(scope, lock, bits, SiteOf(thread));
  }
  if (action == Action::kBlock) return;
  auto& acquisition = std::get<Acquisition<Object>>(fake.pending);
  if constexpr (Object::mode == ledger::Mode::kUnit) {
    acquisition.Finish(acquired, acquired && ledger::HoldsUnits(scope, acquisition.ref()));
  } else {
    acquisition.Finish(acquired);
  }
  fake.pending.emplace<std::monostate>();
}

void Replay::RecordJoin(size_t thread, const Step& step, Action action) {
  ledger::ThreadRecord* const record = threads_[thread].record;
  const FakeThread& joined = threads_[step.object];
  const uint32_t serial = joined.record->serial;
  if (space_.states[state_].status[thread] != Status::kWaiting) {
    ledger::RecordJoinOrder(record, 0, serial, DescriptorOf(step.object), 0, SiteOf(thread), 0);
    ledger::BeginWait(Scope(record, 0, First{}),
                      ledger::Pack(joined.slot, serial, static_cast<uint8_t>(ledger::Mode::kJoin)),
                      nullptr, DescriptorOf(step.object), SiteOf(thread));
  }
  if (action == Action::kBlock) return;
  ledger::EndWait(record, record->frame0, /*acquired=*/false);
  ledger::NoteThreadJoined(ledger::TheLedger(), serial, DescriptorOf(step.object), record);
  ledger::ThreadWasJoined(joined.slot, serial, DescriptorOf(step.object));
}

void Replay::RecordRelease(size_t thread, const Step& step) {
  const Scope scope(threads_[thread].record, 0, First{});
  void* const lock = AddressOf(step.object);
  if (step.op == Op::kPost) {
    return ledger::ReleaseUnit(scope, lock, interpose::DescribeSemaphore, SiteOf(thread));
  }
  if (ledger::CanRecordAtOnce() && ledger::ReleaseTop(lock)) return;
  EXPECT_NE(ledger::RecordRelease(scope, lock), 0u) << ToText(program_);
}

void Replay::WriteWords(const State& state) {
  std::array<bool, kObjects> wanted{}, writer_waits{};
  for (size_t thread = 0; thread < program_.threads.size(); ++thread) {
    if (state.status[thread] != Status::kWaiting) continue;
    const Step& step = space_.StepOf(state, thread);
    if (step.op >= Op::kUnlock) continue;
    wanted[step.object] = true;
    writer_waits[step.object] |= step.op == Op::kWrite;
  }
  for (size_t i = 0; i < program_.objects.size(); ++i) {
    uint32_t* const words = memory_[i].words;
    const uint32_t tid = state.owner[i] == 0 ? 0 : TidOf(state.owner[i] - 1u);
    switch (program_.objects[i].kind) {
      case Kind::kMutex:
        words[0] = tid == 0 ? 0 : wanted[i] ? 2 : 1;
        words[2] = tid;
        break;
      case Kind::kRwLockWriterFirst:
        words[12] = PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP;
        [[fallthrough]];
      case Kind::kRwLock: {
        uint32_t readers = 0;
        for (size_t thread = 0; thread < kThreads; ++thread) readers += state.Reads(thread, i);
        const bool write_phase = tid != 0 || (readers == 0 && writer_waits[i]);
        words[0] = readers << 3 | (writer_waits[i] || tid != 0 ? 2u : 0u) | (write_phase ? 1u : 0u);
        words[6] = tid;
        break;
      }
      case Kind::kSemaphore:
        words[0] = state.units[i];
        break;
    }
  }
}

void Replay::WriteKernel(const State& state) {
  for (size_t thread = 0; thread < program_.threads.size(); ++thread) {
    const auto entry = kernel_.threads.find(TidOf(thread));
    if (entry == kernel_.threads.end()) continue;
    // Woken as soon as it can go on.
    if (state.status[thread] != Status::kWaiting || space_.Available(state, thread)) {
      kernel_.Run(TidOf(thread));
      continue;
    }
    if (entry->second.state == 'S') continue;
    const Step& step = space_.StepOf(state, thread);
    if (step.op == Op::kJoin) {
      kernel_.SleepOn(TidOf(thread), DescriptorOf(step.object) + 720, false, TidOf(step.object),
                      /*is_private=*/false);
      continue;
    }
    bool gives_way;
    space_.Blockers(state, thread, &gives_way);
    const bool rwlock = step.op == Op::kRead || step.op == Op::kWrite;
    kernel_.SleepOn(
        TidOf(thread),
        reinterpret_cast<uint64_t>(AddressOf(step.object)) + (rwlock && !gives_way ? 8 : 0),
        step.how == How::kTimed);
  }
}

Said Replay::Ask() {
  DeadlockDetector detector(reader_.get(), &kernel_, kConfirm);
  const Snapshot first = reader_->Take();
  EXPECT_TRUE(detector.Look(first, kStart).deadlocks.empty()) << "one look is not enough";
  const Snapshot second = reader_->Take();
  const Detection detection = detector.Look(second, kStart + kConfirm);
  Said said;
  const auto bits = [&](const std::vector<uint32_t>& nodes) {
    uint8_t all = 0;
    for (const uint32_t node : nodes) {
      all |= static_cast<uint8_t>(1 << (detection.model.nodes[node].tid - TidOf(0)));
    }
    return all;
  };
  for (const Deadlock& deadlock : detection.deadlocks) {
    said.deadlocked |= bits(deadlock.core);
    said.behind |= bits(deadlock.behind);
  }
  return said;
}

std::vector<Prediction> Replay::Predict() {
  OrderWatch watch(reader_.get());
  watch.Look(reader_->Take(), kStart, /*last=*/true);
  std::vector<Prediction> predictions;
  const auto object_of = [&](LockKey key) {
    if (IsThread(key)) {
      size_t thread = 0;
      const uint32_t serial = ledger::SerialIn(key.index);
      while (threads_[thread].serial != serial) ++thread;
      return static_cast<uint8_t>(kObjects + thread);
    }
    const uint64_t address = reader_->Lock(key).address;
    return static_cast<uint8_t>((address - reinterpret_cast<uint64_t>(memory_.data())) /
                                sizeof(Memory));
  };
  for (const PredictedCycle& cycle : watch.Take(kStart, /*hold=*/false, /*limit=*/1000)) {
    Prediction& prediction = predictions.emplace_back();
    for (size_t i = 0; i < cycle.edges.size(); ++i) {
      // Sites say which thread it was, also of one whose record is used no more.
      const uint64_t site = cycle.verdict.chosen[i].to_site;
      prediction.cycle.push_back({static_cast<uint8_t>((site - 0x400000) / 0x1000),
                                  object_of(cycle.edges[i].from), object_of(cycle.edges[i].to)});
    }
  }
  return predictions;
}

}  // namespace lockwarden::explorer
