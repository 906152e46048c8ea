// expect: nothing
// What predictors cry wolf about: a cycle in one thread, behind a gate lock, of trylocks, of
// timed locks, of readers, std::lock, hand over hand, and addresses used twice.
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <thread>

#include "../corpus.h"

using Guard = std::lock_guard<std::mutex>;

// Both threads live at once, so that neither creation nor join keeps them apart.
template <class F, class G>
static void side_by_side(F f, G g) {
  std::atomic<bool> first_is_done{false};
  std::thread one([&] {
    f();
    first_is_done = true;
  });
  std::thread two([&] {
    while (!first_is_done) std::this_thread::yield();
    g();
  });
  one.join();
  two.join();
}

static void one_thread() {
  static std::mutex a, b;
  { const Guard x(a), y(b); }
  { const Guard x(b), y(a); }
}

static void gate() {
  static std::mutex g, a, b;
  side_by_side([] { const Guard z(g), x(a), y(b); }, [] { const Guard z(g), x(b), y(a); });
}

static void inner_trylock() {
  static std::mutex a, b;
  side_by_side([] { const Guard x(a), y(b); },
               [] {
                 const Guard y(b);
                 if (a.try_lock()) a.unlock();
               });
}

static void inner_timedlock() {
  static std::timed_mutex a, b;
  side_by_side([] { const std::lock_guard<std::timed_mutex> x(a), y(b); },
               [] {
                 const std::lock_guard<std::timed_mutex> y(b);
                 if (a.try_lock_for(std::chrono::seconds(1))) a.unlock();
               });
}

static void std_lock() {
  static std::mutex a, b;
  std::thread one([] { for (int i = 0; i < 1000; ++i) const std::scoped_lock both(a, b); });
  std::thread two([] { for (int i = 0; i < 1000; ++i) const std::scoped_lock both(b, a); });
  one.join();
  two.join();
}

static void readers() {
  static std::shared_mutex a, b;
  using Reader = std::shared_lock<std::shared_mutex>;
  side_by_side([] { const Reader x(a), y(b); }, [] { const Reader y(b), x(a); });
}

static void hand_over_hand() {
  static std::mutex chain[8];
  const auto walk = [] {
    chain[0].lock();
    for (int i = 1; i < 8; ++i) {
      chain[i].lock();
      chain[i - 1].unlock();
    }
    chain[7].unlock();
  };
  side_by_side(walk, walk);
}

static void pthread_twice() {
  // With init and destroy, as C programs do: the second lives are other locks.
  static pthread_mutex_t a, b;
  const auto nested = [](pthread_mutex_t* x, pthread_mutex_t* y) {
    pthread_mutex_init(&a, nullptr);
    pthread_mutex_init(&b, nullptr);
    pthread_mutex_lock(x);
    pthread_mutex_lock(y);
    pthread_mutex_unlock(y);
    pthread_mutex_unlock(x);
    pthread_mutex_destroy(&a);
    pthread_mutex_destroy(&b);
  };
  side_by_side([=] { nested(&a, &b); }, [=] { nested(&b, &a); });
}

int main() {
  one_thread();
  gate();
  inner_trylock();
  inner_timedlock();
  std_lock();
  readers();
  hand_over_hand();
  pthread_twice();
}
