// Looks things up in one ledger; see the header.
#include "exporter/watched_ledger.h"

#include <algorithm>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "watchdog/frames.h"
#include "watchdog/lock_counts.h"
#include "watchdog/printable.h"
#include "watchdog/process_facts.h"

namespace lockwarden {
namespace {

constexpr size_t kLongestLabel = 120;
constexpr size_t kMostPlaces = 4096;

std::string Shortened(const std::string& text) {
  const std::string printable = Printable(text);
  if (printable.size() <= kLongestLabel) return printable;
  size_t end = kLongestLabel - 3;
  while (end > 0 && (static_cast<unsigned char>(printable[end]) & 0xc0) == 0x80) --end;
  return printable.substr(0, end) + "...";
}

}  // namespace

std::unique_ptr<WatchedLedger> WatchedLedger::Make(const ServedLedger& ledger) {
  auto reader = LedgerReader::FromMemory(ledger.reader->base(), ledger.reader->size());
  if (!reader.ok()) return nullptr;
  return std::unique_ptr<WatchedLedger>(new WatchedLedger(ledger, *std::move(reader)));
}

WatchedLedger::WatchedLedger(const ServedLedger& ledger, std::unique_ptr<LedgerReader> reader)
    : ledger_(ledger),
      reader_(std::move(reader)),
      kernel_(MakeProcKernelView(ledger.pid)),
      resolver_(this),
      parts_(reader_.get(), kernel_.get(), &resolver_, &names_, ledger.pid) {}

uint64_t WatchedLedger::HeldSince(const ThreadInfo& thread, size_t index, uint64_t now_ns) {
  return Since(thread, {thread.held[index].lock, static_cast<uint32_t>(index)}, now_ns);
}

uint64_t WatchedLedger::WaitsSince(const ThreadInfo& thread, uint64_t now_ns) {
  const Wait& wait = thread.waits.back();
  const uint64_t seen_ns = Since(thread, {wait.lock, UINT32_MAX}, now_ns);
  return wait.since_ns != 0 && wait.since_ns < now_ns ? wait.since_ns : seen_ns;
}

void WatchedLedger::EndLook() {
  before_.swap(now_);
  now_.clear();
  symbols_fresh_ = false;
}

std::optional<uint32_t> WatchedLedger::ClassOf(LockKey lock) const {
  const LockInfo info = reader_->Lock(lock);
  if (!IsLockForMetrics(info.kind, info.own_releases, info.foreign_releases)) return std::nullopt;
  return info.lock_class;
}

uint64_t WatchedLedger::KeyOf(uint32_t lock_class) {
  const ClassInfo info = reader_->Class(lock_class);
  if (!info.name.empty()) return absl::HashOf(info.name);
  for (int again = 0; again < 2; ++again) {
    for (const ModuleInfo& module : modules_) {
      if (info.site < module.begin || info.site >= module.end) continue;
      return absl::HashOf(module.build_id.empty() ? module.path : module.build_id,
                          info.site - module.base);
    }
    modules_ = reader_->Modules();  // loaded since
  }
  return absl::HashOf(reader_->identity().image_id[0], info.site);
}

uint32_t WatchedLedger::NumberOf(uint32_t lock_class, ClassBook* book) {
  if (lock_class > ledger::Capacities().classes) return ClassBook::kNone;
  if (lock_class >= numbers_.size()) numbers_.resize(lock_class + 1);
  std::optional<uint32_t>& number = numbers_[lock_class];
  if (!number.has_value()) {
    number = lock_class == 0 ? ClassBook::kNone : book->Number(KeyOf(lock_class));
    if (*number != ClassBook::kNone) class_of_[*number] = lock_class;
  }
  return *number;
}

std::string WatchedLedger::ClassName(uint32_t number) {
  const auto found = class_of_.find(number);
  if (found == class_of_.end()) return "";
  const ClassInfo info = reader_->Class(found->second);
  if (!info.name.empty()) return Shortened(info.name);
  // Inlined calls stand where the call is: the program's own function is the name.
  const StackTrace frames = Resolve({info.site});
  if (frames.empty()) return "unknown";
  const auto user = std::find_if(frames.begin(), frames.end(), IsUserFrame);
  const StackFrame& frame = user == frames.end() ? frames.back() : *user;
  if (!frame.function.empty()) {
    return Shortened(frame.file.empty() ? frame.function
                                        : absl::StrCat(frame.function, " ", Basename(frame.file),
                                                       ":", frame.line));
  }
  if (frame.module.empty()) return "unknown";
  return Shortened(absl::StrCat(Basename(frame.module), "+0x", absl::Hex(frame.module_offset)));
}

LiveLock WatchedLedger::Lock(LockKey key) {
  const FindingLock lock = parts_.Lock(key);
  return {static_cast<uint32_t>(ledger_.pid), Shortened(lock.label), lock.kind,
          Shortened(lock.lock_class)};
}

std::string WatchedLedger::Where(uint32_t stack, uint64_t site) {
  const uint64_t key = stack != 0 ? stack : site;
  if (places_.size() > kMostPlaces) places_.clear();
  const auto [found, fresh] = places_.emplace(key, "");
  if (fresh) {
    found->second = Shortened(Place(parts_.Stack(stack, site)));
  }
  return found->second;
}

std::string WatchedLedger::ThreadName(const ThreadInfo& thread) {
  return Shortened(thread.name.empty() ? kernel_->Thread(thread.tid).comm : thread.name);
}

LiveProcess WatchedLedger::Describe(uint64_t threads) const {
  LiveProcess process;
  process.pid = static_cast<uint32_t>(ledger_.pid);
  process.program = Shortened(Basename(reader_->identity().program));
  process.is_program = ledger_.is_program;
  process.threads = threads;
  if (const auto stat = ReadProcessStat(ledger_.pid); stat.has_value()) {
    process.state = stat->state;
    process.standing_still = stat->state == 'T' || stat->state == 't';
  }
  return process;
}

StackTrace WatchedLedger::Resolve(const std::vector<uint64_t>& pcs) {
  if (!std::exchange(symbols_fresh_, true)) {
    symbolizer_.Update(reader_->Modules(), HasEnded() ? 0 : ledger_.pid);
  }
  return symbolizer_.Resolve(pcs);
}

bool WatchedLedger::HasEnded() const {
  const auto stat = ReadProcessStat(ledger_.pid);
  return !stat.has_value() || stat->start_ticks != reader_->identity().start_ticks;
}

uint64_t WatchedLedger::Since(const ThreadInfo& thread, const Hold& hold, uint64_t now_ns) {
  const std::pair key(thread.serial, hold);
  const auto before = before_.find(key);
  const bool same = before != before_.end() && before->second.acquisitions == thread.acquisitions;
  const uint64_t since_ns = same ? before->second.since_ns : now_ns;
  now_[key] = {thread.acquisitions, since_ns};
  return since_ns;
}

}  // namespace lockwarden
