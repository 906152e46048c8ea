// Puts reader, kernel view, symboliser and judge together.
#include "watchdog/watched_process.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "watchdog/memory_map.h"
#include "watchdog/process_facts.h"
#include "watchdog/symbolizer.h"

namespace lockwarden {

// Brings the symboliser up to date when the first address of a look is asked for: nearly
// all looks, and most short-lived processes, never ask.
class WatchedProcess::LateResolver : public StackResolver {
 public:
  LateResolver(const LedgerReader* reader, int pid) : reader_(reader), pid_(pid) {}
  // `alive`: /proc/PID/maps is still the process's.
  void NewLook(bool alive) {
    current_ = false;
    alive_ = alive;
  }
  StackTrace Resolve(const std::vector<uint64_t>& pcs) override {
    if (!std::exchange(current_, true)) symbolizer_.Update(reader_->Modules(), alive_ ? pid_ : 0);
    return symbolizer_.Resolve(pcs);
  }

 private:
  const LedgerReader* reader_;
  int pid_;
  bool current_ = false, alive_ = false;
  Symbolizer symbolizer_;
};

namespace {

// Whether the process has mapped what is mapped at `base` here. True where that cannot be known.
bool HasMapped(int pid, const void* base) {
  const std::vector<MemoryMapping> ours = ReadMemoryMap(getpid());
  const MemoryMapping* const ledger = FindMapping(ours, reinterpret_cast<uint64_t>(base));
  const std::vector<MemoryMapping> theirs = ReadMemoryMap(pid);
  if (ledger == nullptr || ledger->inode == 0 || theirs.empty()) return true;
  return std::any_of(theirs.begin(), theirs.end(), [ledger](const MemoryMapping& mapping) {
    return mapping.inode == ledger->inode && mapping.device == ledger->device;
  });
}

}  // namespace

WatchedProcess::WatchedProcess(Registration registration, JudgeOptions options)
    : pid_(registration.pid),
      pidfd_(std::move(registration.pidfd)),
      auxiliary_vector_(ReadAuxiliaryVector(pid_)),
      reader_(std::move(registration.reader)),
      // In this order: what still has the ledger afterwards was the ledger's image before.
      execed_before_(!HasMapped(pid_, reader_->base())),
      kernel_(MakeProcKernelView(pid_)),
      resolver_(std::make_unique<LateResolver>(reader_.get(), pid_)),
      judge_(std::make_unique<ProcessJudge>(reader_.get(), kernel_.get(), resolver_.get(), pid_,
                                            options)) {}

WatchedProcess::~WatchedProcess() = default;

std::vector<Finding> WatchedProcess::Step(uint64_t now_ns) {
  resolver_->NewLook(!HasEnded());
  return judge_->Step(now_ns);
}

std::vector<Finding> WatchedProcess::Finish(uint64_t now_ns) {
  resolver_->NewLook(!HasEnded());
  return judge_->Finish(now_ns);
}

JudgedProcess WatchedProcess::Lend() const {
  resolver_->NewLook(!HasEnded());
  return judge_->Lend();
}

StackResolver* WatchedProcess::resolver() const { return resolver_.get(); }

std::vector<std::string> WatchedProcess::TurnedDown() const {
  resolver_->NewLook(!HasEnded());
  return judge_->TurnedDown();
}

bool WatchedProcess::HasEnded() const {
  if (!pidfd_.valid()) return true;
  pollfd ended{pidfd_.get(), POLLIN, 0};
  return poll(&ended, 1, 0) != 0;
}

bool WatchedProcess::HasExeced() const {
  if (execed_before_) return true;
  const std::string now = auxiliary_vector_.empty() ? "" : ReadAuxiliaryVector(pid_);
  return !now.empty() && now != auxiliary_vector_;
}

bool WatchedProcess::SignalThread(uint32_t tid, int signal) const {
  // In another pid namespace the tid is not ours to use.
  if (HasEnded() || !kernel_->SharesPidNamespace()) return false;
  return syscall(SYS_tgkill, pid_, tid, signal) == 0;
}

bool WatchedProcess::Signal(int signal) const {
  return pidfd_.valid() &&
         syscall(SYS_pidfd_send_signal, pidfd_.get(), signal, nullptr, 0) == 0;
}

}  // namespace lockwarden
