// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_feature_store.h"

#include <grpcpp/grpcpp.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "freshline/v1/feature_store.grpc.pb.h"
#include "freshline/v1/operations.grpc.pb.h"
#include "grpc/health/v1/health.grpc.pb.h"

namespace freshline::test {
namespace {

using Answers = FakeFeatureStore::Answers;

grpc::Status ToGrpc(const absl::Status& status, const std::string& details) {
  if (status.ok()) return grpc::Status::OK;
  return grpc::Status(
      static_cast<grpc::StatusCode>(status.code()),
      std::string(status.message().data(), status.message().size()), details);
}

grpc::Status Unset() {
  return grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "not set by the test");
}

class FeatureStoreService final : public v1::FeatureStore::Service {
 public:
  explicit FeatureStoreService(const Answers& answers) : answers_(answers) {}
  grpc::Status GetFeatures(grpc::ServerContext*,
                           const v1::GetFeaturesRequest* request,
                           v1::GetFeaturesResponse* response) override {
    if (!answers_.get_features) return Unset();
    return ToGrpc(answers_.get_features(*request, response),
                  answers_.error_details);
  }
  grpc::Status PushEvents(grpc::ServerContext* context,
                          const v1::PushEventsRequest* request,
                          v1::PushEventsResponse* response) override {
    if (!answers_.push_events) return Unset();
    const absl::Status status = answers_.push_events(*request, response);
    if (!status.ok() && !answers_.pushback_ms.empty()) {
      context->AddTrailingMetadata("grpc-retry-pushback-ms",
                                   answers_.pushback_ms);
    }
    return ToGrpc(status, answers_.error_details);
  }
  grpc::Status ReportOutcome(grpc::ServerContext*,
                             const v1::ReportOutcomeRequest* request,
                             v1::ReportOutcomeResponse* response) override {
    if (!answers_.report_outcome) return Unset();
    return ToGrpc(answers_.report_outcome(*request, response),
                  answers_.error_details);
  }

 private:
  const Answers& answers_;
};

class OperationsService final : public v1::Operations::Service {
 public:
  explicit OperationsService(const Answers& answers) : answers_(answers) {}
  grpc::Status GetStatus(grpc::ServerContext*, const v1::GetStatusRequest*,
                         v1::GetStatusResponse* response) override {
    if (!answers_.get_status) return Unset();
    return ToGrpc(answers_.get_status(response), answers_.error_details);
  }
  grpc::Status GetSchema(grpc::ServerContext*, const v1::GetSchemaRequest*,
                         v1::GetSchemaResponse* response) override {
    if (!answers_.get_schema) return Unset();
    return ToGrpc(answers_.get_schema(response), answers_.error_details);
  }

 private:
  const Answers& answers_;
};

class HealthService final : public grpc::health::v1::Health::Service {
 public:
  explicit HealthService(const Answers& answers) : answers_(answers) {}
  grpc::Status Check(grpc::ServerContext*,
                     const grpc::health::v1::HealthCheckRequest* request,
                     grpc::health::v1::HealthCheckResponse* response) override {
    if (!answers_.check_health) return Unset();
    bool serving = false;
    const absl::StatusCode code =
        answers_.check_health(request->service(), &serving);
    response->set_status(
        serving ? grpc::health::v1::HealthCheckResponse::SERVING
                : grpc::health::v1::HealthCheckResponse::NOT_SERVING);
    return ToGrpc(absl::Status(code, "unknown service"), "");
  }

 private:
  const Answers& answers_;
};

}  // namespace

struct FakeFeatureStore::Services {
  explicit Services(Answers wanted)
      : answers(std::move(wanted)),
        feature_store(answers),
        operations(answers),
        health(answers) {}
  const Answers answers;
  FeatureStoreService feature_store;
  OperationsService operations;
  HealthService health;
  std::unique_ptr<grpc::Server> server;
  std::string target;
};

FakeFeatureStore::FakeFeatureStore(Answers answers)
    : services_(std::make_unique<Services>(std::move(answers))) {
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                           &port);
  builder.RegisterService(&services_->feature_store);
  builder.RegisterService(&services_->operations);
  builder.RegisterService(&services_->health);
  services_->server = builder.BuildAndStart();
  FRESHLINE_CHECK(services_->server != nullptr && port > 0);
  services_->target = absl::StrCat("127.0.0.1:", port);
}

FakeFeatureStore::~FakeFeatureStore() {
  services_->server->Shutdown(gpr_time_0(GPR_CLOCK_MONOTONIC));
}

const std::string& FakeFeatureStore::target() const {
  return services_->target;
}

}  // namespace freshline::test
