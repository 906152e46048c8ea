// TopScreen: what `lockwarden top` shows, as lines of text with a style; and what a key does.
//
//   TopData ─┐
//            ├─▶ Screen(width, height) ─▶ lines       on a terminal
//   TopState ┘   PlainText() ─▶ text                  without one, and for `d`
//       ▲
//       └── Press(key)
//
// Pure but for the state; no terminal. Must never: make a line wider than it was asked for.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "exporter/top/top_data.h"

namespace lockwarden {

enum class Style { kPlain, kBold, kAlarm, kHeading, kDim };

struct ScreenLine {
  std::string text;
  Style style = Style::kPlain;
};

enum class TopKey { kUp, kDown, kPageUp, kPageDown, kHome, kEnd, kEnter, kBackspace, kEscape };

struct TopState {
  enum class Pane { kThreads, kClasses } pane = Pane::kThreads;  // whose keys these are
  enum class ThreadSort { kBlocked, kHolds, kName, kTid } thread_sort = ThreadSort::kBlocked;
  enum class ClassSort { kWait, kContention, kHold, kName } class_sort = ClassSort::kWait;
  std::string filter;   // shown is what contains it
  bool typing = false;  // the filter
  bool frozen = false;
  bool help = false;
  bool dump = false;  // asked for; whoever writes it takes it back
  bool quit = false;
  size_t program = 0;  // 0: all; else its place, plus 1
  size_t scroll = 0;   // of the pane with the keys
  std::string message;
};

using TopData = std::vector<TopProgram>;

// A typed character, or a key of the keyboard's own.
void Press(char key, const TopData& data, TopState* state);
void Press(TopKey key, TopState* state);

// Exactly `height` lines or fewer, none wider than `width`. `clock` is shown at the right.
std::vector<ScreenLine> Screen(const TopData& data, const TopState& state, const std::string& clock,
                               size_t width, size_t height);
// All there is, unshortened.
std::string PlainText(const TopData& data, const TopState& state);

}  // namespace lockwarden
