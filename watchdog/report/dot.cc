// Wait-for graphs for Graphviz, and all of them as one SVG picture.
#include "watchdog/report/dot.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "watchdog/printable.h"
#include "watchdog/report/finding_groups.h"
#include "watchdog/report/formats.h"
#include "watchdog/report/markup.h"
#include "watchdog/report/wait_picture.h"

namespace lockwarden {

std::string DotQuoted(absl::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

std::string FormatDot(absl::Span<const Finding> findings) {
  std::string dot =
      "digraph lockwarden {\n"
      "  node [fontname=\"sans-serif\", fontsize=11];\n"
      "  edge [fontname=\"sans-serif\", fontsize=9];\n";
  size_t number = 0;
  for (const FindingGroup& group : GroupFindings(findings)) {
    const Finding finding = PrintableCopy(*group.newest);
    const WaitPicture picture = PictureOf(finding);
    if (picture.nodes.empty()) continue;
    absl::StrAppend(&dot, "  subgraph cluster_", number,
                    " {\n    label=", DotQuoted(finding.headline), ";\n");
    for (size_t i = 0; i < picture.nodes.size(); ++i) {
      const PictureNode& node = picture.nodes[i];
      const std::string name = DotQuoted(node.name), detail = DotQuoted(node.detail);
      // Both are quoted: their inner parts make one label of two lines.
      absl::StrAppend(&dot, "    f", number, "n", i, " [label=", name.substr(0, name.size() - 1),
                      "\\n", detail.substr(1), ", shape=", node.thread ? "box" : "ellipse",
                      node.in_cycle ? ", color=red" : "", "];\n");
    }
    for (const PictureEdge& edge : picture.edges) {
      absl::StrAppend(&dot, "    f", number, "n", edge.from, " -> f", number, "n", edge.to,
                      " [label=\"", edge.label, "\"", edge.waits ? ", style=dashed" : "",
                      edge.in_cycle ? ", color=red" : "", "];\n");
    }
    dot += "  }\n";
    ++number;
  }
  return dot + "}\n";
}

std::string FormatSvg(absl::Span<const Finding> findings) {
  constexpr int kHeading = 40;
  std::string body;
  double height = 0, width = 300;
  for (const FindingGroup& group : GroupFindings(findings)) {
    const Finding finding = PrintableCopy(*group.newest);
    const std::string svg = DrawSvg(finding, /*standalone=*/true);
    double wide = 0, high = 0;
    const size_t at = svg.find("width=\"");
    if (svg.empty() ||
        sscanf(svg.c_str() + at, "width=\"%lf\" height=\"%lf\"", &wide, &high) != 2) {
      continue;
    }
    absl::StrAppendFormat(&body,
                          "<text x=\"14\" y=\"%.0f\" font-family=\"sans-serif\" font-size=\"15\" "
                          "style=\"text-anchor:start\">%s</text>\n",
                          height + 26, Escaped(finding.headline));
    absl::StrAppendFormat(&body, "<g transform=\"translate(0,%.0f)\">%s</g>\n", height + kHeading,
                          svg);
    height += high + kHeading;
    width = std::max(width, wide);
  }
  if (body.empty()) {
    height = kHeading;
    body = "<text x=\"14\" y=\"26\" font-family=\"sans-serif\">There is no cycle to draw.</text>\n";
  }
  return absl::StrFormat(
             "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
             "viewBox=\"0 0 %.0f %.0f\">\n",
             width, height, width, height) +
         body + "</svg>\n";
}

}  // namespace lockwarden
