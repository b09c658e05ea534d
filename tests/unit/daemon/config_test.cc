// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/config.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "freshline/config/v1/daemon.pb.h"
#include "google/protobuf/text_format.h"
#include "schedule/policies.h"
#include "tests/support/status_matchers.h"

namespace freshline::daemon {
namespace {

using test::IsOk;
using test::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kPath[] = "/etc/freshline/freshlined.textproto";
constexpr char kLeast[] = "definitions: 'a.textproto'\n";

absl::StatusOr<DaemonConfig> Parse(absl::string_view text) {
  return ParseConfig(text, kPath, /*cores=*/6);
}

// What is said about a configuration that has all it needs and `text`.
std::string Refusal(absl::string_view text) {
  const auto config = Parse(absl::StrCat(kLeast, text));
  EXPECT_FALSE(config.ok()) << text;
  return std::string(config.status().message());
}

TEST(ConfigTest, TheLeastConfigurationHasTheDocumentedDefaults) {
  const auto config = Parse(kLeast);
  ASSERT_THAT(config, IsOk());
  ASSERT_EQ(config->listen.size(), 1u);
  EXPECT_EQ(FormatListenAddress(config->listen[0]), "127.0.0.1:7460");
  EXPECT_FALSE(config->allow_insecure_off_loopback);
  EXPECT_FALSE(config->off_loopback());
  EXPECT_EQ(config->port_file, "");
  EXPECT_EQ(config->outcomes.answers_max, 65'536U);
  EXPECT_EQ(config->outcomes.per_second_max, 5000U);
  EXPECT_EQ(config->decision_log.path, "");
  EXPECT_EQ(config->decision_log.bytes_max, uint64_t{1} << 30);
  EXPECT_EQ(config->item_table_dir, "/etc/freshline");
  const SchedulerConfig& scheduler = config->scheduler;
  EXPECT_EQ(scheduler.policy, "slo_aware");
  EXPECT_EQ(scheduler.workers, 6u);
  EXPECT_TRUE(scheduler.workers_idle_class);
  EXPECT_TRUE(scheduler.dispatcher_realtime);
  EXPECT_EQ(scheduler.guard_floor, std::chrono::microseconds(1500));
  EXPECT_EQ(scheduler.guard_overshoot_max, std::chrono::milliseconds(20));
  EXPECT_EQ(scheduler.tickets_max, 10'000u);
  EXPECT_EQ(scheduler.background_rows_max, 10'000u);
  EXPECT_TRUE(scheduler.background);
  EXPECT_EQ(scheduler.batch_max, 1u);
  EXPECT_EQ(scheduler.inline_cost_max, std::chrono::microseconds(200));
  EXPECT_EQ(scheduler.quarantine_failures, 5u);
  EXPECT_EQ(scheduler.failure_backoff, std::chrono::seconds(1));
  EXPECT_EQ(config->estimator.profile_runs, 20u);
  EXPECT_EQ(config->estimator.half_life_runs, 64u);
  EXPECT_EQ(config->estimator.probe_interval, std::chrono::milliseconds(100));
  EXPECT_EQ(config->table.keys_max, 10'000'000u);
  EXPECT_EQ(config->table.bytes_max, uint64_t{4} << 30);
  EXPECT_EQ(config->table.shards, 64u);
  EXPECT_EQ(config->ingest.future_max, std::chrono::minutes(5));
  EXPECT_EQ(config->ingest.producers_max, 10'000u);
}

TEST(ConfigTest, TheRpcDefaultsAreTheDocumentedOnes) {
  const auto config = Parse(kLeast);
  ASSERT_THAT(config, IsOk());
  const RpcConfig& rpc = config->rpc;
  EXPECT_EQ(rpc.pollers, 1u);
  EXPECT_EQ(rpc.receive_bytes_max, 4u << 20);
  EXPECT_EQ(rpc.send_bytes_max, 4u << 20);
  EXPECT_EQ(rpc.streams_per_connection_max, 1024u);
  EXPECT_EQ(rpc.requests_in_flight_max, 10'000u);
  EXPECT_EQ(rpc.rows_per_request_max, 1000u);
  EXPECT_EQ(rpc.events_per_request_max, 10'000u);
  EXPECT_EQ(rpc.drain_delay, std::chrono::milliseconds(200));
  EXPECT_EQ(rpc.drain_timeout, std::chrono::seconds(25));
  EXPECT_EQ(rpc.memory_quota_bytes, 192u << 20);
  EXPECT_TRUE(rpc.reflection);
  EXPECT_TRUE(rpc.poller_realtime);
  EXPECT_EQ(rpc.poller_request_bytes_max, 8u << 10);
  EXPECT_EQ(rpc.intake_bytes_max, 64u << 20);
  EXPECT_EQ(rpc.connections_max, 10'000u);
  EXPECT_EQ(rpc.connections_per_address_max, 4096u);
  EXPECT_EQ(rpc.handshake_max, std::chrono::seconds(10));
  EXPECT_EQ(rpc.connection_idle_max, std::chrono::minutes(10));
  EXPECT_EQ(rpc.connection_age_max, std::chrono::minutes(30));
  EXPECT_EQ(rpc.unread_bytes_per_connection_max, 16u << 20);
  EXPECT_EQ(rpc.unread_bytes_max, 64u << 20);
  EXPECT_EQ(rpc.unread_max, std::chrono::seconds(20));
  EXPECT_EQ(rpc.metadata_bytes_max, 8u << 10);
}

TEST(ConfigTest, ReflectionIsOffByDefaultWhereOthersReachIt) {
  const char* open = "listen: '0.0.0.0:1' allow_insecure_off_loopback: true\n";
  const auto config = Parse(absl::StrCat(kLeast, open));
  ASSERT_THAT(config, IsOk());
  EXPECT_TRUE(config->off_loopback());
  EXPECT_FALSE(config->rpc.reflection);
  EXPECT_TRUE(Parse(absl::StrCat(kLeast, open, "rpc { reflection: true }"))
                  ->rpc.reflection);
}

TEST(ConfigTest, RelativePathsStartAtTheFile) {
  const auto config = Parse(
      "definitions: 'a.textproto' definitions: '../b/./c.textproto'\n"
      "definitions: '/d.textproto' item_table_dir: 'tables' port_file: 'p' "
      "decision_log { path: 'log' }");
  ASSERT_THAT(config, IsOk());
  EXPECT_THAT(config->definitions,
              ElementsAre("/etc/freshline/a.textproto", "/etc/b/c.textproto",
                          "/d.textproto"));
  EXPECT_EQ(config->item_table_dir, "/etc/freshline/tables");
  EXPECT_EQ(config->port_file, "/etc/freshline/p");
  EXPECT_EQ(config->decision_log.path, "/etc/freshline/log");
}

TEST(ConfigTest, PathsAreAbsoluteWhereTheFileIsNamedRelatively) {
  const auto config = ParseConfig(kLeast, "here.textproto", 1);
  ASSERT_THAT(config, IsOk());
  EXPECT_EQ(config->definitions[0],
            (std::filesystem::current_path() / "a.textproto").string());
}

TEST(ConfigTest, WhatOtherMachinesReachIsRefusedUnlessAllowed) {
  for (const char* address : {"0.0.0.0:7460", "[::]:7460", "shop.local:1"}) {
    const std::string listen = absl::StrCat("listen: '", address, "'\n");
    EXPECT_THAT(Refusal(listen),
                AllOf(HasSubstr(absl::StrCat(kPath, ":2:1: listen[0]: \"",
                                             address, "\" can be reached")),
                      HasSubstr("allow_insecure_off_loopback: true")));
    const auto allowed = Parse(
        absl::StrCat(kLeast, listen, "allow_insecure_off_loopback: true"));
    ASSERT_THAT(allowed, IsOk());
    EXPECT_TRUE(allowed->off_loopback());
  }
}

TEST(ConfigTest, RefusesWhatContradictsItself) {
  const struct {
    const char* text;
    const char* message;
  } cases[] = {
      {"listen: 'unix:/a' port_file: 'p'",
       "port_file: there is no port to write"},
      {"listen: 'localhost:1' listen: 'localhost:1'",
       "listen[1]: \"localhost:1\" is repeated"},
      {"listen: 'localhost'", "listen[0]: \"localhost\" is no address"},
      {"definitions: './a.textproto'",
       "definitions[1]: \"./a.textproto\" is repeated"},
      {"definitions: ''", "definitions[1]: is empty"},
      {"table { shards: 48 }", "table.shards: is 48: it must be a power of"},
      {"rpc { receive_bytes_max: 300000000 memory_quota_bytes: 5000000 }",
       "rpc.receive_bytes_max: is 300000000, more than memory_quota_bytes"},
      {"rpc { memory_quota_bytes: 5000000 send_bytes_max: 16777216 }",
       "rpc.send_bytes_max: is 16777216, more than memory_quota_bytes"},
      {"scheduler { policy: 'slo_awar' }",
       "scheduler.policy: unknown policy \"slo_awar\"; did you mean "
       "\"slo_aware\"?"},
      {"scheduler { worker_class: 7 }", "7 is neither IDLE nor NORMAL"},
      {"ingest { future_us_max: -1 }", "ingest.future_us_max: is -1: it must"},
      {"scheduler { worker: 7 }", "did you mean \"workers\"?"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(Refusal(c.text), HasSubstr(c.message)) << c.text;
    EXPECT_THAT(Refusal(c.text), HasSubstr(absl::StrCat(kPath, ":2:")));
  }
  // Two free ports are two addresses.
  EXPECT_THAT(Parse(absl::StrCat(
                  kLeast, "listen: 'localhost:0' listen: 'localhost:0'")),
              IsOk());
  EXPECT_THAT(Parse(""), StatusIs(absl::StatusCode::kInvalidArgument,
                                  HasSubstr("name 1 to 64")));
}

// Each number of the schema: its least and greatest are taken, what lies
// beyond is refused by name, at its place.
struct Bounds {
  const char* section;
  const char* field;
  uint64_t min;
  uint64_t max;
};
constexpr uint64_t kInt = 2147483647;
constexpr Bounds kBounds[] = {
    {"scheduler", "workers", 1, 256},
    {"scheduler", "guard_floor_us", 0, 1000000},
    {"scheduler", "guard_overshoot_max_us", 0, 1000000},
    {"scheduler", "tickets_max", 1, 1000000},
    {"scheduler", "background_rows_max", 1, 1000000},
    {"scheduler", "batch_max", 1, 64},
    {"scheduler", "inline_cost_us_max", 0, 100000},
    {"scheduler", "quarantine_failures", 1, 1000000},
    {"scheduler", "failure_backoff_ms", 0, 3600000},
    {"scheduler", "violation_budget_ppm", 1, 100000},
    {"scheduler", "hang_factor", 2, 1000000},
    {"scheduler", "hang_floor_ms", 10, 3600000},
    {"estimator", "profile_runs", 0, 1000},
    {"estimator", "half_life_runs", 1, 1000000},
    {"estimator", "probe_interval_ms", 1, 3600000},
    {"estimator", "reprofile_after_s", 0, 86400},
    {"table", "keys_max", 1, 1000000000},
    {"table", "bytes_max", 1 << 20, uint64_t{1} << 50},
    {"outcomes", "answers_max", 0, 10'000'000},
    {"outcomes", "per_second_max", 1, 1'000'000},
    {"decision_log", "bytes_max", 1 << 20, uint64_t{1} << 50},
    {"table", "shards", 1, 1024},
    {"ingest", "future_us_max", 0, 31LL * 86400 * 1000000},
    {"ingest", "producers_max", 1, 10000000},
    {"rpc", "pollers", 1, 64},
    {"rpc", "receive_bytes_max", 1024, kInt},
    {"rpc", "send_bytes_max", 1024, kInt},
    {"rpc", "streams_per_connection_max", 1, 1000000},
    {"rpc", "requests_in_flight_max", 1, 1000000},
    {"rpc", "rows_per_request_max", 1, 100000},
    {"rpc", "events_per_request_max", 1, 1000000},
    {"rpc", "drain_delay_ms", 0, 3600000},
    {"rpc", "drain_timeout_ms", 0, 3600000},
    {"rpc", "poller_request_bytes_max", 0, kInt},
    {"rpc", "intake_bytes_max", 1024, kInt},
    {"rpc", "memory_quota_bytes", 1 << 20, 4294967295},
    {"rpc", "connections_max", 1, 65'000},
    {"rpc", "connections_per_address_max", 1, 65'000},
    {"rpc", "handshake_ms_max", 100, 3600000},
    {"rpc", "connection_idle_s_max", 1, 604800},
    {"rpc", "connection_age_s_max", 0, 604800},
    {"rpc", "unread_bytes_per_connection_max", 1024, uint64_t{1} << 40},
    {"rpc", "unread_bytes_max", 1024, uint64_t{1} << 40},
    {"rpc", "unread_ms_max", 100, 3600000},
    {"rpc", "metadata_bytes_max", 1024, 1 << 20},
};

TEST(ConfigTest, EveryNumberHasARange) {
  for (const Bounds& b : kBounds) {
    const auto write = [&](uint64_t value) {
      return absl::StrCat(b.section, " { ", b.field, ": ", value, " }");
    };
    for (const uint64_t good : {b.min, b.max}) {
      EXPECT_THAT(Parse(absl::StrCat(kLeast, write(good))), IsOk());
    }
    std::vector<uint64_t> bad;
    if (b.min > 0) bad.push_back(b.min - 1);
    if (b.max < 4294967295) bad.push_back(b.max + 1);
    for (const uint64_t value : bad) {
      EXPECT_THAT(
          Refusal(write(value)),
          HasSubstr(absl::StrCat(b.section, ".", b.field, ": is ", value,
                                 ": it must be ", b.min, " to ", b.max)));
    }
  }
}

Machine WithMemory(uint64_t mebibytes) {
  return {6, {mebibytes << 20, "cgroup /shop"}};
}

TEST(ConfigTest, WhatHoldsMuchFollowsTheMemory) {
  const auto small = ParseConfig(kLeast, kPath, WithMemory(512));
  ASSERT_THAT(small, IsOk());
  EXPECT_EQ(small->table.bytes_max, 256U << 20);
  EXPECT_EQ(small->rpc.memory_quota_bytes, 64U << 20);
  EXPECT_EQ(small->rpc.intake_bytes_max, 32U << 20);
  EXPECT_THAT(small->origin.derived,
              ElementsAre(HasSubstr("table.bytes_max is 268435456 (256 MiB): "
                                    "cgroup /shop allows 512 MiB"),
                          HasSubstr("rpc.memory_quota_bytes is 67108864"),
                          HasSubstr("rpc.intake_bytes_max is 33554432")));
  EXPECT_THAT(PrintConfig(*small),
              ::testing::StartsWith("# table.bytes_max is 268435456"));
  EXPECT_TRUE(small->origin.warnings.empty());
  // Where there is plenty, nothing follows.
  const auto large = ParseConfig(kLeast, kPath, WithMemory(64 << 10));
  ASSERT_THAT(large, IsOk());
  EXPECT_TRUE(large->origin.derived.empty());
  EXPECT_EQ(large->table.bytes_max, uint64_t{4} << 30);
  // Even next to nothing is a configuration: its messages fit its quota.
  const auto tiny = ParseConfig(kLeast, kPath, WithMemory(8));
  ASSERT_THAT(tiny, IsOk());
  EXPECT_EQ(tiny->rpc.send_bytes_max, tiny->rpc.memory_quota_bytes);
  EXPECT_THAT(ParseConfig(PrintConfig(*tiny), kPath, 1), IsOk());
}

TEST(ConfigTest, WhatIsWrittenStaysAndIsWarnedOfWhereItIsTooMuch) {
  const auto config =
      ParseConfig(absl::StrCat(kLeast, "table {\n  bytes_max: 4294967296 }"),
                  kPath, WithMemory(512));
  ASSERT_THAT(config, IsOk());
  EXPECT_EQ(config->table.bytes_max, uint64_t{4} << 30);
  EXPECT_THAT(
      config->origin.warnings,
      ElementsAre(AllOf(HasSubstr(absl::StrCat(kPath, ":3:3: table.bytes_max")),
                        HasSubstr("cgroup /shop allows 512 MiB"))));
}

TEST(ConfigTest, WhatTurnsOutWrongLaterIsNamedAsItWasWritten) {
  const auto config =
      Parse(absl::StrCat(kLeast, "port_file: 'p'\ndecision_log { path: 'l' }"));
  ASSERT_THAT(config, IsOk());
  EXPECT_EQ(config->origin.At("port_file", "is gone"),
            absl::StrCat(kPath, ":2:1: port_file: is gone"));
  EXPECT_EQ(config->origin.At("decision_log.path", "is gone"),
            absl::StrCat(kPath, ":3:16: decision_log.path: is gone"));
}

TEST(ConfigTest, AllViolationsAreReportedEachAtItsPlace) {
  const std::string message = Refusal(
      "listen: '0.0.0.0:1'\n"
      "scheduler {\n"
      "  workers: 0\n"
      "  polcy: 'edf'\n"
      "}\n"
      "table { shards: 3 }\n");
  const std::vector<std::string> lines = absl::StrSplit(message, '\n');
  ASSERT_EQ(lines.size(), 4u) << message;
  const std::string file = kPath;
  EXPECT_EQ(lines[0].rfind(file + ":5:3: Message type", 0), 0u) << message;
  EXPECT_EQ(lines[1].rfind(file + ":2:1: listen[0]: ", 0), 0u) << message;
  EXPECT_EQ(lines[2].rfind(file + ":4:3: scheduler.workers: ", 0), 0u);
  EXPECT_EQ(lines[3].rfind(file + ":7:9: table.shards: ", 0), 0u);
}

// No field of the schema is forgotten by the printer, or read back changed.
TEST(ConfigTest, PrintedConfigurationIsCompleteAndReadsBackEqual) {
  const auto config = Parse(R"(
      listen: 'unix:/run/f.sock' listen: '[::1]:0' listen: '0.0.0.0:5'
      allow_insecure_off_loopback: true port_file: 'port'
      definitions: 'a.textproto' definitions: "/with \"quotes\" ä.textproto"
      item_table_dir: 't'
      scheduler {
        policy: 'eager_fifo' workers: 3 worker_class: NORMAL
        dispatcher_realtime: false guard_floor_us: 7
        guard_overshoot_max_us: 8 tickets_max: 9 background_rows_max: 10
        background: false batch_max: 11 inline_cost_us_max: 12
        fan_out_threads: 13
        quarantine_failures: 13 failure_backoff_ms: 14
        violation_budget_ppm: 37 hang_factor: 38 hang_floor_ms: 39
      }
      estimator {
        profile_runs: 15 half_life_runs: 16 probe_interval_ms: 17
        reprofile_after_s: 40
      }
      table { keys_max: 18 bytes_max: 1900000 shards: 32 }
      ingest { future_us_max: 20 producers_max: 21 }
      rpc {
        pollers: 22 receive_bytes_max: 2300 send_bytes_max: 2400
        streams_per_connection_max: 25 requests_in_flight_max: 26
        rows_per_request_max: 27 events_per_request_max: 28
        drain_delay_ms: 29 drain_timeout_ms: 30
        memory_quota_bytes: 3100000 reflection: true
        poller_realtime: false poller_request_bytes_max: 33
        intake_bytes_max: 3400 connections_max: 41
        connections_per_address_max: 42 handshake_ms_max: 430
        connection_idle_s_max: 44 connection_age_s_max: 45
        unread_bytes_per_connection_max: 4600 unread_bytes_max: 4700
        unread_ms_max: 480 metadata_bytes_max: 4900
      })");
  ASSERT_THAT(config, IsOk());
  const std::string text = PrintConfig(*config);
  const auto again = ParseConfig(text, "/elsewhere/x.textproto", 99);
  ASSERT_THAT(again, IsOk());
  EXPECT_TRUE(*again == *config) << text;
  EXPECT_EQ(PrintConfig(*again), text);

  config::v1::Daemon message;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message));
  const auto expect_all_set = [](const google::protobuf::Message& m) {
    std::vector<const google::protobuf::FieldDescriptor*> set;
    m.GetReflection()->ListFields(m, &set);
    EXPECT_EQ(static_cast<int>(set.size()), m.GetDescriptor()->field_count())
        << m.GetDescriptor()->full_name();
  };
  expect_all_set(message);
  expect_all_set(message.scheduler());
  expect_all_set(message.estimator());
  expect_all_set(message.table());
  expect_all_set(message.ingest());
  expect_all_set(message.rpc());
}

TEST(ConfigTest, DefaultsReadBackEqualOnAnotherMachine) {
  const auto config = Parse(kLeast);
  ASSERT_THAT(config, IsOk());
  const auto again = ParseConfig(PrintConfig(*config), "/b/c", 1);
  ASSERT_THAT(again, IsOk());
  EXPECT_TRUE(*again == *config);
}

TEST(ConfigTest, PolicyNamesAreThoseOfTheConfiguration) {
  EXPECT_TRUE(std::ranges::equal(kDaemonPolicies, schedule::PolicyNames()));
  for (const absl::string_view name : kDaemonPolicies) {
    const auto config =
        Parse(absl::StrCat(kLeast, "scheduler { policy: '", name, "' }"));
    ASSERT_THAT(config, IsOk());
    EXPECT_EQ(config->scheduler.policy, name);
  }
  // Those of another program are others.
  const std::string text = absl::StrCat(kLeast, "scheduler { policy: 'lifo' }");
  EXPECT_THAT(Parse(text), StatusIs(absl::StatusCode::kInvalidArgument,
                                    HasSubstr("unknown policy \"lifo\"")));
  const std::vector<absl::string_view> more = {"edf", "lifo"};
  const auto config = ParseConfig(text, kPath, 1, more);
  ASSERT_THAT(config, IsOk());
  EXPECT_EQ(config->scheduler.policy, "lifo");
  EXPECT_EQ(ParseConfig(kLeast, kPath, 1, more)->scheduler.policy, "edf");
}

TEST(ConfigTest, AMissingFileIsNamed) {
  EXPECT_THAT(LoadConfig("no/such.textproto", 1),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr("no/such.textproto: No such file")));
}

}  // namespace
}  // namespace freshline::daemon
