// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

// What we write never takes the place of what somebody else wrote: a path that
// names the wrong file is refused, and that file stays as it is.

namespace freshline::base {

// How one kind of our files is told from all others.
struct FileKind {
  absl::string_view name;  // "decision log", as it stands in errors
  // Whether a file that begins with `head` is of this kind. `head` is the whole
  // file where it is shorter than kFileHeadBytes. Never called with an empty
  // one: an empty file may always be replaced.
  bool (*recognizes)(absl::string_view head);
};
inline constexpr size_t kFileHeadBytes = 4096;

// Whether a file of `kind` may be written at `path`: nothing is there, or an
// empty file, or one of that kind, or a character device (/dev/null).
// Returns: FAILED_PRECONDITION naming the path, what is there and what to do;
// NOT_FOUND where its directory does not exist; PERMISSION_DENIED where what
// is there, or the directory, cannot be written.
absl::Status CheckReplaceable(const std::string& path, const FileKind& kind);

// Writes `text` as the whole file at `path`, so that a reader sees all of it
// or what was there before.
// Returns: the errors of CheckReplaceable(), or UNAVAILABLE naming the path.
absl::Status WriteOutputFile(const std::string& path, absl::string_view text,
                             const FileKind& kind);

}  // namespace freshline::base
