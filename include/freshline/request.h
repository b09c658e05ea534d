// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "freshline/events.h"

namespace freshline {

namespace v1 {
class GetFeaturesRequest;
class ReportOutcomeRequest;
}  // namespace v1

// What to ask: a feature service or explicit features, of one or more entities.
//
//   FeatureRequest request("recommend");
//   request.Entity("user_id", {42}).Budget(std::chrono::milliseconds(30));
//
//   FeatureRequest rank = FeatureRequest::Of({"user:clicks_1h", "item:price"});
//   rank.Entity("user_id", {42}).Entity("item_id", {7, 8, 9});
//
// Nothing is checked here: the daemon knows the definitions, and its error
// names the field. Limits of the daemon: 1,000 rows, 256 features.
//
// Thread-safety: compatible with const access from several threads; one request
// may be sent any number of times.
class FeatureRequest {
 public:
  // Asks for everything that a feature service declares.
  explicit FeatureRequest(absl::string_view feature_service);
  // Asks for features "group:feature", answered in this order.
  static FeatureRequest Of(absl::Span<const std::string> features);
  // Takes a request made elsewhere (freshline/v1/feature_store.pb.h).
  explicit FeatureRequest(v1::GetFeaturesRequest request);
  ~FeatureRequest();
  FeatureRequest(const FeatureRequest& other);
  FeatureRequest& operator=(const FeatureRequest& other);
  FeatureRequest(FeatureRequest&& other) noexcept;
  FeatureRequest& operator=(FeatureRequest&& other) noexcept;

  // Adds the values of a join key: either one, which holds for every row, or
  // one for each row. The type must be the declared one, INT64 or STRING.
  FeatureRequest& Entity(absl::string_view join_key,
                         std::initializer_list<int64_t> values);
  FeatureRequest& Entity(absl::string_view join_key,
                         absl::Span<const int64_t> values);
  FeatureRequest& Entity(absl::string_view join_key,
                         std::initializer_list<absl::string_view> values);
  FeatureRequest& Entity(absl::string_view join_key,
                         absl::Span<const std::string> values);

  // Events to apply before answering, in order: the answer has seen them.
  FeatureRequest& AddEvents(const EventRows& events);

  // Time from the request's arrival at the daemon to its answer. Not called:
  // the feature service's SLO. 0: the stored answer at once.
  FeatureRequest& Budget(std::chrono::microseconds budget);

  // A stored row that satisfies these is answered at once, without work: at
  // most so many events not seen, computed at most so long ago.
  FeatureRequest& MaxPending(uint32_t events);
  FeatureRequest& MaxAge(std::chrono::microseconds age);

  // Returned in the answer; at most 128 bytes.
  FeatureRequest& RequestId(absl::string_view id);

  const v1::GetFeaturesRequest& proto() const { return *request_; }

 private:
  FeatureRequest();
  std::unique_ptr<v1::GetFeaturesRequest> request_;
};

// What became of answers that one feature service gave: how much each lost
// against the best that it could have been, from which the daemon learns what
// staleness costs.
//
//   OutcomeReport report("recommend");
//   report.Entity("user_id", {42}).Loss("request-17", 1);
//
// Nothing is checked here: the daemon's error names the field. Limits of the
// daemon: 256 outcomes a report; it knows the answers that it gave last, by the
// FeatureRequest::RequestId() of each.
//
// Thread-safety: compatible with const access from several threads.
class OutcomeReport {
 public:
  explicit OutcomeReport(absl::string_view feature_service);
  ~OutcomeReport();
  OutcomeReport(const OutcomeReport& other);
  OutcomeReport& operator=(const OutcomeReport& other);
  OutcomeReport(OutcomeReport&& other) noexcept;
  OutcomeReport& operator=(OutcomeReport&& other) noexcept;

  // Adds the values of a join key: either one, which holds for every outcome,
  // or one for each.
  OutcomeReport& Entity(absl::string_view join_key,
                        std::initializer_list<int64_t> values);
  OutcomeReport& Entity(absl::string_view join_key,
                        absl::Span<const int64_t> values);
  OutcomeReport& Entity(absl::string_view join_key,
                        std::initializer_list<absl::string_view> values);
  OutcomeReport& Entity(absl::string_view join_key,
                        absl::Span<const std::string> values);

  // Adds an outcome: a loss in [0, 1e9], in any one unit.
  OutcomeReport& Loss(absl::string_view request_id, double loss);

  const v1::ReportOutcomeRequest& proto() const { return *request_; }

 private:
  std::unique_ptr<v1::ReportOutcomeRequest> request_;
};

}  // namespace freshline
