// Decodes each thread's wait, gives the locks names, and says of each thread what it does.
#include "watchdog/inspect/process_picture.h"

#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <memory>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "watchdog/finding_parts.h"
#include "watchdog/inspect/call_description.h"
#include "watchdog/inspect/python_frames.h"
#include "watchdog/inspect/remote_unwinder.h"
#include "watchdog/inspect/thread_list.h"

namespace lockwarden {
namespace {

std::string ProgramOf(int pid) {
  char path[4096];
  const ssize_t size = readlink(absl::StrCat("/proc/", pid, "/exe").c_str(), path, sizeof(path));
  if (size > 0) return std::string(path, static_cast<size_t>(size));
  std::ifstream comm(absl::StrCat("/proc/", pid, "/comm"));
  std::string name;
  std::getline(comm, name);
  return name;
}

// Signals whose handlers run only when the program itself goes wrong, and glibc's own two, which
// wake nobody.
bool HandlerCouldWake(int signal) {
  constexpr int kNever[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, 32, 33};
  return std::find(std::begin(kNever), std::end(kNever), signal) == std::end(kNever);
}

std::string WakesAnybody(KernelView* kernel) {
  const std::optional<uint64_t> caught = kernel->CaughtSignals();
  if (!caught.has_value()) return "whether a signal handler could is not known";
  std::vector<std::string> names;
  for (int signal = 1; signal <= 64; ++signal) {
    if ((*caught >> (signal - 1) & 1) == 0 || !HandlerCouldWake(signal)) continue;
    const char* name = sigabbrev_np(signal);
    names.push_back(name == nullptr ? absl::StrCat("signal ", signal) : absl::StrCat("SIG", name));
  }
  if (kernel->MemoryIsShared()) return "another process works in the same memory";
  if (names.empty()) return "";
  constexpr size_t kTold = 6;
  const size_t more = names.size() - std::min(names.size(), kTold);
  names.resize(names.size() - more);
  return absl::StrCat("its handler of ", absl::StrJoin(names, ", "),
                      more == 0 ? "" : absl::StrCat(" and ", more, " more"));
}

const char* StateClause(char state) {
  switch (state) {
    case 'R':
      return "runs, or could run";
    case 'T':
      return "is stopped by a signal";
    case 't':
      return "is stopped by a debugger";
    case 'Z':
    case 'X':
      return "has ended";
    case 'S':
      return "is awake in user code, or was when it was looked at";
    default:
      return "could not be asked";
  }
}

class Maker {
 public:
  Maker(const PictureSource& source, ProcessPicture* picture)
      : source_(source), picture_(picture) {}

  void Decode() {
    absl::flat_hash_set<uint32_t> living;
    for (const PictureThread& thread : picture_->threads) {
      if (thread.stack.kernel.state != 'Z') living.insert(thread.stack.inside);
    }
    for (PictureThread& thread : picture_->threads) {
      thread.wait = DecodeWait(thread.stack, living, source_.kernel);
      if (thread.wait.awaited == Awaited::kSystemCall) AskForFileLock(&thread);
      if (thread.waits_for_lock()) thread.lock = AddLock(thread.wait);
      FindOutsiders(living, &thread);
      ForgetNewcomers(living, &thread);
    }
    for (PictureThread& thread : picture_->threads) thread.doing = Doing(thread);
  }

 private:
  void AskForFileLock(PictureThread* thread) {
    if (source_.files == nullptr) return;
    const auto wait = source_.files->Ask(picture_->pid, thread->stack.kernel, source_.kernel);
    if (!wait.has_value() || wait->conflicting.empty()) return;
    thread->wait.awaited = Awaited::kFileLock;
    thread->wait.kind = "file_lock";
    thread->wait.shared = true;
    thread->wait.attributes = wait->path.empty() ? wait->identity : wait->path;
    const std::set<int>& holders = wait->conflicting.front().holders;
    thread->outside.assign(holders.begin(), holders.end());
    thread->others_may_hold = !wait->complete;
    if (!wait->complete) thread->wait.note = "not every process could be asked whether it holds it";
  }

  // An owner that is no thread of this process: of another one that shares the lock, or gone.
  void FindOutsiders(const absl::flat_hash_set<uint32_t>& living, PictureThread* thread) {
    if (!thread->wait.shared || thread->wait.owners.empty()) return;
    if (living.contains(thread->wait.owners.front())) return;
    thread->outside_owner = thread->wait.owners.front();
    thread->wait.owners.clear();
  }

  // An owner that was not listed may have ended, or have begun after the list was made.
  void ForgetNewcomers(const absl::flat_hash_set<uint32_t>& living, PictureThread* thread) {
    std::vector<uint32_t>& owners = thread->wait.owners;
    if (owners.empty() || living.contains(owners.front())) return;
    const KernelThread now = source_.kernel->Thread(owners.front());
    if (!now.exists || now.state == 'Z' || now.state == 'X') return;
    thread->wait.note = "its holder began while the process was looked at";
    owners.clear();
    ++picture_->left_out;
  }

  size_t AddLock(const DecodedWait& wait) {
    for (size_t i = 0; i < picture_->locks.size(); ++i) {
      const FindingLock& lock = picture_->locks[i];
      if (lock.address == wait.object && lock.kind == wait.kind &&
          (wait.object != 0 || lock.name == wait.attributes)) {
        return i;
      }
    }
    FindingLock lock;
    lock.id = picture_->locks.size() + 1;
    lock.address = wait.object;
    lock.kind = wait.kind;
    lock.name = wait.awaited == Awaited::kFileLock ? wait.attributes : source_.name_of(wait.object);
    std::string spoken = wait.spoken.empty() ? wait.kind : wait.spoken;
    std::replace(spoken.begin(), spoken.end(), '_', ' ');
    lock.label = lock.name.empty() ? absl::StrCat(spoken, " ", lock.id)
                                   : absl::StrCat(spoken, " \"", lock.name, "\"");
    picture_->locks.push_back(std::move(lock));
    return picture_->locks.size() - 1;
  }

  std::string Doing(const PictureThread& thread) const {
    const DecodedWait& wait = thread.wait;
    if (wait.awaited == Awaited::kNothing) return StateClause(thread.stack.kernel.state);
    if (wait.awaited == Awaited::kUnknown) {
      return thread.stack.kernel.state == 'D' ? "sleeps uninterruptibly" : "sleeps";
    }
    if (wait.awaited == Awaited::kSystemCall) {
      return source_.describe_call(thread.stack.kernel);
    }
    std::string text = absl::StrCat(Verb(wait.awaited), Object(thread));
    if (wait.timed) text += ", with a time limit";
    if (!wait.owners.empty() && wait.awaited != Awaited::kJoin) {
      absl::StrAppend(&text, ", which ",
                      wait.owners.front() == thread.stack.inside
                          ? "it holds itself"
                          : absl::StrCat(picture_->NameOfThread(wait.owners.front()), " holds"));
    }
    if (thread.outside_owner != 0) {
      absl::StrAppend(&text, ", which tid ", thread.outside_owner, " of another process holds");
    }
    if (!thread.outside.empty()) {
      absl::StrAppend(&text, ", which pid ", absl::StrJoin(thread.outside, " or "), " holds");
    }
    if (!wait.note.empty()) absl::StrAppend(&text, " (", wait.note, ")");
    return text;
  }

  static const char* Verb(Awaited awaited) {
    switch (awaited) {
      case Awaited::kReadLock:
        return "waits to read ";
      case Awaited::kWriteLock:
        return "waits to write ";
      case Awaited::kCondition:
        return "waits for a signal on ";
      case Awaited::kSemaphore:
        return "waits for a unit of ";
      case Awaited::kBarrier:
        return "waits for the others at ";
      case Awaited::kFutex:
        return "waits for a wake-up on ";
      default:
        return "waits for ";
    }
  }

  std::string Object(const PictureThread& thread) const {
    if (thread.wait.awaited != Awaited::kJoin) return picture_->locks[thread.lock].label;
    if (thread.wait.owners.empty()) return "another thread to end";
    return absl::StrCat(picture_->NameOfThread(thread.wait.owners.front()), " to end");
  }

  const PictureSource& source_;
  ProcessPicture* picture_;
};

}  // namespace

const PictureThread* ProcessPicture::Thread(uint32_t inside) const {
  for (const PictureThread& thread : threads) {
    if (thread.stack.inside == inside) return &thread;
  }
  return nullptr;
}

std::string ProcessPicture::NameOfThread(uint32_t inside) const {
  FindingThread named;
  named.tid = inside;
  const PictureThread* thread = Thread(inside);
  if (thread == nullptr) return absl::StrCat("thread (tid ", inside, "), which is gone,");
  named.tid = thread->stack.tid;
  named.name = thread->stack.kernel.comm;
  return NameOf(named);
}

ProcessPicture DecodeProcess(int pid, ProcessStacks stacks, const PictureSource& source) {
  ProcessPicture picture;
  picture.pid = pid;
  picture.left_out = stacks.left_out;
  picture.why_none = std::move(stacks.why_none);
  for (ThreadStack& stack : stacks.threads) {
    PictureThread thread;
    thread.stack = std::move(stack);
    picture.threads.push_back(std::move(thread));
  }
  Maker(source, &picture).Decode();
  return picture;
}

ProcessPicture TakePicture(int pid, const StackLimits& limits, KernelView* kernel,
                           StackResolver* resolver) {
  const std::unique_ptr<FileLockView> files = MakeProcFileLockView();
  const auto variables = RemoteUnwinder::OfProcess(ThreadWithMemory(pid, ThreadsOf(pid)));
  const auto name_of = [&](uint64_t address) {
    return variables == nullptr ? "" : variables->VariableAt(address);
  };
  const auto describe = [&](const KernelThread& thread) {
    return DescribeCall(pid, thread, kernel);
  };
  ProcessStacks stacks = StacksOfAllThreads(pid, limits, resolver);
  PythonFrames python;
  if (variables != nullptr) {
    python =
        ReadPythonFrames([&](const char* name) { return variables->AddressOf("python", name); },
                         [&](uint64_t address, void* out, size_t size) {
                           return kernel->ReadMemory(address, out, size);
                         });
  }
  for (ThreadStack& thread : stacks.threads) {
    const auto frames = python.by_thread.find(thread.inside);
    if (frames == python.by_thread.end()) continue;
    thread.frames = WithPythonFrames(thread.frames, frames->second);
  }
  ProcessPicture picture =
      DecodeProcess(pid, std::move(stacks), {kernel, files.get(), name_of, describe});
  if (!python.note.empty()) picture.notes.push_back(python.note);
  if (variables != nullptr && variables->AddressOf("libjvm.so", "gHotSpotVMStructs") != 0) {
    picture.notes.push_back(absl::StrCat(
        "This is a Java virtual machine, which parks its threads on conditions of its own: "
        "`jstack ",
        pid, "` tells the locks and frames of Java code."));
  }
  picture.program = ProgramOf(pid);
  picture.wakes_anybody = WakesAnybody(kernel);
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  picture.time_ns =
      static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
  return picture;
}

}  // namespace lockwarden
