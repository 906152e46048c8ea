// See restart_history.h.
#include "watchdog/restart_history.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "watchdog/text_file.h"

namespace lockwarden {
namespace {

constexpr char kTitle[] = "lockwarden restarts 1 ";

std::string BootId() {
  const absl::StatusOr<std::string> text = ReadTextFile("/proc/sys/kernel/random/boot_id");
  return text.ok() ? std::string(absl::StripSuffix(*text, "\n")) : "unknown";
}

}  // namespace

std::vector<uint64_t> ParseRestartHistory(absl::string_view text, absl::string_view boot_id,
                                          uint64_t now_ns) {
  const std::vector<absl::string_view> lines = absl::StrSplit(text, '\n', absl::SkipEmpty());
  if (lines.empty() || lines[0] != absl::StrCat(kTitle, boot_id)) return {};
  std::vector<uint64_t> restarts_ns;
  for (size_t i = 1; i < lines.size(); ++i) {
    uint64_t at_ns = 0;
    if (!absl::SimpleAtoi(lines[i], &at_ns) || at_ns > now_ns ||
        (!restarts_ns.empty() && at_ns < restarts_ns.back())) {
      return {};
    }
    restarts_ns.push_back(at_ns);
  }
  return restarts_ns;
}

std::string FormatRestartHistory(const std::vector<uint64_t>& restarts_ns,
                                 absl::string_view boot_id) {
  std::string text = absl::StrCat(kTitle, boot_id, "\n");
  for (uint64_t at_ns : restarts_ns) absl::StrAppend(&text, at_ns, "\n");
  return text;
}

std::vector<uint64_t> LoadRestartHistory(const std::string& path, uint64_t now_ns) {
  const absl::StatusOr<std::string> text = ReadTextFile(path);
  return text.ok() ? ParseRestartHistory(*text, BootId(), now_ns) : std::vector<uint64_t>();
}

absl::Status SaveRestartHistory(const std::string& path, const std::vector<uint64_t>& restarts_ns) {
  return ReplaceTextFile(path, FormatRestartHistory(restarts_ns, BootId()));
}

}  // namespace lockwarden
