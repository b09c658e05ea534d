// SPDX-License-Identifier: Apache-2.0
#include "cli/print_status.h"

#include <string>

#include "cli/print.h"

namespace freshline::cli {

void PrintStatus(const v1::GetStatusResponse& status, std::ostream& out) {
  out << "freshlined " << status.version() << " "
      << v1::Phase_Name(status.phase()) << ", up "
      << DurationText(status.uptime_us()) << ": "
      << (status.degraded().empty() ? "all is well" : "WRONG") << "\n";
  for (const std::string& sentence : status.degraded()) {
    out << "  - " << sentence << "\n";
  }
  out << "\n";
  v1::GetStatusResponse rest = status;
  rest.clear_degraded();
  PrintFields(rest, out);
}

}  // namespace freshline::cli
