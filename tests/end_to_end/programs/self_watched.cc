// Looks after itself with a lockwarden::Watchdog.
//   deadlock OPTIONS   deadlocks, and says what it sees each time that it is started
//   stall OPTIONS      beats once
//   watch OPTIONS      says who acts, once a line that it reads
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "lockwarden/lockwarden.h"
#include "lockwarden/watchdog.h"

namespace {

int OpenDescriptors() {
  int count = 0;
  DIR* const directory = opendir("/proc/self/fd");
  while (readdir(directory) != nullptr) ++count;
  closedir(directory);
  return count - 3;  // ".", ".." and its own
}

void Deadlock() {
  static lockwarden::Lock first("first"), second("second");
  static lockwarden::Barrier both(2);
  const auto cross = [](lockwarden::Lock& a, lockwarden::Lock& b) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    a.lock();
    both.wait();
    b.lock();
  };
  std::thread other(cross, std::ref(first), std::ref(second));
  cross(second, first);
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) return 64;
  const std::string mode = arguments[1];
  // One that is to stay, or stays from an earlier life; and one that is not.
  const char* const restarts = std::getenv("LOCKWARDEN_RESTARTS");
  if (mode == "deadlock") {
    std::printf("life with %d descriptors, %s, after %s\n", OpenDescriptors(), arguments[2],
                restarts == nullptr ? "none" : "others");
    std::fflush(stdout);
  }
  const int kept = dup(STDIN_FILENO);
  if (open("/dev/null", O_RDONLY) < 0) return 1;
  auto watchdog = lockwarden::Watchdog::Start(
      {.options = arguments[2],
       .on_incident =
           [](const lockwarden::Watchdog::Incident& incident) {
             std::printf("told of %s, %s\n", incident.kind.c_str(), incident.confidence.c_str());
             std::fflush(stdout);
           },
       .kept_descriptors = {kept}});
  if (!watchdog.ok()) {
    std::fprintf(stderr, "%s\n", std::string(watchdog.status().message()).c_str());
    return 64;
  }
  if (mode == "deadlock") Deadlock();
  if (mode == "stall") {
    lockwarden::Heartbeat heartbeat("loop", std::chrono::milliseconds(100));
    heartbeat.beat();
    pause();
  }
  while (std::getchar() != EOF) {
    std::puts((*watchdog)->acts() ? "acts" : "stands by");
    std::fflush(stdout);
  }
  return 0;
}
