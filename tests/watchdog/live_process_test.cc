// Kernel view and witnesses on threads of this process that really are blocked: the
// words, the system calls and the offsets are the kernel's and glibc's own.
//
// A thread is known to sleep because the kernel says so; it is polled for with a
// deadline, and freed and joined at the end.
#include <gtest/gtest.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <functional>
#include <thread>

#include "watchdog/kernel_witness.h"

namespace lockwarden {
namespace {

class LiveProcessTest : public testing::Test {
 protected:
  // Starts a thread that blocks in `body`, and waits until what it sleeps in is `expected`.
  KernelSays Says(const std::function<void()>& body, const std::function<ExpectedWait()>& expected,
                  const std::function<void()>& release) {
    std::atomic<uint32_t> tid{0};
    std::thread thread([&] {
      tid = static_cast<uint32_t>(syscall(SYS_gettid));
      body();
    });
    KernelSays says = KernelSays::kContradicts;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < deadline) {
      if (tid != 0) says = CheckWait(kernel_->Thread(tid), expected());
      if (says == KernelSays::kAgrees) break;
      std::this_thread::yield();
    }
    release();
    thread.join();
    return says;
  }
  static ExpectedWait On(ledger::LockKind kind, const void* address) {
    ExpectedWait expected;
    expected.kind = kind;
    expected.address = reinterpret_cast<uint64_t>(address);
    return expected;
  }
  std::unique_ptr<KernelView> kernel_ = MakeProcKernelView(getpid());
};

TEST_F(LiveProcessTest, AMutexWaiterIsSeenOnItsMutex) {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&mutex);
  EXPECT_EQ(Says([&] { pthread_mutex_lock(&mutex); pthread_mutex_unlock(&mutex); },
                 [&] { return On(ledger::LockKind::kMutex, &mutex); },
                 [&] { pthread_mutex_unlock(&mutex); }),
            KernelSays::kAgrees);
}

TEST_F(LiveProcessTest, AWriterAndAReaderAreSeenOnTheirRwLock) {
  pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
  pthread_rwlock_rdlock(&lock);
  EXPECT_EQ(Says([&] { pthread_rwlock_wrlock(&lock); pthread_rwlock_unlock(&lock); },
                 [&] { return On(ledger::LockKind::kRwLock, &lock); },
                 [&] { pthread_rwlock_unlock(&lock); }),
            KernelSays::kAgrees);
  pthread_rwlock_wrlock(&lock);
  EXPECT_EQ(Says([&] { pthread_rwlock_rdlock(&lock); pthread_rwlock_unlock(&lock); },
                 [&] { return On(ledger::LockKind::kRwLock, &lock); },
                 [&] { pthread_rwlock_unlock(&lock); }),
            KernelSays::kAgrees);
}

TEST_F(LiveProcessTest, ASemaphoresWaiterIsSeenOnIt) {
  sem_t semaphore;
  sem_init(&semaphore, 0, 0);
  EXPECT_EQ(Says([&] { sem_wait(&semaphore); },
                 [&] { return On(ledger::LockKind::kSemaphore, &semaphore); },
                 [&] { sem_post(&semaphore); }),
            KernelSays::kAgrees);
  sem_destroy(&semaphore);
}

TEST_F(LiveProcessTest, AConditionsWaiterIsSeenOnTheCondition) {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
  bool go = false;
  EXPECT_EQ(Says(
                [&] {
                  pthread_mutex_lock(&mutex);
                  while (!go) pthread_cond_wait(&condition, &mutex);
                  pthread_mutex_unlock(&mutex);
                },
                [&] { return On(ledger::LockKind::kCondition, &condition); },
                [&] {
                  pthread_mutex_lock(&mutex);
                  go = true;
                  pthread_cond_signal(&condition);
                  pthread_mutex_unlock(&mutex);
                }),
            KernelSays::kAgrees);
}

TEST_F(LiveProcessTest, ABarriersWaiterIsSeenOnIt) {
  pthread_barrier_t barrier;
  pthread_barrier_init(&barrier, nullptr, 2);
  EXPECT_EQ(Says([&] { pthread_barrier_wait(&barrier); },
                 [&] { return On(ledger::LockKind::kBarrier, &barrier); },
                 [&] { pthread_barrier_wait(&barrier); }),
            KernelSays::kAgrees);
  pthread_barrier_destroy(&barrier);
}

TEST_F(LiveProcessTest, AFutexIsSeenOnItsWord) {
  std::atomic<uint32_t> word{0};
  EXPECT_EQ(Says([&] { word.wait(0); },
                 [&] { return On(ledger::LockKind::kFutex, &word); },
                 [&] {
                   word = 1;
                   word.notify_all();
                 }),
            KernelSays::kAgrees);
}

TEST_F(LiveProcessTest, ASpinnerIsBelievedOnlyIfItsCounterMoved) {
  std::atomic<bool> stop{false};
  std::atomic<uint32_t> tid{0};
  std::thread spinner([&] {
    tid = static_cast<uint32_t>(syscall(SYS_gettid));
    while (!stop) {
    }
  });
  while (tid == 0) std::this_thread::yield();
  ExpectedWait expected = On(ledger::LockKind::kSpin, &stop);
  const KernelThread thread = kernel_->Thread(tid);
  EXPECT_EQ(CheckWait(thread, expected), KernelSays::kContradicts);
  expected.spun = true;
  EXPECT_EQ(CheckWait(thread, expected), KernelSays::kSpins);
  stop = true;
  spinner.join();
}

TEST_F(LiveProcessTest, OnlyAMappingThatIsNotSharedIsPrivate) {
  static int variable;
  int local = 0;
  void* const shared = mmap(nullptr, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(shared, MAP_FAILED);
  const auto is_private = [&](const void* at) {
    return kernel_->IsPrivate(reinterpret_cast<uint64_t>(at));
  };
  EXPECT_TRUE(is_private(&variable));
  EXPECT_TRUE(is_private(&local));
  EXPECT_FALSE(is_private(shared));
  EXPECT_FALSE(is_private(reinterpret_cast<void*>(64)));
  munmap(shared, 4096);
}

TEST_F(LiveProcessTest, AJoinerIsSeenOnTheTidOfTheJoinedThread) {
  sem_t gate;
  sem_init(&gate, 0, 0);
  std::atomic<uint32_t> joined_tid{0};
  std::thread joined([&] {
    joined_tid = static_cast<uint32_t>(syscall(SYS_gettid));
    sem_wait(&gate);
  });
  const auto descriptor = static_cast<uint64_t>(joined.native_handle());
  EXPECT_EQ(Says([&] { joined.join(); },
                 [&] {
                   ExpectedWait expected;
                   expected.join = true;
                   expected.address = descriptor;
                   expected.joined_tid = joined_tid;
                   return expected;
                 },
                 [&] { sem_post(&gate); }),
            KernelSays::kAgrees);
  sem_destroy(&gate);
}

TEST_F(LiveProcessTest, TheRunningThreadContradictsAndAThreadThatIsGoneDoesNotExist) {
  const auto tid = static_cast<uint32_t>(syscall(SYS_gettid));
  const KernelThread self = kernel_->Thread(tid);
  EXPECT_TRUE(self.exists);
  EXPECT_EQ(self.state, 'R');
  EXPECT_TRUE(self.context_switches.has_value());
  EXPECT_FALSE(self.comm.empty());
  EXPECT_EQ(CheckWait(self, On(ledger::LockKind::kMutex, &tid)), KernelSays::kContradicts);
  EXPECT_FALSE(kernel_->Thread(0x3ffffff0).exists);
  const auto tids = kernel_->Tids();
  ASSERT_TRUE(tids.has_value());
  EXPECT_NE(std::find(tids->begin(), tids->end(), tid), tids->end());
}

TEST_F(LiveProcessTest, CaughtSignalsAreThoseWithAHandler) {
  struct sigaction action {}, before {};
  action.sa_handler = [](int) {};
  sigaction(SIGUSR2, &action, &before);
  const std::optional<uint64_t> caught = kernel_->CaughtSignals();
  sigaction(SIGUSR2, &before, nullptr);
  ASSERT_TRUE(caught.has_value());
  EXPECT_NE(*caught & (uint64_t{1} << (SIGUSR2 - 1)), 0u);
}

TEST_F(LiveProcessTest, TimerSignalsAreThoseThatArmedTimersSend) {
  const uint64_t user_signal = uint64_t{1} << (SIGUSR2 - 1);
  const std::optional<uint64_t> before = kernel_->TimerSignals();
  if (!before.has_value()) GTEST_SKIP() << "no /proc/PID/timers";
  EXPECT_EQ(*before & user_signal, 0u);
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGUSR2;
  timer_t timer;
  ASSERT_EQ(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
  const std::optional<uint64_t> armed = kernel_->TimerSignals();
  timer_delete(timer);
  ASSERT_TRUE(armed.has_value());
  EXPECT_EQ(*armed & user_signal, user_signal);
}

TEST_F(LiveProcessTest, AProcessThatIsGoneGivesNothing) {
  const auto nobody = MakeProcKernelView(0x3ffffff0);
  EXPECT_FALSE(nobody->Thread(1).exists);
  EXPECT_FALSE(nobody->Tids().has_value());
  EXPECT_FALSE(nobody->CaughtSignals().has_value());
  uint32_t word = 0;
  EXPECT_FALSE(nobody->ReadMemory(reinterpret_cast<uint64_t>(&word), &word, sizeof(word)));
}

}  // namespace
}  // namespace lockwarden
