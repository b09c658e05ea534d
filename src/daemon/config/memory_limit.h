// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace freshline::daemon {

// How much memory this process may use, and who says so.
struct MemoryLimit {
  uint64_t bytes = 0;  // 0: unknown
  // "the machine", or "cgroup /system.slice/freshlined.service".
  std::string by;
};

// The least of what the machine has and of the limits of this process's cgroup
// and all above it (version 1 and 2; memory.high counts as memory.max, since a
// process beyond it stands still). `root` is where the files of the kernel are
// found, "/proc/..." and "/sys/fs/cgroup/..." below it.
MemoryLimit FindMemoryLimit(const std::string& root = "");

}  // namespace freshline::daemon
