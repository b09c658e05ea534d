// SPDX-License-Identifier: Apache-2.0
#include "rpc/server.h"

#include <grpc/support/time.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/resource_quota.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "base/check.h"
#include "base/histogram.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "base/thread.h"
#include "base/waker.h"
#include "rpc/acceptor.h"
#include "rpc/connection_status.h"
#include "rpc/decode.h"
#include "rpc/encode.h"
#include "rpc/encode_schema.h"
#include "rpc/event_call.h"
#include "rpc/intake.h"
#include "rpc/poller.h"

namespace freshline::rpc {
namespace {

constexpr size_t kRequestIdBytesMax = outcome::OutcomeBook::kRequestIdBytesMax;
// Calls of each kind that wait to be matched, per queue: a burst is accepted
// without a turn of the poller between two calls.
constexpr int kPostedCalls = 32;
// Who pushes has no SLO; but what waits for longer is better sent again.
constexpr base::Duration kPushBudget = std::chrono::seconds(1);

// One call must not end all others of its connection by its metadata before
// it can be refused.
constexpr int kCoreMetadataFactor = 8;
// For calls under way when a connection has reached its age.
constexpr int kAgeGraceMs = 60'000;
// Calls that a connection may have open and reset, in multiples of the streams
// that it may have open at a time.
constexpr uint32_t kCallsPerStream = 4;
// Calls that are open in all, beyond requests_in_flight_max: a quarter of it.
constexpr uint32_t kCallsNotInFlight = 4;

// Of a shutdown: for answers to be read, for GOAWAY and what was just answered
// to go out, and for descriptors to be closed.
constexpr base::Duration kReadWaitMax = std::chrono::milliseconds(500);
constexpr base::Duration kGoAwayWait = std::chrono::milliseconds(100);
// Then connections are ended that still take nothing.
constexpr base::Duration kEndWait = std::chrono::milliseconds(400);
constexpr base::Duration kCloseWaitMax = std::chrono::seconds(2);
constexpr base::Duration kWaitStep = std::chrono::milliseconds(1);

int Millis(base::Duration d) {
  return static_cast<int>(
      std::chrono::duration_cast<std::chrono::milliseconds>(d).count());
}

base::MonoTime ToMonoTime(gpr_timespec deadline) {
  const gpr_timespec t = gpr_convert_clock_type(deadline, GPR_CLOCK_MONOTONIC);
  if (gpr_time_cmp(t, gpr_inf_future(GPR_CLOCK_MONOTONIC)) == 0) {
    return base::kInfiniteFuture;
  }
  constexpr int64_t kSecondsMax = int64_t{1} << 32;
  if (t.tv_sec > kSecondsMax) return base::kInfiniteFuture;
  return base::MonoTime(base::Duration(t.tv_sec * 1'000'000'000 + t.tv_nsec));
}

class GetFeaturesCall final
    : public EventCall<v1::GetFeaturesRequest, v1::GetFeaturesResponse>,
      private serve::Completion {
 public:
  GetFeaturesCall(CallContext* server, Poller* poller)
      : EventCall(server, poller, Method::kGetFeatures, Intake::Lane::kQuery) {
    grpc::ServerCompletionQueue* const queue = poller->queue();
    server_->features.RequestGetFeatures(&context_, &request_bytes_,
                                         &responder_, queue, queue, &main_tag_);
  }

 private:
  void PostNext() override { new GetFeaturesCall(server_, poller_); }
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
    FRESHLINE_RETURN_IF_ERROR(InTime(PatienceFor(*query.plan)));
    FRESHLINE_RETURN_IF_ERROR(decoded_.DecodeColumns(
        request_->entities(), "entities", &decoded_.entities));
    FRESHLINE_RETURN_IF_ERROR(decoded_.DecodeBatches(
        request_->events(), "events", server_->options.events_per_request_max));
    query.entities = decoded_.entities;
    query.request_id = request_->request_id();
    query.events = decoded_.batches;
    query.received = arrived();
    query.caller = absl::HashOf(context_.peer()) | 1;  // 0 is nobody
    query.caller_deadline = ToMonoTime(context_.raw_deadline());
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
  PushEventsCall(CallContext* server, Poller* poller)
      : EventCall(server, poller, Method::kPushEvents, Intake::Lane::kPush) {
    grpc::ServerCompletionQueue* const queue = poller->queue();
    server_->features.RequestPushEvents(&context_, &request_bytes_, &responder_,
                                        queue, queue, &main_tag_);
  }

 private:
  void PostNext() override { new PushEventsCall(server_, poller_); }
  const Batches& batches() const override { return request_->batches(); }
  base::Duration budget_max() const override { return kPushBudget; }

  absl::Status Serve() override {
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
  ReportOutcomeCall(CallContext* server, Poller* poller)
      : EventCall(server, poller, Method::kReportOutcome, Intake::Lane::kPush) {
    grpc::ServerCompletionQueue* const queue = poller->queue();
    server_->features.RequestReportOutcome(
        &context_, &request_bytes_, &responder_, queue, queue, &main_tag_);
  }

 private:
  void PostNext() override { new ReportOutcomeCall(server_, poller_); }
  const Batches& batches() const override { return none_; }
  base::Duration budget_max() const override { return kPushBudget; }

  absl::Status Serve() override {
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

class GetStatusCall final
    : public UnaryCall<v1::GetStatusRequest, v1::GetStatusResponse> {
 public:
  GetStatusCall(CallContext* server, grpc::ServerCompletionQueue* queue)
      : UnaryCall(&server->counts.Of(Method::kGetStatus),
                  server->connections.get(), server->limits()),
        server_(server),
        queue_(queue) {
    server_->operations.RequestGetStatus(
        &context_, &request_bytes_, &responder_, queue_, queue_, &main_tag_);
  }

 private:
  void PostNext() override { new GetStatusCall(server_, queue_); }
  void Handle() override {
    if (const absl::Status s = Parse(); !s.ok()) {
      Finish(s);
      return;
    }
    server_->rooms.status(server_->Report(), response_);
    FillFrontEnd(response_->mutable_front_end());
    FillConnections(server_->connections->stats(), server_->rooms.clock->Now(),
                    response_);
    Finish(absl::OkStatus());
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

  CallContext* const server_;
  grpc::ServerCompletionQueue* const queue_;
};

class GetSchemaCall final
    : public UnaryCall<v1::GetSchemaRequest, v1::GetSchemaResponse> {
 public:
  GetSchemaCall(CallContext* server, grpc::ServerCompletionQueue* queue)
      : UnaryCall(&server->counts.Of(Method::kGetSchema),
                  server->connections.get(), server->limits()),
        server_(server),
        queue_(queue) {
    server_->operations.RequestGetSchema(
        &context_, &request_bytes_, &responder_, queue_, queue_, &main_tag_);
  }

 private:
  void PostNext() override { new GetSchemaCall(server_, queue_); }
  void Handle() override {
    if (const absl::Status s = Parse(); !s.ok()) {
      Finish(s);
      return;
    }
    EncodeSchema(*server_->rooms.revision(), response_);
    response_->set_request_bytes_max(server_->options.receive_bytes_max);
    response_->set_events_per_request_max(
        server_->options.events_per_request_max);
    Finish(absl::OkStatus());
  }

  CallContext* const server_;
  grpc::ServerCompletionQueue* const queue_;
};

}  // namespace

struct Server::Rep {
  CallContext context;
  std::unique_ptr<Acceptor> acceptor;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> core_door;
  std::unique_ptr<grpc::Server> server;
  std::vector<std::thread> threads;
  bool shut_down = false;

  void Configure(grpc::ServerBuilder* builder);
  void StartThreads();
  void Post(Poller* poller);
  void Poll(size_t index);
  // Waits until `done`, at most so long. Returns: whether it is.
  bool WaitFor(base::Duration at_most, const std::function<bool()>& done) const;
  void ShutdownCore(gpr_timespec deadline);
};

void Server::Rep::Configure(grpc::ServerBuilder* builder) {
  const ServerOptions& o = context.options;
  // Our own limits refuse with INVALID_ARGUMENT (MessageLimits). gRPC's would
  // save no memory: it holds a message whole before it looks at its size; what
  // bounds that is the quota.
  builder->SetMaxReceiveMessageSize(static_cast<int>(
      std::min<uint32_t>(std::max(o.receive_bytes_max, o.memory_quota_bytes),
                         std::numeric_limits<int>::max())));
  builder->SetMaxSendMessageSize(-1);
  builder->SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder->SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  const std::pair<const char*, int> arguments[] = {
      // A bomb would inflate before its size is checked.
      {GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0},
      {GRPC_ARG_MAX_CONCURRENT_STREAMS,
       static_cast<int>(o.streams_per_connection_max)},
      {GRPC_ARG_KEEPALIVE_TIME_MS, 60'000},
      {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000},
      {GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1},
      {GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 30'000},
      {GRPC_ARG_MAX_CONNECTION_IDLE_MS, Millis(o.connection_idle_max)},
      {GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, Millis(o.handshake_max)},
      {GRPC_ARG_MAX_METADATA_SIZE,
       kCoreMetadataFactor *
           static_cast<int>(o.connections.connection.metadata_bytes_max)},
  };
  for (const auto& [name, value] : arguments) {
    builder->AddChannelArgument(name, value);
  }
  if (o.connection_age_max > base::Duration::zero()) {
    builder->AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS,
                                Millis(o.connection_age_max));
    builder->AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS,
                                kAgeGraceMs);
  }
  grpc::ResourceQuota quota("freshlined");
  quota.Resize(o.memory_quota_bytes);
  builder->SetResourceQuota(quota);
  builder->RegisterService(&context.features);
  builder->RegisterService(&context.operations);
  context.health.Register(builder);
  core_door = builder->experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      grpc::InsecureServerCredentials());
  for (uint32_t i = 0; i < o.pollers; ++i) {
    context.pollers.push_back(std::make_unique<Poller>(
        context.rooms.clock, builder->AddCompletionQueue()));
  }
}

// Returns when every thread has been told its class: the status, which reads
// the list, cannot be asked before.
void Server::Rep::StartThreads() {
  for (size_t i = 0; i < context.pollers.size(); ++i) {
    context.threads.push_back({absl::StrCat("poller-", i),
                               base::SchedClass::kNormal,
                               context.options.poller_class});
  }
  context.intake = std::make_unique<Intake>(context.options.intake_bytes_max);
  for (size_t i = 0; i < context.pollers.size(); ++i) {
    threads.emplace_back([this, i] { Poll(i); });
  }
  const auto all = static_cast<uint32_t>(context.pollers.size());
  for (uint32_t ready = 0; ready < all; ready = context.threads_ready) {
    context.threads_ready.wait(ready);
  }
  context.threads.push_back({"intake", context.intake->sched_class()});
  context.threads.push_back({"acceptor", base::SchedClass::kNormal});
  acceptor->Start([this](int listener_fd, int fd) {
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters
        connection;
    connection.listener_fd = listener_fd;
    connection.fd = fd;
    core_door->HandleNewConnection(&connection);
  });
}

void Server::Rep::Post(Poller* poller) {
  for (int i = 0; i < kPostedCalls; ++i) {
    new GetFeaturesCall(&context, poller);
    new PushEventsCall(&context, poller);
  }
  new ReportOutcomeCall(&context, poller);
  new GetStatusCall(&context, poller->queue());
  new GetSchemaCall(&context, poller->queue());
  context.health.Post(poller->queue(), context.connections.get());
}

void Server::Rep::Poll(size_t index) {
  ServingThread& self = context.threads[index];
  base::PrepareThread(self.name, /*punctual=*/true);
  self.sched_class = base::SetOwnSchedClass(context.options.poller_class);
  context.threads_ready.fetch_add(1);
  context.threads_ready.notify_all();
  context.pollers[index]->Run();
}

Server::Server(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(ServerOptions options,
                                                      Rooms rooms) {
  auto rep = std::make_unique<Rep>();
  // gRPC's locks are Abseil's, which the distribution built with a search for
  // deadlocks in every one of them.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  rep->context.options = std::move(options);
  rep->context.rooms = std::move(rooms);
  if (rep->context.options.reflection) {
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  }
  ServerOptions& o = rep->context.options;
  o.connections.connection.calls_max =
      kCallsPerStream * o.streams_per_connection_max;
  o.connections.connection.all_calls_max =
      o.requests_in_flight_max + o.requests_in_flight_max / kCallsNotInFlight;
  o.connections.connection.frames.header_block_bytes_max =
      2 * kCoreMetadataFactor * o.connections.connection.metadata_bytes_max;
  rep->context.connections =
      std::make_unique<Connections>(o.connections, *rep->context.rooms.clock);
  FRESHLINE_ASSIGN_OR_RETURN(rep->acceptor,
                             Acceptor::Open(o.listen, *rep->context.rooms.clock,
                                            rep->context.connections.get()));
  grpc::ServerBuilder builder;
  rep->Configure(&builder);
  rep->server = builder.BuildAndStart();
  FRESHLINE_CHECK(rep->server != nullptr);
  for (const auto& poller : rep->context.pollers) rep->Post(poller.get());
  rep->StartThreads();
  rep->context.health.SetServing(true);
  return std::unique_ptr<Server>(new Server(std::move(rep)));
}

ServerReport Server::report() const { return rep_->context.Report(); }

int Server::port(size_t i) const { return rep_->acceptor->port(i); }

void Server::BeginDrain() {
  rep_->context.health.SetServing(false);
  rep_->context.draining = true;
}

base::MonoTime Server::last_activity() const {
  const CallContext& context = rep_->context;
  return context.intake->idle()
             ? context.last_call.load(std::memory_order_relaxed)
             : context.rooms.clock->Now();
}

bool Server::Rep::WaitFor(base::Duration at_most,
                          const std::function<bool()>& done) const {
  const base::Clock& clock = *context.rooms.clock;
  base::EventFdWaker pause(clock);
  const base::MonoTime until = clock.Now() + at_most;
  while (!done()) {
    if (clock.Now() >= until) return false;
    pause.WaitUntil(clock.Now() + kWaitStep);
  }
  return true;
}

// gRPC waits until every answer is written, and one that stands in a socket
// whose reader has stopped never is.
void Server::Rep::ShutdownCore(gpr_timespec deadline) {
  const base::Clock& clock = *context.rooms.clock;
  base::EventFdWaker wake(clock);
  std::atomic<bool> done = false;
  std::thread ending([&] {
    const base::MonoTime until = clock.Now() + kEndWait;
    while (!done && clock.Now() < until) wake.WaitUntil(until);
    if (!done) context.connections->EndAll();
  });
  server->Shutdown(deadline);
  done = true;
  wake.Wake();
  ending.join();
}

void Server::Shutdown(base::Duration timeout) {
  if (rep_->shut_down) return;
  rep_->shut_down = true;
  CallContext& context = rep_->context;
  rep_->acceptor->Stop();
  // What it runs finishes calls.
  context.intake->Stop();
  rep_->WaitFor(timeout, [&] { return context.unanswered == 0; });
  context.health.EndWatches();
  rep_->WaitFor(std::min(timeout, kReadWaitMax),
                [&] { return context.connections->answer_bytes() == 0; });
  // What is left waits for nothing of ours: other streams, calls that were
  // opened and never sent, clients that do not read.
  const gpr_timespec deadline =
      gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                   gpr_time_from_nanos(std::min(timeout, kGoAwayWait).count(),
                                       GPR_TIMESPAN));
  rep_->ShutdownCore(deadline);
  for (const auto& poller : rep_->context.pollers) poller->queue()->Shutdown();
  for (std::thread& thread : rep_->threads) thread.join();
}

Server::~Server() {
  Shutdown(std::chrono::seconds(1));
  rep_->server.reset();
  Connections* connections = rep_->context.connections.get();
  if (!rep_->WaitFor(kCloseWaitMax, [&] { return connections->open() == 0; })) {
    // Whoever closes the rest still tells it.
    static_cast<void>(rep_->context.connections.release());
  }
}

}  // namespace freshline::rpc
