// SPDX-License-Identifier: Apache-2.0
#include "daemon/named_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/output_file.h"
#include "base/status_macros.h"
#include "record/decision_log_writer.h"

namespace freshline::daemon {
namespace {

// A port and a line break, and nothing else.
constexpr base::FileKind kPortFileKind = {
    "port file", [](absl::string_view head) {
      uint32_t port = 0;
      return absl::SimpleAtoi(absl::StripTrailingAsciiWhitespace(head),
                              &port) &&
             port <= 65'535;
    }};

absl::Status At(const DaemonConfig& config, const std::string& field,
                const absl::Status& status) {
  if (status.ok()) return status;
  // What it names is to be changed in the configuration, whatever is there.
  return absl::InvalidArgumentError(config.origin.At(field, status.message()));
}

absl::Status Errno(const std::string& path, int error) {
  return absl::InvalidArgumentError(
      absl::StrCat("\"", path, "\": ", std::strerror(error)));
}

absl::Status CheckReadable(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return Errno(path, errno);
  if (S_ISDIR(status.st_mode)) return Errno(path, EISDIR);
  if (access(path.c_str(), R_OK) != 0) return Errno(path, errno);
  return absl::OkStatus();
}

absl::Status CheckSocketPath(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) == 0) {
    if (S_ISSOCK(status.st_mode)) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("\"", path,
                     "\" is there and is no socket: it is left as it is; name "
                     "another path, or move it away"));
  }
  if (errno != ENOENT) return Errno(path, errno);
  const std::string directory = std::filesystem::path(path).parent_path();
  if (access(directory.c_str(), W_OK | X_OK) == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(Errno(directory, errno).message(), ", so that \"", path,
                   "\" cannot be listened on"));
}

std::string Element(absl::string_view field, size_t i) {
  return absl::StrCat(field, "[", i, "]");
}

}  // namespace

absl::Status CheckDefinitionFiles(const DaemonConfig& config) {
  for (size_t i = 0; i < config.definitions.size(); ++i) {
    FRESHLINE_RETURN_IF_ERROR(At(config, Element("definitions", i),
                                 CheckReadable(config.definitions[i])));
  }
  return absl::OkStatus();
}

absl::Status CheckOutputFiles(const DaemonConfig& config) {
  for (size_t i = 0; i < config.listen.size(); ++i) {
    if (!config.listen[i].is_unix()) continue;
    FRESHLINE_RETURN_IF_ERROR(At(config, Element("listen", i),
                                 CheckSocketPath(config.listen[i].unix_path)));
  }
  if (!config.port_file.empty() &&
      config.port_file == config.decision_log.path) {
    return At(config, "decision_log.path",
              absl::InvalidArgumentError(
                  absl::StrCat("\"", config.port_file,
                               "\" is the port_file, too: name another path")));
  }
  if (!config.port_file.empty()) {
    FRESHLINE_RETURN_IF_ERROR(
        At(config, "port_file",
           base::CheckReplaceable(config.port_file, kPortFileKind)));
  }
  if (!config.decision_log.path.empty()) {
    FRESHLINE_RETURN_IF_ERROR(
        At(config, "decision_log.path",
           base::CheckReplaceable(config.decision_log.path,
                                  record::kDecisionLogKind)));
  }
  return absl::OkStatus();
}

absl::Status WritePortFile(const DaemonConfig& config, int port) {
  if (config.port_file.empty()) return absl::OkStatus();
  return At(config, "port_file",
            base::WriteOutputFile(config.port_file, absl::StrCat(port, "\n"),
                                  kPortFileKind));
}

}  // namespace freshline::daemon
