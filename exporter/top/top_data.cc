// JSON in, values out. Members of the wrong type count as missing.
#include "exporter/top/top_data.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "watchdog/printable.h"

namespace lockwarden {
namespace {

using Json = nlohmann::json;

constexpr int kDeepest = 8;  // ours are nested no deeper
constexpr size_t kMostItems = 10'000;

std::string Text(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? Printable(found->get<std::string>()) : "";
}
double Number(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<double>() : 0;
}
uint64_t Count(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_unsigned() ? found->get<uint64_t>() : 0;
}
bool Flag(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_boolean() && found->get<bool>();
}

// The objects of a list, at most so many.
std::vector<const Json*> Objects(const Json& object, const char* key) {
  std::vector<const Json*> objects;
  const auto found = object.find(key);
  if (found == object.end() || !found->is_array()) return objects;
  for (const Json& item : *found) {
    if (objects.size() == kMostItems) break;
    if (item.is_object()) objects.push_back(&item);
  }
  return objects;
}

struct Holder {
  std::string who;
  bool shared;
};

std::string OwnerOf(const std::vector<Holder>& holders) {
  if (holders.empty()) return "";
  if (holders.size() == 1) return holders[0].who;
  const bool readers =
      std::all_of(holders.begin(), holders.end(), [](const Holder& h) { return h.shared; });
  return absl::StrCat(holders.size(), readers ? " readers" : " holders");
}

TopThread ParseThread(const Json& from, const std::vector<std::string>& locks,
                      const std::map<uint64_t, std::vector<Holder>>& holders, double now_seconds) {
  TopThread thread;
  thread.pid = static_cast<uint32_t>(Count(from, "pid"));
  thread.tid = static_cast<uint32_t>(Count(from, "tid"));
  thread.name = Text(from, "name");
  thread.deadlocked = Flag(from, "deadlocked");
  for (const Json* hold : Objects(from, "holds")) {
    const uint64_t lock = Count(*hold, "lock");
    if (lock < locks.size()) thread.holds.push_back(locks[lock]);
    thread.where = Text(*hold, "where");
  }
  const auto waits = from.find("waits");
  if (waits == from.end() || !waits->is_object()) return thread;
  thread.waits = true;
  thread.timed = Flag(*waits, "timed");
  thread.where = Text(*waits, "where");
  const double since = Number(*waits, "since");
  if (since > 0 && since < now_seconds) thread.blocked_seconds = now_seconds - since;
  const uint64_t lock = waits->contains("lock") ? Count(*waits, "lock") : locks.size();
  if (lock < locks.size()) {
    thread.waits_for = locks[lock];
    const auto found = holders.find(lock);
    if (found != holders.end()) thread.owner = OwnerOf(found->second);
  } else if (const uint64_t joined = Count(*waits, "joins"); joined != 0) {
    thread.waits_for = absl::StrCat("thread ", joined);
  } else {
    thread.waits_for = Text(*waits, "mode");
  }
  return thread;
}

}  // namespace

std::optional<TopProgram> ParseTopProgram(const std::string& status_json) {
  const auto keep = [](int depth, Json::parse_event_t, const Json&) { return depth <= kDeepest; };
  const Json status = Json::parse(status_json, keep, /*allow_exceptions=*/false);
  if (!status.is_object()) return std::nullopt;
  TopProgram program;
  program.program = Text(status, "program");
  program.running = Flag(status, "running");
  program.recorded = Flag(status, "recorded");
  program.not_answering = Text(status, "not_answering");
  program.deadlocked_threads = Count(status, "deadlocked_threads");
  program.deadlock_cycles = Count(status, "deadlock_cycles");
  program.potential_deadlocks = Count(status, "potential_deadlocks");
  program.threads = Count(status, "threads_total");
  program.threads_left_out = Count(status, "threads_left_out");
  program.locks = Count(status, "locks_tracked");
  program.time_seconds = Number(status, "time");
  for (const Json* process : Objects(status, "processes")) {
    const auto pid = static_cast<uint32_t>(Count(*process, "pid"));
    program.pids.insert(Flag(*process, "main") ? program.pids.begin() : program.pids.end(), pid);
  }
  std::vector<std::string> locks;
  for (const Json* lock : Objects(status, "locks")) {
    const std::string label = Text(*lock, "label"), lock_class = Text(*lock, "class");
    locks.push_back(lock_class.empty() ? label : absl::StrCat(label, " (", lock_class, ")"));
  }
  std::map<uint64_t, std::vector<Holder>> holders;
  const std::vector<const Json*> threads = Objects(status, "threads");
  for (const Json* thread : threads) {
    for (const Json* hold : Objects(*thread, "holds")) {
      holders[Count(*hold, "lock")].push_back(
          {absl::StrCat(Text(*thread, "name"), " (", Count(*thread, "tid"), ")"),
           Text(*hold, "mode") == "shared"});
    }
  }
  for (const Json* thread : threads) {
    program.waiting_or_holding.push_back(
        ParseThread(*thread, locks, holders, program.time_seconds));
  }
  for (const Json* it : Objects(status, "classes")) {
    program.classes.push_back({.name = Text(*it, "class"),
                               .waiters = Count(*it, "waiters"),
                               .acquisitions = Count(*it, "acquisitions"),
                               .contentions = Count(*it, "contentions"),
                               .wait_seconds = Number(*it, "wait_seconds"),
                               .hold_seconds = Number(*it, "hold_seconds")});
  }
  return program;
}

void FillRates(const TopProgram& before, TopProgram* now) {
  const double seconds = now->time_seconds - before.time_seconds;
  if (seconds <= 0) return;
  std::map<std::string, const TopClass*> old;
  for (const TopClass& it : before.classes) old[it.name] = &it;
  for (TopClass& it : now->classes) {
    const auto found = old.find(it.name);
    if (found == old.end()) continue;
    // Counters only grow; who says otherwise has begun anew.
    const auto rate = [seconds](double from, double to) {
      return to > from ? (to - from) / seconds : 0;
    };
    const TopClass& was = *found->second;
    it.acquisition_rate =
        rate(static_cast<double>(was.acquisitions), static_cast<double>(it.acquisitions));
    it.contention_rate =
        rate(static_cast<double>(was.contentions), static_cast<double>(it.contentions));
    it.wait_rate = rate(was.wait_seconds, it.wait_seconds);
    it.hold_rate = rate(was.hold_seconds, it.hold_seconds);
  }
}

}  // namespace lockwarden
