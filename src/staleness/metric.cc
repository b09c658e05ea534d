// SPDX-License-Identifier: Apache-2.0
#include "staleness/metric.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/status_macros.h"

namespace freshline::staleness {

StalenessMetric::StalenessMetric(Kind kind, double weight)
    : kind_(kind),
      weight_(std::isfinite(weight) ? std::max(weight, 0.0) : 0.0),
      fallbacks_(std::make_unique<std::atomic<uint64_t>>(0)) {}

StalenessMetric StalenessMetric::PendingShare(double weight) {
  return StalenessMetric(Kind::kShare, weight);
}

StalenessMetric StalenessMetric::PendingEvents(double weight) {
  return StalenessMetric(Kind::kEvents, weight);
}

StalenessMetric StalenessMetric::Age(double weight) {
  return StalenessMetric(Kind::kAge, weight);
}

StalenessMetric StalenessMetric::Curve(ValueCurve curve, double weight) {
  StalenessMetric metric(Kind::kCurve, weight);
  metric.curve_ = std::move(curve);
  return metric;
}

StalenessMetric StalenessMetric::Learned(const std::optional<ValueCurve>& prior,
                                         double weight) {
  StalenessMetric metric(Kind::kLearned, weight);
  metric.learned_ = std::make_unique<LearnedCurve>(prior);
  return metric;
}

absl::StatusOr<StalenessMetric> StalenessMetric::Expression(
    absl::string_view sql, double weight) {
  StalenessMetric metric(Kind::kExpression, weight);
  FRESHLINE_ASSIGN_OR_RETURN(metric.expression_, SqlExpression::Compile(sql));
  return metric;
}

double StalenessMetric::Value(const RowSignals& row) const {
  switch (kind_) {
    case Kind::kShare:
      return staleness::PendingShare(row);
    case Kind::kEvents:
      return row.pending;
    case Kind::kAge:
      return AgeSeconds(row);
    case Kind::kCurve:
      return curve_->Loss(row.seen + row.pending, row.pending);
    case Kind::kLearned:
      return learned_->Loss(row.seen + row.pending, row.pending);
    case Kind::kExpression: {
      const std::optional<double> value = expression_->Evaluate(row);
      if (value.has_value()) return *value;
      fallbacks_->fetch_add(1, std::memory_order_relaxed);
      return staleness::PendingShare(row);
    }
  }
  return 0;
}

double StalenessMetric::Gain(const RowSignals& row) const {
  if (weight_ <= 0) return 0;
  return std::min(weight_ * Value(row), std::numeric_limits<double>::max());
}

std::optional<std::string> StalenessMetric::Doubt() const {
  if (expression_ == nullptr) return std::nullopt;
  return expression_->Doubt();
}

}  // namespace freshline::staleness
