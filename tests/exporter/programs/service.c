// A small service: workers that take two locks in turn, one of them contended. Told "deadlock" on
// standard input, the auditor takes them in the other order; the others then pile up behind.
// Ends when its standard input does.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t ledger = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t journal = PTHREAD_MUTEX_INITIALIZER;
static atomic_int crosswise;

static void Pause(void) { usleep(1000); }

__attribute__((noinline)) static void Transfer(void) {
  pthread_mutex_lock(&ledger);
  Pause();
  pthread_mutex_lock(&journal);
  pthread_mutex_unlock(&journal);
  pthread_mutex_unlock(&ledger);
}

__attribute__((noinline)) static void Audit(void) {
  pthread_mutex_lock(&journal);
  if (crosswise) {
    // Some teller nearly always has it, and wants the journal.
    pthread_mutex_lock(&ledger);
    pthread_mutex_unlock(&ledger);
  }
  pthread_mutex_unlock(&journal);
}

static void* Work(void* unused) {
  for (;;) {
    Transfer();
    Pause();
  }
  return unused;
}

static void* Review(void* unused) {
  for (;;) {
    Audit();
    Pause();
  }
  return unused;
}

int main(void) {
  static const char* const kNames[] = {"teller-1", "teller-2", "teller-3"};
  pthread_t thread;
  for (long i = 0; i < 3; ++i) {
    pthread_create(&thread, NULL, Work, NULL);
    pthread_setname_np(thread, kNames[i]);
  }
  pthread_create(&thread, NULL, Review, NULL);
  pthread_setname_np(thread, "auditor");
  char line[64];
  while (fgets(line, sizeof line, stdin) != NULL) {
    if (strcmp(line, "deadlock\n") == 0) crosswise = 1;
  }
  return 0;
}
