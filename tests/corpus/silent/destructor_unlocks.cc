// expect: nothing
// A thread's start routine has returned; a thread_local's destructor still holds a lock
// and takes its time.
#include <mutex>
#include <thread>

#include "../corpus.h"

static std::mutex mutex;

struct Late {
  std::unique_lock<std::mutex> held{mutex};
  ~Late() { stand(); }
};

int main() {
  std::thread late([] {
    thread_local Late held;
    (void)&held;
  });
  nap(50);
  { const std::lock_guard<std::mutex> wait(mutex); }
  late.join();
}
