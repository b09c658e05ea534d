// SPDX-License-Identifier: Apache-2.0
#include <signal.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "bench/commands/commands.h"
#include "bench/commands/workload_flags.h"
#include "bench/load/echo_server.h"
#include "bench/load/saturate.h"
#include "bench/replay/daemon_under_test.h"
#include "bench/replay/requests.h"
#include "bench/replay/workload.h"
#include "freshline/v1/feature_store.pb.h"

namespace freshline::bench {
namespace {

struct EchoFlags {
  EchoOptions options;
  size_t answer_bytes = 400;
  std::string answer_file;
};

absl::StatusOr<std::string> AnswerOf(const EchoFlags& flags) {
  if (flags.answer_file.empty()) return EchoAnswer(flags.answer_bytes);
  std::ifstream in(flags.answer_file, std::ios::binary);
  if (!in) {
    return absl::NotFoundError(absl::StrCat(
        "--answer-file: \"", flags.answer_file, "\" cannot be read"));
  }
  return std::string((std::istreambuf_iterator<char>(in)), {});
}

absl::Status Echo(EchoFlags flags) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  FRESHLINE_ASSIGN_OR_RETURN(flags.options.answer, AnswerOf(flags));
  FRESHLINE_ASSIGN_OR_RETURN(const std::unique_ptr<EchoServer> server,
                             EchoServer::Start(flags.options));
  Say(absl::StrCat("echo on port ", server->port()));
  int signal_number = 0;
  sigwait(&signals, &signal_number);
  return absl::OkStatus();
}

struct SaturateFlags {
  DaemonOptions daemon{"",
                       "config/rees46.textproto",
                       "out/quickstart/tables",
                       "out/saturate",
                       "slo_aware",
                       2,
                       1,
                       1500,
                       false,
                       ""};
  SaturateOptions options;
  std::string self;
};

// A query for the embedding of `keys` users whose rows are fresh.
std::string EmbeddingQuery(int64_t keys) {
  v1::GetFeaturesRequest request;
  request.set_feature_service("embedding");
  v1::Column* column = request.add_entities();
  column->set_name("user_id");
  for (int64_t user = 1; user <= keys; ++user) {
    column->mutable_values()->mutable_int64s()->add_values(user);
  }
  return request.SerializeAsString();
}

absl::StatusOr<std::unique_ptr<client::RawClient>> RawTo(
    const std::string& target) {
  client::RawOptions raw;
  raw.target = target;
  raw.channels = 4;
  return client::RawClient::Create(raw);
}

// What has to be so, for the figures to be of stored embedding rows.
absl::Status RequireFreshRows(const std::string& bytes, int64_t keys) {
  constexpr int kDim = 64;
  v1::GetFeaturesResponse answer;
  if (!answer.ParseFromString(bytes) || answer.groups_size() != 1 ||
      answer.features_size() != 1) {
    return absl::InternalError("the daemon's answer has no embedding");
  }
  const v1::GroupFreshness& group = answer.groups(0);
  const int floats = answer.features(0).values().vectors().values_size();
  const auto fresh = std::count(group.obtained().begin(),
                                group.obtained().end(), v1::ALREADY_FRESH);
  if (floats != keys * kDim || fresh != keys) {
    return absl::InternalError(
        absl::StrCat("of ", keys, " rows ", fresh, " were stored and fresh, ",
                     "with ", floats, " floats in all; each should have ", kDim,
                     ": is --tables' dimension another?"));
  }
  return absl::OkStatus();
}

// What may be asked of it, against the echo.
struct SaturateTarget {
  int64_t keys;
  double cpu_max;
  double qps_min;
};

void PrintResult(const SaturateTarget& target, const SaturateResult& r,
                 int repeats) {
  std::cout << absl::StrFormat(
      "%2d rows of 64 floats, %d bytes answered; medians of %d in turns, least "
      "to greatest\n"
      "  server CPU  %6.1f us, echo %6.1f us: %.2fx [%.2f, %.2f], at most "
      "%.1fx: %s\n"
      "  throughput  %6.0f /s, echo %6.0f /s: %.2fx [%.2f, %.2f], at least "
      "%.2fx: %s\n",
      target.keys, r.server.answer_bytes, repeats, r.server.server_cpu_us,
      r.echo.server_cpu_us, r.cpu_ratio, r.cpu_ratio_min, r.cpu_ratio_max,
      target.cpu_max, r.cpu_ratio <= target.cpu_max ? "met" : "MISSED",
      r.server.qps, r.echo.qps, r.qps_ratio, r.qps_ratio_min, r.qps_ratio_max,
      target.qps_min, r.qps_ratio >= target.qps_min ? "met" : "MISSED");
}

absl::Status SaturateOne(const SaturateFlags& flags, DaemonUnderTest* daemon,
                         const SaturateTarget& target) {
  FRESHLINE_ASSIGN_OR_RETURN(const auto client, RawTo(daemon->target()));
  const std::string request = EmbeddingQuery(target.keys);
  const SaturateSide server{client.get(), request, &daemon->process()};
  // The first one computes the rows, and stores them.
  FRESHLINE_RETURN_IF_ERROR(FetchAnswer(server).status());
  FRESHLINE_ASSIGN_OR_RETURN(const std::string answer, FetchAnswer(server));
  FRESHLINE_RETURN_IF_ERROR(RequireFreshRows(answer, target.keys));
  const std::string answer_file = flags.daemon.directory + "/answer.bin";
  if (!(std::ofstream(answer_file, std::ios::binary) << answer).flush()) {
    return absl::UnavailableError(
        absl::StrCat("cannot write \"", answer_file, "\""));
  }
  ProcessOptions process;
  process.port_file = flags.daemon.directory + "/echo.port";
  process.log_path = flags.daemon.directory + "/echo.log";
  process.arguments = {flags.self, "echo", "--listen=127.0.0.1:0",
                       "--answer-file=" + answer_file,
                       "--port-file=" + process.port_file};
  FRESHLINE_ASSIGN_OR_RETURN(const auto echo_process,
                             ProcessRunner::Start(process));
  FRESHLINE_ASSIGN_OR_RETURN(
      const auto echo_client,
      RawTo(absl::StrCat("127.0.0.1:", echo_process->port())));
  Say(absl::StrCat(target.keys, " rows: ", flags.options.repeats,
                   " runs of the daemon and of the echo, in turns"));
  FRESHLINE_ASSIGN_OR_RETURN(
      const SaturateResult result,
      Saturate(server, {echo_client.get(), request, echo_process.get()},
               flags.options));
  PrintResult(target, result, flags.options.repeats);
  return absl::OkStatus();
}

absl::Status SaturateAll(const SaturateFlags& flags) {
  FRESHLINE_ASSIGN_OR_RETURN(const std::unique_ptr<DaemonUnderTest> daemon,
                             DaemonUnderTest::Start(flags.daemon));
  // Users 1 to 20 click what the table knows, and are then asked for once:
  // from there on every row is fresh.
  FRESHLINE_ASSIGN_OR_RETURN(
      const std::shared_ptr<const featurize::ItemTable> table,
      featurize::ItemTable::Open(flags.daemon.tables + "/items.fltab", 0));
  StringPool pool;
  std::vector<Click> clicks(200);
  for (size_t i = 0; i < clicks.size(); ++i) {
    clicks[i].user = static_cast<int64_t>(1 + i % 20);
    clicks[i].item = table->item(static_cast<uint32_t>(i) % table->items());
    clicks[i].time_us = static_cast<int64_t>(i) - 1000;
  }
  FRESHLINE_RETURN_IF_ERROR(WarmUp(daemon->target(), clicks, pool,
                                   base::Clock::Real().WallNowMicros())
                                .status());
  constexpr SaturateTarget kTargets[] = {{1, 1.8, 0.6}, {20, 3, 0.35}};
  for (const SaturateTarget& target : kTargets) {
    FRESHLINE_RETURN_IF_ERROR(SaturateOne(flags, daemon.get(), target));
  }
  return absl::OkStatus();
}

}  // namespace

void AddEcho(CLI::App* app, const Invocation&, Run* run) {
  CLI::App* sub = app->add_subcommand(
      "echo", "Serve the least that gRPC can do: the floor of a measurement");
  auto f = std::make_shared<EchoFlags>();
  sub->add_option("--listen", f->options.listen, "host:port or unix:/path")
      ->capture_default_str();
  sub->add_option("--answer-bytes", f->answer_bytes, "Size of every answer")
      ->capture_default_str();
  sub->add_option("--answer-file", f->answer_file,
                  "File whose bytes are every answer; overrides the size");
  sub->add_option("--scan-threads", f->options.scan_threads,
                  "SCHED_IDLE threads that scan memory beside it")
      ->capture_default_str();
  sub->add_option("--scan-bytes", f->options.scan_bytes, "Size of that memory")
      ->capture_default_str();
  sub->add_option("--port-file", f->options.port_file,
                  "Where to write the bound port");
  sub->callback([f, run] { *run = [f] { return Echo(*f); }; });
}

void AddSaturate(CLI::App* app, const Invocation& call, Run* run) {
  CLI::App* sub = app->add_subcommand(
      "saturate",
      "Queries/s and server CPU per query for fresh rows, against an echo that "
      "answers the same bytes; about 40 s");
  auto f = std::make_shared<SaturateFlags>();
  f->self = call.program;
  AddDaemonFlags(sub, call, &f->daemon);
  sub->add_option("--tables", f->daemon.tables, "Directory of items.fltab")
      ->capture_default_str();
  sub->add_option("--in-flight", f->options.in_flight, "Calls under way")
      ->capture_default_str();
  sub->add_option("--repeats", f->options.repeats, "Of each side")
      ->capture_default_str();
  sub->add_option("--out", f->daemon.directory, "For logs")
      ->capture_default_str();
  sub->callback([f, run] { *run = [f] { return SaturateAll(*f); }; });
}

}  // namespace freshline::bench
