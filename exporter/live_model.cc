// One look after the other: samples, counts, and what of it is shown.
#include "exporter/live_model.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "exporter/process_numbers.h"
#include "exporter/watched_ledger.h"

namespace lockwarden {
namespace {

constexpr uint64_t kCountEveryNs = 1'000'000'000;
// A sample stands for no longer than this, though the looks may be further apart: the machine
// was asleep, or this thread did not get its turn.
constexpr uint64_t kLongestSampleNs = 5'000'000'000;

}  // namespace

// What waits and holds look like now, by class; threads as they were copied.
struct LiveModel::Instant {
  struct Now {
    uint64_t waiters = 0;
    uint64_t oldest_wait_ns = 0, oldest_hold_ns = 0;  // CLOCK_MONOTONIC; 0: none
  };
  struct Thread {
    WatchedLedger* process;
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

LiveModel::LiveModel() : LiveModel(Limits()) {}
LiveModel::LiveModel(Limits limits)
    : limits_(limits),
      book_(limits.classes_shown, limits.classes_remembered),
      view_(std::make_shared<const LiveView>(LiveView::Empty())) {}
LiveModel::~LiveModel() = default;

WatchedLedger* LiveModel::Find(const ServedLedger& ledger) {
  const uint64_t* id = ledger.reader->identity().image_id;
  const auto found = processes_.find({id[0], id[1]});
  if (found != processes_.end()) return found->second.get();
  if (processes_.size() >= limits_.processes) return nullptr;
  std::unique_ptr<WatchedLedger> process = WatchedLedger::Make(ledger);
  if (process == nullptr) return nullptr;
  return processes_.emplace(std::pair(id[0], id[1]), std::move(process)).first->second.get();
}

void LiveModel::Sample(WatchedLedger* process, uint64_t elapsed_ns, Instant* instant) {
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

void LiveModel::Count(WatchedLedger* process) {
  for (const LockTally::Delta& delta : process->tally.Take(process->reader())) {
    book_.Add(process->NumberOf(delta.lock_class, &book_), delta.counts);
  }
  counted_.push_back(process);
}

void LiveModel::CountTimes() {
  for (WatchedLedger* process : counted_) {
    for (const ClassTimesReader::Delta& delta : process->times.Take(process->reader())) {
      book_.AddTimes(process->NumberOf(delta.lock_class, &book_), delta.times);
    }
  }
  counted_.clear();
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
    if (WatchedLedger* process = Find(ledger); process != nullptr) Count(process);
  }
  const bool changed = !ended.empty();
  for (auto& [id, process] : processes_) process->seen = false;
  for (const ServedLedger& ledger : live) {
    WatchedLedger* process = Find(ledger);
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
    CountTimes();
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
  other.times = book_.other_times();
  for (const uint32_t number : book_.seated()) {
    const std::string& name = book_.NameOf(number);
    ClassSeries& series = name == "other" ? other : by_name[name];
    series.name = name;
    series.counts.Add(book_.CountsOf(number));
    series.times.Add(book_.TimesOf(number));
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
  std::map<std::pair<WatchedLedger*, LockKey>, size_t> known;
  const auto index_of = [&](WatchedLedger* process, LockKey key) {
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
