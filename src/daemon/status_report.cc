// SPDX-License-Identifier: Apache-2.0
#include "daemon/status_report.h"

#include <unistd.h>

#include <fstream>

#include "base/check.h"
#include "base/thread.h"
#include "freshline/v1/feature_store.pb.h"
#include "freshline/v1/registry.pb.h"
#include "version/version.h"

namespace freshline::daemon {
namespace {

int64_t Micros(base::Duration d) { return d.count() / 1000; }

std::string Text(absl::string_view view) { return std::string(view); }

uint64_t ResidentBytes() {
  uint64_t total_pages = 0;
  uint64_t resident_pages = 0;
  std::ifstream("/proc/self/statm") >> total_pages >> resident_pages;
  return resident_pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

void FillQueries(const StatusSources& from, v1::GetStatusResponse* out) {
  const serve::QueryCounters counters = from.features->Counters();
  const execute::DispatcherStats stats = from.dispatcher->Stats();
  v1::QueryCounters* queries = out->mutable_queries();
  queries->set_answered(counters.answered);
  queries->set_cancelled(stats.cancelled);
  queries->set_late(counters.late);
  for (size_t i = 1; i < counters.rows_by_obtained.size(); ++i) {
    (*queries->mutable_rows_by_obtained())[v1::Obtained_Name(
        static_cast<v1::Obtained>(i))] = counters.rows_by_obtained[i];
  }
}

void FillEvents(const StatusSources& from, v1::GetStatusResponse* out) {
  const ingest::IngestCounters counters = from.ingest->Counters();
  v1::EventCounters* events = out->mutable_events();
  auto& by_status = *events->mutable_by_status();
  by_status["ACCEPTED"] = counters.accepted;
  by_status["DUPLICATE"] = counters.duplicate;
  by_status["LATE"] = counters.late;
  by_status["FUTURE"] = counters.future;
  by_status["EXHAUSTED"] = counters.exhausted;
  events->set_producers_evicted(counters.producers_evicted);
  events->set_newest_sequence(from.table->newest_sequence());
  events->set_requests_refused(counters.requests_refused);
  events->set_outside_window(counters.outside_window);
}

void FillScheduler(const StatusSources& from, v1::GetStatusResponse* out) {
  const execute::DispatcherStats stats = from.dispatcher->Stats();
  v1::SchedulerStatus* scheduler = out->mutable_scheduler();
  scheduler->set_workers_usable(stats.workers_usable);
  scheduler->set_workers_busy(stats.workers_busy);
  scheduler->set_tickets_waiting(stats.policy.tickets_waiting);
  scheduler->set_jobs_queued(stats.policy.rows_queued);
  scheduler->set_tickets_refused_full(stats.tickets_refused_full);
  scheduler->set_needs_shed(stats.policy.needs_shed);
  scheduler->set_jobs_started(stats.policy.jobs_started);
  scheduler->set_rows_computed(stats.rows_computed);
  scheduler->set_rows_wasted(stats.rows_wasted);
  scheduler->set_background_rows(stats.policy.background_rows);
  scheduler->set_probes(stats.policy.probes);
  scheduler->set_guard_us(Micros(stats.guard));
  scheduler->set_overshoot_us(Micros(stats.overshoot));
  scheduler->set_decision_ns_p50(stats.decision_ns_p50);
  scheduler->set_decision_ns_p99(stats.decision_ns_p99);
  scheduler->set_workers_hung(stats.workers_hung);
  scheduler->set_spares_left(stats.spares_left);
  scheduler->set_runs_hung(stats.runs_hung);
  scheduler->set_rows_refused(stats.rows_refused);
  scheduler->set_reprofiles(stats.reprofiles);
  scheduler->set_price(stats.policy.price);
  scheduler->set_tickets_refused_policy(stats.policy.tickets_refused);
  scheduler->set_rows_refused_full(stats.policy.rows_refused);
  scheduler->set_jobs_failed(stats.policy.jobs_failed);
  scheduler->set_stalls(stats.stalls);
  scheduler->set_runs_starved(stats.runs_starved);
  scheduler->set_runs_relieved(from.workers->relieved());
  scheduler->set_relief_refused(from.workers->relief_refused());
}

void FillTable(const StatusSources& from, v1::GetStatusResponse* out) {
  const table::TableStats stats = from.table->Stats();
  v1::TableStatus* table = out->mutable_table();
  table->set_keys(stats.keys);
  table->set_bytes(stats.bytes);
  table->set_keys_max(from.table_options.keys_max);
  table->set_bytes_max(from.table_options.bytes_max);
  table->set_keys_expired(stats.keys_expired);
  table->set_events_stored(stats.events);
  table->set_appends_refused(stats.appends_refused);
}

void FillFeaturizers(const StatusSources& from, v1::GetStatusResponse* out) {
  for (const execute::GroupRunStats& g : from.dispatcher->GroupStats()) {
    v1::FeaturizerStatus* status = out->add_featurizers();
    status->set_group(from.revision->group(g.group).name);
    status->set_runs(g.calibration.runs);
    status->set_failures(g.failures);
    status->set_predicted_mean_us(Micros(g.calibration.predicted_mean));
    status->set_predicted_p99_us(Micros(g.calibration.predicted_p99));
    status->set_actual_us_p50(Micros(g.actual_p50));
    status->set_actual_us_p99(Micros(g.actual_p99));
    status->set_hung(g.hung);
    status->set_disabled(g.disabled);
    status->set_quarantined(g.quarantined);
    if (g.calibration.runs > 0) {
      status->set_p99_coverage_recent(g.calibration.within_p99_decayed);
      status->set_tail_stretch(g.calibration.tail_stretch);
      status->set_p99_coverage(static_cast<double>(g.calibration.within_p99) /
                               static_cast<double>(g.calibration.runs));
    }
  }
}

void FillServices(const StatusSources& from, v1::GetStatusResponse* out) {
  const std::vector<execute::Guard::FlowState> flows =
      from.dispatcher->FlowStats();
  const std::vector<base::Duration> service =
      from.dispatcher->Stats().policy.flow_service;
  const auto& services = from.revision->services();
  for (size_t i = 0; i < flows.size(); ++i) {
    const execute::Guard::FlowState& flow = flows[i];
    v1::ServiceStatus* status = out->add_services();
    status->set_weight(1);
    if (i < services.size()) {
      status->set_service(services[i].name);
      status->set_weight(services[i].weight);
    }
    if (i < service.size()) status->set_worker_us(Micros(service[i]));
    status->set_guard_us(Micros(flow.guard));
    status->set_overshoot_us(Micros(flow.overshoot));
    status->set_overhead_us(Micros(flow.overhead));
    status->set_waited(flow.answers);
    status->set_late(flow.late);
    status->set_beyond_guard(flow.beyond_guard);
    status->set_overhead_reports(flow.overhead_reports);
    status->set_overhead_implausible(flow.overhead_implausible);
    status->set_overhead_bounded(flow.overhead_bounded);
    status->set_callers_reporting(flow.callers_reporting);
    status->set_callers_silent(flow.callers_silent);
    status->set_overhead_silent_us(Micros(flow.overhead_silent));
    status->set_overhead_reported_us(Micros(flow.overhead_reported));
  }
}

// By the definitions' own names of the kinds.
v1::StalenessMetric::Kind KindOf(registry::Staleness::Kind kind) {
  using Kind = registry::Staleness::Kind;
  switch (kind) {
    case Kind::kPendingShare:
      return v1::StalenessMetric::PENDING_SHARE;
    case Kind::kPendingEvents:
      return v1::StalenessMetric::PENDING_EVENTS;
    case Kind::kAge:
      return v1::StalenessMetric::AGE;
    case Kind::kValueCurve:
      return v1::StalenessMetric::VALUE_CURVE;
    case Kind::kExpression:
      return v1::StalenessMetric::EXPRESSION;
  }
  return v1::StalenessMetric::PENDING_SHARE;
}

void FillLoss(const outcome::GroupOutcomes::Mean& mean, v1::LossStatus* out) {
  out->set_outcomes(mean.outcomes);
  out->set_mean_loss(mean.loss);
}

void FillOutcomes(const StatusSources& from, v1::GetStatusResponse* out) {
  const outcome::OutcomeCounters counters = from.outcomes->Counters();
  v1::OutcomeCounters* outcomes = out->mutable_outcomes();
  auto& by_status = *outcomes->mutable_by_status();
  by_status["OUTCOME_ACCEPTED"] = counters.accepted;
  by_status["OUTCOME_UNKNOWN"] = counters.unknown;
  by_status["OUTCOME_REPEATED"] = counters.repeated;
  outcomes->set_refused(counters.refused);
  outcomes->set_answers_remembered(counters.answers);
}

void FillStaleness(const StatusSources& from, v1::GetStatusResponse* out) {
  const std::vector<outcome::GroupOutcomes> outcomes = from.outcomes->Groups();
  for (const registry::FeatureGroup& group : from.revision->groups()) {
    v1::StalenessStatus* status = out->add_staleness();
    status->set_group(group.name);
    status->set_metric(
        v1::StalenessMetric::Kind_Name(KindOf(group.staleness.kind)));
    status->set_expression_fallbacks(
        (*from.metrics)[base::ToInt(group.id)].fallbacks());
    const outcome::GroupOutcomes& losses = outcomes[base::ToInt(group.id)];
    FillLoss(losses.fresh, status->mutable_fresh());
    FillLoss(losses.stale, status->mutable_stale());
    FillLoss(losses.approximate, status->mutable_approximate());
  }
}

void FillDecisionLog(const StatusSources& from, v1::GetStatusResponse* out) {
  if (from.decision_log == nullptr) return;
  const record::DecisionLogWriter::Stats stats = from.decision_log->stats();
  v1::DecisionLogStatus* log = out->mutable_decision_log();
  log->set_bytes(stats.bytes);
  log->set_calls(stats.calls);
  log->set_dropped(stats.dropped);
  log->set_ended(stats.ended);
}

void FillRequests(const rpc::ServerReport& server, v1::GetStatusResponse* out) {
  if (server.counts == nullptr) return;
  for (size_t m = 0; m < rpc::kMethods; ++m) {
    v1::RequestCounters* requests = out->add_requests();
    requests->set_method(Text(rpc::kMethodNames[m]));
    uint64_t errors = 0;
    for (const auto& [code, count] : server.counts->by_method[m].All()) {
      (*requests->mutable_by_code())[absl::StatusCodeToString(code)] = count;
      if (code != absl::StatusCode::kOk) errors += count;
    }
    if (m == static_cast<size_t>(rpc::Method::kGetFeatures)) {
      out->mutable_queries()->set_errors(errors);
    }
  }
  for (size_t r = 0; r < rpc::kCallRefusals; ++r) {
    (*out->mutable_refused())[Text(rpc::kCallRefusalNames[r])] =
        server.counts->refused[r].load(std::memory_order_relaxed);
  }
}

void FillLog(const StatusSources& from, v1::GetStatusResponse* out) {
  if (from.log == nullptr) return;
  const log::LogStats stats = from.log->stats();
  v1::LogCounters* log = out->mutable_log();
  log->set_written(stats.written);
  log->set_lost(stats.lost);
  log->set_left_out(stats.left_out);
}

void FillClock(const StatusSources& from, v1::GetStatusResponse* out) {
  v1::ClockStatus* clock = out->mutable_clock();
  clock->set_jumps(from.clock->jumps());
  const auto jump = from.clock->PendingJump();
  if (!jump.has_value()) return;
  clock->set_pending_us(jump->by.count() / 1000);
  clock->set_pending_for_s((from.clock->Now() - jump->since).count() /
                           1'000'000'000);
}

void FillMemory(const StatusSources& from, v1::GetStatusResponse* out) {
  v1::MemoryStatus* memory = out->mutable_memory();
  memory->set_limit_bytes(from.memory.bytes);
  memory->set_limited_by(from.memory.by);
  memory->set_resident_bytes(ResidentBytes());
}

void AddThread(const rpc::ServingThread& from, v1::GetStatusResponse* out) {
  v1::ThreadStatus* thread = out->add_threads();
  thread->set_name(from.name);
  thread->set_sched_class(Text(base::SchedClassName(from.sched_class)));
  if (from.wanted == base::SchedClass::kRealtime ||
      from.wanted == base::SchedClass::kRealtimeHigh) {
    thread->set_wanted(Text(base::SchedClassName(from.wanted)));
  }
}

}  // namespace

void FillStatus(const StatusSources& from, const rpc::ServerReport& server,
                v1::GetStatusResponse* out) {
  out->set_version(Text(version::Version()));
  out->set_commit(Text(version::Commit()));
  out->set_build(Text(version::Build()));
  out->set_revision(from.revision->number());
  out->set_uptime_us(Micros(from.clock->Now() - from.started));
  out->set_policy(from.policy);
  out->set_kernels(from.kernels);
  FillQueries(from, out);
  FillEvents(from, out);
  FillScheduler(from, out);
  FillTable(from, out);
  FillFeaturizers(from, out);
  FillServices(from, out);
  FillStaleness(from, out);
  FillOutcomes(from, out);
  FillDecisionLog(from, out);
  FillRequests(server, out);
  FillLog(from, out);
  FillMemory(from, out);
  FillClock(from, out);
  out->set_bugs(base::BugCount());
  out->set_phase(server.draining ? v1::DRAINING : v1::SERVING);
  for (const rpc::ServingThread& thread : from.threads) AddThread(thread, out);
  for (const rpc::ServingThread& thread : server.threads) {
    AddThread(thread, out);
  }
}

}  // namespace freshline::daemon
