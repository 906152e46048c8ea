// Right use of the instrumented types: clang's -Wthread-safety must find nothing here.
#include <lockwarden/lockwarden.h>

lockwarden::Lock balance_lock("balance");
lockwarden::RLock audit_lock;
int balance ABSL_GUARDED_BY(balance_lock) = 0;
int a = 0, b = 0;  // names that the headers must not mind

int Deposit(int amount) {
  balance_lock.lock();
  const int now = balance += amount;
  balance_lock.unlock();
  return now;
}

void TryDeposit(int amount) {
  if (!balance_lock.try_lock()) return;
  balance += amount;
  balance_lock.unlock();
}

void Both() { auto held = lockwarden::acquire(balance_lock, audit_lock); }

lockwarden::SharedLock table_lock("table");
lockwarden::Condition paid("paid");
int table ABSL_GUARDED_BY(table_lock) = 0;

int ReadTable() {
  table_lock.lock_shared();
  const int now = table;
  table_lock.unlock_shared();
  return now;
}

void WriteTable(int value) {
  if (!table_lock.try_lock_for(std::chrono::seconds(1))) return;
  table = value;
  table_lock.unlock();
}

int ReadTableAndPerhapsMore() {
  table_lock.lock_upgrade();
  const int now = table;
  table_lock.unlock_upgrade();
  return now;
}

void WaitUntilPaid() {
  balance_lock.lock();
  while (balance == 0) paid.wait(balance_lock);
  balance_lock.unlock();
}

int Expected() {
  lockwarden::assert_held(balance_lock);
  return balance;
}

int Read() {
  lockwarden::assert_not_held(balance_lock);
  lockwarden::assert_held_shared(balance_lock);
  return balance;
}
