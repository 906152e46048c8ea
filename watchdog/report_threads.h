// The part of a text report about threads: what each holds and waits for, with stacks.
// Pure functions over a finding whose strings are printable already.
#pragma once

#include <string>

#include "watchdog/finding.h"
#include "watchdog/text_writer.h"

namespace lockwarden {

// "thread (tid 1) -> mutex 2 -> thread (tid 3) -> mutex 4 -> thread (tid 1)"; empty if there is no cycle.
std::string CycleLine(const Finding& finding);

// The threads of the cycle (or of the misuse), each with all its stacks.
void WriteMainThreads(const Finding& finding, TextWriter* out);
// Those that wait behind them; threads that wait for the same in the same place as one.
void WriteThreadsBehind(const Finding& finding, TextWriter* out);
// All others, counted by what they do.
void WriteOtherThreads(const Finding& finding, TextWriter* out);

// One line a frame, "#0 f file:line", without what every stack has (watchdog/frames.h).
void WriteFrames(const StackTrace& stack, size_t indent, TextWriter* out);

}  // namespace lockwarden
