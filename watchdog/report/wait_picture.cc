// Nodes, places and strokes; see wait_picture.h.
#include "watchdog/report/wait_picture.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "watchdog/report/markup.h"

namespace lockwarden {
namespace {

constexpr size_t kMostNodes = 200;
constexpr double kWidth = 210, kHeight = 50, kGapX = 110, kGapY = 46, kMargin = 14;
constexpr size_t kNameLength = 26, kDetailLength = 34;

constexpr char kStyle[] =
    "<style>text{font:13px system-ui,'DejaVu Sans',sans-serif;text-anchor:middle;fill:#1b2130}"
    ".name{font-weight:600}.small{font-size:11px;fill:#5b6478}"
    ".node rect{fill:#eef1fb;stroke:#5b6478;stroke-width:1.25}.lock rect{fill:#fff}"
    ".stuck rect{stroke:#b4231f;stroke-width:2}.behind rect{stroke-dasharray:4 3}"
    ".edge{fill:none;stroke:#5b6478;stroke-width:1.75}.waits{stroke-dasharray:6 4}"
    ".edge.stuck{stroke:#b4231f}.head{fill:#5b6478}.head.stuck{fill:#b4231f}</style>";

bool IsPrediction(const Finding& finding) {
  return finding.kind == FindingKind::kPotentialDeadlock ||
         finding.kind == FindingKind::kOrderViolation ||
         finding.kind == FindingKind::kSignalUnsafeLock;
}

PictureNode ThreadNode(const FindingThread& thread) {
  PictureNode node;
  node.thread = true;
  node.name = thread.name.empty() ? "thread" : thread.name;
  node.detail = thread.tid != 0      ? absl::StrCat("tid ", thread.tid)
                : thread.serial != 0 ? absl::StrCat("number ", thread.serial)
                                     : "";
  if (thread.pid != 0) absl::StrAppend(&node.detail, " of pid ", thread.pid);
  if (thread.blocked_seconds > 0) {
    absl::StrAppendFormat(&node.detail, ", blocked %.1f s", thread.blocked_seconds);
  }
  return node;
}

PictureNode LockNode(const FindingLock& lock) {
  PictureNode node;
  node.name = lock.label.empty() ? absl::StrCat("lock ", lock.id) : lock.label;
  node.detail = lock.lock_class.empty() ? lock.kind : lock.lock_class;
  return node;
}

class Builder {
 public:
  explicit Builder(const Finding& finding) : finding_(finding) {}

  WaitPicture Build() {
    AddRing();
    for (size_t i = 0; i < finding_.threads.size(); ++i) {
      const FindingThread& thread = finding_.threads[i];
      if (thread.role != FindingThread::Role::kInCycle || IsFull()) continue;
      AddWait(i);
      for (const FindingHold& hold : thread.holds) {
        const bool wanted = picture_.ring == 0 || locks_.contains(hold.lock);
        if (wanted && hold.lock < finding_.locks.size()) {
          Connect(LockAt(hold.lock), ThreadAt(i), "held by", false);
        }
      }
    }
    AddBehind();
    return std::move(picture_);
  }

 private:
  bool IsFull() const { return picture_.nodes.size() >= kMostNodes; }

  static bool NamesLock(const Finding& finding, const FindingThread& thread) {
    return thread.waits && thread.waits_mode != "join" && thread.waits_for < finding.locks.size();
  }

  size_t ThreadAt(size_t index) {
    const auto [at, fresh] = threads_.try_emplace(index, picture_.nodes.size());
    if (fresh) picture_.nodes.push_back(ThreadNode(finding_.threads[index]));
    return at->second;
  }

  size_t LockAt(size_t index) {
    const auto [at, fresh] = locks_.try_emplace(index, picture_.nodes.size());
    if (fresh) picture_.nodes.push_back(LockNode(finding_.locks[index]));
    return at->second;
  }

  void Connect(size_t from, size_t to, const char* label, bool waits) {
    for (const PictureEdge& edge : picture_.edges) {
      if (edge.from == from && edge.to == to) return;
    }
    const bool ring = from < picture_.ring && to == (from + 1) % picture_.ring;
    picture_.edges.push_back({from, to, label, waits, ring});
  }

  void AddRing() {
    for (const size_t index : finding_.cycle) {
      if (index >= finding_.threads.size() || IsFull()) break;
      ThreadAt(index);
      if (NamesLock(finding_, finding_.threads[index])) LockAt(finding_.threads[index].waits_for);
    }
    picture_.ring = picture_.nodes.size();
    for (PictureNode& node : picture_.nodes) node.in_cycle = true;
    for (size_t i = 0; i < finding_.cycle.size(); ++i) {
      const size_t index = finding_.cycle[i];
      const size_t next = finding_.cycle[(i + 1) % finding_.cycle.size()];
      if (!threads_.contains(index) || !threads_.contains(next)) continue;
      const FindingThread& thread = finding_.threads[index];
      if (NamesLock(finding_, thread) && locks_.contains(thread.waits_for)) {
        const size_t lock = locks_[thread.waits_for];
        Connect(threads_[index], lock, IsPrediction(finding_) ? "takes" : "waits for", true);
        Connect(lock, threads_[next], "held by", false);
      } else {
        Connect(threads_[index], threads_[next], "joins", true);
      }
    }
  }

  void AddWait(size_t index) {
    const FindingThread& thread = finding_.threads[index];
    const size_t node = ThreadAt(index);
    if (!NamesLock(finding_, thread)) return;
    Connect(node, LockAt(thread.waits_for), IsPrediction(finding_) ? "takes" : "waits for", true);
  }

  // One node for all that wait for the same lock.
  void AddBehind() {
    std::map<size_t, size_t> waiters;  // lock -> how many
    for (const FindingThread& thread : finding_.threads) {
      if (thread.role != FindingThread::Role::kBehind || !NamesLock(finding_, thread)) continue;
      if (locks_.contains(thread.waits_for)) ++waiters[thread.waits_for];
    }
    for (const auto& [lock, count] : waiters) {
      PictureNode node;
      node.thread = true;
      node.name = absl::StrCat(count, count == 1 ? " thread" : " threads");
      node.detail = "stuck behind";
      picture_.nodes.push_back(std::move(node));
      Connect(picture_.nodes.size() - 1, locks_[lock], "waits for", true);
    }
  }

  const Finding& finding_;
  WaitPicture picture_;
  std::map<size_t, size_t> threads_, locks_;  // index in the finding -> node
};

struct Point {
  double x = 0, y = 0;
};

// The middle of each node: the ring's in two columns, clockwise from the top left; one that
// waits behind beside the node that it waits for. Others are not drawn.
std::map<size_t, Point> Places(const WaitPicture& picture) {
  std::map<size_t, Point> places;
  const size_t right = picture.ring / 2;
  for (size_t i = 0; i < picture.ring; ++i) {
    const bool at_right = i >= 1 && i <= right;
    const size_t row = at_right ? i - 1 : i == 0 ? 0 : picture.ring - i;
    places[i] = {at_right ? kWidth + kGapX : 0, static_cast<double>(row) * (kHeight + kGapY)};
  }
  for (const PictureEdge& edge : picture.edges) {
    if (edge.from < picture.ring || edge.to >= picture.ring || places.contains(edge.from)) continue;
    if (!picture.nodes[edge.from].thread) continue;
    const Point& at = places[edge.to];
    const double side = at.x == 0 ? -1 : 1;
    const Point beside{at.x + side * (kWidth + kGapX), at.y};
    const bool taken = std::any_of(places.begin(), places.end(), [&](const auto& place) {
      return place.second.x == beside.x && place.second.y == beside.y;
    });
    if (!taken) places[edge.from] = beside;
  }
  return places;
}

std::string Stroke(const PictureEdge& edge, const Point& from, const Point& to, bool bends) {
  const double dx = to.x - from.x, dy = to.y - from.y;
  const double length = std::max(1.0, std::hypot(dx, dy));
  const double bend = bends ? 34 : 0;
  const Point middle{(from.x + to.x) / 2 - dy / length * bend,
                     (from.y + to.y) / 2 + dx / length * bend};
  // Where the line between a node's middle and `middle` crosses its border, `gap` outside.
  const auto border = [&](const Point& node, double gap) {
    const double ex = middle.x - node.x, ey = middle.y - node.y;
    const double scale = std::min(ex == 0 ? 1e9 : (kWidth / 2 + gap) / std::abs(ex),
                                  ey == 0 ? 1e9 : (kHeight / 2 + gap) / std::abs(ey));
    return Point{node.x + ex * scale, node.y + ey * scale};
  };
  const Point begin = border(from, 1), end = border(to, 9), tip = border(to, 2);
  const double angle = std::atan2(end.y - middle.y, end.x - middle.x);
  const auto side = [&](double turn) {
    return Point{tip.x - 10 * std::cos(angle + turn), tip.y - 10 * std::sin(angle + turn)};
  };
  const Point a = side(0.45), b = side(-0.45);
  const char* stuck = edge.in_cycle ? " stuck" : "";
  const bool upright = std::abs(dx) < std::abs(dy);
  return absl::StrFormat(
      "<path class=\"edge%s%s\" d=\"M%.1f %.1f Q%.1f %.1f %.1f %.1f\"/>"
      "<polygon class=\"head%s\" points=\"%.1f,%.1f %.1f,%.1f %.1f,%.1f\"/>"
      "<text class=\"small\" x=\"%.1f\" y=\"%.1f\">%s</text>\n",
      edge.waits ? " waits" : "", stuck, begin.x, begin.y, middle.x, middle.y, end.x, end.y, stuck,
      tip.x, tip.y, a.x, a.y, b.x, b.y, middle.x + (upright ? 34 : 0),
      middle.y + (upright           ? 4
                  : bends && dx < 0 ? 4
                                    : -6),
      edge.label);
}

std::string Box(const PictureNode& node, const Point& at) {
  return absl::StrFormat(
      "<g class=\"node %s%s\"><title>%s</title>"
      "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.0f\" height=\"%.0f\" rx=\"%.0f\"/>"
      "<text class=\"name\" x=\"%.1f\" y=\"%.1f\">%s</text>"
      "<text class=\"small\" x=\"%.1f\" y=\"%.1f\">%s</text></g>\n",
      node.thread ? "thread" : "lock", node.in_cycle ? " stuck" : " behind",
      Escaped(absl::StrCat(node.name, node.detail.empty() ? "" : ", ", node.detail)),
      at.x - kWidth / 2, at.y - kHeight / 2, kWidth, kHeight, node.thread ? 8.0 : kHeight / 2, at.x,
      at.y - 3, Escaped(Shortened(node.name, kNameLength)), at.x, at.y + 14,
      Escaped(Shortened(node.detail, kDetailLength)));
}

}  // namespace

WaitPicture PictureOf(const Finding& finding) { return Builder(finding).Build(); }

std::string DrawSvg(const Finding& finding, bool standalone) {
  const WaitPicture picture = PictureOf(finding);
  if (picture.ring == 0) return "";
  const std::map<size_t, Point> places = Places(picture);
  double left = 0, right = 0, top = 0, bottom = 0;
  for (const auto& [node, at] : places) {
    left = std::min(left, at.x);
    right = std::max(right, at.x);
    bottom = std::max(bottom, at.y);
  }
  // One that joins itself, and two edges between the same nodes, bow out.
  const bool bows = picture.ring <= 2;
  left -= kWidth / 2 + kMargin;
  right += kWidth / 2 + kMargin;
  top -= kHeight / 2 + kMargin + (bows ? 16 : 0);
  bottom += kHeight / 2 + kMargin + (bows ? 16 : 0);
  std::string svg = absl::StrFormat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"%.0f %.0f %.0f %.0f\" "
      "width=\"%.0f\" height=\"%.0f\"><title>%s</title>\n",
      left, top, right - left, bottom - top, right - left, bottom - top, Escaped(finding.headline));
  if (standalone) svg += kStyle;
  for (const PictureEdge& edge : picture.edges) {
    const auto from = places.find(edge.from), to = places.find(edge.to);
    if (from == places.end() || to == places.end() || edge.from == edge.to) continue;
    const bool both = std::any_of(
        picture.edges.begin(), picture.edges.end(),
        [&](const PictureEdge& other) { return other.from == edge.to && other.to == edge.from; });
    svg += Stroke(edge, from->second, to->second, both);
  }
  for (const auto& [node, at] : places) svg += Box(picture.nodes[node], at);
  return svg + "</svg>\n";
}

}  // namespace lockwarden
