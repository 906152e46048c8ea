// Headline, story, threads and evidence of what FindStuckThreads found; see stuck_threads.h.
#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "watchdog/finding_parts.h"
#include "watchdog/inspect/stuck_threads.h"
#include "watchdog/report.h"

namespace lockwarden {
namespace {

constexpr size_t kBehindTold = 64;
constexpr size_t kSentences = 8;

const char* ModeOf(Awaited awaited) {
  switch (awaited) {
    case Awaited::kReadLock:
      return "shared";
    case Awaited::kCondition:
      return "signal";
    case Awaited::kSemaphore:
      return "unit";
    case Awaited::kBarrier:
      return "arrive";
    case Awaited::kJoin:
      return "join";
    case Awaited::kOnce:
    case Awaited::kStaticGuard:
    case Awaited::kFutex:
      return "unowned";
    default:
      return "exclusive";
  }
}

class Teller {
 public:
  Teller(Pictures pictures, const StuckThreads& stuck, const PictureEvidence& evidence)
      : pictures_(pictures), stuck_(stuck), evidence_(evidence) {}

  std::vector<Finding> Tell() {
    std::vector<Finding> findings;
    for (size_t i = 0; i < stuck_.cycles.size(); ++i) {
      Begin(stuck_.cycles[i].size() == 1 ? FindingKind::kSelfDeadlock : FindingKind::kDeadlock);
      TellCycle(stuck_.cycles[i]);
      TellBehind(stuck_.behind[i]);
      findings.push_back(Finish());
    }
    if (!stuck_.owner_gone.empty()) {
      Begin(FindingKind::kDeadlock);
      TellOwnerGone();
      findings.push_back(Finish());
    }
    if (!stuck_.no_waker.empty()) {
      Begin(FindingKind::kDeadlock);
      TellNoWaker();
      findings.push_back(Finish());
    }
    return findings;
  }

 private:
  const PictureThread& At(PictureRef ref) const {
    return pictures_[ref.process]->threads[ref.thread];
  }

  void Begin(FindingKind kind) {
    const ProcessPicture& lead = *pictures_[0];
    finding_ = Finding();
    places_.clear();
    locks_.clear();
    finding_.kind = kind;
    finding_.pid = static_cast<uint32_t>(lead.pid);
    finding_.program = lead.program;
    finding_.time_ns = lead.time_ns;
    finding_.confidence =
        evidence_.confirmed || evidence_.frozen ? Confidence::kStrong : Confidence::kLikely;
  }

  Finding Finish() {
    finding_.evidence.push_back(
        finding_.cycle.empty()
            ? "kernel: each thread sleeps without a time limit on memory that nobody outside this "
              "process can change"
            : "lock words and kernel: each of these threads sleeps without a time limit on what it "
              "is said to wait for, and the locks themselves name these holders");
    const bool doubtful = std::any_of(places_.begin(), places_.end(), [this](const auto& place) {
      return At(place.first).others_may_hold;
    });
    if (doubtful) {
      finding_.confidence = std::min(finding_.confidence, Confidence::kLikely);
      finding_.evidence.push_back(
          "not had: some processes could not be asked whether they hold the file, too");
    }
    if (evidence_.confirmed) {
      finding_.evidence.push_back("looked twice: none of them has run in between");
    }
    if (evidence_.frozen) finding_.evidence.push_back("a core file: one moment, nothing moves");
    if (!evidence_.ledger.empty()) finding_.evidence.push_back(evidence_.ledger);
    finding_.fingerprint = Fingerprint(finding_);
    return std::move(finding_);
  }

  size_t Add(PictureRef ref, FindingThread::Role role) {
    const auto [place, fresh] = places_.try_emplace(ref, finding_.threads.size());
    if (!fresh) return place->second;
    const ProcessPicture& picture = *pictures_[ref.process];
    FindingThread thread = Thread(picture, At(ref));
    if (pictures_.size() > 1) thread.pid = static_cast<uint32_t>(picture.pid);
    thread.role = role;
    finding_.threads.push_back(std::move(thread));
    return place->second;
  }

  // As ThreadForFinding, but locks of several processes are kept apart.
  FindingThread Thread(const ProcessPicture& picture, const PictureThread& thread) {
    FindingThread told = ThreadForFinding(picture, thread, nullptr);
    if (thread.waits_for_lock()) told.waits_for = Lock(picture, thread.lock);
    return told;
  }

  size_t Lock(const ProcessPicture& picture, size_t lock) {
    const auto [place, fresh] = locks_.try_emplace({&picture, lock}, finding_.locks.size());
    if (fresh) {
      FindingLock told = picture.locks[lock];
      told.id = finding_.locks.size() + 1;
      if (pictures_.size() > 1 && told.kind != "file_lock") {
        // Each process numbers, and names, for itself.
        absl::StrAppend(&told.label, " of pid ", picture.pid);
      }
      finding_.locks.push_back(std::move(told));
    }
    return place->second;
  }

  // What each of the added threads holds of what the others wait for.
  void AddHolds() {
    for (const auto& [waiter, waiting] : places_) {
      const PictureThread& thread = At(waiter);
      if (!thread.waits_for_lock()) continue;
      for (const auto& [holder, place] : places_) {
        if (!Holds(waiter, holder)) continue;
        std::vector<FindingHold>& holds = finding_.threads[place].holds;
        const size_t lock = finding_.threads[waiting].waits_for;
        const bool known = std::any_of(holds.begin(), holds.end(),
                                       [lock](const FindingHold& h) { return h.lock == lock; });
        if (!known) holds.push_back({lock, "exclusive", false, {}});
      }
    }
  }

  bool Holds(PictureRef waiter, PictureRef holder) const {
    const PictureThread& wants = At(waiter);
    const PictureThread& has = At(holder);
    if (waiter.process == holder.process) {
      return std::find(wants.wait.owners.begin(), wants.wait.owners.end(), has.stack.inside) !=
             wants.wait.owners.end();
    }
    return (wants.outside_owner != 0 && wants.outside_owner == has.stack.tid) ||
           std::find(wants.outside.begin(), wants.outside.end(), pictures_[holder.process]->pid) !=
               wants.outside.end();
  }

  std::string WaitText(const FindingThread& thread) const {
    if (thread.waits_mode == "join") {
      return absl::StrCat("waits", PlaceInBrackets("called", thread.stack), " for thread ",
                          thread.joins_tid, " to end");
    }
    const FindingLock& lock = finding_.locks[thread.waits_for];
    const char* how = "waits for ";
    if (thread.waits_mode == "signal") how = "waits for a signal on ";
    if (thread.waits_mode == "arrive") how = "waits for the others at ";
    if (thread.waits_mode == "unit") how = "waits for a unit of ";
    if (thread.waits_mode == "unowned") how = "waits for a wake-up on ";
    if (lock.kind == "rwlock") {
      how = thread.waits_mode == "shared" ? "waits to read " : "waits to write ";
    }
    return absl::StrCat(how, lock.label, PlaceInBrackets("wanted", thread.stack));
  }

  void TellCycle(const std::vector<PictureRef>& cycle) {
    std::set<size_t> locks, processes;
    for (PictureRef ref : cycle) {
      finding_.cycle.push_back(Add(ref, FindingThread::Role::kInCycle));
      if (At(ref).waits_for_lock()) locks.insert(finding_.threads[finding_.cycle.back()].waits_for);
      processes.insert(ref.process);
    }
    const size_t size = cycle.size();
    if (size == 1) return TellSelf();
    finding_.headline = absl::StrCat("DEADLOCK: ", Counted(size, "thread"));
    if (processes.size() > 1) {
      absl::StrAppend(&finding_.headline, " of ", processes.size(), " processes");
    }
    if (!locks.empty()) absl::StrAppend(&finding_.headline, ", ", Counted(locks.size(), "lock"));
    for (size_t i = 0; i < size; ++i) {
      const FindingThread& thread = finding_.threads[finding_.cycle[i]];
      const FindingThread& previous = finding_.threads[finding_.cycle[(i + size - 1) % size]];
      const FindingThread& next = finding_.threads[finding_.cycle[(i + 1) % size]];
      std::string text = Capitalized(NameOf(thread));
      if (previous.waits_mode != "join") {
        absl::StrAppend(&text, " holds ", finding_.locks[previous.waits_for].label, " and");
      }
      absl::StrAppend(&text, " ", WaitText(thread));
      if (thread.waits_mode != "join") absl::StrAppend(&text, ", which ", NameOf(next), " holds");
      finding_.story.push_back(text + ".");
    }
    if (locks.size() > 1) {
      finding_.advice.push_back(
          "Take the locks in the same order everywhere, or both at once with std::scoped_lock.");
    }
    if (locks.size() < size) {
      finding_.advice.push_back(
          "Release the lock before joining a thread that may need it, and let no two threads join "
          "each other.");
    }
  }

  void TellSelf() {
    const FindingThread& thread = finding_.threads[0];
    if (thread.waits_mode == "join") {
      finding_.headline = absl::StrCat("SELF-DEADLOCK: ", NameOf(thread), " joins itself");
      finding_.story.push_back(
          absl::StrCat(Capitalized(NameOf(thread)), " ", WaitText(thread), "."));
      return;
    }
    const FindingLock& lock = finding_.locks[thread.waits_for];
    finding_.headline = absl::StrCat("SELF-DEADLOCK: ", NameOf(thread), " waits for ", lock.label,
                                     ", which it holds itself");
    finding_.story.push_back(absl::StrCat(Capitalized(NameOf(thread)), " ", WaitText(thread),
                                          ", which it holds itself: it can never release it."));
    finding_.advice.push_back(
        "Do not take the lock again on a path that holds it already, or make it recursive if that "
        "is meant.");
  }

  void TellBehind(const std::vector<PictureRef>& behind) {
    const size_t told = std::min(behind.size(), kBehindTold);
    for (size_t i = 0; i < told; ++i) Add(behind[i], FindingThread::Role::kBehind);
    AddHolds();
    if (behind.empty()) return;
    finding_.story.push_back(absl::StrCat(Counted(behind.size(), "more thread"),
                                          behind.size() == 1 ? " is" : " are", " stuck behind."));
    if (told < behind.size()) {
      finding_.evidence.push_back(
          absl::StrCat("only ", told, " of the ", behind.size(), " threads behind are listed"));
    }
  }

  void TellOwnerGone() {
    const size_t count = stuck_.owner_gone.size();
    for (PictureRef ref : stuck_.owner_gone) Add(ref, FindingThread::Role::kInCycle);
    const PictureThread& first = At(stuck_.owner_gone[0]);
    finding_.headline =
        absl::StrCat("DEADLOCK: ", Counted(count, "thread"), count == 1 ? " waits" : " wait",
                     " for ", finding_.locks[finding_.threads[0].waits_for].label,
                     ", whose holder (tid ", first.wait.owners[0], ") has ended");
    for (size_t i = 0; i < std::min(count, kSentences); ++i) {
      const FindingThread& thread = finding_.threads[i];
      finding_.story.push_back(absl::StrCat(Capitalized(NameOf(thread)), " ", WaitText(thread),
                                            ", which thread ",
                                            At(stuck_.owner_gone[i]).wait.owners[0],
                                            " held when it ended: nobody is left to release it."));
    }
    TellBehind(Rest(stuck_.owner_gone));
    finding_.advice.push_back(
        "Release the lock on every way out of the thread, cancellation and exceptions included: by "
        "std::lock_guard, or pthread_cleanup_push.");
  }

  // All that are stuck but `told`.
  std::vector<PictureRef> Rest(const std::vector<PictureRef>& told) const {
    std::vector<PictureRef> rest;
    for (PictureRef ref : stuck_.all) {
      if (std::find(told.begin(), told.end(), ref) == told.end()) rest.push_back(ref);
    }
    return rest;
  }

  void TellNoWaker() {
    const size_t asleep = stuck_.all.size();
    finding_.headline = absl::StrCat("DEADLOCK: ", Counted(asleep, "thread"),
                                     " asleep, nobody left to wake ", asleep == 1 ? "it" : "them");
    const size_t told = std::min(stuck_.no_waker.size(), kBehindTold);
    for (size_t i = 0; i < told; ++i) Add(stuck_.no_waker[i], FindingThread::Role::kInCycle);
    for (size_t i = 0; i < std::min(told, kSentences); ++i) {
      const FindingThread& thread = finding_.threads[i];
      finding_.story.push_back(
          absl::StrCat(Capitalized(NameOf(thread)), " ", WaitText(thread), "."));
    }
    if (stuck_.no_waker.size() > kSentences) {
      finding_.story.push_back(
          absl::StrCat("So do ", stuck_.no_waker.size() - kSentences, " more, in their ways."));
    }
    finding_.story.push_back(
        "Every other thread is asleep, too, and no signal handler of the program's could help: "
        "nobody is left who could wake them.");
    if (told < stuck_.no_waker.size()) {
      finding_.evidence.push_back(
          absl::StrCat("only ", told, " of the ", stuck_.no_waker.size(), " threads are listed"));
    }
    TellBehind(Rest(stuck_.no_waker));
  }

  const Pictures pictures_;
  const StuckThreads& stuck_;
  const PictureEvidence& evidence_;
  Finding finding_;
  std::map<PictureRef, size_t> places_;  // in finding_.threads
  std::map<std::pair<const ProcessPicture*, size_t>, size_t> locks_;
};

}  // namespace

FindingThread ThreadForFinding(const ProcessPicture& picture, const PictureThread& thread,
                               Finding* finding) {
  FindingThread told;
  told.tid = thread.stack.tid;
  told.name = thread.stack.kernel.comm;
  told.stack = thread.stack.frames;
  told.timed = thread.wait.timed;
  if (thread.wait.awaited == Awaited::kJoin || thread.waits_for_lock()) {
    told.waits = true;
    told.waits_mode = ModeOf(thread.wait.awaited);
  }
  if (thread.wait.awaited == Awaited::kJoin && !thread.wait.owners.empty()) {
    const PictureThread* joined = picture.Thread(thread.wait.owners[0]);
    told.joins_tid = joined == nullptr ? thread.wait.owners[0] : joined->stack.tid;
  }
  if (finding != nullptr && thread.waits_for_lock()) {
    if (finding->locks.empty()) finding->locks = picture.locks;
    told.waits_for = thread.lock;
  }
  return told;
}

std::vector<Finding> TellStuckThreads(Pictures pictures, const StuckThreads& stuck,
                                      const PictureEvidence& evidence) {
  return Teller(pictures, stuck, evidence).Tell();
}

}  // namespace lockwarden
