// Where a thread's stack lies, as the recorder works it out without asking libc, against
// what libc says: the main thread, ordinary, small, large and user-given stacks, and the
// forked child of a thread that is not the main one.
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "runtime/thread_slots.h"
#include "tests/runtime/small_ledger.h"

namespace lockwarden::ledger {
namespace {

struct Bounds {
  uint64_t low = 0, high = 0;
};

Bounds LibcsBounds() {
  pthread_attr_t attributes;
  void* low = nullptr;
  size_t size = 0;
  pthread_getattr_np(pthread_self(), &attributes);
  pthread_attr_getstack(&attributes, &low, &size);
  pthread_attr_destroy(&attributes);
  return {reinterpret_cast<uint64_t>(low), reinterpret_cast<uint64_t>(low) + size};
}

// The descriptor and the static thread-locals lie on top of a thread's stack.
constexpr uint64_t kTop = 16384;

void ExpectInside(const ThreadRecord& record, const Bounds& libc) {
  EXPECT_LE(record.stack_high, libc.high);
  EXPECT_GE(record.stack_high + kTop, libc.high);
  EXPECT_GE(record.stack_low + kTop, libc.low);
  EXPECT_LE(record.stack_low, libc.high);
}

class StackBoundsTest : public SmallLedger {
 protected:
  void InThread(const pthread_attr_t* attributes, std::function<void()> body) {
    pthread_t thread;
    ASSERT_EQ(pthread_create(&thread, attributes, [](void* argument) -> void* {
                (*static_cast<std::function<void()>*>(argument))();
                return nullptr;
              }, &body), 0);
    pthread_join(thread, nullptr);
  }
};

TEST_F(StackBoundsTest, TheMainThreadsStackEndsWhereTheProgramBegan) {
  const Bounds libc = LibcsBounds();
  EXPECT_LE(Me().stack_high, libc.high);
  EXPECT_GT(Me().stack_high, reinterpret_cast<uint64_t>(__builtin_frame_address(0)));
  EXPECT_LT(Me().stack_low, reinterpret_cast<uint64_t>(__builtin_frame_address(0)));
}

TEST_F(StackBoundsTest, AThreadsStackIsWhereLibcPutIt) {
  InThread(nullptr, [] {
    ASSERT_TRUE(RegisterThisThread());
    ExpectInside(*this_thread.record, LibcsBounds());
  });
}

TEST_F(StackBoundsTest, SmallAndLargeStacksAreKnownFromTheAttributes) {
  for (const size_t size : {size_t{65536}, size_t{1} << 20, size_t{64} << 20}) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    ASSERT_EQ(pthread_attr_setstacksize(&attributes, size), 0);
    InThread(&attributes, [size] {
      BindThread(ClaimThreadSlot(1), size);
      ExpectInside(*this_thread.record, LibcsBounds());
    });
    pthread_attr_destroy(&attributes);
  }
}

TEST_F(StackBoundsTest, AStackThatTheProgramGaveIsKnownToo) {
  constexpr size_t kSize = 256 << 10;
  void* space = mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(space, MAP_FAILED);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  ASSERT_EQ(pthread_attr_setstack(&attributes, space, kSize), 0);
  InThread(&attributes, [] {
    BindThread(ClaimThreadSlot(1), kSize);
    ExpectInside(*this_thread.record, LibcsBounds());
  });
  pthread_attr_destroy(&attributes);
  munmap(space, kSize);
}

TEST_F(StackBoundsTest, InAForkedChildTheThreadThatForkedKeepsItsStack) {
  InThread(nullptr, [] {
    const Bounds libc = LibcsBounds();
    const pid_t child = fork();
    if (child == 0) {
      this_thread = ThisThread{};
      bool right = RegisterThisThread();
      const ThreadRecord& record = *this_thread.record;
      right = right && record.stack_high <= libc.high && record.stack_high + kTop >= libc.high;
      _exit(right ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  });
}

TEST_F(StackBoundsTest, WithoutALimitOnTheStackTheMainThreadIsStillFound) {
  const pid_t child = fork();
  if (child == 0) {
    rlimit none{};
    getrlimit(RLIMIT_STACK, &none);
    none.rlim_cur = RLIM_INFINITY;
    if (setrlimit(RLIMIT_STACK, &none) != 0) _exit(0);  // not allowed to here
    this_thread = ThisThread{};
    const bool found = RegisterThisThread() && this_thread.record->stack_high != 0;
    _exit(found ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace lockwarden::ledger
