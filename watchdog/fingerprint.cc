// Fingerprint: which bug this is, told by its code and not by its run.
//
// Each thread of the cycle becomes one line of text: the functions and files where it
// waits, the class of the lock it waits for, and the same for the locks it holds that the
// cycle is about. The lines are put into an order that depends neither on who was seen
// first nor on how many threads ran the same code: a cycle is turned to begin at its
// least rotation and cut to its period (philosophers at a table of two and of five are
// one bug); threads without a cycle are sorted. Line numbers are left out, so that an
// edit elsewhere in the file changes nothing.
//
// Of a stack the innermost frames count, of the program's own. If all stacks of the finding
// begin with the same ones, as where a program takes all its locks through a wrapper, these
// tell nothing apart, and as many more count.
#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "runtime/growing_index.h"
#include "watchdog/frames.h"
#include "watchdog/function_name.h"
#include "watchdog/report.h"

namespace lockwarden {
namespace {

constexpr size_t kFramesUsed = 3;
constexpr size_t kWrapperFrames = 5;  // at most

std::string DescribeFrame(const StackFrame& frame) {
  if (!frame.function.empty()) {
    return absl::StrCat(WithoutCloneSuffix(frame.function), "@", Basename(frame.file));
  }
  if (frame.module.empty()) return "?";
  return absl::StrFormat("%s+%#x", Basename(frame.module), frame.module_offset);
}

std::vector<std::string> DescribeFrames(const StackTrace& stack, size_t limit) {
  std::vector<std::string> frames;
  for (const StackFrame& frame : stack) {
    if (IsUserFrame(frame) && frames.size() < limit) frames.push_back(DescribeFrame(frame));
  }
  // All in the C library, say: then that is what there is to tell it by.
  for (size_t i = 0; frames.empty() && i < stack.size() && i < limit; ++i) {
    frames.push_back(DescribeFrame(stack[i]));
  }
  return frames;
}

// How many frames count in this finding.
size_t FramesUsed(const std::vector<const FindingThread*>& threads,
                  const std::set<size_t>& wanted) {
  std::vector<std::vector<std::string>> stacks;
  const auto add = [&](const StackTrace& stack) {
    if (!stack.empty()) stacks.push_back(DescribeFrames(stack, kWrapperFrames));
  };
  for (const FindingThread* thread : threads) {
    add(thread->stack);
    for (const FindingHold& hold : thread->holds) {
      if (wanted.empty() || wanted.contains(hold.lock)) add(hold.stack);
    }
  }
  if (stacks.size() < 2) return kFramesUsed;
  size_t common = stacks[0].size();
  for (const std::vector<std::string>& stack : stacks) {
    const auto differs =
        std::mismatch(stacks[0].begin(), stacks[0].end(), stack.begin(), stack.end());
    common = std::min(common, static_cast<size_t>(differs.first - stacks[0].begin()));
  }
  return kFramesUsed + common;
}

std::string DescribeStack(const StackTrace& stack, size_t frames) {
  return absl::StrJoin(DescribeFrames(stack, frames), ",");
}

// "function dir/file:line" without line, directory and addresses.
std::string DescribeLock(const Finding& finding, size_t index) {
  if (index >= finding.locks.size()) return "?";
  const FindingLock& lock = finding.locks[index];
  std::vector<std::string> words = absl::StrSplit(lock.lock_class, ' ', absl::SkipEmpty());
  for (std::string& word : words) {
    if (absl::StartsWith(word, "0x")) word = "?";
    const size_t colon = word.rfind(':');
    if (colon != word.npos && colon + 1 < word.size() &&
        std::all_of(word.begin() + static_cast<ptrdiff_t>(colon) + 1, word.end(),
                    absl::ascii_isdigit)) {
      word = Basename(word.substr(0, colon));
    }
  }
  return absl::StrCat(lock.kind, " ", absl::StrJoin(words, " "));
}

std::string DescribeThread(const Finding& finding, const FindingThread& thread,
                           const std::set<size_t>& wanted, size_t frames) {
  std::vector<std::string> holds;
  for (const FindingHold& hold : thread.holds) {
    if (!wanted.empty() && wanted.count(hold.lock) == 0) continue;
    holds.push_back(absl::StrCat(DescribeLock(finding, hold.lock), "|", hold.mode, "|",
                                 DescribeStack(hold.stack, frames)));
  }
  std::sort(holds.begin(), holds.end());
  std::string wait;
  if (thread.waits && thread.waits_mode == "join") {
    wait = "join";
  } else if (thread.waits) {
    wait = absl::StrCat(DescribeLock(finding, thread.waits_for), "|", thread.waits_mode);
  }
  return absl::StrCat(DescribeStack(thread.stack, frames), ";", wait, ";",
                      absl::StrJoin(holds, ";"));
}

// The least of all rotations, cut to its shortest period.
std::vector<std::string> Canonical(const std::vector<std::string>& cycle) {
  std::vector<std::string> best = cycle, turned = cycle;
  size_t period = cycle.size();
  for (size_t i = 1; i < cycle.size(); ++i) {
    std::rotate(turned.begin(), turned.begin() + 1, turned.end());
    if (turned == cycle) {
      period = i;
      break;
    }
    if (turned < best) best = turned;
  }
  best.resize(period);
  return best;
}

// FNV-1a, then mixed so that short texts fill all 64 bits. Written out here because it
// must give the same in every build of every version.
uint64_t Hash(const std::string& text) {
  uint64_t hash = 0xcbf29ce484222325ull;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return ledger::MixHash(hash);
}

}  // namespace

std::string Fingerprint(const Finding& finding) {
  std::vector<const FindingThread*> threads;
  for (const size_t index : finding.cycle) {
    if (index < finding.threads.size()) threads.push_back(&finding.threads[index]);
  }
  const bool has_cycle = !threads.empty();
  for (const FindingThread& thread : finding.threads) {
    if (!has_cycle && thread.role == FindingThread::Role::kInCycle) threads.push_back(&thread);
  }
  std::set<size_t> wanted;
  for (const FindingThread* thread : threads) {
    if (thread->waits && thread->waits_mode != "join") wanted.insert(thread->waits_for);
  }
  const size_t frames = FramesUsed(threads, wanted);
  std::vector<std::string> lines;
  for (const FindingThread* thread : threads) {
    lines.push_back(DescribeThread(finding, *thread, wanted, frames));
  }
  if (has_cycle) {
    lines = Canonical(lines);
  } else {
    std::sort(lines.begin(), lines.end());
  }
  // What was misused is neither waited for nor, often, held.
  if (!finding.misuse.empty()) {
    for (size_t i = 0; i < finding.locks.size(); ++i) lines.push_back(DescribeLock(finding, i));
  }
  if (!finding.heartbeat.empty()) lines.push_back(finding.heartbeat);
  if (!finding.cause.empty()) lines.push_back(finding.cause);
  // "1": the recipe's version. A change of recipe gives every bug a new fingerprint.
  return absl::StrFormat("%016x", Hash(absl::StrCat("1\n", KindName(finding.kind), "\n",
                                                    finding.misuse, "\n",
                                                    absl::StrJoin(lines, "\n"))));
}

}  // namespace lockwarden
