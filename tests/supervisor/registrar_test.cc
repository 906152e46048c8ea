// Who may hand over a ledger, and who is sent away.
#include "watchdog/registrar.h"

#include <gtest/gtest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cstddef>
#include <cstring>

#include "hello_client.h"
#include "runtime/include/lockwarden/test_run.h"
#include "run_process.h"
#include "watchdog/other_judge.h"

namespace lockwarden {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

class RegistrarTest : public testing::Test {
 protected:
  void SetUp() override {
    auto made = Registrar::Create({directory_.path()});
    ASSERT_TRUE(made.ok()) << made.status();
    registrar_ = *std::move(made);
  }
  bool Readable() const {
    pollfd wanted{registrar_->fd(), POLLIN, 0};
    return poll(&wanted, 1, 0) == 1;
  }

  TemporaryDirectory directory_;
  std::unique_ptr<Registrar> registrar_;
};

TEST_F(RegistrarTest, LedgerIsTakenOverByPathAndByAbstractName) {
  for (const bool abstract : {false, true}) {
    EXPECT_FALSE(Readable());
    ASSERT_TRUE(SendHello(registrar_->variable(), Mistake::kNone, abstract));
    EXPECT_TRUE(Readable());
    const std::vector<Registration> taken = registrar_->Accept(0);
    ASSERT_EQ(taken.size(), 1u);
    EXPECT_EQ(taken[0].pid, getpid());
    EXPECT_TRUE(taken[0].pidfd.valid());
    EXPECT_EQ(taken[0].reader->identity().ledger_pid, static_cast<uint32_t>(getpid()));
  }
  EXPECT_EQ(registrar_->refused(), 0u);
}

TEST_F(RegistrarTest, WhereNoDescriptorIsLeftIsSaidOnceAndTheLedgerWaits) {
  ASSERT_TRUE(SendHello(registrar_->variable(), Mistake::kNone, false));
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const int next = dup(0);
  close(next);
  const rlimit none = {static_cast<rlim_t>(next), before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  EXPECT_TRUE(registrar_->Accept(0).empty());
  EXPECT_TRUE(registrar_->Accept(0).empty());
  EXPECT_EQ(registrar_->refused(), 1u);
  EXPECT_EQ(registrar_->first_refusal(), "cannot take over a ledger: Too many open files");
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(registrar_->Accept(0).size(), 1u);
}

TEST_F(RegistrarTest, TheTallyOfThoseThatCannotConnectIsCounted) {
  const std::string tally = registrar_->path() + ledger::kTallyEnding;
  EXPECT_EQ(registrar_->stepped_aside(), 0u);
  const int fd = open(tally.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  const uint64_t three = 3;
  EXPECT_EQ(pwrite(fd, &three, sizeof three, 0), static_cast<ssize_t>(sizeof three));
  EXPECT_EQ(registrar_->stepped_aside(), 3u);
  EXPECT_EQ(ftruncate(fd, 0), 0);
  EXPECT_EQ(registrar_->stepped_aside(), 0u);
  close(fd);
  registrar_.reset();
  EXPECT_NE(access(tally.c_str(), F_OK), 0);
}

TEST_F(RegistrarTest, EveryMistakeIsRefusedAndCounted) {
  const struct {
    Mistake mistake;
    const char* why;
  } table[] = {
      {Mistake::kToken, "its token is not this run's"},
      {Mistake::kMagic, "it is no ledger of Lockwarden's"},
      {Mistake::kVersion, "its ledger has layout version"},
      {Mistake::kUnsealed, ""},
      {Mistake::kGarbage, ""},
      {Mistake::kNoDescriptor, "a message brings one descriptor"},
      {Mistake::kTwoDescriptors, "a message brings one descriptor"},
      {Mistake::kShort, "the message has the wrong size"},
      {Mistake::kSilence, "it hung up"},
  };
  for (const auto& row : table) {
    auto fresh = *Registrar::Create({directory_.path()});
    ASSERT_TRUE(SendHello(fresh->variable(), row.mistake));
    EXPECT_TRUE(fresh->Accept(0).empty());
    EXPECT_EQ(fresh->refused(), 1u) << row.why;
    EXPECT_NE(fresh->first_refusal().find(row.why), std::string::npos) << fresh->first_refusal();
  }
}

TEST_F(RegistrarTest, WhoOnlyAsksWhetherItIsThereIsNeitherRefusedNorCounted) {
  EXPECT_TRUE(OtherJudge::Answers(registrar_->path()));
  EXPECT_TRUE(registrar_->Accept(0).empty());
  EXPECT_EQ(registrar_->refused(), 0u);
  EXPECT_EQ(registrar_->stepped_aside(), 0u);
  const std::string path = registrar_->path();
  registrar_.reset();
  EXPECT_FALSE(OtherJudge::Answers(path));
  EXPECT_FALSE(OtherJudge::Answers(""));
}

TEST_F(RegistrarTest, ASocketThatSomebodyHasBoundServesByItsAbstractName) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = "/nonexistent/" + directory_.path();
  std::memcpy(address.sun_path + 1, path.data(), path.size());
  UniqueFd listener(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address),
                 static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1)),
            0);
  ASSERT_EQ(listen(listener.get(), 8), 0);
  const auto adopted = Registrar::Adopt(std::move(listener), std::string(32, 'a'), path);
  ASSERT_TRUE(SendHello(adopted->variable(), Mistake::kNone, /*by_abstract_name=*/true));
  EXPECT_EQ(adopted->Accept(0).size(), 1u);
}

TEST(ReadStepAsideTest, TellsTheReasonOfThisRunsProcessesOnly) {
  const std::string token(32, 'a');
  ledger::StepAsideNotice notice;
  std::memcpy(notice.magic, ledger::kNoticeMagic, sizeof notice.magic);
  notice.layout_version = ledger::kLayoutVersion;
  std::memset(notice.token, 'a', sizeof notice.token);
  std::memset(notice.reason, 'x', sizeof notice.reason);  // no NUL: trusted for nothing
  const auto read = [&](size_t size) {
    return ReadStepAside({reinterpret_cast<const char*>(&notice), size}, token);
  };
  EXPECT_EQ(read(sizeof notice), std::string(sizeof notice.reason, 'x'));
  EXPECT_EQ(read(sizeof notice - 1), std::nullopt);
  std::strcpy(notice.reason, "memfd_create failed");
  EXPECT_EQ(read(sizeof notice), "memfd_create failed");
  notice.token[31] = 'b';
  EXPECT_EQ(read(sizeof notice), std::nullopt);
  notice.token[31] = 'a';
  ++notice.layout_version;
  EXPECT_EQ(read(sizeof notice), std::nullopt);
  --notice.layout_version;
  notice.magic[0] = '?';
  EXPECT_EQ(read(sizeof notice), std::nullopt);
}

TEST(ReadTestNoticeTest, TakesThisRunsProcessesOnly) {
  const std::string token(32, 'a');
  TestNotice notice;
  std::memcpy(notice.magic, TestNotice::kMagic, sizeof notice.magic);
  notice.version = TestNotice::kVersion;
  notice.kind = TestNotice::kEnds;
  std::memset(notice.token, 'a', sizeof notice.token);
  std::memset(notice.name, 'x', sizeof notice.name);  // no NUL: trusted for nothing
  const auto read = [&](size_t size) {
    return ReadTestNotice({reinterpret_cast<const char*>(&notice), size}, token);
  };
  ASSERT_TRUE(read(sizeof notice).has_value());
  EXPECT_TRUE(read(sizeof notice)->ends);
  EXPECT_EQ(read(sizeof notice)->name, std::string(sizeof notice.name, 'x'));
  EXPECT_FALSE(read(sizeof notice - 1).has_value());
  notice.token[31] = 'b';
  EXPECT_FALSE(read(sizeof notice).has_value());
  notice.token[31] = 'a';
  ++notice.version;
  EXPECT_FALSE(read(sizeof notice).has_value());
}

TEST_F(RegistrarTest, RefusalDoesNotStandInTheWayOfTheNextOne) {
  ASSERT_TRUE(SendHello(registrar_->variable(), Mistake::kGarbage));
  ASSERT_TRUE(SendHello(registrar_->variable(), Mistake::kNone));
  ASSERT_TRUE(SendHello(registrar_->variable(), Mistake::kToken));
  EXPECT_EQ(registrar_->Accept(0).size(), 1u);
  EXPECT_EQ(registrar_->refused(), 2u);
}

TEST_F(RegistrarTest, ProcessThatEndedBeforeWeLookedHasNoPidfdButItsLedger) {
  const pid_t child = fork();
  if (child == 0) _exit(SendHello(registrar_->variable(), Mistake::kNone) ? 0 : 1);
  int status;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  const std::vector<Registration> taken = registrar_->Accept(0);
  ASSERT_EQ(taken.size(), 1u);
  EXPECT_EQ(taken[0].pid, child);
  EXPECT_FALSE(taken[0].pidfd.valid());
}

TEST_F(RegistrarTest, CallerThatSaysNothingIsSentAwayAfterTenSeconds) {
  const std::string path = registrar_->path();
  RunningProcess caller({"/usr/bin/python3", "-c",
                         "import socket,sys\n"
                         "s=socket.socket(socket.AF_UNIX,socket.SOCK_SEQPACKET)\n"
                         "s.connect(sys.argv[1])\n"
                         "print('connected',flush=True)\n"
                         "s.recv(1)\n",
                         path});
  ASSERT_TRUE(caller.WaitForOut("connected"));
  EXPECT_TRUE(registrar_->Accept(0).empty());
  EXPECT_TRUE(registrar_->Accept(9 * kSecond).empty());
  EXPECT_EQ(registrar_->refused(), 0u);
  EXPECT_TRUE(registrar_->Accept(11 * kSecond).empty());
  EXPECT_EQ(registrar_->refused(), 1u);
  EXPECT_EQ(caller.Wait().code, 0);  // it saw the connection end
}

TEST_F(RegistrarTest, SocketCanBeReachedByEveryUserAndTheDirectoryNotRead) {
  struct stat file;
  ASSERT_EQ(stat(registrar_->path().c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0666u);
  const std::string directory = registrar_->path().substr(0, registrar_->path().rfind('/'));
  ASSERT_EQ(stat(directory.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0711u);
  registrar_.reset();
  EXPECT_NE(stat(directory.c_str(), &file), 0);
}

TEST_F(RegistrarTest, TokensDiffer) {
  const auto other = *Registrar::Create({directory_.path()});
  EXPECT_NE(other->variable().substr(0, 32), registrar_->variable().substr(0, 32));
}

TEST(RegistrarPlacesTest, NextPlaceIsTriedWhenOneCannotBeWritten) {
  const TemporaryDirectory directory;
  const std::string deep = directory.path() + "/" + std::string(150, 'x');
  mkdir(deep.c_str(), 0755);  // too long for a socket's name
  const auto made = Registrar::Create({"/nonexistent", "/proc", deep, directory.path()});
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ((*made)->path().rfind(directory.path() + "/lockwarden-", 0), 0u);
}

TEST(RegistrarPlacesTest, WithNowhereToWriteTheAbstractNameServes) {
  const auto made = Registrar::Create({"/proc"});
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_FALSE(SendHello((*made)->variable(), Mistake::kNone, false));
  ASSERT_TRUE(SendHello((*made)->variable(), Mistake::kNone, true));
  EXPECT_EQ((*made)->Accept(0).size(), 1u);
}

}  // namespace
}  // namespace lockwarden
