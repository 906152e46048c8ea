// One recorder a process: the preload's if it is there, else that of the first library
// that exports one, else the one linked into this executable.
#include "runtime/the_recorder.h"

#include <dlfcn.h>
#include <sys/mman.h>

#include <atomic>
#include <cstdio>

#include "runtime/raw_syscall.h"
#include "runtime/settings.h"

namespace lockwarden::ledger {
namespace {

// Where no recorder can be used: the types do everything themselves.
constexpr RecorderApi kNobody = {
    RecorderApi::kVersion,
    kLayoutVersion,
    [](void*, uint32_t, uint64_t, uint64_t, const char*, const TimeLimit*) {
      return LockAnswer::kNotRecorded;
    },
    [](void*, uint32_t, uint64_t) { return LockAnswer::kNotRecorded; },
    [](void*, uint32_t, uint64_t, uint64_t, const TimeLimit*, Cycle*) {
      return LockAnswer::kNotRecorded;
    },
    [](const void*, uint32_t, uint64_t, uint64_t) {},
    [](const WaitRequest*) { return LockAnswer::kNotRecorded; },
    [](const void*, uint64_t) {},
    nullptr,
    nullptr,
    nullptr,
    [](void*, uint32_t, uint64_t, uint64_t, const char*, Cycle*) {
      return LockAnswer::kNotRecorded;
    },
    [](const void*, LockKind, const char*, bool, uint64_t, uint64_t) { return false; }};

const RecorderApi* Find() {
  if constexpr (kInstrumented) {
    using Function = const RecorderApi* (*)();
    const auto found = reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, "lockwarden_recorder_v1"));
    const RecorderApi* api = found != nullptr ? found() : lockwarden_recorder_v1();
    if (api->version == RecorderApi::kVersion) return api;
    std::fprintf(stderr,
                 "lockwarden: this program's locks are not recorded: the recorder loaded before has "
                 "version %u, not %u\n",
                 api->version, RecorderApi::kVersion);
  }
  return &kNobody;
}

constinit ThisThread unregistered;  // nobody writes it: its epoch is no gate's
constinit Gate closed;              // nor this: its epoch is no thread's

// One word in a page that is zero in a forked child: there the thread's id is another, and
// no fork handler of ours need have run yet. Where there is no such page it stays zero.
//   M1 pointer CAS  acq_rel  pairs with M2
//   M2 pointer      acquire
constinit std::atomic<uint32_t> always_zero{0};

std::atomic<uint32_t>* MapForkMark() {
  std::atomic<uint32_t>* mark = fork_mark.load(std::memory_order_acquire);  // M2
  if (mark != &always_zero) return mark;
  constexpr long kPage = 4096;
  const long page = RawSyscall(SYS_mmap, 0, kPage, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page < 0 && page > -4096) return mark;
  auto* mapped = reinterpret_cast<std::atomic<uint32_t>*>(page);
  if (RawSyscall(SYS_madvise, page, kPage, MADV_WIPEONFORK) == 0 &&
      fork_mark.compare_exchange_strong(mark, mapped, std::memory_order_acq_rel)) {  // M1
    return mapped;
  }
  RawSyscall(SYS_munmap, page, kPage);  // not to be had, or another thread was first
  return mark;
}

void FindTid() {
  std::atomic<uint32_t>* mark = MapForkMark();
  const uint32_t tid = static_cast<uint32_t>(RawSyscall(SYS_gettid));
  if (this_tid != 0 && this_tid != tid) tid_before_fork = this_tid;
  this_tid = tid;
  // Relaxed: in a new image only its one thread can be here; later it is written once more.
  if (mark != &always_zero) mark->store(1, std::memory_order_relaxed);
}

}  // namespace

__thread ThisThread* linked_thread __attribute__((tls_model("initial-exec"))) = &unregistered;
constinit std::atomic<const Gate*> linked_gate{&closed};
constinit std::atomic<uint32_t> linked_wants{0};

void LearnThread() {
  const RecorderApi* const api = TheRecorder();
  // A preload of another build may keep its records otherwise: then each call goes through it.
  if (api->this_thread == nullptr || api->layout_version != kLayoutVersion) return;
  const Settings& settings = *api->settings;
  const uint32_t wants = (settings.order ? kWantsOrder : 0) |
                         (settings.stacks == StackMode::kFull ? kWantsStacks : 0);
  // Relaxed, all: the same by whichever thread, which has come by here before it looks.
  uint32_t known = linked_wants.load(std::memory_order_relaxed);
  while (!linked_wants.compare_exchange_weak(known, wants | (known & kWantsCheck),
                                             std::memory_order_relaxed)) {  // as above
  }
  linked_gate.store(api->gate->load(std::memory_order_acquire), std::memory_order_release);  // G0
  linked_thread = api->this_thread();
}

const RecorderApi* TheRecorder() {
  static const RecorderApi* const recorder = Find();
  return recorder;
}

constinit thread_local uint32_t this_tid = 0;
constinit thread_local uint32_t tid_before_fork = 0;
constinit std::atomic<std::atomic<uint32_t>*> fork_mark{&always_zero};

Self FindSelf() {
  FindTid();
  return {this_tid, tid_before_fork};
}

}  // namespace lockwarden::ledger
