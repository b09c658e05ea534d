// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "staleness/learned_curve.h"
#include "staleness/signals.h"
#include "staleness/sql_expression.h"
#include "staleness/value_curve.h"

namespace freshline::staleness {

// How staleness is weighed: the gain of a row, which is the value of refreshing
// it in full now. Schedulers compare the gains of rows across groups, and
// prices are in gain per worker-millisecond: groups that share workers use
// metrics of one unit, or weights that bring them to one.
//
// Thread-safety: any thread. Cost: below 0.1 us, an expression a few us.
class StalenessMetric {
 public:
  // pending / (pending + seen): what the row has not seen yet.
  static StalenessMetric PendingShare(double weight = 1);
  static StalenessMetric PendingEvents(double weight = 1);
  // Seconds since the row was computed; a cold row counts as a day old.
  static StalenessMetric Age(double weight = 1);
  // The loss that was measured of rows that lack the newest events.
  static StalenessMetric Curve(ValueCurve curve, double weight = 1);
  // As Curve(), moved by outcomes (LearnedCurve).
  static StalenessMetric Learned(const std::optional<ValueCurve>& prior,
                                 double weight = 1);
  // Where the expression has no value, PendingShare() is taken instead.
  // Returns: INVALID_ARGUMENT as SqlExpression::Compile().
  static absl::StatusOr<StalenessMetric> Expression(absl::string_view sql,
                                                    double weight = 1);

  // Weight times the metric: never negative, never infinite. A weight that is
  // negative or not finite counts as 0.
  double Gain(const RowSignals& row) const;

  // As SqlExpression::Doubt(); nothing where the metric is no expression.
  std::optional<std::string> Doubt() const;

  // What outcomes of the group move; null where nothing is learned.
  LearnedCurve* learned() const { return learned_.get(); }

  // Times that the expression had no value.
  uint64_t fallbacks() const {
    return fallbacks_->load(std::memory_order_relaxed);
  }

 private:
  enum class Kind : uint8_t {
    kShare,
    kEvents,
    kAge,
    kCurve,
    kLearned,
    kExpression
  };
  StalenessMetric(Kind kind, double weight);
  double Value(const RowSignals& row) const;

  Kind kind_;
  double weight_;
  std::optional<ValueCurve> curve_;
  std::unique_ptr<LearnedCurve> learned_;
  std::unique_ptr<SqlExpression> expression_;
  // On the heap so that the metric can be moved. Relaxed: a counter.
  std::unique_ptr<std::atomic<uint64_t>> fallbacks_;
};

}  // namespace freshline::staleness
