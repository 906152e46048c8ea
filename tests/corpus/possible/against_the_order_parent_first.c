// expect: potential_deadlock
// Two threads lock nodes parent before child, each those of its own part of the tree, and one of
// them two of its own the other way round. The twin is silent/nested_by_address.c.
#include "../corpus.h"

enum { kNodes = 24, kOwn = 20 };  // from kOwn on only one thread takes them
static pthread_mutex_t node[kNodes];

static void nest(pthread_mutex_t* outer, pthread_mutex_t* inner) {
  pthread_mutex_lock(outer);
  pthread_mutex_lock(inner);
  pthread_mutex_unlock(inner);
  pthread_mutex_unlock(outer);
}

static void* walks(void* own) {
  for (int child = own ? kOwn : 2; child < (own ? kNodes : kOwn); ++child) {
    nest(&node[child / 2], &node[child]);
  }
  if (own) {
    pthread_mutex_lock(&node[kOwn]);
    pthread_mutex_lock(&node[kOwn / 2]);
    pthread_mutex_unlock(&node[kOwn / 2]);
    pthread_mutex_unlock(&node[kOwn]);
  }
  return NULL;
}

int main(void) {
  for (int i = 0; i < kNodes; ++i) pthread_mutex_init(&node[i], NULL);
  const pthread_t one = start(walks, NULL), two = start(walks, node);
  join(one);
  join(two);
  return 0;
}
