// glibc's locks, as std:: gives them: run plain for the reference, under a preload for what
// that costs, and built with -fsanitize=thread for a peer.
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/syscall.h>

#include <condition_variable>
#include <mutex>
#include <shared_mutex>

#include "bench/lock_cases.h"

namespace lockwarden::bench {
namespace {

void ReadPair(benchmark::State& state) {
  static std::shared_mutex lock;
  for (auto _ : state) {
    lock.lock_shared();
    lock.unlock_shared();
  }
}

void SpinPair(benchmark::State& state) {
  pthread_spinlock_t lock;
  pthread_spin_init(&lock, PTHREAD_PROCESS_PRIVATE);
  for (auto _ : state) {
    pthread_spin_lock(&lock);
    pthread_spin_unlock(&lock);
  }
  pthread_spin_destroy(&lock);
}

void SemaphorePair(benchmark::State& state) {
  sem_t semaphore;
  sem_init(&semaphore, 0, 1);
  for (auto _ : state) {
    sem_wait(&semaphore);
    sem_post(&semaphore);
  }
  sem_destroy(&semaphore);
}

// As C++20's atomics make it; nobody waits, so nobody is woken.
void FutexWake(benchmark::State& state) {
  int word = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1));
  }
}

// Two threads hand a turn to and fro: each iteration is one wait, woken by the other.
void PingPong(benchmark::State& state) {
  static std::mutex mutex;
  static std::condition_variable changed;
  static int64_t turn;
  const int64_t me = state.thread_index();
  if (me == 0) turn = 0;
  int64_t next = me;  // the turns of a thread are every second one
  for (auto _ : state) {
    std::unique_lock<std::mutex> hold(mutex);
    changed.wait(hold, [&] { return turn >= next; });
    ++turn;
    next += 2;
    changed.notify_one();
  }
  // The last turn may be the other's, which must not wait for a thread that has gone.
  const std::lock_guard<std::mutex> hold(mutex);
  turn = INT64_MAX / 2;
  changed.notify_one();
}

}  // namespace
}  // namespace lockwarden::bench

int main(int argc, char** argv) {
  using namespace lockwarden::bench;
  benchmark::RegisterBenchmark("read pair", ReadPair);
  benchmark::RegisterBenchmark("spin pair", SpinPair);
  benchmark::RegisterBenchmark("semaphore pair", SemaphorePair);
  benchmark::RegisterBenchmark("futex wake", FutexWake);
  benchmark::RegisterBenchmark("contended ping-pong", PingPong)->Threads(2)->UseRealTime();
  return RunCases<std::mutex>(argc, argv);
}
