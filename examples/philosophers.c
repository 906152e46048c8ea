// Dining philosophers, the way one writes them first: everybody takes the fork to the
// left, says grace with the others, and then reaches for the fork to the right.
//
// Plain C and plain pthreads; nothing in here knows of Lockwarden. It hangs every time:
// when grace has been said, each fork is in somebody's left hand. Try
//   lockwarden run -- build/bin/philosophers
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>

enum { kSeats = 3 };

static const char* const kNames[kSeats] = {"Aristotle", "Hypatia", "Spinoza"};

static pthread_mutex_t forks[kSeats];
static pthread_barrier_t grace;

static void take_left(int seat) { pthread_mutex_lock(&forks[seat]); }
static void take_right(int seat) { pthread_mutex_lock(&forks[(seat + 1) % kSeats]); }

static void put_back(int seat) {
  pthread_mutex_unlock(&forks[(seat + 1) % kSeats]);
  pthread_mutex_unlock(&forks[seat]);
}

static void dine(int seat) {
  take_left(seat);
  pthread_barrier_wait(&grace);
  take_right(seat);
  printf("%s eats\n", kNames[seat]);
  put_back(seat);
}

static void* philosopher(void* argument) {
  const int seat = (int)(long)argument;
  pthread_setname_np(pthread_self(), kNames[seat]);
  dine(seat);
  return NULL;
}

int main(void) {
  pthread_t guests[kSeats];
  pthread_barrier_init(&grace, NULL, kSeats);
  for (int seat = 0; seat < kSeats; ++seat) pthread_mutex_init(&forks[seat], NULL);
  for (long seat = 0; seat < kSeats; ++seat) {
    if (pthread_create(&guests[seat], NULL, philosopher, (void*)seat) != 0) return 1;
  }
  for (int seat = 0; seat < kSeats; ++seat) pthread_join(guests[seat], NULL);
  puts("the table is cleared");
  return 0;
}
