// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "freshline/v1/feature_store.pb.h"
#include "freshline/v1/operations.pb.h"

namespace freshline::test {

// A daemon in this process: a gRPC server on a free loopback port whose answers
// are functions of the test's own. A function that is not set answers
// UNIMPLEMENTED. They run on gRPC's threads, several at once.
class FakeFeatureStore {
 public:
  struct Answers {
    std::function<absl::Status(const v1::GetFeaturesRequest&,
                               v1::GetFeaturesResponse*)>
        get_features = {};
    std::function<absl::Status(const v1::PushEventsRequest&,
                               v1::PushEventsResponse*)>
        push_events = {};
    std::function<absl::Status(const v1::ReportOutcomeRequest&,
                               v1::ReportOutcomeResponse*)>
        report_outcome = {};
    std::function<absl::Status(v1::GetStatusResponse*)> get_status = {};
    std::function<absl::Status(v1::GetSchemaResponse*)> get_schema = {};
    // Whether `service` is serving; NOT_FOUND ends the call with it.
    std::function<absl::StatusCode(const std::string& service, bool* serving)>
        check_health = {};
    // Trailing metadata "grpc-retry-pushback-ms" of every error of PushEvents.
    std::string pushback_ms = {};
    // Binary error details sent with every error.
    std::string error_details = {};
  };

  explicit FakeFeatureStore(Answers answers);
  // Ends the calls under way.
  ~FakeFeatureStore();

  // "127.0.0.1:port".
  const std::string& target() const;

 private:
  struct Services;
  std::unique_ptr<Services> services_;
};

}  // namespace freshline::test
