/* A thread that beats, until it gets stuck in the way that is asked for. It is stuck for good:
 * whoever watches ends the program. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lockwarden/annotate.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct lockwarden_heartbeat heartbeat = LOCKWARDEN_HEARTBEAT("worker", 200000000);
static int ends[2];
static volatile int forever = 1;

static void Read(void) {
  char byte;
  if (read(ends[0], &byte, 1) < 0) abort();
}

static void* Stuck(void* way) {
  lockwarden_beat(&heartbeat);
  lockwarden_beat(&heartbeat);
  if (strcmp(way, "lock") == 0) pthread_mutex_lock(&mutex);
  if (strcmp(way, "read") == 0) Read();
  while (forever) {
  }
  return NULL;
}

/* All that keeps a heartbeat from being missed, each for longer than its deadline. */
static void* Good(void* unused) {
  struct lockwarden_heartbeat slow = LOCKWARDEN_HEARTBEAT("slow", 60000000000);
  lockwarden_beat(&slow);
  lockwarden_beat(&heartbeat);
  lockwarden_heartbeat_idle(&heartbeat);
  usleep(500000);
  lockwarden_beat(&heartbeat);
  lockwarden_heartbeat_pause(&heartbeat);
  lockwarden_beat(&heartbeat);
  usleep(500000);
  lockwarden_heartbeat_resume(&heartbeat);
  const unsigned long long before = lockwarden_heartbeat_deadline(&heartbeat, 60000000000);
  usleep(500000);
  lockwarden_heartbeat_deadline(&heartbeat, before);
  lockwarden_heartbeat_stop(&heartbeat);
  usleep(500000);
  lockwarden_heartbeat_stop(&slow);
  return unused;
}

int main(int argc, char** argv) {
  pthread_t thread;
  const int good = argc > 1 && strcmp(argv[1], "good") == 0;
  if (argc != 2 || pipe(ends) != 0) return 2;
  if (strcmp(argv[1], "lock") == 0) pthread_mutex_lock(&mutex);
  if (pthread_create(&thread, NULL, good ? Good : Stuck, argv[1]) != 0) return 2;
  if (!good) Read();
  pthread_join(thread, NULL);
  puts("done");
  return 0;
}
