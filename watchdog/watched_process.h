// WatchedProcess: one program image with a ledger, and everything that looks at it.
//
// Written and read by: the supervisor's loop. Not thread-safe. Must never: signal a
// process by its pid; only its pidfd names it for good.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "watchdog/judge.h"
#include "watchdog/ladder.h"
#include "watchdog/registrar.h"
#include "watchdog/snapshot.h"

namespace lockwarden {

// How far up a ladder a process is.
struct Climb {
  const Ladder* ladder = nullptr;  // null: nothing hangs; outlives this
  size_t done = 0;                 // steps
  uint64_t since_ns = 0;           // of the last one, or when the hang was told
};

class WatchedProcess {
 public:
  WatchedProcess(Registration registration, JudgeOptions options);
  ~WatchedProcess();
  WatchedProcess(const WatchedProcess&) = delete;
  WatchedProcess& operator=(const WatchedProcess&) = delete;

  // What is new; see ProcessJudge.
  std::vector<Finding> Step(uint64_t now_ns);
  std::vector<Finding> Finish(uint64_t now_ns);

  // See ProcessJudge; with the symboliser good for it.
  std::vector<std::string> TurnedDown() const;

  // Asks the kernel: whether the process has ended (as a zombie too).
  bool HasEnded() const;
  // Whether it runs another program by now, whose ledger, if it has one, is another. Said only if
  // the kernel gave that another place in memory, as it does unless told not to.
  bool HasExeced() const;
  // False: it could not be sent (the process has ended, or belongs to somebody else).
  bool Signal(int signal) const;

  // The same, to one thread (as the process calls it); false also if it has no such thread.
  bool SignalThread(uint32_t tid, int signal) const;
  void Rebase(uint64_t now_ns) { judge_->Rebase(now_ns); }

  int pid() const { return pid_; }
  int pidfd() const { return pidfd_.get(); }
  const LedgerReader* reader() const { return reader_.get(); }
  // For the exporter, which may look longer than the process lives.
  std::shared_ptr<const LedgerReader> shared_reader() const { return reader_; }
  const ProcessJudge& judge() const { return *judge_; }
  // With the symboliser good for a new look.
  JudgedProcess Lend() const;
  const Snapshot& snapshot() const { return judge_->last_snapshot(); }
  // Good after Lend, for as long as what it lent.
  StackResolver* resolver() const;

  // For whoever acts; nothing here looks at them.
  Climb deadlock, stall;
  bool told_deadlock = false;
  std::string last_incident;    // id; empty: none was written
  std::vector<Finding> untold;  // stalls of which only a line was said so far
  // When SIGKILL follows an abort that has not ended it; 0: none is due.
  uint64_t kill_at_ns = 0;
  uint64_t kill_latest_ns = 0;  // however long its core file takes
  bool killed = false;          // that signal was sent

 private:
  class LateResolver;

  int pid_;
  UniqueFd pidfd_;
  std::string auxiliary_vector_;  // as it was at first; empty: not known
  std::shared_ptr<LedgerReader> reader_;
  const bool execed_before_;  // before its auxiliary vector was read
  std::unique_ptr<KernelView> kernel_;
  std::unique_ptr<LateResolver> resolver_;
  std::unique_ptr<ProcessJudge> judge_;
};

}  // namespace lockwarden
