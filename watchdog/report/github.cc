// Workflow commands of GitHub Actions: "::error file=F,line=N,title=T::TEXT". What would end a
// command or a property is escaped as its documentation says.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "watchdog/finding_parts.h"
#include "watchdog/printable.h"
#include "watchdog/report/finding_groups.h"
#include "watchdog/report/formats.h"

namespace lockwarden {
namespace {

std::string Data(const std::string& text) {
  return absl::StrReplaceAll(text, {{"%", "%25"}, {"\r", "%0D"}, {"\n", "%0A"}});
}

std::string Property(const std::string& text) {
  return absl::StrReplaceAll(Data(text), {{":", "%3A"}, {",", "%2C"}});
}

}  // namespace

std::string FormatGithub(absl::Span<const Finding> findings, const std::string& root) {
  std::string text;
  for (const FindingGroup& group : GroupFindings(findings)) {
    const Finding finding = PrintableCopy(*group.newest);
    const std::string level = LevelName(finding);
    absl::StrAppend(&text, "::", level == "note" ? "notice" : level, " ");
    if (const StackFrame* frame = SourceFrame(finding); frame != nullptr) {
      absl::StrAppend(&text, "file=", Property(WithoutRoot(frame->file, root)),
                      ",line=", frame->line, ",");
    }
    std::string message;
    for (const std::string& sentence : finding.story) absl::StrAppend(&message, sentence, "\n");
    for (const std::string& advice : finding.advice) {
      absl::StrAppend(&message, "To fix it: ", advice, "\n");
    }
    if (const std::string times = TimesText(group); !times.empty()) {
      absl::StrAppend(&message, "Seen ", times, ".\n");
    }
    if (!finding.fingerprint.empty())
      absl::StrAppend(&message, "Fingerprint ", finding.fingerprint);
    absl::StrAppend(&text, "title=", Property(finding.headline), "::", Data(message), "\n");
  }
  return text;
}

}  // namespace lockwarden
