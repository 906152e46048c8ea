// The page's body, part by part, in the order of the text report. Every string of a finding
// goes through Printable and Escaped, exactly once each.
#include "watchdog/report/report_html.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "watchdog/finding_parts.h"
#include "watchdog/frames.h"
#include "watchdog/printable.h"
#include "watchdog/report.h"
#include "watchdog/report/finding_groups.h"
#include "watchdog/report/html_page.h"
#include "watchdog/report/markup.h"
#include "watchdog/report/source_lines.h"
#include "watchdog/report/wait_picture.h"

namespace lockwarden {
namespace {

constexpr size_t kMostFrames = 64, kMostThreads = 1000;

class Page {
 public:
  explicit Page(const HtmlOptions& options) : options_(options), sources_(options.source_root) {}

  void Add(const FindingGroup& group) {
    const Finding finding = PrintableCopy(*group.newest);
    finding_ = &finding;
    absl::StrAppend(&html_, "<article class=\"", LevelName(finding), "\"><h2>",
                    Escaped(finding.headline), "</h2>\n");
    WriteFacts(finding, group);
    WriteSentences("story", finding.story);
    if (const std::string svg = DrawSvg(finding, /*standalone=*/false); !svg.empty()) {
      absl::StrAppend(&html_, "<figure>", svg,
                      "<figcaption>Dashed: waits for. Solid: is held by.</figcaption></figure>\n");
    }
    WriteThreads(finding);
    WriteLocks(finding);
    WriteList(absl::StrCat("confidence: ", ConfidenceName(finding.confidence)), finding.evidence);
    WriteList("how to fix it", finding.advice);
    WriteDropped(finding);
    html_ += "</article>\n";
  }

  std::string Take(size_t count, size_t groups) {
    const std::string title =
        count == 0        ? "Nothing was found"
        : groups == count ? Counted(count, "finding")
                          : absl::StrCat(Counted(groups, "finding"), ", ", Counted(count, "time"));
    return absl::StrCat(absl::StrReplaceAll(kPageHead, {{"{title}", title}}), html_, kPageTail);
  }

 private:
  void WriteFacts(const Finding& finding, const FindingGroup& group) {
    html_ += "<dl class=\"facts\">";
    const auto fact = [&](const char* name, const std::string& value) {
      if (value.empty()) return;
      absl::StrAppend(&html_, "<div><dt>", name, "</dt><dd>", Escaped(value), "</dd></div>");
    };
    fact("kind", absl::StrReplaceAll(KindName(finding.kind), {{"_", " "}}));
    fact("confidence", ConfidenceName(finding.confidence));
    fact("program", finding.program);
    fact("pid", finding.pid == 0 ? "" : absl::StrCat(finding.pid));
    fact("time", finding.time_ns == 0 ? "" : FormatTime(finding.time_ns));
    fact("seen", TimesText(group));
    fact("fingerprint", finding.fingerprint);
    fact("incident", finding.incident);
    html_ += "</dl>\n";
  }

  void WriteSentences(const char* name, const std::vector<std::string>& sentences) {
    if (sentences.empty()) return;
    absl::StrAppend(&html_, "<ul class=\"", name, "\">");
    for (const std::string& text : sentences)
      absl::StrAppend(&html_, "<li>", Escaped(text), "</li>");
    html_ += "</ul>\n";
  }

  void WriteList(const std::string& heading, const std::vector<std::string>& lines) {
    absl::StrAppend(&html_, "<h3>", Escaped(heading), "</h3>\n");
    WriteSentences("list", lines);
  }

  void WriteSource(const StackFrame& frame) {
    if (!options_.read_sources) return;
    const auto lines = sources_.Around(frame.file, frame.line, finding_->time_ns);
    if (lines.empty()) return;
    html_ += "<pre class=\"source\">";
    for (const auto& [number, text] : lines) {
      absl::StrAppend(&html_, number == frame.line ? "<b>" : "", absl::StrFormat("%5d  ", number),
                      Escaped(Printable(absl::StrReplaceAll(text, {{"\t", "    "}, {"\r", ""}}))),
                      number == frame.line ? "</b>" : "", "\n");
    }
    html_ += "</pre>";
  }

  void WriteFrame(const StackFrame& frame, bool first_of_user) {
    absl::StrAppend(&html_, "<li", IsUserFrame(frame) ? "" : " class=\"faint\"", "><code>",
                    Escaped(frame.function.empty() ? "?" : frame.function), "</code>");
    if (!frame.file.empty()) {
      absl::StrAppend(&html_, " <span class=\"place\">",
                      Escaped(WithoutRoot(frame.file, options_.source_root)), ":", frame.line,
                      "</span>");
    } else if (!frame.module.empty()) {
      absl::StrAppend(&html_, " <span class=\"place\">in ", Escaped(Basename(frame.module)),
                      absl::StrFormat("+%#x", frame.module_offset), "</span>");
    } else {
      absl::StrAppend(&html_, " <span class=\"place\">", absl::StrFormat("%#x", frame.pc),
                      "</span>");
    }
    if (frame.inlined) html_ += " <span class=\"place\">[inlined]</span>";
    if (first_of_user) WriteSource(frame);
    html_ += "</li>";
  }

  void WriteStack(const StackTrace& stack) {
    const StackTrace frames = VisibleFrames(stack);
    if (frames.empty()) {
      html_ += "<p class=\"quiet\">no stack was recorded</p>";
      return;
    }
    html_ += "<ol start=\"0\">";
    bool shown = false;
    for (size_t i = 0; i < frames.size() && i < kMostFrames; ++i) {
      const bool first = !shown && IsUserFrame(frames[i]) && frames[i].line > 0;
      shown |= first;
      WriteFrame(frames[i], first);
    }
    html_ += "</ol>";
    if (frames.size() > kMostFrames) {
      absl::StrAppend(&html_, "<p class=\"quiet\">and ", frames.size() - kMostFrames,
                      " more frames</p>");
    }
  }

  std::string LockLabel(size_t index) const {
    if (index >= finding_->locks.size()) return "an unknown lock";
    const FindingLock& lock = finding_->locks[index];
    return lock.label.empty() ? absl::StrCat("lock ", lock.id) : lock.label;
  }

  std::string WaitText(const FindingThread& thread) const {
    if (!thread.waits) return "not waiting for a lock";
    if (thread.waits_mode == "join") {
      return thread.joins_tid == 0 ? "waits for another thread to end"
                                   : absl::StrCat("waits for thread ", thread.joins_tid, " to end");
    }
    const bool predicted = finding_->kind == FindingKind::kPotentialDeadlock ||
                           finding_->kind == FindingKind::kOrderViolation ||
                           finding_->kind == FindingKind::kSignalUnsafeLock;
    return absl::StrCat(predicted ? "takes " : "waits for ", LockLabel(thread.waits_for), " (",
                        thread.waits_mode, thread.timed ? ", with a time limit)" : ")");
  }

  void WriteThread(const FindingThread& thread, bool open) {
    absl::StrAppend(&html_, "<details class=\"thread\"", open ? " open" : "", "><summary>",
                    Escaped(Capitalized(NameOf(thread))), " <span class=\"quiet\">",
                    Escaped(WaitText(thread)));
    if (thread.blocked_seconds > 0) {
      absl::StrAppendFormat(&html_, ", for %.1f s", thread.blocked_seconds);
    }
    html_ += "</span></summary>";
    if (thread.waits || !thread.stack.empty()) {
      absl::StrAppend(&html_, "<h4>", Escaped(thread.waits ? WaitText(thread) : "is"),
                      " here</h4>");
      WriteStack(thread.stack);
    }
    for (const FindingHold& hold : thread.holds) {
      absl::StrAppend(&html_, "<h4>holds ", Escaped(LockLabel(hold.lock)), " (", Escaped(hold.mode),
                      hold.inferred ? ", inferred" : "", "), taken here</h4>");
      WriteStack(hold.stack);
    }
    html_ += "</details>\n";
  }

  void WriteThreads(const Finding& finding) {
    using Role = FindingThread::Role;
    const std::pair<Role, const char*> roles[] = {{Role::kInCycle, "threads"},
                                                  {Role::kBehind, "stuck behind them"},
                                                  {Role::kOther, "not involved"}};
    for (const auto& [role, heading] : roles) {
      size_t count = 0;
      for (const FindingThread& thread : finding.threads) {
        if (thread.role != role || ++count > kMostThreads) continue;
        if (count == 1) absl::StrAppend(&html_, "<h3>", heading, "</h3>\n");
        WriteThread(thread, role == Role::kInCycle);
      }
      if (count > kMostThreads) {
        absl::StrAppend(&html_, "<p class=\"quiet\">and ", count - kMostThreads,
                        " more threads</p>\n");
      }
    }
  }

  void WriteLocks(const Finding& finding) {
    if (finding.locks.empty()) return;
    html_ +=
        "<h3>locks</h3><div class=\"scroll\"><table><thead><tr><th>lock</th><th>kind</th>"
        "<th>address</th><th>created or first locked</th></tr></thead><tbody>\n";
    for (size_t i = 0; i < finding.locks.size(); ++i) {
      const FindingLock& lock = finding.locks[i];
      absl::StrAppend(&html_, "<tr><td>", Escaped(LockLabel(i)), "</td><td>", Escaped(lock.kind),
                      "</td><td>", lock.address == 0 ? "" : absl::StrFormat("%#x", lock.address),
                      "</td><td>", Escaped(lock.lock_class), "</td></tr>\n");
    }
    html_ += "</tbody></table></div>\n";
  }

  void WriteDropped(const Finding& finding) {
    if (finding.dropped.empty()) return;
    std::vector<std::string> lines;
    for (const auto& [name, count] : finding.dropped) {
      lines.push_back(absl::StrCat(Printable(name), ": ", count));
    }
    WriteList("not recorded in this process, so that something may be missing above", lines);
  }

  const HtmlOptions& options_;
  SourceLines sources_;
  const Finding* finding_ = nullptr;
  std::string html_;
};

}  // namespace

std::string FormatHtml(absl::Span<const Finding> findings, const HtmlOptions& options) {
  Page page(options);
  const std::vector<FindingGroup> groups = GroupFindings(findings);
  for (const FindingGroup& group : groups) page.Add(group);
  return page.Take(findings.size(), groups.size());
}

}  // namespace lockwarden
