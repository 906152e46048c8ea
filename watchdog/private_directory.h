// PrivateDirectory: a directory that is built under a temporary name and appears under
// its real one when it is complete, or never.
//
// Not thread-safe. Must never: follow a symbolic link, replace anything that exists, or
// leave something behind when Publish was not reached.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "watchdog/unique_fd.h"

namespace lockwarden {

class PrivateDirectory {
 public:
  // Creates PARENT/.tmp-<random>, and PARENT if it is missing.
  static absl::StatusOr<std::unique_ptr<PrivateDirectory>> Create(const std::string& parent);
  ~PrivateDirectory();
  PrivateDirectory(const PrivateDirectory&) = delete;
  PrivateDirectory& operator=(const PrivateDirectory&) = delete;

  // Creates the file, lets `fill` write into its descriptor, and syncs it.
  absl::Status AddFile(const std::string& name, const std::function<absl::Status(int fd)>& fill);
  absl::Status AddFile(const std::string& name, const std::string& content);

  bool IsTaken(const std::string& name) const;
  // Gives it its name. Errors: kAlreadyExists when that name is taken.
  absl::Status Publish(const std::string& name);

  // Replaces FILE in PARENT/NAME, which was published: who reads it sees the old text or the new
  // one. Errors: kFailedPrecondition when PARENT/NAME is not there.
  static absl::Status ReplaceFile(const std::string& parent, const std::string& name,
                                  const std::string& file, const std::string& content);

  // Whether Create would work; leaves nothing. The error names PARENT and the reason.
  static absl::Status Check(const std::string& parent);

 private:
  PrivateDirectory() = default;
  // Errors: kFailedPrecondition also when PARENT went while it was looked at.
  static absl::StatusOr<std::unique_ptr<PrivateDirectory>> CreateOnce(const std::string& parent);
  static absl::Status CheckOnce(const std::string& parent);

  std::vector<std::string> created_parents_;  // outermost first
  UniqueFd parent_, directory_;
  std::string temporary_name_;  // empty: nothing to remove
  std::vector<std::string> files_;
};

}  // namespace lockwarden
