// fork, exec and files without a name.
#include "run_process.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

namespace lockwarden {
namespace {

constexpr std::chrono::seconds kDeadline(40);

std::string ReadDescriptor(int fd) {
  struct stat file;
  if (fstat(fd, &file) != 0) return "";
  std::string text(static_cast<size_t>(file.st_size), '\0');
  const ssize_t got = pread(fd, text.data(), text.size(), 0);
  text.resize(got < 0 ? 0 : static_cast<size_t>(got));
  return text;
}

bool Until(const std::function<bool()>& done) {
  const auto end = std::chrono::steady_clock::now() + kDeadline;
  while (!done()) {
    if (std::chrono::steady_clock::now() > end) return false;
    poll(nullptr, 0, 2);
  }
  return true;
}

}  // namespace

RunningProcess::RunningProcess(std::vector<std::string> argv,
                               std::vector<std::string> variables) {
  out_ = memfd_create("out", MFD_CLOEXEC);
  err_ = memfd_create("err", MFD_CLOEXEC);
  for (char** at = environ; *at != nullptr; ++at) {
    if (std::strncmp(*at, "LOCKWARDEN_", 11) != 0 && std::strncmp(*at, "LD_PRELOAD=", 11) != 0) {
      variables.emplace_back(*at);  // behind the given ones, which getenv finds first
    }
  }
  std::vector<char*> args, env;
  for (std::string& arg : argv) args.push_back(arg.data());
  for (std::string& variable : variables) env.push_back(variable.data());
  args.push_back(nullptr);
  env.push_back(nullptr);
  pid_ = fork();
  if (pid_ != 0) return;
  dup2(out_, STDOUT_FILENO);
  dup2(err_, STDERR_FILENO);
  execvpe(args[0], args.data(), env.data());
  _exit(99);
}

RunningProcess::~RunningProcess() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  close(out_);
  close(err_);
}

std::string RunningProcess::out() const { return ReadDescriptor(out_); }
std::string RunningProcess::err() const { return ReadDescriptor(err_); }

bool RunningProcess::WaitForOut(const std::string& text) const {
  return Until([&] { return out().find(text) != std::string::npos; });
}
bool RunningProcess::WaitForErr(const std::string& text) const {
  return Until([&] { return err().find(text) != std::string::npos; });
}

ProcessResult RunningProcess::Wait() {
  ProcessResult result;
  int status = 0;
  result.late = !Until([&] { return waitpid(pid_, &status, WNOHANG) == pid_; });
  if (result.late) {
    kill(pid_, SIGKILL);
    waitpid(pid_, &status, 0);
  }
  pid_ = -1;
  if (WIFEXITED(status)) result.code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
  result.out = out();
  result.err = err();
  return result;
}

ProcessResult RunProcess(std::vector<std::string> argv, std::vector<std::string> variables) {
  return RunningProcess(std::move(argv), std::move(variables)).Wait();
}

TemporaryDirectory::TemporaryDirectory() : path_("/tmp/lockwarden-test-XXXXXX") {
  if (mkdtemp(path_.data()) == nullptr) std::abort();
  chmod(path_.c_str(), 0755);
}
TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void WriteFile(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

}  // namespace lockwarden
