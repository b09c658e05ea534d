// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>

#include "absl/strings/string_view.h"
#include "base/time.h"

namespace freshline::base {

// Writes the beginning of `text` to `fd`, which may be a pipe that nobody
// reads, a full disk or closed, and waits for room no longer than `wait`. The
// descriptor's flags are left alone: other processes may share them.
//
// Returns: how many bytes were taken, 0 where there was no room; nullopt where
// the descriptor takes nothing at all (closed, broken pipe, disk full).
// Cost: two system calls, up to 4 KiB a call.
std::optional<size_t> WriteSome(int fd, absl::string_view text, Duration wait);

// Writes all of `text` to standard error, and gives the rest up where there is
// no room for 100 ms: for the last words of a process.
void WriteLastWords(absl::string_view text);

}  // namespace freshline::base
