// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/memory_limit.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace freshline::daemon {
namespace {

// These files are of the kernel: their size is 0 and their end comes soon.
std::string Read(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

void Lower(const std::string& file, absl::string_view by, MemoryLimit* limit) {
  const std::string text = Read(file);
  uint64_t bytes = 0;
  // "max" is no number, and no limit.
  if (!absl::SimpleAtoi(absl::StripAsciiWhitespace(text), &bytes)) return;
  if (bytes == 0 || (limit->bytes > 0 && bytes >= limit->bytes)) return;
  limit->bytes = bytes;
  limit->by = std::string(by);
}

// `path` and all above it, of one hierarchy mounted at `mount`.
void LowerByGroup(const std::string& mount, std::string path,
                  const std::vector<std::string>& files, MemoryLimit* limit) {
  while (true) {
    for (const std::string& file : files) {
      Lower(absl::StrCat(mount, path, "/", file),
            absl::StrCat("cgroup ", path.empty() ? "/" : path), limit);
    }
    if (path.empty()) return;
    path.resize(path.rfind('/'));
  }
}

uint64_t MachineBytes(const std::string& root) {
  const std::string text = Read(root + "/proc/meminfo");
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, ' ', absl::SkipEmpty());
    uint64_t kib = 0;
    if (words.size() >= 2 && words[0] == "MemTotal:" &&
        absl::SimpleAtoi(words[1], &kib)) {
      return kib * 1024;
    }
  }
  if (!root.empty()) return 0;
  // A sandbox may hide the file (systemd's ProcSubset), but not the call.
  const long pages = ::sysconf(_SC_PHYS_PAGES);
  const long page_bytes = ::sysconf(_SC_PAGESIZE);
  return pages > 0 && page_bytes > 0
             ? static_cast<uint64_t>(pages) * static_cast<uint64_t>(page_bytes)
             : 0;
}

}  // namespace

MemoryLimit FindMemoryLimit(const std::string& root) {
  MemoryLimit limit{MachineBytes(root), "the machine"};
  const std::string mount = root + "/sys/fs/cgroup";
  const std::string text = Read(root + "/proc/self/cgroup");
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    // "0::/path" is of version 2, "4:cpu,memory:/path" of version 1.
    const std::vector<std::string> parts =
        absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() != 3 || parts[2].empty() || parts[2][0] != '/') continue;
    const std::string path = parts[2] == "/" ? "" : parts[2];
    if (parts[1].empty()) {
      LowerByGroup(mount, path, {"memory.max", "memory.high"}, &limit);
      continue;
    }
    const std::vector<std::string> controllers = absl::StrSplit(parts[1], ',');
    if (std::find(controllers.begin(), controllers.end(), "memory") !=
        controllers.end()) {
      LowerByGroup(mount + "/memory", path, {"memory.limit_in_bytes"}, &limit);
    }
  }
  return limit;
}

}  // namespace freshline::daemon
