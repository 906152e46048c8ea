#include "watchdog/inspect/ledger_look.h"

#include <sys/mman.h>
#include <time.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "runtime/ledger.h"
#include "watchdog/elf_file.h"
#include "watchdog/finding_parts.h"
#include "watchdog/inspect/stack_copy.h"
#include "watchdog/inspect/stopped_thread.h"
#include "watchdog/inspect/thread_list.h"
#include "watchdog/memory_map.h"
#include "watchdog/snapshot.h"

namespace lockwarden {
namespace {

// A copy of the used part of a segment that can be read but not opened. As large as the segment,
// but only what was copied takes memory.
class SegmentCopy {
 public:
  SegmentCopy(int thread, uint64_t begin, uint64_t size)
      : thread_(thread), begin_(begin), size_(size) {
    void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    memory_ = memory == MAP_FAILED ? nullptr : static_cast<char*>(memory);
  }
  ~SegmentCopy() {
    if (memory_ != nullptr) munmap(memory_, size_);
  }
  SegmentCopy(const SegmentCopy&) = delete;
  SegmentCopy& operator=(const SegmentCopy&) = delete;

  // Copies what is used by now; again for a later look. False: it cannot be had.
  bool Refresh() {
    if (memory_ == nullptr || size_ < sizeof(ledger::Header)) return false;
    if (ReadRemote(thread_, begin_, memory_, sizeof(ledger::Header)) != sizeof(ledger::Header)) {
      return false;
    }
    const auto* header = reinterpret_cast<const ledger::Header*>(memory_);
    for (const ledger::TableDirectoryEntry& table : header->tables) {
      // Index tables hand out no records, and readers do not use them.
      const uint64_t records = std::min(table.used.load(), table.capacity);
      const uint64_t bytes = records * table.record_size;
      if (bytes == 0 || table.offset >= size_ || bytes > size_ - table.offset) continue;
      if (ReadRemote(thread_, begin_ + table.offset, memory_ + table.offset, bytes) != bytes) {
        return false;
      }
    }
    return true;
  }
  const void* memory() const { return memory_; }

 private:
  const int thread_;
  const uint64_t begin_, size_;
  char* memory_;
};

bool HappensNow(FindingKind kind) {
  switch (kind) {
    case FindingKind::kDeadlock:
    case FindingKind::kSelfDeadlock:
    case FindingKind::kNestedMonitor:
    case FindingKind::kLostWakeup:
    case FindingKind::kStall:
      return true;
    default:
      return false;
  }
}

void SleepUntil(uint64_t monotonic_ns) {
  const timespec until = {static_cast<time_t>(monotonic_ns / 1'000'000'000),
                          static_cast<long>(monotonic_ns % 1'000'000'000)};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
}

std::map<uint32_t, std::vector<std::string>> HoldsOf(const JudgedProcess& judged) {
  std::map<uint32_t, std::vector<std::string>> holds;
  for (const ThreadInfo& thread : judged.snapshot->threads) {
    if (thread.exempt) continue;
    for (const HeldLock& held : thread.held) {
      const std::string taken =
          PlaceInBrackets("taken", judged.parts->Stack(held.stack, held.site));
      const char* how = held.mode == ledger::Mode::kShared ? " (to read)"
                        : held.mode == ledger::Mode::kUnit ? " (a unit)"
                                                           : "";
      holds[thread.tid].push_back(absl::StrCat(judged.parts->Lock(held.lock).label, how, taken));
    }
  }
  return holds;
}

}  // namespace

std::optional<LedgerLook> LookIntoLedger(int pid, KernelView* kernel, StackResolver* resolver,
                                         std::string* why) {
  const int thread = ThreadWithMemory(pid, ThreadsOf(pid));
  const std::vector<MemoryMapping> map = ReadMemoryMap(thread);
  const auto mapping = std::find_if(map.begin(), map.end(), [](const MemoryMapping& m) {
    return m.shared && m.offset == 0 && absl::StartsWith(m.path, "/memfd:lockwarden-ledger");
  });
  if (mapping == map.end()) {
    *why =
        "Lockwarden does not record in this process: where a held lock was taken is not known. "
        "Started under `lockwarden run`, it is.";
    return std::nullopt;
  }
  std::unique_ptr<SegmentCopy> copy;
  UniqueFd file = OpenMapping(thread, mapping->begin, mapping->end);
  absl::StatusOr<std::unique_ptr<LedgerReader>> reader = absl::UnavailableError("no descriptor");
  if (file.valid()) reader = LedgerReader::FromDescriptor(file.release());
  if (!reader.ok()) {
    const uint64_t size = mapping->end - mapping->begin;
    copy = std::make_unique<SegmentCopy>(thread, mapping->begin, size);
    if (!copy->Refresh()) {
      *why = "Its ledger could not be read.";
      return std::nullopt;
    }
    reader = LedgerReader::FromMemory(copy->memory(), size);
  }
  if (!reader.ok()) {
    *why = absl::StrCat("Its ledger could not be read: ", reader.status().message(), ".");
    return std::nullopt;
  }
  JudgeOptions options;
  options.predict = false;
  ProcessJudge judge(reader->get(), kernel, resolver, pid, options);
  LedgerLook look;
  // A deadlock takes two looks; what is only suspected then may take some more.
  constexpr int kMostLooks = 6;
  for (int i = 0; i < kMostLooks; ++i) {
    for (Finding& finding : judge.Step(MonotonicNow())) {
      if (HappensNow(finding.kind)) look.findings.push_back(std::move(finding));
    }
    if (judge.next_look_ns() == 0) break;
    SleepUntil(judge.next_look_ns());
    if (copy != nullptr && !copy->Refresh()) break;
  }
  look.holds = HoldsOf(judge.Lend());
  *why = "Lockwarden records in this process: its ledger was read, too.";
  return look;
}

}  // namespace lockwarden
