// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace freshline {

namespace v1 {
class EventResults;
class FeatureColumn;
class GetFeaturesResponse;
class GroupFreshness;
class PushEventsResponse;
class ReportOutcomeResponse;
class Values;
}  // namespace v1

// The enumerations have the wire's numbers; a value that a newer daemon sends
// and this library does not know is kept as its number.

// Status of one value.
enum class ValueStatus {
  kPresent = 1,
  kNull = 2,           // computed, and there is no value
  kDefaulted = 3,      // no value; the declared default stands in
  kNotFound = 4,       // nothing is known of this entity
  kOutsideMaxAge = 5,  // a value, older than declared good
  kTruncated = 6,      // a value; its window was cut by the cap on events
  kError = 7,          // the last computation failed; no older value exists
};
// How a row was obtained.
enum class Obtained {
  kAlreadyFresh = 1,
  kComputedInline = 2,
  kRefreshed = 3,
  kApproximated = 4,
  kWritten = 5,
  kStaleShed = 6,
  kStaleDeadline = 7,
  kStaleError = 8,
  kDefaultCold = 9,
};
enum class Fidelity { kFull = 1, kApproximate = 2 };
enum class EventStatus {
  kAccepted = 1,
  kDuplicate = 2,
  kLate = 3,
  kFuture = 4,
  kExhausted = 5,
};
// What an acknowledgement means, weakest first.
enum class AckLevel { kMemory = 1, kProcess = 2, kInterval = 3, kDurable = 4 };

enum class OutcomeStatus { kAccepted = 1, kUnknown = 2, kRepeated = 3 };

// The wire's names: "STALE_SHED". "unknown(N)" for a newer daemon's.
std::string ToString(ValueStatus status);
std::string ToString(Obtained obtained);
std::string ToString(Fidelity fidelity);
std::string ToString(EventStatus status);
std::string ToString(AckLevel level);
std::string ToString(OutcomeStatus status);

// How fresh one row of one feature group is.
struct RowFreshness {
  Obtained obtained{};
  Fidelity fidelity{};
  int64_t event_time_us = 0;    // newest event seen; 0: none
  int64_t as_of_us = 0;         // when computing began, Unix us; 0: never
  uint64_t as_of_sequence = 0;  // every event up to here has been seen
  uint32_t pending_events = 0;  // accepted, and not seen
};

// One feature of an answer: its values, statuses and freshness by row. A view:
// valid while the FeatureAnswer lives and stays where it is.
//
// Every accessor takes row numbers of the answer, also where the daemon sent
// one element for all rows. A row out of range: OUT_OF_RANGE; another type
// than the feature's: INVALID_ARGUMENT, naming both; a value that is not there
// (HasValue() is false): NOT_FOUND, naming its status.
class FeatureView {
 public:
  absl::string_view name() const;  // "group:feature"

  // REQUIRES: row < FeatureAnswer::rows().
  ValueStatus status(size_t row = 0) const;
  // Whether there is a value: PRESENT, DEFAULTED, OUTSIDE_MAX_AGE, TRUNCATED.
  bool HasValue(size_t row = 0) const;
  RowFreshness freshness(size_t row = 0) const;

  absl::StatusOr<bool> Bool(size_t row = 0) const;
  absl::StatusOr<int64_t> Int64(size_t row = 0) const;
  absl::StatusOr<double> Float64(size_t row = 0) const;
  absl::StatusOr<absl::string_view> String(size_t row = 0) const;
  absl::StatusOr<int64_t> TimestampUs(size_t row = 0) const;

  absl::StatusOr<absl::Span<const float>> Vector(size_t row = 0) const;
  // Lists, in their order. Timestamps are Int64s.
  absl::StatusOr<absl::Span<const bool>> BoolList(size_t row = 0) const;
  absl::StatusOr<absl::Span<const int64_t>> Int64List(size_t row = 0) const;
  absl::StatusOr<absl::Span<const double>> Float64List(size_t row = 0) const;
  absl::StatusOr<std::vector<absl::string_view>> StringList(
      size_t row = 0) const;

 private:
  friend class FeatureAnswer;
  FeatureView(const v1::FeatureColumn& column, const v1::GroupFreshness* group,
              size_t rows)
      : column_(&column), group_(group), rows_(rows) {}

  // Element that stands for `row`, after every check but the type.
  absl::StatusOr<size_t> ElementOf(size_t row, size_t elements) const;
  absl::Status WrongType(absl::string_view asked) const;
  // Where the elements of a list begin, and how many they are.
  struct Range {
    size_t begin;
    size_t size;
  };
  absl::StatusOr<Range> ListRange(size_t row) const;

  const v1::FeatureColumn* column_;
  const v1::GroupFreshness* group_;  // null where the daemon sent none
  size_t rows_;
};

// What became of the events of one batch.
class EventAnswer {
 public:
  explicit EventAnswer(const v1::EventResults& results) : results_(&results) {}

  size_t size() const;  // events of the batch
  EventStatus status(size_t event) const;
  // Position in the daemon's order of acceptance; 0 where not accepted.
  uint64_t ingest_sequence(size_t event) const;
  AckLevel ack_level() const;
  size_t accepted() const;  // how many have status kAccepted

 private:
  const v1::EventResults* results_;
};

// The answer to a FeatureRequest.
class FeatureAnswer {
 public:
  explicit FeatureAnswer(std::unique_ptr<v1::GetFeaturesResponse> response);
  ~FeatureAnswer();
  FeatureAnswer(FeatureAnswer&&) noexcept;
  FeatureAnswer& operator=(FeatureAnswer&&) noexcept;

  size_t rows() const;
  uint64_t revision() const;  // of the definitions that produced it
  absl::string_view request_id() const;
  // Where a refresh was given up: what a worker-millisecond was worth then, in
  // the gain of the groups' staleness metrics; 0: none was, or not for it.
  double price() const;

  // In the order of the feature service or of the references asked for.
  size_t feature_count() const;
  // REQUIRES: index < feature_count().
  FeatureView feature(size_t index) const;
  // Returns: NOT_FOUND, naming the features that are there.
  absl::StatusOr<FeatureView> Feature(absl::string_view name) const;

  // Feature(name) and the accessor of the same name in one.
  absl::StatusOr<int64_t> Int64(absl::string_view name, size_t row = 0) const;
  absl::StatusOr<double> Float64(absl::string_view name, size_t row = 0) const;
  absl::StatusOr<absl::string_view> String(absl::string_view name,
                                           size_t row = 0) const;
  absl::StatusOr<absl::Span<const float>> Vector(absl::string_view name,
                                                 size_t row = 0) const;
  absl::StatusOr<absl::Span<const int64_t>> Int64List(absl::string_view name,
                                                      size_t row = 0) const;

  // One per batch that the request carried, in its order.
  size_t event_batches() const;
  // REQUIRES: batch < event_batches().
  EventAnswer events(size_t batch) const;

  const v1::GetFeaturesResponse& proto() const { return *response_; }

 private:
  std::unique_ptr<v1::GetFeaturesResponse> response_;
};

// The answer to PushEvents.
class PushAnswer {
 public:
  explicit PushAnswer(std::unique_ptr<v1::PushEventsResponse> response);
  ~PushAnswer();
  PushAnswer(PushAnswer&&) noexcept;
  PushAnswer& operator=(PushAnswer&&) noexcept;

  // One per batch, in order.
  size_t event_batches() const;
  // REQUIRES: batch < event_batches().
  EventAnswer events(size_t batch) const;

  const v1::PushEventsResponse& proto() const { return *response_; }

 private:
  std::unique_ptr<v1::PushEventsResponse> response_;
};

// The answer to ReportOutcome.
class OutcomeAnswer {
 public:
  OutcomeAnswer(std::unique_ptr<v1::ReportOutcomeResponse> response,
                size_t outcomes);
  ~OutcomeAnswer();
  OutcomeAnswer(OutcomeAnswer&&) noexcept;
  OutcomeAnswer& operator=(OutcomeAnswer&&) noexcept;

  size_t size() const { return outcomes_; }  // as many as were reported
  // REQUIRES: outcome < size().
  OutcomeStatus status(size_t outcome) const;

  const v1::ReportOutcomeResponse& proto() const { return *response_; }

 private:
  std::unique_ptr<v1::ReportOutcomeResponse> response_;
  size_t outcomes_;
};

}  // namespace freshline
