// Names, places and labels.
#include "watchdog/finding_parts.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "watchdog/frames.h"

namespace lockwarden {

using ledger::LockKind;
using ledger::Mode;

const char* LockKindName(LockKind kind) {
  switch (kind) {
    case LockKind::kNone: return "lock";
    case LockKind::kMutex: return "mutex";
    case LockKind::kRwLock: return "rwlock";
    case LockKind::kSpin: return "spinlock";
    case LockKind::kSemaphore: return "semaphore";
    case LockKind::kCondition: return "condition";
    case LockKind::kBarrier: return "barrier";
    case LockKind::kOnce: return "once";
    case LockKind::kGuard: return "static_guard";
    case LockKind::kFileLock: return "file_lock";
    case LockKind::kFutex: return "futex";
    case LockKind::kLock: return "lock";
    case LockKind::kRLock: return "rlock";
    case LockKind::kSharedLock: return "shared_lock";
    case LockKind::kEvent: return "event";
    case LockKind::kQueue: return "queue";
    case LockKind::kFuture: return "future";
    case LockKind::kUser: return "user_lock";
  }
  return "lock";
}

const char* ModeName(Mode mode) {
  switch (mode) {
    case Mode::kNone: return "none";
    case Mode::kExclusive: return "exclusive";
    case Mode::kShared: return "shared";
    case Mode::kUpgrade: return "upgrade";
    case Mode::kUnit: return "unit";
    case Mode::kSignal: return "signal";
    case Mode::kJoin: return "join";
    case Mode::kArrive: return "arrive";
    case Mode::kUnowned: return "unowned";
  }
  return "none";
}

std::string Counted(size_t count, const char* noun) {
  return absl::StrCat(count, " ", noun, count == 1 ? "" : "s");
}

std::string Capitalized(std::string text) {
  if (!text.empty()) text[0] = absl::ascii_toupper(static_cast<unsigned char>(text[0]));
  return text;
}

std::string Place(const StackTrace& stack) {
  const StackTrace visible = VisibleFrames(stack);
  const auto user = std::find_if(visible.begin(), visible.end(), IsUserFrame);
  if (visible.empty()) return "";
  const StackFrame& frame = user == visible.end() ? visible.front() : *user;
  std::string place = frame.function;
  if (!frame.file.empty()) {
    if (!place.empty()) place += ", ";
    absl::StrAppend(&place, Basename(frame.file), ":", frame.line);
  }
  if (!place.empty()) return place;
  if (!frame.module.empty()) {
    return absl::StrCat(Basename(frame.module), "+0x", absl::Hex(frame.module_offset));
  }
  return absl::StrCat("0x", absl::Hex(frame.pc));
}

std::string PlaceInBrackets(const char* verb, const StackTrace& stack) {
  const std::string place = Place(stack);
  return place.empty() ? "" : absl::StrCat(" (", verb, " at ", place, ")");
}

std::string NameOf(const FindingThread& thread) {
  std::string name = "thread ";
  if (!thread.name.empty()) absl::StrAppend(&name, "'", thread.name, "' ");
  if (thread.tid != 0) {
    const std::string process = thread.pid == 0 ? "" : absl::StrCat(" of pid ", thread.pid);
    return absl::StrCat(name, "(tid ", thread.tid, process, ")");
  }
  return absl::StrCat(name, "number ", thread.serial);
}

Finding FindingParts::Begin(FindingKind kind, uint64_t now_ns) const {
  Finding finding;
  const ProcessIdentity& process = reader_->identity();
  finding.kind = kind;
  finding.pid = static_cast<uint32_t>(pid_);
  finding.program = process.program;
  finding.image_id[0] = process.image_id[0];
  finding.image_id[1] = process.image_id[1];
  // Both clocks were read together when the ledger was made; unsigned arithmetic is
  // right also for a time before that.
  finding.time_ns = process.clock_realtime_ns + (now_ns - process.clock_monotonic_ns);
  return finding;
}

std::string FindingParts::LockClass(const LockInfo& info) const {
  const ClassInfo lock_class = reader_->Class(info.lock_class);
  if (!lock_class.name.empty()) return lock_class.name;
  const StackTrace visible =
      VisibleFrames(info.init_stack != 0 ? Stack(info.init_stack, lock_class.site)
                                         : Stack(lock_class.stack, lock_class.site));
  const auto user = std::find_if(visible.begin(), visible.end(), IsUserFrame);
  if (visible.empty()) return "";
  const StackFrame& frame = user == visible.end() ? visible.front() : *user;
  if (frame.function.empty() || frame.file.empty()) return Place({frame});
  return absl::StrCat(frame.function, " ", Basename(frame.file), ":", frame.line);
}

FindingLock FindingParts::Lock(LockKey key) const {
  const LockInfo info = reader_->Lock(key);
  FindingLock lock;
  lock.kind = LockKindName(info.kind);
  lock.id = info.serial;
  lock.name = info.name;
  lock.address = info.address;
  std::string spoken = lock.kind;
  std::replace(spoken.begin(), spoken.end(), '_', ' ');
  if ((info.flags & ledger::kFolded) != 0) {
    lock.label = absl::StrCat(spoken, " beyond the lock table's room");
  } else if (!lock.name.empty()) {
    lock.label = absl::StrCat("\"", lock.name, "\"");
  } else if (info.kind == LockKind::kFutex) {
    lock.label = absl::StrCat("futex at 0x", absl::Hex(lock.address));  // not an object of its own
  } else if (lock.id != 0) {
    lock.label = absl::StrCat(spoken, " ", lock.id);
  } else {
    // A life that ended: only where it was is left. The generation tells it from others.
    lock.label = absl::StrCat(spoken, " at 0x", absl::Hex(lock.address), " (destroyed, life ",
                              key.generation, ")");
  }
  lock.lock_class = LockClass(info);
  lock.class_declared = !reader_->Class(info.lock_class).name.empty();
  return lock;
}

size_t FindingParts::AddLock(Finding* finding, LockKey key) const {
  FindingLock lock = Lock(key);
  for (size_t i = 0; i < finding->locks.size(); ++i) {
    const FindingLock& other = finding->locks[i];
    if (other.id == lock.id && other.address == lock.address && other.label == lock.label) return i;
  }
  finding->locks.push_back(std::move(lock));
  return finding->locks.size() - 1;
}

StackTrace FindingParts::Stack(uint32_t id, uint64_t site) const {
  std::vector<uint64_t> pcs = reader_->Stack(id);
  if (pcs.empty() && site != 0) pcs.push_back(site);
  return pcs.empty() ? StackTrace() : resolver_->Resolve(pcs);
}

FindingThread FindingParts::Thread(const ThreadInfo& info) const {
  FindingThread thread;
  thread.tid = info.tid;
  thread.serial = info.serial;
  thread.name = info.name;
  if (thread.name.empty()) thread.name = kernel_->Thread(info.tid).comm;
  return thread;
}

FindingThread FindingParts::Thread(uint32_t serial) const {
  FindingThread thread;
  thread.serial = serial;
  if (const auto found = names_->find(serial); found != names_->end()) {
    thread.tid = found->second.tid;
    thread.name = found->second.name;
  }
  return thread;
}

}  // namespace lockwarden
