// SPDX-License-Identifier: Apache-2.0
#include "staleness/metric_set.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "registry/textproto.h"

namespace freshline::staleness {
namespace {

absl::StatusOr<ValueCurve> ReadCurve(const registry::Staleness& staleness,
                                     const std::string& directory) {
  std::string path = staleness.curve_file;
  if (!directory.empty() && path[0] != '/') {
    path = absl::StrCat(directory, "/", path);
  }
  FRESHLINE_ASSIGN_OR_RETURN(const std::string text,
                             registry::ReadTextFile(path));
  return ValueCurve::Parse(text, path);
}

absl::StatusOr<StalenessMetric> MakeCurve(const registry::Staleness& staleness,
                                          const std::string& directory) {
  std::optional<ValueCurve> curve;
  if (!staleness.curve_file.empty()) {
    FRESHLINE_ASSIGN_OR_RETURN(curve, ReadCurve(staleness, directory));
  }
  return staleness.learn_from_outcomes
             ? StalenessMetric::Learned(curve, staleness.weight)
             : StalenessMetric::Curve(*std::move(curve), staleness.weight);
}

absl::StatusOr<StalenessMetric> MakeMetric(const registry::Staleness& staleness,
                                           const std::string& directory) {
  using Kind = registry::Staleness::Kind;
  switch (staleness.kind) {
    case Kind::kPendingShare:
      return StalenessMetric::PendingShare(staleness.weight);
    case Kind::kPendingEvents:
      return StalenessMetric::PendingEvents(staleness.weight);
    case Kind::kAge:
      return StalenessMetric::Age(staleness.weight);
    case Kind::kValueCurve:
      return MakeCurve(staleness, directory);
    case Kind::kExpression:
      return StalenessMetric::Expression(staleness.expression,
                                         staleness.weight);
  }
  return absl::InternalError("a staleness kind that is none");
}

absl::string_view FieldOf(registry::Staleness::Kind kind) {
  return kind == registry::Staleness::Kind::kExpression ? "expression"
                                                        : "curve_file";
}

std::string FieldText(const registry::FeatureGroup& group,
                      absl::string_view message) {
  return absl::StrCat("feature group \"", group.name, "\": staleness.",
                      FieldOf(group.staleness.kind), ": ", message);
}

}  // namespace

absl::StatusOr<StalenessMetric> ParseMetric(const std::string& text) {
  absl::string_view rest = text;
  registry::Staleness staleness;
  if (absl::ConsumePrefix(&rest, "sql:")) {
    return StalenessMetric::Expression(rest);
  }
  if (absl::ConsumePrefix(&rest, "curve:") && !rest.empty()) {
    staleness.kind = registry::Staleness::Kind::kValueCurve;
    staleness.curve_file = std::string(rest);
  } else if (text == "learned" || absl::ConsumePrefix(&rest, "learned:")) {
    staleness.kind = registry::Staleness::Kind::kValueCurve;
    staleness.learn_from_outcomes = true;
    if (text != "learned") staleness.curve_file = std::string(rest);
  } else if (text == "pending") {
    staleness.kind = registry::Staleness::Kind::kPendingEvents;
  } else if (text == "age") {
    staleness.kind = registry::Staleness::Kind::kAge;
  } else if (text != "share") {
    return absl::InvalidArgumentError(
        absl::StrCat("metric \"", text,
                     "\" is none of share, pending, age, curve:FILE, "
                     "learned, learned:FILE, sql:EXPRESSION"));
  }
  return MakeMetric(staleness, "");
}

std::vector<std::string> Doubts(const registry::Revision& revision,
                                const MetricSet& metrics) {
  std::vector<std::string> doubts;
  for (const registry::FeatureGroup& group : revision.groups()) {
    const auto doubt = metrics[base::ToInt(group.id)].Doubt();
    if (!doubt.has_value()) continue;
    doubts.push_back(FieldText(group, *doubt));
  }
  return doubts;
}

absl::StatusOr<MetricSet> MakeMetrics(const registry::Revision& revision,
                                      const std::string& directory) {
  MetricSet metrics;
  for (const registry::FeatureGroup& group : revision.groups()) {
    auto metric = MakeMetric(group.staleness, directory);
    if (!metric.ok()) {
      return absl::Status(metric.status().code(),
                          FieldText(group, metric.status().message()));
    }
    metrics.push_back(*std::move(metric));
  }
  return metrics;
}

}  // namespace freshline::staleness
