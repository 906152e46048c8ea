// StuckThreads: from pictures of processes to deadlocks, by the same wait-for graph as the judge
// uses (watchdog/wait_for_graph.h), but with edges that come from lock words and the kernel alone.
//
//   mutex, rwlock with a writer     its owner, by the lock's word
//   join                            the joined thread
//   file lock                       any thread of the processes that hold it
//   everything else in private memory (condition, semaphore, barrier, ...)
//                                   anybody in the process, if nothing else could wake it
//   a time limit, a system call, memory shared with processes that are not looked at
//                                   it can run
//
// Pure. Thread safety: no state. Must never: call stuck what somebody outside the pictures, or a
// signal handler, could wake; confirming that the threads stayed where they were is the
// caller's part.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "watchdog/finding.h"
#include "watchdog/inspect/process_picture.h"

namespace lockwarden {

// One of the pictures, and a thread in it, by index.
struct PictureRef {
  size_t process = 0, thread = 0;
  friend auto operator<=>(const PictureRef&, const PictureRef&) = default;
};

struct StuckThreads {
  std::vector<std::vector<PictureRef>> cycles;  // in waiting order; one alone waits for itself
  std::vector<std::vector<PictureRef>> behind;  // of each cycle
  std::vector<PictureRef> owner_gone;           // wait for locks whose holder has ended
  std::vector<PictureRef> no_waker;             // wait for anybody, and nobody is left
  std::vector<PictureRef> all;                  // all of these, and those behind them
  bool any() const { return !all.empty(); }
};

using Pictures = absl::Span<const ProcessPicture* const>;

// `moved`: threads that were seen to move since; they count as able to run.
// `despite_handlers`: as if no signal handler could wake anybody.
StuckThreads FindStuckThreads(Pictures pictures, const std::vector<PictureRef>& moved,
                              bool despite_handlers);

// How the picture was made sure of; for the findings' evidence.
struct PictureEvidence {
  bool confirmed = false;  // nobody stuck ran between two looks
  bool frozen = false;     // a core file: nothing can move
  std::string ledger;      // why there is none; a sentence
};
// Findings about the first picture's process: each cycle one, then the others.
std::vector<Finding> TellStuckThreads(Pictures pictures, const StuckThreads& stuck,
                                      const PictureEvidence& evidence);

// A thread of the picture as findings show it; `finding` gets the lock that it waits for.
FindingThread ThreadForFinding(const ProcessPicture& picture, const PictureThread& thread,
                               Finding* finding);

}  // namespace lockwarden
