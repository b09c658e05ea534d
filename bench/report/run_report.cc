// SPDX-License-Identifier: Apache-2.0
#include "bench/report/run_report.h"

#include <sys/utsname.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/output_file.h"
#include "base/status_macros.h"
#include "bench/stats/output_kinds.h"

namespace freshline::bench {
namespace {

using nlohmann::json;

json QuantilesJson(const RunReport::Quantiles& q) {
  return {{"p50", q.p50}, {"p90", q.p90},   {"p95", q.p95},
          {"p99", q.p99}, {"p999", q.p999}, {"max", q.max}};
}

RunReport::Quantiles ParseQuantiles(const json& j) {
  return {j.at("p50"), j.at("p90"),  j.at("p95"),
          j.at("p99"), j.at("p999"), j.at("max")};
}

json QualityJson(const RunReport::Quality& q) {
  json j = {{"hr20", q.hr20},
            {"mrr20", q.mrr20},
            {"ndcg20", q.ndcg20},
            {"hr20_infinite", q.hr20_infinite},
            {"hr20_never", q.hr20_never},
            {"hr20_covisitation", q.hr20_covisitation},
            {"hr20_cheap", q.hr20_cheap},
            {"hr20_popularity", q.hr20_popularity},
            {"hr20_own_items", q.hr20_own_items},
            {"hr20_minus_one", q.hr20_minus_one},
            {"gap_closed", q.gap_closed},
            {"gap_closed_ci95", {q.gap_closed_low, q.gap_closed_high}},
            {"scored", q.scored}};
  if (q.value_captured) j["value_captured"] = *q.value_captured;
  if (q.value_bound) j["value_bound"] = *q.value_bound;
  return j;
}

RunReport::Quality ParseQuality(const json& j) {
  RunReport::Quality q;
  q.hr20 = j.at("hr20");
  q.mrr20 = j.at("mrr20");
  q.ndcg20 = j.at("ndcg20");
  q.hr20_infinite = j.at("hr20_infinite");
  q.hr20_never = j.at("hr20_never");
  q.hr20_covisitation = j.at("hr20_covisitation");
  q.hr20_cheap = j.at("hr20_cheap");
  q.hr20_popularity = j.at("hr20_popularity");
  q.hr20_own_items = j.at("hr20_own_items");
  q.hr20_minus_one = j.at("hr20_minus_one");
  q.gap_closed = j.at("gap_closed");
  q.gap_closed_low = j.at("gap_closed_ci95").at(0);
  q.gap_closed_high = j.at("gap_closed_ci95").at(1);
  q.scored = j.at("scored");
  const auto optional = [&](const char* name) -> std::optional<double> {
    if (!j.contains(name)) return std::nullopt;
    return j.at(name).get<double>();
  };
  q.value_captured = optional("value_captured");
  q.value_bound = optional("value_bound");
  return q;
}

json RunJson(const RunReport& r) {
  json j = {
      {"kind", r.kind},
      {"policy", r.policy},
      {"trace",
       {{"path", r.trace.path},
        {"sha256", r.trace.sha256},
        {"queries", r.trace.queries},
        {"users", r.trace.users},
        {"items", r.trace.items},
        {"superpose", r.trace.superpose},
        {"padded_items", r.trace.padded_items}}},
      {"workload", r.workload},
      {"metric", r.metric},
      {"approximate", r.approximate},
      {"slo_ms", r.slo_ms},
      {"gap_ms", r.gap_ms},
      {"load", r.load},
      {"seed", r.seed},
      {"duration_s", r.duration_s},
      {"client_limited", r.client_limited},
      {"client", r.client},
      {"client_class", r.client_class},
      {"dispatch_lag_us", {{"p99", r.dispatch_lag_us_p99}}},
      {"guard_us", r.guard_us},
      {"workers", r.workers},
      {"batch_max", r.batch_max},
      {"queries", r.queries},
      {"violations", r.violations},
      {"violations_upper95", r.violations_upper95},
      {"violation_episodes", r.violation_episodes},
      {"errors", r.errors},
      {"stalls", {{"count", r.stalls}, {"max_ms", r.stall_ms_max}}},
      {"echo",
       {{"requests", r.echo.requests},
        {"violations", r.echo.violations},
        {"upper95", r.echo.upper95}}},
      {"latency_us", QuantilesJson(r.latency_us)},
      {"quality", QualityJson(r.quality)},
      {"obtained", r.obtained},
      {"pending", QuantilesJson(r.pending)},
      {"age_ms", QuantilesJson(r.staleness_ms)},
      {"fraction_fresh", r.fraction_fresh},
      {"featurizations", r.featurizations},
      {"wasted", r.wasted},
      {"decision_ns", {{"p50", r.decision_ns_p50}, {"p99", r.decision_ns_p99}}},
      {"calibration",
       {{"p99_coverage", r.p99_coverage},
        {"windows", r.p99_coverage_windows}}}};
  if (r.jain) j["jain"] = *r.jain;
  for (const RunReport::Class& c : r.classes) {
    j["classes"].push_back({{"name", c.name},
                            {"queries", c.queries},
                            {"violations", c.violations},
                            {"violations_upper95", c.violations_upper95},
                            {"fraction_fresh", c.fraction_fresh},
                            {"worker_s", c.worker_s},
                            {"quality", QualityJson(c.quality)}});
  }
  return j;
}

// What reports of schema 1 had not from the beginning.
void ParseLaterNames(const json& j, RunReport* r) {
  r->workload = j.value("workload", "");
  r->metric = j.value("metric", "");
  r->approximate = j.value("approximate", false);
  r->p99_coverage_windows =
      j.at("calibration").value("windows", std::vector<double>{});
  if (j.contains("jain")) r->jain = j.at("jain").get<double>();
  for (const json& c : j.value("classes", json::array())) {
    r->classes.push_back({c.at("name"), c.at("queries"), c.at("violations"),
                          c.at("violations_upper95"), c.at("fraction_fresh"),
                          c.at("worker_s"), ParseQuality(c.at("quality"))});
  }
}

RunReport RunOf(const json& j) {
  RunReport r;
  r.kind = j.at("kind");
  r.policy = j.at("policy");
  const json& trace = j.at("trace");
  r.trace = {trace.at("path"),        trace.at("sha256"), trace.at("queries"),
             trace.at("users"),       trace.at("items"),  trace.at("superpose"),
             trace.at("padded_items")};
  r.slo_ms = j.at("slo_ms");
  r.gap_ms = j.at("gap_ms");
  r.load = j.at("load");
  r.seed = j.at("seed");
  r.duration_s = j.at("duration_s");
  r.client_limited = j.at("client_limited");
  r.client = j.value("client", "");
  r.client_class = j.value("client_class", "");
  r.dispatch_lag_us_p99 = j.at("dispatch_lag_us").at("p99");
  r.guard_us = j.at("guard_us");
  r.workers = j.at("workers");
  r.batch_max = j.at("batch_max");
  r.queries = j.at("queries");
  r.violations = j.at("violations");
  r.violations_upper95 = j.at("violations_upper95");
  r.violation_episodes = j.at("violation_episodes");
  r.errors = j.at("errors");
  r.stalls = j.at("stalls").at("count");
  r.stall_ms_max = j.at("stalls").at("max_ms");
  r.echo = {j.at("echo").at("requests"), j.at("echo").at("violations"),
            j.at("echo").at("upper95")};
  r.latency_us = ParseQuantiles(j.at("latency_us"));
  r.quality = ParseQuality(j.at("quality"));
  r.obtained = j.at("obtained").get<std::map<std::string, uint64_t>>();
  r.pending = ParseQuantiles(j.at("pending"));
  r.staleness_ms = ParseQuantiles(j.at("age_ms"));
  r.fraction_fresh = j.at("fraction_fresh");
  r.featurizations = j.at("featurizations");
  r.wasted = j.at("wasted");
  r.decision_ns_p50 = j.at("decision_ns").at("p50");
  r.decision_ns_p99 = j.at("decision_ns").at("p99");
  r.p99_coverage = j.at("calibration").at("p99_coverage");
  ParseLaterNames(j, &r);
  return r;
}

std::string FirstValue(const char* path, absl::string_view key) {
  std::ifstream in(path);
  std::string line;
  while (std::getline(in, line)) {
    if (!absl::StartsWith(line, key)) continue;
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "unknown";
}

}  // namespace

std::map<std::string, std::string> DescribeMachine() {
  utsname name{};
  uname(&name);
  return {{"cpu", FirstValue("/proc/cpuinfo", "model name")},
          {"cores", std::to_string(std::thread::hardware_concurrency())},
          {"memory", FirstValue("/proc/meminfo", "MemTotal")},
          {"kernel", name.release}};
}

absl::Status WriteReport(const ReportHeader& header,
                         const std::vector<RunReport>& runs,
                         const std::string& directory) {
  json report = {{"schema", 1},
                 {"command", header.command},
                 {"commit", header.commit},
                 {"build", header.build},
                 {"machine", header.machine},
                 {"runs", json::array()}};
  for (const RunReport& run : runs) report["runs"].push_back(RunJson(run));
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  return base::WriteOutputFile(directory + "/report.json",
                               report.dump(1) + "\n", kRunReportKind);
}

absl::StatusOr<std::vector<RunReport>> LoadReport(
    const std::string& directory) {
  FRESHLINE_ASSIGN_OR_RETURN(LoadedReport report,
                             LoadReportFile(directory + "/report.json"));
  return std::move(report.runs);
}

absl::StatusOr<LoadedReport> LoadReportFile(const std::string& path) {
  std::ifstream in(path);
  if (!in) {
    return absl::NotFoundError(absl::StrCat("there is no \"", path, "\""));
  }
  try {
    const json report = json::parse(in);
    if (report.at("schema") != 1) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": its schema is not 1"));
    }
    LoadedReport loaded;
    loaded.header = {report.value("command", ""), report.value("commit", ""),
                     report.value("build", ""),
                     report.value("machine", loaded.header.machine)};
    for (const json& run : report.at("runs")) {
      loaded.runs.push_back(RunOf(run));
    }
    return loaded;
  } catch (const json::exception& e) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", e.what()));
  }
}

std::string FormatRun(const RunReport& run) { return RunJson(run).dump(); }

absl::StatusOr<RunReport> ParseRun(absl::string_view text,
                                   absl::string_view name) {
  try {
    return RunOf(json::parse(text.begin(), text.end()));
  } catch (const json::exception& e) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": ", e.what()));
  }
}

}  // namespace freshline::bench
