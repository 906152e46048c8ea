// GrowingIndex against a naive twin, at its limits, and with two inserters.
#include "runtime/growing_index.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <thread>
#include <unordered_map>
#include <vector>

namespace lockwarden::ledger {
namespace {

// A table of keys with an index over it, as the ledger's tables have.
class IndexedKeys {
 public:
  explicit IndexedKeys(uint32_t slots, uint32_t records)
      : slots_(new std::atomic<uint64_t>[slots]()), keys_(records), index_(slots_.get(), slots) {}

  uint32_t Find(uint64_t key, uint64_t hash) {
    return index_.Find(hash, [&](uint32_t i) { return keys_[i] == key; });
  }
  // The record that stands for the key afterwards.
  uint32_t Insert(uint64_t key, uint64_t hash) {
    const uint32_t fresh = used_.fetch_add(1);
    keys_[fresh] = key;
    return index_.Insert(hash, fresh, [&](uint32_t i) { return keys_[i] == key; });
  }
  uint32_t used() const { return used_; }

 private:
  std::unique_ptr<std::atomic<uint64_t>[]> slots_;
  std::vector<std::atomic<uint64_t>> keys_;
  std::atomic<uint32_t> used_{0};
  GrowingIndex index_;
};

TEST(GrowingIndexTest, AgreesWithAHashMapOnRandomInsertsAndFinds) {
  for (const uint32_t seed : {1u, 2u, 3u, 4u, 5u}) {
    std::mt19937_64 random(seed);
    constexpr uint32_t kSteps = 20000;
    IndexedKeys index(GrowingIndex::CapacityFor(kSteps), kSteps);
    std::unordered_map<uint64_t, uint32_t> twin;
    for (uint32_t step = 0; step < kSteps; ++step) {
      const uint64_t key = 1 + random() % (kSteps / 2);
      // Half of the seeds have hashes that share their upper half, so that tags do not help.
      const uint64_t hash = seed % 2 == 0 ? MixHash(key) & 0xffffffff : MixHash(key);
      const auto known = twin.find(key);
      ASSERT_EQ(index.Find(key, hash), known == twin.end() ? GrowingIndex::kNotFound : known->second);
      if (random() % 2 == 0) {
        const uint32_t fresh = index.used();
        const uint32_t record = index.Insert(key, hash);
        ASSERT_EQ(record, known == twin.end() ? fresh : known->second);
        twin.emplace(key, record);
      }
    }
  }
}

TEST(GrowingIndexTest, AFullWindowOverflowsIntoTheNextLevel) {
  constexpr uint32_t kSlots = 1024 + 4096;
  IndexedKeys index(kSlots, 64);
  for (uint64_t key = 1; key <= 2 * GrowingIndex::kWindow; ++key) {
    EXPECT_EQ(index.Insert(key, /*hash=*/42), key - 1);
  }
  for (uint64_t key = 1; key <= 2 * GrowingIndex::kWindow; ++key) EXPECT_EQ(index.Find(key, 42), key - 1);
}

TEST(GrowingIndexTest, WhenEveryWindowOfAKeyIsFullItSaysSoAndKeepsTheOthers) {
  IndexedKeys index(1024 + 4096, 64);
  constexpr uint64_t kFit = 2 * GrowingIndex::kWindow;
  for (uint64_t key = 1; key <= kFit; ++key) index.Insert(key, 7);
  EXPECT_EQ(index.Insert(kFit + 1, 7), GrowingIndex::kFull);
  EXPECT_EQ(index.Find(kFit + 1, 7), GrowingIndex::kNotFound);
  EXPECT_EQ(index.Find(kFit, 7), kFit - 1);
  EXPECT_EQ(index.Insert(kFit, 7), kFit - 1);
}

TEST(GrowingIndexTest, ARegionTooSmallForALevelHoldsNothing) {
  IndexedKeys index(GrowingIndex::kFirstLevel - 1, 4);
  EXPECT_EQ(index.Find(1, 1), GrowingIndex::kNotFound);
  EXPECT_EQ(index.Insert(1, 1), GrowingIndex::kFull);
}

TEST(GrowingIndexTest, HoldsAsManyRecordsAsItsCapacityIsFor) {
  for (const uint32_t records : {64u, 1000u, 30000u}) {
    IndexedKeys index(GrowingIndex::CapacityFor(records), records);
    for (uint64_t key = 1; key <= records; ++key) ASSERT_NE(index.Insert(key, MixHash(key)), GrowingIndex::kFull);
  }
}

TEST(GrowingIndexTest, TwoThreadsThatInsertTheSameKeysAgreeOnEachRecord) {
  constexpr uint32_t kKeys = 20000;
  IndexedKeys index(GrowingIndex::CapacityFor(2 * kKeys), 2 * kKeys);
  std::vector<uint32_t> answers[2];
  const auto insert = [&](std::vector<uint32_t>* out) {
    for (uint64_t key = 1; key <= kKeys; ++key) out->push_back(index.Insert(key, MixHash(key)));
  };
  std::thread other(insert, &answers[1]);
  insert(&answers[0]);
  other.join();
  EXPECT_EQ(answers[0], answers[1]);
  for (uint64_t key = 1; key <= kKeys; ++key) ASSERT_EQ(index.Find(key, MixHash(key)), answers[0][key - 1]);
}

}  // namespace
}  // namespace lockwarden::ledger
