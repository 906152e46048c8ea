// What starting a server leaves behind in the process: signals, threads, forks.
#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include "tests/exporter/http_client.h"
#include "watchdog/metrics_server.h"

namespace lockwarden {
namespace {

std::set<std::string> Tids() {
  std::set<std::string> tids;
  DIR* directory = opendir("/proc/self/task");
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] != '.') tids.insert(entry->d_name);
  }
  closedir(directory);
  return tids;
}

std::set<int> OpenDescriptors() {
  std::set<int> open;
  for (int fd = 0; fd < 1024; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) open.insert(fd);
  }
  return open;
}

uint64_t BlockedSignals(const std::string& tid) {
  std::ifstream status("/proc/self/task/" + tid + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("SigBlk:", 0) == 0) return std::strtoull(line.c_str() + 7, nullptr, 16);
  }
  return 0;
}

std::unique_ptr<MetricsServer> StartServer(const MetricsBoard* board) {
  std::unique_ptr<MetricsServer> server = MakeMetricsServer(board);
  const absl::Status status = server->Start("127.0.0.1:0");
  EXPECT_TRUE(status.ok()) << status;
  return server;
}

void NoteSigpipe(int) {}

TEST(ServerProcessTest, SigpipeKeepsItsDisposition) {
  struct sigaction before = {}, mine = {}, after = {};
  mine.sa_handler = NoteSigpipe;
  mine.sa_flags = SA_RESTART;
  ASSERT_EQ(sigaction(SIGPIPE, &mine, &before), 0);
  MetricsBoard board;
  {
    const auto server = StartServer(&board);
    EXPECT_NE(Scrape(server->port()), "");
    ASSERT_EQ(sigaction(SIGPIPE, nullptr, &after), 0);
    EXPECT_EQ(after.sa_handler, &NoteSigpipe);
    EXPECT_EQ(after.sa_flags & SA_RESTART, SA_RESTART);
  }
  ASSERT_EQ(sigaction(SIGPIPE, &before, &after), 0);
  EXPECT_EQ(after.sa_handler, &NoteSigpipe);
}

TEST(ServerProcessTest, ClientsThatHangUpDoNotKillAProcessThatDiesOfSigpipe) {
  struct sigaction before = {}, deadly = {};
  deadly.sa_handler = SIG_DFL;
  ASSERT_EQ(sigaction(SIGPIPE, &deadly, &before), 0);
  MetricsBoard board;
  const auto server = StartServer(&board);
  for (int i = 0; i < 200; ++i) {
    Connection connection(server->port());
    ASSERT_TRUE(connection.ok());
    ASSERT_TRUE(connection.Send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    connection.Reset();
  }
  EXPECT_NE(Scrape(server->port()), "");
  sigaction(SIGPIPE, &before, nullptr);
}

TEST(ServerProcessTest, ItsThreadsTakeNoSignalAndTheCallersMaskIsAsBefore) {
  sigset_t mask_before, mask_after;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask_before);
  std::thread([] {}).join();  // ThreadSanitizer's own thread comes with the first
  const std::set<std::string> before = Tids();
  MetricsBoard board;
  const auto server = StartServer(&board);
  pthread_sigmask(SIG_SETMASK, nullptr, &mask_after);
  int threads = 0;
  for (const std::string& tid : Tids()) {
    if (before.count(tid) != 0) continue;
    ++threads;
    const uint64_t blocked = BlockedSignals(tid);
    for (const int signal : {SIGHUP, SIGINT, SIGTERM, SIGCHLD, SIGUSR1, SIGPIPE, SIGALRM}) {
      EXPECT_TRUE(blocked & (uint64_t{1} << (signal - 1))) << signal;
    }
  }
  EXPECT_EQ(threads, 1);
  for (int signal = 1; signal < NSIG; ++signal) {
    EXPECT_EQ(sigismember(&mask_before, signal), sigismember(&mask_after, signal)) << signal;
  }
}

TEST(ServerProcessTest, NoThreadIsLeftAfterwards) {
  // A sanitizer begins a thread of its own with the first one.
  std::thread([] {}).join();
  MetricsBoard board;
  const std::set<std::string> before = Tids();
  { const auto server = StartServer(&board); }
  EXPECT_EQ(Tids(), before);
}

TEST(ServerProcessTest, AnExecutedProgramDoesNotInheritThePort) {
  const std::set<int> before = OpenDescriptors();
  MetricsBoard board;
  const auto server = StartServer(&board);
  int opened = 0;
  for (const int fd : OpenDescriptors()) {
    if (before.count(fd) != 0) continue;
    ++opened;
    EXPECT_TRUE(fcntl(fd, F_GETFD) & FD_CLOEXEC) << fd;
  }
  EXPECT_GE(opened, 1);
}

#ifndef LOCKWARDEN_SANITIZES_THREAD  // whose list of threads a fork empties
TEST(ServerProcessTest, AForkedChildCanDestroyItsCopyAndTheParentServesOn) {
  MetricsBoard board;
  auto server = StartServer(&board);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(20);  // the deadline: joining threads that are not there takes for ever
    server.reset();
    _exit(0);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_NE(Scrape(server->port()), "");
}
#endif

TEST(ServerProcessTest, AForkedChildThatGoesOnDoesNotKeepThePort) {
  MetricsBoard board;
  auto server = StartServer(&board);
  const std::string address = "127.0.0.1:" + std::to_string(server->port());
  int until[2], begun[2];
  ASSERT_EQ(pipe(until), 0);
  ASSERT_EQ(pipe(begun), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  char byte = 'x';
  if (child == 0) {
    close(until[1]);
    if (write(begun[1], &byte, 1) != 1) _exit(1);
    _exit(read(until[0], &byte, 1) == 0 ? 0 : 1);  // as long as the parent has its end
  }
  close(begun[1]);
  ASSERT_EQ(read(begun[0], &byte, 1), 1) << "it lets go of the port before it runs, not before";
  close(begun[0]);
  server.reset();
  server = MakeMetricsServer(&board);
  const absl::Status status = server->Start(address);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_NE(Scrape(server->port()), "");
  close(until[0]);
  close(until[1]);
  int exit_status = -1;
  ASSERT_EQ(waitpid(child, &exit_status, 0), child);
  EXPECT_EQ(exit_status, 0);
}

}  // namespace
}  // namespace lockwarden
