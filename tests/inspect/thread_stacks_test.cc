// Stacks of a child's threads that are blocked in several ways, and what must not happen to it.
#include "watchdog/inspect/thread_stacks.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#include <cerrno>
#include <string>

#include "absl/strings/match.h"
#include "tests/inspect/target_process.h"
#include "watchdog/symbolizer.h"

namespace lockwarden {
namespace {

pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
SharedPage* page;

// Each blocks for ever, so that its name is in the stack.
__attribute__((noinline)) void WaitsForTheMutex() {
  page->ready.fetch_add(1);
  pthread_mutex_lock(&mutex);
  page->errors.fetch_add(1);
}

__attribute__((noinline)) void ReadsFromAPipe() {
  int ends[2];
  if (pipe(ends) != 0) page->errors.fetch_add(1);
  page->ready.fetch_add(1);
  char byte;
  if (read(ends[0], &byte, 1) != 1) page->errors.fetch_add(1);
}

__attribute__((noinline)) void WaitsForEvents() {
  const int events = epoll_create1(0);
  page->ready.fetch_add(1);
  epoll_event event;
  epoll_wait(events, &event, 1, -1);  // returns only if interrupted
  page->errors.fetch_add(1);
}

__attribute__((noinline)) void Runs() {
  page->ready.fetch_add(1);
  for (;;) page->counter.fetch_add(1);
}

template <void (*kRun)()>
void* Start(void* name) {
  pthread_setname_np(pthread_self(), static_cast<const char*>(name));
  kRun();
  return nullptr;
}

template <void (*kRun)()>
void Spawn(const char* name) {
  pthread_t thread;
  pthread_create(&thread, nullptr, Start<kRun>, const_cast<char*>(name));
}

void SleepForEver() {
  for (;;) pause();
}

// All signals blocked, so that nothing but ptrace and /proc can look at it.
void RunFourThreads(SharedPage* shared) {
  page = shared;
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
  pthread_mutex_lock(&mutex);
  Spawn<WaitsForTheMutex>("locker");
  Spawn<ReadsFromAPipe>("reader");
  Spawn<WaitsForEvents>("poller");
  Spawn<Runs>("runner");
  SleepForEver();
}

void CountSignal(int) { page->signals.fetch_add(1); }

// One runs, one sleeps; SIGUSR1 is counted.
void RunWithHandler(SharedPage* shared) {
  page = shared;
  struct sigaction action = {};
  action.sa_handler = CountSignal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGUSR1, &action, nullptr);
  Spawn<ReadsFromAPipe>("reader");
  Spawn<Runs>("runner");
  SleepForEver();
}

ProcessStacks Stacks(int pid, const StackLimits& limits = {}) {
  Symbolizer symbolizer;
  symbolizer.Update({}, pid);
  return StacksOfAllThreads(pid, limits, &symbolizer);
}

StackLimits Patient() {
  StackLimits limits;
  limits.thread_ns = limits.total_ns = 60'000'000'000;
  return limits;
}

const ThreadStack* Named(const ProcessStacks& stacks, const std::string& name) {
  for (const ThreadStack& thread : stacks.threads) {
    if (thread.kernel.comm == name) return &thread;
  }
  return nullptr;
}

bool PassesThrough(const ThreadStack& thread, const char* function) {
  for (const StackFrame& frame : thread.frames) {
    if (absl::StrContains(frame.function, function)) return true;
  }
  return false;
}

// All of them asleep where they will stay, but the one that runs.
bool Settled(int pid) {
  StackLimits limits = Patient();
  limits.may_stop = false;
  for (const ThreadStack& thread : Stacks(pid, limits).threads) {
    if (thread.kernel.comm != "runner" && thread.kernel.state != 'S') return false;
  }
  return true;
}

TEST(ThreadStacksTest, EveryThreadIsShownWithTheMethodThatLeavesNoTrace) {
  TargetProcess target(RunFourThreads);
  ASSERT_TRUE(target.WaitReady(4));
  ASSERT_TRUE(WaitUntil([&] { return Settled(target.pid()); }));
  const ProcessStacks stacks = Stacks(target.pid(), Patient());
  ASSERT_EQ(stacks.threads.size(), 5u);
  EXPECT_EQ(stacks.threads[0].tid, static_cast<uint32_t>(target.pid()));
  struct {
    const char* name;
    const char* function;
    StackMethod method;
  } const expected[] = {{"locker", "WaitsForTheMutex", StackMethod::kStopped},
                        {"reader", "ReadsFromAPipe", StackMethod::kStopped},
                        {"poller", "WaitsForEvents", StackMethod::kAsleep},
                        {"runner", "Runs", StackMethod::kStopped}};
  for (const auto& thread : expected) {
    const ThreadStack* found = Named(stacks, thread.name);
    ASSERT_NE(found, nullptr) << thread.name;
    EXPECT_TRUE(PassesThrough(*found, thread.function)) << thread.name << ": " << found->why;
    EXPECT_EQ(found->method, thread.method) << thread.name;
    EXPECT_TRUE(found->consistent) << thread.name;
    EXPECT_TRUE(found->complete) << thread.name << ": " << found->why;
  }
  EXPECT_TRUE(WaitUntil([&, before = target.page().counter.load()] {
    return target.page().counter.load() != before;
  }));
  EXPECT_EQ(target.page().errors.load(), 0) << "a system call of the process ended early";
}

TEST(ThreadStacksTest, WithoutStoppingSleepersAreShownAndTheOthersSaidToBeMissing) {
  TargetProcess target(RunFourThreads);
  ASSERT_TRUE(target.WaitReady(4));
  ASSERT_TRUE(WaitUntil([&] { return Settled(target.pid()); }));
  StackLimits limits = Patient();
  limits.may_stop = false;
  const ProcessStacks stacks = Stacks(target.pid(), limits);
  const ThreadStack* locker = Named(stacks, "locker");
  ASSERT_NE(locker, nullptr);
  EXPECT_TRUE(PassesThrough(*locker, "WaitsForTheMutex"));
  EXPECT_EQ(locker->method, StackMethod::kAsleep);
  const ThreadStack* runner = Named(stacks, "runner");
  ASSERT_NE(runner, nullptr);
  EXPECT_EQ(runner->method, StackMethod::kNone);
  EXPECT_NE(runner->why, "");
}

TEST(ThreadStacksTest, LimitsAreKeptAndSaid) {
  TargetProcess target(RunFourThreads);
  ASSERT_TRUE(target.WaitReady(4));
  StackLimits limits = Patient();
  limits.threads = 2;
  limits.frames = 1;
  const ProcessStacks stacks = Stacks(target.pid(), limits);
  EXPECT_EQ(stacks.left_out, 3u);
  ASSERT_EQ(stacks.threads.size(), 2u);
  EXPECT_EQ(stacks.threads[0].pcs.size(), 1u);
  EXPECT_FALSE(stacks.threads[0].complete);
  EXPECT_NE(stacks.threads[0].why, "");
  limits = StackLimits();
  limits.total_ns = 0;
  for (const ThreadStack& thread : Stacks(target.pid(), limits).threads) {
    EXPECT_EQ(thread.method, StackMethod::kNone);
    EXPECT_NE(thread.why, "");
  }
}

TEST(ThreadStacksTest, NobodyStaysStoppedWhenTheTracerIsKilled) {
  TargetProcess target(RunWithHandler);
  ASSERT_TRUE(target.WaitReady(2));
  TargetProcess tracer([&](SharedPage*) {
    StackLimits limits = Patient();
    limits.while_stopped_for_test = [] { kill(getpid(), SIGKILL); };
    StacksOfAllThreads(target.pid(), limits, nullptr);
  });
  const std::optional<int> status = tracer.Reap();
  ASSERT_TRUE(status.has_value());
  ASSERT_TRUE(WIFSIGNALED(*status));
  EXPECT_TRUE(WaitUntil([&] { return target.state() == 'S'; })) << target.state();
  EXPECT_TRUE(WaitUntil([&, before = target.page().counter.load()] {
    return target.page().counter.load() != before;
  }));
}

TEST(ThreadStacksTest, ASignalThatArrivesMeanwhileIsDelivered) {
  TargetProcess target(RunWithHandler);
  ASSERT_TRUE(target.WaitReady(2));
  StackLimits limits = Patient();
  limits.threads = 1;  // the main thread
  limits.while_stopped_for_test = [&] { syscall(SYS_tgkill, target.pid(), target.pid(), SIGUSR1); };
  Stacks(target.pid(), limits);
  EXPECT_TRUE(WaitUntil([&] { return target.page().signals.load() == 1; }));
  EXPECT_EQ(target.page().errors.load(), 0);
}

TEST(ThreadStacksTest, AStoppedProcessStaysStopped) {
  TargetProcess target(RunWithHandler);
  ASSERT_TRUE(target.WaitReady(2));
  kill(target.pid(), SIGSTOP);
  ASSERT_TRUE(WaitUntil([&] { return StandsStill(target.pid()); }));
  const ProcessStacks stacks = Stacks(target.pid(), Patient());
  const ThreadStack* runner = Named(stacks, "runner");
  ASSERT_NE(runner, nullptr);
  EXPECT_TRUE(PassesThrough(*runner, "Runs"));
  EXPECT_EQ(runner->kernel.state, 'T');
  EXPECT_TRUE(WaitUntil([&] { return target.state() == 'T'; })) << target.state();
  const int before = target.page().counter.load();
  kill(target.pid(), SIGCONT);
  EXPECT_TRUE(WaitUntil([&] { return target.page().counter.load() != before; }));
}

TEST(ThreadStacksTest, TheStatusOfAChildThatDiesMeanwhileIsItsParents) {
  TargetProcess target(RunWithHandler);
  ASSERT_TRUE(target.WaitReady(2));
  StackLimits limits = Patient();
  limits.while_stopped_for_test = [&] { kill(target.pid(), SIGKILL); };
  Stacks(target.pid(), limits);
  const std::optional<int> status = target.Reap();
  ASSERT_TRUE(status.has_value());
  EXPECT_TRUE(WIFSIGNALED(*status));
}

TEST(ThreadStacksTest, AMainThreadThatHasEndedHidesNoOther) {
  TargetProcess target([](SharedPage* shared) {
    page = shared;
    Spawn<ReadsFromAPipe>("reader");
    syscall(SYS_exit, 0);  // this thread alone
  });
  ASSERT_TRUE(target.WaitReady(1));
  ASSERT_TRUE(WaitUntil([&] { return target.state() == 'Z'; }));
  const ProcessStacks stacks = StacksOfAllThreads(target.pid(), Patient(), nullptr);
  ASSERT_EQ(stacks.threads.size(), 2u);
  EXPECT_NE(stacks.threads[0].why, "");
  EXPECT_TRUE(stacks.threads[1].complete) << stacks.threads[1].why;
}

TEST(ThreadStacksTest, TwoThousandThreads) {
  TargetProcess target([](SharedPage* shared) {
    page = shared;
    pthread_mutex_lock(&mutex);
    for (int i = 0; i < 2000; ++i) Spawn<WaitsForTheMutex>("locker");
    SleepForEver();
  });
  ASSERT_TRUE(target.WaitReady(2000));
  const ProcessStacks stacks = Stacks(target.pid(), Patient());
  ASSERT_EQ(stacks.threads.size(), 2001u);
  for (const ThreadStack& thread : stacks.threads) {
    EXPECT_TRUE(thread.complete) << thread.why;
  }
}

TEST(ThreadStacksTest, WhatIsNotThereIsSaid) {
  const ProcessStacks stacks = StacksOfAllThreads(1 << 30, {}, nullptr);
  EXPECT_TRUE(stacks.threads.empty());
  EXPECT_NE(stacks.why_none, "");
}

}  // namespace
}  // namespace lockwarden
