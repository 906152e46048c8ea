// What was there at the start comes from /proc/self: main's arguments need not be passed.
#include "watchdog/self_restart.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace lockwarden {
namespace {

constexpr size_t kMostRestarts = 1000;

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (const std::string& s : strings) pointers.push_back(const_cast<char*>(s.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

std::string Prefix() { return absl::StrCat(SelfRestart::kVariable, "="); }

}  // namespace

SelfRestart::SelfRestart() {
  char path[PATH_MAX];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof path);
  // Replaced by a newer one meanwhile: that is started.
  program_ = std::string(absl::StripSuffix(
      absl::string_view(path, size < 0 ? 0 : static_cast<size_t>(size)), " (deleted)"));
  if (getcwd(path, sizeof path) != nullptr) directory_ = path;
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  const std::string line{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  arguments_ = absl::StrSplit(absl::StripSuffix(line, absl::string_view("\0", 1)), '\0');
  for (char** entry = environ; *entry != nullptr; ++entry) environment_.emplace_back(*entry);
  pthread_sigmask(SIG_SETMASK, nullptr, &mask_);
}

std::vector<uint64_t> SelfRestart::ParseHistory(absl::string_view text, uint64_t now_ns) {
  std::vector<uint64_t> history;
  for (absl::string_view word : absl::StrSplit(text, ',', absl::SkipEmpty())) {
    uint64_t at_ns = 0;
    if (absl::SimpleAtoi(word, &at_ns) && at_ns <= now_ns) history.push_back(at_ns);
    if (history.size() == kMostRestarts) break;
  }
  std::sort(history.begin(), history.end());
  return history;
}

std::vector<uint64_t> SelfRestart::History(uint64_t now_ns) const {
  for (absl::string_view entry : environment_) {
    if (absl::ConsumePrefix(&entry, Prefix())) return ParseHistory(entry, now_ns);
  }
  return {};
}

int SelfRestart::Execute(const std::vector<int>& kept, const std::vector<uint64_t>& history) const {
  // What the loader takes out of such a program's environment would come back in.
  if (getauxval(AT_SECURE) != 0) return EPERM;
  std::vector<std::string> environment = environment_;
  std::erase_if(environment,
                [](const std::string& entry) { return absl::StartsWith(entry, Prefix()); });
  environment.push_back(absl::StrCat(Prefix(), absl::StrJoin(history, ",")));
  const std::vector<char*> arguments = Pointers(arguments_);
  const std::vector<char*> variables = Pointers(environment);
  if (!directory_.empty() && chdir(directory_.c_str()) != 0) return errno;
  if (syscall(SYS_close_range, STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC) != 0) return errno;
  for (int fd : kept) {
    if (fd > STDERR_FILENO) fcntl(fd, F_SETFD, 0);
  }
  // A signal that waits is taken by its handler now, in this thread.
  pthread_sigmask(SIG_SETMASK, &mask_, nullptr);
  execve(program_.c_str(), arguments.data(), variables.data());
  return errno;
}

}  // namespace lockwarden
