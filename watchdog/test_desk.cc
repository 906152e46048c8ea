// See test_desk.h.
#include "watchdog/test_desk.h"

#include <sys/socket.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "watchdog/printable.h"
#include "watchdog/report.h"

namespace lockwarden {
namespace {

constexpr uint64_t kPatienceNs = 1'000'000'000;
constexpr size_t kMostProcesses = 4096, kMostFindings = 100;
constexpr size_t kMostText = 60'000;  // bytes of one message

}  // namespace

void TestDesk::Take(TestCall call, uint64_t now_ns) {
  if (call.ends) {
    waiters_.push_back({call.pid, std::move(call.fd), now_ns + kPatienceNs});
    return;
  }
  if (tests_.size() >= kMostProcesses) tests_.clear();
  tests_[call.pid] = Test{Printable(call.name), {}};
}

void TestDesk::Name(Finding* finding) const {
  const auto test = tests_.find(static_cast<int>(finding->pid));
  if (test == tests_.end() || test->second.name.empty()) return;
  finding->story.push_back(absl::StrCat("This was in the test ", test->second.name, "."));
}

void TestDesk::Note(const Finding& finding) {
  const auto test = tests_.find(static_cast<int>(finding.pid));
  if (test == tests_.end() || test->second.findings.size() >= kMostFindings) return;
  test->second.findings.push_back(FormatText(finding, TextStyle()).substr(0, kMostText));
}

std::vector<int> TestDesk::Waiting() const {
  std::vector<int> pids;
  for (const Waiter& waiter : waiters_) pids.push_back(waiter.pid);
  return pids;
}

void TestDesk::Answer(int pid, bool settled, uint64_t now_ns) {
  std::erase_if(waiters_, [&](const Waiter& waiter) {
    if (waiter.pid != pid || (!settled && now_ns < waiter.latest_ns)) return false;
    for (const std::string& text : std::exchange(tests_[pid].findings, {})) {
      // One that does not read is not waited for.
      send(waiter.fd.get(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    return true;
  });
}

}  // namespace lockwarden
