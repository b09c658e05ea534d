// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/clock.h"
#include "base/output_file.h"
#include "base/status_macros.h"
#include "bench/commands/commands.h"
#include "bench/shelf/shelf.h"
#include "bench/stats/output_kinds.h"
#include "bench/whatif/recorded_run.h"
#include "bench/whatif/what_if.h"
#include "record/decision_log_reader.h"
#include "schedule/recorder.h"

namespace freshline::bench {
namespace {

// "as recorded by commit abc: slo_aware, 2 workers".
std::string Describe(const record::v1::Header& header) {
  return absl::StrFormat("%s, %u workers, definitions %s, commit %s",
                         header.policy().name(), header.workers(),
                         header.definitions(), header.commit());
}

absl::Status VerifyLog(const std::string& path) {
  FRESHLINE_ASSIGN_OR_RETURN(
      const std::unique_ptr<record::DecisionLogReader> log,
      record::DecisionLogReader::Open(path));
  const record::v1::Header& header = log->header();
  FRESHLINE_ASSIGN_OR_RETURN(const schedule::PolicyConfig config,
                             record::PolicyOf(header, ShelfCatalogue()));
  FRESHLINE_ASSIGN_OR_RETURN(std::vector<schedule::FlowTraits> flows,
                             record::FlowsOf(header));
  estimate::Estimator::Options options;
  if (header.half_life_runs() > 0) {
    options.half_life_runs = header.half_life_runs();
  }
  estimate::Estimator estimator(options);
  const std::unique_ptr<schedule::Policy> policy = schedule::MakePolicy(
      config, &estimator, record::GroupsOf(header), std::move(flows));
  schedule::Replayer replayer(policy.get(), &estimator);
  Say("replaying " + Describe(header));
  schedule::RecordedCall call;
  const base::MonoTime began = base::Clock::Real().Now();
  while (true) {
    FRESHLINE_ASSIGN_OR_RETURN(const bool more, log->Next(&call));
    if (!more || !replayer.Take(call)) break;
  }
  const schedule::ReplayResult& result = replayer.result();
  const double seconds =
      base::ToMillis(base::Clock::Real().Now() - began) / 1e3;
  if (result.differs_at) {
    return absl::InternalError(absl::StrCat(
        "the replay differs after ", result.calls, " calls, ",
        base::ToMillis(call.now.time_since_epoch()),
        " ms on the daemon's clock: ", result.difference,
        ". A log of another commit than this program's may well differ"));
  }
  std::cout << absl::StrFormat(
      "%d calls with %d decisions replayed decision for decision, in %.1f s\n",
      result.calls, result.actions, seconds);
  if (!log->complete()) std::cout << "the log is " << log->end() << "\n";
  return absl::OkStatus();
}

struct WhatIfFlags {
  std::string log;
  std::vector<std::string> policies;
  std::vector<uint32_t> workers;
  std::vector<double> slos_ms;
  std::vector<uint32_t> batches;
  double guard_shift_ms = 0;
  std::vector<double> budgets_ppm;
  double skip_s = 0;
  double last_s = 0;
  std::string json;
};

struct Row {
  std::string what;
  uint64_t tickets = 0;
  uint64_t late = 0;
  double fresh = 0;
  double captured = 0;
  double rows_per_query = 0;
  double cpu_s = 0;
  double utilisation = 0;
  double p50_ms = 0;
  double p99_ms = 0;
  double price = 0;
};

double Quantile(std::vector<base::Duration> times, double q) {
  if (times.empty()) return 0;
  std::sort(times.begin(), times.end());
  const auto i = static_cast<size_t>(q * static_cast<double>(times.size()));
  return base::ToMillis(times[std::min(i, times.size() - 1)]);
}

double PerQuery(uint64_t rows, uint64_t tickets) {
  return static_cast<double>(rows) /
         static_cast<double>(std::max<uint64_t>(1, tickets));
}

Row RecordedRow(const RecordedRun& run) {
  const RecordedRun::Outcome& o = run.outcome;
  const double all = static_cast<double>(run.span.count()) *
                     std::max(1U, run.header.workers());
  Row row;
  row.what = "recorded";
  row.tickets = o.tickets;
  row.fresh = PerQuery(o.refreshed, o.needs);
  row.captured = o.gain_offered > 0 ? o.gain_captured / o.gain_offered : 1;
  row.rows_per_query = PerQuery(o.rows_computed, o.tickets);
  row.cpu_s = base::ToMillis(o.busy) / 1e3;
  row.utilisation = all > 0 ? static_cast<double>(o.busy.count()) / all : 0;
  row.p50_ms = Quantile(o.decision, 0.5);
  row.p99_ms = Quantile(o.decision, 0.99);
  return row;
}

Row RowOf(const std::string& what, const WhatIfResult& r) {
  Row row;
  row.what = what;
  row.tickets = r.tickets;
  row.late = r.late;
  row.fresh = r.fraction_fresh();
  row.captured = r.captured();
  row.rows_per_query = PerQuery(r.rows_computed, r.tickets);
  row.cpu_s = base::ToMillis(r.busy) / 1e3;
  row.utilisation = r.utilisation();
  row.p50_ms = static_cast<double>(r.decision_ns.Quantile(0.5)) / 1e6;
  row.p99_ms = static_cast<double>(r.decision_ns.Quantile(0.99)) / 1e6;
  row.price = r.price_mean;
  return row;
}

std::string Table(const std::vector<Row>& rows) {
  std::string table =
      absl::StrFormat("%-34s %8s %6s %7s %9s %7s %8s %6s %7s %7s %8s\n",
                      "settings", "queries", "late", "fresh", "captured",
                      "rows/q", "CPU s", "busy", "p50 ms", "p99 ms", "price");
  for (const Row& r : rows) {
    const bool recorded = r.what == "recorded";
    absl::StrAppendFormat(
        &table,
        "%-34s %8d %6s %6.1f%% %8.1f%% %7.3f %8.1f %5.0f%% %7.2f %7.2f %8s\n",
        r.what, r.tickets, recorded ? "-" : absl::StrCat(r.late), 100 * r.fresh,
        100 * r.captured, r.rows_per_query, r.cpu_s, 100 * r.utilisation,
        r.p50_ms, r.p99_ms, recorded ? "-" : absl::StrFormat("%.4f", r.price));
  }
  return table;
}

nlohmann::json JsonOf(const Row& r) {
  return {{"settings", r.what},
          {"queries", r.tickets},
          {"violations", r.late},
          {"fraction_fresh", r.fresh},
          {"value_captured", r.captured},
          {"featurizations_per_query", r.rows_per_query},
          {"cpu_s", r.cpu_s},
          {"utilisation", r.utilisation},
          {"decision_ms", {{"p50", r.p50_ms}, {"p99", r.p99_ms}}},
          {"price", r.price}};
}

struct Asked {
  std::string what;
  WhatIfSettings settings;
};

// Every combination of what was asked; what was not stays as recorded.
absl::StatusOr<std::vector<Asked>> Combine(const WhatIfFlags& flags) {
  std::vector<Asked> all = {{"as recorded, in the simulator", {}}};
  all[0].settings.skip = base::FromMillis(flags.skip_s * 1e3);
  const auto widen = [&all](size_t n, const auto& set) {
    if (n == 0) return;
    const std::vector<Asked> before(all.begin() + 1, all.end());
    const std::vector<Asked> bases =
        before.empty() ? std::vector<Asked>{{"", all[0].settings}} : before;
    all.resize(1);
    for (const Asked& base : bases) {
      for (size_t i = 0; i < n; ++i) {
        Asked next = base;
        const std::string said = set(i, &next.settings);
        next.what += (next.what.empty() ? "" : ", ") + said;
        all.push_back(std::move(next));
      }
    }
  };
  std::vector<schedule::PolicyConfig> policies;
  for (const std::string& name : flags.policies) {
    FRESHLINE_ASSIGN_OR_RETURN(schedule::PolicyConfig policy,
                               ShelfCatalogue().Find(name));
    policies.push_back(std::move(policy));
  }
  widen(policies.size(), [&](size_t i, WhatIfSettings* s) {
    s->policy = policies[i];
    return policies[i].name;
  });
  widen(flags.workers.size(), [&](size_t i, WhatIfSettings* s) {
    s->workers = flags.workers[i];
    return absl::StrCat(flags.workers[i], " workers");
  });
  widen(flags.slos_ms.size(), [&](size_t i, WhatIfSettings* s) {
    s->slo = base::FromMillis(flags.slos_ms[i]);
    return absl::StrCat("SLO ", flags.slos_ms[i], " ms");
  });
  widen(flags.batches.size(), [&](size_t i, WhatIfSettings* s) {
    s->batch_max = flags.batches[i];
    return absl::StrCat("batches of ", flags.batches[i]);
  });
  widen(flags.budgets_ppm.size(), [&](size_t i, WhatIfSettings* s) {
    s->budget = flags.budgets_ppm[i] / 1e6;
    return absl::StrCat("budget ", flags.budgets_ppm[i], " ppm");
  });
  const double shift_ms[] = {flags.guard_shift_ms};
  widen(flags.guard_shift_ms != 0 ? 1 : 0, [&](size_t i, WhatIfSettings* s) {
    s->guard_shift = base::FromMillis(shift_ms[i]);
    return absl::StrCat("guard + ", shift_ms[i], " ms");
  });
  return all;
}

absl::Status AskWhatIf(const Invocation& call, WhatIfFlags flags) {
  Say("reading " + flags.log);
  if (flags.last_s > 0) {
    FRESHLINE_ASSIGN_OR_RETURN(const RecordedRun all,
                               LoadRecordedRun(flags.log));
    flags.skip_s = std::max(0.0, base::ToMillis(all.span) / 1e3 - flags.last_s);
  }
  FRESHLINE_ASSIGN_OR_RETURN(const std::vector<Asked> asked, Combine(flags));
  FRESHLINE_ASSIGN_OR_RETURN(
      const RecordedRun run,
      LoadRecordedRun(flags.log, base::FromMillis(flags.skip_s * 1e3)));
  Say(absl::StrFormat("%d queries that waited and %d events in %.1f s; %s",
                      run.outcome.tickets,
                      run.inputs.size() - run.outcome.tickets,
                      base::ToMillis(run.span) / 1e3, Describe(run.header)));
  if (run.end != "closed") Say("the log is " + run.end);
  std::vector<Row> rows = {RecordedRow(run)};
  for (size_t i = 0; i < asked.size(); ++i) {
    Say(absl::StrCat("run ", i + 1, " of ", asked.size(), ": ", asked[i].what));
    FRESHLINE_ASSIGN_OR_RETURN(
        const WhatIfResult result,
        WhatIf(run, asked[i].settings, ShelfCatalogue()));
    rows.push_back(RowOf(asked[i].what, result));
  }
  std::cout << Table(rows)
            << "fresh and captured are of the queries that waited when it was "
               "recorded: captured is the share of what their refreshes were "
               "worth to the policy, which stands for the gap closed\n";
  if (flags.json.empty()) return absl::OkStatus();
  nlohmann::json json = {{"schema", 1},
                         {"command", call.command},
                         {"log", flags.log},
                         {"log_end", run.end},
                         {"recorded", JsonOf(rows[0])}};
  for (size_t i = 1; i < rows.size(); ++i) {
    json["runs"].push_back(JsonOf(rows[i]));
  }
  FRESHLINE_RETURN_IF_ERROR(
      base::WriteOutputFile(flags.json, json.dump(1) + "\n", kWhatIfKind));
  Say("wrote " + flags.json);
  return absl::OkStatus();
}

}  // namespace

void AddVerifyLog(CLI::App* app, const Invocation& /*call*/, Run* run) {
  CLI::App* sub = app->add_subcommand(
      "verify-log",
      "Replay the decision log of a daemon in a fresh policy, which has to "
      "decide the same at every call");
  auto path = std::make_shared<std::string>();
  sub->add_option("log", *path, "File that decision_log.path named")
      ->required();
  sub->callback([path, run] { *run = [path] { return VerifyLog(*path); }; });
}

void AddWhatIf(CLI::App* app, const Invocation& call, Run* run) {
  CLI::App* sub = app->add_subcommand(
      "whatif",
      "Replay a daemon's decision log in virtual time under other settings, "
      "with run times as recorded: violations, freshness and CPU before "
      "anyone deploys them. Lists are separated by commas; several flags are "
      "combined");
  auto f = std::make_shared<WhatIfFlags>();
  sub->add_option("--log", f->log, "File that decision_log.path named")
      ->required();
  sub->add_option("--policy", f->policies,
                  "Policies; simulate --list-policies lists them")
      ->delimiter(',');
  sub->add_option("--workers", f->workers, "Worker threads")->delimiter(',');
  sub->add_option("--slo", f->slos_ms, "Milliseconds, of every service")
      ->delimiter(',');
  sub->add_option("--batch", f->batches, "Rows computed together, at most")
      ->delimiter(',');
  sub->add_option("--budget", f->budgets_ppm,
                  "Late answers in a million (violation_budget_ppm): answers "
                  "leave earlier or later, as the recorded overshoots say")
      ->delimiter(',');
  sub->add_option("--guard-shift", f->guard_shift_ms,
                  "Milliseconds that answers leave earlier than recorded");
  sub->add_option("--last", f->last_s,
                  "Seconds at the end of the log that count; 0: all of it. "
                  "What replay --record records ends with its slice")
      ->check(CLI::Range(0.0, 86'400.0));
  sub->add_option("--skip", f->skip_s,
                  "Seconds of the log that count in nothing, as a warm-up")
      ->check(CLI::Range(0.0, 86'400.0));
  sub->add_option("--json", f->json, "File for the same as JSON");
  sub->callback(
      [f, call, run] { *run = [f, call] { return AskWhatIf(call, *f); }; });
}

}  // namespace freshline::bench
