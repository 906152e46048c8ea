// Which of a model's waits count as edges; see Flavor in wait_model.h.
#include "watchdog/wait_model.h"

namespace lockwarden {

std::vector<WaitNode> WaitModel::Graph(Flavor flavor) const {
  std::vector<WaitNode> graph(nodes.size());
  for (size_t i = 0; i < nodes.size(); ++i) {
    const ModelNode& node = nodes[i];
    graph[i].need = node.need;
    graph[i].on = node.on;
    if (flavor == Flavor::kOwners && (node.need == Need::kAnyone || node.optimistic)) {
      graph[i] = WaitNode();
    }
    const bool inferred = (flavor == Flavor::kLockLike && node.lock_like) ||
                          (flavor == Flavor::kInferred && !node.holders.empty());
    const bool infers = flavor == Flavor::kLockLike || flavor == Flavor::kInferred;
    if (infers && ByHelpers(node)) {
      graph[i] = {.need = node.every_helper ? Need::kAll : Need::kAny, .on = node.helpers};
    } else if (node.need == Need::kAnyone && inferred) {
      graph[i].need = flavor == Flavor::kLockLike ? Need::kAll : Need::kAny;
      for (const Holder& holder : node.holders) graph[i].on.push_back(holder.node);
    }
  }
  return graph;
}

}  // namespace lockwarden
