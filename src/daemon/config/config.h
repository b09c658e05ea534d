// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/time.h"
#include "daemon/config/listen_address.h"
#include "daemon/config/memory_limit.h"

// The configuration of freshlined: a textproto of freshline.config.v1.Daemon
// (meaning, unit, range and default of every knob stand there) becomes one
// plain immutable value, complete and in range. The protobuf types end here.

namespace freshline::daemon {

// The policies that freshlined has, the default first.
inline constexpr absl::string_view kDaemonPolicies[] = {
    "slo_aware", "edf", "fifo", "stale_then_refresh", "eager_fifo"};

// Definition files and addresses of one daemon.
inline constexpr uint32_t kDefinitionFilesMax = 64;
inline constexpr uint32_t kListenAddressesMax = 16;

struct SchedulerConfig {
  std::string policy = std::string(kDaemonPolicies[0]);
  uint32_t workers = 1;
  bool workers_idle_class = true;  // SCHED_IDLE
  bool dispatcher_realtime = true;
  base::Duration guard_floor{};
  base::Duration guard_overshoot_max{};
  uint32_t tickets_max = 0;
  uint32_t background_rows_max = 0;
  bool background = true;
  bool approximate = true;
  uint32_t batch_max = 1;
  base::Duration inline_cost_max{};
  uint32_t fan_out_threads = 1;
  uint32_t quarantine_failures = 0;
  base::Duration failure_backoff{};
  uint32_t violation_budget_ppm = 0;
  uint32_t hang_factor = 0;
  base::Duration hang_floor{};
  friend bool operator==(const SchedulerConfig&,
                         const SchedulerConfig&) = default;
};

struct EstimatorConfig {
  uint32_t profile_runs = 0;
  uint32_t half_life_runs = 0;
  base::Duration probe_interval{};
  base::Duration reprofile_after{};  // 0: never
  friend bool operator==(const EstimatorConfig&,
                         const EstimatorConfig&) = default;
};

struct TableConfig {
  uint64_t keys_max = 0;
  uint64_t bytes_max = 0;
  uint32_t shards = 1;  // a power of two
  friend bool operator==(const TableConfig&, const TableConfig&) = default;
};

struct IngestConfig {
  base::Duration future_max{};
  uint32_t producers_max = 0;
  friend bool operator==(const IngestConfig&, const IngestConfig&) = default;
};

struct RpcConfig {
  uint32_t pollers = 1;
  uint32_t receive_bytes_max = 0;  // fits int, as gRPC wants it
  uint32_t send_bytes_max = 0;     // "
  uint32_t streams_per_connection_max = 0;
  uint32_t requests_in_flight_max = 0;
  uint32_t rows_per_request_max = 0;
  uint32_t events_per_request_max = 0;
  base::Duration drain_delay{};
  base::Duration drain_timeout{};
  uint32_t memory_quota_bytes = 0;
  bool reflection = false;
  bool poller_realtime = true;
  uint32_t poller_request_bytes_max = 0;
  uint32_t intake_bytes_max = 0;
  uint32_t connections_max = 0;
  uint32_t connections_per_address_max = 0;
  base::Duration handshake_max{};
  base::Duration connection_idle_max{};
  base::Duration connection_age_max{};  // 0: none
  uint64_t unread_bytes_per_connection_max = 0;
  uint64_t unread_bytes_max = 0;
  base::Duration unread_max{};
  uint32_t metadata_bytes_max = 0;
  friend bool operator==(const RpcConfig&, const RpcConfig&) = default;
};

struct OutcomesConfig {
  uint32_t answers_max = 65'536;  // 0: none is taken
  uint32_t per_second_max = 5000;
  friend bool operator==(const OutcomesConfig&,
                         const OutcomesConfig&) = default;
};

struct DecisionLogConfig {
  std::string path;  // empty: none
  uint64_t bytes_max = 0;
  friend bool operator==(const DecisionLogConfig&,
                         const DecisionLogConfig&) = default;
};

// What a configuration is read on.
struct Machine {
  uint32_t cores = 1;
  MemoryLimit memory;  // unknown: plenty
};

// What is known of a configuration beside its values, and is no part of them:
// two configurations that mean the same are equal, wherever they were written.
struct ConfigOrigin {
  // "file:line:column" of a field by its path, as "decision_log.path".
  std::map<std::string, std::string> places;
  // What followed the machine's memory, a sentence each.
  std::vector<std::string> derived;
  // What may not end well, a sentence each.
  std::vector<std::string> warnings;

  // `message` behind the field's place and path, as violations are written.
  std::string At(const std::string& field, absl::string_view message) const;
  friend bool operator==(const ConfigOrigin&, const ConfigOrigin&) {
    return true;
  }
};

// Everything that the daemon is told, complete: made by LoadConfig() only, so
// that every value is in range. Paths are absolute.
struct DaemonConfig {
  std::vector<ListenAddress> listen;  // at least one, distinct
  bool allow_insecure_off_loopback = false;
  std::string port_file;                 // empty: none
  std::vector<std::string> definitions;  // at least one, distinct
  std::string item_table_dir;
  SchedulerConfig scheduler;
  EstimatorConfig estimator;
  TableConfig table;
  IngestConfig ingest;
  RpcConfig rpc;
  DecisionLogConfig decision_log;
  OutcomesConfig outcomes;
  ConfigOrigin origin;

  // Whether any address can be reached from another machine: then the daemon
  // warns at start and every hour.
  bool off_loopback() const;
  friend bool operator==(const DaemonConfig&, const DaemonConfig&) = default;
};

// Reads the file at `path`, fills in defaults and validates. The machine's
// cores are the default number of workers, and its memory bounds the defaults
// of what holds much. `policies`, one at least, are those that may be named,
// the default first. Relative paths in the file start at its directory.
// Returns: NOT_FOUND or PERMISSION_DENIED for the file itself, else
// INVALID_ARGUMENT with every violation, one per line, as
// "file:line:column: field: what is wrong, and the remedy".
absl::StatusOr<DaemonConfig> LoadConfig(
    const std::string& path, const Machine& machine,
    std::span<const absl::string_view> policies = kDaemonPolicies);

// The same from a text; `path` is what violations call it, and where relative
// paths start. Nothing is read.
absl::StatusOr<DaemonConfig> ParseConfig(
    absl::string_view text, const std::string& path, const Machine& machine,
    std::span<const absl::string_view> policies = kDaemonPolicies);

// On a machine with so many cores and plenty of memory.
absl::StatusOr<DaemonConfig> LoadConfig(
    const std::string& path, uint32_t cores,
    std::span<const absl::string_view> policies = kDaemonPolicies);
absl::StatusOr<DaemonConfig> ParseConfig(
    absl::string_view text, const std::string& path, uint32_t cores,
    std::span<const absl::string_view> policies = kDaemonPolicies);

// The configuration as textproto with every field written out, below comments
// that say what followed the machine's memory:
// ParseConfig() of it gives an equal value, wherever it is stored.
std::string PrintConfig(const DaemonConfig& config);

}  // namespace freshline::daemon
