// SPDX-License-Identifier: Apache-2.0
#include "bench/commands/workload_flags.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/time_text.h"
#include "bench/replay/pooled.h"
#include "bench/report/summary_page.h"
#include "bench/trace/reader.h"
#include "bench/trace/workload_shape.h"
#include "version/version.h"

namespace freshline::bench {

void AddReadFlags(CLI::App* sub, double* share_max, base::TimeUnit* unit) {
  sub->add_option("--skipped-max", *share_max,
                  "Share of malformed rows of the trace that may be skipped; 1 "
                  "takes whatever can be read")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  sub->add_option_function<std::string>(
         "--time-unit",
         [unit](const std::string& text) {
           *unit = base::ParseTimeUnit(text).value_or(*unit);
         },
         "What the trace's times count where they are numbers")
      ->check(CLI::IsMember({"s", "ms", "us", "ns"}))
      ->default_str("us");
}

void AddDaemonFlags(CLI::App* sub, const Invocation& call,
                    DaemonOptions* options) {
  options->binary = call.daemon;
  sub->add_option("--daemon", options->binary, "freshlined to start")
      ->capture_default_str();
  sub->add_option("--definitions", options->definitions, "Definitions")
      ->capture_default_str();
}

void AddTraceFlags(CLI::App* sub, WorkloadOptions* options) {
  AddReadFlags(sub, &options->skipped_share_max, &options->time_unit);
  sub->add_option("--trace", options->trace, "REES46 CSV, plain or .gz")
      ->envname("FRESHLINE_REES46")
      ->capture_default_str();
  sub->add_option("--tables", options->tables, "Directory of items.fltab")
      ->capture_default_str();
  sub->add_option("--window", options->window,
                  "auto (the ten minutes after the rows that the table was "
                  "trained on) or START+SECONDS, as 2019-10-01T02:40:00+600")
      ->capture_default_str();
}

void AddSliceFlag(CLI::App* sub, WorkloadOptions* options) {
  sub->add_option("--slice", options->slice_seconds,
                  "Seconds of the window to replay; 0: all of it")
      ->capture_default_str();
  sub->add_option("--workload", options->workload,
                  "NAME or NAME:param=value,...: what the slice is made to "
                  "differ in from the trace" +
                      WorkloadHelp());
}

absl::StatusOr<std::unique_ptr<Workload>> LoadWorkload(
    const WorkloadOptions& options, std::shared_ptr<ListBook> book) {
  FRESHLINE_ASSIGN_OR_RETURN(std::unique_ptr<Workload> workload,
                             Workload::Load(options, std::move(book)));
  const ReadReport& read = workload->read_report();
  if (read.malformed > 0) {
    Say(absl::StrCat(read.malformed,
                     " malformed rows were skipped; the first:"
                     " line ",
                     read.examples[0].line, ": ", read.examples[0].reason));
  }
  if (read.out_of_order > 0) {
    Say(absl::StrCat(read.out_of_order,
                     " rows of the trace were earlier than the one before: "
                     "they were sorted by time"));
  }
  if (workload->trained_on_window()) {
    Say("the table was trained on rows of the window: hit rates come out too "
        "high; train with the same --window");
  }
  Say(absl::StrCat("window at ", base::FormatTime(workload->window().start_us),
                   ", slice of ", workload->slice_seconds(), " s, ",
                   workload->natural_rate(), " queries/s"));
  return workload;
}

ReportHeader HeaderOf(const Invocation& call) {
  ReportHeader header;
  header.command = call.command;
  header.commit = std::string(version::Commit());
  header.build = std::string(version::Build());
  header.machine = DescribeMachine();
  return header;
}

absl::Status WriteRuns(const Invocation& call,
                       const std::vector<RunReport>& runs,
                       const std::string& directory) {
  const ReportHeader header = HeaderOf(call);
  FRESHLINE_RETURN_IF_ERROR(WriteReport(header, runs, directory));
  return WriteSummaryPage(Summarise(header, runs), directory + "/report.html");
}

std::string ReportText(const std::vector<RunReport>& runs) {
  std::string text =
      absl::StrCat(ReportTable(runs), "\n", ReferenceTable(runs));
  const std::vector<PooledViolations> pools = PoolViolations(runs);
  if (!pools.empty()) absl::StrAppend(&text, "\n", PooledTable(pools));
  return text;
}

}  // namespace freshline::bench
