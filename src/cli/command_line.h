// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <istream>
#include <ostream>
#include <string>
#include <vector>

namespace freshline::cli {

// Exit codes, after sysexits.h.
inline constexpr int kExitOk = 0;
inline constexpr int kExitUnhealthy = 1;  // healthcheck only
inline constexpr int kExitUsage = 64;     // wrong arguments or request
inline constexpr int kExitData =
    65;  // a file's content is wrong, or none applied
inline constexpr int kExitUnavailable = 69;  // daemon not reached, or busy
inline constexpr int kExitInternal = 70;

// Runs `freshline` with these arguments (the program's name not among them):
// get, push, report, status or healthcheck. Results go to `out`, errors to
// `err` as one line "freshline: CODE: message". Returns the exit code. `in` is
// what `push --csv -` reads.
int RunCommandLine(const std::vector<std::string>& arguments, std::istream& in,
                   std::ostream& out, std::ostream& err);

}  // namespace freshline::cli
