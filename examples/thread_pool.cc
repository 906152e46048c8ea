// A thread pool: a few threads, a queue of tasks, and a way to wait until all of them are done.
//
// Shows: task_done() and join() of Queue. Closing the queue ends the workers when it is empty, so
// the destructor has nothing to wait for but them. Try
//   lockwarden run -- build/bin/thread_pool [TASKS]
#include <lockwarden/lockwarden.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

namespace {

using Task = std::function<void()>;

class ThreadPool {
 public:
  explicit ThreadPool(size_t threads) {
    for (size_t i = 0; i < threads; ++i) workers_.emplace_back([this] { Work(); });
  }
  ~ThreadPool() { tasks_.close(); }

  void Submit(Task task) { tasks_.push(std::move(task)); }
  // Until everything that was submitted has been done. Not to be called by a task.
  void Wait() { tasks_.join(); }

 private:
  void Work() {
    while (const auto task = tasks_.pop()) {
      (*task)();
      tasks_.task_done();
    }
  }

  lockwarden::Queue<Task> tasks_{64, "tasks"};  // whoever submits faster than that waits
  std::vector<std::jthread> workers_;           // joined before the queue goes
};

}  // namespace

int main(int argc, char** argv) {
  const int tasks = argc > 1 ? std::atoi(argv[1]) : 1000;
  std::atomic<long> sum{0};
  ThreadPool pool(4);
  for (int n = 1; n <= tasks; ++n) {
    pool.Submit([&sum, n] { sum += long{n} * n; });
  }
  pool.Wait();
  std::printf("sum of squares %ld\n", sum.load());
}
