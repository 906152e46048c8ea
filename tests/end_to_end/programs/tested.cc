// A GoogleTest program with Lockwarden's listener: tests that are clean around one that takes two
// locks in both orders, and, if asked for, one that deadlocks.
#include <gtest/gtest.h>
#include <lockwarden/gtest.h>
#include <pthread.h>
#include <sched.h>

#include <atomic>

namespace {

pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;
std::atomic<bool> forth_is_through{false};
pthread_barrier_t each_holds_one;
bool meets = false;

void Take(pthread_mutex_t* first, pthread_mutex_t* then) {
  pthread_mutex_lock(first);
  if (meets) pthread_barrier_wait(&each_holds_one);
  pthread_mutex_lock(then);
  pthread_mutex_unlock(then);
  pthread_mutex_unlock(first);
}

void* Forth(void*) {
  Take(&a, &b);
  forth_is_through = true;
  return nullptr;
}

void* Back(void*) {
  while (!meets && !forth_is_through) sched_yield();
  Take(&b, &a);
  return nullptr;
}

void RunBoth() {
  pthread_t forth, back;
  pthread_create(&forth, nullptr, Forth, nullptr);
  pthread_create(&back, nullptr, Back, nullptr);
  pthread_join(forth, nullptr);
  pthread_join(back, nullptr);
}

TEST(Accounts, AreCleanAtFirst) { Take(&a, &b); }
TEST(Accounts, AreTakenInBothOrders) { RunBoth(); }
TEST(Accounts, AreTakenInBothOrdersAgain) { RunBoth(); }
TEST(Accounts, AreCleanAtLast) { Take(&a, &b); }
TEST(Accounts, DISABLED_Deadlock) {
  meets = true;
  pthread_barrier_init(&each_holds_one, nullptr, 2);
  RunBoth();
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  lockwarden::FailTestsOnFindings();
  return RUN_ALL_TESTS();
}
