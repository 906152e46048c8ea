// Rows of the conformance table: what each function that the preload takes over answers in
// each interesting case, one line an answer. The program is run with and without the
// preload, and must print the same.
//
// A row prints values only: no address, time or id that differs from run to run.
#pragma once

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { kUntouched = 7777 };

struct Row {
  const char* functions;  // names, separated by spaces: what this row is about
  const char* what;
  void (*run)(void);
};

extern const struct Row kMutexRows[], kMutexKindRows[], kConditionRows[], kReadWriteRows[],
    kSemaphoreRows[], kThreadRows[], kThreadAttributeRows[], kProcessRows[],
    kSpinRows[], kBarrierRows[], kC11Rows[], kOnceRows[], kFutexRows[],
    kOldConditionRows[], kFileLockRows[], kImageRows[], kThreadEndRows[];

extern const char* plugin_path;  // a library to load and unload

const char* ErrorName(int error);
void Print(const char* format, ...) __attribute__((format(printf, 1, 2)));

// Evaluates a call that returns 0 or an error, and prints both that and what became of errno.
#define SHOW(call)                                                              \
  do {                                                                          \
    errno = kUntouched;                                                         \
    const int show_result = (call);                                             \
    const int show_errno = errno; /* printing may change it */                  \
    Print("%s: %s, errno %s\n", #call, ErrorName(show_result), ErrorName(show_errno)); \
  } while (0)
// The same for a call whose value is a number of its own kind.
#define SHOW_VALUE(call)                                                        \
  do {                                                                          \
    errno = kUntouched;                                                         \
    const int show_result = (call);                                             \
    const int show_errno = errno;                                               \
    Print("%s: %d, errno %s\n", #call, show_result, ErrorName(show_errno));     \
  } while (0)

// Runs in another thread and waits for its end; the thread's result.
void* InThread(void* (*routine)(void*), void* argument);
// Runs in a child process and waits for it; its exit status, or minus the signal.
int InChild(void (*body)(void*), void* argument);
struct timespec Past(void);                 // a deadline long over, on any clock
struct timespec Soon(clockid_t clock);      // some milliseconds from now
void* SharedMemory(size_t size);            // zeroed; seen by children
