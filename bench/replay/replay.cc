// SPDX-License-Identifier: Apache-2.0
#include "bench/replay/replay.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <functional>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/histogram.h"
#include "base/status_macros.h"
#include "base/thread.h"
#include "base/waker.h"
#include "bench/load/open_loop.h"
#include "bench/load/stall_watcher.h"
#include "bench/replay/requests.h"
#include "bench/report/scored.h"
#include "bench/score/quality.h"
#include "bench/stats/fairness.h"
#include "bench/stats/violations.h"
#include "bench/trace/workload_shape.h"
#include "freshline/v1/feature_store.pb.h"
#include "registry/validate.h"

namespace freshline::bench {
namespace {

constexpr size_t kAnswerBytes = 400;  // of 20 items with their scores
// The feature services of tenants, the noisy one last.
constexpr std::array<const char*, 2> kTenants = {"recommend", "recommend_app"};
constexpr char kServedFeature[] = "next_items:items";
constexpr base::Duration kStartDelay = std::chrono::milliseconds(500);

base::Duration Millis(double ms) { return base::FromMillis(ms); }

RunReport::Quantiles QuantilesOf(const base::Histogram& h, double unit) {
  const auto at = [&](double q) {
    return static_cast<double>(h.Quantile(q)) / unit;
  };
  return {at(0.5),  at(0.9),   at(0.95),
          at(0.99), at(0.999), static_cast<double>(h.max()) / unit};
}

// Events of each query's user that were accepted before the answer came and
// that the answer had not seen: from the client's own ledger.
base::Histogram PendingOf(const Slice& slice, const LoadResult& load) {
  struct Sent {
    base::MonoTime received;  // of the answer that told the sequence
    uint64_t sequence;
  };
  std::unordered_map<int64_t, std::vector<Sent>> ledger;
  for (size_t i = 0; i < load.records.size(); ++i) {
    const QueryRecord& r = load.records[i];
    if (r.event_sequence > 0) {
      ledger[slice.queries[i].user].push_back({r.sent, r.event_sequence});
    }
  }
  base::Histogram pending;
  for (size_t i = 0; i < load.records.size(); ++i) {
    const QueryRecord& r = load.records[i];
    if (r.code != absl::StatusCode::kOk) continue;
    int64_t count = 0;
    for (const Sent& event : ledger[slice.queries[i].user]) {
      if (event.received <= r.received && event.sequence > r.as_of_sequence) {
        ++count;
      }
    }
    pending.Record(count);
  }
  return pending;
}

void FillServed(const Slice& slice, const LoadResult& load,
                int64_t mono_to_wall_us, RunReport* report) {
  report->queries = load.records.size();
  report->violations = load.violations.violations;
  report->violations_upper95 = load.violations.upper95;
  report->violation_episodes = load.violations.episodes;
  report->errors = load.errors;
  report->client_limited = load.client_limited;
  report->client_class = std::string(base::SchedClassName(load.sched_class));
  report->dispatch_lag_us_p99 =
      static_cast<double>(load.dispatch_lag_ns.Quantile(0.99)) / 1e3;
  report->latency_us = QuantilesOf(load.latency_ns, 1e3);
  report->pending = QuantilesOf(PendingOf(slice, load), 1);
  base::Histogram staleness_us;
  uint64_t fresh = 0;
  for (const QueryRecord& r : load.records) {
    if (r.Violated()) {
      ++report->obtained["VIOLATED"];
      continue;
    }
    ++report->obtained[v1::Obtained_Name(
        static_cast<v1::Obtained>(static_cast<int>(r.obtained)))];
    fresh += r.fidelity == Fidelity::kFull && r.event_sequence > 0 &&
             r.as_of_sequence >= r.event_sequence;
    if (r.as_of_us > 0) {
      const int64_t received_us =
          r.received.time_since_epoch().count() / 1000 + mono_to_wall_us;
      staleness_us.Record(received_us - r.as_of_us);
    }
  }
  report->staleness_ms = QuantilesOf(staleness_us, 1e3);
  report->fraction_fresh =
      static_cast<double>(fresh) /
      static_cast<double>(std::max<size_t>(1, load.records.size()));
}

std::vector<ServedList> ServedLists(const LoadResult& load) {
  std::vector<ServedList> served(load.records.size());
  for (size_t i = 0; i < served.size(); ++i) {
    served[i].in_time = !load.records[i].Violated();
    const auto items = load.ServedBy(i);
    served[i].items.assign(items.begin(), items.end());
  }
  return served;
}

void FillQuality(const PreparedSlice& prepared, const LoadResult& load,
                 RunReport* report) {
  report->quality = QualityOf(
      prepared.set, prepared.models,
      RankServed(prepared.set, ServedLists(load),
                 prepared.models[static_cast<size_t>(ModelRow::kPopularity)]));
}

// Worker time of each service and its weight, by name.
std::map<std::string, std::pair<double, double>> ServiceSeconds(
    const v1::GetStatusResponse& status) {
  std::map<std::string, std::pair<double, double>> services;
  for (const v1::ServiceStatus& s : status.services()) {
    services[s.service()] = {static_cast<double>(s.worker_us()) / 1e6,
                             s.weight()};
  }
  return services;
}

// A row for each class of queries.
void FillClasses(const PreparedSlice& prepared, const LoadResult& load,
                 const std::vector<std::string>& names,
                 const std::function<size_t(int64_t user)>& class_of,
                 RunReport* report) {
  const Ranks ranks =
      RankServed(prepared.set, ServedLists(load),
                 prepared.models[static_cast<size_t>(ModelRow::kPopularity)]);
  for (size_t index = 0; index < names.size(); ++index) {
    RunReport::Class c;
    c.name = names[index];
    QuerySet mine = prepared.set;
    mine.scored = 0;
    uint64_t fresh = 0;
    for (size_t i = 0; i < load.records.size(); ++i) {
      if (class_of(prepared.slice.queries[i].user) != index) {
        mine.queries[i].scored = false;
        continue;
      }
      const QueryRecord& r = load.records[i];
      const bool late = r.Violated();
      ++c.queries;
      c.violations += late;
      mine.scored += mine.queries[i].scored;
      fresh += !late && r.fidelity == Fidelity::kFull && r.event_sequence > 0 &&
               r.as_of_sequence >= r.event_sequence;
    }
    c.violations_upper95 = ClopperPearsonUpper(c.violations, c.queries);
    c.fraction_fresh = static_cast<double>(fresh) /
                       static_cast<double>(std::max<uint64_t>(1, c.queries));
    c.quality = QualityOf(mine, prepared.models, ranks);
    report->classes.push_back(std::move(c));
  }
}

// The worker time of each tenant's service, and how fairly it was shared: a
// service wants what its queries' rows take on average.
void FillTenants(const v1::GetStatusResponse& before,
                 const v1::GetStatusResponse& after, RunReport* report) {
  auto seconds_before = ServiceSeconds(before);
  auto seconds_after = ServiceSeconds(after);
  double all = 0;
  for (RunReport::Class& c : report->classes) {
    c.worker_s = seconds_after[c.name].first - seconds_before[c.name].first;
    all += c.worker_s;
  }
  const double per_row =
      all / static_cast<double>(std::max<uint64_t>(1, report->featurizations));
  std::vector<FlowUse> flows;
  for (const RunReport::Class& c : report->classes) {
    flows.push_back({c.worker_s, per_row * static_cast<double>(c.queries),
                     std::max(seconds_after[c.name].second, 1e-9)});
  }
  report->jain = FairnessIndex(flows);
}

void FillClassesOf(const Workload& workload, const PreparedSlice& prepared,
                   const LoadResult& load, const ReplayOptions& options,
                   const v1::GetStatusResponse& before,
                   const v1::GetStatusResponse& after, RunReport* report) {
  const WorkloadShape& shape = workload.shape();
  if (shape.kind() == WorkloadKind::kNoisyTenant) {
    FillClasses(
        prepared, load, {kTenants.begin(), kTenants.end()},
        [&](int64_t user) { return TenantOf(user, shape, options.seed); },
        report);
    FillTenants(before, after, report);
  }
  if (shape.kind() == WorkloadKind::kMixedSlo) {
    std::vector<std::string> names;
    for (const base::Duration slo : kMixedSlos) {
      names.push_back(absl::StrCat("SLO ", base::ToMillis(slo), " ms"));
    }
    FillClasses(
        prepared, load, names,
        [&](int64_t user) -> size_t {
          const base::Duration slo = SloOf(user, shape, options.seed, {});
          return static_cast<size_t>(
              std::find(std::begin(kMixedSlos), std::end(kMixedSlos), slo) -
              std::begin(kMixedSlos));
        },
        report);
  }
}

void FillStatus(const v1::GetStatusResponse& before,
                const v1::GetStatusResponse& after, RunReport* report) {
  const v1::SchedulerStatus& s = after.scheduler();
  report->policy = after.policy();
  report->workers = s.workers_usable();
  report->guard_us = static_cast<double>(s.guard_us());
  report->featurizations =
      s.rows_computed() - before.scheduler().rows_computed();
  report->wasted = s.rows_wasted() - before.scheduler().rows_wasted();
  report->decision_ns_p50 = static_cast<double>(s.decision_ns_p50());
  report->decision_ns_p99 = static_cast<double>(s.decision_ns_p99());
  for (const v1::FeaturizerStatus& f : after.featurizers()) {
    if (f.group() == "next_items") report->p99_coverage = f.p99_coverage();
  }
}

absl::StatusOr<v1::GetStatusResponse> StatusOf(const std::string& target) {
  ClientOptions options;
  options.target = target;
  FRESHLINE_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client,
                             Client::Create(options));
  FRESHLINE_ASSIGN_OR_RETURN(const DaemonStatus status, client->GetStatus());
  return status.proto();
}

absl::StatusOr<std::unique_ptr<ProcessRunner>> StartEcho(
    const ReplayOptions& options, const featurize::ItemTable& table) {
  ProcessOptions process;
  process.port_file = options.daemon.directory + "/echo.port";
  process.log_path = options.daemon.directory + "/echo.log";
  process.arguments = {
      options.self,
      "echo",
      "--listen=127.0.0.1:0",
      absl::StrCat("--answer-bytes=", kAnswerBytes),
      absl::StrCat("--scan-threads=", options.daemon.workers),
      absl::StrCat("--scan-bytes=", size_t{table.rows()} * table.dim()),
      "--port-file=" + process.port_file};
  return ProcessRunner::Start(process);
}

LoadOptions LoadFor(const std::string& target, const ReplayOptions& options,
                    bool is_echo) {
  LoadOptions load;
  load.target = target;
  load.slo = Millis(options.slo_ms);
  load.gap = Millis(options.gap_ms);
  load.send_budget = !is_echo && !options.ordinary_client;
  if (options.ordinary_client) load.sched_class = base::SchedClass::kNormal;
  if (!is_echo) load.served_feature = kServedFeature;
  return load;
}

// Whoever sends no budget has the SLO that the daemon was given.
absl::Status CheckOrdinary(const ReplayOptions& options,
                           const EncodedQueries& queries) {
  FRESHLINE_ASSIGN_OR_RETURN(
      const auto revision,
      registry::LoadDefinitions({options.daemon.definitions}));
  for (const char* const tenant : kTenants) {
    const registry::FeatureService* const service =
        revision->FindService(tenant);
    if (service == nullptr) continue;
    const base::Duration slo = service->plan->slo;
    bool same = slo == Millis(options.slo_ms);
    for (const LoadRequest& request : queries.requests) {
      same &= request.slo == base::Duration() || request.slo == slo;
    }
    if (same) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "--client ordinary sends no budget and has the SLO of the feature "
        "service: ",
        tenant, " in ", options.daemon.definitions, " has ",
        base::ToMillis(slo), " ms, which is not every query's; give --slo ",
        base::ToMillis(slo),
        " and a workload of one SLO, or definitions with "
        "another"));
  }
  return absl::OkStatus();
}

struct Measured {
  LoadResult daemon;
  LoadResult echo;
};

absl::StatusOr<Measured> SendAll(const ReplayOptions& options,
                                 const std::string& target,
                                 ProcessRunner* daemon, ProcessRunner* echo,
                                 const EncodedQueries& queries) {
  const LoadOptions load = LoadFor(target, options, false);
  Measured measured;
  if (echo == nullptr) {
    FRESHLINE_ASSIGN_OR_RETURN(const std::unique_ptr<OpenLoopRunner> runner,
                               OpenLoopRunner::Create(load));
    measured.daemon = runner->Run(queries.requests);
    return measured;
  }
  FRESHLINE_ASSIGN_OR_RETURN(
      AlternatingResult both,
      RunAlternating(
          {load, daemon},
          {LoadFor(absl::StrCat("127.0.0.1:", echo->port()), options, true),
           echo},
          queries.requests, Millis(options.echo_block_s * 1e3)));
  measured.daemon = std::move(both.daemon);
  measured.echo = std::move(both.echo);
  return measured;
}

// What was asked for, before anything was measured.
RunReport DescribeRun(const Workload& workload, const Slice& slice,
                      const ReplayOptions& options) {
  RunReport report;
  report.trace = {workload.options().trace,
                  workload.sha256(),
                  slice.queries.size(),
                  slice.users,
                  workload.table().rows(),
                  options.superpose,
                  workload.table().rows() - workload.table().items()};
  report.workload = workload.shape().Text();
  report.slo_ms = options.slo_ms;
  report.gap_ms = options.gap_ms;
  report.load = options.load;
  report.seed = options.seed;
  if (options.ordinary_client) report.client = "ordinary";
  report.duration_s = static_cast<double>(workload.slice_seconds());
  report.batch_max = options.daemon.batch_max;
  return report;
}

EncodedQueries Encode(const Workload& workload, const Slice& slice,
                      const ReplayOptions& options) {
  const base::Clock& clock = base::Clock::Real();
  EncodeOptions encode;
  encode.push_first = options.gap_ms > 0;
  encode.producer = absl::StrCat("replay-", clock.WallNowMicros());
  encode.origin_us = clock.WallNowMicros() + kStartDelay.count() / 1000;
  encode.services.assign(kTenants.begin(), kTenants.end());
  encode.service_of = [&](int64_t user) {
    return TenantOf(user, workload.shape(), options.seed);
  };
  encode.slo_of = [&](int64_t user) {
    return SloOf(user, workload.shape(), options.seed, Millis(options.slo_ms));
  };
  encode.storm = slice.storm;
  encode.report_outcomes = options.report_outcomes;
  return EncodeQueries(slice.queries, workload.pool(), encode);
}

}  // namespace

absl::StatusOr<RunReport> RunReplay(Workload* workload,
                                    const ReplayOptions& options) {
  const auto say = [&](const std::string& line) {
    if (options.progress) options.progress(line);
  };
  const base::Clock& clock = base::Clock::Real();
  FRESHLINE_ASSIGN_OR_RETURN(const PreparedSlice* prepared,
                             workload->Prepare(options.superpose));
  const Slice& slice = prepared->slice;
  std::unique_ptr<DaemonUnderTest> daemon;
  std::string target = options.target;
  if (target.empty()) {
    FRESHLINE_ASSIGN_OR_RETURN(daemon, DaemonUnderTest::Start(options.daemon));
    target = daemon->target();
  }
  FRESHLINE_ASSIGN_OR_RETURN(
      const WarmUpReport warm,
      WarmUp(target, slice.warm_up, workload->pool(), clock.WallNowMicros()));
  say(absl::StrCat("warmed up: ", warm.users, " users, ", warm.events,
                   " events in ", static_cast<int>(warm.seconds), " s"));
  std::unique_ptr<ProcessRunner> echo;
  if (options.echo_block_s > 0 && daemon != nullptr) {
    FRESHLINE_ASSIGN_OR_RETURN(echo, StartEcho(options, workload->table()));
  }
  const EncodedQueries queries = Encode(*workload, slice, options);
  if (options.ordinary_client) {
    FRESHLINE_RETURN_IF_ERROR(CheckOrdinary(options, queries));
  }
  FRESHLINE_ASSIGN_OR_RETURN(const v1::GetStatusResponse before,
                             StatusOf(target));
  say(absl::StrCat("sending ", slice.queries.size(), " queries in ",
                   workload->slice_seconds(), " s",
                   echo != nullptr ? ", in turns with the echo" : ""));
  StallWatcher stalls;
  FRESHLINE_ASSIGN_OR_RETURN(
      const Measured measured,
      SendAll(options, target, daemon == nullptr ? nullptr : &daemon->process(),
              echo.get(), queries));
  const StallDetector seen = stalls.Stop();
  if (options.report_outcomes) {
    say(absl::StrCat("callers reported ", measured.daemon.reports,
                     " outcomes, of which ", measured.daemon.report_errors,
                     " failed"));
  }
  FRESHLINE_ASSIGN_OR_RETURN(const v1::GetStatusResponse after,
                             StatusOf(target));

  RunReport report = DescribeRun(*workload, slice, options);
  report.stalls = seen.count();
  report.stall_ms_max = base::ToMillis(seen.longest());
  FillStatus(before, after, &report);
  report.approximate = options.daemon.approximate;
  FillServed(
      slice, measured.daemon,
      clock.WallNowMicros() - clock.Now().time_since_epoch().count() / 1000,
      &report);
  FillQuality(*prepared, measured.daemon, &report);
  FillClassesOf(*workload, *prepared, measured.daemon, options, before, after,
                &report);
  report.echo = {measured.echo.violations.queries,
                 measured.echo.violations.violations,
                 measured.echo.violations.upper95};
  return report;
}

absl::StatusOr<double> MeasureCapacity(Workload* workload,
                                       DaemonOptions options) {
  constexpr size_t kUsers = 8000;  // below the bound on queued rows
  constexpr base::Duration kPoll = std::chrono::milliseconds(100);
  constexpr int kLooksForRows = 20;
  options.policy = "eager_fifo";
  options.batch_max = 1;
  options.directory += "/capacity";
  FRESHLINE_ASSIGN_OR_RETURN(const Slice slice, workload->CutMix(10));
  // The state of each user at its query, as the replay will see it.
  std::vector<Click> clicks;
  absl::flat_hash_set<int64_t> users;
  for (const Click& c : slice.queries) {
    if (users.size() < kUsers) users.insert(c.user);
  }
  for (const auto* part : {&slice.warm_up, &slice.queries}) {
    for (const Click& c : *part) {
      if (users.contains(c.user)) clicks.push_back(c);
    }
  }
  FRESHLINE_ASSIGN_OR_RETURN(const std::unique_ptr<DaemonUnderTest> daemon,
                             DaemonUnderTest::Start(options));
  const base::Clock& clock = base::Clock::Real();
  EncodeOptions encode;
  encode.producer.clear();
  encode.origin_us = clock.WallNowMicros() - 120'000'000;
  client::RawOptions raw;
  raw.target = daemon->target();
  FRESHLINE_ASSIGN_OR_RETURN(const std::unique_ptr<client::RawClient> client,
                             client::RawClient::Create(raw));
  base::EventFdWaker pushed(clock);
  constexpr size_t kPerPush = 5000;
  for (size_t i = 0; i < clicks.size(); i += kPerPush) {
    client->Send(client::Method::kPushEvents,
                 EncodePush(clicks, i, std::min(clicks.size(), i + kPerPush),
                            workload->pool(), encode),
                 clock.Now() + std::chrono::seconds(30),
                 [&](const absl::Status&, absl::string_view, base::MonoTime) {
                   pushed.Wake();
                 });
    pushed.WaitUntil(clock.Now() + std::chrono::seconds(30));
  }
  // Between two looks with rows left to compute, every worker was busy.
  base::EventFdWaker pause(clock);
  std::optional<std::pair<base::MonoTime, uint64_t>> first;
  std::pair<base::MonoTime, uint64_t> last;
  for (int look = 0; look < 600; ++look) {
    FRESHLINE_ASSIGN_OR_RETURN(const v1::GetStatusResponse status,
                               daemon->Status());
    if (status.scheduler().jobs_queued() == 0) {
      // The counters lag behind what was just pushed.
      if (first.has_value() || look >= kLooksForRows) break;
      pause.WaitUntil(clock.Now() + kPoll);
      continue;
    }
    const uint64_t computed = status.scheduler().rows_computed();
    if (!first.has_value() || computed > last.second) {
      last = {clock.Now(), computed};
    }
    if (!first.has_value()) first = last;
    pause.WaitUntil(clock.Now() + kPoll);
  }
  if (!first.has_value() || last.second <= first->second) {
    return absl::UnavailableError(
        "the workers were done before they could be timed: the slice has too "
        "few users");
  }
  return static_cast<double>(last.second - first->second) /
         (base::ToMillis(last.first - first->first) / 1e3);
}

}  // namespace freshline::bench
