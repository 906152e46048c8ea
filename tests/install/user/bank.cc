// The half of the program that locks.
#include "bank.h"

#include <lockwarden/annotate.h>

void Transfer(Account& from, Account& to, int amount) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  auto held = lockwarden::acquire(from.lock, to.lock);
  lockwarden_about_to_wait(&from.balance);
  lockwarden_acquired(&from.balance);
  from.balance -= amount;
  to.balance += amount;
  lockwarden_released(&from.balance);
}

bool OrderIsKept() {
  static lockwarden::LockClass low("low", {.rank = 1}), high("high", {.rank = 2});
  low.set_policy(lockwarden::OrderPolicy::kThrow);
  lockwarden::Lock below(low), above(high);
  const auto held = lockwarden::acquire(above);
  try {
    below.lock();
  } catch (const lockwarden::LockOrderViolation&) {
    return true;
  }
  below.unlock();
  return false;
}
