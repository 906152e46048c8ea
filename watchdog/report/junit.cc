// JUnit XML as CI servers read it: testsuites, testsuite, testcase, failure.
#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "watchdog/frames.h"
#include "watchdog/printable.h"
#include "watchdog/report.h"
#include "watchdog/report/finding_groups.h"
#include "watchdog/report/formats.h"
#include "watchdog/report/markup.h"

namespace lockwarden {
namespace {

// What XML 1.0 does not allow at all beside control characters, which Printable has replaced.
std::string ForXml(const std::string& text) {
  std::string clean = text;
  for (const char* noncharacter : {"\xef\xbf\xbe", "\xef\xbf\xbf"}) {
    for (size_t at = 0; (at = clean.find(noncharacter, at)) != clean.npos;) {
      clean.replace(at, 3, "\xef\xbf\xbd");
    }
  }
  return Escaped(clean);
}

std::string CaseName(const FindingGroup& group) {
  const Finding& finding = *group.newest;
  return Printable(
      absl::StrCat(finding.headline, finding.fingerprint.empty() ? "" : " ", finding.fingerprint));
}

std::string Failure(const FindingGroup& group) {
  const Finding& finding = *group.newest;
  const std::string times = TimesText(group);
  return absl::StrCat("<failure type=\"", KindName(finding.kind), "\" message=\"",
                      ForXml(Printable(finding.headline)), "\">",
                      ForXml(FormatText(finding, TextStyle())),
                      times.empty() ? "" : absl::StrCat("seen ", times, "\n"), "</failure>");
}

}  // namespace

std::string FormatJunit(absl::Span<const Finding> findings) {
  std::map<std::string, std::vector<FindingGroup>> programs;
  const std::vector<FindingGroup> groups = GroupFindings(findings);
  for (const FindingGroup& group : groups) {
    const std::string program = Basename(group.newest->program);
    programs[Printable(program.empty() ? "lockwarden" : program)].push_back(group);
  }
  const bool none = programs.empty();
  std::string xml = absl::StrCat(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", "<testsuites name=\"lockwarden\" tests=\"",
      none ? 1 : groups.size(), "\" failures=\"", groups.size(), "\">\n");
  if (none) {
    xml +=
        "<testsuite name=\"lockwarden\" tests=\"1\" failures=\"0\" errors=\"0\">\n"
        "<testcase classname=\"lockwarden\" name=\"nothing was found\"/>\n</testsuite>\n";
  }
  for (const auto& [program, of_it] : programs) {
    absl::StrAppend(&xml, "<testsuite name=\"", ForXml(program), "\" tests=\"", of_it.size(),
                    "\" failures=\"", of_it.size(), "\" errors=\"0\" timestamp=\"",
                    FormatTime(of_it.front().last_ns).substr(0, 19), "\">\n");
    for (const FindingGroup& group : of_it) {
      absl::StrAppend(&xml, "<testcase classname=\"lockwarden.", ForXml(program), "\" name=\"",
                      ForXml(CaseName(group)), "\">", Failure(group), "</testcase>\n");
    }
    xml += "</testsuite>\n";
  }
  return xml + "</testsuites>\n";
}

}  // namespace lockwarden
