// One object from two views; see the header.
#include "exporter/status_json.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace lockwarden {
namespace {

using Json = nlohmann::ordered_json;
using ThreadId = std::pair<uint32_t, uint32_t>;  // pid, tid

bool Runs(const LiveView& live, uint32_t pid) {
  return std::any_of(live.processes.begin(), live.processes.end(),
                     [pid](const LiveProcess& process) { return process.pid == pid; });
}

// Those that a deadlock which was found names, as long as they wait: it ends with its process.
std::set<ThreadId> Deadlocked(const PageSource& source) {
  std::set<ThreadId> threads;
  for (const auto& finding : source.watch.shown_findings) {
    for (const ShownFinding::Thread& thread : finding->threads) {
      threads.emplace(thread.pid, thread.tid);
    }
  }
  return threads;
}

// In words, why nobody should expect an answer of the program; empty: it may be well.
std::string NotAnswering(const PageSource& source) {
  if (source.live.time_seconds == 0) return "";
  if (source.watch.deadlocked_threads != 0) return "deadlocked";
  if (source.watch.stalled) return "stalled";
  if (!source.watch.program_running) return "not running";
  for (const LiveProcess& process : source.live.processes) {
    if (process.is_program && process.standing_still) return "stopped";
  }
  return "";
}

Json Processes(const LiveView& live) {
  Json list = Json::array();
  for (const LiveProcess& process : live.processes) {
    list.push_back({{"pid", process.pid},
                    {"program", process.program},
                    {"main", process.is_program},
                    {"state", std::string(1, process.state)},
                    {"threads", process.threads}});
  }
  return list;
}

Json Threads(const PageSource& source) {
  const std::set<ThreadId> deadlocked = Deadlocked(source);
  Json list = Json::array();
  for (const LiveThread& thread : source.live.threads) {
    Json holds = Json::array();
    for (const LiveHold& hold : thread.holds) {
      holds.push_back({{"lock", hold.lock},
                       {"mode", hold.mode},
                       {"since", hold.since_seconds},
                       {"where", hold.where}});
    }
    Json entry = {{"pid", thread.pid},
                  {"tid", thread.tid},
                  {"name", thread.name},
                  {"deadlocked", thread.waits && deadlocked.contains({thread.pid, thread.tid})},
                  {"holds", std::move(holds)}};
    if (thread.waits) {
      Json wait = {{"mode", thread.waits_mode},
                   {"timed", thread.timed},
                   {"since", thread.since_seconds},
                   {"where", thread.where}};
      if (thread.has_lock) wait["lock"] = thread.lock;
      if (thread.joins_tid != 0) wait["joins"] = thread.joins_tid;
      entry["waits"] = std::move(wait);
    }
    list.push_back(std::move(entry));
  }
  return list;
}

Json Locks(const LiveView& live) {
  Json list = Json::array();
  for (const LiveLock& lock : live.locks) {
    list.push_back({{"pid", lock.pid},
                    {"label", lock.label},
                    {"kind", lock.kind},
                    {"class", lock.lock_class}});
  }
  return list;
}

Json Classes(const LiveView& live) {
  Json list = Json::array();
  for (const ClassSeries& it : live.classes) {
    list.push_back({{"class", it.name},
                    {"acquisitions", it.counts.acquisitions},
                    {"contentions", it.counts.contentions},
                    {"wait_seconds", it.counts.wait_seconds},
                    {"hold_seconds", it.counts.hold_seconds},
                    {"waiters", it.waiters},
                    {"oldest_wait", it.oldest_wait_seconds},
                    {"oldest_hold", it.oldest_hold_seconds}});
  }
  return list;
}

Json Heartbeats(const MetricsView& watch) {
  Json list = Json::array();
  for (const auto& [name, beat] : watch.heartbeats) {
    list.push_back({{"name", name},
                    {"last", beat.last_timestamp_seconds},
                    {"deadline", beat.deadline_seconds},
                    {"paused", beat.paused},
                    {"missed", beat.missed},
                    {"late", beat.late}});
  }
  return list;
}

Json Findings(const MetricsView& watch) {
  Json list = Json::array();
  for (auto i = watch.shown_findings.rbegin(); i != watch.shown_findings.rend(); ++i) {
    const ShownFinding& finding = **i;
    list.push_back({{"number", finding.number},
                    {"kind", finding.kind},
                    {"confidence", finding.confidence},
                    {"headline", finding.headline},
                    {"program", finding.program},
                    {"pid", finding.pid},
                    {"time", finding.time_seconds},
                    {"incident", finding.incident}});
  }
  return list;
}

}  // namespace

std::string WhyNotLive(const PageSource& source) {
  const auto& findings = source.watch.shown_findings;
  for (auto i = findings.rbegin(); source.watch.deadlocked_threads != 0 && i != findings.rend();
       ++i) {
    if (!(*i)->threads.empty() && (*i)->confidence == "proven" && Runs(source.live, (*i)->pid)) {
      return (*i)->headline;
    }
  }
  return source.watch.stalled ? "STALL: heartbeats stay away" : "";
}

std::string StatusJson(const PageSource& source) {
  const MetricsView& watch = source.watch;
  const LiveView& live = source.live;
  const Json status = {
      {"version", LOCKWARDEN_VERSION},
      {"program", watch.program},
      {"time", live.time_seconds},
      {"checked", watch.watchdog_last_check_timestamp_seconds},
      {"running", watch.program_running},
      {"recorded", watch.interposer_active},
      {"not_answering", NotAnswering(source)},
      {"deadlocked_threads", watch.deadlocked_threads},
      {"deadlock_cycles", watch.deadlock_cycles},
      {"deadlocks_total",
       [&] {
         uint64_t sum = 0;
         for (const auto& [kind, count] : watch.deadlocks) sum += count;
         return sum;
       }()},
      {"potential_deadlocks", watch.order_cycles},
      {"restarts_total",
       [&] {
         uint64_t sum = 0;
         for (const auto& [reason, count] : watch.restarts) sum += count;
         return sum;
       }()},
      {"threads_total", watch.threads},
      {"locks_tracked", watch.locks_tracked},
      {"dropped_records",
       [&] {
         uint64_t sum = 0;
         for (const auto& [table, count] : watch.dropped_records) sum += count;
         return sum;
       }()},
      {"processes", Processes(live)},
      {"processes_left_out", live.processes_left_out},
      {"threads", Threads(source)},
      {"threads_left_out", live.threads_left_out},
      {"locks", Locks(live)},
      {"classes", Classes(live)},
      {"classes_folded", live.classes_folded},
      {"heartbeats", Heartbeats(watch)},
      {"incidents", Findings(watch)},
  };
  return status.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace lockwarden
