// Which programs our library will load into: real files, and files that lie.
#include "watchdog/preflight.h"

#include <elf.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>
#include <random>

#include "run_process.h"

namespace lockwarden {
namespace {

ImageFacts FromBytes(const std::string& bytes) {
  return ReadImage([&bytes](uint64_t offset, void* out, size_t size) -> size_t {
    if (offset >= bytes.size()) return 0;
    const size_t count = std::min<size_t>(size, bytes.size() - offset);
    std::memcpy(out, bytes.data() + offset, count);
    return count;
  });
}

TEST(PreflightTest, OurOwnExecutableIsDynamic) {
  const std::string self = ReadFile("/proc/self/exe");
  EXPECT_EQ(FromBytes(self).kind, ImageKind::kDynamic);
  EXPECT_TRUE(Preflight("/proc/self/exe").records);
}

TEST(PreflightTest, StaticProgramIsRecognised) {
  EXPECT_EQ(FromBytes(ReadFile(STATIC_PROGRAM)).kind, ImageKind::kStatic);
  const PreflightResult result = Preflight(STATIC_PROGRAM);
  EXPECT_FALSE(result.records);
  EXPECT_TRUE(result.preload);  // its children may be dynamic
  EXPECT_EQ(result.reason, "is statically linked");
}

TEST(PreflightTest, OtherWordSizeAndMachineAreRecognised) {
  std::string bytes = ReadFile("/proc/self/exe");
  std::string other = bytes;
  other[EI_CLASS] = ELFCLASS32;
  EXPECT_EQ(FromBytes(other).kind, ImageKind::kOtherClass);
  other = bytes;
  other[offsetof(Elf64_Ehdr, e_machine)] = static_cast<char>(EM_RISCV);
  other[offsetof(Elf64_Ehdr, e_machine) + 1] = 0;
  EXPECT_EQ(FromBytes(other).kind, ImageKind::kOtherClass);
}

TEST(PreflightTest, ScriptIsJudgedByItsInterpreter) {
  EXPECT_EQ(FromBytes("#!/bin/sh -e\n").interpreter, "/bin/sh");
  EXPECT_EQ(FromBytes("#! \t/usr/bin/env python3\n").interpreter, "/usr/bin/env");
  EXPECT_EQ(FromBytes("#!/bin/sh").interpreter, "/bin/sh");
  EXPECT_EQ(FromBytes("#!").kind, ImageKind::kUnknown);
  const TemporaryDirectory directory;
  const std::string script = directory.File("script");
  WriteFile(script, "#!/bin/sh\n");
  EXPECT_TRUE(Preflight(script).records);
  WriteFile(script, std::string("#!") + STATIC_PROGRAM + "\n");
  EXPECT_EQ(Preflight(script).reason,
            std::string("is run by ") + STATIC_PROGRAM + ", which is statically linked");
  WriteFile(script, "#!" + script + "\n");  // itself: exec will say so
  EXPECT_TRUE(Preflight(script).records);
}

TEST(PreflightTest, NoFileCanMakeItFail) {
  const std::string good = ReadFile("/proc/self/exe");
  const std::string head = good.substr(0, 4096);
  std::mt19937 random(11);
  for (int i = 0; i < 20000; ++i) {
    std::string bytes = head.substr(0, random() % head.size());
    for (int k = 0; k < 8 && !bytes.empty(); ++k) {
      bytes[random() % std::min<size_t>(bytes.size(), 512)] = static_cast<char>(random());
    }
    FromBytes(bytes);
  }
  EXPECT_EQ(FromBytes("").kind, ImageKind::kUnknown);
  EXPECT_TRUE(Preflight("/nonexistent").records);
}

TEST(PreflightTest, ProgramIsFoundAsExecvpFindsIt) {
  const TemporaryDirectory directory;
  WriteFile(directory.File("tool"), "#!/bin/sh\n");
  EXPECT_EQ(FindProgram("tool", directory.path().c_str()), "");  // not executable
  chmod(directory.File("tool").c_str(), 0755);
  EXPECT_EQ(FindProgram("tool", ("/nonexistent:" + directory.path()).c_str()),
            directory.File("tool"));
  EXPECT_EQ(FindProgram("./tool", "/bin"), "./tool");
  EXPECT_EQ(FindProgram("sh", nullptr), "/bin/sh");
  EXPECT_EQ(FindProgram("", "/bin"), "");
}

}  // namespace
}  // namespace lockwarden
