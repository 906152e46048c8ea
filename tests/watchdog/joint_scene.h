// JointTest: two scenes that stand for two processes, and a judge of both. Their threads have
// the same tids, as in two pid namespaces, and they map the shared page at different addresses.
//
// Not thread-safe; no threads, as in scene.h.
#pragma once

#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/watchdog/scene.h"
#include "watchdog/joint_detector.h"

namespace lockwarden {

inline constexpr int kPids[2] = {4242, 4243};
inline constexpr uint32_t kShared = ledger::kInitSeen | ledger::kProcessShared;

// Files by what the waiting thread's first argument, its descriptor, says.
class FakeFiles : public FileLockView {
 public:
  std::optional<FileLockWait> Ask(int pid, const KernelThread& thread, KernelView*) override {
    ++asked;
    const auto found = waits.find({pid, thread.syscall_args[0]});
    if (found == waits.end() || thread.state != 'S') return std::nullopt;
    return found->second;
  }
  std::map<std::pair<int, uint64_t>, FileLockWait> waits;
  int asked = 0;
};

class JointTest : public testing::Test {
 protected:
  using Ref = Scene::Ref;

  JointTest() : files_(new FakeFiles), joint_(std::unique_ptr<FileLockView>(files_), kConfirm) {
    // The scenes' locks begin at 0x10000: the second has a page more before its shared one.
    for (int p = 0; p < 2; ++p) {
      const uint64_t shift = p == 0 ? 0 : 0x100;
      scenes[p].book.header().pid = static_cast<uint32_t>(kPids[p]);
      scenes[p].kernel.shared = {{0x10000 + shift, 0x14000, {.device = 1, .inode = 77}}};
    }
    private_ = scenes[1].Mutex();
    for (int p = 0; p < 2; ++p) main_[p] = scenes[p].Thread("main");
  }

  // The same object in both.
  template <class Make>
  void Share(Ref (&lock)[2], Make make) {
    for (int p = 0; p < 2; ++p) lock[p] = make(scenes[p]);
  }
  void Mutexes(uint32_t flags = kShared) {
    Share(a, [&](Scene& scene) { return scene.Mutex(flags); });
    Share(b, [&](Scene& scene) { return scene.Mutex(flags); });
    for (int p = 0; p < 2; ++p) {
      for (Ref lock : {a[p], b[p]}) {
        // __kind: 128 is "between processes", 16 robust
        const uint32_t robust = (flags & ledger::kRobust) != 0 ? 16 : 0;
        scenes[p].kernel.SetWord(scenes[p].AddressOf(lock) + 16, 128 | robust);
      }
    }
  }
  // Process p's main thread takes it; the word is one and the same memory.
  void Take(int p, Ref (&lock)[2]) {
    scenes[p].Take(main_[p], lock[p]);
    CopyWord(p, lock);
  }
  void CopyWord(int p, Ref (&lock)[2]) {
    for (uint64_t i = 0; i < 56; ++i) {
      const auto byte = scenes[p].kernel.memory.find(scenes[p].AddressOf(lock[p]) + i);
      if (byte == scenes[p].kernel.memory.end()) break;
      scenes[1 - p].kernel.memory[scenes[1 - p].AddressOf(lock[1 - p]) + i] = byte->second;
    }
  }
  void Cross() {
    Take(0, a);
    Take(1, b);
    scenes[0].Block(main_[0], b[0]);
    scenes[1].Block(main_[1], a[1]);
  }

  std::vector<JudgedProcess> Look(uint64_t now_ns) {
    std::vector<JudgedProcess> processes;
    for (int p = 0; p < 2; ++p) {
      if (absent == p) continue;
      own = scenes[p].Step(now_ns);
      EXPECT_TRUE(Only(own, FindingKind::kDeadlock).empty()) << "told by the process's own judge";
      EXPECT_TRUE(Only(own, FindingKind::kSelfDeadlock).empty());
      processes.push_back(scenes[p].judge().Lend());
    }
    return processes;
  }
  std::vector<JointFinding> Step(uint64_t now_ns) { return joint_.Look(Look(now_ns), now_ns); }
  // Two looks, and one more for waits that must not have run in between.
  std::vector<JointFinding> Judge(const std::function<void()>& between = nullptr) {
    EXPECT_TRUE(Step(kStart).empty()) << "one look is not enough";
    if (between) between();
    std::vector<JointFinding> findings = Step(kStart + kConfirm);
    for (JointFinding& more : Step(kStart + 10 * kConfirm)) findings.push_back(std::move(more));
    return findings;
  }

  // Process p's main thread waits for a file by this descriptor; `holders` hold it.
  void BlockFile(int p, int fd, const std::string& identity,
                 std::vector<std::set<int>> holders, bool exclusive = true) {
    Scene& scene = scenes[p];
    const Ref lock =
        scene.book.AddLock(ledger::LockKind::kFileLock,
                           ledger::kFileLockBase | static_cast<uint64_t>(fd), 0);
    const auto exclusively = static_cast<uint8_t>(ledger::Mode::kExclusive);
    scene.book.BeginWait(main_[p], ledger::WithMode(lock, exclusively), ledger::kFileLockBase,
                         0x4020);
    scene.kernel.SleepOn(scene.TidOf(main_[p]), static_cast<uint64_t>(fd));
    scene.kernel.threads[scene.TidOf(main_[p])].syscall = SYS_flock;
    FileLockWait& wait = files_->waits[{kPids[p], static_cast<uint64_t>(fd)}];
    wait.wanted.exclusive = exclusive;
    wait.identity = identity;
    wait.path = "/" + identity;
    for (std::set<int>& pids : holders) {
      wait.conflicting.push_back({{.exclusive = exclusive}, std::move(pids), {}});
    }
  }

  static constexpr uint64_t kStart = Scene::kStart, kConfirm = Scene::kConfirm;
  Scene scenes[2] = {Scene(kPids[0]), Scene(kPids[1])};
  uint32_t main_[2];
  Ref a[2], b[2], private_;
  FakeFiles* files_;
  JointDetector joint_;
  std::vector<Finding> own;
  int absent = -1;
};

}  // namespace lockwarden
