// Which frames are shown, as a table; names and texts made readable.
#include "watchdog/frames.h"

#include <gtest/gtest.h>

#include <vector>

#include "watchdog/function_name.h"
#include "watchdog/memory_map.h"
#include "watchdog/printable.h"

namespace lockwarden {
namespace {

constexpr char kExe[] = "/usr/bin/server";
constexpr char kLibc[] = "/lib/x86_64-linux-gnu/libc.so.6";
constexpr char kPreload[] = "/opt/lib/liblockwarden_preload.so";
constexpr char kCpp[] = "/lib/x86_64-linux-gnu/libstdc++.so.6";

StackFrame Frame(const char* function, const char* module) {
  StackFrame frame;
  frame.function = function;
  frame.module = module;
  return frame;
}

struct Case {
  const char* what;
  StackTrace stack;
  size_t hidden_above, hidden_below;
};

TEST(FramesTest, HidesHooksAndThreadStartAndNothingOfTheProgram) {
  const Case cases[] = {
      {"a thread in C", {Frame("pthread_mutex_lock", kPreload), Frame("work", kExe),
                         Frame("start_thread", kLibc), Frame("clone3", kLibc)}, 1, 2},
      {"a thread, stripped libc", {Frame("work", kExe), Frame("", kLibc), Frame("", kLibc)}, 0, 2},
      {"instrumented types, inlined", {Frame("lockwarden::Lock::lock", kExe), Frame("f", kExe)},
       1, 0},
      {"main", {Frame("f", kExe), Frame("main", kExe), Frame("", kLibc),
                Frame("__libc_start_main", kLibc), Frame("_start", kExe)}, 0, 3},
      {"std::thread", {Frame("f", kExe), Frame("std::__invoke_impl<void, f>", kExe),
                       Frame("std::thread::_State_impl<X>::_M_run", kExe), Frame("", kCpp),
                       Frame("", kLibc), Frame("", kLibc)}, 0, 5},
      {"a callback of libc in the middle", {Frame("compare", kExe), Frame("qsort", kLibc),
                                            Frame("sort", kExe)}, 0, 0},
      {"a function of the program named as libc's", {Frame("work", kExe),
                                                     Frame("start_thread", kExe)}, 0, 0},
      {"more unnamed frames of libc than start a thread",
       {Frame("f", kExe), Frame("", kLibc), Frame("", kLibc), Frame("", kLibc), Frame("", kLibc)},
       0, 3},
      {"a known function of libc at the bottom", {Frame("f", kExe), Frame("exit", kLibc)}, 0, 0},
      {"nothing but libc", {Frame("", kLibc), Frame("", kLibc)}, 0, 0},
      {"nothing but the hook", {Frame("sem_wait", kPreload)}, 0, 0},
      {"an unwinder that stopped early", {Frame("", "")}, 0, 0},
      {"empty", {}, 0, 0},
  };
  for (const Case& c : cases) {
    const StackTrace visible = VisibleFrames(c.stack);
    ASSERT_EQ(visible.size(), c.stack.size() - c.hidden_above - c.hidden_below) << c.what;
    for (size_t i = 0; i < visible.size(); ++i) {
      EXPECT_EQ(visible[i].function, c.stack[c.hidden_above + i].function) << c.what;
    }
  }
}

TEST(FramesTest, HidesAHookThatCallsBackIntoTheProgram) {
  const StackTrace visible = VisibleFrames(
      {Frame("pthread_mutex_lock", kPreload), Frame("routine", kExe),
       Frame("LockwardenRunOnce", kPreload), Frame("pthread_once", kLibc),
       Frame("pthread_once", kPreload), Frame("f", kExe)});
  ASSERT_EQ(visible.size(), 3u);
  EXPECT_EQ(visible[0].function, "routine");
  EXPECT_EQ(visible[2].function, "f");
}

TEST(FramesTest, LibrariesOfTheProgramAreTheProgramsOwn) {
  EXPECT_TRUE(IsUserFrame(Frame("f", kExe)));
  EXPECT_TRUE(IsUserFrame(Frame("", "/usr/lib/libcrypto.so.3")));
  EXPECT_TRUE(IsUserFrame(Frame("f", "")));
  EXPECT_FALSE(IsUserFrame(Frame("pthread_join", kLibc)));
  EXPECT_FALSE(IsUserFrame(Frame("std::mutex::lock", kExe)));
  EXPECT_FALSE(IsUserFrame(Frame("sem_wait", kPreload)));
}

TEST(FunctionNameTest, DropsParametersAndReturnTypeOnly) {
  const std::pair<const char*, const char*> cases[] = {
      {"main", "main"},
      {"grab_fork(int)", "grab_fork"},
      {"bank::Account::transfer(bank::Account&, int) const", "bank::Account::transfer"},
      {"void bank::(anonymous namespace)::tf<int>(int) [clone .constprop.0]",
       "bank::(anonymous namespace)::tf<int>"},
      {"unsigned long f<int>(int)", "f<int>"},
      {"A::operator()(int) const", "A::operator()"},
      {"A::operator bool() const", "A::operator bool"},
      {"operator new(unsigned long)", "operator new"},
      {"bool operator< <int>(A<int> const&, A<int> const&)", "operator< <int>"},
      {"main::{lambda()#1}::operator()() const", "main::{lambda()#1}::operator()"},
      {"f() const::{lambda(int)#2}::operator()(int) const",
       "f() const::{lambda(int)#2}::operator()"},
      {"std::function<void (int)>::operator()(int) const",
       "std::function<void (int)>::operator()"},
      {"operators::run(int)", "operators::run"},
      {"", ""},
      {"(", "("},
      {")", ")"},
  };
  for (const auto& [full, shorter] : cases) EXPECT_EQ(WithoutSignature(full), shorter);
}

TEST(FunctionNameTest, SymbolsAreDemangledAndWhatIsNotASymbolIsKept) {
  EXPECT_EQ(ReadableFunctionName("_ZN4bank7Account8transferERS0_i"), "bank::Account::transfer");
  EXPECT_EQ(ReadableFunctionName("pthread_mutex_lock"), "pthread_mutex_lock");
  EXPECT_EQ(ReadableFunctionName("method_call.lto_priv.4.lto_priv.0"), "method_call");
  EXPECT_EQ(ReadableFunctionName("_ZN4bank3payEi.isra.0"), "bank::pay");
  EXPECT_EQ(ReadableFunctionName("_ZZZ"), "_ZZZ");
  EXPECT_EQ(ReadableFunctionName(nullptr), "");
}

TEST(MemoryMapTest, TakesExecutableFilesAndLeavesOutTheRest) {
  const std::vector<MemoryMapping> mappings = ExecutableOf(ParseMemoryMap(
      "5500-5600 r--p 00000000 fe:01 1     /usr/bin/server\n"
      "5600-5700 r-xp 00001000 fe:01 1     /usr/bin/server\n"
      "7000-7100 r-xp 00000000 fe:01 2     /tmp/with space/a.so (deleted)\n"
      "7100-7200 rwxp 00000000 00:00 0 \n"
      "7200-7300 r-xp 00000000 00:00 0     [vdso]\n"
      "zz-7400 r-xp 0 0 0 /bin/x\n"
      "7500-7400 r-xp 0 0 0 /bin/x\n"
      "garbage"));
  ASSERT_EQ(mappings.size(), 2u);
  EXPECT_EQ(mappings[0].begin, 0x5600u);
  EXPECT_EQ(mappings[0].end, 0x5700u);
  EXPECT_EQ(mappings[0].offset, 0x1000u);
  EXPECT_EQ(mappings[0].path, "/usr/bin/server");
  EXPECT_FALSE(mappings[0].deleted);
  EXPECT_EQ(mappings[1].path, "/tmp/with space/a.so");
  EXPECT_TRUE(mappings[1].deleted);
}

TEST(PrintableTest, KeepsTextAndEscapesControlsAndBrokenUtf8) {
  EXPECT_EQ(Printable("worker-\xc3\xa9 \xe2\x86\x92 \xf0\x9f\x94\x92"),
            "worker-\xc3\xa9 \xe2\x86\x92 \xf0\x9f\x94\x92");
  EXPECT_EQ(Printable("a\nb\tc\x1b[0m\x7f"), "a\\x0ab\\x09c\\x1b[0m\\x7f");
  EXPECT_EQ(Printable(std::string("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(Printable("\xff\xc3"), "\\xff\\xc3");              // not UTF-8, cut short
  EXPECT_EQ(Printable("\xc0\x8a"), "\\xc0\\x8a");              // overlong newline
  EXPECT_EQ(Printable("\xe0\x80\x8a"), "\\xe0\\x80\\x8a");     // the same in three bytes
  EXPECT_EQ(Printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");     // a surrogate
  EXPECT_EQ(Printable("\xc2\x9b" "31m"), "\\xc2\\x9b" "31m");  // U+009B begins an escape
}

}  // namespace
}  // namespace lockwarden
