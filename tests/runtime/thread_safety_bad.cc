// Wrong use: a guarded variable is read without its lock. Must not compile with
// -Wthread-safety -Werror.
#include <lockwarden/lockwarden.h>

lockwarden::Lock balance_lock("balance");
int balance ABSL_GUARDED_BY(balance_lock) = 0;

int Balance() { return balance; }
