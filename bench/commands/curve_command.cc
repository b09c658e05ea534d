// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "base/output_file.h"
#include "base/status_macros.h"
#include "bench/commands/commands.h"
#include "bench/commands/workload_flags.h"
#include "bench/replay/workload.h"
#include "bench/score/value_loss.h"
#include "staleness/value_curve.h"

namespace freshline::bench {
namespace {

constexpr base::FileKind kValueCurveKind = {
    "value curve", [](absl::string_view head) {
      return absl::StartsWith(head, "freshline-value-curve ");
    }};

struct Flags {
  WorkloadOptions workload{"out/quickstart/trace/trace.csv",
                           "out/quickstart/tables", "auto", 60, 1};
  ValueLossOptions loss;
  double superpose = 1;
  std::string out = "out/curve.txt";
};

std::string Table(const ValueLossCurve& curve) {
  std::string table = absl::StrFormat("%8s %8s", "n from", "queries");
  size_t columns = 0;
  for (const ValueLossCurve::Bucket& b : curve.buckets) {
    columns = std::max(columns, b.cells.size());
  }
  for (size_t j = 1; j <= columns; ++j) {
    absl::StrAppendFormat(&table, "  lacks %d", j);
  }
  table += "\n";
  for (const ValueLossCurve::Bucket& b : curve.buckets) {
    absl::StrAppendFormat(&table, "%8d %8d", b.clicks_min,
                          b.cells.empty() ? 0 : b.cells[0].queries);
    for (const ValueLossCurve::Cell& cell : b.cells) {
      absl::StrAppendFormat(&table, " %8.4f", cell.loss);
    }
    table += "\n";
  }
  return table;
}

absl::Status Learn(const Flags& flags) {
  FRESHLINE_ASSIGN_OR_RETURN(const std::unique_ptr<Workload> workload,
                             LoadWorkload(flags.workload));
  Say(absl::StrFormat("scoring the models of a slice of %d s",
                      workload->slice_seconds()));
  FRESHLINE_ASSIGN_OR_RETURN(const PreparedSlice* prepared,
                             workload->Prepare(flags.superpose));
  const Slice& slice = prepared->slice;
  const ScoringTrace trace{prepared->clicks, slice.warm_up.size(),
                           slice.warm_up.size() + slice.queries.size()};
  StateRanker ranker(trace, workload->pool(), prepared->set, prepared->models,
                     workload->book(), ScoreOptions{});
  Say(absl::StrFormat("%d scored queries, without their newest 1 to %d clicks",
                      prepared->set.scored, flags.loss.missing_max));
  const Ranks& fresh = prepared->models[static_cast<size_t>(ModelRow::kFresh)];
  FRESHLINE_ASSIGN_OR_RETURN(
      const ValueLossCurve curve,
      MeasureValueLoss(prepared->set, fresh, flags.loss, &ranker));
  const std::string text = curve.Text(absl::StrFormat(
      "hit rate at %d lost; %d queries, %d s from %d s Unix time, seed %d",
      kListLength, curve.queries, workload->slice_seconds(),
      workload->window().start_us / 1'000'000, flags.workload.seed));
  FRESHLINE_RETURN_IF_ERROR(
      staleness::ValueCurve::Parse(text, flags.out).status());
  const auto directory = std::filesystem::path(flags.out).parent_path();
  std::error_code error;
  if (!directory.empty()) std::filesystem::create_directories(directory, error);
  FRESHLINE_RETURN_IF_ERROR(
      base::WriteOutputFile(flags.out, text, kValueCurveKind));
  std::cout << Table(curve);
  const int64_t learned_until_s =
      workload->window().start_us / 1'000'000 + workload->slice_seconds();
  Say("judge policies by it on later rows only, from " +
      absl::FormatTime("%Y-%m-%dT%H:%M:%S",
                       absl::FromUnixSeconds(learned_until_s),
                       absl::UTCTimeZone()) +
      "+SECONDS (--window) on");
  Say("wrote " + flags.out);
  return absl::OkStatus();
}

}  // namespace

void AddLearnCurve(CLI::App* app, const Invocation& /*call*/, Run* run) {
  CLI::App* sub = app->add_subcommand(
      "learn-curve",
      "Measure what lists lose whose rows lack a user's newest clicks, and "
      "write it as a value curve: for simulate --metric curve:FILE and for "
      "definitions (docs/staleness.md). Measure on other rows than the table "
      "was trained on, and judge policies on later ones");
  auto f = std::make_shared<Flags>();
  AddTraceFlags(sub, &f->workload);
  AddSliceFlag(sub, &f->workload);
  sub->add_option("--superpose", f->superpose,
                  "Times the trace's own rate, by more users at real gaps")
      ->capture_default_str();
  sub->add_option("--missing", f->loss.missing_max,
                  "Clicks that a row lacks, at most")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  sub->add_option("--shrinkage", f->loss.shrinkage,
                  "Queries with the mean loss that each cell is mixed with")
      ->check(CLI::Range(0.0, 1e9))
      ->capture_default_str();
  sub->add_option("-o,--out", f->out, "File to write")->capture_default_str();
  sub->callback([f, run] { *run = [f] { return Learn(*f); }; });
}

}  // namespace freshline::bench
