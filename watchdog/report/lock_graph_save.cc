// From the ledger's edges between locks to orders between classes.
#include "watchdog/report/lock_graph_save.h"

#include <sys/stat.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "watchdog/finding_parts.h"
#include "watchdog/frames.h"
#include "watchdog/printable.h"
#include "watchdog/report.h"
#include "watchdog/text_file.h"

namespace lockwarden {
namespace {

constexpr uint32_t kBatch = 4096;
constexpr uint32_t kMostEdges = 1u << 20;
constexpr uint32_t kMainSerial = 1;
constexpr size_t kFramesKept = 3;
constexpr size_t kMostName = 2000;  // bytes of a function's or a file's

const StackFrame* UserFrame(const StackTrace& visible) {
  const auto user = std::find_if(visible.begin(), visible.end(), IsUserFrame);
  if (visible.empty()) return nullptr;
  return user == visible.end() ? &visible.front() : &*user;
}

class Saver {
 public:
  explicit Saver(const JudgedProcess& process)
      : process_(process), reader_(*process.reader), parts_(*process.parts) {}

  LockGraph Save() {
    graph_.processes = 1;
    const ProcessIdentity& identity = reader_.identity();
    image_ = absl::StrFormat("%016x", identity.image_id[0]);
    utsname host{};
    uname(&host);
    run_ = graph_.Intern(absl::StrCat(FormatTime(identity.clock_realtime_ns), " ", image_, " ",
                                      process_.pid, " ",
                                      host.nodename[0] == '\0' ? "-" : host.nodename, " ",
                                      Printable(Basename(identity.program))));
    const auto total =
        static_cast<uint32_t>(std::min<uint64_t>(process_.snapshot->order_edges, kMostEdges));
    graph_.dropped += process_.snapshot->order_edges - total;
    for (uint32_t next = 0; next < total;) {
      const std::vector<EdgeInfo> edges = reader_.Edges(next, kBatch);
      for (const EdgeInfo& edge : edges) {
        next = edge.index + 1;
        Add(edge);
      }
      if (edges.empty()) {  // one whose writer died in the middle of it
        ++next;
        ++graph_.dropped;
      }
    }
    for (const auto& [id, locks] : instances_) {
      graph_.class_at(id).processes = 1;
      graph_.class_at(id).instances = locks.size();
    }
    return std::move(graph_);
  }

 private:
  // Neither is it a lock that threads could wait for each other by, nor one known apart from
  // others.
  static bool IsLeftOut(const LockInfo& info) {
    if ((info.flags & ledger::kFolded) != 0) return true;
    if (info.kind != ledger::LockKind::kSemaphore) return false;
    return (info.flags & ledger::kOneUnit) == 0 || info.own_releases == 0 ||
           info.foreign_releases != 0;
  }

  // The class of a lock; nullopt: it is left out.
  std::optional<uint32_t> ClassOf(LockKey key) {
    const auto [known, fresh] = classes_.try_emplace(key);
    if (!fresh) return known->second;
    const LockInfo info = reader_.Lock(key);
    if (IsLeftOut(info)) return std::nullopt;
    const std::optional<uint32_t> id = MakeClass(key, info);
    classes_[key] = id;
    return id;
  }

  std::optional<uint32_t> MakeClass(LockKey key, const LockInfo& info) {
    const FindingLock lock = parts_.Lock(key);
    const ClassInfo declared = reader_.Class(info.lock_class);
    const StackTrace created = VisibleFrames(
        parts_.Stack(info.init_stack != 0 ? info.init_stack : declared.stack, declared.site));
    const StackFrame* const site = UserFrame(created);
    // The variable that it lies in: looked up as if just behind a call.
    const StackTrace variable = parts_.Stack(0, info.address + 1);
    const bool is_static =
        !variable.empty() && !variable[0].module.empty() && !variable[0].function.empty();
    std::string identity, label = lock.lock_class, build;
    if (lock.class_declared) {
      identity = absl::StrCat("class ", lock.lock_class);
    } else if (is_static) {
      label = variable[0].function;
      identity = absl::StrCat("variable ", Basename(variable[0].module), ":", label);
      build = variable[0].build_id;
    } else if (site != nullptr && !site->function.empty()) {
      identity = absl::StrCat("site ", Basename(site->module), ":", lock.lock_class);
      build = site->build_id;
    } else if (site != nullptr && !site->module.empty()) {
      build = site->build_id;
      identity = absl::StrFormat("code %s+%#x", build.empty() ? Basename(site->module) : build,
                                 site->module_offset);
    } else {
      return std::nullopt;  // nothing that would know it again
    }
    const std::optional<uint32_t> id = graph_.ClassOf(Printable(identity));
    if (!id.has_value()) return id;
    GraphClass& entry = graph_.class_at(*id);
    entry.label = Printable(label.empty() ? identity : label);
    entry.kind = lock.kind;
    if (!build.empty()) entry.builds.Add(graph_.Intern(build));
    return id;
  }

  // The innermost frames of the program's own, a line each, its fields separated by tabs.
  GraphText SiteOf(uint32_t stack, uint64_t site) {
    const auto [known, fresh] = sites_.try_emplace({stack, site}, nullptr);
    if (!fresh) return known->second;
    std::string text;
    size_t frames = 0;
    for (const StackFrame& frame : VisibleFrames(parts_.Stack(stack, site))) {
      if (!IsUserFrame(frame) || ++frames > kFramesKept) continue;
      absl::StrAppendFormat(&text, "%s%s\t%s\t%d\t%s\t%#x", text.empty() ? "" : "\n",
                            Printable(frame.function.substr(0, kMostName)),
                            Printable(frame.file.substr(0, kMostName)), frame.line,
                            Printable(Basename(frame.module)), frame.module_offset);
    }
    return sites_[{stack, site}] = graph_.Intern(text);
  }

  void Add(const EdgeInfo& edge) {
    const std::optional<uint32_t> from = ClassOf(edge.from), to = ClassOf(edge.to);
    if (!from.has_value() || !to.has_value()) return;
    if (*from == *to) {
      ++graph_.same_class;
      return;
    }
    GraphEdge* const entry = graph_.EdgeOf(*from, *to);
    if (entry == nullptr) {
      ++graph_.dropped;
      return;
    }
    instances_[*from].insert(edge.from);
    instances_[*to].insert(edge.to);
    entry->processes = 1;
    entry->runs.Add(run_);
    entry->more_witnesses |= edge.witnesses_dropped;
    for (const ledger::OrderWitness& witness : edge.witnesses) AddWitness(witness, entry);
  }

  void AddWitness(const ledger::OrderWitness& seen, GraphEdge* edge) {
    GraphWitnessKey key;
    key.bounded = (seen.to_mode & (ledger::kTry | ledger::kTimed)) != 0;
    key.gates_dropped = seen.gates_dropped != 0;
    key.from_mode = AsLock(seen.from_mode);
    key.to_mode = AsLock(seen.to_mode);
    for (uint32_t i = 0; i < seen.gate_count && i < ledger::kGatesPerWitness; ++i) {
      const ledger::PackedRef gate = seen.gates[i];
      const auto id = ClassOf({ledger::IndexOf(gate), ledger::GenerationOf(gate)});
      if (!id.has_value()) continue;
      key.gates.emplace_back(graph_.classes()[*id].key,
                             AsLock(static_cast<uint8_t>(ledger::ModeOf(gate))));
      instances_[*id].insert({ledger::IndexOf(gate), ledger::GenerationOf(gate)});
    }
    std::sort(key.gates.begin(), key.gates.end(), [](const auto& a, const auto& b) {
      return *a.first != *b.first ? *a.first < *b.first : a.second < b.second;
    });
    key.from_site = SiteOf(seen.from_stack, seen.from_site);
    key.to_site = SiteOf(seen.to_stack, seen.to_site);
    GraphWitness witness;
    witness.count = 1;
    witness.threads.Add(graph_.Intern(seen.thread_serial == kMainSerial
                                          ? std::string("main")
                                          : absl::StrCat(image_, ":", seen.thread_serial)));
    LockGraph::AddWitness(edge, key, witness);
  }

  // Without bits; the unit of a semaphore that is used as a lock is taken for the lock.
  static uint8_t AsLock(uint8_t mode) {
    const auto plain = static_cast<ledger::Mode>(mode & ledger::kModeMask);
    return static_cast<uint8_t>(plain == ledger::Mode::kUnit ? ledger::Mode::kExclusive : plain);
  }

  const JudgedProcess& process_;
  const LedgerReader& reader_;
  const FindingParts& parts_;
  LockGraph graph_;
  std::string image_;
  GraphText run_ = nullptr;
  absl::flat_hash_map<LockKey, std::optional<uint32_t>> classes_;
  absl::flat_hash_map<uint32_t, absl::flat_hash_set<LockKey>> instances_;  // by class
  absl::flat_hash_map<std::pair<uint32_t, uint64_t>, GraphText> sites_;
};

}  // namespace

LockGraph LockGraphOf(const JudgedProcess& process) { return Saver(process).Save(); }

absl::Status SaveLockGraph(const JudgedProcess& process, const std::string& directory) {
  const LockGraph graph = LockGraphOf(process);
  if (graph.edges().empty()) return absl::OkStatus();
  const std::string name =
      absl::StrFormat("%s/%d-%016x%s", directory, process.pid,
                      process.reader->identity().image_id[0], kLockGraphSuffix);
  return ReplaceTextFile(name, LockGraphText(graph));
}

absl::Status CheckLockGraphDirectory(const std::string& directory) {
  if (mkdir(directory.c_str(), 0777) != 0 && errno != EEXIST) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot make ", directory, ": ", std::strerror(errno)));
  }
  return CheckReplaceable(directory + "/check");
}

}  // namespace lockwarden
