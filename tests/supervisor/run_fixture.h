// RunTest: the real `lockwarden run` on real programs, in a directory of its own.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "run_process.h"

namespace lockwarden {

using Strings = std::vector<std::string>;

// `options` and the program, run in a directory of its own.
class RunTest : public testing::Test {
 protected:
  Strings Command(Strings options, const Strings& program) const {
    Strings command = {LOCKWARDEN_COMMAND, "run", "--incidents=" + directory_.File("incidents")};
    command.insert(command.end(), options.begin(), options.end());
    command.push_back("--");
    command.insert(command.end(), program.begin(), program.end());
    return command;
  }
  ProcessResult Run(const Strings& options, const Strings& program,
                    const Strings& variables = {}) const {
    return RunProcess(Command(options, program), variables);
  }
  size_t Incidents() const {
    size_t count = 0;
    std::error_code none;
    for ([[maybe_unused]] const auto& entry :
         std::filesystem::directory_iterator(directory_.File("incidents"), none)) {
      ++count;
    }
    return count;
  }
  TemporaryDirectory directory_;
};

inline Strings Shell(const std::string& script) { return {"/bin/sh", "-c", script}; }
inline Strings Program(const std::string& what) { return {TEST_PROGRAM, what}; }

inline bool HasLine(const std::string& text, const std::string& line) {
  for (const std::string& candidate : Lines(text)) {
    if (candidate == line) return true;
  }
  return false;
}

}  // namespace lockwarden
