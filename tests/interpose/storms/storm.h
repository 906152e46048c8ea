// Storms: programs that do one thing very often, from many threads, in a seeded order.
//
// Each is bounded by count and checks itself: what it prints follows from its seed alone,
// never from the schedule, so that it must be the same with and without the preload.
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct Storm {
  const char* name;
  void (*run)(uint64_t seed, int rounds);
  int rounds;  // unless the command line says otherwise
};

void Churn(uint64_t seed, int rounds);
void EndHolding(uint64_t seed, int rounds);
void Forks(uint64_t seed, int rounds);
void Cancellations(uint64_t seed, int rounds);
void Signals(uint64_t seed, int rounds);
void Libraries(uint64_t seed, int rounds);
void Mixed(uint64_t seed, int rounds);

extern const char* plugin_paths[];  // libraries to load and unload
extern int plugin_count;

// Ends the program, loudly, unless `what` is so.
#define MUST(what)                                                    \
  do {                                                                \
    if (!(what)) {                                                    \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what); \
      abort();                                                        \
    }                                                                 \
  } while (0)

// splitmix64: the next of a sequence that its start determines.
static inline uint64_t Next(uint64_t* state) {
  uint64_t z = (*state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

// A deadline that never comes, and one a moment away.
static inline struct timespec Never(void) { return (struct timespec){.tv_sec = 1L << 40}; }
static inline struct timespec InAMoment(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  time.tv_nsec += 200000;
  if (time.tv_nsec >= 1000000000) {
    time.tv_nsec -= 1000000000;
    ++time.tv_sec;
  }
  return time;
}
