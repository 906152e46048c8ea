// A GoogleTest listener that fails the test during which Lockwarden found something, with the
// report as the failure's text. The report in turn names the test.
//
//   #include <lockwarden/gtest.h>
//   int main(int argc, char** argv) {
//     testing::InitGoogleTest(&argc, argv);
//     lockwarden::FailTestsOnFindings();
//     return RUN_ALL_TESTS();
//   }
//
//   lockwarden run -- ./my_test
//
// The same finding in a later test is counted, not told again, and fails no second one. A test that
// deadlocks never ends: the supervisor reports it, with the test's name, and aborts the program.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "lockwarden/test_run.h"

namespace lockwarden {
inline namespace v1 {

class FindingListener : public testing::EmptyTestEventListener {
 public:
  void OnTestStart(const testing::TestInfo& test) override { TestRun::Begin(NameOf(test)); }
  void OnTestEnd(const testing::TestInfo& test) override {
    for (const std::string& finding : TestRun::End(NameOf(test))) {
      ADD_FAILURE() << "Lockwarden, in " << NameOf(test) << ":\n" << finding;
    }
  }

 private:
  static std::string NameOf(const testing::TestInfo& test) {
    return std::string(test.test_suite_name()) + "." + test.name();
  }
};

// Once, before RUN_ALL_TESTS. Without `lockwarden run` it changes nothing.
inline void FailTestsOnFindings() {
  if (TestRun::IsWatched()) {
    testing::UnitTest::GetInstance()->listeners().Append(new FindingListener);
  }
}

}  // namespace v1
}  // namespace lockwarden
