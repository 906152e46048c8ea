// LD_PRELOAD, LOCKWARDEN_SOCKET, LOCKWARDEN_OPTIONS and, for one sanitizer, ASAN_OPTIONS.
#include "watchdog/preload_env.h"

#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "runtime/ledger.h"

namespace lockwarden {
namespace {

constexpr char kLibrary[] = "liblockwarden_preload.so";

bool IsSanitizer(absl::string_view path) {
  const size_t slash = path.rfind('/');
  const absl::string_view name = slash == path.npos ? path : path.substr(slash + 1);
  return absl::StartsWith(name, "libasan.so") || absl::StartsWith(name, "libclang_rt.asan");
}

// The value of a variable, empty if there is none: the first is what getenv sees.
std::string ValueOf(const std::vector<std::string>& environment, absl::string_view name) {
  for (absl::string_view entry : environment) {
    if (absl::ConsumePrefix(&entry, name) && absl::ConsumePrefix(&entry, "=")) {
      return std::string(entry);
    }
  }
  return "";
}

}  // namespace

absl::StatusOr<std::string> FindPreload(const std::string& executable_directory) {
  const std::string candidates[] = {
      absl::StrCat(executable_directory, "/../lib/", kLibrary),
      absl::StrCat(executable_directory, "/../lib/lockwarden/", kLibrary),
      absl::StrCat(executable_directory, "/", kLibrary),
  };
  for (const std::string& candidate : candidates) {
    char* resolved = realpath(candidate.c_str(), nullptr);
    if (resolved == nullptr) continue;
    std::string path = resolved;
    free(resolved);
    if (access(path.c_str(), R_OK) != 0) continue;
    if (path.find_first_of(" :") != std::string::npos) {
      return absl::NotFoundError(absl::StrCat(
          path, " cannot be preloaded: the path contains a space or a colon"));
    }
    return path;
  }
  return absl::NotFoundError(
      absl::StrCat("cannot find ", kLibrary, " in ", executable_directory,
                   "/../lib, there in lockwarden/, or beside the command"));
}

std::string JoinPreload(const std::string& library, const std::string& existing) {
  std::vector<std::string> entries;
  bool placed = false;
  for (absl::string_view entry :
       absl::StrSplit(existing, absl::ByAnyChar(" :"), absl::SkipEmpty())) {
    if (entry == library) continue;
    if (!placed && !IsSanitizer(entry)) {
      entries.push_back(library);
      placed = true;
    }
    entries.emplace_back(entry);
  }
  if (!placed) entries.push_back(library);
  return absl::StrJoin(entries, ":");
}

std::vector<std::string> BuildEnvironment(const std::vector<std::string>& environment,
                                          const EnvironmentChange& change) {
  std::vector<Setting> ours = {{ledger::kSocketVariable, change.socket},
                               {ledger::kOptionsVariable, change.options}};
  if (!change.library.empty()) {
    ours.push_back({"LD_PRELOAD", JoinPreload(change.library, ValueOf(environment, "LD_PRELOAD"))});
  }
  if (!change.library.empty() && change.address_sanitizer) {
    // The last word counts. The preload says the same, unless the program has its own way.
    const std::string existing = ValueOf(environment, "ASAN_OPTIONS");
    ours.push_back({"ASAN_OPTIONS", absl::StrCat(existing, existing.empty() ? "" : ":",
                                                 "verify_asan_link_order=0")});
  }
  std::vector<std::string> result;
  std::vector<bool> placed(ours.size(), false);
  for (const std::string& entry : environment) {
    bool replaced = false;
    for (size_t i = 0; i < ours.size(); ++i) {
      if (!absl::StartsWith(entry, ours[i].key + "=")) continue;
      if (!placed[i]) result.push_back(absl::StrCat(ours[i].key, "=", ours[i].value));
      placed[i] = replaced = true;
    }
    if (!replaced) result.push_back(entry);
  }
  for (size_t i = 0; i < ours.size(); ++i) {
    if (!placed[i]) result.push_back(absl::StrCat(ours[i].key, "=", ours[i].value));
  }
  return result;
}

std::string RecorderOptions(const Options& options) {
  return absl::StrCat("profile=", ProfileName(options.profile),
                      ",stacks=", StackDetailName(options.stacks),
                      options.rules.empty() ? "" : ",rules=given",
                      options.order.has_value() ? ",order=" : "",
                      options.order.has_value() ? OrderActionName(*options.order) : "");
}

}  // namespace lockwarden
