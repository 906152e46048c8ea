// What shared memory and file locks are called, from the kernel's own lines; and the files
// themselves: a thread that really waits, and who really holds.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "watchdog/file_locks.h"
#include "watchdog/shared_memory.h"

namespace lockwarden {
namespace {

TEST(SharedMemoryTest, SharedLinesAreReadAndPrivateOnesLeftOut) {
  const auto mappings = SharedOf(ParseMemoryMap(
      "1000-3000 rw-p 00000000 fe:00 7 /private\n"
      "4000-6000 rw-s 00002000 fe:01 131    /a file with spaces (deleted)\n"
      "7000-8000 rw-s 00000000 00:01 112719     /dev/zero (deleted)\n"
      "9000-a000 rw-s 00000000 00:01 5          /SYSV00000000 (deleted)\n"
      "b000-c000 rw-s 00000000 00:00 0\n"
      "nonsense\n"
      "d000-c000 rw-s 00000000 00:01 9 /backwards\n"));
  ASSERT_EQ(mappings.size(), 3u);
  EXPECT_FALSE(FindShared(mappings, 0x1010).has_value());
  EXPECT_FALSE(FindShared(mappings, 0x3fff).has_value());
  EXPECT_FALSE(FindShared(mappings, 0x6000).has_value());
  const SharedId id = FindShared(mappings, 0x5010).value();
  EXPECT_EQ(id.offset, 0x3010u);
  EXPECT_EQ(id.inode, 131u);
  EXPECT_EQ(SharedName(id), "254:1 131 +0x3010");
  EXPECT_TRUE(FindShared(mappings, 0x9000)->system_v);
}

TEST(SharedMemoryTest, OneObjectMappedTwiceHasOneName) {
  const int fd = memfd_create("shared", MFD_CLOEXEC);
  ASSERT_EQ(ftruncate(fd, 8192), 0);
  auto* whole = static_cast<char*>(mmap(nullptr, 8192, PROT_READ, MAP_SHARED, fd, 0));
  auto* second = static_cast<char*>(mmap(nullptr, 4096, PROT_READ, MAP_SHARED, fd, 4096));
  const auto mappings = ReadSharedMappings(getpid());
  const auto at = [&](const char* place) {
    return FindShared(mappings, reinterpret_cast<uint64_t>(place));
  };
  ASSERT_TRUE(at(whole).has_value());
  EXPECT_EQ(at(whole + 4096 + 40), at(second + 40));
  EXPECT_NE(at(whole + 40), at(second + 40));
  EXPECT_FALSE(MappedElsewhere(*at(whole), {getpid()}));
  EXPECT_TRUE(MappedElsewhere(*at(second), {}));
  munmap(whole, 8192);
  munmap(second, 4096);
  close(fd);
}

TEST(FileLockTest, TheKernelsLinesAreRead) {
  const auto held = ParseFileLock("1: FLOCK  ADVISORY  WRITE 700 fe:00:16276 0 EOF");
  ASSERT_TRUE(held.has_value());
  EXPECT_TRUE(held->exclusive);
  EXPECT_FALSE(held->waits);
  EXPECT_EQ(held->pid, 700);
  EXPECT_EQ(held->inode, 16276u);
  EXPECT_EQ(held->last, kEndOfFile);
  const auto waits = ParseFileLock("12: -> OFDLCK ADVISORY  READ -1 fe:00:16276 5 14");
  ASSERT_TRUE(waits.has_value());
  EXPECT_TRUE(waits->waits);
  EXPECT_EQ(waits->family, FileLockFamily::kOfd);
  EXPECT_EQ(waits->first, 5u);
  EXPECT_EQ(waits->last, 14u);
  for (const char* line : {"", "1: LEASE  ACTIVE    READ 1 fe:00:5 0 EOF", "1: FLOCK ADVISORY",
                           "1: FLOCK ADVISORY OTHER 1 fe:00:5 0 EOF",
                           "1: FLOCK ADVISORY WRITE 1 5 0 EOF"}) {
    EXPECT_FALSE(ParseFileLock(line).has_value()) << line;
  }
}

TEST(FileLockTest, WhatConflicts) {
  const FileLock write{
      .family = FileLockFamily::kPosix, .exclusive = true, .first = 10, .last = 14};
  FileLock other = write;
  EXPECT_TRUE(Conflict(write, other));
  other.exclusive = false;
  EXPECT_TRUE(Conflict(write, other));
  EXPECT_FALSE(Conflict(other, other)) << "two readers";
  other.family = FileLockFamily::kOfd;
  EXPECT_TRUE(Conflict(write, other)) << "POSIX and OFD are one kind of lock";
  other.first = other.last = 15;
  EXPECT_FALSE(Conflict(write, other)) << "other bytes";
  other = {.family = FileLockFamily::kFlock, .exclusive = true};
  EXPECT_FALSE(Conflict(write, other)) << "flock knows nothing of ranges";
}

class LiveFileLockTest : public testing::Test {
 protected:
  LiveFileLockTest() {
    char name[] = "/tmp/lockwarden-file-lock-XXXXXX";
    held_ = mkstemp(name);
    wanted_ = open(name, O_RDWR | O_CLOEXEC);
    unlink(name);
  }
  ~LiveFileLockTest() override {
    close(held_);
    close(wanted_);
  }

  // What is said of a thread that blocks in `wait`, which goes on when `free` was called.
  template <class WaitFor, class Free>
  FileLockWait Ask(WaitFor wait_for, Free free) {
    std::atomic<uint32_t> tid{0};
    std::thread thread([&] {
      tid = static_cast<uint32_t>(syscall(SYS_gettid));
      EXPECT_EQ(wait_for(), 0);
    });
    std::optional<FileLockWait> said;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!said.has_value() && std::chrono::steady_clock::now() < deadline) {
      if (tid != 0) said = view_->Ask(getpid(), kernel_->Thread(tid), kernel_.get());
      std::this_thread::yield();
    }
    free();
    thread.join();
    EXPECT_TRUE(said.has_value());
    return said.value_or(FileLockWait());
  }

  int held_, wanted_;
  const std::unique_ptr<FileLockView> view_ = MakeProcFileLockView();
  const std::unique_ptr<KernelView> kernel_ = MakeProcKernelView(getpid());
};

TEST_F(LiveFileLockTest, FlockIsHeldByAllWhoShareTheDescription) {
  ASSERT_EQ(flock(held_, LOCK_SH), 0);
  int gate[2];
  ASSERT_EQ(pipe2(gate, O_CLOEXEC), 0);
  const pid_t child = fork();
  if (child == 0) {
    char byte;
    close(gate[1]);
    _exit(read(gate[0], &byte, 1) == 0 ? 0 : 1);
  }
  const FileLockWait wait = Ask([&] { return flock(wanted_, LOCK_EX); },
                                [&] { flock(held_, LOCK_UN); });
  EXPECT_TRUE(wait.wanted.exclusive);
  ASSERT_EQ(wait.conflicting.size(), 1u);
  EXPECT_FALSE(wait.conflicting[0].lock.exclusive);
  EXPECT_EQ(wait.conflicting[0].holders, (std::set<int>{getpid(), child}));
  close(gate[1]);
  close(gate[0]);
  waitpid(child, nullptr, 0);
}

TEST_F(LiveFileLockTest, OfARangeOnlyWhatOverlapsStandsInTheWay) {
  struct flock range = {};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  range.l_start = 10;
  range.l_len = 5;
  ASSERT_EQ(fcntl(held_, F_OFD_SETLK, &range), 0);
  struct flock elsewhere = range;
  elsewhere.l_start = 100;
  ASSERT_EQ(fcntl(held_, F_OFD_SETLK, &elsewhere), 0);
  struct flock end = range;
  end.l_start = -10;
  end.l_len = 0;
  end.l_whence = SEEK_END;
  ASSERT_EQ(ftruncate(held_, 22), 0);
  struct flock none = range;
  none.l_type = F_UNLCK;
  none.l_start = none.l_len = 0;
  struct flock wish = range;
  wish.l_whence = SEEK_CUR;
  wish.l_start = 2;
  wish.l_len = 1;
  ASSERT_EQ(lseek(wanted_, 9, SEEK_SET), 9);
  const FileLockWait wait = Ask([&] { return fcntl(wanted_, F_OFD_SETLKW, &wish); },
                                [&] { fcntl(held_, F_OFD_SETLK, &none); });
  EXPECT_EQ(wait.wanted.first, 11u);
  EXPECT_EQ(wait.wanted.last, 11u);
  ASSERT_EQ(wait.conflicting.size(), 1u);
  EXPECT_EQ(wait.conflicting[0].lock.first, 10u);
  ASSERT_EQ(fcntl(wanted_, F_OFD_SETLK, &none), 0);
  ASSERT_EQ(fcntl(held_, F_OFD_SETLK, &range), 0);
  const FileLockWait tail = Ask([&] { return fcntl(wanted_, F_OFD_SETLKW, &end); },
                                [&] { fcntl(held_, F_OFD_SETLK, &none); });
  EXPECT_EQ(tail.wanted.first, 12u);
  EXPECT_EQ(tail.wanted.last, kEndOfFile);
  EXPECT_NE(tail.identity, wait.identity);
}

TEST_F(LiveFileLockTest, AThreadThatWaitsForNoFileIsNotSaidTo) {
  const auto tid = static_cast<uint32_t>(syscall(SYS_gettid));
  EXPECT_FALSE(view_->Ask(getpid(), kernel_->Thread(tid), kernel_.get()).has_value());
}

}  // namespace
}  // namespace lockwarden
