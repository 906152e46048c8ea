// Wrong use: a lock is held where it is asserted not to be. Must not compile with
// -Wthread-safety -Werror.
#include <lockwarden/lockwarden.h>

lockwarden::Lock balance_lock("balance");

void Deposit() {
  balance_lock.lock();
  lockwarden::assert_not_held(balance_lock);
  balance_lock.unlock();
}
