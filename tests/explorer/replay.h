// Replay: one schedule of a LockProgram, played on this thread with fake threads: their locks
// go through the real recorder into a real ledger, and lock words and kernel say what the
// program's state says. Then the real reader and judges are asked.
//
// Thread records are made by hand (there are no threads to register); everything else in them
// is the recorder's. An acquire that finds the lock taken is left in the middle, where the real
// one would sleep, and finished when its thread goes on.
//
// Not thread-safe; one at a time in the process. Must never: decide what is true.
#pragma once

#include <pthread.h>
#include <semaphore.h>

#include <array>
#include <memory>
#include <variant>
#include <vector>

#include "interpose/describe.h"
#include "runtime/known_acquire.h"
#include "tests/explorer/lock_program.h"
#include "tests/explorer/state_space.h"
#include "tests/watchdog/fake_kernel.h"
#include "watchdog/deadlock_detector.h"
#include "watchdog/order_watch.h"

namespace lockwarden::explorer {

// What was predicted: `thread` asks for `to` while it holds `from`; round. From kObjects on these
// are threads: a thread holds itself, and who joins it asks for that.
struct Prediction {
  struct Edge {
    uint8_t thread = 0, from = 0, to = 0;
  };
  std::vector<Edge> cycle;
};

// What the detector says of the present state, as bits of threads.
struct Said {
  uint8_t deadlocked = 0, behind = 0;
  bool any() const { return deadlocked != 0; }
};

class Replay {
 public:
  Replay(const LockProgram& program, const StateSpace& space);
  ~Replay();
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;

  void Play(const StateSpace::Edge& edge);  // from the state that it is in
  Said Ask();                               // two looks, nothing in between
  std::vector<Prediction> Predict();        // as at the end of the program
  uint32_t state() const { return state_; }

 private:
  using First = ledger::FirstFrame;
  using Scope = ledger::Scope<First>;
  template <class Object>
  using Acquisition = ledger::Acquisition<Object, First>;
  struct FakeThread {
    ledger::ThisThread self;
    ledger::ThreadRecord* record = nullptr;
    uint32_t slot = 0;
    uint32_t serial = 0;  // also when the record is used no more
    std::variant<std::monostate, Acquisition<interpose::MutexObject>,
                 Acquisition<interpose::ReaderObject>, Acquisition<interpose::WriterObject>,
                 Acquisition<interpose::SemaphoreObject>>
        pending;
  };
  // Lock words are this process's own memory.
  class Kernel : public FakeKernelView {
   public:
    bool ReadMemory(uint64_t address, void* out, size_t size) override {
      std::memcpy(out, reinterpret_cast<const void*>(address), size);
      return true;
    }
  };

  void Bear(size_t thread);
  void Record(size_t thread, Action action);
  template <class Object>
  void RecordAcquire(size_t thread, const Step& step, Action action);
  void RecordJoin(size_t thread, const Step& step, Action action);
  void RecordRelease(size_t thread, const Step& step);
  void WriteWords(const State& state);
  void WriteKernel(const State& state);
  void* AddressOf(size_t object) { return &memory_[object]; }
  static uint32_t TidOf(size_t thread) { return static_cast<uint32_t>(100 + thread); }
  uint64_t SiteOf(size_t thread) const;

  union alignas(64) Memory {
    pthread_mutex_t mutex;
    pthread_rwlock_t rwlock;
    sem_t semaphore;
    uint32_t words[16];
  };

  const LockProgram& program_;
  const StateSpace& space_;
  uint32_t state_ = 0;
  ledger::Gate gate_;
  ledger::Gate* const gate_before_;
  const ledger::ThisThread thread_before_;
  uint64_t size_ = 0;
  void* base_ = nullptr;
  std::array<FakeThread, kThreads> threads_;
  std::array<Memory, kObjects> memory_;
  Kernel kernel_;
  std::unique_ptr<LedgerReader> reader_;
};

}  // namespace lockwarden::explorer
