// Takes two locks in one order or in the other, as its argument says: never both in one run.
#include <pthread.h>
#include <string.h>

pthread_mutex_t accounts = PTHREAD_MUTEX_INITIALIZER, audit = PTHREAD_MUTEX_INITIALIZER;

static void* Forth(void* unused) {
  pthread_mutex_lock(&accounts);
  pthread_mutex_lock(&audit);
  pthread_mutex_unlock(&audit);
  pthread_mutex_unlock(&accounts);
  return unused;
}

static void* Back(void* unused) {
  pthread_mutex_lock(&audit);
  pthread_mutex_lock(&accounts);
  pthread_mutex_unlock(&accounts);
  pthread_mutex_unlock(&audit);
  return unused;
}

int main(int argc, char** argv) {
  pthread_t thread;
  const int forth = argc < 2 || strcmp(argv[1], "forth") == 0;
  pthread_create(&thread, NULL, forth ? Forth : Back, NULL);
  pthread_join(thread, NULL);
  return 0;
}
