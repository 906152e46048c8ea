// See sample_findings.h.
#include "tests/reporting/sample_findings.h"

namespace lockwarden {
namespace {

constexpr char kProgram[] = "/usr/local/bin/philosophers";
constexpr char kLibc[] = "/usr/lib/x86_64-linux-gnu/libc.so.6";
constexpr char kLibcBuildId[] = "82ce4e6e4ef08fa58a3535f7437bd3e592db5ac0";
constexpr uint64_t kTime = 1'795'253'400'123'456'789;  // 2026-11-21T09:30:00.123Z

StackFrame InCode(const char* function, const char* file, int line,
                  const char* module = kProgram) {
  StackFrame frame;
  frame.function = function;
  frame.file = file;
  frame.line = line;
  frame.module = module;
  frame.module_offset = 0x1000 + static_cast<uint64_t>(line);
  frame.pc = 0x555555554000 + frame.module_offset;
  frame.build_id = "0123456789abcdef0123456789abcdef01234567";
  return frame;
}

StackFrame Inlined(StackFrame frame) {
  frame.inlined = true;
  return frame;
}

StackFrame InModule(const char* module, uint64_t offset, const char* build_id,
                    const char* function = "") {
  StackFrame frame;
  frame.function = function;
  frame.module = module;
  frame.module_offset = offset;
  frame.pc = 0x7ffff7a00000 + offset;
  frame.build_id = build_id;
  return frame;
}

// Around `frames`: what every stack of a thread under the preload has.
StackTrace InThread(StackTrace frames) {
  frames.insert(frames.begin(), InModule("/usr/lib/liblockwarden_preload.so", 0x4321, "ffee",
                                         "pthread_mutex_lock"));
  frames.push_back(InModule(kLibc, 0x89134, kLibcBuildId));
  frames.push_back(InModule(kLibc, 0x1097dc, kLibcBuildId));
  return frames;
}

FindingLock Lock(uint64_t id, const char* label, const char* kind, const char* lock_class) {
  FindingLock lock;
  lock.id = id;
  lock.label = label;
  lock.kind = kind;
  lock.address = 0x5555555580a0 + 40 * id;
  lock.lock_class = lock_class;
  return lock;
}

FindingHold Holds(size_t lock, StackTrace stack, const char* mode = "exclusive") {
  FindingHold hold;
  hold.lock = lock;
  hold.mode = mode;
  hold.stack = std::move(stack);
  return hold;
}

FindingThread Thread(uint32_t tid, const char* name, FindingThread::Role role) {
  FindingThread thread;
  thread.tid = tid;
  thread.serial = tid - 4241;
  thread.name = name;
  thread.role = role;
  return thread;
}

void Wait(FindingThread* thread, size_t lock, StackTrace stack, double seconds,
          const char* mode = "exclusive") {
  thread->waits = true;
  thread->waits_for = lock;
  thread->waits_mode = mode;
  thread->stack = std::move(stack);
  thread->blocked_seconds = seconds;
}

Finding Begin(FindingKind kind, Confidence confidence, const char* headline) {
  Finding finding;
  finding.kind = kind;
  finding.confidence = confidence;
  finding.pid = 4242;
  finding.program = kProgram;
  finding.image_id[0] = 0x0123456789abcdef;
  finding.image_id[1] = 0xfedcba9876543210;
  finding.time_ns = kTime;
  finding.headline = headline;
  return finding;
}

}  // namespace

Finding TwoThreadDeadlock() {
  Finding finding = Begin(FindingKind::kDeadlock, Confidence::kProven,
                          "DEADLOCK: 2 threads, 2 locks");
  finding.story = {
      "Thread 'phil-0' (tid 4243) holds mutex 1 (taken at grab_fork, philosophers.c:31) and "
      "waits for mutex 2 (wanted at grab_fork, philosophers.c:31), which thread 'phil-1' (tid "
      "4244) holds (taken at grab_fork, philosophers.c:31).",
      "Thread 'phil-1' (tid 4244) holds mutex 2 (taken at grab_fork, philosophers.c:31) and "
      "waits for mutex 1 (wanted at grab_fork, philosophers.c:31), which thread 'phil-0' (tid "
      "4243) holds (taken at grab_fork, philosophers.c:31).",
  };
  finding.locks = {
      Lock(1, "mutex 1", "mutex", "lay_table philosophers.c:20"),
      Lock(2, "mutex 2", "mutex", "lay_table philosophers.c:20"),
      Lock(3, "mutex 3", "mutex", "main philosophers.c:66"),
      Lock(4, "condition 4", "condition", "main philosophers.c:67"),
  };
  const StackFrame grab = InCode("grab_fork", "philosophers.c", 31);
  const StackFrame left = InCode("dine", "philosophers.c", 45);
  const StackFrame right = InCode("dine", "philosophers.c", 47);

  FindingThread first = Thread(4243, "phil-0", FindingThread::Role::kInCycle);
  Wait(&first, 1, InThread({grab, right}), 1.24);
  first.holds = {Holds(0, InThread({grab, left})),
                 Holds(2, InThread({InCode("take_seat", "philosophers.c", 40), left}))};
  FindingThread second = Thread(4244, "phil-1", FindingThread::Role::kInCycle);
  Wait(&second, 0, InThread({grab, right}), 1.21);
  second.holds = {Holds(1, InThread({grab, left}))};
  finding.threads = {first, second};
  for (uint32_t tid = 4245; tid < 4248; ++tid) {
    FindingThread behind = Thread(tid, "guest", FindingThread::Role::kBehind);
    Wait(&behind, 0, InThread({InCode("admire_fork", "guests.c", 12)}), 0.5);
    finding.threads.push_back(behind);
  }
  FindingThread main = Thread(4242, "philosophers", FindingThread::Role::kOther);
  Wait(&main, 0, InThread({InCode("main", "philosophers.c", 80)}), 0, "join");
  main.joins_tid = 4243;
  FindingThread cook = Thread(4248, "cook", FindingThread::Role::kOther);
  Wait(&cook, 3, InThread({InCode("wait_for_order", "kitchen.c", 9)}), 0, "signal");
  FindingThread busy = Thread(4249, "", FindingThread::Role::kOther);
  finding.threads.insert(finding.threads.end(), {main, cook, busy});
  finding.cycle = {0, 1};
  finding.evidence = {
      "the records of both threads did not move between two looks 30 ms apart",
      "the lock words name the same owners",
      "the kernel shows both threads asleep in futex without a time limit, on these locks",
  };
  finding.advice = {"Take mutex 1 and mutex 2 in the same order everywhere."};
  finding.fingerprint = "00112233445566aa";
  finding.incident = "20261121T093000Z-4242-00112233-1";
  return finding;
}

Finding PotentialDeadlockInBank() {
  Finding finding = Begin(FindingKind::kPotentialDeadlock, Confidence::kStrong,
                          "POTENTIAL DEADLOCK: lock-order cycle of 2 locks");
  finding.program = "/usr/local/bin/bank";
  finding.story = {
      "Thread (tid 4243) took account \"alice\", then account \"bob\"; thread (tid 4244) took them "
      "the other way round.",
      "It did not hang this time."};
  FindingLock alice = Lock(7, "account \"alice\"", "lock", "bank::Account::Account bank.cc:14");
  alice.name = "alice";
  FindingLock bob = Lock(8, "account \"bob\"", "lock", "bank::Account::Account bank.cc:14");
  bob.name = "bob";
  finding.locks = {alice, bob};
  const char* const bank = "/usr/local/bin/bank";
  const auto stack = [&](int line, const char* caller) {
    return StackTrace{
        Inlined(InCode("std::lock_guard<lockwarden::Lock>::lock_guard",
                       "/usr/include/c++/12/bits/std_mutex.h", 229, bank)),
        Inlined(InCode("bank::Account::transfer", "bank.cc", line, bank)),
        InCode(caller, "bank.cc", line + 30, bank),
        InCode("std::thread::_State_impl<std::thread::_Invoker<std::tuple<main::$_0> > >::_M_run",
               "/usr/include/c++/12/bits/std_thread.h", 210, bank),
        InModule("/usr/lib/x86_64-linux-gnu/libstdc++.so.6", 0xd44a3, "aa55"),
        InModule(kLibc, 0x89134, kLibcBuildId),
        InModule(kLibc, 0x1097dc, kLibcBuildId)};
  };
  FindingThread first = Thread(4243, "", FindingThread::Role::kInCycle);
  Wait(&first, 1, stack(23, "pay_rent"), 0);
  first.holds = {Holds(0, stack(22, "pay_rent"))};
  FindingThread second = Thread(4244, "", FindingThread::Role::kInCycle);
  Wait(&second, 0, stack(23, "refund"), 0);
  second.holds = {Holds(1, stack(22, "refund"))};
  finding.threads = {first, second};
  finding.cycle = {0, 1};
  finding.evidence = {"different threads, no common gate lock, both acquisitions can block"};
  finding.advice = {"Take both with lockwarden::acquire(a, b), or always in the same order."};
  finding.fingerprint = "8899aabbccddeeff";
  return finding;
}

Finding UnlockByAnotherThread() {
  Finding finding = Begin(FindingKind::kMisuse, Confidence::kProven,
                          "MISUSE: mutex 5 unlocked by a thread that does not hold it");
  finding.misuse = "unlock_not_owner";
  finding.story = {
      "Thread 'reaper' (tid 4245) unlocked mutex 5, which thread 'worker' (tid 4243) holds."};
  finding.locks = {Lock(5, "mutex 5", "mutex", "start_pool pool.c:18")};
  FindingThread offender = Thread(4245, "reaper", FindingThread::Role::kInCycle);
  offender.stack = InThread({InCode("reap", "pool.c", 71), InCode("reaper_main", "pool.c", 90)});
  FindingThread owner = Thread(4243, "worker", FindingThread::Role::kInCycle);
  owner.holds = {Holds(0, InThread({InCode("work", "pool.c", 33)}))};
  finding.threads = {offender, owner};
  finding.advice = {"Let the thread that locked mutex 5 unlock it."};
  finding.fingerprint = "5566778899aabbcc";
  return finding;
}

Finding DeadlockWithoutSymbols() {
  Finding finding = Begin(FindingKind::kDeadlock, Confidence::kStrong,
                          "DEADLOCK: 2 threads, 1 lock");
  finding.story = {
      "Thread (tid 4243) holds rwlock 9 (to read) and waits for thread (tid 4244) to end.",
      "Thread (tid 4244) waits to write rwlock 9, which thread (tid 4243) holds.",
  };
  finding.locks = {Lock(9, "rwlock 9", "rwlock", "")};
  const char* const plugin = "/opt/vendor/lib/libplugin.so.3";
  const char* const plugin_id = "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00";
  FindingThread first = Thread(4243, "", FindingThread::Role::kInCycle);
  Wait(&first, 0, {InModule(plugin, 0x1234, plugin_id), InModule(plugin, 0x99, plugin_id, "plug")},
       12, "join");
  first.joins_tid = 4244;
  first.holds = {Holds(0, {}, "shared")};
  FindingThread second = Thread(4244, "", FindingThread::Role::kInCycle);
  StackFrame nowhere;
  nowhere.pc = 0x7fffdeadbeef;
  Wait(&second, 0, {InModule(plugin, 0x5678, plugin_id), nowhere,
                    InModule("/opt/vendor/bin/server", 0x42, "")},
       11.5);
  finding.threads = {first, second};
  finding.cycle = {0, 1};
  finding.evidence = {"the records did not move between two looks 30 ms apart",
                      "not had: /proc/4242/task/4244/syscall: Permission denied"};
  finding.advice = {"Release rwlock 9 before joining thread 4244."};
  finding.dropped = {{"held_list_full", 3}, {"locks", 120}};
  finding.fingerprint = "ddeeff0011223344";
  return finding;
}

std::vector<std::pair<std::string, Finding>> AllSamples() {
  return {{"deadlock", TwoThreadDeadlock()},
          {"potential_deadlock", PotentialDeadlockInBank()},
          {"misuse", UnlockByAnotherThread()},
          {"missing_symbols", DeadlockWithoutSymbols()}};
}

}  // namespace lockwarden
