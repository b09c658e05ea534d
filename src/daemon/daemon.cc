// SPDX-License-Identifier: Apache-2.0
#include "daemon/daemon.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/jump_proof_clock.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "base/thread.h"
#include "base/waker.h"
#include "daemon/concerns.h"
#include "daemon/decision_log_header.h"
#include "daemon/housekeeper.h"
#include "daemon/named_files.h"
#include "daemon/status_report.h"
#include "estimate/estimator.h"
#include "execute/dispatcher.h"
#include "execute/fan_out.h"
#include "execute/profile.h"
#include "execute/row_assessor.h"
#include "execute/thread_worker_pool.h"
#include "featurize/functions.h"
#include "http2/connections.h"
#include "ingest/ingest.h"
#include "outcome/outcome_book.h"
#include "record/decision_log_writer.h"
#include "registry/validate.h"
#include "rpc/server.h"
#include "schedule/policies.h"
#include "schedule/recorder.h"
#include "serve/change_router.h"
#include "serve/feature_server.h"
#include "staleness/metric_set.h"
#include "table/table.h"

namespace freshline::daemon {
namespace {

using registry::FeatureGroup;
using registry::Revision;

// The rooms that come from the definitions.
struct Definitions {
  std::shared_ptr<const Revision> revision;
  featurize::ItemTables tables;
  execute::FunctionSet functions;
  execute::FunctionSet approximations;
  staleness::MetricSet metrics;
};

absl::StatusOr<Definitions> LoadAll(const DaemonConfig& config) {
  Definitions d;
  FRESHLINE_RETURN_IF_ERROR(CheckDefinitionFiles(config));
  FRESHLINE_ASSIGN_OR_RETURN(d.revision,
                             registry::LoadDefinitions(config.definitions));
  FRESHLINE_ASSIGN_OR_RETURN(d.tables, featurize::ItemTables::Open(
                                           *d.revision, config.item_table_dir));
  for (const FeatureGroup& group : d.revision->groups()) {
    FRESHLINE_ASSIGN_OR_RETURN(
        std::unique_ptr<featurize::FeatureFunction> function,
        featurize::MakeFunction(*d.revision, group.id, d.tables));
    d.functions.push_back(std::move(function));
    FRESHLINE_ASSIGN_OR_RETURN(
        std::unique_ptr<featurize::FeatureFunction> approximation,
        featurize::MakeApproximation(*d.revision, group.id, d.tables));
    d.approximations.push_back(std::move(approximation));
  }
  FRESHLINE_ASSIGN_OR_RETURN(
      d.metrics, staleness::MakeMetrics(*d.revision, config.item_table_dir));
  for (const std::string& doubt : staleness::Doubts(*d.revision, d.metrics)) {
    spdlog::warn("{}", doubt);
  }
  return d;
}

absl::StatusOr<schedule::PolicyConfig> PolicyOf(
    const SchedulerConfig& config, const EstimatorConfig& estimator,
    const schedule::PolicyCatalogue& catalogue) {
  FRESHLINE_ASSIGN_OR_RETURN(schedule::PolicyConfig policy,
                             catalogue.Find(config.policy));
  policy.background = policy.background && config.background;
  policy.tickets_max = config.tickets_max;
  policy.rows_max = config.tickets_max;
  policy.background_max = config.background_rows_max;
  policy.quarantine_failures = config.quarantine_failures;
  policy.backoff_min = config.failure_backoff;
  policy.probe_interval = estimator.probe_interval;
  FRESHLINE_RETURN_IF_ERROR(schedule::ValidatePolicyConfig(policy));
  return policy;
}

std::vector<schedule::GroupTraits> TraitsOf(const Revision& revision,
                                            uint32_t batch_max) {
  std::vector<schedule::GroupTraits> traits;
  for (const FeatureGroup& group : revision.groups()) {
    traits.push_back({std::min(group.batch_max, batch_max)});
  }
  return traits;
}

std::vector<schedule::FlowTraits> FlowsOf(const Revision& revision) {
  std::vector<schedule::FlowTraits> flows;
  for (const registry::FeatureService& service : revision.services()) {
    flows.push_back({service.weight});
  }
  return flows;
}

std::vector<base::Duration> SloOfFlow(const Revision& revision) {
  std::vector<base::Duration> slos;
  for (const registry::FeatureService& service : revision.services()) {
    slos.push_back(service.plan->slo);
  }
  slos.push_back(revision.adhoc_slo());
  return slos;
}

estimate::Estimator::Options EstimatorOptions(const DaemonConfig& config) {
  estimate::Estimator::Options options;
  options.half_life_runs = config.estimator.half_life_runs;
  return options;
}

// Descriptors that connections leave to everything else.
constexpr int kOwnDescriptors = 16;

void SetConnectionOptions(const RpcConfig& config, rpc::ServerOptions* out) {
  http2::Connections::Limits& limits = out->connections;
  limits.open_max = config.connections_max;
  limits.per_address_max = config.connections_per_address_max;
  limits.descriptor_max = http2::DescriptorsMax(kOwnDescriptors);
  limits.connection.answer_bytes_max = config.unread_bytes_per_connection_max;
  limits.connection.all_answer_bytes_max = config.unread_bytes_max;
  limits.connection.unread_max = config.unread_max;
  limits.connection.metadata_bytes_max = config.metadata_bytes_max;
  out->handshake_max = config.handshake_max;
  out->connection_idle_max = config.connection_idle_max;
  out->connection_age_max = config.connection_age_max;
}

// What an inline group is taken to cost before it has run.
constexpr base::Duration kInlinePrior = std::chrono::microseconds(10);

// A drain ends when no call has come for so long, or when it has waited so long
// for that.
constexpr base::Duration kQuiet = std::chrono::milliseconds(50);
constexpr base::Duration kQuietWaitMax = std::chrono::seconds(1);

}  // namespace

// Members stand bottom-up: destruction runs top-down.
struct Daemon::Rep {
  Rep(const DaemonConfig& daemon_config, Definitions defs,
      const schedule::PolicyConfig& choices)
      : config(daemon_config),
        definitions(std::move(defs)),
        waker(clock),
        table_options{config.table.keys_max, config.table.bytes_max,
                      config.table.shards},
        table(definitions.revision, table_options),
        scratch(definitions.functions),
        inline_costs(definitions.functions.size(), kInlinePrior),
        approximate_scratch(definitions.approximations),
        approximate_costs(definitions.approximations.size(), kInlinePrior),
        estimator(EstimatorOptions(config)),
        policy_config(choices),
        policy(schedule::MakePolicy(
            choices, &estimator,
            TraitsOf(*definitions.revision, config.scheduler.batch_max),
            FlowsOf(*definitions.revision))) {}

  absl::Status OpenDecisionLog();
  // What the dispatcher drives.
  schedule::Policy* driven() {
    return recorder != nullptr ? recorder.get() : policy.get();
  }
  absl::Status Profile();
  void MakeRooms();
  absl::Status StartServer();
  // What the clients and the scripts need to know.
  absl::Status Announce() const;
  void AddThreads(base::SchedClass dispatcher_class);
  void Report(const rpc::ServerReport& server, v1::GetStatusResponse* out);
  // Logs what has come or gone of what is not as it should be.
  void LogConcerns();
  void AwaitQuiet() const;

  const DaemonConfig config;
  const base::JumpProofClock clock{base::Clock::Real()};
  const base::MonoTime started = clock.Now();
  Definitions definitions;
  base::EventFdWaker waker;
  const table::TableOptions table_options;
  table::Table table;
  execute::ScratchPool scratch;
  estimate::InlineCosts inline_costs;
  execute::ScratchPool approximate_scratch;
  estimate::InlineCosts approximate_costs;
  estimate::Estimator estimator;
  const schedule::PolicyConfig policy_config;
  std::unique_ptr<schedule::Policy> policy;
  std::unique_ptr<record::DecisionLogWriter> decision_log;
  std::unique_ptr<schedule::PolicyRecorder> recorder;
  std::unique_ptr<serve::ChangeRouter> router;
  std::unique_ptr<ingest::EventIngest> ingest;
  std::unique_ptr<execute::ThreadWorkerPool> workers;
  std::unique_ptr<execute::Dispatcher> dispatcher;
  std::unique_ptr<outcome::OutcomeBook> outcomes;
  std::unique_ptr<serve::FeatureServer> features;
  // Its threads use the feature server, so it ends first.
  std::unique_ptr<execute::ThreadFanOut> fan_out;
  std::unique_ptr<Housekeeper> housekeeper;
  StatusSources status;
  Concerns concerns;
  ConcernChanges concern_changes;  // of the housekeeper's thread
  std::thread dispatcher_thread;
  std::unique_ptr<rpc::Server> server;
  std::atomic<bool> hurry{false};
};

absl::Status Daemon::Rep::OpenDecisionLog() {
  if (config.decision_log.path.empty()) return absl::OkStatus();
  FRESHLINE_ASSIGN_OR_RETURN(
      const record::v1::Header header,
      DecisionLogHeader(config, *definitions.revision, definitions.tables,
                        policy_config, clock.WallNowMicros()));
  auto opened = record::DecisionLogWriter::Open(
      config.decision_log.path, config.decision_log.bytes_max, header);
  if (!opened.ok()) {
    return absl::Status(
        opened.status().code(),
        config.origin.At("decision_log.path", opened.status().message()));
  }
  decision_log = *std::move(opened);
  recorder = std::make_unique<schedule::PolicyRecorder>(policy.get(),
                                                        decision_log.get());
  // Before the profile: a replay begins with what the estimator begins with.
  recorder->ListenTo(&estimator);
  spdlog::info("decisions are logged to {}, up to {} bytes",
               config.decision_log.path, config.decision_log.bytes_max);
  return absl::OkStatus();
}

absl::Status Daemon::Rep::Profile() {
  const Revision& revision = *definitions.revision;
  for (const FeatureGroup& group : revision.groups()) {
    const auto& function = *definitions.functions[base::ToInt(group.id)];
    FRESHLINE_RETURN_IF_ERROR(execute::ProfileGroup(
        group, revision.sources()[group.source], function,
        definitions.tables.SamplerOf(group),
        {config.estimator.profile_runs, config.scheduler.batch_max,
         /*seed=*/1},
        clock, &estimator, &inline_costs));
    if (execute::IsMadeAnew(group, function)) continue;
    spdlog::info("profiled {}: a row of one scan takes {:.2f} ms on average",
                 group.name,
                 base::ToMillis(estimator.Mean({group.id, 1, 1}, 1)));
  }
  return absl::OkStatus();
}

void Daemon::Rep::MakeRooms() {
  const std::shared_ptr<const Revision>& revision = definitions.revision;
  const SchedulerConfig& s = config.scheduler;
  router = std::make_unique<serve::ChangeRouter>(serve::ChangeRouter::Rooms{
      &clock, revision, &table, &definitions.functions, &definitions.metrics,
      &scratch, &inline_costs, s.inline_cost_max});
  ingest::EventIngest::Options ingest_options;
  ingest_options.future_us_max = config.ingest.future_max.count() / 1000;
  ingest_options.producers_max = config.ingest.producers_max;
  ingest = std::make_unique<ingest::EventIngest>(revision, &table, &clock,
                                                 ingest_options, router.get());
  workers = std::make_unique<execute::ThreadWorkerPool>(
      execute::ThreadWorkerPool::Options{s.workers, s.batch_max,
                                         s.workers_idle_class
                                             ? base::SchedClass::kIdle
                                             : base::SchedClass::kNormal},
      definitions.functions, clock, &waker);
  std::vector<uint32_t> source_of_group;
  for (const FeatureGroup& g : revision->groups()) {
    source_of_group.push_back(g.source);
  }
  execute::Dispatcher::Options options;
  options.guard.floor = s.guard_floor;
  options.guard.overshoot_max = s.guard_overshoot_max;
  options.guard.violation_budget = s.violation_budget_ppm / 1e6;
  options.hang = {static_cast<double>(s.hang_factor), s.hang_floor};
  options.reprofile.after = config.estimator.reprofile_after;
  options.inbox_max = s.tickets_max;
  dispatcher = std::make_unique<execute::Dispatcher>(
      options, execute::Dispatcher::Rooms{
                   &clock, &waker, &table, &definitions.functions, &estimator,
                   driven(), workers.get(), &inline_costs,
                   std::move(source_of_group), SloOfFlow(*revision)});
  router->Connect(dispatcher.get());
  outcomes = std::make_unique<outcome::OutcomeBook>(
      outcome::OutcomeOptions{config.outcomes.answers_max,
                              config.outcomes.per_second_max},
      outcome::OutcomeBook::Rooms{&clock, revision, &table,
                                  &definitions.metrics});
  fan_out =
      std::make_unique<execute::ThreadFanOut>(s.fan_out_threads, s.tickets_max);
  serve::FeatureServer::Rooms rooms{
      .clock = &clock,
      .revision = revision,
      .table = &table,
      .ingest = ingest.get(),
      .metrics = &definitions.metrics,
      .full = {&definitions.functions, &scratch, &inline_costs},
      .approximate = std::nullopt,
      .dispatcher = dispatcher.get(),
      .fan_out = fan_out.get(),
      .outcomes = outcomes.get()};
  if (s.approximate) {
    rooms.approximate = {&definitions.approximations, &approximate_scratch,
                         &approximate_costs};
  }
  features = std::make_unique<serve::FeatureServer>(
      serve::FeatureServer::Options{config.rpc.rows_per_request_max,
                                    s.inline_cost_max,
                                    config.rpc.send_bytes_max},
      std::move(rooms));
}

absl::Status Daemon::Rep::StartServer() {
  rpc::ServerOptions options;
  for (const ListenAddress& address : config.listen) {
    options.listen.push_back(FormatListenAddress(address));
  }
  options.pollers = config.rpc.pollers;
  options.poller_class = config.rpc.poller_realtime
                             ? base::SchedClass::kRealtime
                             : base::SchedClass::kNormal;
  options.receive_bytes_max = config.rpc.receive_bytes_max;
  options.send_bytes_max = config.rpc.send_bytes_max;
  options.streams_per_connection_max = config.rpc.streams_per_connection_max;
  options.requests_in_flight_max = config.rpc.requests_in_flight_max;
  options.events_per_request_max = config.rpc.events_per_request_max;
  options.poller_request_bytes_max = config.rpc.poller_request_bytes_max;
  options.intake_bytes_max = config.rpc.intake_bytes_max;
  options.memory_quota_bytes = config.rpc.memory_quota_bytes;
  options.reflection = config.rpc.reflection;
  SetConnectionOptions(config.rpc, &options);
  FRESHLINE_ASSIGN_OR_RETURN(
      server, rpc::Server::Start(
                  std::move(options),
                  {&clock, features.get(), ingest.get(), outcomes.get(),
                   [this](const rpc::ServerReport& report,
                          v1::GetStatusResponse* out) { Report(report, out); },
                   [this] { return definitions.revision; }}));
  return absl::OkStatus();
}

absl::Status Daemon::Rep::Announce() const {
  for (const rpc::ServingThread& thread : server->report().threads) {
    spdlog::info("thread {} runs as {}", thread.name,
                 std::string(base::SchedClassName(thread.sched_class)));
  }
  for (size_t i = 0; i < config.listen.size(); ++i) {
    ListenAddress bound = config.listen[i];
    if (!bound.is_unix()) bound.port = static_cast<uint16_t>(server->port(i));
    spdlog::info("listening on {}", FormatListenAddress(bound));
  }
  return WritePortFile(config, server->port(0));
}

void Daemon::Rep::AddThreads(base::SchedClass dispatcher_class) {
  const SchedulerConfig& s = config.scheduler;
  status.threads.push_back({"dispatcher", dispatcher_class,
                            s.dispatcher_realtime
                                ? base::SchedClass::kRealtimeHigh
                                : base::SchedClass::kNormal});
  for (uint32_t i = 0; i < workers->size(); ++i) {
    status.threads.push_back(
        {absl::StrCat("worker-", i), workers->sched_class(i)});
  }
  for (const rpc::ServingThread& thread : status.threads) {
    spdlog::info("thread {} runs as {}", thread.name,
                 std::string(base::SchedClassName(thread.sched_class)));
  }
}

void Daemon::Rep::Report(const rpc::ServerReport& report,
                         v1::GetStatusResponse* out) {
  FillStatus(status, report, out);
  for (Concerns::Concern& concern : concerns.Look(*out, clock.Now())) {
    out->add_degraded(std::move(concern.sentence));
  }
}

void Daemon::Rep::LogConcerns() {
  v1::GetStatusResponse now;
  FillStatus(status, server->report(), &now);
  const ConcernChanges::Changes changes =
      concern_changes.Since(concerns.Look(now, clock.Now()));
  for (const std::string& sentence : changes.came) spdlog::warn("{}", sentence);
  for (const std::string& sentence : changes.went) {
    spdlog::info("over: {}", sentence);
  }
}

void Daemon::Rep::AwaitQuiet() const {
  base::MonoTime until = clock.Now() + config.rpc.drain_delay;
  // Whoever never stops calling must not hold up the end.
  const base::MonoTime last = until + kQuietWaitMax;
  while (!hurry) {
    until = std::clamp(server->last_activity() + kQuiet, until, last);
    const base::MonoTime now = clock.Now();
    if (now >= until) return;
    housekeeper->WaitAtMost(until - now, hurry);
  }
}

Daemon::Daemon(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}

absl::StatusOr<std::unique_ptr<Daemon>> Daemon::Start(
    const DaemonConfig& config, const schedule::PolicyCatalogue& catalogue,
    const log::AsyncLog* log) {
  FRESHLINE_RETURN_IF_ERROR(CheckOutputFiles(config));
  if (config.off_loopback()) {
    spdlog::warn(
        "plaintext off loopback: anyone who can reach this address can read "
        "and write every feature");
  }
  FRESHLINE_ASSIGN_OR_RETURN(Definitions definitions, LoadAll(config));
  FRESHLINE_ASSIGN_OR_RETURN(
      const schedule::PolicyConfig policy,
      PolicyOf(config.scheduler, config.estimator, catalogue));
  auto rep = std::make_unique<Rep>(config, std::move(definitions), policy);
  FRESHLINE_RETURN_IF_ERROR(rep->OpenDecisionLog());
  FRESHLINE_RETURN_IF_ERROR(rep->Profile());
  rep->MakeRooms();

  std::atomic<int> dispatcher_class{-1};
  rep->dispatcher_thread = std::thread([r = rep.get(), &dispatcher_class] {
    base::PrepareThread("dispatcher", /*punctual=*/true);
    const base::SchedClass granted =
        base::SetOwnSchedClass(r->config.scheduler.dispatcher_realtime
                                   ? base::SchedClass::kRealtimeHigh
                                   : base::SchedClass::kNormal);
    dispatcher_class = static_cast<int>(granted);
    dispatcher_class.notify_all();
    r->dispatcher->Run();
  });
  dispatcher_class.wait(-1);
  rep->status = {.clock = &rep->clock,
                 .started = rep->started,
                 .policy = policy.name,
                 .kernels = std::string(featurize::KernelName()),
                 .table_options = rep->table_options,
                 .revision = rep->definitions.revision.get(),
                 .metrics = &rep->definitions.metrics,
                 .table = &rep->table,
                 .ingest = rep->ingest.get(),
                 .features = rep->features.get(),
                 .dispatcher = rep->dispatcher.get(),
                 .workers = rep->workers.get(),
                 .outcomes = rep->outcomes.get(),
                 .decision_log = rep->decision_log.get(),
                 .log = log,
                 .memory = FindMemoryLimit(),
                 .threads = {}};
  rep->AddThreads(static_cast<base::SchedClass>(dispatcher_class.load()));

  auto daemon = std::unique_ptr<Daemon>(new Daemon(std::move(rep)));
  Rep& made = *daemon->rep_;
  FRESHLINE_RETURN_IF_ERROR(made.StartServer());
  made.housekeeper = std::make_unique<Housekeeper>(
      made.clock, &made.table, config.off_loopback(),
      [&made] { made.LogConcerns(); });
  FRESHLINE_RETURN_IF_ERROR(made.Announce());
  return daemon;
}

int Daemon::port(size_t i) const { return rep_->server->port(i); }

void Daemon::Drain(bool hurry) {
  if (hurry) {
    rep_->hurry = true;
    rep_->hurry.notify_all();
    return;
  }
  rep_->server->BeginDrain();
  rep_->AwaitQuiet();
  // Waiting tickets end by their deadlines; the dispatcher stops after them.
  rep_->dispatcher->Stop();
  rep_->dispatcher_thread.join();
  rep_->server->Shutdown(rep_->hurry ? base::Duration::zero()
                                     : rep_->config.rpc.drain_timeout);
}

uint32_t Daemon::StopWorkers(base::Duration patience) {
  return rep_->workers->Stop(patience);
}

void Daemon::CloseFiles() {
  rep_->housekeeper.reset();  // it looks at the log
  rep_->status.decision_log = nullptr;
  rep_->decision_log.reset();
}

Daemon::~Daemon() {
  if (rep_->server != nullptr) rep_->server->Shutdown(std::chrono::seconds(1));
  if (rep_->dispatcher_thread.joinable()) {
    rep_->dispatcher->Stop();
    rep_->dispatcher_thread.join();
  }
  rep_->housekeeper.reset();
}

absl::Status CheckConfig(const DaemonConfig& config,
                         const schedule::PolicyCatalogue& catalogue) {
  FRESHLINE_RETURN_IF_ERROR(LoadAll(config).status());
  FRESHLINE_RETURN_IF_ERROR(CheckOutputFiles(config));
  return PolicyOf(config.scheduler, config.estimator, catalogue).status();
}

}  // namespace freshline::daemon
