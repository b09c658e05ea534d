// SPDX-License-Identifier: Apache-2.0
#include <cstdint>

#include "daemon/config/config.h"
#include "freshline/config/v1/daemon.pb.h"
#include "google/protobuf/text_format.h"

namespace freshline::daemon {
namespace {

namespace v1 = freshline::config::v1;

uint32_t Micros(base::Duration d) {
  return static_cast<uint32_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(d).count());
}
uint32_t Millis(base::Duration d) {
  return static_cast<uint32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(d).count());
}

uint32_t Seconds(base::Duration d) {
  return static_cast<uint32_t>(
      std::chrono::duration_cast<std::chrono::seconds>(d).count());
}

void PrintScheduler(const SchedulerConfig& from, v1::Scheduler* out) {
  out->set_policy(from.policy);
  out->set_workers(from.workers);
  out->set_worker_class(from.workers_idle_class ? v1::Scheduler::IDLE
                                                : v1::Scheduler::NORMAL);
  out->set_dispatcher_realtime(from.dispatcher_realtime);
  out->set_guard_floor_us(Micros(from.guard_floor));
  out->set_guard_overshoot_max_us(Micros(from.guard_overshoot_max));
  out->set_tickets_max(from.tickets_max);
  out->set_background_rows_max(from.background_rows_max);
  out->set_background(from.background);
  out->set_approximate(from.approximate);
  out->set_batch_max(from.batch_max);
  out->set_inline_cost_us_max(Micros(from.inline_cost_max));
  out->set_fan_out_threads(from.fan_out_threads);
  out->set_quarantine_failures(from.quarantine_failures);
  out->set_failure_backoff_ms(Millis(from.failure_backoff));
  out->set_violation_budget_ppm(from.violation_budget_ppm);
  out->set_hang_factor(from.hang_factor);
  out->set_hang_floor_ms(Millis(from.hang_floor));
}

void PrintRpc(const RpcConfig& from, v1::Rpc* out) {
  out->set_pollers(from.pollers);
  out->set_receive_bytes_max(from.receive_bytes_max);
  out->set_send_bytes_max(from.send_bytes_max);
  out->set_streams_per_connection_max(from.streams_per_connection_max);
  out->set_requests_in_flight_max(from.requests_in_flight_max);
  out->set_rows_per_request_max(from.rows_per_request_max);
  out->set_events_per_request_max(from.events_per_request_max);
  out->set_drain_delay_ms(Millis(from.drain_delay));
  out->set_drain_timeout_ms(Millis(from.drain_timeout));
  out->set_memory_quota_bytes(from.memory_quota_bytes);
  out->set_reflection(from.reflection);
  out->set_poller_realtime(from.poller_realtime);
  out->set_poller_request_bytes_max(from.poller_request_bytes_max);
  out->set_intake_bytes_max(from.intake_bytes_max);
  out->set_connections_max(from.connections_max);
  out->set_connections_per_address_max(from.connections_per_address_max);
  out->set_handshake_ms_max(Millis(from.handshake_max));
  out->set_connection_idle_s_max(Seconds(from.connection_idle_max));
  out->set_connection_age_s_max(Seconds(from.connection_age_max));
  out->set_unread_bytes_per_connection_max(
      from.unread_bytes_per_connection_max);
  out->set_unread_bytes_max(from.unread_bytes_max);
  out->set_unread_ms_max(Millis(from.unread_max));
  out->set_metadata_bytes_max(from.metadata_bytes_max);
}

}  // namespace

std::string PrintConfig(const DaemonConfig& config) {
  v1::Daemon out;
  for (const ListenAddress& address : config.listen) {
    out.add_listen(FormatListenAddress(address));
  }
  out.set_allow_insecure_off_loopback(config.allow_insecure_off_loopback);
  out.set_port_file(config.port_file);
  for (const std::string& file : config.definitions) out.add_definitions(file);
  out.set_item_table_dir(config.item_table_dir);
  PrintScheduler(config.scheduler, out.mutable_scheduler());
  out.mutable_table()->set_keys_max(config.table.keys_max);
  out.mutable_table()->set_bytes_max(config.table.bytes_max);
  out.mutable_table()->set_shards(config.table.shards);
  PrintRpc(config.rpc, out.mutable_rpc());
  v1::Ingest* ingest = out.mutable_ingest();
  ingest->set_future_us_max(
      std::chrono::duration_cast<std::chrono::microseconds>(
          config.ingest.future_max)
          .count());
  ingest->set_producers_max(config.ingest.producers_max);
  v1::DecisionLog* log = out.mutable_decision_log();
  log->set_path(config.decision_log.path);
  log->set_bytes_max(config.decision_log.bytes_max);
  v1::Outcomes* outcomes = out.mutable_outcomes();
  outcomes->set_answers_max(config.outcomes.answers_max);
  outcomes->set_per_second_max(config.outcomes.per_second_max);
  v1::Estimator* estimator = out.mutable_estimator();
  estimator->set_profile_runs(config.estimator.profile_runs);
  estimator->set_half_life_runs(config.estimator.half_life_runs);
  estimator->set_probe_interval_ms(Millis(config.estimator.probe_interval));
  estimator->set_reprofile_after_s(Millis(config.estimator.reprofile_after) /
                                   1000);

  google::protobuf::TextFormat::Printer printer;
  printer.SetUseUtf8StringEscaping(true);
  std::string text;
  printer.PrintToString(out, &text);
  std::string comments;
  for (const std::string& sentence : config.origin.derived) {
    comments += "# " + sentence + "\n";
  }
  return comments + text;
}

}  // namespace freshline::daemon
