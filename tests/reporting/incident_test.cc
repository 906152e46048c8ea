// Incident directories: complete or not there at all, whatever fails.
#include "watchdog/incident.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <atomic>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "runtime/ledger.h"
#include "tests/reporting/sample_findings.h"
#include "tests/reporting/temporary_directory.h"
#include "watchdog/crash.h"
#include "watchdog/private_directory.h"
#include "watchdog/report.h"

namespace lockwarden {
namespace {

namespace fs = std::filesystem;

std::string Read(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::set<std::string> Names(const std::string& directory) {
  std::set<std::string> names;
  if (!fs::exists(directory)) return names;
  for (const auto& entry : fs::directory_iterator(directory)) names.insert(entry.path().filename());
  return names;
}

mode_t Mode(const std::string& path) {
  struct stat status = {};
  lstat(path.c_str(), &status);
  return status.st_mode & 07777;
}

// A small ledger in this process's memory.
class TestLedger {
 public:
  TestLedger() {
    const ledger::Capacities capacities = ledger::Capacities().Scaled(12);
    size_ = ledger::Ledger::SizeFor(capacities);
    base_ = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ledger::Ledger::Format(base_, capacities);
    auto reader = LedgerReader::FromMemory(base_, size_);
    EXPECT_TRUE(reader.ok()) << reader.status();
    if (reader.ok()) reader_ = std::move(*reader);
  }
  ~TestLedger() { munmap(base_, size_); }
  const LedgerReader* reader() const { return reader_.get(); }
  uint64_t size() const { return size_; }

 private:
  uint64_t size_ = 0;
  void* base_ = nullptr;
  std::unique_ptr<LedgerReader> reader_;
};

Finding OfThisProcess() {
  Finding finding = TwoThreadDeadlock();
  finding.pid = static_cast<uint32_t>(getpid());
  finding.fingerprint.clear();
  finding.incident.clear();
  return finding;
}

TEST(IncidentTest, DirectoryIsCompleteAndPrivateAndNamedAfterTheFinding) {
  const TemporaryDirectory directory;
  const TestLedger ledger;
  const mode_t umask_before = umask(0);
  IncidentWriter writer(directory / "deep/er/incidents");
  Finding finding = OfThisProcess();
  const absl::Status status = writer.Write(&finding, ledger.reader());
  umask(umask_before);
  ASSERT_TRUE(status.ok()) << status;

  EXPECT_EQ(finding.fingerprint, Fingerprint(finding));
  EXPECT_EQ(finding.incident, absl::StrCat("20261121T093000Z-", getpid(), "-",
                                           finding.fingerprint.substr(0, 8), "-1"));
  EXPECT_EQ(Names(writer.directory()), std::set<std::string>({finding.incident}));
  const std::string path = writer.directory() + "/" + finding.incident;
  EXPECT_EQ(Names(path),
            std::set<std::string>({"report.json", "report.txt", "report.html", "seen.json", "ledger.bin",
                                   "ledger.txt", "modules.txt", "status.txt", "limits.txt",
                                   "memory.txt", "pressure.txt", "cgroup.txt"}));
  EXPECT_EQ(Mode(path), 0700u);
  EXPECT_EQ(Mode(writer.directory()), 0700u);
  for (const std::string& name : Names(path)) EXPECT_EQ(Mode(path + "/" + name), 0600u) << name;
  EXPECT_EQ(Read(path + "/report.txt"), FormatText(finding, {}));
  EXPECT_EQ(nlohmann::json::parse(Read(path + "/report.json"))["incident"], finding.incident);
  EXPECT_TRUE(absl::StrContains(Read(path + "/status.txt"), "\nPid:\t"));
  EXPECT_EQ(fs::file_size(path + "/ledger.bin"), ledger.size());
}

TEST(IncidentTest, EveryProcessOfTheFindingLeavesItsBlackBox) {
  const TemporaryDirectory directory;
  const TestLedger ledger, other;
  IncidentWriter writer(directory.path());
  Finding finding = OfThisProcess();
  const uint32_t parent = static_cast<uint32_t>(getppid());
  ASSERT_TRUE(writer.Write(&finding, ledger.reader(), {{parent, other.reader()}}).ok());
  const std::string path = directory / finding.incident, of = absl::StrCat("-", parent);
  EXPECT_EQ(Names(path),
            std::set<std::string>(
                {"report.json", "report.txt", "report.html", "seen.json", "ledger.bin", "ledger.txt",
                 "modules.txt", "status.txt", "limits.txt", "memory.txt", "pressure.txt",
                 "cgroup.txt", "ledger" + of + ".bin", "ledger" + of + ".txt",
                 "modules" + of + ".txt", "status" + of + ".txt", "limits" + of + ".txt",
                 "memory" + of + ".txt", "pressure" + of + ".txt", "cgroup" + of + ".txt"}));
  EXPECT_EQ(fs::file_size(path + "/ledger" + of + ".bin"), other.size());
  EXPECT_TRUE(absl::StrContains(Read(path + "/status" + of + ".txt"),
                                absl::StrCat("\nPid:\t", parent, "\n")));
}

TEST(IncidentTest, HasWhatTheKernelSaysAndWhatTheCallerAdds) {
  const TemporaryDirectory directory;
  IncidentWriter writer(directory.path());
  Finding finding = OfThisProcess();
  const std::vector<EvidenceFile> added = {{"metrics.prom", "up 1\n"}};
  ASSERT_TRUE(writer.Write(&finding, nullptr, {}, {}, added).ok());
  const std::string path = directory / finding.incident;
  EXPECT_EQ(Read(path + "/metrics.prom"), "up 1\n");
  EXPECT_TRUE(absl::StrContains(Read(path + "/limits.txt"), "Max open files"));
  EXPECT_TRUE(absl::StrContains(Read(path + "/memory.txt"), "\nMemTotal:"));
  EXPECT_TRUE(absl::StrContains(Read(path + "/cgroup.txt"), "/cgroup\n"));
  EXPECT_TRUE(absl::StrContains(Read(path + "/pressure.txt"), "# /proc/pressure/memory"));
  for (const EvidenceFile& file : ProcessEvidence(0)) {  // has ended
    EXPECT_FALSE(absl::StrContains(file.text, "/proc/0/")) << file.name;
  }
}

TEST(IncidentTest, HowOftenItWasMetIsKeptInTheIncidentUntilThatIsRemoved) {
  const TemporaryDirectory directory;
  IncidentWriter writer(directory.path());
  Finding finding = OfThisProcess();
  Seen seen = {.count = 1, .first_ns = finding.time_ns, .last_ns = finding.time_ns};
  ASSERT_TRUE(writer.Write(&finding, nullptr, {}, seen).ok());
  seen.count = 7;
  seen.last_ns += 1'000'000'000;
  ASSERT_TRUE(writer.Update(finding.incident, finding.fingerprint, seen).ok());
  const std::string path = directory / finding.incident;
  const auto json = nlohmann::json::parse(Read(path + "/seen.json"));
  EXPECT_EQ(json["count"], 7);
  EXPECT_EQ(json["fingerprint"], finding.fingerprint);
  EXPECT_EQ(json["last_seen"], FormatTime(seen.last_ns));
  EXPECT_EQ(Mode(path + "/seen.json"), 0600u);
  fs::remove_all(path);
  EXPECT_TRUE(
      absl::IsFailedPrecondition(writer.Update(finding.incident, finding.fingerprint, seen)));
}

TEST(IncidentTest, ACrashIsAnIncidentOfItsOwnForm) {
  const TemporaryDirectory directory;
  const TestLedger ledger;
  IncidentWriter writer(directory.path());
  Crash crash;
  crash.signal = SIGSEGV;
  crash.scene = OfThisProcess();
  crash.scene.headline = "CRASH: philosophers was killed by SIGSEGV";
  crash.holding = 2;
  ASSERT_TRUE(IsWorthTelling(crash));
  ASSERT_TRUE(writer.Write(&crash, ledger.reader(), {}, {}).ok());
  const std::string path = directory / crash.scene.incident;
  EXPECT_FALSE(fs::exists(path + "/status.txt")) << "of whoever has the pid now";
  EXPECT_TRUE(fs::exists(path + "/ledger.bin"));
  const auto json = nlohmann::json::parse(Read(path + "/report.json"));
  EXPECT_EQ(json["kind"], "crash");
  EXPECT_EQ(json["incident"], crash.scene.incident);
  EXPECT_FALSE(json.contains("confidence"));
  const std::string text = Read(path + "/report.txt");
  EXPECT_TRUE(absl::StrContains(text, "CRASH: philosophers was killed by SIGSEGV (pid ")) << text;
  EXPECT_TRUE(absl::StrContains(text, "\nthread 'phil-0' (tid 4243)")) << text;
}

TEST(IncidentTest, BlackBoxCanBeReadAsALedger) {
  const TemporaryDirectory directory;
  const TestLedger ledger;
  IncidentWriter writer(directory.path());
  Finding finding = OfThisProcess();
  ASSERT_TRUE(writer.Write(&finding, ledger.reader()).ok());
  const std::string box = Read(directory / finding.incident + "/ledger.bin");
  void* copy = mmap(nullptr, box.size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                    0);
  ASSERT_NE(copy, MAP_FAILED);
  std::memcpy(copy, box.data(), box.size());
  EXPECT_TRUE(LedgerReader::FromMemory(copy, box.size()).ok());
  munmap(copy, box.size());
}

TEST(IncidentTest, EachIncidentGetsAnIdOfItsOwnAlsoBesideAnotherWriters) {
  const TemporaryDirectory directory;
  std::set<std::string> ids;
  for (int w = 0; w < 3; ++w) {
    IncidentWriter writer(directory.path());
    for (int i = 0; i < 3; ++i) {
      Finding finding = OfThisProcess();
      ASSERT_TRUE(writer.Write(&finding, nullptr).ok());
      ids.insert(finding.incident);
    }
  }
  EXPECT_EQ(ids.size(), 9u);
  EXPECT_EQ(Names(directory.path()), ids);
}

TEST(IncidentTest, FingerprintFromElsewhereCannotLeadOutOfTheDirectory) {
  const TemporaryDirectory directory;
  IncidentWriter writer(directory / "incidents");
  Finding finding = OfThisProcess();
  finding.fingerprint = "../../../../";
  ASSERT_TRUE(writer.Write(&finding, nullptr).ok());
  EXPECT_EQ(finding.incident.find('/'), finding.incident.npos);
  EXPECT_EQ(Names(directory.path()), std::set<std::string>({"incidents"}));
}

TEST(IncidentTest, SymbolicLinkInPlaceOfTheDirectoryIsRefused) {
  const TemporaryDirectory directory;
  ASSERT_EQ(mkdir((directory / "real").c_str(), 0700), 0);
  ASSERT_EQ(symlink("real", (directory / "link").c_str()), 0);
  IncidentWriter writer(directory / "link/");
  Finding finding = OfThisProcess();
  const absl::Status status = writer.Write(&finding, nullptr);
  EXPECT_TRUE(absl::StrContains(status.message(), "is a symbolic link")) << status;
  EXPECT_FALSE(writer.Check().ok());
  EXPECT_EQ(finding.incident, "");
  EXPECT_TRUE(Names(directory / "real").empty());
}

TEST(IncidentTest, LowLimitOnFileSizesLeavesOutTheBlackBoxAndSaysSo) {
  const TemporaryDirectory directory;
  const TestLedger ledger;
  IncidentWriter writer(directory.path());
  Finding finding = OfThisProcess();
  struct rlimit old;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  const struct rlimit low = {ledger.size() - 1, old.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &low), 0);
  const absl::Status status = writer.Write(&finding, ledger.reader());
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
  ASSERT_TRUE(status.ok()) << status;
  const std::string path = directory / finding.incident;
  EXPECT_FALSE(fs::exists(path + "/ledger.bin"));
  EXPECT_TRUE(absl::StrContains(Read(path + "/ledger.txt"), "not saved"));
  EXPECT_TRUE(fs::exists(path + "/report.txt"));
}

struct Place {
  const char* what;
  std::string path;
  bool usable;
};

TEST(IncidentTest, CheckTellsWhetherItCouldBeUsedAndLeavesNothing) {
  const TemporaryDirectory directory;
  std::ofstream(directory / "file") << "x";
  ASSERT_EQ(mkdir((directory / "there").c_str(), 0700), 0);
  const Place places[] = {
      {"exists", directory / "there", true},
      {"exists, with slashes", directory / "there//", true},
      {"can be created", directory / "new", true},
      {"can be created with its parents", directory / "a/b/c", true},
      {"is a file", directory / "file", false},
      {"below a file", directory / "file/incidents", false},
      {"below a device", "/dev/null/incidents", false},
      {"in /proc, which root may write to", "/proc/incidents", false},
      {"nothing", "", false},
  };
  for (const Place& place : places) {
    const absl::Status status = IncidentWriter(place.path).Check();
    EXPECT_EQ(status.ok(), place.usable) << place.what << ": " << status;
    if (status.ok()) continue;
    EXPECT_TRUE(absl::StrContains(status.message(), "incidents directory " + place.path));
    EXPECT_EQ(status.message().find('\n'), status.message().npos);
  }
  EXPECT_EQ(Names(directory.path()), std::set<std::string>({"file", "there"}));
  EXPECT_TRUE(Names(directory / "there").empty());
}

TEST(IncidentTest, FailureLeavesNothingNotEvenTheDirectory) {
  const TemporaryDirectory directory;
  std::ofstream(directory / "file") << "x";
  IncidentWriter writer(directory / "file/incidents");
  Finding finding = OfThisProcess();
  finding.incident = "left from before";
  EXPECT_FALSE(writer.Write(&finding, nullptr).ok());
  EXPECT_EQ(finding.incident, "");
  EXPECT_EQ(Names(directory.path()), std::set<std::string>({"file"}));
}

// Runs `body` in a child with a mount namespace of its own, where `options` of a tmpfs on
// `mount_point` apply. Returns the child's exit code; 77: no right to mount.
int WithTmpfs(const std::string& mount_point, const std::string& options,
              const std::function<int()>& body) {
  const pid_t pid = fork();
  if (pid == 0) {
    if (unshare(CLONE_NEWNS) != 0 ||
        mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("none", mount_point.c_str(), "tmpfs", 0, options.c_str()) != 0) {
      _exit(77);
    }
    _exit(body());
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// Every step that needs room is made to fail in turn: with n inodes the n-th thing to be
// created fails, with n pages the n-th page to be written.
TEST(IncidentTest, DiskThatFillsUpAtAnyStepLeavesNothingBehind) {
  const TemporaryDirectory directory;
  const TestLedger ledger;
  const auto body = [&] {
    IncidentWriter writer(directory / "new/incidents");
    Finding finding = OfThisProcess();
    const absl::Status status = writer.Write(&finding, ledger.reader());
    if (status.ok()) {
      const std::string path = writer.directory() + "/" + finding.incident;
      return Names(path).size() == 12 && !Read(path + "/report.txt").empty() ? 0 : 2;
    }
    if (!finding.incident.empty() || !Names(directory.path()).empty()) return 3;
    return absl::IsResourceExhausted(status) ? 1 : 4;
  };
  int failed = 0, succeeded = 0;
  for (const char* resource : {"nr_inodes", "nr_blocks"}) {
    int code = 1;
    for (int n = resource[3] == 'i' ? 2 : 1; n < 200 && code != 0; ++n) {
      code = WithTmpfs(directory.path(), absl::StrCat(resource, "=", n), body);
      if (code == 77) GTEST_SKIP() << "no right to mount a tmpfs";
      ASSERT_LE(code, 1) << resource << "=" << n;
      ASSERT_GE(code, 0) << resource << "=" << n;
      failed += code == 1;
      succeeded += code == 0;
    }
  }
  EXPECT_EQ(succeeded, 2);
  EXPECT_GT(failed, 12);
}

TEST(IncidentTest, CheckRefusesFullAndReadOnlyFileSystems) {
  const TemporaryDirectory directory;
  const auto check = [&] {
    const absl::Status status = IncidentWriter(directory / "incidents").Check();
    return status.ok() ? 0 : absl::IsResourceExhausted(status) ? 1 : 2;
  };
  const int free = WithTmpfs(directory.path(), "size=1m", check);
  if (free == 77) GTEST_SKIP() << "no right to mount a tmpfs";
  EXPECT_EQ(free, 0);
  EXPECT_EQ(WithTmpfs(directory.path(), "nr_blocks=1", [&] {
    std::ofstream(directory / "file") << std::string(4096, 'x');
    return check();
  }), 1);
  EXPECT_EQ(WithTmpfs(directory.path(), "size=1m", [&] {
    mount(nullptr, directory.path().c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr);
    return check();
  }), 2);
}

// Supervisors that begin at once look at one directory that is not there yet, and take it away.
TEST(IncidentTest, ManyMayLookAtOneNewDirectoryAtOnce) {
  const TemporaryDirectory directory;
  const std::string parent = directory / "made/by/whom";
  std::atomic<int> failed{0};
  std::vector<std::thread> supervisors;
  for (int i = 0; i < 3; ++i) {
    supervisors.emplace_back([&] {
      for (int round = 0; round < 1000; ++round) failed += !PrivateDirectory::Check(parent).ok();
    });
  }
  for (std::thread& supervisor : supervisors) supervisor.join();
  EXPECT_EQ(failed, 0);
}

}  // namespace
}  // namespace lockwarden
