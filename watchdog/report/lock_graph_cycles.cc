// See lock_graph_cycles.h.
#include "watchdog/report/lock_graph_cycles.h"

#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "watchdog/finding_parts.h"
#include "watchdog/lock_order_graph.h"
#include "watchdog/report.h"

namespace lockwarden {
namespace {

constexpr uint64_t kSteps = 500'000'000;
constexpr size_t kMostFindings = 10'000;

// "TIME IMAGE PID HOST PROGRAM", the last with blanks of its own.
struct Run {
  std::string time, image, pid, host, program;
};
Run ParseRun(const std::string& text) {
  const std::vector<std::string> words = absl::StrSplit(text, absl::MaxSplits(' ', 4));
  if (words.size() != 5) return {"", "", "", "", text};
  return {words[0], words[1], words[2], words[3], words[4]};
}

// "bank (pid 12 on build-7, 2026-11-21T09:30:00.123Z)".
std::string RunText(const std::string& text) {
  const Run run = ParseRun(text);
  if (run.pid.empty()) return run.program.empty() ? "an unknown process" : run.program;
  return absl::StrCat(run.program, " (pid ", run.pid, " on ", run.host, ", ", run.time, ")");
}

// "1 more process", "3 processes".
std::string Processes(uint64_t count, const char* more) {
  return absl::StrCat(count, more, count == 1 ? " process" : " processes");
}

StackTrace SiteStack(const std::string& site) {
  StackTrace stack;
  for (absl::string_view line : absl::StrSplit(site, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> parts = absl::StrSplit(line, '\t');
    if (parts.size() != 5) continue;
    StackFrame frame;
    frame.function = parts[0];
    frame.file = parts[1];
    if (!absl::SimpleAtoi(parts[2], &frame.line)) frame.line = 0;
    frame.module = parts[3];
    if (!absl::SimpleHexAtoi(parts[4], &frame.module_offset)) frame.module_offset = 0;
    stack.push_back(std::move(frame));
  }
  return stack;
}

class Judge {
 public:
  explicit Judge(const LockGraph& graph) : graph_(graph), ends_(graph.SortedEdges()) {
    for (uint32_t id = 0; id < graph.classes().size(); ++id) ids_[graph.classes()[id].key] = id;
  }

  ClassCycles FindAll() {
    LockOrderGraph search;
    for (uint32_t i = 0; i < ends_.size(); ++i) {
      search.Add({ends_[i].first, 0}, {ends_[i].second, 0}, i);
    }
    search.Search(kSteps, [&](const std::vector<uint32_t>& ids) { Look(ids); });
    cycles_.cut += search.cut() + (search.idle() ? 0 : 1);
    std::sort(cycles_.findings.begin(), cycles_.findings.end(),
              [](const Finding& a, const Finding& b) { return a.fingerprint < b.fingerprint; });
    return std::move(cycles_);
  }

 private:
  // One number a thread; main is the same one everywhere.
  uint32_t SerialOf(const std::string& thread) {
    return threads_.try_emplace(thread, static_cast<uint32_t>(threads_.size()) + 1).first->second;
  }

  // A class of which a process had several locks keeps nobody apart: each may hold another one.
  std::vector<ledger::PackedRef> GatesOf(const GraphWitnessKey& key) {
    std::vector<ledger::PackedRef> gates;
    for (const auto& [gate, mode] : key.gates) {
      const auto id = ids_.find(gate);
      if (id == ids_.end() || graph_.classes()[id->second].instances > 1) continue;
      gates.push_back(ledger::Pack(id->second, 0, mode));
    }
    return gates;
  }

  const EdgeInfo& Edge(uint32_t index) {
    const auto [known, fresh] = edges_.try_emplace(index);
    EdgeInfo& edge = known->second;
    if (!fresh) return edge;
    edge.index = index;
    edge.from = {ends_[index].first, 0};
    edge.to = {ends_[index].second, 0};
    const GraphEdge& seen = graph_.edges().at(ends_[index]);
    edge.witnesses_dropped = seen.more_witnesses;
    for (const auto& [key, value] : seen.witnesses) {
      const std::vector<ledger::PackedRef> gates = GatesOf(key);
      for (const GraphText thread : value.threads.texts) {
        ledger::OrderWitness witness;
        witness.thread_serial = SerialOf(*thread);
        witness.from_mode = key.from_mode;
        witness.to_mode = static_cast<uint8_t>(key.to_mode | (key.bounded ? ledger::kTry : 0));
        witness.gates_dropped = key.gates_dropped || gates.size() > ledger::kGatesPerWitness;
        for (const ledger::PackedRef gate : gates) {
          if (witness.gate_count == ledger::kGatesPerWitness) break;
          witness.gates[witness.gate_count++] = gate;
        }
        // So that the chosen one leads back to its sites.
        sites_.push_back(&key);
        witness.from_site = sites_.size();
        edge.witnesses.push_back(witness);
      }
    }
    return edge;
  }

  void Look(const std::vector<uint32_t>& ids) {
    std::vector<EdgeInfo> cycle;
    for (const uint32_t id : ids) cycle.push_back(Edge(id));
    const CycleVerdict verdict = JudgeCycle(cycle);
    if (verdict.verdict != OrderVerdict::kPotential) {
      ++cycles_.turned_down[verdict.verdict];
      return;
    }
    Finding finding = Tell(ids, verdict);
    if (!told_.insert(finding.fingerprint).second) return;
    if (cycles_.findings.size() >= kMostFindings) {
      ++cycles_.cut;
      return;
    }
    cycles_.findings.push_back(std::move(finding));
  }

  size_t AddLock(uint32_t id, Finding* finding) const {
    for (size_t i = 0; i < finding->locks.size(); ++i) {
      if (finding->locks[i].id == id + 1) return i;
    }
    const GraphClass& entry = graph_.classes()[id];
    FindingLock lock;
    lock.id = id + 1;
    lock.kind = entry.kind;
    lock.label = absl::StrCat("a ", entry.kind, " of ", entry.label);
    lock.lock_class = entry.label;
    // Else its label ends in a line, which is no part of what a fingerprint is made of.
    lock.class_declared = !absl::StartsWith(*entry.key, "site ");
    finding->locks.push_back(std::move(lock));
    return finding->locks.size() - 1;
  }

  static std::string Seen(const GraphEdge& edge) {
    std::string seen =
        "seen in " + RunText(edge.runs.texts.empty() ? "" : **edge.runs.texts.begin());
    if (edge.processes > 1) absl::StrAppend(&seen, " and ", Processes(edge.processes - 1, " more"));
    return seen;
  }

  Finding Tell(const std::vector<uint32_t>& ids, const CycleVerdict& verdict) {
    Finding finding;
    finding.kind = FindingKind::kPotentialDeadlock;
    finding.confidence = Confidence::kPossible;
    std::set<std::string> common;  // runs that saw every order, of those that are known
    bool first = true, more_runs = false;
    for (size_t i = 0; i < ids.size(); ++i) {
      const auto& ends = ends_[ids[i]];
      const GraphEdge& edge = graph_.edges().at(ends);
      const GraphWitnessKey& key = *sites_[verdict.chosen[i].from_site - 1];
      const size_t from = AddLock(ends.first, &finding), to = AddLock(ends.second, &finding);
      std::set<std::string> runs;
      for (const GraphText text : edge.runs.texts) runs.insert(*text);
      more_runs |= edge.runs.more;
      if (!first) {
        std::erase_if(common, [&](const std::string& run) { return !runs.contains(run); });
      } else {
        common = runs;
        first = false;
      }
      const Run run = ParseRun(runs.empty() ? "" : *runs.rbegin());
      if (finding.program.empty()) finding.program = run.program;
      FindingThread thread;
      thread.serial = static_cast<uint32_t>(i) + 1;
      thread.name = run.program;
      thread.waits = true;
      thread.waits_for = to;
      thread.waits_mode = ModeName(static_cast<ledger::Mode>(key.to_mode));
      thread.stack = SiteStack(*key.to_site);
      thread.holds.push_back({from, ModeName(static_cast<ledger::Mode>(key.from_mode)), false,
                              SiteStack(*key.from_site)});
      finding.story.push_back(absl::StrCat(
          "A thread takes ", finding.locks[to].label, PlaceInBrackets("taken", thread.stack),
          " while it holds ", finding.locks[from].label,
          PlaceInBrackets("taken", thread.holds[0].stack), ": ", Seen(edge), "."));
      finding.cycle.push_back(i);
      finding.threads.push_back(std::move(thread));
    }
    finding.headline = absl::StrCat("POTENTIAL DEADLOCK: order cycle of ", finding.locks.size(),
                                    " lock classes, merged from ", Processes(graph_.processes, ""));
    finding.evidence.push_back(
        "this is about classes of locks: that threads can meet at the same locks of these classes "
        "is not shown");
    if (!common.empty()) {
      finding.evidence.push_back(
          absl::StrCat("one process saw all of it: ", RunText(*common.begin())));
    } else {
      finding.evidence.push_back(more_runs
                                     ? "no process is known that saw all of it; of some orders "
                                       "only the first few processes are kept"
                                     : "no single process saw all of it");
    }
    if (verdict.uncertain) {
      finding.evidence.push_back(
          "more locks were held than were noted: one of those may keep them "
          "apart");
    }
    finding.advice.push_back("Take locks of these classes in the same order everywhere.");
    finding.fingerprint = Fingerprint(finding);
    return finding;
  }

  const LockGraph& graph_;
  const std::vector<std::pair<uint32_t, uint32_t>> ends_;
  ClassCycles cycles_;
  std::map<GraphText, uint32_t, TextLess> ids_;  // of classes, by key
  std::map<uint32_t, EdgeInfo> edges_;           // by place in ends_
  std::vector<const GraphWitnessKey*> sites_;
  std::map<std::string, uint32_t> threads_;
  std::set<std::string> told_;
};

}  // namespace

std::string SitePlace(const std::string& site) { return Place(SiteStack(site)); }

ClassCycles FindClassCycles(const LockGraph& graph) { return Judge(graph).FindAll(); }

}  // namespace lockwarden
