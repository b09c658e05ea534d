// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "base/output_file.h"
#include "bench/report/summary.h"
#include "bench/stats/output_kinds.h"

namespace nlohmann {

template <typename T>
struct adl_serializer<std::optional<T>> {
  static void to_json(json& j, const std::optional<T>& value) {
    j = value.has_value() ? json(*value) : json(nullptr);
  }
  static void from_json(const json& j, std::optional<T>& value) {
    value.reset();
    if (!j.is_null()) value = j.get<T>();
  }
};

}  // namespace nlohmann

namespace freshline::bench {

using nlohmann::json;

// The names of members are the names of study.json.
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Estimate, value, low95, high95)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Condition, kind, workload, metric, gap_ms,
                                   batch_max, approximate, slo_ms, policy, load)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(
    Point, at, seeds, queries, violations, violations_upper95, echo_requests,
    echo_violations, gap_closed, hr20, value_of_bound, hr20_never,
    hr20_infinite, hr20_cheap, fraction_fresh, pending_p50, pending_p95,
    staleness_ms_p50, staleness_ms_p95, latency_ms_p50, latency_ms_p99,
    rows_per_query, wasted_per_query, decision_us_p99, jain, featurizations,
    p99_coverage, p99_coverage_windows)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Difference, at, than, gap)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ReportHeader, command, commit, build,
                                   machine)
NLOHMANN_JSON_SERIALIZE_ENUM(PolicyRole, {{PolicyRole::kShelf, "shelf"},
                                          {PolicyRole::kOurs, "ours"},
                                          {PolicyRole::kBaseline, "baseline"},
                                          {PolicyRole::kAblation, "ablation"}})
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(PolicyFacts, role, family, source)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Summary, name, header, seeds, policies,
                                   points, differences, notes, figures)

absl::Status WriteSummary(const Summary& summary, const std::string& path) {
  json j = summary;
  j["schema"] = 1;
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(),
                                      error);
  return base::WriteOutputFile(
      path, j.dump(1, ' ', false, json::error_handler_t::replace) + "\n",
      kSummaryKind);
}

absl::StatusOr<Summary> LoadSummary(const std::string& path) {
  std::ifstream in(path);
  if (!in) {
    return absl::NotFoundError(absl::StrCat("there is no \"", path, "\""));
  }
  try {
    json j = json::parse(in);
    if (j.at("schema") != 1) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": its schema is not 1"));
    }
    // What studies of schema 1 had not from the beginning.
    if (!j.contains("figures")) j["figures"] = json::object();
    return j.get<Summary>();
  } catch (const json::exception& e) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", e.what()));
  }
}

}  // namespace freshline::bench
