// Who waits for whom in a finding, as nodes and edges, and its drawing as SVG: the cycle in
// two columns, clockwise, with those that wait behind it at its sides.
//
// Pure functions over a finding whose strings are printable already.
#pragma once

#include <string>
#include <vector>

#include "watchdog/finding.h"

namespace lockwarden {

struct PictureNode {
  bool thread = false;  // else a lock
  std::string name;     // "worker-1", "mutex 4"
  std::string detail;   // "tid 12, blocked for 3.0 s", "lay_table philosophers.c:20"
  bool in_cycle = false;
};

struct PictureEdge {
  size_t from = 0, to = 0;  // indexes of nodes
  const char* label = "";   // "waits for", "held by", "takes", "joins"
  bool waits = false;       // from a thread
  bool in_cycle = false;
};

struct WaitPicture {
  std::vector<PictureNode> nodes;  // those of the cycle first, in its order
  size_t ring = 0;                 // how many these are
  std::vector<PictureEdge> edges;
};

// Threads of the cycle (or of the misuse) with the locks that they wait for and hold, and one
// node for all those that wait behind for one of them. Empty: there is nothing to draw.
WaitPicture PictureOf(const Finding& finding);

// A whole <svg> element; empty if there is no cycle. Styled by classes: `node`, `thread`, `lock`,
// `behind`, `stuck`, `edge`, `waits`, `head`, `name`, `small`. `standalone`: with a style of its
// own, to be a file.
std::string DrawSvg(const Finding& finding, bool standalone);

}  // namespace lockwarden
