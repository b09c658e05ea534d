// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/config.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "daemon/config/config_origin.h"
#include "freshline/config/v1/daemon.pb.h"
#include "registry/nearest_name.h"
#include "registry/textproto.h"
#include "schedule/policy_defaults.h"

namespace freshline::daemon {
namespace {

namespace v1 = freshline::config::v1;
using registry::FieldPlace;
using registry::Violations;

constexpr uint64_t kKiB = 1024;
constexpr uint64_t kMiB = 1024 * kKiB;
constexpr uint64_t kGiB = 1024 * kMiB;
constexpr uint32_t kMillion = 1'000'000;
constexpr uint32_t kHourMs = 3'600'000;
constexpr uint32_t kWeekS = 604'800;
constexpr int64_t kMonthUs = 31LL * 86'400 * kMillion;
constexpr uint64_t kGrpcBytesMax = std::numeric_limits<int32_t>::max();
constexpr uint32_t kWorkersMax = 256;
constexpr uint32_t kFanOutThreads = 8;
constexpr uint32_t kFanOutThreadsMax = 64;

constexpr char kDefaultListen[] = "127.0.0.1:7460";

base::Duration Micros(int64_t us) { return std::chrono::microseconds(us); }
base::Duration Millis(int64_t ms) { return std::chrono::milliseconds(ms); }

// What a knob is when it is not written, and what it may be.
struct Range {
  uint64_t fallback;
  uint64_t min;
  uint64_t max;
};

// Every number of the configuration, in the order of daemon.proto.
constexpr Range kGuardFloorUs = {1500, 0, kMillion};
constexpr Range kGuardOvershootMaxUs = {20'000, 0, kMillion};
constexpr Range kTicketsMax = {schedule::kTicketsMaxDefault, 1, kMillion};
constexpr Range kBackgroundRowsMax = {schedule::kBackgroundRowsMaxDefault, 1,
                                      kMillion};
constexpr Range kBatchMax = {1, 1, 64};
constexpr Range kInlineCostUsMax = {200, 0, 100'000};
constexpr Range kQuarantineFailures = {schedule::kQuarantineFailuresDefault, 1,
                                       kMillion};
constexpr Range kFailureBackoffMs = {schedule::kBackoffMinDefault.count(), 0,
                                     kHourMs};
constexpr Range kViolationBudgetPpm = {100, 1, 100'000};
constexpr Range kHangFactor = {20, 2, kMillion};
constexpr Range kHangFloorMs = {2000, 10, kHourMs};
constexpr Range kProfileRuns = {20, 0, 1000};
constexpr Range kHalfLifeRuns = {64, 1, kMillion};
constexpr Range kProbeIntervalMs = {schedule::kProbeIntervalDefault.count(), 1,
                                    kHourMs};
constexpr Range kReprofileAfterS = {600, 0, 86'400};
constexpr Range kKeysMax = {10'000'000, 1, 1'000'000'000};
constexpr Range kAnswersMax = {65'536, 0, 10'000'000};
constexpr Range kPerSecondMax = {5000, 1, 1'000'000};
constexpr Range kDecisionLogBytesMax = {kGiB, kMiB, kGiB << 20};
constexpr Range kTableBytesMax = {4 * kGiB, kMiB, kGiB << 20};
constexpr Range kShards = {64, 1, 1024};
constexpr Range kFutureUsMax = {300'000'000, 0, kMonthUs};
constexpr Range kProducersMax = {10'000, 1, 10 * kMillion};
constexpr Range kPollers = {1, 1, 64};
constexpr Range kReceiveBytesMax = {4 * kMiB, kKiB, kGrpcBytesMax};
constexpr Range kSendBytesMax = {4 * kMiB, kKiB, kGrpcBytesMax};
constexpr Range kStreamsMax = {1024, 1, kMillion};
constexpr Range kInFlightMax = {10'000, 1, kMillion};
constexpr Range kRowsMax = {1000, 1, 100'000};
constexpr Range kEventsMax = {10'000, 1, kMillion};
constexpr Range kDrainDelayMs = {200, 0, kHourMs};
constexpr Range kDrainTimeoutMs = {25'000, 0, kHourMs};
constexpr Range kPollerRequestBytesMax = {8 * kKiB, 0, kGrpcBytesMax};
constexpr Range kIntakeBytesMax = {64 * kMiB, kKiB, kGrpcBytesMax};
constexpr Range kMemoryQuotaBytes = {192 * kMiB, kMiB,
                                     std::numeric_limits<uint32_t>::max()};

constexpr Range kConnectionsMax = {10'000, 1, 65'000};
constexpr Range kPerAddressMax = {4096, 1, 65'000};
constexpr Range kHandshakeMs = {10'000, 100, kHourMs};
constexpr Range kConnectionIdleS = {600, 1, kWeekS};
constexpr Range kConnectionAgeS = {1800, 0, kWeekS};
constexpr Range kUnreadBytesPerConnection = {16 * kMiB, kKiB, kGiB* kKiB};
constexpr Range kUnreadBytes = {64 * kMiB, kKiB, kGiB* kKiB};
constexpr Range kUnreadMs = {20'000, 100, kHourMs};
constexpr Range kMetadataBytesMax = {8 * kKiB, kKiB, kMiB};

// Of the memory that the process may use. What is left is for the process
// itself, for what the allocator keeps, and for requests being served.
struct Share {
  Range range;
  uint64_t divisor;  // the default is at most memory / divisor

  Range Within(uint64_t memory) const {
    Range bounded = range;
    if (memory > 0) {
      bounded.fallback =
          std::clamp(memory / divisor, range.min, range.fallback);
    }
    return bounded;
  }
};
constexpr Share kTableShare = {kTableBytesMax, 2};
constexpr Share kQuotaShare = {kMemoryQuotaBytes, 8};
constexpr Share kIntakeShare = {kIntakeBytesMax, 16};

// Reads one message of the configuration.
class Section {
 public:
  Section(FieldPlace place, Violations* violations)
      : place_(std::move(place)), violations_(violations) {}

  Section Sub(absl::string_view field) const {
    return {place_.Field(field), violations_};
  }
  FieldPlace Place(absl::string_view field) const {
    return place_.Field(field);
  }
  void Report(absl::string_view field, absl::string_view message) const {
    Place(field).Report(message, violations_);
  }

  // The number in `field`, in its range.
  uint64_t Number(absl::string_view field, bool written, uint64_t value,
                  const Range& range) const {
    if (!written) return range.fallback;
    if (value >= range.min && value <= range.max) return value;
    Report(field, absl::StrCat("is ", value, ": it must be ", range.min, " to ",
                               range.max));
    return range.fallback;
  }
  uint32_t Count(absl::string_view field, bool written, uint64_t value,
                 const Range& range) const {
    return static_cast<uint32_t>(Number(field, written, value, range));
  }
  int64_t Time(absl::string_view field, bool written, uint64_t value,
               const Range& range) const {
    return static_cast<int64_t>(Number(field, written, value, range));
  }

 private:
  FieldPlace place_;
  Violations* violations_;
};

// FRESHLINE_FIELD(x) passes the name, presence and value of field x of `from`.
#define FRESHLINE_FIELD(x) #x, from.has_##x(), from.x()

std::string ReadPolicy(const Section& in, const std::string& name,
                       std::span<const absl::string_view> policies) {
  const std::vector<std::string> names(policies.begin(), policies.end());
  if (name.empty()) return names[0];
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    in.Report("policy", absl::StrCat("unknown policy \"", name, "\"",
                                     registry::SuggestName(name, names)));
  }
  return name;
}

SchedulerConfig ReadScheduler(const Section& in, const v1::Scheduler& from,
                              uint32_t cores,
                              std::span<const absl::string_view> policies) {
  SchedulerConfig out;
  out.policy = ReadPolicy(in, from.policy(), policies);
  const Range workers = {std::clamp(cores, uint32_t{1}, kWorkersMax), 1,
                         kWorkersMax};
  out.workers = in.Count(FRESHLINE_FIELD(workers), workers);
  if (!v1::Scheduler::WorkerClass_IsValid(from.worker_class())) {
    in.Report("worker_class",
              absl::StrCat(static_cast<int>(from.worker_class()),
                           " is neither IDLE nor NORMAL"));
  }
  out.workers_idle_class = from.worker_class() != v1::Scheduler::NORMAL;
  out.dispatcher_realtime =
      !from.has_dispatcher_realtime() || from.dispatcher_realtime();
  out.guard_floor =
      Micros(in.Time(FRESHLINE_FIELD(guard_floor_us), kGuardFloorUs));
  out.guard_overshoot_max = Micros(
      in.Time(FRESHLINE_FIELD(guard_overshoot_max_us), kGuardOvershootMaxUs));
  out.tickets_max = in.Count(FRESHLINE_FIELD(tickets_max), kTicketsMax);
  out.background_rows_max =
      in.Count(FRESHLINE_FIELD(background_rows_max), kBackgroundRowsMax);
  out.background = !from.has_background() || from.background();
  out.approximate = !from.has_approximate() || from.approximate();
  out.batch_max = in.Count(FRESHLINE_FIELD(batch_max), kBatchMax);
  out.inline_cost_max =
      Micros(in.Time(FRESHLINE_FIELD(inline_cost_us_max), kInlineCostUsMax));
  out.fan_out_threads = in.Count(
      FRESHLINE_FIELD(fan_out_threads),
      {std::clamp(cores, uint32_t{1}, kFanOutThreads), 1, kFanOutThreadsMax});
  out.quarantine_failures =
      in.Count(FRESHLINE_FIELD(quarantine_failures), kQuarantineFailures);
  out.failure_backoff =
      Millis(in.Time(FRESHLINE_FIELD(failure_backoff_ms), kFailureBackoffMs));
  out.violation_budget_ppm =
      in.Count(FRESHLINE_FIELD(violation_budget_ppm), kViolationBudgetPpm);
  out.hang_factor = in.Count(FRESHLINE_FIELD(hang_factor), kHangFactor);
  out.hang_floor =
      Millis(in.Time(FRESHLINE_FIELD(hang_floor_ms), kHangFloorMs));
  return out;
}

EstimatorConfig ReadEstimator(const Section& in, const v1::Estimator& from) {
  EstimatorConfig out;
  out.profile_runs = in.Count(FRESHLINE_FIELD(profile_runs), kProfileRuns);
  out.half_life_runs = in.Count(FRESHLINE_FIELD(half_life_runs), kHalfLifeRuns);
  out.probe_interval =
      Millis(in.Time(FRESHLINE_FIELD(probe_interval_ms), kProbeIntervalMs));
  out.reprofile_after = std::chrono::seconds(
      in.Time(FRESHLINE_FIELD(reprofile_after_s), kReprofileAfterS));
  return out;
}

OutcomesConfig ReadOutcomes(const Section& in, const v1::Outcomes& from) {
  OutcomesConfig out;
  out.answers_max = in.Count(FRESHLINE_FIELD(answers_max), kAnswersMax);
  out.per_second_max = in.Count(FRESHLINE_FIELD(per_second_max), kPerSecondMax);
  return out;
}

uint64_t ReadDecisionLogBytes(const Section& in, const v1::DecisionLog& from) {
  return in.Number(FRESHLINE_FIELD(bytes_max), kDecisionLogBytesMax);
}

TableConfig ReadTable(const Section& in, const v1::Table& from,
                      uint64_t memory) {
  TableConfig out;
  out.keys_max = in.Number(FRESHLINE_FIELD(keys_max), kKeysMax);
  out.bytes_max =
      in.Number(FRESHLINE_FIELD(bytes_max), kTableShare.Within(memory));
  out.shards = in.Count(FRESHLINE_FIELD(shards), kShards);
  if ((out.shards & (out.shards - 1)) != 0) {
    in.Report("shards",
              absl::StrCat("is ", out.shards, ": it must be a power of two"));
  }
  return out;
}

IngestConfig ReadIngest(const Section& in, const v1::Ingest& from) {
  IngestConfig out;
  if (from.future_us_max() < 0) {
    in.Report("future_us_max",
              absl::StrCat("is ", from.future_us_max(), ": it must be 0 to ",
                           kFutureUsMax.max));
  } else {
    const auto value = static_cast<uint64_t>(from.future_us_max());
    out.future_max = Micros(in.Time("future_us_max", from.has_future_us_max(),
                                    value, kFutureUsMax));
  }
  out.producers_max = in.Count(FRESHLINE_FIELD(producers_max), kProducersMax);
  return out;
}

void ReadConnections(const Section& in, const v1::Rpc& from, RpcConfig* out) {
  out->connections_max =
      in.Count(FRESHLINE_FIELD(connections_max), kConnectionsMax);
  out->connections_per_address_max =
      in.Count(FRESHLINE_FIELD(connections_per_address_max), kPerAddressMax);
  out->handshake_max =
      Millis(in.Time(FRESHLINE_FIELD(handshake_ms_max), kHandshakeMs));
  out->connection_idle_max = std::chrono::seconds(
      in.Time(FRESHLINE_FIELD(connection_idle_s_max), kConnectionIdleS));
  out->connection_age_max = std::chrono::seconds(
      in.Time(FRESHLINE_FIELD(connection_age_s_max), kConnectionAgeS));
  out->unread_bytes_per_connection_max =
      in.Number(FRESHLINE_FIELD(unread_bytes_per_connection_max),
                kUnreadBytesPerConnection);
  out->unread_bytes_max =
      in.Number(FRESHLINE_FIELD(unread_bytes_max), kUnreadBytes);
  out->unread_max = Millis(in.Time(FRESHLINE_FIELD(unread_ms_max), kUnreadMs));
  out->metadata_bytes_max =
      in.Count(FRESHLINE_FIELD(metadata_bytes_max), kMetadataBytesMax);
}

// A message counts against the quota, so that of the three what is written
// decides what the others are.
void ReadMessageBytes(const Section& in, const v1::Rpc& from, uint64_t memory,
                      RpcConfig* out) {
  Range quota = kQuotaShare.Within(memory);
  quota.fallback = std::max<uint64_t>(
      {quota.fallback, from.receive_bytes_max(), from.send_bytes_max()});
  out->memory_quota_bytes =
      in.Count(FRESHLINE_FIELD(memory_quota_bytes), quota);
  const auto within_quota = [out](Range range) {
    range.fallback =
        std::min<uint64_t>(range.fallback, out->memory_quota_bytes);
    return range;
  };
  out->receive_bytes_max = in.Count(FRESHLINE_FIELD(receive_bytes_max),
                                    within_quota(kReceiveBytesMax));
  out->send_bytes_max =
      in.Count(FRESHLINE_FIELD(send_bytes_max), within_quota(kSendBytesMax));
  for (const auto& [field, bytes] :
       {std::pair{"receive_bytes_max", out->receive_bytes_max},
        std::pair{"send_bytes_max", out->send_bytes_max}}) {
    if (bytes <= out->memory_quota_bytes) continue;
    in.Report(field,
              absl::StrCat("is ", bytes, ", more than memory_quota_bytes, ",
                           out->memory_quota_bytes,
                           ": one message could never be served; raise the "
                           "quota or lower this"));
  }
}

RpcConfig ReadRpc(const Section& in, const v1::Rpc& from, bool loopback,
                  uint64_t memory) {
  RpcConfig out;
  out.pollers = in.Count(FRESHLINE_FIELD(pollers), kPollers);
  ReadMessageBytes(in, from, memory, &out);
  out.streams_per_connection_max =
      in.Count(FRESHLINE_FIELD(streams_per_connection_max), kStreamsMax);
  out.requests_in_flight_max =
      in.Count(FRESHLINE_FIELD(requests_in_flight_max), kInFlightMax);
  out.rows_per_request_max =
      in.Count(FRESHLINE_FIELD(rows_per_request_max), kRowsMax);
  out.events_per_request_max =
      in.Count(FRESHLINE_FIELD(events_per_request_max), kEventsMax);
  out.drain_delay =
      Millis(in.Time(FRESHLINE_FIELD(drain_delay_ms), kDrainDelayMs));
  out.drain_timeout =
      Millis(in.Time(FRESHLINE_FIELD(drain_timeout_ms), kDrainTimeoutMs));
  out.reflection = from.has_reflection() ? from.reflection() : loopback;
  out.poller_realtime = !from.has_poller_realtime() || from.poller_realtime();
  out.poller_request_bytes_max = in.Count(
      FRESHLINE_FIELD(poller_request_bytes_max), kPollerRequestBytesMax);
  out.intake_bytes_max =
      in.Count(FRESHLINE_FIELD(intake_bytes_max), kIntakeShare.Within(memory));
  ReadConnections(in, from, &out);
  return out;
}

#undef FRESHLINE_FIELD

// `path` from `base`, absolute, without ".", ".." and a last "/".
std::string ResolvePath(const std::filesystem::path& base,
                        const std::string& path) {
  std::string resolved = (base / path).lexically_normal().string();
  if (resolved.size() > 1 && resolved.back() == '/') resolved.pop_back();
  return resolved;
}

// An absolute directory, so that the same configuration means the same files
// wherever it is printed to.
std::filesystem::path DirectoryOf(const std::string& path) {
  std::error_code error;
  const auto absolute = std::filesystem::absolute(path, error);
  return (error ? std::filesystem::path(path) : absolute).parent_path();
}

void ReadListen(const FieldPlace& root, const v1::Daemon& from,
                DaemonConfig* out, Violations* violations) {
  if (from.listen_size() > static_cast<int>(kListenAddressesMax)) {
    root.Field("listen", static_cast<int>(kListenAddressesMax))
        .Report(absl::StrCat("there are ", from.listen_size(),
                             " addresses; at most ", kListenAddressesMax,
                             " are allowed"),
                violations);
    return;
  }
  out->allow_insecure_off_loopback = from.allow_insecure_off_loopback();
  for (int i = 0; i < from.listen_size(); ++i) {
    const FieldPlace place = root.Field("listen", i);
    auto address = ParseListenAddress(from.listen(i));
    if (!address.ok()) {
      place.Report(address.status().message(), violations);
      continue;
    }
    // Two free ports are two addresses.
    const bool fixed = address->is_unix() || address->port != 0;
    if (fixed && std::find(out->listen.begin(), out->listen.end(), *address) !=
                     out->listen.end()) {
      place.Report(absl::StrCat("\"", from.listen(i), "\" is repeated"),
                   violations);
    }
    if (!IsLoopback(*address) && !out->allow_insecure_off_loopback) {
      place.Report(
          absl::StrCat("\"", from.listen(i),
                       "\" can be reached from other machines, and the "
                       "connection is neither encrypted nor authenticated: "
                       "listen on 127.0.0.1, [::1] or unix:/path, or accept "
                       "it with allow_insecure_off_loopback: true"),
          violations);
    }
    out->listen.push_back(*std::move(address));
  }
  if (from.listen_size() == 0) {
    out->listen.push_back(*ParseListenAddress(kDefaultListen));
  }
}

void ReadFiles(const FieldPlace& root, const v1::Daemon& from,
               const std::filesystem::path& base, DaemonConfig* out,
               Violations* violations) {
  if (!from.port_file().empty()) {
    out->port_file = ResolvePath(base, from.port_file());
    const bool has_port =
        std::any_of(out->listen.begin(), out->listen.end(),
                    [](const ListenAddress& a) { return !a.is_unix(); });
    if (!has_port && !out->listen.empty()) {
      root.Field("port_file")
          .Report(
              "there is no port to write: every address is a Unix socket; "
              "remove "
              "this, or listen on a port as well",
              violations);
    }
  }
  out->item_table_dir = ResolvePath(
      base, from.item_table_dir().empty() ? "." : from.item_table_dir());
  if (from.definitions_size() < 1 ||
      from.definitions_size() > static_cast<int>(kDefinitionFilesMax)) {
    root.Field("definitions", 0)
        .Report(absl::StrCat("there are ", from.definitions_size(),
                             " files of definitions: name 1 to ",
                             kDefinitionFilesMax),
                violations);
    return;
  }
  for (int i = 0; i < from.definitions_size(); ++i) {
    const FieldPlace place = root.Field("definitions", i);
    if (from.definitions(i).empty()) {
      place.Report("is empty: name a file", violations);
      continue;
    }
    std::string file = ResolvePath(base, from.definitions(i));
    if (std::find(out->definitions.begin(), out->definitions.end(), file) !=
        out->definitions.end()) {
      place.Report(absl::StrCat("\"", from.definitions(i),
                                "\" is repeated: name each file once"),
                   violations);
    }
    out->definitions.push_back(std::move(file));
  }
}

}  // namespace

bool DaemonConfig::off_loopback() const {
  return !std::all_of(listen.begin(), listen.end(), IsLoopback);
}

absl::StatusOr<DaemonConfig> ParseConfig(
    absl::string_view text, const std::string& path, const Machine& machine,
    std::span<const absl::string_view> policies) {
  Violations violations;
  registry::LocationTree locations;
  v1::Daemon from;
  if (!registry::ParseTextproto(text, path, &from, &locations, &violations)) {
    return violations.ToStatus();
  }
  const FieldPlace root =
      FieldPlace::Root(path, v1::Daemon::descriptor(), &locations);
  const Section in(root, &violations);
  DaemonConfig out;
  ReadListen(root, from, &out, &violations);
  ReadFiles(root, from, DirectoryOf(path), &out, &violations);
  out.scheduler = ReadScheduler(in.Sub("scheduler"), from.scheduler(),
                                machine.cores, policies);
  out.estimator = ReadEstimator(in.Sub("estimator"), from.estimator());
  out.table = ReadTable(in.Sub("table"), from.table(), machine.memory.bytes);
  out.ingest = ReadIngest(in.Sub("ingest"), from.ingest());
  if (!from.decision_log().path().empty()) {
    out.decision_log.path =
        ResolvePath(DirectoryOf(path), from.decision_log().path());
  }
  out.decision_log.bytes_max =
      ReadDecisionLogBytes(in.Sub("decision_log"), from.decision_log());
  out.outcomes = ReadOutcomes(in.Sub("outcomes"), from.outcomes());
  out.rpc = ReadRpc(in.Sub("rpc"), from.rpc(), !out.off_loopback(),
                    machine.memory.bytes);
  FRESHLINE_RETURN_IF_ERROR(violations.ToStatus());
  KeepPlaces(root, from, &out);
  TellOfMemory(from, machine.memory,
               {kTableBytesMax.fallback, kMemoryQuotaBytes.fallback,
                kIntakeBytesMax.fallback},
               &out);
  return out;
}

absl::StatusOr<DaemonConfig> LoadConfig(
    const std::string& path, const Machine& machine,
    std::span<const absl::string_view> policies) {
  FRESHLINE_ASSIGN_OR_RETURN(const std::string text,
                             registry::ReadTextFile(path));
  return ParseConfig(text, path, machine, policies);
}

absl::StatusOr<DaemonConfig> LoadConfig(
    const std::string& path, uint32_t cores,
    std::span<const absl::string_view> policies) {
  return LoadConfig(path, Machine{cores, {}}, policies);
}

absl::StatusOr<DaemonConfig> ParseConfig(
    absl::string_view text, const std::string& path, uint32_t cores,
    std::span<const absl::string_view> policies) {
  return ParseConfig(text, path, Machine{cores, {}}, policies);
}

}  // namespace freshline::daemon
