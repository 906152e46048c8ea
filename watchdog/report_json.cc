// The JSON form of a finding; every key is in docs/finding.schema.json. Numbers that may
// not fit a double (addresses) are hexadecimal strings.
#include <nlohmann/json.hpp>

#include <string>

#include "absl/strings/str_format.h"
#include "watchdog/report.h"

namespace lockwarden {
namespace {

// Keeps the order of keys: a person reads these lines too.
using Json = nlohmann::ordered_json;

constexpr int kSchemaVersion = 1;

std::string Hex(uint64_t value) { return absl::StrFormat("0x%x", value); }

Json OrNull(const std::string& text) { return text.empty() ? Json() : Json(text); }

Json FrameJson(const StackFrame& frame) {
  const bool in_module = !frame.module.empty();
  return {
      {"function", OrNull(frame.function)},
      {"file", OrNull(frame.file)},
      {"line", frame.file.empty() ? Json() : Json(frame.line)},
      {"module", OrNull(frame.module)},
      {"offset", in_module ? Json(Hex(frame.module_offset)) : Json()},
      {"build_id", OrNull(frame.build_id)},
      {"inlined", frame.inlined},
      {"pc", Hex(frame.pc)},
  };
}

Json StackJson(const StackTrace& stack) {
  Json frames = Json::array();
  for (const StackFrame& frame : stack) frames.push_back(FrameJson(frame));
  return frames;
}

// Ids are what connects threads to "locks"; an index out of range names none of them.
Json LockId(const Finding& finding, size_t index) {
  return index < finding.locks.size() ? Json(finding.locks[index].id) : Json();
}

const char* RoleName(FindingThread::Role role) {
  switch (role) {
    case FindingThread::Role::kInCycle: return "cycle";
    case FindingThread::Role::kBehind: return "behind";
    case FindingThread::Role::kOther: return "other";
  }
  return "other";
}

Json ThreadJson(const Finding& finding, const FindingThread& thread) {
  const bool joins = thread.waits && thread.waits_mode == "join";
  Json holds = Json::array();
  for (const FindingHold& hold : thread.holds) {
    holds.push_back({{"lock", LockId(finding, hold.lock)},
                     {"mode", hold.mode},
                     {"inferred", hold.inferred},
                     {"stack", StackJson(hold.stack)}});
  }
  return {
      {"pid", thread.pid != 0 ? thread.pid : finding.pid},
      {"tid", thread.tid},
      {"serial", thread.serial},
      {"name", thread.name},
      {"role", RoleName(thread.role)},
      {"waits_for", thread.waits && !joins ? LockId(finding, thread.waits_for) : Json()},
      {"waits_mode", thread.waits ? Json(thread.waits_mode) : Json()},
      {"joins_tid", joins && thread.joins_tid != 0 ? Json(thread.joins_tid) : Json()},
      {"timed", thread.timed},
      {"blocked_seconds", thread.blocked_seconds > 0 ? Json(thread.blocked_seconds) : Json()},
      {"stack", StackJson(thread.stack)},
      {"holds", std::move(holds)},
  };
}

Json LockJson(const FindingLock& lock) {
  return {
      {"id", lock.id},
      {"name", OrNull(lock.name)},
      {"label", lock.label},
      {"address", Hex(lock.address)},
      {"kind", lock.kind},
      {"class", OrNull(lock.lock_class)},
      {"shared", OrNull(lock.shared)},
  };
}

}  // namespace

std::string FormatJson(const Finding& finding) {
  Json threads = Json::array(), locks = Json::array(), cycle = Json::array();
  for (const FindingThread& thread : finding.threads) {
    threads.push_back(ThreadJson(finding, thread));
  }
  for (const FindingLock& lock : finding.locks) locks.push_back(LockJson(lock));
  for (const size_t index : finding.cycle) {
    if (index < finding.threads.size()) cycle.push_back(index);
  }
  const Json json = {
      {"schema_version", kSchemaVersion},
      {"kind", KindName(finding.kind)},
      {"confidence", ConfidenceName(finding.confidence)},
      {"headline", finding.headline},
      {"pid", finding.pid},
      {"program", finding.program},
      {"image_id", absl::StrFormat("%016x%016x", finding.image_id[0], finding.image_id[1])},
      {"time", FormatTime(finding.time_ns)},
      {"story", finding.story},
      {"cycle", std::move(cycle)},
      {"threads", std::move(threads)},
      {"locks", std::move(locks)},
      {"evidence", finding.evidence},
      {"advice", finding.advice},
      {"misuse", OrNull(finding.misuse)},
      {"heartbeat", OrNull(finding.heartbeat)},
      {"cause", OrNull(finding.cause)},
      {"dropped", finding.dropped},
      {"fingerprint", finding.fingerprint},
      {"incident", OrNull(finding.incident)},
  };
  return json.dump(/*indent=*/-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

}  // namespace lockwarden
