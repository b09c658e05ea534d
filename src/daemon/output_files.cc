// SPDX-License-Identifier: Apache-2.0
#include "daemon/output_files.h"

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

}  // namespace

absl::Status CheckOutputFiles(const DaemonConfig& config) {
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
