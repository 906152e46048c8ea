// Uses the linked types against their order, each way that can be declared, or in it.
//
//   order WAY [throw|abort]
//
// Prints "done" at the end; with throw, "refused" where LockOrderViolation came.
#include <cstdio>
#include <cstring>
#include <mutex>
#include <system_error>
#include <thread>

#include "lockwarden/lockwarden.h"

using lockwarden::Lock;
using lockwarden::LockClass;
using lockwarden::OrderPolicy;

namespace {

LockClass tables("tables", {.rank = 10}), rows("rows", {.rank = 20});
LockClass requests("requests"), replies("replies");
Lock table(tables), row(rows);
Lock request(requests), reply(replies);
Lock one("one"), two("two"), three("three");
lockwarden::SharedLock shared("shared");

__attribute__((noinline)) void Inner(Lock& lock) {
  lock.lock();
  lock.unlock();
}

__attribute__((noinline)) void Outer(Lock& outer, Lock& inner) {
  outer.lock();
  try {
    Inner(inner);
  } catch (const lockwarden::LockOrderViolation& violation) {
    std::printf("refused: %s\n", violation.what());
  }
  outer.unlock();
}

__attribute__((noinline)) void AcquireSetWhileHolding(Lock& held) {
  held.lock();
  try {
    auto set = lockwarden::acquire(three, one);
  } catch (const lockwarden::LockOrderViolation& violation) {
    std::printf("refused: %s\n", violation.what());
  }
  held.unlock();
}

__attribute__((noinline)) void CallBack() {
  try {
    const lockwarden::NoLocksAllowed scope;
  } catch (const lockwarden::LockOrderViolation& violation) {
    std::printf("refused: %s\n", violation.what());
  }
}

template <class Call>
void Caught(Call call) {
  try {
    call();
  } catch (const std::system_error& error) {
    std::printf("error %d\n", error.code().value());
  }
}

__attribute__((noinline)) void UnlockOthers() {
  Caught([] { one.unlock(); });
}

// What the types refuse, or cannot help.
void Misuse(const char* way) {
  if (std::strcmp(way, "unlock") == 0) {
    one.lock();
    std::thread(UnlockOthers).join();
    one.unlock();
  } else if (std::strcmp(way, "unlock_free") == 0) {
    UnlockOthers();
  } else if (std::strcmp(way, "relock") == 0) {
    one.lock();
    Caught([] { one.lock(); });
    one.unlock();
  } else if (std::strcmp(way, "shared_unlock") == 0) {
    shared.lock_shared();
    std::thread([] { Caught([] { shared.unlock(); }); }).join();
    shared.unlock_shared();
  } else if (std::strcmp(way, "shared_relock") == 0) {
    shared.lock_shared();
    Caught([] { shared.lock(); });
    shared.unlock_shared();
  } else if (std::strcmp(way, "shared_destroy") == 0) {
    auto* const gone = new lockwarden::SharedLock("gone");
    gone->lock_shared();
    delete gone;
  } else if (std::strcmp(way, "overrun") == 0) {
    static lockwarden::BoundedSemaphore slots(1, "slots");
    Caught([] { slots.release(); });
  } else if (std::strcmp(way, "wait") == 0) {
    static lockwarden::Condition condition;
    std::unique_lock guard(one, std::defer_lock);
    Caught([&] { condition.wait(guard); });
  } else if (std::strcmp(way, "destroy") == 0) {
    auto* const gone = new Lock("gone");
    gone->lock();
    delete gone;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const char* const way = argc > 1 ? argv[1] : "";
  const char* const policy = argc > 2 ? argv[2] : "";
  if (std::strcmp(policy, "throw") == 0) lockwarden::set_order_policy(OrderPolicy::kThrow);
  if (std::strcmp(policy, "abort") == 0) lockwarden::set_order_policy(OrderPolicy::kAbort);
  lockwarden::order(requests, replies);
  for (Lock* lock : {&one, &two, &three}) static_cast<void>(lock->id());
  for (int round = 0; round < 3; ++round) {
    if (std::strcmp(way, "rank") == 0) Outer(row, table);
    if (std::strcmp(way, "declared") == 0) Outer(reply, request);
    if (std::strcmp(way, "set") == 0) AcquireSetWhileHolding(two);
    if (std::strcmp(way, "no_locks") == 0) {
      one.lock();
      CallBack();
      one.unlock();
    }
    Misuse(way);
    if (std::strstr(way, "destroy") != nullptr) break;  // else its memory would be another lock's
    if (std::strcmp(way, "healthy") == 0) {
      CallBack();
      Outer(table, row);
      Outer(request, reply);
      Outer(two, one);
      auto outer = lockwarden::acquire(two, one);
      auto inner = lockwarden::acquire(three);
    }
  }
  std::puts("done");
  return 0;
}
