// RunProcess: runs a command to its end and keeps what it said. For process tests.
//
// Every wait has a deadline; a command that misses it is killed and reported as such.
// Thread safety: an object is used by one thread.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace lockwarden {

struct ProcessResult {
  int code = -1;    // exit code, or -1
  int signal = 0;   // what killed it, or 0
  bool late = false;  // missed the deadline and was killed
  std::string out, err;
};

// A child whose output is collected in files of its own.
class RunningProcess {
 public:
  // `variables` are "NAME=value", added to this process's environment without any
  // LOCKWARDEN_* and LD_PRELOAD in it.
  explicit RunningProcess(std::vector<std::string> argv,
                          std::vector<std::string> variables = {});
  ~RunningProcess();  // kills it if it still runs
  RunningProcess(const RunningProcess&) = delete;
  RunningProcess& operator=(const RunningProcess&) = delete;

  pid_t pid() const { return pid_; }
  std::string out() const;
  std::string err() const;
  // Until standard output (error) contains `text`; false: the deadline came first.
  bool WaitForOut(const std::string& text) const;
  bool WaitForErr(const std::string& text) const;
  ProcessResult Wait();

 private:
  pid_t pid_ = -1;
  int out_ = -1, err_ = -1;
};

ProcessResult RunProcess(std::vector<std::string> argv, std::vector<std::string> variables = {});

// A directory that goes away with everything in it; others may enter it.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  const std::string& path() const { return path_; }
  std::string File(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

std::string ReadFile(const std::string& path);
void WriteFile(const std::string& path, const std::string& text);
std::vector<std::string> Lines(const std::string& text);

}  // namespace lockwarden
