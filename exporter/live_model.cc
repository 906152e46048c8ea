// One look after the other: samples, counts, and what of it is shown.
#include "exporter/live_model.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "exporter/lock_tally.h"
#include "exporter/process_numbers.h"
#include "watchdog/finding_parts.h"
#include "watchdog/frames.h"
#include "watchdog/judge.h"
#include "watchdog/lock_counts.h"
#include "watchdog/printable.h"
#include "watchdog/process_facts.h"
#include "watchdog/symbolizer.h"

namespace lockwarden {
namespace {

constexpr uint64_t kCountEveryNs = 1'000'000'000;
// A sample stands for no longer than this, though the looks may be further apart: the machine
// was asleep, or this thread did not get its turn.
constexpr uint64_t kLongestSampleNs = 5'000'000'000;
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

// What waits and holds look like now, by class; threads as they were copied.
struct LiveModel::Instant {
  struct Now {
    uint64_t waiters = 0;
    uint64_t oldest_wait_ns = 0, oldest_hold_ns = 0;  // CLOCK_MONOTONIC; 0: none
  };
  struct Thread {
    Process* process;
    ThreadInfo info;
    std::vector<uint64_t> held_since_ns;
    uint64_t waits_since_ns = 0;
  };
  Clock clock;
  absl::flat_hash_map<uint32_t, Now> classes;  // by number in the book
  std::vector<Thread> threads;                 // those that hold or wait
  std::vector<LiveProcess> processes;

  double ToUnixTime(uint64_t monotonic_ns) const {
    if (monotonic_ns == 0) return kNeverSeconds;
    const double age = static_cast<double>(clock.monotonic_ns - monotonic_ns) / 1e9;
    // In milliseconds: the two clocks are not read at one instant.
    return std::round((clock.realtime_seconds - age) * 1e3) / 1e3;
  }
};

// One ledger, with what is remembered of it between looks.
class LiveModel::Process {
 public:
  static std::unique_ptr<Process> Make(const ServedLedger& ledger) {
    auto reader = LedgerReader::FromMemory(ledger.reader->base(), ledger.reader->size());
    if (!reader.ok()) return nullptr;
    return std::unique_ptr<Process>(new Process(ledger, *std::move(reader)));
  }

  const LedgerReader& reader() const { return *reader_; }
  const ServedLedger& ledger() const { return ledger_; }
  bool seen = true;
  LockTally tally;

  // CLOCK_MONOTONIC at which this hold, or wait, was first seen: the thread has acquired
  // nothing since, so it is the same one.
  uint64_t HeldSince(const ThreadInfo& thread, size_t index, uint64_t now_ns) {
    return Since(thread, {thread.held[index].lock, static_cast<uint32_t>(index)}, now_ns);
  }
  uint64_t WaitsSince(const ThreadInfo& thread, uint64_t now_ns) {
    const Wait& wait = thread.waits.back();
    const uint64_t seen_ns = Since(thread, {wait.lock, UINT32_MAX}, now_ns);
    return wait.since_ns != 0 && wait.since_ns < now_ns ? wait.since_ns : seen_ns;
  }
  void EndLook() {
    before_.swap(now_);
    now_.clear();
    symbols_fresh_ = false;
  }

  // Of a lock that counts as one in metrics; nullopt: it does not.
  std::optional<uint32_t> ClassOf(LockKey lock) const {
    const LockInfo info = reader_->Lock(lock);
    if (!IsLockForMetrics(info.kind, info.own_releases, info.foreign_releases)) return std::nullopt;
    return info.lock_class;
  }
  // The class's key: the same in every life and every process of one build of the program.
  uint64_t KeyOf(uint32_t lock_class) {
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
  uint32_t NumberOf(uint32_t lock_class, ClassBook* book) {
    if (lock_class > ledger::Capacities().classes) return ClassBook::kNone;
    if (lock_class >= numbers_.size()) numbers_.resize(lock_class + 1);
    std::optional<uint32_t>& number = numbers_[lock_class];
    if (!number.has_value()) {
      number = lock_class == 0 ? ClassBook::kNone : book->Number(KeyOf(lock_class));
      if (*number != ClassBook::kNone) class_of_[*number] = lock_class;
    }
    return *number;
  }
  // Empty: the class is not of this process.
  std::string ClassName(uint32_t number) {
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

  LiveLock Lock(LockKey key) {
    const FindingLock lock = parts_.Lock(key);
    return {static_cast<uint32_t>(ledger_.pid), Shortened(lock.label), lock.kind,
            Shortened(lock.lock_class)};
  }
  std::string Where(uint32_t stack, uint64_t site) {
    const uint64_t key = stack != 0 ? stack : site;
    if (places_.size() > kMostPlaces) places_.clear();
    const auto [found, fresh] = places_.emplace(key, "");
    if (fresh) {
      found->second = Shortened(Place(parts_.Stack(stack, site)));
    }
    return found->second;
  }
  std::string ThreadName(const ThreadInfo& thread) {
    return Shortened(thread.name.empty() ? kernel_->Thread(thread.tid).comm : thread.name);
  }
  LiveProcess Describe(uint64_t threads) const {
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

 private:
  // Brings the symboliser up to date when it is first asked.
  class Resolver : public StackResolver {
   public:
    explicit Resolver(Process* process) : process_(process) {}
    StackTrace Resolve(const std::vector<uint64_t>& pcs) override { return process_->Resolve(pcs); }

   private:
    Process* const process_;
  };
  struct Hold {
    LockKey lock;
    uint32_t place;
    friend auto operator<=>(const Hold&, const Hold&) = default;
  };
  struct Seen {
    uint64_t acquisitions, since_ns;
  };

  Process(const ServedLedger& ledger, std::unique_ptr<LedgerReader> reader)
      : ledger_(ledger),
        reader_(std::move(reader)),
        kernel_(MakeProcKernelView(ledger.pid)),
        resolver_(this),
        parts_(reader_.get(), kernel_.get(), &resolver_, &names_, ledger.pid) {}

  StackTrace Resolve(const std::vector<uint64_t>& pcs) {
    if (!std::exchange(symbols_fresh_, true)) {
      symbolizer_.Update(reader_->Modules(), HasEnded() ? 0 : ledger_.pid);
    }
    return symbolizer_.Resolve(pcs);
  }
  // The pid may be another process's by now.
  bool HasEnded() const {
    const auto stat = ReadProcessStat(ledger_.pid);
    return !stat.has_value() || stat->start_ticks != reader_->identity().start_ticks;
  }
  uint64_t Since(const ThreadInfo& thread, const Hold& hold, uint64_t now_ns) {
    const std::pair key(thread.serial, hold);
    const auto before = before_.find(key);
    const bool same = before != before_.end() && before->second.acquisitions == thread.acquisitions;
    const uint64_t since_ns = same ? before->second.since_ns : now_ns;
    now_[key] = {thread.acquisitions, since_ns};
    return since_ns;
  }

  const ServedLedger ledger_;
  const std::unique_ptr<LedgerReader> reader_;
  const std::unique_ptr<KernelView> kernel_;
  Resolver resolver_;
  Symbolizer symbolizer_;
  ThreadNames names_;
  FindingParts parts_;
  bool symbols_fresh_ = false;
  std::vector<ModuleInfo> modules_;
  std::vector<std::optional<uint32_t>> numbers_;       // by class
  absl::flat_hash_map<uint32_t, uint32_t> class_of_;   // by number
  absl::flat_hash_map<uint64_t, std::string> places_;  // by stack, or by site
  std::map<std::pair<uint32_t, Hold>, Seen> before_, now_;
};

LiveModel::LiveModel() : LiveModel(Limits()) {}
LiveModel::LiveModel(Limits limits)
    : limits_(limits),
      book_(limits.classes_shown, limits.classes_remembered),
      view_(std::make_shared<const LiveView>(LiveView::Empty())) {}
LiveModel::~LiveModel() = default;

LiveModel::Process* LiveModel::Find(const ServedLedger& ledger) {
  const uint64_t* id = ledger.reader->identity().image_id;
  const auto found = processes_.find({id[0], id[1]});
  if (found != processes_.end()) return found->second.get();
  if (processes_.size() >= limits_.processes) return nullptr;
  std::unique_ptr<Process> process = Process::Make(ledger);
  if (process == nullptr) return nullptr;
  return processes_.emplace(std::pair(id[0], id[1]), std::move(process)).first->second.get();
}

void LiveModel::Sample(Process* process, uint64_t elapsed_ns, Instant* instant) {
  Snapshot snapshot = process->reader().Take();
  const uint64_t now_ns = instant->clock.monotonic_ns;
  ClassCounts held;
  held.hold_seconds = static_cast<double>(std::min(elapsed_ns, kLongestSampleNs)) / 1e9;
  const auto older = [](uint64_t a, uint64_t b) { return a == 0 ? b : std::min(a, b); };
  for (ThreadInfo& info : snapshot.threads) {
    if (info.exempt || (info.held.empty() && info.waits.empty())) continue;
    Instant::Thread thread{process, std::move(info), {}, 0};
    for (size_t i = 0; i < thread.info.held.size(); ++i) {
      const uint64_t since_ns = process->HeldSince(thread.info, i, now_ns);
      thread.held_since_ns.push_back(since_ns);
      const std::optional<uint32_t> lock_class = process->ClassOf(thread.info.held[i].lock);
      if (!lock_class.has_value()) continue;
      const uint32_t number = process->NumberOf(*lock_class, &book_);
      book_.Add(number, held);
      Instant::Now& now = instant->classes[number];
      now.oldest_hold_ns = older(now.oldest_hold_ns, since_ns);
    }
    if (!thread.info.waits.empty()) {
      thread.waits_since_ns = process->WaitsSince(thread.info, now_ns);
      const Wait& wait = thread.info.waits.back();
      const std::optional<uint32_t> lock_class =
          wait.mode == ledger::Mode::kJoin ? std::nullopt : process->ClassOf(wait.lock);
      if (lock_class.has_value()) {
        const uint32_t number = process->NumberOf(*lock_class, &book_);
        book_.Add(number, ClassCounts());  // it may have been counted nowhere yet, and wants a seat
        Instant::Now& now = instant->classes[number];
        ++now.waiters;
        now.oldest_wait_ns = older(now.oldest_wait_ns, thread.waits_since_ns);
      }
    }
    instant->threads.push_back(std::move(thread));
  }
  process->EndLook();
  instant->processes.push_back(process->Describe(snapshot.threads.size()));
}

void LiveModel::Count(Process* process) {
  for (const LockTally::Delta& delta : process->tally.Take(process->reader())) {
    book_.Add(process->NumberOf(delta.lock_class, &book_), delta.counts);
  }
}

void LiveModel::Look(const std::vector<ServedLedger>& live, const std::vector<ServedLedger>& ended,
                     Clock now) {
  Instant instant;
  instant.clock = now;
  const uint64_t elapsed_ns = last_look_ns_ == 0 ? 0 : now.monotonic_ns - last_look_ns_;
  const bool count = last_count_ns_ == 0 || now.monotonic_ns - last_count_ns_ >= kCountEveryNs;
  last_look_ns_ = now.monotonic_ns;
  uint64_t left_out = 0;
  for (const ServedLedger& ledger : ended) {
    if (Process* process = Find(ledger); process != nullptr) Count(process);
  }
  const bool changed = !ended.empty();
  for (auto& [id, process] : processes_) process->seen = false;
  for (const ServedLedger& ledger : live) {
    Process* process = Find(ledger);
    if (process == nullptr) {
      ++left_out;
      continue;
    }
    process->seen = true;
    Sample(process, elapsed_ns, &instant);
    if (count) Count(process);
  }
  ++samples_;
  if (count || changed) {
    if (count) last_count_ns_ = now.monotonic_ns;
    book_.Reseat([this](uint32_t number) {
      std::string name;
      for (auto& [id, process] : processes_) {
        if (name.empty()) name = process->ClassName(number);
      }
      return name.empty() ? "unknown" : name;
    });
  }
  std::erase_if(processes_, [](const auto& entry) { return !entry.second->seen; });
  std::erase_if(instant.threads, [this](const Instant::Thread& thread) {
    return std::none_of(processes_.begin(), processes_.end(),
                        [&](const auto& entry) { return entry.second.get() == thread.process; });
  });

  auto view = std::make_shared<LiveView>();
  view->time_seconds = now.realtime_seconds;
  view->samples = samples_;
  view->processes_left_out = left_out;
  ShowClasses(instant, view.get());
  view->process = view_->process;
  if (count) {
    view->process = ProcessNumbers();
    for (const ServedLedger& ledger : live) {
      if (ledger.is_program) view->process = ReadProcessNumbers(ledger.pid);
    }
  }
  ShowThreads(&instant, view.get());
  view->processes = std::move(instant.processes);
  view_ = std::move(view);
}

void LiveModel::ShowClasses(const Instant& instant, LiveView* view) const {
  std::map<std::string, ClassSeries> by_name;  // two sites may resolve to one name
  ClassSeries other;
  other.name = "other";
  other.counts = book_.other();
  for (const uint32_t number : book_.seated()) {
    const std::string& name = book_.NameOf(number);
    ClassSeries& series = name == "other" ? other : by_name[name];
    series.name = name;
    series.counts.Add(book_.CountsOf(number));
  }
  const auto older = [](double a, double b) {
    return a == kNeverSeconds || (b != kNeverSeconds && b < a) ? b : a;
  };
  for (const auto& [number, now] : instant.classes) {
    ClassSeries* series = &other;
    if (book_.HasSeat(number) && book_.NameOf(number) != "other") {
      series = &by_name[book_.NameOf(number)];
    }
    series->waiters += now.waiters;
    series->oldest_wait_seconds =
        older(series->oldest_wait_seconds, instant.ToUnixTime(now.oldest_wait_ns));
    series->oldest_hold_seconds =
        older(series->oldest_hold_seconds, instant.ToUnixTime(now.oldest_hold_ns));
  }
  for (auto& [name, series] : by_name) view->classes.push_back(std::move(series));
  view->classes.push_back(std::move(other));
  view->classes_folded = book_.folded();
}

void LiveModel::ShowThreads(Instant* instant, LiveView* view) {
  // Those that wait for a lock for longest say most; then those that hold something.
  const auto rank = [](const Instant::Thread& thread) {
    const bool waits = !thread.info.waits.empty();
    const bool holds = !thread.info.held.empty();
    return std::pair(waits ? (holds ? 0 : 1) : 2, waits ? thread.waits_since_ns : 0);
  };
  const size_t most = std::min(instant->threads.size(), limits_.threads_shown);
  std::partial_sort(
      instant->threads.begin(), instant->threads.begin() + static_cast<std::ptrdiff_t>(most),
      instant->threads.end(), [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  std::map<std::pair<Process*, LockKey>, size_t> known;
  const auto index_of = [&](Process* process, LockKey key) {
    const auto [found, fresh] = known.emplace(std::pair(process, key), view->locks.size());
    if (fresh) view->locks.push_back(process->Lock(key));
    return found->second;
  };
  for (size_t i = 0; i < most; ++i) {
    const Instant::Thread& from = instant->threads[i];
    LiveThread thread;
    thread.pid = static_cast<uint32_t>(from.process->ledger().pid);
    thread.tid = from.info.tid;
    thread.name = from.process->ThreadName(from.info);
    for (size_t h = 0; h < from.info.held.size(); ++h) {
      const HeldLock& held = from.info.held[h];
      thread.holds.push_back({index_of(from.process, held.lock), ModeName(held.mode),
                              instant->ToUnixTime(from.held_since_ns[h]),
                              from.process->Where(held.stack, held.site)});
    }
    if (!from.info.waits.empty()) {
      const Wait& wait = from.info.waits.back();
      thread.waits = true;
      thread.waits_mode = ModeName(wait.mode);
      thread.timed = wait.timed;
      thread.since_seconds = instant->ToUnixTime(from.waits_since_ns);
      thread.where = from.process->Where(wait.stack, wait.site);
      if (wait.mode == ledger::Mode::kJoin) {
        if (wait.lock.index != ledger::kNoIndex) {
          thread.joins_tid = from.process->reader().Thread(wait.lock.index).tid;
        }
      } else {
        thread.has_lock = true;
        thread.lock = index_of(from.process, wait.lock);
      }
    }
    view->threads.push_back(std::move(thread));
  }
  view->threads_left_out = instant->threads.size() - most;
}

}  // namespace lockwarden
