// Two accounts and a transfer between them.
#pragma once

#include <lockwarden/lockwarden.h>

struct Account {
  lockwarden::Lock lock;
  int balance ABSL_GUARDED_BY(lock) = 100;
};

void Transfer(Account& from, Account& to, int amount);
// Goes against the declared order: true if that is refused.
bool OrderIsKept();
