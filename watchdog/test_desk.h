// TestDesk: which test each process is in, as it said itself (lockwarden/test_run.h), and what
// was found in it since.
//
// Written and read by: the supervisor's loop. Not thread-safe. Must never: keep a test runner
// waiting for a process that is stuck.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "watchdog/finding.h"
#include "watchdog/unique_fd.h"

namespace lockwarden {

// One message of a process.
struct TestCall {
  int pid = 0;
  UniqueFd fd;  // where the answer goes
  bool ends = false;
  std::string name;
};

class TestDesk {
 public:
  // A test that ends is answered by Answer, which is called when the process was looked at.
  void Take(TestCall call, uint64_t now_ns);
  // Adds the name of the test to a finding in a process that is in one.
  void Name(Finding* finding) const;
  // A finding that was told.
  void Note(const Finding& finding);
  // Processes that wait for an answer.
  std::vector<int> Waiting() const;
  // `settled`: nothing is suspected in the process that has still to be confirmed. Without that
  // an answer waits up to a second.
  void Answer(int pid, bool settled, uint64_t now_ns);

 private:
  struct Waiter {
    int pid = 0;
    UniqueFd fd;
    uint64_t latest_ns = 0;
  };
  struct Test {
    std::string name;
    std::vector<std::string> findings;
  };
  std::map<int, Test> tests_;  // by pid
  std::vector<Waiter> waiters_;
};

}  // namespace lockwarden
