// Starts one scene after the other, and looks at what comes out: on standard error, as a person
// would, in JSON.
#include "watchdog/selftest/selftest_command.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "nlohmann/json.hpp"
#include "watchdog/process_facts.h"
#include "watchdog/selftest/scenes.h"
#include "watchdog/unique_fd.h"

namespace lockwarden {
namespace {

constexpr double kPromise = 3;    // seconds, from the hang to the report
constexpr double kPatience = 30;  // for what is no promise: starting, ending
constexpr int kScrapers = 64;

double Now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// A temporary folder, removed with all that is in it.
class Folder {
 public:
  Folder() {
    const char* parent = std::getenv("TMPDIR");
    path_ = absl::StrCat(parent == nullptr ? "/tmp" : parent, "/lockwarden-selftest-XXXXXX");
    if (mkdtemp(path_.data()) == nullptr) path_.clear();
  }
  ~Folder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// What a pipe has brought so far.
struct Stream {
  UniqueFd fd;
  std::string text;
};

// Reads from both for a moment, or until one has something.
void Read(Stream* out, Stream* err, double seconds) {
  pollfd ready[2] = {{out->fd.get(), POLLIN, 0}, {err->fd.get(), POLLIN, 0}};
  if (poll(ready, 2, static_cast<int>(seconds * 1000) + 1) <= 0) return;
  char data[4096];
  for (int i = 0; i < 2; ++i) {
    if (ready[i].revents == 0) continue;
    Stream* const stream = i == 0 ? out : err;
    const ssize_t got = read(stream->fd.get(), data, sizeof data);
    if (got > 0) {
      stream->text.append(data, static_cast<size_t>(got));
    } else {
      stream->fd.reset();  // poll passes over it
    }
  }
}

// A full disk is a tmpfs of one page in a mount namespace of its own. errno if it cannot be had.
int FillDisk(const std::string& directory) {
  if (geteuid() != 0 && unshare(CLONE_NEWUSER) != 0) return errno;
  if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      mount("lockwarden", directory.c_str(), "tmpfs", 0, "size=4k,mode=700") != 0) {
    return errno;
  }
  return 0;
}

// The finding's first line, once it is there; anything else on standard error is passed over.
std::optional<nlohmann::json> FindingIn(const std::string& text) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!absl::StartsWith(line, "{")) continue;
    auto finding = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (finding.is_object() && finding.contains("kind")) return finding;
  }
  return std::nullopt;
}

std::vector<UniqueFd> SilentScrapers(int port) {
  std::vector<UniqueFd> scrapers;
  for (int i = 0; i < kScrapers; ++i) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    constexpr char kHalf[] = "GET /metrics HTTP/1.1\r\nHost:";
    if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) break;
    send(fd.get(), kHalf, sizeof kHalf - 1, MSG_NOSIGNAL);
    scrapers.push_back(std::move(fd));
  }
  return scrapers;
}

struct Outcome {
  bool good = false;
  std::string text;
};

// One scene under `lockwarden run`.
class Performance {
 public:
  explicit Performance(const HangScene& scene) : scene_(scene) {}
  ~Performance() { End(); }

  Outcome Watch() {
    if (!Start()) return {false, absl::StrCat("cannot be started: ", std::strerror(errno))};
    const double begun = Now();
    while (out_.text.find("stuck\n") == std::string::npos) {
      if (absl::StartsWith(err_.text, "not tried: ") && absl::EndsWith(err_.text, "\n")) {
        return {true, err_.text.substr(0, err_.text.size() - 1)};
      }
      if (Now() - begun > kPatience || !out_.fd.valid()) {
        return {false, absl::StrCat("did not come so far: ", err_.text.substr(0, 200))};
      }
      Read(&out_, &err_, 0.1);
    }
    if (scene_.surroundings == HangScene::Surroundings::kSilentScrapers) Scrape();
    const double stuck = Now();
    std::optional<nlohmann::json> finding;
    while (!finding.has_value() && Now() - stuck < kPromise) {
      Read(&out_, &err_, 0.02);
      finding = FindingIn(err_.text);
    }
    const double took = Now() - stuck;
    const bool wanted = scene_.expected[0] != '\0';
    Outcome outcome;
    if (finding.has_value()) {
      const std::string kind = finding->value("kind", "");
      outcome = {
          wanted && kind == scene_.expected,
          absl::StrFormat("%s, %s, after %.1f s", kind, finding->value("confidence", ""), took)};
      if (scene_.reason[0] != '\0') absl::StrAppend(&outcome.text, "; ", scene_.reason);
      if (scene_.surroundings == HangScene::Surroundings::kFullDisk)
        outcome.good &= SaysDiskIsFull();
    } else {
      outcome = {!wanted, wanted ? absl::StrCat("no report within ", kPromise, " s")
                                 : absl::StrCat("no report: ", scene_.reason)};
    }
    if (!EndsAsItShould()) {
      outcome.good = false;
      absl::StrAppend(&outcome.text, "; and the supervisor ", how_it_ended_);
    }
    return outcome;
  }

 private:
  bool Start() {
    if (folder_.path().empty()) return false;
    const std::string incidents = folder_.path() + "/incidents";
    const bool disk = scene_.surroundings == HangScene::Surroundings::kFullDisk;
    if (disk && mkdir(incidents.c_str(), 0700) != 0) return false;
    std::vector<std::string> words = {"lockwarden",           "run",
                                      "--format=json",        "--on_deadlock=report",
                                      "--profile=production", "--incidents=" + incidents};
    if (scene_.surroundings == HangScene::Surroundings::kSilentScrapers) {
      words.push_back("--metrics=127.0.0.1:0");
    }
    for (const char* word : {"--", "/proc/self/exe", "selftest", "play", scene_.name}) {
      words.emplace_back(word);
    }
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    int out[2], err[2];
    if (pipe2(out, O_CLOEXEC) != 0) return false;
    out_.fd = UniqueFd(out[0]);
    const UniqueFd out_end(out[1]);
    if (pipe2(err, O_CLOEXEC) != 0) return false;
    err_.fd = UniqueFd(err[0]);
    const UniqueFd err_end(err[1]);
    supervisor_ = fork();
    if (supervisor_ != 0) return supervisor_ > 0;
    unsetenv("LOCKWARDEN_OPTIONS");
    unsetenv("LOCKWARDEN_SOCKET");
    dup2(out[1], STDOUT_FILENO);
    dup2(err[1], STDERR_FILENO);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    std::signal(SIGPIPE, SIG_DFL);
    if (const int error = disk ? FillDisk(incidents) : 0; error != 0) {
      dprintf(STDERR_FILENO, "not tried: a full disk needs a mount: %s\n", std::strerror(error));
      _exit(0);
    }
    execv("/proc/self/exe", arguments.data());
    _exit(127);
  }

  void Scrape() {
    const std::string kPort = "metrics are served on port ";
    const double begun = Now();
    while (Now() - begun < kPatience) {
      const size_t at = err_.text.find(kPort);
      const size_t end = at == err_.text.npos ? at : err_.text.find('\n', at);
      int port = 0;
      if (end != err_.text.npos &&
          absl::SimpleAtoi(err_.text.substr(at + kPort.size(), end - at - kPort.size()), &port)) {
        scrapers_ = SilentScrapers(port);
        return;
      }
      Read(&out_, &err_, 0.1);
    }
  }

  bool SaysDiskIsFull() {
    const double begun = Now();
    while (err_.text.find("cannot write the incident") == std::string::npos) {
      if (Now() - begun > kPromise) return false;
      Read(&out_, &err_, 0.05);
    }
    return true;
  }

  // Its program is killed; it is to tell so, by dying of the same, and nothing else.
  bool EndsAsItShould() {
    int status = 0;
    if (waitpid(supervisor_, &status, WNOHANG) == supervisor_) {
      supervisor_ = 0;
    } else {
      Kill(OnlyChild(supervisor_));
      const double begun = Now();
      while (supervisor_ != 0 && Now() - begun < kPatience) {
        Read(&out_, &err_, 0.02);
        if (waitpid(supervisor_, &status, WNOHANG) == supervisor_) supervisor_ = 0;
      }
      if (supervisor_ == 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return true;
    }
    how_it_ended_ = supervisor_ != 0      ? "did not end"
                    : WIFSIGNALED(status) ? absl::StrCat("died of signal ", WTERMSIG(status))
                                          : absl::StrCat("ended with ", WEXITSTATUS(status));
    return false;
  }

  static pid_t OnlyChild(pid_t pid) {
    const std::vector<int> children = Children(pid);
    return children.empty() ? 0 : children[0];
  }

  static void Kill(pid_t pid) {
    if (pid > 0) kill(pid, SIGKILL);
  }

  void End() {
    if (supervisor_ <= 0) return;
    Kill(OnlyChild(supervisor_));
    kill(supervisor_, SIGKILL);
    while (waitpid(supervisor_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }

  const HangScene& scene_;
  Folder folder_;
  Stream out_, err_;
  std::vector<UniqueFd> scrapers_;
  std::string how_it_ended_;
  pid_t supervisor_ = 0;
};

const HangScene* Find(const std::string& name) {
  for (const HangScene& scene : Scenes()) {
    if (name == scene.name) return &scene;
  }
  return nullptr;
}

}  // namespace

ExitStatus SelftestCommand(const std::vector<std::string>& words) {
  if (words.size() == 2 && words[0] == "play") {
    if (const HangScene* scene = Find(words[1]); scene != nullptr) Play(*scene);
  }
  std::vector<const HangScene*> chosen;
  for (const std::string& word : words) {
    chosen.push_back(Find(word));
    if (chosen.back() != nullptr) continue;
    std::fprintf(stderr, "lockwarden: selftest: there is no scene %s\n", word.c_str());
    return {kExitUsage, 0};
  }
  if (words.empty()) {
    for (const HangScene& scene : Scenes()) chosen.push_back(&scene);
  }
  int bad = 0;
  for (const HangScene* scene : chosen) {
    const Outcome outcome = Performance(*scene).Watch();
    bad += outcome.good ? 0 : 1;
    std::printf("%-5s %-10s %-56s %s\n", outcome.good ? "ok" : "BAD", scene->name, scene->what,
                outcome.text.c_str());
    std::fflush(stdout);
  }
  return {bad == 0 ? 0 : 1, 0};
}

}  // namespace lockwarden
