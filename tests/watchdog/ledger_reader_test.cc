// What a reader takes from a ledger, and what it refuses.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "tests/watchdog/ledger_builder.h"

namespace lockwarden {
namespace {

using ledger::LockKind;

std::string ErrorOf(const LedgerBuilder& book) {
  const auto reader = LedgerReader::FromMemory(book.base(), book.size());
  return reader.ok() ? "" : std::string(reader.status().message());
}

TEST(LedgerReaderTest, RefusesWhatIsNoLedgerInOneClearLine) {
  LedgerBuilder book(8);
  book.header().magic[0] = 'X';
  EXPECT_EQ(ErrorOf(book), "not a ledger: the magic is missing");
}

TEST(LedgerReaderTest, RefusesAnotherLayoutVersionInOneClearLine) {
  LedgerBuilder book(8);
  book.header().layout_version = 7;
  EXPECT_EQ(ErrorOf(book), "the ledger has layout version 7; this reader knows version 3");
}

TEST(LedgerReaderTest, RefusesATableOutsideTheSegment) {
  LedgerBuilder book(8);
  book.header().tables[ledger::kStacks].offset = book.size();
  EXPECT_EQ(ErrorOf(book), "the ledger's table of stacks makes no sense");
  book.header().tables[ledger::kStacks].offset = ~uint64_t{0} & ~uint64_t{4095};
  EXPECT_EQ(ErrorOf(book), "the ledger's table of stacks makes no sense");
}

TEST(LedgerReaderTest, RefusesATableOfOtherRecords) {
  LedgerBuilder book(8);
  book.header().tables[ledger::kLocks].record_size = 128;
  EXPECT_EQ(ErrorOf(book), "the ledger's table of locks makes no sense");
}

class Descriptor : public testing::Test {
 protected:
  int Make(unsigned seals, const LedgerBuilder& book) {
    const int fd = memfd_create("ledger", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    EXPECT_GE(fd, 0);
    EXPECT_EQ(write(fd, book.base(), book.size()), static_cast<ssize_t>(book.size()));
    EXPECT_EQ(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
  }
};

TEST_F(Descriptor, OfASealedMemfdIsTakenOver) {
  LedgerBuilder book(8);
  book.AddThread(100, "main");
  const int fd = Make(F_SEAL_SHRINK, book);
  const auto reader = LedgerReader::FromDescriptor(fd);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ(fcntl(fd, F_GETFD), -1) << "closed once it is mapped";
  EXPECT_EQ((*reader)->Take().threads.size(), 1u);
}

TEST_F(Descriptor, ThatCouldShrinkIsRefused) {
  LedgerBuilder book(8);
  const auto reader = LedgerReader::FromDescriptor(Make(F_SEAL_GROW, book));
  ASSERT_FALSE(reader.ok());
  EXPECT_EQ(reader.status().message(), "the ledger is not sealed against shrinking");
}

TEST_F(Descriptor, OfAnotherFileIsRefused) {
  const auto reader = LedgerReader::FromDescriptor(open("/dev/null", O_RDONLY));
  EXPECT_FALSE(reader.ok());
}

TEST(LedgerReaderTest, TakesThreadsLocksHoldsAndWaits) {
  LedgerBuilder book(8);
  const uint32_t t = book.AddThread(100, "main");
  const auto a = book.AddLock(LockKind::kMutex, 0x1000, ledger::kInitSeen);
  const auto b = book.AddLock(LockKind::kSemaphore, 0x2000, 0);
  const uint32_t stack = book.AddStack({1, 2, 3});
  book.Hold(t, ledger::WithMode(a, 1 | ledger::kTry), 0x4010, stack);
  book.BeginWait(t, ledger::WithMode(b, 4 | ledger::kTimed), 0x2000, 0x4020);
  const auto reader = book.Reader();
  const Snapshot snapshot = reader->Take();
  ASSERT_EQ(snapshot.threads.size(), 1u);
  const ThreadInfo& thread = snapshot.threads[0];
  EXPECT_EQ(thread.name, "main");
  EXPECT_FALSE(thread.torn);
  ASSERT_EQ(thread.held.size(), 1u);
  EXPECT_EQ(thread.held[0].lock, KeyOf(a));
  EXPECT_TRUE(thread.held[0].tried);
  EXPECT_EQ(reader->Stack(thread.held[0].stack), (std::vector<uint64_t>{1, 2, 3}));
  ASSERT_EQ(thread.waits.size(), 1u);
  EXPECT_TRUE(thread.waits[0].timed);
  EXPECT_EQ(thread.waits[0].mode, ledger::Mode::kUnit);
  EXPECT_EQ(reader->Lock(KeyOf(a)).address, 0x1000u);
  EXPECT_EQ(snapshot.rejected, 0u);
  EXPECT_EQ(snapshot.locks_tracked, 2u);
  EXPECT_EQ(snapshot.tables.size(), 12u) << "index tables are left out";
}

TEST(LedgerReaderTest, AWaitWithoutDetailsComesFromWhereTheHoldInPreparationSays) {
  LedgerBuilder book(8);
  const uint32_t t = book.AddThread(100, "main");
  const auto a = ledger::WithMode(book.AddLock(LockKind::kMutex, 0x1000, 0), 1);
  const auto b = ledger::WithMode(book.AddLock(LockKind::kMutex, 0x2000, 0), 1);
  const uint32_t stack = book.AddStack({1, 2, 3});
  book.Hold(t, a, 0x4010, 0);
  book.BeginWait(t, b, 0x2000, 0x4020);
  ledger::ThreadRecord& record = book.thread(t);
  record.frame0.wait.since_ns = 0;
  ledger::HeldEntry& above = record.held[1];
  above.site = 0x4030;
  above.stack = stack;
  const auto reader = book.Reader();
  // Left over from another lock's hold: not this wait's.
  above.lock = a;
  EXPECT_EQ(reader->Take().threads[0].waits[0].site, 0u);
  above.lock = b;
  const Wait wait = reader->Take().threads[0].waits[0];
  EXPECT_EQ(wait.site, 0x4030u);
  EXPECT_EQ(wait.stack, stack);
  EXPECT_EQ(reader->Take().threads[0].held.size(), 1u);
}

TEST(LedgerReaderTest, SumsLiveThreadsAndThosePast) {
  LedgerBuilder book(8);
  book.header().past_acquisitions = 1000;
  book.thread(book.AddThread(100, "a")).acquisitions = 20;
  book.thread(book.AddThread(101, "b")).acquisitions = 3;
  EXPECT_EQ(book.Reader()->Take().acquisitions, 1023u);
}

TEST(LedgerReaderTest, AnEntryThatIsBeingRewrittenIsSkipped) {
  LedgerBuilder book(8);
  const uint32_t t = book.AddThread(100, "main");
  const auto a = book.AddLock(LockKind::kMutex, 0x1000, 0);
  book.Hold(t, ledger::WithMode(a, 1), 0x4010);
  book.Hold(t, 0, 0x4010);
  const Snapshot snapshot = book.Reader()->Take();
  EXPECT_EQ(snapshot.threads[0].held.size(), 1u);
  EXPECT_EQ(snapshot.rejected, 0u);
}

TEST(LedgerReaderTest, WhatMakesNoSenseIsLeftOutAndCounted) {
  LedgerBuilder book(8);
  const uint32_t t = book.AddThread(100, "main");
  const auto a = book.AddLock(LockKind::kMutex, 0x1000, 0);
  book.Hold(t, ledger::Pack(77, 1, 1), 0x4010);                  // no such lock
  book.Hold(t, ledger::WithMode(a, 5), 0x4010);                  // a condition is not held
  book.BeginWait(t, ledger::WithMode(a, 12), 0x1000, 0x4010);    // no such mode
  book.Hold(t, ledger::WithMode(a, 1), 0x4010);
  const Snapshot snapshot = book.Reader()->Take();
  EXPECT_EQ(snapshot.threads[0].held.size(), 1u);
  EXPECT_TRUE(snapshot.threads[0].waits.empty());
  EXPECT_EQ(snapshot.rejected, 3u);
}

TEST(LedgerReaderTest, AnEarlierLifeIsNotTheLockThatStandsThereNow) {
  LedgerBuilder book(8);
  const auto a = book.AddLock(LockKind::kMutex, 0x1000, ledger::kInitSeen);
  book.lock(a).generation = 3;
  const auto reader = book.Reader();
  EXPECT_FALSE(reader->Lock(KeyOf(a)).alive);
  EXPECT_EQ(reader->Lock(KeyOf(a)).serial, 0u);
  EXPECT_TRUE(reader->Lock({0, 3}).alive);
  EXPECT_EQ(reader->Lock({9999, 1}).kind, LockKind::kNone);
}

TEST(LedgerReaderTest, WhileALifeBeginsOrEndsTheDescriptionBelongsToNone) {
  LedgerBuilder book(8);
  const auto a = book.AddLock(LockKind::kMutex, 0x1000, ledger::kInitSeen);
  const auto reader = book.Reader();
  EXPECT_NE(reader->Lock(KeyOf(a)).serial, 0u);
  book.lock(a).generation = book.lock(a).generation | ledger::kLifeChanging;
  EXPECT_FALSE(reader->Lock(KeyOf(a)).alive);
  EXPECT_EQ(reader->Lock(KeyOf(a)).serial, 0u);
  EXPECT_FALSE(reader->Lock({0, 2}).alive);
}

TEST(LedgerReaderTest, EdgesComeInBatchesUpToTheFirstThatIsNotWhole) {
  LedgerBuilder book(8);
  const auto a = book.AddLock(LockKind::kMutex, 0x1000, 0);
  const auto b = book.AddLock(LockKind::kMutex, 0x2000, 0);
  ledger::OrderWitness witness;
  witness.thread_serial = 1;
  book.AddEdge(a, b, {witness});
  book.AddEdge(b, a, {});  // lost the race for its place
  const uint32_t last = book.AddEdge(b, a, {witness, witness, witness, witness, witness});
  const auto reader = book.Reader();
  auto edges = reader->Edges(0, 10);
  ASSERT_EQ(edges.size(), 2u);
  EXPECT_EQ(edges[1].index, last);
  EXPECT_EQ(edges[1].witnesses.size(), 4u);
  EXPECT_TRUE(edges[1].witnesses_dropped);
  EXPECT_EQ(reader->Edges(0, 1).size(), 1u);
  book.ledger().Table<ledger::OrderEdge>(ledger::kEdges)[0].ready = 0;
  EXPECT_TRUE(reader->Edges(0, 10).empty());
}

TEST(LedgerReaderTest, ANameWithoutAnEndIsRejected) {
  LedgerBuilder book(8);
  const uint32_t id = book.AddName("worker lock");
  const auto reader = book.Reader();
  EXPECT_EQ(reader->Name(id), "worker lock");
  book.ledger().Table<char>(ledger::kNames)[id + 11] = 'x';
  EXPECT_EQ(reader->Name(id), "");
  EXPECT_EQ(reader->Take().rejected, 1u);
}

TEST(LedgerReaderTest, AThreadThatMovesBetweenTwoCopiesHasOtherCounters) {
  LedgerBuilder book(8);
  const uint32_t t = book.AddThread(100, "main");
  const auto a = book.AddLock(LockKind::kMutex, 0x1000, 0);
  const auto reader = book.Reader();
  const ThreadInfo before = reader->Thread(t);
  book.Hold(t, ledger::WithMode(a, 1), 0x4010);
  const ThreadInfo after = reader->Thread(t);
  EXPECT_NE(before.acquisitions, after.acquisitions);
  EXPECT_EQ(after.held.size(), 1u);
  EXPECT_EQ(reader->Thread(9999).state, ledger::ThreadState::kFree);
}

// A snapshot that is brought up to date says what a new one would.
TEST(LedgerReaderTest, RefreshAgreesWithTakeWhateverMoves) {
  LedgerBuilder book;
  const auto reader = book.Reader();
  const auto mutex = book.AddLock(ledger::LockKind::kMutex, 0x1000, ledger::kInitSeen);
  const auto held = ledger::WithMode(mutex, static_cast<uint8_t>(ledger::Mode::kExclusive));
  const uint32_t a = book.AddThread(10, "a"), b = book.AddThread(11, "b");
  Snapshot kept = reader->Take();
  const auto compare = [&](const char* what, std::vector<uint32_t> fresh) {
    SCOPED_TRACE(what);
    reader->Refresh(&kept);
    const Snapshot anew = reader->Take();
    ASSERT_EQ(kept.threads.size(), anew.threads.size());
    std::vector<uint32_t> copied;
    for (size_t i = 0; i < anew.threads.size(); ++i) {
      const ThreadInfo &x = kept.threads[i], &y = anew.threads[i];
      EXPECT_EQ(x.slot, y.slot);
      EXPECT_EQ(x.serial, y.serial);
      EXPECT_EQ(x.name, y.name);
      EXPECT_EQ(x.state, y.state);
      EXPECT_EQ(x.acquisitions, y.acquisitions);
      EXPECT_EQ(x.held.size(), y.held.size());
      EXPECT_EQ(x.waits.size(), y.waits.size());
      if (!x.held.empty() && !y.held.empty()) {
        EXPECT_EQ(x.held[0].depth, y.held[0].depth);
      }
      if (x.fresh) copied.push_back(x.slot);
    }
    EXPECT_EQ(kept.acquisitions, anew.acquisitions);
    EXPECT_EQ(copied, fresh);
    EXPECT_EQ(kept.moved, std::string(what) != "nothing");
  };
  compare("nothing", {});
  book.Hold(a, held, 0x4010);
  compare("a hold", {a});
  book.Release(a, mutex);
  compare("a release, which moves no counter", {a});
  book.BeginWait(b, held, 0x1000, 0x4020);
  compare("a wait", {b});
  book.EndWait(b);
  compare("its end", {b});
  book.thread(b).name[0] = 'c';
  compare("a name", {b});
  book.Hold(a, held, 0x4010);
  book.thread(a).held[0].depth = 1;
  compare("a lock held twice", {a});
  book.thread(a).held[0].depth = 0;
  compare("a level less, which moves nothing that is looked at", {a});
  const uint32_t c = book.AddThread(12, "c");
  compare("a thread is born", {c});
  book.thread(b).state = static_cast<uint32_t>(ledger::ThreadState::kFree);
  compare("a thread in the middle is gone", {});
  book.thread(b).state = ledger::InState(ledger::kOneUse, ledger::ThreadState::kLive);
  compare("and its slot another one's", {b});
}

}  // namespace
}  // namespace lockwarden
