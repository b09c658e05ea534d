// SPDX-License-Identifier: Apache-2.0
#include "rpc/handlers.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "base/histogram.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "freshline/v1/operations.pb.h"
#include "rpc/connection_status.h"
#include "rpc/decode.h"
#include "rpc/encode.h"
#include "rpc/encode_schema.h"
#include "rpc/event_call.h"
#include "rpc/responses.h"

namespace freshline::rpc {
namespace {

constexpr size_t kRequestIdBytesMax = outcome::OutcomeBook::kRequestIdBytesMax;
// Who pushes has no SLO; but what waits for longer is better sent again.
constexpr base::Duration kPushBudget = std::chrono::seconds(1);

class GetFeaturesCall final
    : public EventCall<v1::GetFeaturesRequest, v1::GetFeaturesResponse>,
      private serve::Completion {
 public:
  GetFeaturesCall(CallContext* server, Poller* poller, const CallOrigin& origin)
      : EventCall(server, poller, origin, Method::kGetFeatures,
                  Intake::Lane::kQuery) {}

 private:
  const Batches& batches() const override { return request_->events(); }
  base::Duration budget_max() const override {
    return server_->rooms.features->slo_max();
  }

  // On OK the outcome comes, or has come, through the completion.
  absl::Status Serve() override {
    if (request_->request_id().size() > kRequestIdBytesMax) {
      return absl::InvalidArgumentError(
          absl::StrCat("request_id: ", request_->request_id().size(),
                       " bytes; at most ", kRequestIdBytesMax));
    }
    serve::Query& query = query_;
    const std::vector<std::string> references(request_->features().begin(),
                                              request_->features().end());
    FRESHLINE_ASSIGN_OR_RETURN(query.plan,
                               server_->rooms.features->Resolve(
                                   request_->feature_service(), references));
    const base::Duration patience = PatienceFor(*query.plan);
    NotePatience(patience);
    FRESHLINE_RETURN_IF_ERROR(InTime(patience));
    FRESHLINE_RETURN_IF_ERROR(decoded_.DecodeColumns(
        request_->entities(), "entities", &decoded_.entities));
    FRESHLINE_RETURN_IF_ERROR(decoded_.DecodeBatches(
        request_->events(), "events", server_->options.events_per_request_max));
    query.entities = decoded_.entities;
    query.request_id = request_->request_id();
    query.events = decoded_.batches;
    query.received = arrived();
    query.caller = absl::HashOf(connection().peer()) | 1;  // 0 is nobody
    query.caller_deadline = deadline();
    if (request_->has_budget_us()) query.budget_us = request_->budget_us();
    if (request_->has_overhead_us()) {
      query.overhead_us = request_->overhead_us();
    }
    if (request_->freshness().has_max_pending()) {
      query.max_pending = request_->freshness().max_pending();
    }
    if (request_->freshness().has_max_age_us()) {
      query.max_age_us = request_->freshness().max_age_us();
    }
    server_->rooms.features->Get(query, this);
    return absl::OkStatus();
  }

  // What the wait for its turn is measured by. A short budget is no haste while
  // there is no overload, when the stored answer is there at once; and under
  // overload it does not make a call the first to be refused.
  base::Duration PatienceFor(const registry::QueryPlan& plan) const {
    constexpr int kLeastPart = 4;
    if (!poller_->calls().overloaded() || request_->budget_us() <= 0) {
      return plan.slo;
    }
    // Compared as microseconds: a huge budget must not overflow.
    const int64_t slo_us = plan.slo.count() / 1000;
    return std::chrono::microseconds(std::clamp<int64_t>(
        request_->budget_us(), slo_us / kLeastPart, slo_us));
  }

  // The caller may go away while the query is still being served.
  bool OnWaiting(base::TicketId ticket) override {
    base::MutexLock lock(&mu_);
    ticket_ = ticket;
    return !cancelled_;
  }
  void OnCancelled() override {
    base::MutexLock lock(&mu_);
    cancelled_ = true;
    // One that is not submitted yet is not found, and costs its work.
    if (ticket_) server_->rooms.features->Cancel(*ticket_);
  }

  void OnEvents(const ingest::PreparedEvents& events,
                std::span<const ingest::EventResult> results) override {
    EncodeEventResults(events, results, server_->rooms.ingest->ack_level(),
                       response_->mutable_events());
  }
  void OnAnswer(const serve::Answer& answer) override {
    response_->set_request_id(request_->request_id());
    EncodeAnswer(answer, response_);
    response_->set_server_us((server_->rooms.clock->Now() - arrived()).count() /
                             1000);
    Finish(absl::OkStatus());
  }
  void OnError(const absl::Status& status) override { Finish(status); }

  // What the query consists of, until it is answered.
  DecodedRequest decoded_;
  serve::Query query_;

  base::Mutex mu_;
  std::optional<base::TicketId> ticket_ ABSL_GUARDED_BY(mu_);
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
};

class PushEventsCall final
    : public EventCall<v1::PushEventsRequest, v1::PushEventsResponse> {
 public:
  PushEventsCall(CallContext* server, Poller* poller, const CallOrigin& origin)
      : EventCall(server, poller, origin, Method::kPushEvents,
                  Intake::Lane::kPush) {}

 private:
  const Batches& batches() const override { return request_->batches(); }
  base::Duration budget_max() const override { return kPushBudget; }

  absl::Status Serve() override {
    NotePatience(kPushBudget);
    DecodedRequest decoded;
    FRESHLINE_RETURN_IF_ERROR(
        decoded.DecodeBatches(request_->batches(), "batches",
                              server_->options.events_per_request_max));
    ingest::EventIngest& ingest = *server_->rooms.ingest;
    FRESHLINE_ASSIGN_OR_RETURN(const ingest::PreparedEvents events,
                               ingest.Prepare(decoded.batches, "batches"));
    const std::vector<ingest::EventResult> results = ingest.Apply(events);
    EncodeEventResults(events, results, ingest.ack_level(),
                       response_->mutable_results());
    Finish(absl::OkStatus());
    return absl::OkStatus();
  }
};

class ReportOutcomeCall final
    : public EventCall<v1::ReportOutcomeRequest, v1::ReportOutcomeResponse> {
 public:
  ReportOutcomeCall(CallContext* server, Poller* poller,
                    const CallOrigin& origin)
      : EventCall(server, poller, origin, Method::kReportOutcome,
                  Intake::Lane::kPush) {}

 private:
  const Batches& batches() const override { return none_; }
  base::Duration budget_max() const override { return kPushBudget; }

  absl::Status Serve() override {
    NotePatience(kPushBudget);
    DecodedRequest decoded;
    FRESHLINE_RETURN_IF_ERROR(decoded.DecodeColumns(
        request_->entities(), "entities", &decoded.entities));
    const std::vector<absl::string_view> ids(request_->request_id().begin(),
                                             request_->request_id().end());
    const outcome::OutcomeReport report{
        request_->feature_service(), decoded.entities, ids,
        std::span(request_->loss().data(),
                  static_cast<size_t>(request_->loss_size()))};
    FRESHLINE_ASSIGN_OR_RETURN(
        const std::vector<outcome::OutcomeStatus> statuses,
        server_->rooms.outcomes->Report(report));
    EncodeOutcomes(statuses, response_);
    Finish(absl::OkStatus());
    return absl::OkStatus();
  }

  const Batches none_;  // it carries no events
};

// A call that is answered as it comes, and cannot fail once it is read.
template <typename Request, typename Response, Method kMethod>
class PlainCall : public UnaryCall<Request, Response> {
 public:
  static constexpr Method kCounted = kMethod;

  PlainCall(CallContext* server, const CallOrigin& origin)
      : UnaryCall<Request, Response>(origin, &server->counts.Of(kMethod),
                                     server->limits()),
        server_(server) {}

 protected:
  CallContext* const server_;

 private:
  virtual void Answer() = 0;

  void Handle() override {
    const absl::Status parsed = this->Parse();
    if (parsed.ok()) Answer();
    this->Finish(parsed);
  }
};

class GetStatusCall final
    : public PlainCall<v1::GetStatusRequest, v1::GetStatusResponse,
                       Method::kGetStatus> {
 public:
  using PlainCall::PlainCall;

 private:
  void Answer() override {
    server_->rooms.status(server_->Report(), response_);
    FillFrontEnd(response_->mutable_front_end());
    FillConnections(server_->connections->stats(), server_->rooms.clock->Now(),
                    response_);
  }

  void FillFrontEnd(v1::FrontEndStatus* out) const {
    base::Histogram wait_ns;
    for (const auto& poller : server_->pollers) {
      const CallQueue::Stats stats = poller->calls().stats();
      out->set_calls(out->calls() + stats.calls);
      out->set_calls_waiting(out->calls_waiting() + stats.waiting);
      out->set_stalls(std::max(out->stalls(), stats.stalls));
      if (poller->calls().overloaded()) out->set_overloaded(true);
      wait_ns.Merge(stats.wait_ns);
    }
    out->set_wait_us_p50(wait_ns.Quantile(0.5) / 1000);
    out->set_wait_us_p99(wait_ns.Quantile(0.99) / 1000);
    out->set_wait_us_max(wait_ns.max() / 1000);
    out->set_refused_overdue(server_->refused_overdue);
    out->set_refused_full(server_->refused_full);
    if (out->overloaded()) {
      response_->add_degraded(absl::StrCat(
          "overloaded: more calls come than can be served; those that stand in "
          "line for a quarter of their budget are refused, ",
          out->refused_overdue(), " since start"));
    }
  }
};

class GetSchemaCall final
    : public PlainCall<v1::GetSchemaRequest, v1::GetSchemaResponse,
                       Method::kGetSchema> {
 public:
  using PlainCall::PlainCall;

 private:
  void Answer() override {
    EncodeSchema(*server_->rooms.revision(), response_);
    response_->set_request_bytes_max(server_->options.receive_bytes_max);
    response_->set_events_per_request_max(
        server_->options.events_per_request_max);
  }
};

template <typename EventCallType>
MethodEntry InLine(CallContext* server, Method method,
                   base::Duration budget_max) {
  MethodEntry entry;
  entry.make = [server](Poller* poller, const CallOrigin& origin) -> Call* {
    return new EventCallType(server, poller, origin);
  };
  entry.counts = &server->counts.Of(method);
  entry.hopeless = [server, budget_max](Poller* poller, size_t ahead) {
    if (!poller->calls().Hopeless(budget_max, ahead)) return false;
    poller->calls().Refused(poller->clock().Now());
    server->refused_overdue.fetch_add(1, std::memory_order_relaxed);
    return true;
  };
  // Always the same words, which HTTP/2 packs into a byte.
  entry.refusal = std::make_shared<ConstantStatus>(
      absl::ResourceExhaustedError(
          "overloaded: the calls that stand in line would not leave this one "
          "its time; nothing was applied, try again later"),
      server->retry_after_ms());
  return entry;
}

template <typename CallType>
MethodEntry AtOnce(CallContext* server) {
  MethodEntry entry;
  entry.make = [server](Poller*, const CallOrigin& origin) -> Call* {
    return new CallType(server, origin);
  };
  entry.counts = &server->counts.Of(CallType::kCounted);
  return entry;
}

}  // namespace

void AddHandlers(CallContext* server, MethodTable* methods) {
  const std::string store = "/freshline.v1.FeatureStore/";
  const std::string operations = "/freshline.v1.Operations/";
  const base::Duration query_budget = server->rooms.features == nullptr
                                          ? base::Duration::max()
                                          : server->rooms.features->slo_max();
  methods->emplace(
      store + "GetFeatures",
      InLine<GetFeaturesCall>(server, Method::kGetFeatures, query_budget));
  methods->emplace(
      store + "PushEvents",
      InLine<PushEventsCall>(server, Method::kPushEvents, kPushBudget));
  methods->emplace(
      store + "ReportOutcome",
      InLine<ReportOutcomeCall>(server, Method::kReportOutcome, kPushBudget));
  methods->emplace(operations + "GetStatus", AtOnce<GetStatusCall>(server));
  methods->emplace(operations + "GetSchema", AtOnce<GetSchemaCall>(server));
}

}  // namespace freshline::rpc
