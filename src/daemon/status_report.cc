// SPDX-License-Identifier: Apache-2.0
#include "daemon/status_report.h"

#include "freshline/v1/feature_store.pb.h"
#include "version/version.h"

namespace freshline::daemon {
namespace {

int64_t Micros(base::Duration d) { return d.count() / 1000; }

std::string Text(absl::string_view view) { return std::string(view); }

void FillQueries(const StatusSources& from, v1::GetStatusResponse* out) {
  const serve::QueryCounters counters = from.features->Counters();
  const execute::DispatcherStats stats = from.dispatcher->Stats();
  v1::QueryCounters* queries = out->mutable_queries();
  queries->set_answered(counters.answered);
  queries->set_errors(counters.errors);
  queries->set_cancelled(stats.cancelled);
  queries->set_late(stats.late);
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
}

void FillScheduler(const StatusSources& from, v1::GetStatusResponse* out) {
  const execute::DispatcherStats stats = from.dispatcher->Stats();
  v1::SchedulerStatus* scheduler = out->mutable_scheduler();
  scheduler->set_workers_usable(from.workers);
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
  scheduler->set_overshoot_us_p999(Micros(stats.overshoot_p999));
  scheduler->set_decision_ns_p50(stats.decision_ns_p50);
  scheduler->set_decision_ns_p99(stats.decision_ns_p99);
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
    if (g.calibration.runs > 0) {
      status->set_p99_coverage(static_cast<double>(g.calibration.within_p99) /
                               static_cast<double>(g.calibration.runs));
    }
  }
}

}  // namespace

void FillStatus(const StatusSources& from, v1::GetStatusResponse* out) {
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
  for (const auto& [name, sched_class] : from.threads) {
    v1::ThreadStatus* thread = out->add_threads();
    thread->set_name(name);
    thread->set_sched_class(sched_class);
  }
}

}  // namespace freshline::daemon
