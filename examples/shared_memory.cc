// Two processes that share memory take turns at a counter, with a mutex and a condition that both
// of them see. If one dies while it holds the mutex, the other is told (EOWNERDEAD) and goes on.
//
// Shows: process-shared, robust pthread locks, unmodified. Lockwarden knows that the two mutexes
// are one, at different addresses or not, and finds a deadlock between processes, too. Try
//   lockwarden run -- build/bin/shared_memory [ROUNDS]
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <new>

namespace {

struct Shared {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  long count;  // even: the parent's turn, odd: the child's

  Shared() : count(0) {
    pthread_mutexattr_t mutex_kind;
    pthread_mutexattr_init(&mutex_kind);
    pthread_mutexattr_setpshared(&mutex_kind, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&mutex_kind, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&mutex, &mutex_kind);
    pthread_mutexattr_destroy(&mutex_kind);
    pthread_condattr_t condition_kind;
    pthread_condattr_init(&condition_kind);
    pthread_condattr_setpshared(&condition_kind, PTHREAD_PROCESS_SHARED);
    pthread_cond_init(&changed, &condition_kind);
    pthread_condattr_destroy(&condition_kind);
  }

  void Lock() {
    if (pthread_mutex_lock(&mutex) == EOWNERDEAD) pthread_mutex_consistent(&mutex);
  }
};

void TakeTurns(Shared& shared, long mine, long rounds) {
  for (long round = 0; round < rounds; ++round) {
    shared.Lock();
    while (shared.count % 2 != mine) pthread_cond_wait(&shared.changed, &shared.mutex);
    ++shared.count;
    pthread_cond_signal(&shared.changed);
    pthread_mutex_unlock(&shared.mutex);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const long rounds = argc > 1 ? std::atol(argv[1]) : 1000;
  void* const memory =
      mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 1;
  Shared& shared = *new (memory) Shared;
  const pid_t child = fork();
  if (child < 0) return 1;
  TakeTurns(shared, child == 0 ? 1 : 0, rounds);
  if (child == 0) _exit(0);
  int status = 0;
  if (waitpid(child, &status, 0) != child || status != 0) return 1;
  std::printf("the two processes counted to %ld\n", shared.count);
}
