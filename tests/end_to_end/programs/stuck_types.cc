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

const struct {
  const char* kind;
  void (*run)();
} kKinds[] = {{"lock", Crosswise<lockwarden::Lock>},
              {"rlock", Crosswise<lockwarden::RLock>},
              {"shared_lock", Crosswise<lockwarden::SharedLock>},
              {"read_again", ReadAgain},
              {"upgrade", Upgrade}};

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
