// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "freshline/v1/feature_store.pb.h"
#include "google/protobuf/repeated_field.h"
#include "ingest/ingest.h"
#include "outcome/outcome_book.h"

namespace freshline::rpc {

// Views of a request's columns and batches in the terms of the rooms below.
// Owns what a view cannot borrow from the message (string views, vectors of
// columns). Valid while the message is.
class DecodedRequest {
 public:
  // Returns: INVALID_ARGUMENT naming the field, for a column without values or
  // with values that are neither scalars nor keys.
  absl::Status DecodeColumns(
      const google::protobuf::RepeatedPtrField<v1::Column>& columns,
      absl::string_view where, std::vector<ingest::ColumnInput>* out);
  absl::Status DecodeBatches(
      const google::protobuf::RepeatedPtrField<v1::EventBatch>& wire,
      absl::string_view where, size_t events_max);

  std::vector<ingest::ColumnInput> entities;
  std::vector<ingest::DecodedBatch> batches;

 private:
  // Deques keep their elements where they are.
  std::deque<std::vector<absl::string_view>> strings_;
  std::deque<std::vector<ingest::ColumnInput>> columns_;
};

// Writes the results of each batch; statuses only where not all are ACCEPTED.
void EncodeEventResults(
    const ingest::PreparedEvents& events,
    std::span<const ingest::EventResult> results, ingest::AckLevel ack_level,
    google::protobuf::RepeatedPtrField<v1::EventResults>* out);

// Writes the statuses where not all are accepted.
void EncodeOutcomes(std::span<const outcome::OutcomeStatus> statuses,
                    v1::ReportOutcomeResponse* out);

}  // namespace freshline::rpc
