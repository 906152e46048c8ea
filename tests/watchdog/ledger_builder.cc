// One thread writes and reads here, so plain (seq_cst) accesses are enough.
#include "tests/watchdog/ledger_builder.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>

namespace lockwarden {

using ledger::PackedRef;

LedgerBuilder::LedgerBuilder(uint32_t shift) {
  const ledger::Capacities capacities = ledger::Capacities{}.Scaled(shift);
  size_ = ledger::Ledger::SizeFor(capacities);
  void* base = mmap(nullptr, size_, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  EXPECT_NE(base, MAP_FAILED);
  ledger::Ledger::Format(base, capacities);
  ledger_ = ledger::Ledger(base);
  ledger::Header& h = header();
  h.pid = 100;
  h.clock_monotonic_ns = 1'000'000'000;
  h.clock_realtime_ns = 1'700'000'000'000'000'000;
  std::strcpy(h.program, "/usr/bin/program");
}

LedgerBuilder::~LedgerBuilder() { munmap(ledger_.base(), size_); }

ledger::ThreadRecord& LedgerBuilder::thread(uint32_t slot) {
  return ledger_.Table<ledger::ThreadRecord>(ledger::kThreads)[slot];
}

ledger::LockRecord& LedgerBuilder::lock(PackedRef ref) {
  return ledger_.Table<ledger::LockRecord>(ledger::kLocks)[ledger::IndexOf(ref)];
}

uint32_t LedgerBuilder::AddThread(uint32_t tid, const std::string& name) {
  const uint32_t slot = ledger_.Allocate(ledger::kThreads);
  ledger::ThreadRecord& record = thread(slot);
  record.tid = tid;
  record.serial = header().next_thread_serial++;
  ledger_.Allocate(ledger::kThreadLives);
  record.pthread_self = 0x7f0000000000 + uint64_t{tid} * 0x10000;
  uint64_t words[2] = {};
  std::memcpy(words, name.data(), std::min(name.size(), sizeof(words) - 1));
  for (int i = 0; i < 2; ++i) record.name[i] = words[i];
  record.state = static_cast<uint32_t>(ledger::ThreadState::kLive);
  ++header().threads_started;
  return slot;
}

PackedRef LedgerBuilder::AddLock(ledger::LockKind kind, uint64_t address, uint32_t flags) {
  const uint32_t index = ledger_.Allocate(ledger::kLocks);
  const PackedRef ref = ledger::Pack(index, 1, 0);
  ledger::LockRecord& record = lock(ref);
  record.address = address;
  record.kind_and_flags = static_cast<uint32_t>(kind) | flags;
  record.serial = header().next_lock_serial++;
  record.generation = 1;
  return ref;
}

void LedgerBuilder::Hold(uint32_t slot, PackedRef ref_with_mode, uint64_t site, uint32_t stack) {
  ledger::ThreadRecord& record = thread(slot);
  ledger::HeldEntry& entry = record.held[record.frame0.held_count];
  entry.lock = ref_with_mode;
  entry.site = site;
  entry.stack = stack;
  entry.depth = 0;
  ++record.frame0.held_count;
  ++record.acquisitions;
}

void LedgerBuilder::Release(uint32_t slot, PackedRef ref) {
  ledger::ThreadRecord& record = thread(slot);
  ASSERT_GT(record.frame0.held_count, 0u);
  ledger::HeldEntry& entry = record.held[record.frame0.held_count - 1];
  ASSERT_EQ(ledger::WithoutMode(entry.lock), ledger::WithoutMode(ref));
  --record.frame0.held_count;
}

void LedgerBuilder::BeginWait(uint32_t slot, PackedRef ref_with_mode, uint64_t object,
                              uint64_t site, uint64_t peer, uint32_t frame) {
  ledger::ThreadRecord& record = thread(slot);
  ledger::WaitSlot& wait = record.FrameAt(frame).wait;
  wait.peer = peer;
  wait.object = object;
  wait.site = site;
  wait.since_ns = 500'000'000;
  ++record.waits;
  wait.wait = ref_with_mode;
}

void LedgerBuilder::EndWait(uint32_t slot, uint32_t frame) {
  thread(slot).FrameAt(frame).wait.wait = 0;
  ++thread(slot).waits;
}

uint32_t LedgerBuilder::AddEdge(PackedRef from, PackedRef to,
                                const std::vector<ledger::OrderWitness>& witnesses) {
  const bool of_thread =
      ledger::IsThreadIndex(ledger::IndexOf(from)) || ledger::IsThreadIndex(ledger::IndexOf(to));
  const ledger::TableId table = of_thread ? ledger::kThreadEdges : ledger::kEdges;
  const uint32_t index = ledger_.Allocate(table);
  ledger::OrderEdge& edge = ledger_.Table<ledger::OrderEdge>(table)[index];
  edge.from = ledger::WithoutMode(from);
  edge.to = ledger::WithoutMode(to);
  for (const ledger::OrderWitness& witness : witnesses) AddWitness(edge, witness);
  edge.ready = 1;
  return index;
}

void LedgerBuilder::AddWitness(uint32_t edge_index, const ledger::OrderWitness& witness) {
  AddWitness(ledger_.Table<ledger::OrderEdge>(ledger::kEdges)[edge_index], witness);
}

void LedgerBuilder::AddWitness(ledger::OrderEdge& edge, const ledger::OrderWitness& witness) {
  const uint32_t place = edge.witness_count++;
  if (place >= ledger::kWitnessesPerEdge) return;
  const uint32_t index = ledger_.Allocate(ledger::kWitnesses);
  ledger_.Table<ledger::OrderWitness>(ledger::kWitnesses)[index] = witness;
  edge.witness[place] = index + 1;
}

uint32_t LedgerBuilder::AddStack(const std::vector<uint64_t>& pcs) {
  const uint32_t id =
      ledger_.Allocate(ledger::kStacks, static_cast<uint32_t>(pcs.size()) + 1);
  uint64_t* words = ledger_.Table<uint64_t>(ledger::kStacks) + id;
  words[0] = (uint64_t{0x1234} << 32) | pcs.size();
  std::copy(pcs.begin(), pcs.end(), words + 1);
  return id;
}

uint32_t LedgerBuilder::AddName(const std::string& name) {
  const uint32_t id =
      ledger_.Allocate(ledger::kNames, static_cast<uint32_t>(name.size()) + 1);
  std::memcpy(ledger_.Table<char>(ledger::kNames) + id, name.c_str(), name.size() + 1);
  return id;
}

uint32_t LedgerBuilder::AddMisuse(const Misuse& misuse) {
  const uint32_t index = ledger_.Allocate(ledger::kMisuse);
  ledger::MisuseRecord& record = ledger_.Table<ledger::MisuseRecord>(ledger::kMisuse)[index];
  record.kind = static_cast<uint32_t>(misuse.kind);
  record.thread_serial = misuse.thread_serial;
  record.other_serial = misuse.other_serial;
  record.stack = misuse.stack;
  record.other_stack = misuse.other_stack;
  record.lock = misuse.lock;
  record.other_lock = misuse.other_lock;
  record.site = misuse.site;
  record.count = misuse.count;
  record.ready = 1;
  return index;
}

void LedgerBuilder::AddModule(uint64_t begin, uint64_t end, const std::string& path) {
  const uint32_t index = ledger_.Allocate(ledger::kModules);
  ledger::ModuleRecord& record = ledger_.Table<ledger::ModuleRecord>(ledger::kModules)[index];
  record.base = begin;
  record.begin = begin;
  record.end = end;
  record.path = AddName(path);
  record.ready = 1;
}

std::unique_ptr<LedgerReader> LedgerBuilder::Reader() const {
  auto reader = LedgerReader::FromMemory(base(), size_);
  EXPECT_TRUE(reader.ok()) << reader.status();
  return reader.ok() ? std::move(*reader) : nullptr;
}

}  // namespace lockwarden
