// Pictures of the process and of those whose locks it waits for, one graph over all of them, and
// a second look at whoever seems stuck.
#include "watchdog/inspect/inspection.h"

#include <signal.h>
#include <time.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "watchdog/inspect/call_description.h"
#include "watchdog/inspect/core_target.h"
#include "watchdog/inspect/ledger_look.h"
#include "watchdog/inspect/thread_list.h"
#include "watchdog/symbolizer.h"

namespace lockwarden {
namespace {

constexpr size_t kMostOthers = 16;  // processes that are looked at because of the one asked for
constexpr timespec kBetweenLooks = {0, 50'000'000};

struct Looked {
  std::unique_ptr<KernelView> kernel;
  Symbolizer symbolizer;
  Inspection inspection;
};

std::unique_ptr<Looked> LookAt(int pid, const StackLimits& limits) {
  auto looked = std::make_unique<Looked>();
  looked->inspection.access = CheckAccess(pid);
  looked->inspection.picture.pid = pid;
  if (looked->inspection.access.kind == Access::Kind::kNone) return looked;
  looked->kernel = MakeProcKernelView(pid);
  looked->symbolizer.Update({}, pid);
  looked->inspection.picture = TakePicture(pid, limits, looked->kernel.get(), &looked->symbolizer);
  return looked;
}

bool SameWait(const DecodedWait& a, const DecodedWait& b) {
  return a.awaited == b.awaited && a.object == b.object && a.owners == b.owners &&
         a.timed == b.timed && a.shared == b.shared;
}

// Threads that ran between two readings, or wait for something else by now.
std::vector<PictureRef> Moved(const std::vector<std::unique_ptr<Looked>>& looked,
                              const std::vector<PictureRef>& suspects) {
  const auto thread_of = [&](PictureRef ref) -> const PictureThread& {
    return looked[ref.process]->inspection.picture.threads[ref.thread];
  };
  std::vector<KernelThread> before;
  for (PictureRef ref : suspects) {
    before.push_back(looked[ref.process]->kernel->Thread(thread_of(ref).stack.inside));
  }
  nanosleep(&kBetweenLooks, nullptr);
  std::vector<absl::flat_hash_set<uint32_t>> living(looked.size());
  for (size_t i = 0; i < looked.size(); ++i) {
    for (const PictureThread& thread : looked[i]->inspection.picture.threads) {
      if (thread.stack.kernel.state != 'Z') living[i].insert(thread.stack.inside);
    }
  }
  std::vector<PictureRef> moved;
  for (size_t i = 0; i < suspects.size(); ++i) {
    KernelView* kernel = looked[suspects[i].process]->kernel.get();
    const PictureThread& thread = thread_of(suspects[i]);
    ThreadStack now = thread.stack;
    now.kernel = kernel->Thread(now.inside);
    const bool slept = now.kernel.exists && now.kernel.context_switches.has_value() &&
                       now.kernel.context_switches == before[i].context_switches &&
                       now.kernel.syscall == before[i].syscall;
    DecodedWait wait = thread.wait;
    if (thread.wait.awaited != Awaited::kFileLock) {
      wait = DecodeWait(now, living[suspects[i].process], kernel);
      if (thread.outside_owner != 0 && wait.owners == std::vector{thread.outside_owner}) {
        wait.owners.clear();
      }
    }
    if (!slept || !SameWait(wait, thread.wait)) moved.push_back(suspects[i]);
  }
  return moved;
}

// Threads that began after a process's were listed: who waits for anybody may wait for one of them.
void CountNewcomers(const std::vector<std::unique_ptr<Looked>>& looked) {
  for (const auto& one : looked) {
    ProcessPicture& picture = one->inspection.picture;
    absl::flat_hash_set<uint32_t> known;
    for (const PictureThread& thread : picture.threads) known.insert(thread.stack.tid);
    for (const ThreadId& thread : ThreadsOf(picture.pid)) {
      if (!known.contains(thread.tid)) ++picture.left_out;
    }
  }
}

std::vector<const ProcessPicture*> PicturesOf(const std::vector<std::unique_ptr<Looked>>& looked) {
  std::vector<const ProcessPicture*> pictures;
  for (const auto& one : looked) pictures.push_back(&one->inspection.picture);
  return pictures;
}

// Processes that hold what the picture's threads wait for.
std::vector<int> OthersInvolved(const ProcessPicture& picture) {
  std::vector<int> pids;
  for (const PictureThread& thread : picture.threads) {
    for (int pid : thread.outside) pids.push_back(pid);
    if (thread.outside_owner != 0) pids.push_back(ProcessOfThread(thread.outside_owner));
  }
  std::sort(pids.begin(), pids.end());
  pids.erase(std::unique(pids.begin(), pids.end()), pids.end());
  std::erase_if(pids, [&](int pid) { return pid <= 0 || pid == picture.pid; });
  return pids;
}

bool Concerns(const Finding& finding, int pid) {
  return std::any_of(finding.threads.begin(), finding.threads.end(), [&](const FindingThread& t) {
    return static_cast<int>(t.pid == 0 ? finding.pid : t.pid) == pid;
  });
}

void AskLedger(Looked* looked) {
  Inspection& inspection = looked->inspection;
  auto look = LookIntoLedger(inspection.picture.pid, looked->kernel.get(), &looked->symbolizer,
                             &inspection.ledger);
  if (!look.has_value()) return;
  inspection.holds = std::move(look->holds);
  for (Finding& finding : look->findings) {
    if (finding.kind == FindingKind::kDeadlock || finding.kind == FindingKind::kSelfDeadlock) {
      inspection.verdict = Inspection::Verdict::kDeadlock;
    }
    inspection.findings.push_back(std::move(finding));
  }
}

// One graph over all of them; findings go to the first process that each concerns.
void Judge(std::vector<std::unique_ptr<Looked>>* looked) {
  const std::vector<const ProcessPicture*> pictures = PicturesOf(*looked);
  StuckThreads stuck = FindStuckThreads(pictures, {}, /*despite_handlers=*/true);
  // A thread that was stopped a moment ago may not be back in its sleep yet.
  constexpr int kTries = 6;
  std::vector<PictureRef> moved;
  for (int i = 0; stuck.any() && i < kTries; ++i) {
    moved = Moved(*looked, stuck.all);
    if (moved.empty()) break;
  }
  if (stuck.any()) CountNewcomers(*looked);
  stuck = FindStuckThreads(pictures, moved, /*despite_handlers=*/false);
  const StuckThreads asleep = FindStuckThreads(pictures, moved, /*despite_handlers=*/true);
  for (size_t i = 0; i < looked->size(); ++i) {
    Inspection& inspection = (*looked)[i]->inspection;
    if (inspection.access.kind != Access::Kind::kFull || inspection.picture.threads.empty())
      continue;
    if (inspection.verdict == Inspection::Verdict::kDeadlock) continue;
    const auto is_here = [i](PictureRef ref) { return ref.process == i; };
    inspection.verdict = Inspection::Verdict::kNotStuck;
    const auto asleep_here =
        static_cast<size_t>(std::count_if(asleep.all.begin(), asleep.all.end(), is_here));
    if (asleep_here == inspection.picture.threads.size()) {
      inspection.verdict = Inspection::Verdict::kAsleep;
    }
    if (std::any_of(stuck.all.begin(), stuck.all.end(), is_here)) {
      inspection.verdict = Inspection::Verdict::kDeadlock;
    }
  }
  if (!stuck.any()) return;
  for (Finding& finding :
       TellStuckThreads(pictures, stuck, {.confirmed = true, .frozen = false, .ledger = ""})) {
    for (auto& one : *looked) {
      Inspection& inspection = one->inspection;
      if (!Concerns(finding, inspection.picture.pid)) continue;
      // The ledger's own tells more.
      if (inspection.findings.empty() || finding.threads.front().pid != 0) {
        if (!inspection.ledger.empty()) finding.evidence.push_back(inspection.ledger);
        finding.pid = static_cast<uint32_t>(inspection.picture.pid);
        finding.program = inspection.picture.program;
        inspection.findings.push_back(finding);
      }
      break;
    }
  }
}

}  // namespace

const char* VerdictName(Inspection::Verdict verdict) {
  switch (verdict) {
    case Inspection::Verdict::kDeadlock:
      return "deadlock";
    case Inspection::Verdict::kAsleep:
      return "asleep";
    case Inspection::Verdict::kNotStuck:
      return "not_stuck";
    case Inspection::Verdict::kUnknown:
      return "unknown";
  }
  return "unknown";
}

Inspection InspectProcess(int pid, const StackLimits& limits) {
  std::vector<std::unique_ptr<Looked>> looked;
  looked.push_back(LookAt(pid, limits));
  if (looked[0]->inspection.access.kind == Access::Kind::kFull) {
    std::vector<int> others = OthersInvolved(looked[0]->inspection.picture);
    for (size_t i = 0; i < others.size() && looked.size() <= kMostOthers; ++i) {
      looked.push_back(LookAt(others[i], limits));
      // And whom those wait for.
      for (int next : OthersInvolved(looked.back()->inspection.picture)) {
        const bool known =
            next == pid || std::find(others.begin(), others.end(), next) != others.end();
        if (!known) others.push_back(next);
      }
    }
    AskLedger(looked[0].get());
    Judge(&looked);
  }
  return std::move(looked[0]->inspection);
}

absl::StatusOr<Inspection> InspectCore(const std::string& core, const std::string& exe,
                                       const StackLimits& limits) {
  auto target = CoreTarget::Open(core, exe);
  if (!target.ok()) return target.status();
  CoreTarget& dead = **target;
  Symbolizer symbolizer;
  symbolizer.Update(dead.Modules(), 0);
  const auto name_of = [&](uint64_t address) { return dead.VariableAt(address); };
  Inspection inspection;
  ProcessPicture& picture = inspection.picture;
  picture = DecodeProcess(dead.pid(), dead.Stacks(limits, &symbolizer),
                          {dead.kernel(), nullptr, name_of, DescribeCallAlone});
  picture.program = dead.program();
  picture.notes = dead.notes();
  if (dead.signal() != 0) {
    const char* name = sigabbrev_np(dead.signal());
    picture.notes.insert(
        picture.notes.begin(),
        absl::StrCat("It died of signal ", dead.signal(),
                     name == nullptr ? "" : absl::StrCat(" (SIG", name, ")"), "."));
  }
  picture.wakes_anybody = "a signal handler, of which a core says nothing";
  inspection.ledger =
      "A core has no ledger in it; where a held lock was taken is in the incident that "
      "`lockwarden run` wrote, if it supervised the process.";
  const ProcessPicture* const pictures[] = {&picture};
  const StuckThreads stuck = FindStuckThreads(pictures, {}, /*despite_handlers=*/false);
  const StuckThreads asleep = FindStuckThreads(pictures, {}, /*despite_handlers=*/true);
  inspection.verdict = Inspection::Verdict::kNotStuck;
  if (asleep.all.size() == picture.threads.size())
    inspection.verdict = Inspection::Verdict::kAsleep;
  if (stuck.any()) {
    inspection.verdict = Inspection::Verdict::kDeadlock;
    inspection.findings = TellStuckThreads(
        pictures, stuck, {.confirmed = false, .frozen = true, .ledger = inspection.ledger});
  }
  return inspection;
}

std::vector<Inspection> InspectProcesses(absl::Span<const int> pids, const StackLimits& limits) {
  std::vector<std::unique_ptr<Looked>> looked;
  for (int pid : pids) {
    auto one = LookAt(pid, limits);
    if (one->inspection.access.kind != Access::Kind::kNone) looked.push_back(std::move(one));
  }
  Judge(&looked);
  std::vector<Inspection> inspections;
  for (auto& one : looked) inspections.push_back(std::move(one->inspection));
  return inspections;
}

}  // namespace lockwarden
