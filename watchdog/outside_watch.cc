// See outside_watch.h.
#include "watchdog/outside_watch.h"

#include <algorithm>
#include <fstream>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "watchdog/deadlock_detector.h"
#include "watchdog/finding_parts.h"

namespace lockwarden {
namespace {

constexpr uint64_t kLongNs = 1'000'000'000;

std::optional<int> ProcessOfThread(uint32_t tid) {
  std::ifstream status(absl::StrCat("/proc/", tid, "/status"));
  for (std::string line; std::getline(status, line);) {
    absl::string_view rest = line;
    int pid = 0;
    if (absl::ConsumePrefix(&rest, "Tgid:") && absl::SimpleAtoi(rest, &pid)) return pid;
  }
  return std::nullopt;
}

bool Maps(int pid, const SharedId& lock) {
  const std::vector<SharedMapping> mappings = ReadSharedMappings(pid);
  return std::any_of(mappings.begin(), mappings.end(), [&](const SharedMapping& mapping) {
    return mapping.Contains(lock);
  });
}

std::string HeldBy(const OutsideHolder& holder) {
  if (holder.pids.empty()) return absl::StrCat("held by tid ", holder.owner_tid, " (unknown)");
  return absl::StrCat("held by pid ", absl::StrJoin(holder.pids, " or "), " (not supervised)");
}

}  // namespace

void OutsideWatch::NoteOwners(const std::vector<JudgedProcess>& processes,
                              const JointModel& joint, uint64_t now_ns) {
  Replace(/*files=*/false, processes, joint, now_ns);
}

void OutsideWatch::NoteFiles(const std::vector<JudgedProcess>& processes, const JointModel& joint,
                             uint64_t now_ns) {
  Replace(/*files=*/true, processes, joint, now_ns);
}

void OutsideWatch::Replace(bool files, const std::vector<JudgedProcess>& processes,
                           const JointModel& joint, uint64_t now_ns) {
  const auto is_file = [](const OutsideHolder& holder) { return holder.owner_tid == 0; };
  std::map<Where, Waiting> now;
  for (auto& [where, waiting] : waits_) {
    if (is_file(waiting.holder) != files) now[where] = waiting;
  }
  for (const auto& [i, holder] : joint.outside) {
    const ModelNode& node = joint.model.nodes[i];
    if (is_file(holder) != files || node.thread == nullptr) continue;
    const uint32_t p = joint.process[i];
    const Where where{processes[p].pid, node.thread->slot};
    const auto before = waits_.find(where);
    const bool same =
        before != waits_.end() && SameMoment(before->second.thread, *node.thread);
    const auto name = joint.names.find({p, node.lock.key});
    Waiting waiting{*node.thread, holder, node.lock.key,
                    name == joint.names.end() ? "" : name->second.label,
                    same ? before->second.first_ns : now_ns};
    if (!files && now_ns - waiting.first_ns >= kLongNs) {
      // The number in the word is somebody else's, unless its process has that memory, too.
      const std::optional<int> pid = ProcessOfThread(holder.owner_tid);
      const bool here = std::any_of(processes.begin(), processes.end(),
                                    [&](const JudgedProcess& other) { return other.pid == pid; });
      if (here) continue;  // a thread that was not recorded
      if (pid.has_value() && Maps(*pid, *holder.lock)) waiting.holder.pids = {*pid};
    }
    now[where] = std::move(waiting);
  }
  waits_ = std::move(now);
}

std::vector<std::string> OutsideWatch::Forget(const JudgedProcess& process, uint64_t now_ns) {
  std::vector<std::string> lines;
  for (auto next = waits_.lower_bound({process.pid, 0});
       next != waits_.end() && next->first.first == process.pid; next = waits_.erase(next)) {
    const Waiting& waiting = next->second;
    const ThreadInfo last = process.reader->Thread(waiting.thread.slot);
    if (now_ns - waiting.first_ns < kLongNs || !SameMoment(waiting.thread, last)) continue;
    const Wait& wait = waiting.thread.waits.back();
    lines.push_back(absl::StrCat(
        NameOf(process.parts->Thread(waiting.thread)), " of pid ", process.pid,
        " waited to the end for ",
        waiting.label.empty() ? process.parts->Lock(waiting.lock).label : waiting.label,
        PlaceInBrackets("wanted", process.parts->Stack(wait.stack, wait.site)), ", ",
        HeldBy(waiting.holder)));
  }
  return lines;
}

}  // namespace lockwarden
