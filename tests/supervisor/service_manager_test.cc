// The words that systemd is told, against a socket of the test's own.
#include <gtest/gtest.h>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>

#include "run_fixture.h"
#include "watchdog/service_manager.h"

namespace lockwarden {
namespace {

class Listener {
 public:
  // A path, or @ and an abstract name.
  explicit Listener(const std::string& name) : fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un own{};
    own.sun_family = AF_UNIX;
    std::memcpy(own.sun_path, name.data(), name.size());
    if (name[0] == '@') own.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&own), size), 0) << std::strerror(errno);
  }
  ~Listener() { close(fd_); }
  // What has been sent, one message an entry; waits up to `ms` for the first.
  Strings Take(int ms = 0) {
    Strings messages;
    char text[1024];
    for (pollfd ready{fd_, POLLIN, 0}; poll(&ready, 1, messages.empty() ? ms : 0) > 0;) {
      const ssize_t size = recv(fd_, text, sizeof text, 0);
      if (size < 0) break;
      messages.emplace_back(text, static_cast<size_t>(size));
    }
    return messages;
  }
  // Until this has been said; false: the deadline came first.
  bool WaitFor(const std::string& message) {
    for (int i = 0; i < 400; ++i) {
      for (const std::string& said : Take(100)) {
        if (said == message) return true;
      }
    }
    return false;
  }

 private:
  int fd_;
};

constexpr uint64_t kMs = 1'000'000;

TEST(ServiceManagerTest, FindsOnlyWhatIsMeantForThisProcess) {
  const Strings environment = {"A=1", "NOTIFY_SOCKET=/run/x", "WATCHDOG_USEC=3000000",
                               "WATCHDOG_PID=42"};
  EXPECT_EQ(ServiceManager::Find(environment, 42).socket, "/run/x");
  EXPECT_EQ(ServiceManager::Find(environment, 42).watchdog_usec, 3000000u);
  EXPECT_EQ(ServiceManager::Find(environment, 43).watchdog_usec, 0u);
  EXPECT_EQ(ServiceManager::Find(environment, 43).socket, "/run/x");
  EXPECT_EQ(ServiceManager::Find({"WATCHDOG_USEC=never"}, 1).watchdog_usec, 0u);
  EXPECT_EQ(ServiceManager::Without(environment, false), Strings({"A=1"}));
  EXPECT_EQ(ServiceManager::Without(environment, true), Strings({"A=1", "NOTIFY_SOCKET=/run/x"}));
}

TEST(ServiceManagerTest, SaysEachThingOnceAndSignsOfLifeInTime) {
  const TemporaryDirectory directory;
  for (const std::string& name :
       {directory.File("socket"), "@lockwarden-test-" + std::to_string(getpid())}) {
    Listener listener(name);
    ServiceManager manager({.socket = name, .watchdog_usec = 200'000});
    manager.Ready();
    manager.Ready();
    manager.Status("running");
    manager.Status("running");
    manager.Status("two\nlines");
    EXPECT_EQ(listener.Take(), Strings({"READY=1", "STATUS=running", "STATUS=two lines"}));
    for (uint64_t ms = 1000; ms < 1500; ms += 10) manager.Look(/*well=*/true, ms * kMs);
    EXPECT_EQ(listener.Take(), Strings(5, "WATCHDOG=1"));
    for (uint64_t ms = 1500; ms < 3000; ms += 10) manager.Look(/*well=*/false, ms * kMs);
    EXPECT_EQ(listener.Take(), Strings());
    manager.Look(/*well=*/true, 3000 * kMs);
    manager.Extend(5'000'000);
    manager.Stopping();
    EXPECT_EQ(listener.Take(),
              Strings({"WATCHDOG=1", "EXTEND_TIMEOUT_USEC=5000000", "STOPPING=1"}));
    EXPECT_EQ(manager.lost(), 0u);
  }
}

TEST(ServiceManagerTest, WithoutAnyoneNothingIsSentAndWithADeadOneItIsCounted) {
  ServiceManager nobody({});
  EXPECT_FALSE(nobody.listens());
  nobody.Ready();
  EXPECT_EQ(nobody.lost(), 0u);
  const TemporaryDirectory directory;
  ServiceManager gone({.socket = directory.File("gone"), .watchdog_usec = 0});
  gone.Ready();
  EXPECT_EQ(gone.lost(), 1u);
}

TEST_F(RunTest, ServiceManagerHearsThatTheProgramIsStartedAndThenThatItIsDeadlocked) {
  const std::string name = directory_.File("notify");
  Listener listener(name);
  RunningProcess run(Command({"--profile=production"}, Program("deadlock")),
                     {"NOTIFY_SOCKET=" + name, "WATCHDOG_USEC=600000"});
  EXPECT_TRUE(listener.WaitFor("READY=1"));
  EXPECT_TRUE(run.WaitForErr("DEADLOCK"));
  std::string status;
  for (int i = 0; i < 400 && status.find("DEADLOCK") == status.npos; ++i) {
    for (const std::string& said : listener.Take(100)) {
      if (said.starts_with("STATUS=")) status = said;
    }
  }
  EXPECT_NE(status.find("running; last finding: DEADLOCK"), status.npos) << status;
  listener.Take();
  // Two intervals, in which nothing may be said: the program is not well.
  EXPECT_EQ(listener.Take(1200), Strings());
  kill(run.pid(), SIGTERM);  // goes on to the program
  EXPECT_EQ(run.Wait().signal, SIGTERM);
}

TEST_F(RunTest, TheProgramGetsTheSocketOnlyIfAskedFor) {
  const std::string name = directory_.File("notify");
  Listener listener(name);
  const Strings script = Shell("echo \"$NOTIFY_SOCKET $WATCHDOG_USEC\"");
  const Strings variables = {"NOTIFY_SOCKET=" + name, "WATCHDOG_USEC=600000"};
  EXPECT_EQ(Run({}, script, variables).out, " \n");
  EXPECT_EQ(listener.Take().front(), "READY=1");
  EXPECT_EQ(Run({"--notify=program"}, script, variables).out, name + " \n");
  for (const std::string& said : listener.Take()) EXPECT_NE(said, "READY=1");
  EXPECT_EQ(Run({"--notify=off"}, script, variables).out, name + " 600000\n");
  EXPECT_EQ(listener.Take(), Strings());
}

}  // namespace
}  // namespace lockwarden
