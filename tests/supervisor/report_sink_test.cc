// Reports reach their reader, and a reader that sleeps does not stop the supervisor.
#include "watchdog/report_sink.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "run_process.h"

namespace lockwarden {
namespace {

TEST(ReportSinkTest, FileIsPrivateAndAppendedTo) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("report");
  for (const char* text : {"one\n", "two\n"}) ReportSink::File(path)->Write(text);
  EXPECT_EQ(ReadFile(path), "one\ntwo\n");
  struct stat file;
  ASSERT_EQ(stat(path.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0600u);
}

TEST(ReportSinkTest, FileThatCannotBeOpenedIsOneLine) {
  const auto sink = ReportSink::File("/nonexistent/report");
  EXPECT_EQ(sink.status().message(),
            "cannot write reports to /nonexistent/report: No such file or directory");
}

TEST(ReportSinkTest, ReaderThatNeverReadsCostsTheReportAndIsCounted) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("fifo");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const int reader = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  auto sink = ReportSink::File(path);
  ASSERT_TRUE(sink.ok());
  sink->Write(std::string(1 << 20, 'x'));
  EXPECT_EQ(sink->lost(), 1u);
  EXPECT_EQ(sink->why_lost(), "nobody read them");
  close(reader);
}

TEST(ReportSinkTest, FullDeviceIsSaidToBeFull) {
  auto sink = ReportSink::File("/dev/full");
  ASSERT_TRUE(sink.ok());
  sink->Write("report");
  EXPECT_EQ(sink->lost(), 1u);
  EXPECT_EQ(sink->why_lost(), "No space left on device");
}

}  // namespace
}  // namespace lockwarden
