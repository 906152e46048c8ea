// The graph; what is told of it is in stuck_finding.cc.
#include "watchdog/inspect/stuck_threads.h"

#include <algorithm>
#include <set>

#include "watchdog/wait_for_graph.h"

namespace lockwarden {
namespace {

class Graph {
 public:
  Graph(Pictures pictures, const std::vector<PictureRef>& moved, bool despite_handlers)
      : pictures_(pictures), despite_handlers_(despite_handlers) {
    for (size_t p = 0; p < pictures.size(); ++p) {
      first_.push_back(refs_.size());
      for (size_t t = 0; t < pictures[p]->threads.size(); ++t) refs_.push_back({p, t});
    }
    nodes_.resize(refs_.size());
    for (uint32_t i = 0; i < refs_.size(); ++i) {
      const bool runs = std::find(moved.begin(), moved.end(), refs_[i]) != moved.end();
      if (!runs) nodes_[i] = Resolve(i);
    }
  }

  StuckThreads Solve() const {
    const std::vector<bool> stuck = FindStuck(nodes_);
    StuckThreads result;
    for (const std::vector<uint32_t>& cycle : FindCycles(nodes_, stuck)) {
      // Whoever waits for anybody is told as such.
      const bool owners = std::all_of(cycle.begin(), cycle.end(),
                                      [&](uint32_t i) { return nodes_[i].need == Need::kAll; });
      if (!owners && !CrossesProcesses(cycle)) continue;
      result.cycles.push_back(Refs(cycle));
      result.behind.push_back(Refs(FindBehind(nodes_, stuck, cycle)));
    }
    for (uint32_t i = 0; i < refs_.size(); ++i) {
      if (!stuck[i]) continue;
      if (IsGone(i)) continue;
      result.all.push_back(refs_[i]);
      if (owner_gone_.contains(i)) result.owner_gone.push_back(refs_[i]);
      if (anybody_.contains(i)) result.no_waker.push_back(refs_[i]);
    }
    return result;
  }

 private:
  const PictureThread& At(uint32_t i) const {
    return pictures_[refs_[i].process]->threads[refs_[i].thread];
  }
  bool IsGone(uint32_t i) const {
    const char state = At(i).stack.kernel.state;
    return state == 'Z' || state == 'X';
  }
  bool CrossesProcesses(const std::vector<uint32_t>& cycle) const {
    return std::any_of(cycle.begin(), cycle.end(),
                       [&](uint32_t i) { return refs_[i].process != refs_[cycle[0]].process; });
  }
  std::vector<PictureRef> Refs(const std::vector<uint32_t>& indexes) const {
    std::vector<PictureRef> refs;
    for (uint32_t i : indexes) refs.push_back(refs_[i]);
    return refs;
  }

  // Index of a thread by its tid, as its process sees it; nodes_.size(): none.
  uint32_t Find(size_t process, uint32_t inside) const {
    const auto& threads = pictures_[process]->threads;
    for (size_t t = 0; t < threads.size(); ++t) {
      if (threads[t].stack.inside == inside && threads[t].stack.kernel.state != 'Z') {
        return static_cast<uint32_t>(first_[process] + t);
      }
    }
    return static_cast<uint32_t>(refs_.size());
  }

  WaitNode Resolve(uint32_t i) {
    const size_t process = refs_[i].process;
    const PictureThread& thread = At(i);
    const DecodedWait& wait = thread.wait;
    if (IsGone(i)) return {.need = Need::kNever, .on = {}};
    if (wait.timed) return {};
    if (wait.awaited == Awaited::kFileLock) return AnyOf(thread.outside);
    if (thread.outside_owner != 0) return OutsideOwner(process, thread.outside_owner);
    if (!wait.owners.empty()) return Owners(i, process, wait);
    if (!OnlyOwnThreadsCanEnd(wait) || wait.awaited == Awaited::kJoin) return {};
    return Anybody(i, process);
  }

  WaitNode Owners(uint32_t i, size_t process, const DecodedWait& wait) {
    WaitNode node{.need = Need::kAll, .on = {}};
    for (uint32_t owner : wait.owners) {
      const uint32_t found = Find(process, owner);
      if (found < refs_.size()) {
        node.on.push_back(found);
        continue;
      }
      // A joiner of a thread that has ended is about to wake; so is a robust mutex's waiter.
      const bool left_behind = wait.awaited == Awaited::kMutex && !wait.shared &&
                               wait.attributes.find("robust") == std::string::npos &&
                               pictures_[process]->left_out == 0;
      if (!left_behind) return {};
      owner_gone_.insert(i);
      return {.need = Need::kNever, .on = {}};
    }
    return node;
  }

  // The owner may be in any of the processes that are looked at, as long as tids mean the same.
  WaitNode OutsideOwner(size_t process, uint32_t tid) const {
    for (size_t p = 0; p < pictures_.size(); ++p) {
      if (p == process) continue;
      const uint32_t found = Find(p, tid);
      if (found < refs_.size() && At(found).stack.tid == tid) {
        return {.need = Need::kAll, .on = {found}};
      }
    }
    return {};
  }

  WaitNode AnyOf(const std::vector<int>& pids) const {
    WaitNode node{.need = Need::kAny, .on = {}};
    for (int pid : pids) {
      const auto picture = std::find_if(pictures_.begin(), pictures_.end(),
                                        [pid](const auto* p) { return p->pid == pid; });
      if (picture == pictures_.end() || (*picture)->left_out != 0) return {};
      const size_t process = static_cast<size_t>(picture - pictures_.begin());
      for (size_t t = 0; t < (*picture)->threads.size(); ++t) {
        node.on.push_back(static_cast<uint32_t>(first_[process] + t));
      }
    }
    return node.on.empty() ? WaitNode() : node;
  }

  WaitNode Anybody(uint32_t i, size_t process) {
    const ProcessPicture& picture = *pictures_[process];
    if ((!picture.wakes_anybody.empty() && !despite_handlers_) || picture.left_out != 0) return {};
    anybody_.insert(i);
    if (pictures_.size() == 1) return {.need = Need::kAnyone, .on = {}};
    WaitNode node{.need = Need::kAny, .on = {}};
    for (size_t t = 0; t < picture.threads.size(); ++t) {
      const uint32_t other = static_cast<uint32_t>(first_[process] + t);
      if (other != i) node.on.push_back(other);
    }
    return node;
  }

  const Pictures pictures_;
  const bool despite_handlers_;
  std::vector<PictureRef> refs_;
  std::vector<size_t> first_;  // of each process
  std::vector<WaitNode> nodes_;
  std::set<uint32_t> owner_gone_, anybody_;
};

}  // namespace

StuckThreads FindStuckThreads(Pictures pictures, const std::vector<PictureRef>& moved,
                              bool despite_handlers) {
  return Graph(pictures, moved, despite_handlers).Solve();
}

}  // namespace lockwarden
