// Threads go through FormatJson, so that they have the keys that findings' threads have.
#include "watchdog/inspect/inspection_json.h"

#include <nlohmann/json.hpp>

#include "watchdog/report.h"
#include "watchdog/stall_cause.h"

namespace lockwarden {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kSchemaVersion = 1;

Json OrNull(const std::string& text) { return text.empty() ? Json() : Json(text); }

const char* NameOf(Awaited awaited) {
  switch (awaited) {
    case Awaited::kNothing:
      return "nothing";
    case Awaited::kMutex:
      return "mutex";
    case Awaited::kReadLock:
      return "read_lock";
    case Awaited::kWriteLock:
      return "write_lock";
    case Awaited::kCondition:
      return "condition";
    case Awaited::kSemaphore:
      return "semaphore";
    case Awaited::kBarrier:
      return "barrier";
    case Awaited::kJoin:
      return "join";
    case Awaited::kOnce:
      return "once";
    case Awaited::kStaticGuard:
      return "static_guard";
    case Awaited::kFutex:
      return "futex";
    case Awaited::kFileLock:
      return "file_lock";
    case Awaited::kSystemCall:
      return "system_call";
    case Awaited::kUnknown:
      return "unknown";
  }
  return "unknown";
}

// What a finding's thread has not.
void Complete(const PictureThread& thread, const Inspection& inspection, Json* json) {
  const ThreadStack& stack = thread.stack;
  Json& out = *json;
  out.erase("serial");
  out.erase("role");
  out.erase("holds");
  out["tid_inside"] = stack.inside;
  out["state"] = std::string(1, stack.kernel.state);
  const bool in_call = stack.kernel.syscall.has_value() && *stack.kernel.syscall >= 0;
  out["system_call"] = in_call ? Json(SystemCallName(*stack.kernel.syscall)) : Json();
  out["awaits"] = NameOf(thread.wait.awaited);
  out["doing"] = thread.doing;
  Json owners = Json::array();
  for (uint32_t owner : thread.wait.owners) {
    const PictureThread* found = inspection.picture.Thread(owner);
    owners.push_back(found == nullptr ? owner : found->stack.tid);
  }
  out["owners"] = std::move(owners);
  out["owner_pids"] = thread.outside;
  const auto holds = inspection.holds.find(stack.inside);
  out["holds"] = holds == inspection.holds.end() ? Json::array() : Json(holds->second);
  out["stack_method"] = StackMethodName(stack.method);
  out["stack_consistent"] = stack.consistent;
  out["stack_complete"] = stack.complete;
  out["stack_missing"] = OrNull(stack.why);
}

}  // namespace

std::string InspectionJson(const Inspection& inspection) {
  const ProcessPicture& picture = inspection.picture;
  Finding carrier;
  carrier.pid = static_cast<uint32_t>(picture.pid);
  carrier.locks = picture.locks;
  for (const PictureThread& thread : picture.threads) {
    carrier.threads.push_back(ThreadForFinding(picture, thread, &carrier));
  }
  Json carried = Json::parse(FormatJson(carrier));
  for (size_t i = 0; i < picture.threads.size(); ++i) {
    Complete(picture.threads[i], inspection, &carried["threads"][i]);
  }
  Json findings = Json::array();
  for (const Finding& finding : inspection.findings) {
    findings.push_back(Json::parse(FormatJson(finding)));
  }
  const Json json = {
      {"schema", "lockwarden.inspection"},
      {"schema_version", kSchemaVersion},
      {"verdict", VerdictName(inspection.verdict)},
      {"pid", picture.pid},
      {"program", OrNull(picture.program)},
      {"time", picture.time_ns == 0 ? Json() : Json(FormatTime(picture.time_ns))},
      {"cannot_look", OrNull(inspection.access.why)},
      {"help", OrNull(inspection.access.help)},
      {"woken_from_outside_by", OrNull(picture.wakes_anybody)},
      {"ledger", OrNull(inspection.ledger)},
      {"findings", std::move(findings)},
      {"threads", std::move(carried["threads"])},
      {"threads_left_out", picture.left_out},
      {"locks", std::move(carried["locks"])},
      {"notes", picture.notes},
  };
  return json.dump(/*indent=*/-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

}  // namespace lockwarden
