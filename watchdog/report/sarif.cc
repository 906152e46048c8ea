// SARIF 2.1.0; the names of the properties are those of its sections 3.13 and following.
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "watchdog/finding_parts.h"
#include "watchdog/frames.h"
#include "watchdog/printable.h"
#include "watchdog/report/finding_groups.h"
#include "watchdog/report/formats.h"

namespace lockwarden {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMostFrames = 100, kMostThreads = 100;

struct Rule {
  FindingKind kind;
  const char* name;
  const char* text;
};
constexpr Rule kRules[] = {
    {FindingKind::kDeadlock, "Deadlock", "Threads wait for each other for ever."},
    {FindingKind::kSelfDeadlock, "SelfDeadlock", "A thread waits for a lock that it holds."},
    {FindingKind::kOrderViolation, "OrderViolation", "Locks were taken against a declared order."},
    {FindingKind::kPotentialDeadlock, "PotentialDeadlock",
     "Locks are taken in orders that can deadlock, though this run did not."},
    {FindingKind::kNestedMonitor, "NestedMonitor",
     "A thread waits for a signal while it holds a lock that whoever signals needs."},
    {FindingKind::kLostWakeup, "LostWakeup",
     "A condition was signalled before anybody waited, and nobody is left to signal it."},
    {FindingKind::kSignalUnsafeLock, "SignalUnsafeLock",
     "A lock is taken in a signal handler and outside of it."},
    {FindingKind::kStall, "Stall", "A thread did not go on in the time that it should."},
    {FindingKind::kMisuse, "Misuse", "A lock was used against its rules."},
};

size_t RuleIndex(FindingKind kind) {
  for (size_t i = 0; i < std::size(kRules); ++i) {
    if (kRules[i].kind == kind) return i;
  }
  return 0;
}

// A path as an RFC 3986 reference: what is not unreserved, or a slash, becomes %XX.
std::string UriOf(const std::string& path) {
  std::string uri = !path.empty() && path[0] == '/' ? "file://" : "";
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                       absl::StrContains("-._~/+", absl::string_view(&c, 1));
    if (plain) {
      uri += c;
    } else {
      absl::StrAppendFormat(&uri, "%%%02X", byte);
    }
  }
  return uri;
}

class Writer {
 public:
  explicit Writer(const std::string& root) : root_(root) {}

  Json Result(const FindingGroup& group) {
    const Finding finding = PrintableCopy(*group.newest);
    const size_t rule = RuleIndex(finding.kind);
    Json result = {
        {"ruleId", KindName(finding.kind)}, {"ruleIndex", rule},
        {"level", LevelName(finding)},      {"message", {{"text", Message(finding)}}},
        {"occurrenceCount", group.times},
    };
    if (const StackFrame* frame = SourceFrame(finding); frame != nullptr) {
      result["locations"] = Json::array({Location(*frame, nullptr)});
    }
    Json related = Json::array(), stacks = Json::array();
    size_t threads = 0;
    for (const FindingThread& thread : finding.threads) {
      if (thread.role != FindingThread::Role::kInCycle || ++threads > kMostThreads) continue;
      const std::string name = Capitalized(NameOf(thread));
      const std::string wants = absl::StrCat(name, thread.waits ? " wants " : " is",
                                             thread.waits ? Wanted(finding, thread) : "", " here");
      Add(thread.stack, wants, &related, &stacks);
      for (const FindingHold& hold : thread.holds) {
        Add(hold.stack, absl::StrCat(name, " took ", Label(finding, hold.lock), " here"), &related,
            &stacks);
      }
    }
    for (size_t i = 0; i < related.size(); ++i) related[i]["id"] = i + 1;
    if (!related.empty()) result["relatedLocations"] = std::move(related);
    if (!stacks.empty()) result["stacks"] = std::move(stacks);
    if (!finding.fingerprint.empty()) {
      result["partialFingerprints"] = {{"lockwarden/v1", finding.fingerprint}};
    }
    result["properties"] = {{"confidence", ConfidenceName(finding.confidence)},
                            {"program", finding.program},
                            {"pid", finding.pid},
                            {"incident", finding.incident}};
    return result;
  }

  bool used_root() const { return used_root_; }

 private:
  static std::string Label(const Finding& finding, size_t lock) {
    return lock < finding.locks.size() ? finding.locks[lock].label : "a lock";
  }

  static std::string Wanted(const Finding& finding, const FindingThread& thread) {
    if (thread.waits_mode == "join") return "another thread to end";
    return Label(finding, thread.waits_for);
  }

  static std::string Message(const Finding& finding) {
    std::string text = finding.headline;
    for (const std::string& sentence : finding.story) absl::StrAppend(&text, "\n", sentence);
    for (const std::string& advice : finding.advice)
      absl::StrAppend(&text, "\nTo fix it: ", advice);
    return text.empty() ? KindName(finding.kind) : text;
  }

  Json Location(const StackFrame& frame, const std::string* message) {
    Json location = Json::object();
    if (!frame.file.empty()) {
      const std::string file = WithoutRoot(frame.file, root_);
      Json artifact = {{"uri", UriOf(file)}};
      if (!file.empty() && file[0] != '/') {
        artifact["uriBaseId"] = "SRCROOT";
        used_root_ = true;
      }
      Json place = {{"artifactLocation", std::move(artifact)}};
      if (frame.line > 0) place["region"] = {{"startLine", frame.line}};
      location["physicalLocation"] = std::move(place);
    }
    if (!frame.function.empty()) {
      location["logicalLocations"] =
          Json::array({{{"fullyQualifiedName", frame.function}, {"kind", "function"}}});
    }
    if (message != nullptr) location["message"] = {{"text", *message}};
    return location;
  }

  void Add(const StackTrace& stack, const std::string& message, Json* related, Json* stacks) {
    const StackTrace visible = VisibleFrames(stack);
    if (visible.empty()) return;
    if (const StackFrame* frame = SourceFrame(visible); frame != nullptr) {
      related->push_back(Location(*frame, &message));
    }
    Json frames = Json::array();
    for (size_t i = 0; i < visible.size() && i < kMostFrames; ++i) {
      Json frame = Json::object();
      frame["location"] = Location(visible[i], nullptr);
      if (!visible[i].module.empty()) frame["module"] = Basename(visible[i].module);
      frames.push_back(std::move(frame));
    }
    stacks->push_back({{"message", {{"text", message}}}, {"frames", std::move(frames)}});
  }

  const std::string& root_;
  bool used_root_ = false;
};

Json Rules() {
  Json rules = Json::array();
  for (const Rule& rule : kRules) {
    rules.push_back({{"id", KindName(rule.kind)},
                     {"name", rule.name},
                     {"shortDescription", {{"text", rule.text}}}});
  }
  return rules;
}

}  // namespace

std::string FormatSarif(absl::Span<const Finding> findings, const std::string& root) {
  Writer writer(root);
  Json results = Json::array();
  for (const FindingGroup& group : GroupFindings(findings)) results.push_back(writer.Result(group));
  Json run = {
      {"tool",
       {{"driver", {{"name", "Lockwarden"}, {"version", LOCKWARDEN_VERSION}, {"rules", Rules()}}}}},
      {"columnKind", "unicodeCodePoints"},
  };
  if (writer.used_root() && !root.empty() && root[0] == '/') {
    run["originalUriBaseIds"] = {{"SRCROOT", {{"uri", absl::StrCat(UriOf(root), "/")}}}};
  }
  run["results"] = std::move(results);
  const Json log = {{"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
                    {"version", "2.1.0"},
                    {"runs", Json::array({std::move(run)})}};
  return log.dump(/*indent=*/1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace) + "\n";
}

}  // namespace lockwarden
