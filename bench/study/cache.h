// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "bench/report/run_report.h"
#include "bench/score/paired.h"

namespace freshline::bench {

// What a run of a study leaves behind.
struct StudyRun {
  RunReport report;
  std::vector<uint32_t> hits;  // of each user of its slice, SliceUsers
};

// 16 digits that stand for a long text within a fingerprint. Not for secrets.
std::string StudyDigest(absl::string_view text);

// Runs and slices on disk, by the fingerprint of all that they depend on: a
// study that was broken off goes on where it stopped, and one with a new
// policy runs that policy alone. A file that is damaged, of another
// fingerprint (of the same hash) or of another format counts as none.
// Files appear whole or not at all, so that runs may be broken off any time.
//
// Thread-safe, for different fingerprints.
class StudyCache {
 public:
  explicit StudyCache(std::string directory)
      : directory_(std::move(directory)) {}

  std::optional<StudyRun> FindRun(absl::string_view fingerprint) const;
  std::optional<SliceUsers> FindSlice(absl::string_view fingerprint) const;

  // Return: UNAVAILABLE naming the file.
  absl::Status PutRun(absl::string_view fingerprint, const StudyRun& run) const;
  absl::Status PutSlice(absl::string_view fingerprint,
                        const SliceUsers& users) const;

 private:
  std::string PathOf(const char* kind, absl::string_view fingerprint) const;

  const std::string directory_;
};

}  // namespace freshline::bench
