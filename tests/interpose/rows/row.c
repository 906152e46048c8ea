// The table's printer and its helpers, and main():
//   conformance_rows PLUGIN         every row; PLUGIN is a library to load and unload
//   conformance_rows --functions    the functions that have a row
#include "row.h"

#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

const char* ErrorName(int error) {
  if (error == 0) return "0";
  if (error == kUntouched) return "untouched";
  const char* name = strerrorname_np(error);
  return name == NULL ? "?" : name;
}

void Print(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vprintf(format, arguments);
  va_end(arguments);
}

void* InThread(void* (*routine)(void*), void* argument) {
  pthread_t thread;
  void* result = NULL;
  if (pthread_create(&thread, NULL, routine, argument) != 0) abort();
  if (pthread_join(thread, &result) != 0) abort();
  return result;
}

int InChild(void (*body)(void*), void* argument) {
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);
    body(argument);
    _exit(0);
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child) abort();
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

struct timespec Past(void) { return (struct timespec){.tv_sec = 1}; }

struct timespec Soon(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  time.tv_nsec += 3000000;
  if (time.tv_nsec >= 1000000000) {
    time.tv_nsec -= 1000000000;
    ++time.tv_sec;
  }
  return time;
}

void* SharedMemory(size_t size) {
  void* memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) abort();
  return memory;
}

const char* plugin_path;

int main(int count, char** arguments) {
  const struct Row* tables[] = {kMutexRows,     kMutexKindRows, kConditionRows,
                                kReadWriteRows, kSemaphoreRows, kThreadRows,
                                kThreadAttributeRows, kProcessRows,   kSpinRows,
                                kBarrierRows,   kC11Rows,       kOnceRows,
                                kFutexRows,     kOldConditionRows, kFileLockRows,
                                kImageRows,     kThreadEndRows};
  if (count != 2) return 64;
  const int list = strcmp(arguments[1], "--functions") == 0;
  plugin_path = arguments[1];
  alarm(120);
  for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); ++t) {
    for (const struct Row* row = tables[t]; row->run != NULL; ++row) {
      if (list) {
        Print("%s\n", row->functions);
        continue;
      }
      Print("\n%s (%s)\n", row->what, row->functions);
      fflush(stdout);
      row->run();
    }
  }
  return 0;
}
