// See private_directory.h.
#include "watchdog/private_directory.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "watchdog/file_write.h"

namespace lockwarden {
namespace {

// Another supervisor that has made PARENT, and has nothing to leave there, may remove it just
// when it was found. What is still missing after so many looks cannot be made.
constexpr int kMostTries = 100;

constexpr int kOpenDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

std::string ParentOf(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string WithoutTrailingSlashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

bool IsLink(const std::string& path) {
  struct stat status;
  return lstat(path.c_str(), &status) == 0 && S_ISLNK(status.st_mode);
}

absl::Status LinkError(const std::string& path) {
  return absl::FailedPreconditionError(absl::StrCat(path, ": is a symbolic link"));
}

std::string RandomName() {
  uint64_t bits = 0;
  // Unique is enough, not secret: the directory is 0700 and created exclusively.
  if (getrandom(&bits, sizeof(bits), GRND_NONBLOCK) < 0) bits = static_cast<uint64_t>(getpid());
  return absl::StrFormat(".tmp-%016x", bits);
}

// Missing directories on the way to `path`, and it, outermost first.
std::vector<std::string> MissingParents(std::string path) {
  std::vector<std::string> missing;
  struct stat status;
  while (lstat(path.c_str(), &status) != 0 && errno == ENOENT) {
    missing.insert(missing.begin(), path);
    if (ParentOf(path) == path) break;
    path = ParentOf(path);
  }
  return missing;
}

void RemoveDirectories(const std::vector<std::string>& outermost_first) {
  for (auto it = outermost_first.rbegin(); it != outermost_first.rend(); ++it) {
    rmdir(it->c_str());  // fails, rightly, if somebody else has put something there
  }
}

absl::Status MakeDirectories(const std::vector<std::string>& paths,
                             std::vector<std::string>* created) {
  for (const std::string& path : paths) {
    if (mkdir(path.c_str(), 0700) == 0) {
      created->push_back(path);
    } else if (errno == ENOENT) {  // its parent is there, but makes no directories: /proc
      return absl::FailedPreconditionError(
          absl::StrCat("no directory can be made in ", ParentOf(path)));
    } else if (errno != EEXIST) {  // another supervisor may have been faster
      return ErrnoStatus(path, errno);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<PrivateDirectory>> PrivateDirectory::Create(
    const std::string& parent_path) {
  absl::StatusOr<std::unique_ptr<PrivateDirectory>> made = CreateOnce(parent_path);
  for (int i = 1; i < kMostTries && absl::IsFailedPrecondition(made.status()); ++i) {
    made = CreateOnce(parent_path);
  }
  return made;
}

absl::Status PrivateDirectory::Check(const std::string& parent_path) {
  absl::Status works = CheckOnce(parent_path);
  for (int i = 1; i < kMostTries && absl::IsFailedPrecondition(works); ++i) {
    works = CheckOnce(parent_path);
  }
  return works;
}

absl::StatusOr<std::unique_ptr<PrivateDirectory>> PrivateDirectory::CreateOnce(
    const std::string& parent_path) {
  const std::string parent = WithoutTrailingSlashes(parent_path);
  // From here on the destructor removes whatever there is.
  std::unique_ptr<PrivateDirectory> result(new PrivateDirectory);
  absl::Status made = MakeDirectories(MissingParents(parent), &result->created_parents_);
  if (!made.ok()) return made;
  result->parent_ = UniqueFd(open(parent.c_str(), kOpenDirectory));
  if (!result->parent_.valid()) {
    return IsLink(parent) ? LinkError(parent) : ErrnoStatus(parent, errno);
  }
  const std::string name = RandomName();
  if (mkdirat(result->parent_.get(), name.c_str(), 0700) != 0) return ErrnoStatus(parent, errno);
  result->temporary_name_ = name;
  result->directory_ = UniqueFd(openat(result->parent_.get(), name.c_str(), kOpenDirectory));
  if (!result->directory_.valid()) return ErrnoStatus(parent, errno);
  // The umask may have taken rights away.
  if (fchmod(result->directory_.get(), 0700) != 0) return ErrnoStatus(parent, errno);
  return result;
}

PrivateDirectory::~PrivateDirectory() {
  if (!temporary_name_.empty()) {
    for (const std::string& name : files_) unlinkat(directory_.get(), name.c_str(), 0);
    unlinkat(parent_.get(), temporary_name_.c_str(), AT_REMOVEDIR);
  }
  RemoveDirectories(created_parents_);
}

absl::Status PrivateDirectory::AddFile(const std::string& name,
                                       const std::function<absl::Status(int fd)>& fill) {
  const UniqueFd file(openat(directory_.get(), name.c_str(),
                             O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.valid()) return ErrnoStatus(name, errno);
  files_.push_back(name);
  if (fchmod(file.get(), 0600) != 0) return ErrnoStatus(name, errno);
  if (absl::Status status = fill(file.get()); !status.ok()) {
    return absl::Status(status.code(), absl::StrCat(name, ": ", status.message()));
  }
  return fsync(file.get()) == 0 ? absl::OkStatus() : ErrnoStatus(name, errno);
}

absl::Status PrivateDirectory::AddFile(const std::string& name, const std::string& content) {
  return AddFile(name,
                 [&](int fd) { return WriteAt(fd, content.data(), content.size(), 0); });
}

bool PrivateDirectory::IsTaken(const std::string& name) const {
  struct stat status;
  return fstatat(parent_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
}

absl::Status PrivateDirectory::Publish(const std::string& name) {
  if (fsync(directory_.get()) != 0) return ErrnoStatus(name, errno);
  int renamed = renameat2(parent_.get(), temporary_name_.c_str(), parent_.get(), name.c_str(),
                          RENAME_NOREPLACE);
  // A file system without that flag: a plain rename replaces at most an empty directory.
  if (renamed != 0 && errno == EINVAL) {
    renamed = renameat(parent_.get(), temporary_name_.c_str(), parent_.get(), name.c_str());
  }
  if (renamed != 0) return ErrnoStatus(name, errno);
  temporary_name_.clear();
  created_parents_.clear();
  // It is complete and visible; only its survival of a power cut depends on this.
  fsync(parent_.get());
  return absl::OkStatus();
}

absl::Status PrivateDirectory::ReplaceFile(const std::string& parent, const std::string& name,
                                           const std::string& file, const std::string& content) {
  const UniqueFd outer(open(parent.c_str(), kOpenDirectory));
  if (!outer.valid()) return ErrnoStatus(parent, errno);
  const UniqueFd directory(openat(outer.get(), name.c_str(), kOpenDirectory));
  if (!directory.valid()) return ErrnoStatus(name, errno);
  const std::string fresh = absl::StrCat(".", file, ".new");
  unlinkat(directory.get(), fresh.c_str(), 0);  // of a supervisor that was killed here
  absl::Status status;
  {
    const UniqueFd fd(openat(directory.get(), fresh.c_str(),
                             O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd.valid()) return ErrnoStatus(file, errno);
    status = WriteAt(fd.get(), content.data(), content.size(), 0);
  }
  if (status.ok() && renameat(directory.get(), fresh.c_str(), directory.get(), file.c_str()) != 0) {
    status = ErrnoStatus(file, errno);
  }
  if (!status.ok()) unlinkat(directory.get(), fresh.c_str(), 0);
  return status;
}

absl::Status PrivateDirectory::CheckOnce(const std::string& parent_path) {
  const std::string parent = WithoutTrailingSlashes(parent_path);
  const std::vector<std::string> missing = MissingParents(parent);
  const std::string nearest = missing.empty() ? parent : ParentOf(missing.front());
  struct stat status;
  const int looked = missing.empty() ? lstat(nearest.c_str(), &status)
                                     : stat(nearest.c_str(), &status);
  if (looked != 0) return ErrnoStatus(nearest, errno);
  if (S_ISLNK(status.st_mode)) return LinkError(nearest);
  if (!S_ISDIR(status.st_mode)) return ErrnoStatus(nearest, ENOTDIR);
  if (faccessat(AT_FDCWD, nearest.c_str(), W_OK | X_OK, AT_EACCESS) != 0) {
    return ErrnoStatus(nearest, errno);
  }
  struct statvfs system;
  if (statvfs(nearest.c_str(), &system) != 0) return ErrnoStatus(nearest, errno);
  if ((system.f_flag & ST_RDONLY) != 0) return ErrnoStatus(nearest, EROFS);
  if (system.f_blocks > 0 && system.f_bavail == 0) return ErrnoStatus(nearest, ENOSPC);
  // What rights do not tell, a trial does: root may write to /proc, yet nothing can be
  // created there. Destroyed at once.
  return CreateOnce(parent_path).status();
}

}  // namespace lockwarden
