// StopPolicy: what becomes of PROGRAM when the supervisor is asked to stop: which signal it
// gets, and when it is killed because it does not end.
//
// Written and read by: the supervisor's loop; time is given, never read. Must never: kill a
// program that was given no time limit, unless it is known to be stuck.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"

namespace lockwarden {

class StopPolicy {
 public:
  // `signal`: for every request; 0: the one that came. `timeout_ns`: 0: no limit.
  StopPolicy(int signal, uint64_t timeout_ns) : signal_(signal), timeout_ns_(timeout_ns) {}

  struct Step {
    int signal = 0;     // to be sent instead of the one that came; 0: as it came
    bool kill = false;  // PROGRAM and all below it, now
  };
  // TERM, INT or QUIT has come. `stuck`: PROGRAM is in a deadlock that was told, so that
  // whoever asks for the second time is not kept waiting. `first_hand`: PROGRAM has got it
  // already, from the terminal.
  Step OnRequest(bool stuck, bool first_hand, uint64_t now_ns);
  bool asked() const { return asked_; }

  // When PROGRAM is killed; 0: never.
  uint64_t deadline_ns() const { return deadline_ns_; }
  bool IsOver(uint64_t now_ns) const { return deadline_ns_ != 0 && now_ns >= deadline_ns_; }
  // It was done.
  void Killed() { deadline_ns_ = 0; }

 private:
  const int signal_;
  const uint64_t timeout_ns_;
  bool asked_ = false;
  uint64_t deadline_ns_ = 0;
};

// TERM, INT and QUIT do.
bool AsksToStop(int signal);

// "TERM", "SIGTERM" or "15"; nothing if there is no such signal, or it cannot be caught.
std::optional<int> ParseSignal(absl::string_view text);

}  // namespace lockwarden
