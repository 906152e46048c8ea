// Manual pages; see manual_pages.h. Completions are in completions.cc.
#include "watchdog/manual_pages.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

namespace lockwarden {
namespace {

// Of the version; not of the build, which must give the same bytes tomorrow.
constexpr char kDate[] = "2026-11-21";

// Text as roff: a backslash, a hyphen that is to stay one, and a first character that would make
// a line a request.
std::string Roff(absl::string_view text) {
  std::string roff = absl::StrReplaceAll(text, {{"\\", "\\e"}, {"-", "\\-"}});
  if (!roff.empty() && (roff[0] == '.' || roff[0] == '\'')) roff.insert(0, "\\&");
  return roff;
}

std::string Paragraphs(absl::string_view text) {
  std::string roff;
  for (absl::string_view paragraph : absl::StrSplit(text, "\n\n")) {
    absl::StrAppend(&roff, roff.empty() ? "" : ".PP\n", Roff(paragraph), "\n");
  }
  return roff;
}

std::string Head(const std::string& name, absl::string_view summary) {
  return absl::StrCat(".TH ", Roff(absl::AsciiStrToUpper(name)), " 1 ", kDate, " \"Lockwarden ",
                      LOCKWARDEN_VERSION, "\" \"User Commands\"\n.SH NAME\n", Roff(name), " \\- ",
                      Roff(summary), "\n");
}

std::string Option(const CommandOption& option) {
  std::string roff = absl::StrCat(".TP\n\\fB\\-\\-", Roff(option.name), "\\fR");
  if (option.syntax[0] != '\0') absl::StrAppend(&roff, "=\\fI", Roff(option.syntax), "\\fR");
  roff += "\n";
  for (absl::string_view line : absl::StrSplit(option.help, '\n')) {
    absl::StrAppend(&roff, Roff(line), "\n");
  }
  return absl::StrCat(roff, ".br\nDefault: ", Roff(option.default_value), ".\n");
}

constexpr char kCodes[] =
    ".TP\nthe program's own\notherwise; if it died of a signal, \\fBrun\\fR dies of the same\n"
    ".TP\n64\na usage error: one line says which\n"
    ".TP\n66\nthere were findings, with profile=test, and the program itself said 0 or was aborted "
    "for them; of \\fBreport\\fR: there is something new\n"
    ".TP\n69\nrestarted as often as allowed\n"
    ".TP\n126, 127\nthe program cannot be executed, was not found\n";

}  // namespace

std::string ManualPage() {
  std::string roff = Head("lockwarden", "find, detect, explain and recover from deadlocks");
  roff += ".SH SYNOPSIS\n";
  for (const CommandInfo& command : Commands()) {
    absl::StrAppend(&roff, roff.ends_with("SYNOPSIS\n") ? "" : ".br\n", "\\fBlockwarden ",
                    Roff(command.name), "\\fR ", Roff(command.usage), "\n");
  }
  roff +=
      ".br\n\\fBlockwarden\\fR \\fICOMMAND\\fR \\fB\\-\\-help\\fR | \\fB\\-\\-help\\fR | "
      "\\fB\\-\\-version\\fR\n";
  roff +=
      ".SH DESCRIPTION\n"
      "Finds deadlocks in Linux programs: those that happen, and those that could. Programs "
      "need not be built for it.\n.SH COMMANDS\n";
  for (const CommandInfo& command : Commands()) {
    absl::StrAppend(&roff, ".TP\n\\fB", Roff(command.name), "\\fR\n", Roff(command.summary),
                    "; see lockwarden\\-", Roff(command.name), "(1)\n");
  }
  absl::StrAppend(&roff, ".SH EXIT STATUS\n", kCodes, ".SH ENVIRONMENT\n.TP\nLOCKWARDEN_OPTIONS\n",
                  Roff("options of run, as \"key=value,key=value\"; \"help\" lists them"),
                  "\n.SH SEE ALSO\n");
  const char* separator = "";
  for (const CommandInfo& command : Commands()) {
    absl::StrAppend(&roff, separator, "lockwarden\\-", Roff(command.name), "(1)");
    separator = ",\n";
  }
  return roff + "\n";
}

std::string ManualPage(const CommandInfo& command) {
  std::string roff = Head(absl::StrCat("lockwarden-", command.name), command.summary);
  absl::StrAppend(
      &roff, ".SH SYNOPSIS\n\\fBlockwarden ", Roff(command.name), "\\fR ", Roff(command.usage),
      "\n.SH DESCRIPTION\n", Paragraphs(command.description), ".SH OPTIONS\n",
      Roff("Options are written --key=value or --key value; hyphens for underscores work "
           "too."),
      "\n");
  for (const CommandOption& option : command.options) roff += Option(option);
  return roff + ".SH SEE ALSO\nlockwarden(1)\n";
}

}  // namespace lockwarden
