// As stuck.c, with the library's own types: `stuck_types KIND` hangs, `stuck_types KIND healthy`
// does not.
#include <atomic>
#include <cstring>
#include <mutex>
#include <shared_mutex>
#include <thread>

#include "lockwarden/lockwarden.h"

namespace {

bool healthy;
std::atomic<int> arrived{0};

// Both threads are where they must be, to hang.
void Meet() {
  ++arrived;
  while (!healthy && arrived < 2) std::this_thread::yield();
}

// One after the other if healthy, else at once.
template <class First, class Second>
void Pair(First first, Second second) {
  std::thread one(first);
  if (healthy) one.join();
  std::thread two(second);
  if (!healthy) one.join();
  two.join();
}

template <class L>
void Crosswise() {
  static L a("a"), b("b");
  const auto take = [](L& first, L& second) {
    const std::scoped_lock outer(first);
    Meet();
    const std::scoped_lock inner(second);
  };
  Pair([=] { take(a, b); }, [=] { take(b, a); });
}

// A thread that reads asks to read once more, behind a writer that waits for it.
void ReadAgain() {
  static lockwarden::SharedLock lock("table");
  Pair(
      [] {
        const std::shared_lock outer(lock);
        Meet();
        while (!healthy && lock.try_lock_shared()) lock.unlock_shared();  // no writer yet
        const std::shared_lock inner(lock);
      },
      [] {
        Meet();
        const std::unique_lock write(lock);
      });
}

// An upgrade waits for a reader, which waits for what the upgrader holds.
void Upgrade() {
  static lockwarden::SharedLock table("table");
  static lockwarden::Lock log("log");
  Pair(
      [] {
        table.lock_upgrade();
        const std::scoped_lock outer(log);
        Meet();
        table.unlock_upgrade_and_lock();
        table.unlock();
      },
      [] {
        const std::shared_lock outer(table);
        Meet();
        const std::scoped_lock inner(log);
      });
}

// The signal came while nobody waited.
void LostSignal() {
  static lockwarden::Lock lock;
  static lockwarden::Condition ready("ready");
  ready.notify_one();
  std::thread one([] {
    std::unique_lock hold(lock);
    if (healthy) {
      static_cast<void>(ready.wait_for(hold, std::chrono::milliseconds(1)));
    } else {
      ready.wait(hold);
    }
  });
  one.join();
}

// Waits on a condition with a lock held that the thread which would signal needs first.
void OuterLock() {
  static lockwarden::RLock outer("outer");
  static lockwarden::Lock inner;
  static lockwarden::Condition ready("ready");
  static bool set = false;
  std::thread one([] {
    std::unique_lock hold_outer(outer, std::defer_lock);
    if (!healthy) hold_outer.lock();
    std::unique_lock hold(inner);
    ++arrived;
    ready.wait(hold, [] { return set; });
  });
  while (arrived < 1) std::this_thread::yield();
  std::thread two([] {
    const std::scoped_lock hold(outer, inner);
    set = true;
    ready.notify_all();
  });
  one.join();
  two.join();
}

// Used as locks are, in opposite orders.
void Semaphores() {
  static lockwarden::Semaphore a(1, "a");
  static lockwarden::BoundedSemaphore b(1, "b");
  const auto take = [](lockwarden::Semaphore& first, lockwarden::Semaphore& second) {
    first.acquire();
    Meet();
    second.acquire();
    second.release();
    first.release();
  };
  Pair([=] { take(a, b); }, [=] { take(b, a); });
}

void Event() {
  static lockwarden::Event stop("stop");
  std::thread one([] { stop.wait(); });
  if (healthy) stop.set();
  one.join();
}

// One short.
void Barrier() {
  static lockwarden::Barrier step(healthy ? 2 : 3, {}, "step");
  std::thread one([] { step.wait(); });
  step.wait();
  one.join();
}

// Each waits for what the other would send.
void Queues() {
  static lockwarden::Queue<int> requests(1, "requests"), answers(1, "answers");
  std::thread one([] {
    if (healthy) answers.push(1);
    requests.pop();
  });
  answers.pop();
  requests.push(1);
  one.join();
}

// Waits for the end of a thread that needs what it holds itself.
void Join() {
  static lockwarden::Lock lock("log");
  std::unique_lock hold(lock);
  lockwarden::Thread one("one", [] { const std::scoped_lock inner(lock); });
  if (healthy) hold.unlock();
  one.join();
}

// The same, for its result.
void Promise() {
  static lockwarden::Lock lock("log");
  std::unique_lock hold(lock);
  lockwarden::Future<int> answer = lockwarden::async("one", [] {
    const std::scoped_lock inner(lock);
    return 42;
  });
  if (healthy) hold.unlock();
  answer.get();
}

const struct {
  const char* kind;
  void (*run)();
} kKinds[] = {{"lock", Crosswise<lockwarden::Lock>},
              {"rlock", Crosswise<lockwarden::RLock>},
              {"shared_lock", Crosswise<lockwarden::SharedLock>},
              {"read_again", ReadAgain},
              {"upgrade", Upgrade},
              {"lost_signal", LostSignal},
              {"outer_lock", OuterLock},
              {"semaphores", Semaphores},
              {"event", Event},
              {"barrier", Barrier},
              {"queue", Queues},
              {"join", Join},
              {"promise", Promise}};

}  // namespace

int main(int count, char** arguments) {
  healthy = count > 2;
  for (const auto& entry : kKinds) {
    if (count < 2 || std::strcmp(arguments[1], entry.kind) != 0) continue;
    entry.run();
    return 0;
  }
  return 64;
}
