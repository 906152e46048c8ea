// The symbolizer against libraries loaded into this process, into children that are then
// killed, into another mount namespace, and against binutils' addr2line.
#include "watchdog/symbolizer.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <elf.h>
#include <execinfo.h>
#include <link.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "watchdog/elf_file.h"
#include "watchdog/function_name.h"

namespace lockwarden {
namespace {

namespace fs = std::filesystem;

const std::string kFixture = LOCKWARDEN_FIXTURE_DIRECTORY;

std::vector<uint64_t> g_captured;

// Called from the innermost function of the fixture.
void Capture() {
  std::array<void*, 32> pcs;
  const int count = backtrace(pcs.data(), static_cast<int>(pcs.size()));
  g_captured.clear();
  for (int i = 0; i < count; ++i) {
    g_captured.push_back(reinterpret_cast<uint64_t>(pcs[static_cast<size_t>(i)]));
  }
}

// A library in this process, and return addresses in it: one in Run at depth 0, Run at
// depth 1, Hidden, fixture_run.
struct Loaded {
  void* handle = nullptr;
  std::vector<uint64_t> pcs;
  ModuleInfo module;

  explicit Loaded(const std::string& path) {
    if (path.empty()) return;
    handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) return;
    link_map* map = nullptr;
    dlinfo(handle, RTLD_DI_LINKMAP, &map);
    void* run = dlsym(handle, "fixture_run");
    reinterpret_cast<void (*)(void (*)())>(run)(Capture);
    module.base = map->l_addr;
    module.begin = map->l_addr;
    module.end = map->l_addr + 0x10000;
    module.path = path;
    const UniqueFd file = OpenRegular(path);
    module.build_id = BuildIdOf(file.get()).value_or("");
    for (const uint64_t pc : g_captured) {
      Dl_info info;
      if (dladdr(reinterpret_cast<void*>(pc - 1), &info) == 0) continue;
      if (info.dli_fbase == reinterpret_cast<void*>(map->l_addr)) pcs.push_back(pc);
    }
  }
  ~Loaded() {
    if (handle != nullptr) dlclose(handle);
  }
};

std::string Show(const StackFrame& frame) {
  return absl::StrCat(frame.function, " ", frame.file, ":", frame.line,
                      frame.inlined ? " inlined" : "");
}

std::vector<std::string> Show(const StackTrace& stack) {
  std::vector<std::string> lines;
  for (const StackFrame& frame : stack) lines.push_back(Show(frame));
  return lines;
}

const std::vector<std::string> kWithSymbols = {
    "fixture::Inner inner.h:100 inlined",
    "fixture::Outer::Middle middle.h:200 inlined",
    "fixture::Outer::Run symbol_fixture.cc:310",
    "fixture::Outer::Run symbol_fixture.cc:300",
    "fixture::(anonymous namespace)::Hidden symbol_fixture.cc:400",
    "fixture_run symbol_fixture.cc:500",
};

TEST(SymbolizerTest, NamesFunctionsFilesLinesAndInlinedFrames) {
  const Loaded library(kFixture + "/symbol_fixture.so");
  ASSERT_EQ(library.pcs.size(), 4u);
  Symbolizer symbolizer;
  symbolizer.Update({library.module}, 0);
  const StackTrace stack = symbolizer.Resolve(library.pcs);
  EXPECT_EQ(Show(stack), kWithSymbols);
  for (const StackFrame& frame : stack) {
    EXPECT_EQ(frame.module, library.module.path);
    EXPECT_EQ(frame.module_offset, frame.pc - library.module.base);
    EXPECT_EQ(frame.build_id.size(), 40u);
  }
  EXPECT_EQ(stack[0].pc, stack[2].pc);
  EXPECT_EQ(Show(symbolizer.Resolve(library.pcs)), kWithSymbols) << "from the cache";
}

TEST(SymbolizerTest, InlinedFunctionOfAnotherCompileUnitIsAFrameToo) {
  const std::string path = kFixture + "/lto_fixture.so";
  if (!fs::exists(path)) GTEST_SKIP() << "built by GCC only";
  const Loaded library(path);
  ASSERT_EQ(library.pcs.size(), 4u);
  Symbolizer symbolizer;
  symbolizer.Update({library.module}, 0);
  EXPECT_EQ(Show(symbolizer.Resolve(library.pcs)), kWithSymbols);
}

TEST(SymbolizerTest, TakesDebugInformationFromItsOwnFile) {
  const Loaded library(kFixture + "/split.so");
  ASSERT_EQ(library.pcs.size(), 4u);
  Symbolizer symbolizer;
  symbolizer.Update({library.module}, 0);
  EXPECT_EQ(Show(symbolizer.Resolve(library.pcs)), kWithSymbols);
}

TEST(SymbolizerTest, WithoutDebugInformationSaysWhatTheSymbolTableSays) {
  const Loaded library(kFixture + "/bare.so");
  ASSERT_EQ(library.pcs.size(), 4u);
  Symbolizer symbolizer;
  symbolizer.Update({library.module}, 0);
  const StackTrace stack = symbolizer.Resolve(library.pcs);
  ASSERT_EQ(stack.size(), 4u);
  EXPECT_EQ(stack[2].function, "") << "a hidden function must not get its neighbour's name";
  EXPECT_EQ(stack[3].function, "fixture_run");
  EXPECT_EQ(stack[2].module, library.module.path);
  EXPECT_EQ(stack[2].module_offset, library.pcs[2] - library.module.base);
}

TEST(SymbolizerTest, FileWithAnotherBuildIdIsNotBelieved) {
  const Loaded library(kFixture + "/symbol_fixture.so");
  ModuleInfo other = library.module;
  other.build_id[0] = static_cast<char>(other.build_id[0] ^ 1);
  Symbolizer symbolizer;
  symbolizer.Update({other}, 0);
  const StackTrace stack = symbolizer.Resolve(library.pcs);
  ASSERT_EQ(stack.size(), 4u);
  for (const StackFrame& frame : stack) {
    EXPECT_EQ(frame.function, "");
    EXPECT_EQ(frame.module, other.path);
    EXPECT_NE(frame.module_offset, 0u);
  }
}

TEST(SymbolizerTest, NonsenseInTheModuleTableIsSurvived) {
  const std::string pipe = kFixture + "/pipe";
  unlink(pipe.c_str());
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  std::vector<ModuleInfo> modules(6);
  const char* const paths[] = {"", "relative.so", "/dev/zero", pipe.c_str(), "/nonexistent",
                               "/etc/passwd"};
  for (size_t i = 0; i < modules.size(); ++i) {
    modules[i].base = modules[i].begin = 0x1000 * (i + 1);
    modules[i].end = modules[i].begin + 0x1000;
    modules[i].path = paths[i];
  }
  ModuleInfo backwards;
  backwards.begin = 0x9000;
  backwards.end = 0x8000;
  modules.push_back(backwards);
  Symbolizer symbolizer;
  symbolizer.Update(modules, getpid());
  for (size_t i = 0; i < 6; ++i) {
    const StackTrace stack = symbolizer.Resolve({0x1000 * (i + 1) + 0x10});
    ASSERT_EQ(stack.size(), 1u);
    EXPECT_EQ(stack[0].function, "");
    EXPECT_EQ(stack[0].module, paths[i]);
    EXPECT_EQ(stack[0].module_offset, 0x10u);
  }
  const StackTrace nowhere = symbolizer.Resolve({0, 1, 0x8800, ~uint64_t{0}});
  ASSERT_EQ(nowhere.size(), 4u);
  for (const StackFrame& frame : nowhere) EXPECT_EQ(frame.module, "");
  EXPECT_EQ(nowhere[2].pc, 0x8800u);
  unlink(pipe.c_str());
}

TEST(SymbolizerTest, LibraryLoadedLaterIsFoundInTheMapOfTheLivingProcess) {
  Symbolizer symbolizer;
  symbolizer.Update({}, getpid());
  symbolizer.Resolve({});
  const Loaded library(kFixture + "/symbol_fixture.so");
  EXPECT_EQ(Show(symbolizer.Resolve(library.pcs)), std::vector<std::string>(4, " :0"))
      << "the map is read once an update";
  symbolizer.Update({}, getpid());
  EXPECT_EQ(Show(symbolizer.Resolve(library.pcs)), kWithSymbols);
}

TEST(SymbolizerTest, ModuleLoadedWhereAnotherStoodTakesItsPlace) {
  const Loaded library(kFixture + "/symbol_fixture.so");
  ModuleInfo old = library.module;
  old.path = "/nonexistent/old.so";
  old.build_id = "old";
  Symbolizer symbolizer;
  symbolizer.Update({old}, 0);
  EXPECT_EQ(symbolizer.Resolve(library.pcs)[0].module, old.path);
  symbolizer.Update({old, library.module}, 0);
  EXPECT_EQ(Show(symbolizer.Resolve(library.pcs)), kWithSymbols);
}

// A child that calls `prepare`, loads the library at the path that it returns, sends what
// a ledger would say of it, and waits to be killed.
class Child {
 public:
  template <class Prepare, class AfterLoad>
  Child(Prepare prepare, AfterLoad after_load) {
    int ends[2];
    if (pipe(ends) != 0) return;
    pid_ = fork();
    if (pid_ == 0) {
      close(ends[0]);
      const std::string path = prepare();
      const Loaded library(path);
      if (library.pcs.size() != 4) _exit(1);
      after_load(path);
      const uint64_t message[] = {library.module.base, library.pcs[0], library.pcs[1],
                                  library.pcs[2], library.pcs[3]};
      if (write(ends[1], message, sizeof(message)) != sizeof(message)) _exit(1);
      for (;;) pause();
    }
    close(ends[1]);
    uint64_t message[5] = {};
    ok_ = pid_ > 0 && read(ends[0], message, sizeof(message)) == sizeof(message);
    close(ends[0]);
    module.base = module.begin = message[0];
    module.end = module.base + 0x10000;
    pcs.assign(message + 1, message + 5);
  }
  ~Child() { Kill(); }
  void Kill() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  int pid() const { return pid_; }
  bool ok() const { return ok_; }

  ModuleInfo module;  // without path and build id
  std::vector<uint64_t> pcs;

 private:
  pid_t pid_ = -1;
  bool ok_ = false;
};

TEST(SymbolizerTest, DeadProcessResolvesWithWhatWasLearntWhileItLived) {
  Child child([] { return kFixture + "/symbol_fixture.so"; }, [](const std::string&) {});
  ASSERT_TRUE(child.ok());
  Symbolizer symbolizer;
  symbolizer.Update({}, child.pid());
  child.Kill();
  symbolizer.Update({}, 0);
  EXPECT_EQ(Show(symbolizer.Resolve(child.pcs)), kWithSymbols);
}

TEST(SymbolizerTest, DeletedLibraryResolvesWhileItIsMappedAndAfterwards) {
  const std::string copy = kFixture + "/deleted.so";
  Child child(
      [&] {
        fs::copy_file(kFixture + "/symbol_fixture.so", copy, fs::copy_options::overwrite_existing);
        return copy;
      },
      [](const std::string& path) { unlink(path.c_str()); });
  ASSERT_TRUE(child.ok());
  if (geteuid() != 0) {
    child.Kill();
    GTEST_SKIP() << "/proc/PID/map_files needs root";
  }
  child.module.path = copy;
  Symbolizer symbolizer;
  symbolizer.Update({child.module}, child.pid());
  child.Kill();
  symbolizer.Update({child.module}, 0);
  EXPECT_EQ(Show(symbolizer.Resolve(child.pcs)), kWithSymbols);
}

TEST(SymbolizerTest, LibraryInAnotherMountNamespaceResolvesAfterTheProcessIsDead) {
  const std::string mount_point = kFixture + "/elsewhere";
  fs::create_directories(mount_point);
  Child child(
      [&]() -> std::string {
        if (unshare(CLONE_NEWNS) != 0 ||
            mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
            mount("none", mount_point.c_str(), "tmpfs", 0, "size=1m") != 0) {
          return "";
        }
        fs::copy_file(kFixture + "/symbol_fixture.so", mount_point + "/inside.so");
        return mount_point + "/inside.so";
      },
      [](const std::string&) {});
  if (!child.ok()) {
    fs::remove(mount_point);
    GTEST_SKIP() << "no right to make a mount namespace";
  }
  child.module.path = mount_point + "/inside.so";
  ASSERT_FALSE(fs::exists(child.module.path));
  Symbolizer from_ledger, from_map;
  from_ledger.Update({child.module}, child.pid());
  from_map.Update({}, child.pid());
  child.Kill();
  from_ledger.Update({child.module}, 0);
  from_map.Update({}, 0);
  EXPECT_EQ(Show(from_ledger.Resolve(child.pcs)), kWithSymbols);
  EXPECT_EQ(Show(from_map.Resolve(child.pcs)), kWithSymbols);
  fs::remove(mount_point);
}

TEST(SymbolizerTest, NothingIsFetchedOverTheNetwork) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(listener, 4), 0);
  ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const std::string url = absl::StrCat("http://127.0.0.1:", ntohs(address.sin_port));
  setenv("DEBUGINFOD_URLS", url.c_str(), 1);
  // Should it be asked, the test fails soon.
  for (const char* limit : {"DEBUGINFOD_TIMEOUT", "DEBUGINFOD_MAXTIME", "DEBUGINFOD_RETRY_LIMIT"}) {
    setenv(limit, "1", 1);
  }

  const Loaded library(kFixture + "/bare.so");
  Symbolizer symbolizer;
  symbolizer.Update({library.module}, getpid());
  EXPECT_EQ(symbolizer.Resolve(library.pcs).size(), 4u);
  pollfd waiting = {listener, POLLIN, 0};
  EXPECT_EQ(poll(&waiting, 1, 0), 0) << "something connected to DEBUGINFOD_URLS";

  for (const char* name : {"DEBUGINFOD_URLS", "DEBUGINFOD_TIMEOUT", "DEBUGINFOD_MAXTIME",
                           "DEBUGINFOD_RETRY_LIMIT"}) {
    unsetenv(name);
  }
  close(listener);
}

// The twin: what another implementation says of every address of the fixture's code.
TEST(SymbolizerTest, AgreesWithAddr2line) {
  if (std::system("addr2line --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "no addr2line";
  const std::string path = kFixture + "/symbol_fixture.so";
  const Loaded library(path);
  ASSERT_EQ(library.pcs.size(), 4u);
  Symbolizer symbolizer;
  symbolizer.Update({library.module}, 0);
  int compared = 0;
  for (const uint64_t pc : library.pcs) {
    // addr2line is given the address of the call, as we look up pc - 1.
    FILE* out = popen(absl::StrFormat("addr2line -i -f -C -e %s %#x", path,
                                      pc - 1 - library.module.base).c_str(), "r");
    ASSERT_NE(out, nullptr);
    std::vector<std::string> lines;
    char line[4096];
    while (fgets(line, sizeof(line), out) != nullptr) {
      lines.push_back(std::string(line, strcspn(line, "\n")));
    }
    EXPECT_EQ(pclose(out), 0);
    const StackTrace stack = symbolizer.Resolve({pc});
    ASSERT_EQ(lines.size(), 2 * stack.size());
    for (size_t i = 0; i < stack.size(); ++i) {
      EXPECT_EQ(stack[i].function, WithoutSignature(lines[2 * i]));
      const std::string place = lines[2 * i + 1].substr(0, lines[2 * i + 1].find(" ("));
      EXPECT_EQ(absl::StrCat(stack[i].file, ":", stack[i].line),
                place.substr(place.rfind('/') + 1));
      ++compared;
    }
  }
  EXPECT_EQ(compared, 6);
}

}  // namespace
}  // namespace lockwarden
