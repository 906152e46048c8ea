// What the programs of this folder share: a situation is a function with a name, and its
// exit code and output must be the same with the preload as without.
#pragma once

#include <pthread.h>
#include <stddef.h>

struct situation {
  const char* name;
  int (*run)(void);  // the exit code
};

// Tables, one a file; each ends with a null name.
extern const struct situation fork_situations[];
extern const struct situation exec_situations[];
extern const struct situation ending_situations[];
extern const struct situation sandbox_situations[];
extern const struct situation confined_situations[];
extern const struct situation crowd_situations[];
extern const struct situation odd_situations[];

// Threads, two nested mutexes, a condition, a semaphore and a read-write lock: prints
// "NAME: works" when every count came out right.
int workout(const char* name);
// Starts threads that take and release locks until the process ends.
void start_busy_threads(int count);
// The path of this program and its own situation to begin with in a new image.
extern const char* own_path;
// Waits for a child and prints how it ended.
int print_end(const char* name, int pid);
// Ends the program when something that a situation rests on is not to be had.
void need(int condition, const char* what);
