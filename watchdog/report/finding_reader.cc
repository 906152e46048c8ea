// One function a level of the JSON form, mirroring report_json.cc.
#include "watchdog/report/finding_reader.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace lockwarden {
namespace {

using Json = nlohmann::json;

constexpr int kSchemaVersion = 1;
constexpr size_t kMostEntries = 100'000;  // of any one list

// The value of a key; null if the key is not there, or `json` is no object.
const Json& At(const Json& json, const char* key) {
  static const Json* const kNull = new Json();
  if (!json.is_object()) return *kNull;
  const auto found = json.find(key);
  return found == json.end() ? *kNull : *found;
}

std::string Text(const Json& json, const char* key) {
  const Json& value = At(json, key);
  return value.is_string() ? value.get<std::string>() : std::string();
}

template <class Number>
Number NumberOf(const Json& value) {
  if (!value.is_number()) return Number();
  if (value.is_number_float()) {
    const double number = value.get<double>();
    const bool fits =
        number >= 0 && number < static_cast<double>(std::numeric_limits<Number>::max());
    return fits ? static_cast<Number>(number) : Number();
  }
  return static_cast<Number>(value.get<uint64_t>());
}

template <class Number>
Number NumberAt(const Json& json, const char* key) {
  return NumberOf<Number>(At(json, key));
}

bool Flag(const Json& json, const char* key) {
  const Json& value = At(json, key);
  return value.is_boolean() && value.get<bool>();
}

// "0x1f"; 0 for anything else.
uint64_t HexAt(const Json& json, const char* key) {
  uint64_t number = 0;
  return absl::SimpleHexAtoi(Text(json, key), &number) ? number : 0;
}

// The entries of a list, at most so many; none if it is no list.
std::vector<const Json*> List(const Json& json, const char* key) {
  std::vector<const Json*> entries;
  const Json& value = At(json, key);
  if (!value.is_array()) return entries;
  for (const Json& entry : value) {
    if (entries.size() == kMostEntries) break;
    entries.push_back(&entry);
  }
  return entries;
}

std::vector<std::string> Texts(const Json& json, const char* key) {
  std::vector<std::string> texts;
  for (const Json* entry : List(json, key)) {
    if (entry->is_string()) texts.push_back(entry->get<std::string>());
  }
  return texts;
}

StackTrace Stack(const Json& json, const char* key) {
  StackTrace stack;
  for (const Json* entry : List(json, key)) {
    StackFrame frame;
    frame.pc = HexAt(*entry, "pc");
    frame.function = Text(*entry, "function");
    frame.file = Text(*entry, "file");
    frame.line = std::max(0, NumberAt<int>(*entry, "line"));
    frame.module = Text(*entry, "module");
    frame.module_offset = HexAt(*entry, "offset");
    frame.build_id = Text(*entry, "build_id");
    frame.inlined = Flag(*entry, "inlined");
    stack.push_back(std::move(frame));
  }
  return stack;
}

// Ids name locks in the file, indexes do in a Finding. An id that no lock has: past the end.
size_t LockIndex(const Finding& finding, const Json& id) {
  const auto number = NumberOf<uint64_t>(id);
  for (size_t i = 0; id.is_number() && i < finding.locks.size(); ++i) {
    if (finding.locks[i].id == number) return i;
  }
  return finding.locks.size();
}

FindingLock Lock(const Json& json) {
  FindingLock lock;
  lock.id = NumberAt<uint64_t>(json, "id");
  lock.name = Text(json, "name");
  lock.label = Text(json, "label");
  lock.address = HexAt(json, "address");
  lock.kind = Text(json, "kind");
  lock.shared = Text(json, "shared");
  lock.lock_class = Text(json, "class");
  return lock;
}

FindingThread Thread(const Finding& finding, const Json& json) {
  FindingThread thread;
  thread.pid = NumberAt<uint32_t>(json, "pid");
  if (thread.pid == finding.pid) thread.pid = 0;
  thread.tid = NumberAt<uint32_t>(json, "tid");
  thread.serial = NumberAt<uint32_t>(json, "serial");
  thread.name = Text(json, "name");
  const std::string role = Text(json, "role");
  thread.role = role == "cycle"    ? FindingThread::Role::kInCycle
                : role == "behind" ? FindingThread::Role::kBehind
                                   : FindingThread::Role::kOther;
  thread.waits_mode = Text(json, "waits_mode");
  thread.waits = !thread.waits_mode.empty();
  thread.joins_tid = NumberAt<uint32_t>(json, "joins_tid");
  thread.waits_for = LockIndex(finding, At(json, "waits_for"));
  thread.timed = Flag(json, "timed");
  thread.blocked_seconds = NumberAt<double>(json, "blocked_seconds");
  thread.stack = Stack(json, "stack");
  for (const Json* entry : List(json, "holds")) {
    FindingHold hold;
    hold.lock = LockIndex(finding, At(*entry, "lock"));
    hold.mode = Text(*entry, "mode");
    hold.inferred = Flag(*entry, "inferred");
    hold.stack = Stack(*entry, "stack");
    thread.holds.push_back(std::move(hold));
  }
  return thread;
}

// If several processes are involved, each thread is named with its own.
void NameProcesses(Finding* finding) {
  const bool several = std::any_of(finding->threads.begin(), finding->threads.end(),
                                   [](const FindingThread& thread) { return thread.pid != 0; });
  if (!several) return;
  for (FindingThread& thread : finding->threads) {
    if (thread.pid == 0) thread.pid = finding->pid;
  }
}

template <class Enum>
bool FindName(const std::string& name, const char* (*name_of)(Enum), Enum last, Enum* out) {
  for (int i = 0; i <= static_cast<int>(last); ++i) {
    if (name != name_of(static_cast<Enum>(i))) continue;
    *out = static_cast<Enum>(i);
    return true;
  }
  return false;
}

absl::Status Bad(absl::string_view why) { return absl::InvalidArgumentError(why); }

}  // namespace

absl::StatusOr<Finding> ParseFinding(absl::string_view text) {
  const Json json = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return Bad("no JSON");
  if (!json.is_object() || !json.contains("kind")) return Bad("no finding of Lockwarden's");
  if (const int version = NumberAt<int>(json, "schema_version"); version != kSchemaVersion) {
    return Bad(absl::StrCat("a finding with schema_version ", version, "; this command reads ",
                            kSchemaVersion));
  }
  Finding finding;
  if (!FindName(Text(json, "kind"), KindName, FindingKind::kMisuse, &finding.kind)) {
    return Bad("a finding of an unknown kind");
  }
  FindName(Text(json, "confidence"), ConfidenceName, Confidence::kProven, &finding.confidence);
  finding.pid = NumberAt<uint32_t>(json, "pid");
  finding.program = Text(json, "program");
  if (const std::string id = Text(json, "image_id"); id.size() == 32) {
    if (!absl::SimpleHexAtoi(id.substr(0, 16), &finding.image_id[0]) ||
        !absl::SimpleHexAtoi(id.substr(16), &finding.image_id[1])) {
      finding.image_id[0] = finding.image_id[1] = 0;
    }
  }
  absl::Time time;
  if (absl::ParseTime(absl::RFC3339_full, Text(json, "time"), &time, nullptr) &&
      time > absl::UnixEpoch() && time < absl::FromUnixSeconds(9'000'000'000)) {
    finding.time_ns = static_cast<uint64_t>(absl::ToUnixNanos(time));
  }
  finding.headline = Text(json, "headline");
  finding.story = Texts(json, "story");
  finding.evidence = Texts(json, "evidence");
  finding.advice = Texts(json, "advice");
  finding.misuse = Text(json, "misuse");
  finding.heartbeat = Text(json, "heartbeat");
  finding.cause = Text(json, "cause");
  finding.fingerprint = Text(json, "fingerprint");
  finding.incident = Text(json, "incident");
  for (const Json* entry : List(json, "locks")) finding.locks.push_back(Lock(*entry));
  for (const Json* entry : List(json, "threads")) {
    finding.threads.push_back(Thread(finding, *entry));
  }
  NameProcesses(&finding);
  for (const Json* entry : List(json, "cycle")) {
    const auto index = NumberOf<size_t>(*entry);
    if (entry->is_number() && index < finding.threads.size()) finding.cycle.push_back(index);
  }
  if (const Json& dropped = At(json, "dropped"); dropped.is_object()) {
    for (const auto& [name, count] : dropped.items()) {
      finding.dropped[name] = NumberOf<uint64_t>(count);
    }
  }
  return finding;
}

}  // namespace lockwarden
