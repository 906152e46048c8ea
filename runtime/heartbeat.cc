// See heartbeat.h. A record has one writer at a time, so plain loads and stores do.
#include "runtime/heartbeat.h"

#include "runtime/process.h"
#include "runtime/recorder.h"
#include "runtime/this_clock.h"

namespace lockwarden::ledger {
namespace {

// Of one image only, unlike the address of its ledger, which a grandchild's may have again.
uint64_t ImageAt(uint64_t epoch) {
  return epoch == 0 ? 0 : reinterpret_cast<const Header*>(epoch)->image_id[0] | 1;
}

HeartbeatRecord* RecordOf(const HeartbeatHandle& handle, uint64_t epoch) {
  return Ledger(reinterpret_cast<void*>(epoch)).Table<HeartbeatRecord>(kHeartbeats) + handle.slot;
}

// A claimed slot, or kNoIndex: the table is full (counted).
uint32_t Claim(const Ledger& ledger) {
  HeartbeatRecord* records = ledger.Table<HeartbeatRecord>(kHeartbeats);
  const auto claim = [&](uint32_t i) {
    uint32_t word = records[i].state.load(std::memory_order_relaxed);  // the CAS decides
    return HeartbeatStateOf(word) == HeartbeatState::kFree &&
           // Acquire: pairs with the release of Stop, whose stores are then overwritten.
           records[i].state.compare_exchange_strong(
               word, InHeartbeatState(word + kHeartbeatUse, HeartbeatState::kStarting),
               std::memory_order_acquire);
  };
  for (;;) {
    // Relaxed: a slot that has just been added may be missed, and then another is added.
    const uint32_t used = ledger.header().tables[kHeartbeats].used.load(std::memory_order_relaxed);
    for (uint32_t i = 0; i < used && i < ledger.Capacity(kHeartbeats); ++i) {
      if (claim(i)) return i;
    }
    const uint32_t added = ledger.Allocate(kHeartbeats);
    if (added == kNoIndex || claim(added)) return added;
  }
}

void Start(HeartbeatHandle* handle) {
  const uint64_t epoch = this_thread.epoch;
  const Ledger ledger = TheLedger();
  const uint32_t slot = Claim(ledger);
  handle->slot = slot;
  handle->image = ImageAt(epoch);
  if (slot == kNoIndex) return;
  HeartbeatRecord& record = *RecordOf(*handle, epoch);
  const uint32_t word = record.state.load(std::memory_order_relaxed);  // ours: claimed
  const uint32_t serial = this_thread.record->serial.load(std::memory_order_relaxed);  // own record
  // Relaxed, all: H1 publishes them.
  record.last_ns.store(ClockNs(CLOCK_MONOTONIC_COARSE), std::memory_order_relaxed);  // as above
  record.deadline_ns.store(handle->deadline_ns, std::memory_order_relaxed);          // as above
  record.name.store(handle->name == nullptr ? 0 : InternName(ledger, handle->name),
                    std::memory_order_relaxed);                               // as above
  record.thread_serial.store(serial, std::memory_order_relaxed);              // as above
  record.essential.store(handle->essential != 0, std::memory_order_relaxed);  // as above
  record.beats.store(1, std::memory_order_relaxed);                           // as above
  record.late.store(0, std::memory_order_relaxed);                            // as above
  record.state.store(InHeartbeatState(word, HeartbeatState::kBeating),
                     std::memory_order_release);  // H1
}

// The record, if the heartbeat is known in this image or can be made known. `*fresh`: just now.
LOCKWARDEN_INLINE HeartbeatRecord* Find(HeartbeatHandle* handle, uint64_t cfa, bool* fresh) {
  const uint64_t epoch = TheGate()->epoch.load(std::memory_order_acquire);  // G2
  if (__builtin_expect(epoch == 0 || handle->image != ImageAt(epoch), 0)) {
    *fresh = InScope(
        cfa, [] { return false; }, [handle](const auto&) { return Start(handle), true; });
    // Not to be recorded, and the handle's image, if it has one, is another: a parent's.
    if (!*fresh) return nullptr;
    return handle->slot == kNoIndex ? nullptr : RecordOf(*handle, this_thread.epoch);
  }
  *fresh = false;
  return handle->slot == kNoIndex ? nullptr : RecordOf(*handle, epoch);
}

void SetState(HeartbeatRecord& record, HeartbeatState state) {
  const uint32_t word = record.state.load(std::memory_order_relaxed);  // own, while it lives
  record.state.store(InHeartbeatState(word, state), std::memory_order_release);  // H1
}

void NoteBeat(HeartbeatRecord& record) {
  const uint64_t now = ClockNs(CLOCK_MONOTONIC_COARSE);
  // Relaxed, all: own record.
  const uint64_t last = record.last_ns.load(std::memory_order_relaxed);
  const uint64_t deadline = record.deadline_ns.load(std::memory_order_relaxed);
  const uint32_t state = record.state.load(std::memory_order_relaxed);
  if (__builtin_expect(HeartbeatStateOf(state) == HeartbeatState::kBeating, 1) &&
      __builtin_expect(now - last > deadline, 0)) {
    // Relaxed: a statistic of its own record.
    record.late.store(record.late.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  record.last_ns.store(now, std::memory_order_relaxed);  // H1 or H3 follows where it matters
  record.beats.store(record.beats.load(std::memory_order_relaxed) + 1,
                     std::memory_order_relaxed);  // a statistic
  const ThisThread& self = this_thread;
  if (self.epoch == TheGate()->epoch.load(std::memory_order_acquire)) {              // G2
    record.thread_serial.store(self.record->serial.load(std::memory_order_relaxed),  // own record
                               std::memory_order_relaxed);  // a hint: who to look at
  }
}

void Beat(HeartbeatHandle* handle, uint64_t cfa) {
  bool fresh;
  HeartbeatRecord* record = Find(handle, cfa, &fresh);
  if (record == nullptr || fresh) return;
  NoteBeat(*record);
  const uint32_t state = record->state.load(std::memory_order_relaxed);  // own record
  if (__builtin_expect(HeartbeatStateOf(state) == HeartbeatState::kIdle, 0)) {
    SetState(*record, HeartbeatState::kBeating);
  }
}

void Pause(HeartbeatHandle* handle, bool until_beat, uint64_t cfa) {
  bool fresh;
  HeartbeatRecord* record = Find(handle, cfa, &fresh);
  if (record == nullptr) return;
  if (!fresh) NoteBeat(*record);
  SetState(*record, until_beat ? HeartbeatState::kIdle : HeartbeatState::kPaused);
}

void Resume(HeartbeatHandle* handle, uint64_t cfa) {
  bool fresh;
  HeartbeatRecord* record = Find(handle, cfa, &fresh);
  if (record == nullptr || fresh) return;
  NoteBeat(*record);
  SetState(*record, HeartbeatState::kBeating);
}

uint64_t SetDeadline(HeartbeatHandle* handle, uint64_t deadline_ns, uint64_t cfa) {
  const uint64_t before = handle->deadline_ns;
  bool fresh;
  HeartbeatRecord* record = Find(handle, cfa, &fresh);
  handle->deadline_ns = deadline_ns;
  if (record == nullptr) return before;
  if (!fresh) NoteBeat(*record);
  record->deadline_ns.store(deadline_ns, std::memory_order_release);  // H3
  return before;
}

void Stop(HeartbeatHandle* handle) {
  const uint64_t epoch = TheGate()->epoch.load(std::memory_order_acquire);  // G2
  const bool known = epoch != 0 && handle->image == ImageAt(epoch) && handle->slot != kNoIndex;
  handle->image = 0;
  if (known) SetState(*RecordOf(*handle, epoch), HeartbeatState::kFree);
}

constexpr HeartbeatApi kApi = {.version = HeartbeatApi::kVersion,
                               .reserved = 0,
                               .beat = Beat,
                               .pause = Pause,
                               .resume = Resume,
                               .set_deadline = SetDeadline,
                               .stop = Stop};

}  // namespace
}  // namespace lockwarden::ledger

const lockwarden::ledger::HeartbeatApi* lockwarden_heartbeat_v1() {
  return &lockwarden::ledger::kApi;
}
