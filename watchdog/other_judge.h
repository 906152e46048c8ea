// OtherJudge: whether a supervisor, or the preload's helper, judges this process. There is one
// actor at a time: while such a one answers, a linked Watchdog only stands by.
//
// Thread safety: no state. Must never: block.
#pragma once

#include <string>

namespace lockwarden {

class OtherJudge {
 public:
  // By the socket that this process was given, or that its preload library made.
  static bool Answers();
  // The same of a socket in a file, or of that name in the abstract namespace; empty: none.
  static bool Answers(const std::string& path);
};

}  // namespace lockwarden
