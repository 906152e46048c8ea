// The black box holds what the program wrote, takes little room, and making it touches
// nothing else of the ledger.
#include "watchdog/ledger_copy.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <string>

#include "absl/strings/match.h"
#include "runtime/ledger.h"
#include "tests/reporting/temporary_directory.h"
#include "watchdog/unique_fd.h"

namespace lockwarden {
namespace {

using ledger::Ledger;

// A ledger of the usual size in a memfd, as the recorder makes it.
class LedgerCopyTest : public testing::Test {
 protected:
  void SetUp() override {
    const ledger::Capacities capacities;
    size_ = Ledger::SizeFor(capacities);
    memory_ = UniqueFd(memfd_create("ledger", MFD_CLOEXEC));
    ASSERT_EQ(ftruncate(memory_.get(), static_cast<off_t>(size_)), 0);
    base_ = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, memory_.get(), 0);
    ASSERT_NE(base_, MAP_FAILED);
    Ledger::Format(base_, capacities);
    file_ = UniqueFd(open((directory_ / "ledger.bin").c_str(), O_RDWR | O_CREAT | O_CLOEXEC,
                          0600));
    ASSERT_TRUE(file_.valid());
  }
  void TearDown() override { munmap(base_, size_); }

  static uint64_t Allocated(int fd) {
    struct stat status = {};
    fstat(fd, &status);
    return static_cast<uint64_t>(status.st_blocks) * 512;
  }
  ledger::TableDirectoryEntry& Table(ledger::TableId id) {
    return Ledger(base_).header().tables[id];
  }
  absl::Status Copy() { return CopyLedger(base_, size_, file_.get(), &summary_); }
  std::string InFile(uint64_t offset, size_t size) {
    std::string bytes(size, '?');
    const ssize_t n = pread(file_.get(), bytes.data(), size, static_cast<off_t>(offset));
    bytes.resize(n < 0 ? 0 : static_cast<size_t>(n));
    return bytes;
  }

  TemporaryDirectory directory_;
  UniqueFd memory_, file_;
  void* base_ = nullptr;
  uint64_t size_ = 0;
  std::string summary_;
};

TEST_F(LedgerCopyTest, HoldsTheHeaderAndTheRecordsHandedOut) {
  const Ledger ledger(base_);
  for (uint32_t i = 0; i < 1000; ++i) {
    const uint32_t index = ledger.Allocate(ledger::kLocks);
    ledger.Table<ledger::LockRecord>(ledger::kLocks)[index].serial = 7000 + i;
  }
  ASSERT_TRUE(Copy().ok());
  struct stat status = {};
  ASSERT_EQ(fstat(file_.get(), &status), 0);
  EXPECT_EQ(static_cast<uint64_t>(status.st_size), size_);
  EXPECT_EQ(InFile(0, 8), "LKWARDEN");
  const uint64_t bytes = 1000 * sizeof(ledger::LockRecord);
  EXPECT_EQ(InFile(Table(ledger::kLocks).offset, bytes),
            std::string(static_cast<char*>(base_) + Table(ledger::kLocks).offset, bytes));
  EXPECT_TRUE(absl::StrContains(summary_, "locks offset="));
  EXPECT_TRUE(absl::StrContains(summary_, "used=1000 written=64000\n"));
  EXPECT_TRUE(absl::StrContains(summary_, "left out: an index"));
}

TEST_F(LedgerCopyTest, NeitherTheLedgerNorTheFileGrowsBeyondWhatWasWritten) {
  const uint64_t before = Allocated(memory_.get());
  ASSERT_GT(size_, 100u << 20);
  ASSERT_TRUE(Copy().ok());
  // Names and stacks count their first, empty record as used: a page each.
  EXPECT_LE(Allocated(memory_.get()), before + 2 * 4096);
  EXPECT_LT(Allocated(file_.get()), 1u << 20);
}

TEST_F(LedgerCopyTest, CountThatWasOverwrittenDoesNotAllocateTheTable) {
  Table(ledger::kLocks).used = std::numeric_limits<uint32_t>::max();
  ASSERT_TRUE(Copy().ok());
  EXPECT_LT(Allocated(memory_.get()), 20u << 20) << "16 MiB of a count are believed";
  EXPECT_TRUE(absl::StrContains(summary_, "pages left out, not in memory: "));
}

TEST_F(LedgerCopyTest, RecordsFarIntoABelievedTableAreStillCopied) {
  const uint64_t far = 1'500'000;
  Ledger(base_).Table<ledger::LockRecord>(ledger::kLocks)[far].serial = 42;
  Table(ledger::kLocks).used = 2'000'000;
  ASSERT_TRUE(Copy().ok());
  const uint64_t offset = Table(ledger::kLocks).offset + far * sizeof(ledger::LockRecord);
  EXPECT_EQ(InFile(offset, 64), std::string(static_cast<char*>(base_) + offset, 64));
}

TEST_F(LedgerCopyTest, DirectoryThatPointsOutsideIsNotFollowed) {
  Table(ledger::kLocks).offset = size_ + 4096;
  Table(ledger::kEdges).offset = ~uint64_t{4095};
  Table(ledger::kStacks).record_size = 0xffffffff;
  Table(ledger::kNames).offset = 17;
  ASSERT_TRUE(Copy().ok());
  size_t count = 0;
  for (size_t at = 0; (at = summary_.find("does not fit", at)) != summary_.npos; ++at) ++count;
  EXPECT_EQ(count, 4u);
}

TEST_F(LedgerCopyTest, SegmentSmallerThanAHeaderIsRefused) {
  EXPECT_FALSE(CopyLedger(base_, 100, file_.get(), &summary_).ok());
}

TEST_F(LedgerCopyTest, LimitOnFileSizesIsAnErrorAndNotASignal) {
  struct rlimit old;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  const struct rlimit low = {1 << 20, old.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &low), 0);
  const absl::Status status = Copy();
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace lockwarden
