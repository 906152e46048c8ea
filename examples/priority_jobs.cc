// A priority queue of one's own: the most urgent job comes out first, whoever put it in and when.
//
// Shows: Condition around a container of the standard library. (lockwarden::PriorityQueue is the
// ready-made one.) The worker is let go when all jobs are in, so that the order can be seen. Try
//   lockwarden run -- build/bin/priority_jobs [JOBS]
#include <lockwarden/lockwarden.h>

#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <queue>
#include <thread>
#include <vector>

namespace {

class Jobs {
 public:
  void Add(int urgency) {
    {
      const std::scoped_lock hold(lock_);
      waiting_.push(urgency);
    }
    changed_.notify_one();
  }
  void Close() {
    {
      const std::scoped_lock hold(lock_);
      closed_ = true;
    }
    changed_.notify_all();
  }
  // Nothing: closed, and all jobs are done.
  std::optional<int> Next() {
    std::unique_lock hold(lock_);
    changed_.wait(hold, [this] { return closed_ || !waiting_.empty(); });
    if (waiting_.empty()) return std::nullopt;
    const int job = waiting_.top();
    waiting_.pop();
    return job;
  }

 private:
  lockwarden::Lock lock_{"jobs"};  // guards what follows
  lockwarden::Condition changed_{"a job"};
  std::priority_queue<int> waiting_;
  bool closed_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  const int count = argc > 1 ? std::atoi(argv[1]) : 12;
  Jobs jobs;
  lockwarden::Event open("the workshop opens");
  std::jthread worker([&] {
    open.wait();
    while (const std::optional<int> job = jobs.Next()) std::printf("%d ", *job);
    std::putchar('\n');
  });
  {
    std::vector<std::jthread> clients;  // odd and even ones, in no particular order
    for (int first : {1, 2}) {
      clients.emplace_back([&jobs, count, first] {
        for (int urgency = first; urgency <= count; urgency += 2) jobs.Add(urgency);
      });
    }
  }
  jobs.Close();
  open.set();
}
