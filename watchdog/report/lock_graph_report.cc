// See lock_graph_report.h.
#include "watchdog/report/lock_graph_report.h"

#include <map>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "watchdog/finding_parts.h"
#include "watchdog/printable.h"
#include "watchdog/report/dot.h"

namespace lockwarden {
namespace {

constexpr size_t kMostLines = 1000;

// "site bank:transfer bank.cc:31" -> "site bank:transfer bank.cc".
std::string WithoutLine(const std::string& key) {
  size_t end = key.size();
  while (end > 0 && absl::ascii_isdigit(static_cast<unsigned char>(key[end - 1]))) --end;
  const bool line = end > 0 && end < key.size() && key[end - 1] == ':';
  return line ? key.substr(0, end - 1) : key;
}

// What one order is called in a list, and how it is known again in another build.
std::map<std::pair<std::string, std::string>, std::string> Orders(const LockGraph& graph) {
  std::map<std::pair<std::string, std::string>, std::string> orders;
  for (const auto& ends : graph.SortedEdges()) {
    const GraphClass& from = graph.classes()[ends.first];
    const GraphClass& to = graph.classes()[ends.second];
    const GraphEdge& edge = graph.edges().at(ends);
    std::string line = absl::StrCat(from.label, " before ", to.label);
    if (!edge.witnesses.empty()) {
      const GraphWitnessKey& witness = edge.witnesses.begin()->first;
      const std::string place = SitePlace(*witness.to_site);
      if (!place.empty()) absl::StrAppend(&line, " (taken at ", place, ")");
    }
    orders.try_emplace({WithoutLine(*from.key), WithoutLine(*to.key)}, Printable(line));
  }
  return orders;
}

}  // namespace

std::string SummarizeLockGraph(const LockGraph& graph, const ClassCycles& cycles) {
  std::string text = absl::StrCat(
      "lock graph: ", graph.processes, graph.processes == 1 ? " process, " : " processes, ",
      graph.classes().size(), graph.classes().size() == 1 ? " lock class, " : " lock classes, ",
      Counted(graph.edges().size(), "order"), ", ", Counted(cycles.findings.size(), "cycle"),
      " that could close\n");
  for (const auto& [verdict, count] : cycles.turned_down) {
    absl::StrAppend(&text, "  not told, ", OrderVerdictName(verdict), ": ", Counted(count, "cycle"),
                    "\n");
  }
  if (graph.same_class != 0) {
    absl::StrAppend(&text, "  ", Counted(graph.same_class, "order"),
                    " of two locks of one class: a graph of classes cannot judge these\n");
  }
  if (graph.dropped != 0) {
    absl::StrAppend(&text, "  ", Counted(graph.dropped, "order"), " not kept\n");
  }
  if (cycles.cut != 0) {
    absl::StrAppend(&text, "  ", cycles.cut, cycles.cut == 1 ? " search" : " searches",
                    " gave up on further cycles\n");
  }
  return text;
}

std::string LockGraphDot(const LockGraph& graph, const ClassCycles& cycles) {
  std::set<std::pair<uint32_t, uint32_t>> red;  // ids, which are one less than in the findings
  for (const Finding& finding : cycles.findings) {
    for (const FindingThread& thread : finding.threads) {
      const uint64_t from = finding.locks[thread.holds[0].lock].id;
      const uint64_t to = finding.locks[thread.waits_for].id;
      red.insert({static_cast<uint32_t>(from - 1), static_cast<uint32_t>(to - 1)});
    }
  }
  std::string dot =
      "digraph lock_order {\n"
      "  node [shape=box, fontname=\"sans-serif\", fontsize=11];\n"
      "  edge [fontname=\"sans-serif\", fontsize=9];\n";
  for (uint32_t id = 0; id < graph.classes().size(); ++id) {
    const GraphClass& entry = graph.classes()[id];
    absl::StrAppend(&dot, "  c", id, " [label=",
                    DotQuoted(Printable(absl::StrCat(entry.label, " (", entry.kind, ")"))), "];\n");
  }
  for (const auto& ends : graph.SortedEdges()) {
    absl::StrAppend(&dot, "  c", ends.first, " -> c", ends.second, " [label=\"",
                    graph.edges().at(ends).processes, "\"",
                    red.contains(ends) ? ", color=red, penwidth=2" : "", "];\n");
  }
  return dot + "}\n";
}

std::string DiffLockGraphs(const LockGraph& before, const LockGraph& after) {
  const auto old_orders = Orders(before), new_orders = Orders(after);
  std::string text;
  size_t lines = 0, left_out = 0;
  const auto list = [&](const auto& orders, const auto& others, const char* sign) {
    for (const auto& [key, line] : orders) {
      if (others.contains(key)) continue;
      if (lines++ < kMostLines) {
        absl::StrAppend(&text, sign, line, "\n");
      } else {
        ++left_out;
      }
    }
  };
  list(new_orders, old_orders, "+ ");
  list(old_orders, new_orders, "- ");
  if (left_out != 0) absl::StrAppend(&text, "and ", left_out, " more\n");
  return text;
}

}  // namespace lockwarden
