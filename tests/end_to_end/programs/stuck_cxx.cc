// As stuck.c, in ways that only C++ has: `stuck_cxx KIND` hangs, `stuck_cxx KIND healthy`
// does not. Also built as a library, for plugin_host.c to load into a C program.
#include <atomic>
#include <barrier>
#include <cstring>
#include <future>
#include <latch>
#include <mutex>
#include <semaphore>
#include <stdexcept>
#include <thread>

namespace {

bool healthy;
std::atomic<int> arrived{0};
std::mutex mutex;

void Meet() {
  ++arrived;
  while (!healthy && arrived < 2) std::this_thread::yield();
}

void Pair(void (*first)(), void (*second)()) {
  std::thread one(first);
  if (healthy) one.join();
  std::thread two(second);
  if (!healthy) one.join();
  two.join();
}

struct TakesTheMutex {
  TakesTheMutex() {
    Meet();
    const std::lock_guard<std::mutex> lock(mutex);
  }
};
void TouchStatic() { static TakesTheMutex object; }
void TouchStaticHolding() {
  const std::lock_guard<std::mutex> lock(mutex);
  Meet();
  TouchStatic();
}
void Guard() { Pair(TouchStatic, TouchStaticHolding); }

struct Other {
  explicit Other(void (*next)()) {
    Meet();
    next();
  }
};
void TouchB();
void Nothing() {}
void TouchA() { static Other a(healthy ? Nothing : TouchB); }
void TouchB() { static Other b(healthy ? Nothing : TouchA); }
void Guards() { Pair(TouchA, TouchB); }

std::once_flag flag;
std::atomic<bool> thrown{false};
void CallOnceHolding() {
  // An exception leaves the flag fresh, and not held.
  try {
    std::call_once(flag, [] { throw std::runtime_error("again"); });
  } catch (const std::runtime_error&) {
    thrown = true;
  }
  const std::lock_guard<std::mutex> lock(mutex);
  Meet();
  std::call_once(flag, [] {});
}
void CallOnce() {
  while (!healthy && !thrown) std::this_thread::yield();
  std::call_once(flag, [] {
    Meet();
    const std::lock_guard<std::mutex> lock(mutex);
  });
}
void Once() { Pair(CallOnce, CallOnceHolding); }

void Semaphore() {
  static std::counting_semaphore<100> semaphore(0);
  std::thread one([] {
    if (healthy) semaphore.release();
  });
  semaphore.acquire();
  one.join();
}

void Latch() {
  static std::latch latch(healthy ? 2 : 3);
  std::thread one([] { latch.arrive_and_wait(); });
  latch.arrive_and_wait();
  one.join();
}

void Barrier() {
  static std::barrier barrier(healthy ? 2 : 3);
  std::thread one([] { barrier.arrive_and_wait(); });
  barrier.arrive_and_wait();
  one.join();
}

void Future() {
  static std::promise<int> promise;
  std::thread one([] {
    if (healthy) promise.set_value(1);
  });
  promise.get_future().wait();
  one.join();
}

void Atomic() {
  static std::atomic<int> value{0};
  std::thread one([] {
    if (!healthy) return;
    value = 1;
    value.notify_all();
  });
  value.wait(0);
  one.join();
}

const struct {
  const char* kind;
  void (*run)();
} kKinds[] = {{"guard_mutex", Guard}, {"guards", Guards},   {"call_once", Once},
              {"semaphore", Semaphore}, {"latch", Latch},   {"barrier", Barrier},
              {"future", Future},       {"atomic", Atomic}};

}  // namespace

extern "C" int RunStuck(int count, char** arguments) {
  healthy = count > 2;
  for (const auto& entry : kKinds) {
    if (count < 2 || std::strcmp(arguments[1], entry.kind) != 0) continue;
    entry.run();
    return 0;
  }
  return 64;
}

int main(int count, char** arguments) { return RunStuck(count, arguments); }
