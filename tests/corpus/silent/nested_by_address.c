// expect: nothing
// Locks of one kind that are nested by their addresses everywhere; and a tree of locks, each taken
// under its parent, wherever the two lie.
#include "../corpus.h"

enum { kAccounts = 8, kNodes = 20 };
static pthread_mutex_t accounts[kAccounts], tree[kNodes];

static void nest(pthread_mutex_t* outer, pthread_mutex_t* inner) {
  pthread_mutex_lock(outer);
  pthread_mutex_lock(inner);
  pthread_mutex_unlock(inner);
  pthread_mutex_unlock(outer);
}

static void* transfers(void* unused) {
  for (int i = 0; i < kAccounts; ++i) {
    for (int j = i + 1; j < kAccounts; ++j) nest(&accounts[i], &accounts[j]);
  }
  for (int child = 2; child < kNodes; ++child) nest(&tree[child / 2], &tree[child]);
  return unused;
}

static void* audits(void* unused) {
  stand();
  pthread_mutex_lock(&accounts[2]);
  pthread_mutex_lock(&accounts[5]);
  pthread_mutex_unlock(&accounts[5]);
  pthread_mutex_unlock(&accounts[2]);
  pthread_mutex_lock(&tree[kNodes - 1]);
  pthread_mutex_lock(&tree[0]);  // a late child of the last one
  pthread_mutex_unlock(&tree[0]);
  pthread_mutex_unlock(&tree[kNodes - 1]);
  return unused;
}

int main(void) {
  for (int i = 0; i < kAccounts; ++i) pthread_mutex_init(&accounts[i], NULL);
  for (int i = 0; i < kNodes; ++i) pthread_mutex_init(&tree[i], NULL);
  const pthread_t one = start(transfers, NULL), two = start(audits, NULL);
  join(one);
  join(two);
  return 0;
}
