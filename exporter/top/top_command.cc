// Asks on a side thread, so that somebody who does not answer keeps no key waiting; draws and
// takes keys on the main thread.
#include <fcntl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "exporter/local_get.h"
#include "exporter/quiet_signals.h"
#include "exporter/top/top_data.h"
#include "exporter/top/top_screen.h"
#include "exporter/top/top_terminal.h"
#include "watchdog/mutex.h"
#include "watchdog/top_command.h"
#include "watchdog/unique_fd.h"

namespace lockwarden {
namespace {

constexpr size_t kMostPrograms = 64;
constexpr size_t kMostAnswer = 8u << 20;  // bytes
constexpr int kKeyPauseMs = 100;

std::string ClockText() {
  const time_t now = time(nullptr);
  tm local{};
  localtime_r(&now, &local);
  char text[16];
  strftime(text, sizeof text, "%H:%M:%S", &local);
  return text;
}

// All that answer; with a pid, the one that has it.
class Feed {
 public:
  explicit Feed(int pid) : pid_(pid) {}
  ~Feed() {
    {
      MutexLock lock(&mutex_);
      stop_ = true;
    }
    mutex_.Notify();
    if (thread_.joinable()) thread_.join();
  }

  void Start(absl::Duration every) {
    const BlockAllSignals block;  // they are the main thread's
    thread_ = std::thread([this, every] {
      for (;;) {
        Ask();
        MutexLock lock(&mutex_);
        mutex_.WaitFor(stop_, every);
        if (stop_) return;
      }
    });
  }
  // May take some seconds where somebody does not answer.
  void Ask() {
    TopData fresh;
    for (const LocalServer& server : FindLocalServers(kMostPrograms)) {
      auto program = ParseTopProgram(LocalGet(server, "/api/v1/status", kMostAnswer));
      if (!program.has_value()) continue;
      program->source = server.name;
      program->watcher_pid = server.pid;
      if (pid_ != 0 && !Has(*program, pid_)) continue;
      const auto before = known_.find(server.name);
      if (before != known_.end()) FillRates(before->second, &*program);
      // The same look again, and its rates with it.
      if (before != known_.end() && before->second.time_seconds == program->time_seconds) {
        *program = before->second;
      }
      fresh.push_back(*std::move(program));
    }
    known_.clear();
    for (const TopProgram& program : fresh) known_[program.source] = program;
    std::sort(fresh.begin(), fresh.end(), [](const TopProgram& a, const TopProgram& b) {
      return std::pair(a.program, a.watcher_pid) < std::pair(b.program, b.watcher_pid);
    });
    MutexLock lock(&mutex_);
    latest_.swap(fresh);
  }
  TopData Latest() const {
    MutexLock lock(&mutex_);
    return latest_;
  }

 private:
  static bool Has(const TopProgram& program, int pid) {
    return program.watcher_pid == pid ||
           std::find(program.pids.begin(), program.pids.end(), static_cast<uint32_t>(pid)) !=
               program.pids.end();
  }

  const int pid_;
  std::map<std::string, TopProgram> known_;  // by source; who asks alone
  mutable Mutex mutex_;
  TopData latest_ ABSL_GUARDED_BY(mutex_);
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

// What became of it, for the last line of the screen.
std::string Dump(const std::string& text) {
  const std::string path = absl::StrCat("lockwarden-top-", getpid(), ".txt");
  // No link of somebody else's is followed, and nobody else reads it.
  const UniqueFd fd(
      open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  const bool written =
      fd.valid() && write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
  return written ? absl::StrCat("written to ", path) : absl::StrCat("cannot write ", path);
}

absl::Status NobodyThere(int pid) {
  if (pid == 0) {
    return absl::NotFoundError(
        "top: nothing to look at: none of this user's programs runs under lockwarden run, or has "
        "an Exporter");
  }
  return absl::NotFoundError(absl::StrCat(
      "top: pid ", pid, " is not this user's, or neither runs under lockwarden run nor has an ",
      "Exporter"));
}

}  // namespace

absl::Status TopCommand(const TopRequest& request) {
  // The command blocks signals, for `run`; here Ctrl-C ends, and the terminal may change its size.
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, nullptr);
  Feed feed(request.pid);
  feed.Ask();
  // The first question makes them look; what they saw comes with the next answer.
  for (int i = 0; i < 10; ++i) {
    const TopData data = feed.Latest();
    const bool looked = !data.empty() && std::all_of(data.begin(), data.end(), [](const auto& it) {
      return it.time_seconds != 0 && !it.classes.empty();
    });
    if (looked) break;
    absl::SleepFor(absl::Milliseconds(100));
    feed.Ask();
  }
  if (feed.Latest().empty()) return NobodyThere(request.pid);
  TopState state;
  std::unique_ptr<TopTerminal> terminal;
  if (!request.plain) terminal = TopTerminal::Open();
  if (terminal == nullptr) {
    const std::string text = PlainText(feed.Latest(), state);
    const bool written =
        fwrite(text.data(), 1, text.size(), stdout) == text.size() && fflush(stdout) == 0;
    return written ? absl::OkStatus() : absl::FailedPreconditionError("top: cannot write");
  }
  feed.Start(request.every);
  TopData data = feed.Latest();
  while (!state.quit) {
    if (!state.frozen) data = feed.Latest();
    if (std::exchange(state.dump, false)) state.message = Dump(PlainText(data, state));
    terminal->Draw(Screen(data, state, ClockText(), terminal->width(), terminal->height()));
    terminal->WaitForKey(kKeyPauseMs, data, &state);
  }
  return absl::OkStatus();
}

}  // namespace lockwarden
