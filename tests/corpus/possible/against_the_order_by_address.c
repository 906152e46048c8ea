// expect: potential_deadlock
// Locks of one kind are nested by their addresses everywhere but in one place, and never the same
// two both ways. The twin is silent/nested_by_address.c.
#include "../corpus.h"

enum { kAccounts = 8 };
static pthread_mutex_t accounts[kAccounts];

static void* transfers(void* unused) {
  for (int i = 0; i < kAccounts; ++i) {
    for (int j = i + 1; j < kAccounts; ++j) {
      if (i == 2 && j == 5) continue;  // these two have no business with each other today
      pthread_mutex_lock(&accounts[i]);
      pthread_mutex_lock(&accounts[j]);
      pthread_mutex_unlock(&accounts[j]);
      pthread_mutex_unlock(&accounts[i]);
    }
  }
  return unused;
}

static void* audits(void* unused) {
  stand();
  pthread_mutex_lock(&accounts[5]);
  pthread_mutex_lock(&accounts[2]);
  pthread_mutex_unlock(&accounts[2]);
  pthread_mutex_unlock(&accounts[5]);
  return unused;
}

int main(void) {
  for (int i = 0; i < kAccounts; ++i) pthread_mutex_init(&accounts[i], NULL);
  const pthread_t one = start(transfers, NULL), two = start(audits, NULL);
  join(one);
  join(two);
  return 0;
}
