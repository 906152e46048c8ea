// Heartbeats as the recorder writes them. No thread sleeps: what is late is made so by hand.
#include "runtime/heartbeat.h"

#include <string>
#include <vector>

#include "runtime/include/lockwarden/annotate.h"
#include "runtime/recorder.h"
#include "runtime/this_clock.h"
#include "tests/runtime/small_ledger.h"

namespace lockwarden::ledger {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

static_assert(sizeof(HeartbeatHandle) == sizeof(lockwarden_heartbeat));

class HeartbeatTest : public SmallLedger {
 protected:
  HeartbeatRecord& At(uint64_t slot) {
    return TheLedger().Table<HeartbeatRecord>(kHeartbeats)[slot];
  }
  HeartbeatState StateOf(const HeartbeatHandle& handle) {
    return HeartbeatStateOf(At(handle.slot).state);
  }
  std::string NameOf(const HeartbeatHandle& handle) {
    return TheLedger().Table<char>(kNames) + At(handle.slot).name;
  }
  void Beat(HeartbeatHandle* handle) { api_.beat(handle, LOCKWARDEN_CFA); }
  void Age(const HeartbeatHandle& handle, uint64_t ns) { At(handle.slot).last_ns -= ns; }

  const HeartbeatApi& api_ = *lockwarden_heartbeat_v1();
  HeartbeatHandle io_{.name = "io", .deadline_ns = kSecond};
};

TEST_F(HeartbeatTest, TheFirstBeatMakesItKnown) {
  EXPECT_EQ(Used(kHeartbeats), 0u);
  const uint64_t before = ClockNs(CLOCK_MONOTONIC_COARSE);
  Beat(&io_);
  EXPECT_EQ(Used(kHeartbeats), 1u);
  EXPECT_EQ(StateOf(io_), HeartbeatState::kBeating);
  EXPECT_EQ(NameOf(io_), "io");
  EXPECT_EQ(At(io_.slot).deadline_ns, kSecond);
  EXPECT_EQ(At(io_.slot).thread_serial, Me().serial);
  EXPECT_GE(At(io_.slot).last_ns, before);
  EXPECT_EQ(At(io_.slot).beats, 1u);
}

TEST_F(HeartbeatTest, ALateBeatIsCountedAndATimelyOneIsNot) {
  Beat(&io_);
  Beat(&io_);
  EXPECT_EQ(At(io_.slot).late, 0u);
  Age(io_, 2 * kSecond);
  Beat(&io_);
  EXPECT_EQ(At(io_.slot).late, 1u);
  EXPECT_EQ(At(io_.slot).beats, 3u);
}

TEST_F(HeartbeatTest, WhatIsIdleIsNotLateAndBeatsOn) {
  Beat(&io_);
  api_.pause(&io_, /*until_beat=*/true, LOCKWARDEN_CFA);
  EXPECT_EQ(StateOf(io_), HeartbeatState::kIdle);
  Age(io_, 5 * kSecond);
  Beat(&io_);
  EXPECT_EQ(StateOf(io_), HeartbeatState::kBeating);
  EXPECT_EQ(At(io_.slot).late, 0u);
}

TEST_F(HeartbeatTest, APauseOutlastsBeats) {
  Beat(&io_);
  api_.pause(&io_, /*until_beat=*/false, LOCKWARDEN_CFA);
  Age(io_, 5 * kSecond);
  Beat(&io_);
  EXPECT_EQ(StateOf(io_), HeartbeatState::kPaused);
  api_.resume(&io_, LOCKWARDEN_CFA);
  EXPECT_EQ(StateOf(io_), HeartbeatState::kBeating);
  EXPECT_EQ(At(io_.slot).late, 0u);
}

TEST_F(HeartbeatTest, ThatItPausesTooLateIsLate) {
  Beat(&io_);
  Age(io_, 2 * kSecond);
  api_.pause(&io_, /*until_beat=*/true, LOCKWARDEN_CFA);
  EXPECT_EQ(At(io_.slot).late, 1u);
}

TEST_F(HeartbeatTest, AnotherDeadlineCountsFromABeat) {
  Beat(&io_);
  Age(io_, kSecond / 2);
  const uint64_t aged = At(io_.slot).last_ns;
  EXPECT_EQ(api_.set_deadline(&io_, 30 * kSecond, LOCKWARDEN_CFA), kSecond);
  EXPECT_GT(At(io_.slot).last_ns, aged);
  EXPECT_EQ(At(io_.slot).deadline_ns, 30 * kSecond);
  Age(io_, 20 * kSecond);
  EXPECT_EQ(api_.set_deadline(&io_, kSecond, LOCKWARDEN_CFA), 30 * kSecond);
  EXPECT_EQ(At(io_.slot).late, 0u) << "judged by the deadline that it had";
  EXPECT_EQ(io_.deadline_ns, kSecond);
}

TEST_F(HeartbeatTest, ADeadlineBeforeTheFirstBeatHolds) {
  api_.set_deadline(&io_, 7 * kSecond, LOCKWARDEN_CFA);
  EXPECT_EQ(At(io_.slot).deadline_ns, 7 * kSecond);
}

TEST_F(HeartbeatTest, AStoppedOnesSlotIsUsedAgainByAnother) {
  Beat(&io_);
  const uint32_t word = At(io_.slot).state;
  const uint64_t slot = io_.slot;
  api_.stop(&io_);
  EXPECT_EQ(HeartbeatStateOf(At(slot).state), HeartbeatState::kFree);
  HeartbeatHandle other{.name = "other", .deadline_ns = kSecond};
  Beat(&other);
  EXPECT_EQ(other.slot, slot);
  EXPECT_EQ(NameOf(other), "other");
  EXPECT_NE(At(slot).state, word) << "a reader must tell the two apart";
  api_.stop(&io_);  // stopped already: the slot is no longer its own
  EXPECT_EQ(StateOf(other), HeartbeatState::kBeating);
}

TEST_F(HeartbeatTest, AFullTableIsCountedAndTheBeatGoesNowhere) {
  const uint32_t capacity = TheLedger().Capacity(kHeartbeats);
  std::vector<HeartbeatHandle> all(capacity + 1, io_);
  for (HeartbeatHandle& handle : all) Beat(&handle);
  EXPECT_EQ(Dropped(kHeartbeats), 1u);
  EXPECT_EQ(all.back().slot, kNoIndex);
  Beat(&all.back());
  api_.pause(&all.back(), true, LOCKWARDEN_CFA);
  api_.resume(&all.back(), LOCKWARDEN_CFA);
  api_.stop(&all.back());
  EXPECT_EQ(Dropped(kHeartbeats), 1u) << "said once a heartbeat, not once a beat";
}

TEST_F(HeartbeatTest, AHandleOfAnotherImageBeginsAnew) {
  Beat(&io_);
  io_.image += 2;  // as in a forked child, wherever its ledger lies
  const uint64_t slot = io_.slot;
  Beat(&io_);
  EXPECT_NE(io_.slot, slot);
  EXPECT_EQ(At(slot).beats, 1u) << "the parent's was written to";
}

}  // namespace
}  // namespace lockwarden::ledger
