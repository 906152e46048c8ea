// A process may scribble over its own ledger: flip bytes at random, and read on. What
// counts is that nothing crashes (run it under AddressSanitizer), loops or asks for the
// impossible; what it then says does not matter.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>

#include "tests/watchdog/scene.h"

namespace lockwarden {
namespace {

// A ledger with something in each table.
void Fill(Scene* scene) {
  LedgerBuilder& book = scene->book;
  const uint32_t stack = book.AddStack({0x4011, 0x4012, 0x4013});
  book.AddModule(0x4000, 0x5000, "/usr/bin/program");
  std::vector<uint32_t> threads;
  std::vector<Scene::Ref> locks;
  for (int i = 0; i < 6; ++i) {
    threads.push_back(scene->Thread("t"));
    locks.push_back(i % 3 == 2   ? scene->RwLock()
                    : i % 3 == 1 ? scene->Semaphore()
                                 : scene->Mutex());
    book.lock(locks.back()).name = book.AddName("a lock");
    book.lock(locks.back()).init_stack = stack;
  }
  for (int i = 0; i < 6; ++i) {
    scene->Take(threads[i], locks[i]);
    book.thread(threads[i]).held[0].stack = stack;
  }
  for (int i = 0; i < 4; ++i) scene->Block(threads[i], locks[(i + 3) % 6]);
  scene->BlockJoin(threads[4], threads[5]);
  scene->BlockCondition(threads[5], scene->Condition(), locks[0], true);
  ledger::OrderWitness witness;
  witness.from_mode = witness.to_mode = 1;
  witness.from_stack = witness.to_stack = stack;
  for (int i = 0; i < 6; ++i) {
    witness.thread_serial = static_cast<uint32_t>(i + 1);
    witness.gate_count = 1;
    witness.gates[0] = ledger::WithMode(locks[(i + 2) % 6], 1);
    book.AddEdge(locks[i], locks[(i + 1) % 6], {witness});
    book.AddEdge(locks[(i + 1) % 6], locks[i], {witness});
  }
  book.AddMisuse(ledger::MisuseKind::kUnlockNotOwner, 1, locks[0]);
}

void ReadEverything(const LedgerReader& reader, Scene* scene) {
  ProcessJudge judge(&reader, &scene->kernel, &scene->resolver, 1, {.confirm_after_ns = 1});
  for (uint64_t now : {1000, 2000, 3000}) judge.Step(now);
  judge.Finish(4000);
  reader.Modules();
  for (uint32_t id : {0u, 1u, 5u, 100u, 0xffffffffu}) {
    reader.Stack(id);
    reader.Name(id);
    reader.Class(id);
    reader.Lock({id, id});
    reader.Thread(id);
  }
}

// Where the written records lie: random bytes elsewhere would hit zeros.
std::vector<std::pair<uint64_t, uint64_t>> Written(const LedgerBuilder& book) {
  std::vector<std::pair<uint64_t, uint64_t>> ranges{{0, sizeof(ledger::Header)}};
  const ledger::Header& header = book.ledger().header();
  for (const ledger::TableDirectoryEntry& table : header.tables) {
    const uint64_t used = table.used;
    if (used != 0) ranges.push_back({table.offset, used * table.record_size});
  }
  return ranges;
}

TEST(CorruptionTest, NoFlippedByteCrashesReaderOrJudge) {
  Scene scene;
  Fill(&scene);
  ASSERT_NE(scene.book.Reader(), nullptr);
  const auto ranges = Written(scene.book);
  std::mt19937_64 random(424242);
  int refused = 0;
  for (int round = 0; round < 4000; ++round) {
    // A reader opened before the damage: it has checked the directory already.
    const auto before = scene.book.Reader();
    std::vector<std::pair<uint64_t, char>> undo;
    for (uint64_t n = 1 + random() % 12; n > 0; --n) {
      const auto [offset, size] = ranges[random() % ranges.size()];
      const uint64_t at = offset + random() % size;
      undo.push_back({at, scene.book.base()[at]});
      const char values[] = {0, -1, 1, 127, static_cast<char>(random())};
      scene.book.base()[at] = values[random() % 5];
    }
    ReadEverything(*before, &scene);
    const auto after = LedgerReader::FromMemory(scene.book.base(), scene.book.size());
    if (after.ok()) {
      ReadEverything(**after, &scene);
    } else {
      ++refused;
    }
    std::reverse(undo.begin(), undo.end());
    for (const auto& [at, value] : undo) scene.book.base()[at] = value;
  }
  EXPECT_GT(refused, 0);
}

TEST(CorruptionTest, ASegmentOfRandomBytesBehindAGoodHeaderIsRead) {
  LedgerBuilder book(12);
  Scene scene;
  std::mt19937_64 random(17);
  for (int round = 0; round < 20; ++round) {
    for (uint64_t at = ledger::kPageSize; at + 8 <= book.size(); at += 8) {
      const uint64_t word = random() >> (random() % 64);
      std::memcpy(book.base() + at, &word, sizeof(word));
    }
    for (ledger::TableDirectoryEntry& table : book.header().tables) {
      table.used = static_cast<uint32_t>(random());
    }
    ReadEverything(*book.Reader(), &scene);
  }
}

}  // namespace
}  // namespace lockwarden
