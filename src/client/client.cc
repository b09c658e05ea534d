// SPDX-License-Identifier: Apache-2.0
#include "freshline/client.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "client/overhead_meter.h"
#include "client/raw_client.h"
#include "freshline/v1/feature_store.pb.h"
#include "freshline/v1/operations.pb.h"
#include "grpc/health/v1/health.pb.h"

namespace freshline {
namespace {

using client::Method;
using client::RawClient;

absl::Status CheckDuration(absl::string_view option,
                           std::chrono::microseconds value,
                           std::chrono::microseconds low) {
  constexpr std::chrono::microseconds kHigh = std::chrono::hours(1);
  if (value >= low && value <= kHigh) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "ClientOptions.", option, " is ", value.count(),
      " us; give a value from ", low.count(), " to ", kHigh.count(), " us"));
}

template <typename Response>
absl::StatusOr<std::unique_ptr<Response>> Parse(const absl::Status& status,
                                                absl::string_view bytes) {
  if (!status.ok()) return status;
  auto response = std::make_unique<Response>();
  if (!response->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::InternalError(
        "the answer is not the message expected; is the target a freshlined?");
  }
  return response;
}

// Sends and hands `Answer(response)` to `done`.
template <typename Response, typename Answer, typename Callback>
void Call(RawClient& raw, Method method,
          const google::protobuf::MessageLite& request, base::MonoTime deadline,
          Callback done) {
  raw.Send(method, request.SerializeAsString(), deadline,
           [done = std::move(done)](const absl::Status& status,
                                    absl::string_view bytes,
                                    base::MonoTime) mutable {
             auto response = Parse<Response>(status, bytes);
             if (!response.ok()) {
               std::move(done)(response.status());
             } else {
               std::move(done)(Answer(*std::move(response)));
             }
           });
}

// Starts an asynchronous call and waits for its result.
template <typename Result, typename Start>
absl::StatusOr<Result> Await(const RawClient& raw, Start start) {
  if (raw.OnCompletionThread()) {
    return absl::FailedPreconditionError(
        "a synchronous call from a callback would wait for its own thread; "
        "use the asynchronous form");
  }
  base::Mutex mu;
  base::CondVar arrived;
  std::optional<absl::StatusOr<Result>> result;
  start([&](absl::StatusOr<Result> got) {
    base::MutexLock lock(&mu);
    result.emplace(std::move(got));
    arrived.NotifyOne();
  });
  base::MutexLock lock(&mu);
  while (!result.has_value()) arrived.Wait(&mu);
  return *std::move(result);
}

base::MonoTime After(std::chrono::microseconds time) {
  return base::Clock::Real().Now() + time;
}

// What CheckHealth parses into, so that Call() can serve it too.
Health ToHealth(
    const std::unique_ptr<grpc::health::v1::HealthCheckResponse>& response) {
  switch (response->status()) {
    case grpc::health::v1::HealthCheckResponse::SERVING:
      return Health::kServing;
    case grpc::health::v1::HealthCheckResponse::NOT_SERVING:
      return Health::kNotServing;
    default:
      return Health::kUnknown;
  }
}
struct HealthAnswer {
  explicit HealthAnswer(
      std::unique_ptr<grpc::health::v1::HealthCheckResponse> response)
      : health(ToHealth(response)) {}
  operator absl::StatusOr<Health>() const { return health; }  // NOLINT
  Health health;
};

}  // namespace

DaemonStatus::DaemonStatus(std::unique_ptr<v1::GetStatusResponse> response)
    : response_(std::move(response)) {}
DaemonStatus::~DaemonStatus() = default;
DaemonStatus::DaemonStatus(DaemonStatus&&) noexcept = default;
DaemonStatus& DaemonStatus::operator=(DaemonStatus&&) noexcept = default;

absl::string_view DaemonStatus::version() const { return response_->version(); }
uint64_t DaemonStatus::revision() const { return response_->revision(); }
bool DaemonStatus::serving() const { return response_->phase() == v1::SERVING; }
std::chrono::microseconds DaemonStatus::uptime() const {
  return std::chrono::microseconds(response_->uptime_us());
}
uint64_t DaemonStatus::queries_answered() const {
  return response_->queries().answered();
}
uint64_t DaemonStatus::queries_late() const {
  return response_->queries().late();
}

DaemonSchema::DaemonSchema(std::unique_ptr<v1::GetSchemaResponse> response)
    : response_(std::move(response)) {}
DaemonSchema::~DaemonSchema() = default;
DaemonSchema::DaemonSchema(DaemonSchema&&) noexcept = default;
DaemonSchema& DaemonSchema::operator=(DaemonSchema&&) noexcept = default;

absl::StatusOr<std::unique_ptr<Client>> Client::Create(
    const ClientOptions& options) {
  FRESHLINE_RETURN_IF_ERROR(CheckDuration(
      "deadline_slack", options.deadline_slack, std::chrono::microseconds(0)));
  FRESHLINE_RETURN_IF_ERROR(
      CheckDuration("timeout", options.timeout, std::chrono::microseconds(1)));
  client::RawOptions raw;
  raw.target = options.target;
  raw.channels = options.channels;
  raw.completion_threads = options.completion_threads;
  raw.outstanding_max = options.outstanding_max;
  raw.receive_bytes_max = options.receive_bytes_max;
  raw.keepalive_time = options.keepalive_time;
  raw.keepalive_timeout = options.keepalive_timeout;
  FRESHLINE_ASSIGN_OR_RETURN(auto made, RawClient::Create(std::move(raw)));
  return std::unique_ptr<Client>(new Client(options, std::move(made)));
}

Client::Client(const ClientOptions& options, std::unique_ptr<RawClient> raw)
    : options_(options),
      overhead_(std::make_unique<client::OverheadMeter>()),
      raw_(std::move(raw)) {}
Client::~Client() = default;

void Client::GetFeatures(const FeatureRequest& request, FeatureCallback done) {
  std::chrono::microseconds time = options_.timeout;
  if (request.proto().has_budget_us()) {
    // A budget beyond every sense is the daemon's to clamp or to refuse.
    constexpr int64_t kHourUs = 3'600'000'000;
    const int64_t budget =
        std::clamp<int64_t>(request.proto().budget_us(), 0, kHourUs);
    time = std::chrono::microseconds(budget) + options_.deadline_slack;
  }
  std::string bytes = request.proto().SerializeAsString();
  const std::optional<int64_t> overhead_us = overhead_->TakeMicros();
  if (overhead_us.has_value() && !request.proto().has_overhead_us()) {
    // A field behind a message is a field of it.
    v1::GetFeaturesRequest last;
    last.set_overhead_us(*overhead_us);
    last.AppendToString(&bytes);
  }
  const base::MonoTime sent = base::Clock::Real().Now();
  raw_->Send(Method::kGetFeatures, bytes, sent + time,
             [done = std::move(done), sent, meter = overhead_.get()](
                 const absl::Status& status, absl::string_view answer,
                 base::MonoTime received) mutable {
               auto response = Parse<v1::GetFeaturesResponse>(status, answer);
               if (!response.ok()) {
                 std::move(done)(response.status());
                 return;
               }
               meter->Answered(received - sent, (*response)->server_us());
               std::move(done)(FeatureAnswer(*std::move(response)));
             });
}

void Client::PushEvents(absl::Span<const EventRows> batches,
                        PushCallback done) {
  v1::PushEventsRequest request;
  for (const EventRows& rows : batches) *request.add_batches() = rows.proto();
  Call<v1::PushEventsResponse, PushAnswer>(*raw_, Method::kPushEvents, request,
                                           After(options_.timeout),
                                           std::move(done));
}

void Client::ReportOutcome(const OutcomeReport& report, OutcomeCallback done) {
  const auto outcomes = static_cast<size_t>(report.proto().request_id_size());
  raw_->Send(Method::kReportOutcome, report.proto().SerializeAsString(),
             After(options_.timeout),
             [done = std::move(done), outcomes](const absl::Status& status,
                                                absl::string_view bytes,
                                                base::MonoTime) mutable {
               auto response = Parse<v1::ReportOutcomeResponse>(status, bytes);
               if (!response.ok()) {
                 std::move(done)(response.status());
               } else {
                 std::move(done)(OutcomeAnswer(*std::move(response), outcomes));
               }
             });
}

void Client::GetStatus(StatusCallback done) {
  Call<v1::GetStatusResponse, DaemonStatus>(
      *raw_, Method::kGetStatus, v1::GetStatusRequest(),
      After(options_.timeout), std::move(done));
}

void Client::GetSchema(SchemaCallback done) {
  Call<v1::GetSchemaResponse, DaemonSchema>(
      *raw_, Method::kGetSchema, v1::GetSchemaRequest(),
      After(options_.timeout), std::move(done));
}

void Client::CheckHealth(absl::string_view service, HealthCallback done) {
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(service.data(), service.size());
  Call<grpc::health::v1::HealthCheckResponse, HealthAnswer>(
      *raw_, Method::kCheckHealth, request, After(options_.timeout),
      std::move(done));
}

absl::StatusOr<FeatureAnswer> Client::GetFeatures(
    const FeatureRequest& request) {
  return Await<FeatureAnswer>(*raw_, [&](FeatureCallback done) {
    GetFeatures(request, std::move(done));
  });
}

absl::StatusOr<PushAnswer> Client::PushEvents(
    absl::Span<const EventRows> batches) {
  return Await<PushAnswer>(
      *raw_, [&](PushCallback done) { PushEvents(batches, std::move(done)); });
}

absl::StatusOr<PushAnswer> Client::PushEvents(const EventRows& events) {
  return PushEvents(absl::Span<const EventRows>(&events, 1));
}

absl::StatusOr<OutcomeAnswer> Client::ReportOutcome(
    const OutcomeReport& report) {
  return Await<OutcomeAnswer>(*raw_, [&](OutcomeCallback done) {
    ReportOutcome(report, std::move(done));
  });
}

absl::StatusOr<DaemonStatus> Client::GetStatus() {
  return Await<DaemonStatus>(
      *raw_, [&](StatusCallback done) { GetStatus(std::move(done)); });
}

absl::StatusOr<DaemonSchema> Client::GetSchema() {
  return Await<DaemonSchema>(
      *raw_, [&](SchemaCallback done) { GetSchema(std::move(done)); });
}

absl::StatusOr<Health> Client::CheckHealth(absl::string_view service) {
  return Await<Health>(*raw_, [&](HealthCallback done) {
    CheckHealth(service, std::move(done));
  });
}

}  // namespace freshline
