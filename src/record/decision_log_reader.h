// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "freshline/record/v1/decision_log.pb.h"
#include "schedule/policies.h"
#include "schedule/recorder.h"

namespace freshline::record {

// Reads a decision log call by call. A log that was cut short, or whose end is
// damaged, is read up to there: end() says so.
//
// Not thread-safe. Bounds: one block in memory, 16 MB at most.
class DecisionLogReader {
 public:
  // Returns: NOT_FOUND or UNAVAILABLE naming the file; INVALID_ARGUMENT where
  // it is no decision log, of another version, or ends before its header does.
  static absl::StatusOr<std::unique_ptr<DecisionLogReader>> Open(
      const std::string& path);

  const v1::Header& header() const { return header_; }

  // Returns false at the end.
  // Returns: INVALID_ARGUMENT where an intact block holds no calls.
  absl::StatusOr<bool> Next(schedule::RecordedCall* call);

  // After Next() returned false: whether the daemon ended the log in order
  // (at its own end), and otherwise why there is no more of it.
  bool complete() const { return end_ == "closed"; }
  const std::string& end() const { return end_; }

 private:
  DecisionLogReader() = default;
  // Returns false at the end of the file, and sets end_.
  bool ReadBlock();
  absl::Status Wrong(const std::string& what) const;

  std::string path_;
  std::ifstream in_;
  uint64_t at_ = 0;  // in the file
  std::string block_;
  size_t next_ = 0;  // in the block
  v1::Header header_;
  v1::Call call_;
  std::string end_;
};

// The policy of the header: that of its name, with what the configuration set.
// Returns: NOT_FOUND naming the policy; INVALID_ARGUMENT naming a setting.
absl::StatusOr<schedule::PolicyConfig> PolicyOf(
    const v1::Header& header, const schedule::PolicyCatalogue& catalogue);
std::vector<schedule::GroupTraits> GroupsOf(const v1::Header& header);
// Returns: INVALID_ARGUMENT naming a flow whose weight is not above 0.
absl::StatusOr<std::vector<schedule::FlowTraits>> FlowsOf(
    const v1::Header& header);

}  // namespace freshline::record
