// SPDX-License-Identifier: Apache-2.0
#include "base/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace freshline::base {
namespace {

std::string DirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

absl::Status Refuse(const std::string& path, absl::string_view what,
                    const FileKind& kind) {
  return absl::FailedPreconditionError(absl::StrCat(
      "\"", path, "\" ", what, ": it is left as it is, and no ", kind.name,
      " is written; name another path, or move it away"));
}

absl::Status Errno(const std::string& path, int error) {
  const std::string text =
      absl::StrCat("\"", path, "\": ", std::strerror(error));
  if (error == ENOENT || error == ENOTDIR) return absl::NotFoundError(text);
  if (error == EACCES || error == EPERM || error == EROFS) {
    return absl::PermissionDeniedError(text);
  }
  return absl::UnavailableError(text);
}

absl::Status CheckDirectory(const std::string& path) {
  const std::string directory = DirectoryOf(path);
  struct stat status {};
  if (::stat(directory.c_str(), &status) == 0 &&
      ::access(directory.c_str(), W_OK | X_OK) == 0) {
    return absl::OkStatus();
  }
  const absl::Status why = Errno(directory, errno);
  return absl::Status(why.code(), absl::StrCat(why.message(), ", so that \"",
                                               path, "\" cannot be written"));
}

absl::Status CheckRegular(const std::string& path, const FileKind& kind) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Errno(path, errno);
  char head[kFileHeadBytes];
  const ssize_t size = ::read(fd, head, sizeof head);
  const int error = errno;
  ::close(fd);
  if (size < 0) return Errno(path, error);
  const absl::string_view text(head, static_cast<size_t>(size));
  if (!text.empty() && !kind.recognizes(text)) {
    return Refuse(path, absl::StrCat("is there and is no ", kind.name), kind);
  }
  if (::access(path.c_str(), W_OK) != 0) return Errno(path, errno);
  return absl::OkStatus();
}

absl::Status WriteAll(int fd, const std::string& path, absl::string_view text) {
  while (!text.empty()) {
    const ssize_t taken = ::write(fd, text.data(), text.size());
    if (taken < 0 && errno == EINTR) continue;
    if (taken < 0) return Errno(path, errno);
    text.remove_prefix(static_cast<size_t>(taken));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckReplaceable(const std::string& path, const FileKind& kind) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno != ENOENT) return Errno(path, errno);
    return CheckDirectory(path);
  }
  if (S_ISDIR(status.st_mode)) return Refuse(path, "is a directory", kind);
  if (S_ISCHR(status.st_mode)) return absl::OkStatus();
  if (!S_ISREG(status.st_mode)) return Refuse(path, "is no file", kind);
  return CheckRegular(path, kind);
}

absl::Status WriteOutputFile(const std::string& path, absl::string_view text,
                             const FileKind& kind) {
  FRESHLINE_RETURN_IF_ERROR(CheckReplaceable(path, kind));
  // A device is not renamed over, and neither is a link.
  struct stat status {};
  const bool plain =
      ::lstat(path.c_str(), &status) != 0 || S_ISREG(status.st_mode);
  std::string partial = plain ? absl::StrCat(path, ".XXXXXX") : path;
  const int fd = plain ? ::mkostemp(partial.data(), O_CLOEXEC)
                       : ::open(path.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC);
  if (fd < 0) return Errno(path, errno);
  // As any other file that is made here, not as a temporary one.
  const mode_t mask = ::umask(0);
  ::umask(mask);
  if (plain) ::fchmod(fd, 0666 & ~mask);
  absl::Status written = WriteAll(fd, path, text);
  if (::close(fd) != 0 && written.ok()) written = Errno(path, errno);
  if (plain && written.ok() && ::rename(partial.c_str(), path.c_str()) != 0) {
    written = Errno(path, errno);
  }
  if (plain && !written.ok()) ::unlink(partial.c_str());
  return written;
}

}  // namespace freshline::base
