// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "bench/commands/commands.h"
#include "bench/commands/workload_flags.h"
#include "bench/report/run_report.h"
#include "bench/report/summary_page.h"

namespace freshline::bench {
namespace {

struct Flags {
  std::vector<std::string> files;
  std::string out;
};

// A directory stands for what a study or a comparison wrote into it.
std::string FileOf(const std::string& path) {
  if (!std::filesystem::is_directory(path)) return path;
  for (const char* name : {"/study.json", "/report.json"}) {
    if (std::filesystem::exists(path + name)) return path + name;
  }
  return path + "/report.json";
}

absl::StatusOr<Summary> SummaryOf(const std::vector<std::string>& files) {
  LoadedReport all;
  for (const std::string& file : files) {
    if (absl::EndsWith(file, "study.json")) {
      if (files.size() == 1) return LoadSummary(file);
      return absl::InvalidArgumentError(absl::StrCat(
          file, ": a study's points are pooled already: render it alone"));
    }
    FRESHLINE_ASSIGN_OR_RETURN(LoadedReport report, LoadReportFile(file));
    if (all.runs.empty()) {
      all.header = report.header;
    } else if (all.header.commit != report.header.commit) {
      absl::StrAppend(&all.header.commit, ", ", report.header.commit);
    }
    all.runs.insert(all.runs.end(),
                    std::make_move_iterator(report.runs.begin()),
                    std::make_move_iterator(report.runs.end()));
  }
  if (all.runs.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(files[0], ": there are no runs in it"));
  }
  std::cout << ReportText(all.runs);
  return Summarise(all.header, all.runs);
}

absl::Status Report(const Flags& flags) {
  std::vector<std::string> files;
  for (const std::string& path : flags.files) files.push_back(FileOf(path));
  FRESHLINE_ASSIGN_OR_RETURN(const Summary summary, SummaryOf(files));
  std::string out = flags.out;
  if (out.empty()) {
    out = std::filesystem::path(files[0]).replace_extension(".html").string();
  }
  FRESHLINE_RETURN_IF_ERROR(WriteSummaryPage(summary, out));
  Say("wrote " + out);
  return absl::OkStatus();
}

}  // namespace

void AddReport(CLI::App* app, const Invocation&, Run* run) {
  CLI::App* sub = app->add_subcommand(
      "report",
      "Print the tables of reports, and draw them as one HTML page that needs "
      "nothing else: of report.json files, which are taken together, or of one "
      "study.json");
  auto f = std::make_shared<Flags>();
  sub->add_option("files", f->files, "Files, or the directories they are in")
      ->required();
  sub->add_option("--out", f->out,
                  "The page; default: beside the first file, named .html");
  sub->callback([f, run] { *run = [f] { return Report(*f); }; });
}

}  // namespace freshline::bench
