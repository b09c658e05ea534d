// SPDX-License-Identifier: Apache-2.0
#include <signal.h>

#include <atomic>
#include <iostream>
#include <memory>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "base/waker.h"
#include "bench/commands/commands.h"
#include "bench/commands/workload_flags.h"
#include "bench/load/echo_server.h"
#include "bench/load/open_loop.h"
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
};

absl::Status Echo(EchoFlags flags) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  flags.options.answer = EchoAnswer(flags.answer_bytes);
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
                       1500};
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

absl::Status SaturateOne(const SaturateFlags& flags, DaemonUnderTest* daemon,
                         int64_t keys) {
  FRESHLINE_ASSIGN_OR_RETURN(const auto client, RawTo(daemon->target()));
  const std::string request = EmbeddingQuery(keys);
  const SaturateSide server{client.get(), request, &daemon->process()};
  // One call tells the size of the answer that the echo has to have.
  SaturateOptions probe = flags.options;
  probe.warm_up = probe.duration = std::chrono::milliseconds(50);
  FRESHLINE_ASSIGN_OR_RETURN(const ClosedLoopResult first,
                             RunClosedLoop(server, probe));
  ProcessOptions process;
  process.port_file = flags.daemon.directory + "/echo.port";
  process.log_path = flags.daemon.directory + "/echo.log";
  process.arguments = {flags.self, "echo", "--listen=127.0.0.1:0",
                       absl::StrCat("--answer-bytes=", first.answer_bytes),
                       "--port-file=" + process.port_file};
  FRESHLINE_ASSIGN_OR_RETURN(const auto echo_process,
                             ProcessRunner::Start(process));
  FRESHLINE_ASSIGN_OR_RETURN(
      const auto echo_client,
      RawTo(absl::StrCat("127.0.0.1:", echo_process->port())));
  FRESHLINE_ASSIGN_OR_RETURN(
      const SaturateResult result,
      Saturate(server, {echo_client.get(), request, echo_process.get()},
               flags.options));
  std::cout << absl::StrCat(
      keys, " keys, ", first.answer_bytes,
      " bytes answered: ", static_cast<int>(result.server.qps), " queries/s, ",
      result.server.server_cpu_us, " us CPU each; echo ",
      static_cast<int>(result.echo.qps), "/s, ", result.echo.server_cpu_us,
      " us; QPS ratio ", result.qps_ratio, ", CPU ratio ", result.cpu_ratio,
      " (medians of ", flags.options.repeats, ")\n");
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
  for (const int64_t keys : {1, 20}) {
    FRESHLINE_RETURN_IF_ERROR(SaturateOne(flags, daemon.get(), keys));
  }
  return absl::OkStatus();
}

struct CheckFlags {
  WorkloadOptions workload{"out/quickstart/trace/trace.csv",
                           "out/quickstart/tables", "auto", 20, 1};
  DaemonOptions daemon{
      "", "config/rees46.textproto", "", "out/check", "slo_aware", 2, 1, 1500};
};

// One replay of the slice; `beside` runs on its own thread meanwhile.
absl::StatusOr<LoadResult> ReplayBeside(
    Workload* workload, DaemonUnderTest* daemon, int round,
    const std::function<void(ProcessRunner*)>& beside) {
  FRESHLINE_ASSIGN_OR_RETURN(const PreparedSlice* prepared,
                             workload->Prepare(1));
  EncodeOptions encode;
  encode.producer = absl::StrCat("check-", round);
  encode.origin_us = base::Clock::Real().WallNowMicros();
  const EncodedQueries queries =
      EncodeQueries(prepared->slice.queries, workload->pool(), encode);
  LoadOptions load;
  load.target = daemon->target();
  load.served_feature = "next_items:items";
  FRESHLINE_ASSIGN_OR_RETURN(const auto runner, OpenLoopRunner::Create(load));
  std::thread other([&] {
    if (beside) beside(&daemon->process());
  });
  LoadResult result = runner->Run(queries.requests);
  other.join();
  return result;
}

void Spin(const std::atomic<bool>& stop) {
  volatile uint64_t x = 0;
  while (!stop.load(std::memory_order_relaxed)) x = x + 1;
}

absl::Status Check(CheckFlags flags) {
  flags.daemon.tables = flags.workload.tables;
  FRESHLINE_ASSIGN_OR_RETURN(const std::unique_ptr<Workload> workload,
                             LoadWorkload(flags.workload));
  FRESHLINE_ASSIGN_OR_RETURN(const std::unique_ptr<DaemonUnderTest> daemon,
                             DaemonUnderTest::Start(flags.daemon));
  const auto p99_ms = [](const LoadResult& r) {
    return static_cast<double>(r.latency_ns.Quantile(0.99)) / 1e6;
  };
  Say("1. as it is");
  FRESHLINE_ASSIGN_OR_RETURN(
      const LoadResult calm,
      ReplayBeside(workload.get(), daemon.get(), 1, nullptr));
  Say("2. the daemon is frozen for 200 ms, five times");
  FRESHLINE_ASSIGN_OR_RETURN(
      const LoadResult frozen,
      ReplayBeside(workload.get(), daemon.get(), 2, [](ProcessRunner* p) {
        base::EventFdWaker pause(base::Clock::Real());
        for (int i = 0; i < 5; ++i) {
          pause.WaitUntil(base::Clock::Real().Now() + std::chrono::seconds(2));
          p->Pause();
          pause.WaitUntil(base::Clock::Real().Now() +
                          std::chrono::milliseconds(200));
          p->Resume();
        }
      }));
  Say("3. a spinning thread on every core");
  std::atomic<bool> stop{false};
  std::vector<std::thread> spinners;
  for (unsigned i = 0; i < std::thread::hardware_concurrency(); ++i) {
    spinners.emplace_back([&stop] { Spin(stop); });
  }
  const absl::StatusOr<LoadResult> crowded =
      ReplayBeside(workload.get(), daemon.get(), 3, nullptr);
  stop = true;
  for (std::thread& t : spinners) t.join();
  FRESHLINE_RETURN_IF_ERROR(crowded.status());

  const auto line = [&](const char* name, const LoadResult& r) {
    std::cout << absl::StrCat(
        name, ": p99 ", p99_ms(r), " ms, violations ", r.violations.violations,
        " of ", r.violations.queries, " in ", r.violations.episodes,
        " episodes", r.client_limited ? ", client_limited" : "", "\n");
  };
  line("calm", calm);
  line("frozen 5 x 200 ms", frozen);
  line("spinners", *crowded);
  // A fifth of a second in twenty, five times: 5 % of the queries meet it.
  if (p99_ms(frozen) < 100 || frozen.violations.violations == 0) {
    return absl::InternalError(
        "a frozen daemon did not move p99: the instrument is blind");
  }
  if (crowded->violations.rate > 0.05) {
    return absl::InternalError(
        "spinning neighbours broke the guard: more than 5 % of the queries "
        "were late");
  }
  std::cout << "the instrument sees what it should\n";
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
      "Queries/s and server CPU per query for fresh rows, against the echo");
  auto f = std::make_shared<SaturateFlags>();
  f->daemon.binary = call.daemon;
  f->self = call.program;
  sub->add_option("--daemon", f->daemon.binary, "freshlined to start")
      ->capture_default_str();
  sub->add_option("--definitions", f->daemon.definitions, "Definitions")
      ->capture_default_str();
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

void AddCheck(CLI::App* app, const Invocation& call, Run* run) {
  CLI::App* sub = app->add_subcommand(
      "check",
      "Prove the instrument: freezing the daemon must show, spinning "
      "neighbours must not break the guard");
  auto f = std::make_shared<CheckFlags>();
  f->daemon.binary = call.daemon;
  sub->add_option("--daemon", f->daemon.binary, "freshlined to start")
      ->capture_default_str();
  sub->add_option("--definitions", f->daemon.definitions, "Definitions")
      ->capture_default_str();
  AddTraceFlags(sub, &f->workload);
  sub->add_option("--out", f->daemon.directory, "For logs")
      ->capture_default_str();
  sub->callback([f, run] { *run = [f] { return Check(*f); }; });
}

}  // namespace freshline::bench
