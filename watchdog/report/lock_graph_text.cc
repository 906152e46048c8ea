// The file form of a lock graph, both ways: a head, a line a class, a line an order. Whoever wrote
// the file is not trusted.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "watchdog/report/lock_graph.h"

namespace lockwarden {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMostLine = 1u << 20;

std::string Line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

template <size_t kMost>
Json TextsJson(const SmallestTexts<kMost>& texts) {
  Json list = Json::array();
  for (const GraphText text : texts.texts) list.push_back(*text);
  return list;
}

Json WitnessJson(const GraphWitnessKey& key, const GraphWitness& witness) {
  Json gates = Json::array();
  for (const auto& [gate, mode] : key.gates) gates.push_back(Json::array({*gate, mode}));
  return {{"from_mode", key.from_mode},
          {"to_mode", key.to_mode},
          {"bounded", key.bounded},
          {"gates", std::move(gates)},
          {"gates_dropped", key.gates_dropped},
          {"from", *key.from_site},
          {"to", *key.to_site},
          {"count", witness.count},
          {"threads", TextsJson(witness.threads)},
          {"more_threads", witness.threads.more}};
}

class Reader {
 public:
  absl::StatusOr<LockGraph> Read(const std::function<bool(std::string*)>& next_line) {
    std::string line;
    while (next_line(&line)) {
      ++number_;
      if (line.empty()) continue;
      if (line.size() > kMostLine) return Bad("longer than a megabyte");
      const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
      if (!json.is_object()) return Bad("no JSON object");
      const bool good = !head_seen_              ? TakeHead(json)
                        : json.contains("class") ? TakeClass(json)
                                                 : TakeEdge(json);
      if (!good) return Bad(why_);
    }
    if (!head_seen_) return absl::InvalidArgumentError("empty");
    if (graph_.classes().size() != classes_ || graph_.edges().size() != edges_) {
      return absl::InvalidArgumentError("cut short: there are fewer lines than its first one says");
    }
    return std::move(graph_);
  }

 private:
  absl::Status Bad(absl::string_view why) const {
    return absl::InvalidArgumentError(absl::StrCat("line ", number_, ": ", why));
  }
  bool Fail(const char* why) {
    why_ = why;
    return false;
  }

  uint64_t Number(const Json& json, const char* key) const {
    const auto found = json.find(key);
    return found != json.end() && found->is_number_unsigned() ? found->get<uint64_t>() : 0;
  }
  static bool Flag(const Json& json, const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_boolean() && found->get<bool>();
  }
  static std::string Text(const Json& json, const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_string() ? found->get<std::string>() : "";
  }
  template <size_t kMost>
  void Take(const Json& json, const char* key, const char* more, SmallestTexts<kMost>* out) {
    out->more = Flag(json, more);
    const auto found = json.find(key);
    if (found == json.end() || !found->is_array()) return;
    for (const Json& text : *found) {
      if (text.is_string()) out->Add(graph_.Intern(text.get<std::string>()));
    }
  }

  bool TakeHead(const Json& json) {
    if (Number(json, "lockwarden_lock_graph") != kLockGraphVersion) {
      return Fail("no lock graph of version 1, which is what this command reads");
    }
    head_seen_ = true;
    graph_.processes = Number(json, "processes");
    graph_.same_class = Number(json, "same_class");
    graph_.dropped = Number(json, "dropped");
    classes_ = Number(json, "classes");
    edges_ = Number(json, "orders");
    return true;
  }

  bool TakeClass(const Json& json) {
    if (Number(json, "class") != graph_.classes().size()) return Fail("classes are not in order");
    const std::string key = Text(json, "key");
    const std::optional<uint32_t> id = graph_.ClassOf(key);
    if (!id.has_value()) return Fail("too many classes");
    if (*id != Number(json, "class")) return Fail("a class that was there before");
    GraphClass& entry = graph_.class_at(*id);
    entry.label = Text(json, "label");
    entry.kind = Text(json, "kind");
    entry.processes = Number(json, "processes");
    entry.instances = Number(json, "instances");
    Take(json, "builds", "more_builds", &entry.builds);
    return true;
  }

  bool TakeWitness(const Json& json, GraphEdge* edge) {
    GraphWitnessKey key;
    key.from_mode = static_cast<uint8_t>(Number(json, "from_mode") & ledger::kModeMask);
    key.to_mode = static_cast<uint8_t>(Number(json, "to_mode") & ledger::kModeMask);
    key.bounded = Flag(json, "bounded");
    key.gates_dropped = Flag(json, "gates_dropped");
    key.from_site = graph_.Intern(Text(json, "from"));
    key.to_site = graph_.Intern(Text(json, "to"));
    if (const auto gates = json.find("gates"); gates != json.end() && gates->is_array()) {
      if (gates->size() > 64) return Fail("too many gates");
      for (const Json& gate : *gates) {
        if (!gate.is_array() || gate.size() != 2 || !gate[0].is_string() ||
            !gate[1].is_number_unsigned()) {
          return Fail("a gate that is none");
        }
        key.gates.emplace_back(graph_.Intern(gate[0].get<std::string>()),
                               static_cast<uint8_t>(gate[1].get<uint64_t>() & ledger::kModeMask));
      }
    }
    GraphWitness witness;
    witness.count = Number(json, "count");
    Take(json, "threads", "more_threads", &witness.threads);
    LockGraph::AddWitness(edge, key, witness);
    return true;
  }

  bool TakeEdge(const Json& json) {
    const auto ends = json.find("order");
    if (ends == json.end() || !ends->is_array() || ends->size() != 2 ||
        !(*ends)[0].is_number_unsigned() || !(*ends)[1].is_number_unsigned()) {
      return Fail("neither a class nor an order");
    }
    const uint64_t from = (*ends)[0].get<uint64_t>(), to = (*ends)[1].get<uint64_t>();
    const size_t known = graph_.classes().size();
    if (from >= known || to >= known || from == to) return Fail("an order of no two classes");
    GraphEdge* const edge = graph_.EdgeOf(static_cast<uint32_t>(from), static_cast<uint32_t>(to));
    if (edge == nullptr) return Fail("too many orders");
    if (edge->processes != 0) return Fail("an order that was there before");
    edge->processes = std::max<uint64_t>(1, Number(json, "processes"));
    Take(json, "runs", "more_runs", &edge->runs);
    edge->more_witnesses = Flag(json, "more_witnesses");
    const auto witnesses = json.find("witnesses");
    if (witnesses == json.end() || !witnesses->is_array())
      return Fail("an order without witnesses");
    for (const Json& witness : *witnesses) {
      if (!witness.is_object() || !TakeWitness(witness, edge))
        return Fail("a witness that is none");
    }
    return true;
  }

  LockGraph graph_;
  bool head_seen_ = false;
  uint64_t classes_ = 0, edges_ = 0, number_ = 0;
  const char* why_ = "";
};

}  // namespace

std::string LockGraphText(const LockGraph& graph) {
  // Classes by key: their numbers in the file say nothing about who came first.
  std::vector<uint32_t> by_key(graph.classes().size());
  std::iota(by_key.begin(), by_key.end(), 0);
  std::sort(by_key.begin(), by_key.end(), [&](uint32_t a, uint32_t b) {
    return *graph.classes()[a].key < *graph.classes()[b].key;
  });
  std::vector<uint32_t> number(by_key.size());
  for (uint32_t i = 0; i < by_key.size(); ++i) number[by_key[i]] = i;
  std::string text = Line({{"lockwarden_lock_graph", kLockGraphVersion},
                           {"processes", graph.processes},
                           {"classes", graph.classes().size()},
                           {"orders", graph.edges().size()},
                           {"same_class", graph.same_class},
                           {"dropped", graph.dropped}});
  for (const uint32_t id : by_key) {
    const GraphClass& entry = graph.classes()[id];
    text += Line({{"class", number[id]},
                  {"key", *entry.key},
                  {"label", entry.label},
                  {"kind", entry.kind},
                  {"processes", entry.processes},
                  {"instances", entry.instances},
                  {"builds", TextsJson(entry.builds)},
                  {"more_builds", entry.builds.more}});
  }
  for (const auto& ends : graph.SortedEdges()) {
    const GraphEdge& edge = graph.edges().at(ends);
    Json witnesses = Json::array();
    for (const auto& [key, witness] : edge.witnesses) {
      witnesses.push_back(WitnessJson(key, witness));
    }
    text += Line({{"order", Json::array({number[ends.first], number[ends.second]})},
                  {"processes", edge.processes},
                  {"runs", TextsJson(edge.runs)},
                  {"more_runs", edge.runs.more},
                  {"witnesses", std::move(witnesses)},
                  {"more_witnesses", edge.more_witnesses}});
  }
  return text;
}

bool IsLockGraph(absl::string_view first_line) {
  return absl::StrContains(first_line.substr(0, 200), "\"lockwarden_lock_graph\"");
}

absl::StatusOr<LockGraph> ParseLockGraph(const std::function<bool(std::string*)>& next_line) {
  return Reader().Read(next_line);
}

}  // namespace lockwarden
