// expect: self_deadlock
// A std::shared_mutex is wanted for writing by the thread that reads it, while another
// thread of the process works.
#include <mutex>
#include <shared_mutex>
#include <thread>

#include "../corpus.h"

int main() {
  std::shared_mutex mutex;
  std::thread works([] { for (;;) nap(10); });
  const std::shared_lock<std::shared_mutex> reads(mutex);
  pthread_rwlock_wrlock(static_cast<pthread_rwlock_t*>(mutex.native_handle()));
}
