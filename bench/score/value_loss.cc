// SPDX-License-Identifier: Apache-2.0
#include "bench/score/value_loss.h"

#include <algorithm>
#include <span>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "staleness/curve_fit.h"

namespace freshline::bench {

namespace {

bool Hit(uint8_t rank) { return rank > 0; }

// Of the rows without their newest j clicks.
void CountLosses(const QuerySet& set, const Ranks& fresh, const Ranks& ranks,
                 uint32_t missing, ValueLossCurve* curve) {
  for (size_t i = 0; i < set.queries.size(); ++i) {
    const Query& query = set.queries[i];
    if (!query.scored || query.fresh < missing) continue;
    ValueLossCurve::Cell& cell =
        curve->buckets[staleness::CurveBucketOf(query.fresh)]
            .cells[missing - 1];
    ++cell.queries;
    cell.measured += static_cast<double>(Hit(fresh[i])) - Hit(ranks[i]);
  }
}

void Smooth(const ValueLossOptions& options, ValueLossCurve* curve) {
  std::vector<double> sums(options.missing_max);
  std::vector<double> counts(options.missing_max);
  for (const ValueLossCurve::Bucket& bucket : curve->buckets) {
    for (size_t j = 0; j < bucket.cells.size(); ++j) {
      sums[j] += bucket.cells[j].measured;
      counts[j] += static_cast<double>(bucket.cells[j].queries);
    }
  }
  std::vector<double> pooled;
  for (size_t j = 0; j < sums.size(); ++j) {
    pooled.push_back(counts[j] > 0 ? sums[j] / counts[j] : 0);
  }
  for (ValueLossCurve::Bucket& bucket : curve->buckets) {
    std::vector<staleness::LossCell> cells;
    for (ValueLossCurve::Cell& cell : bucket.cells) {
      const auto queries = static_cast<double>(cell.queries);
      if (cell.queries > 0) cell.measured /= queries;
      cells.push_back({queries, cell.measured});
    }
    const std::vector<double> losses = staleness::FitLosses(
        cells, std::span(pooled).first(cells.size()), options.shrinkage);
    for (size_t j = 0; j < bucket.cells.size(); ++j) {
      bucket.cells[j].loss = losses[j];
    }
  }
}

}  // namespace

absl::StatusOr<ValueLossCurve> MeasureValueLoss(const QuerySet& set,
                                                const Ranks& fresh,
                                                const ValueLossOptions& options,
                                                StateRanker* ranker) {
  if (options.missing_max < 1 || options.missing_max > 64) {
    return absl::InvalidArgumentError(absl::StrCat(
        "missing_max: ", options.missing_max, " is not in [1, 64]"));
  }
  if (!(options.shrinkage >= 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("shrinkage: ", options.shrinkage, " is below 0"));
  }
  if (set.scored < options.queries_min) {
    return absl::FailedPreconditionError(
        absl::StrCat(set.scored, " scored queries are too few to learn from, ",
                     options.queries_min,
                     " are needed: take a longer slice, or a trace "
                     "with more users"));
  }
  ValueLossCurve curve;
  curve.queries = set.scored;
  for (const uint64_t clicks_min : staleness::CurveBuckets()) {
    const size_t lacked_max =
        staleness::CurveLackedMax(curve.buckets.size(), options.missing_max);
    ValueLossCurve::Bucket& bucket = curve.buckets.emplace_back();
    bucket.clicks_min = clicks_min;
    bucket.cells.resize(lacked_max);
  }
  std::vector<ServedState> served(set.queries.size());
  for (uint32_t missing = 1; missing <= options.missing_max; ++missing) {
    for (size_t i = 0; i < served.size(); ++i) {
      const Prefix whole = set.queries[i].fresh;
      served[i] = {true, whole - std::min<Prefix>(whole, missing)};
    }
    CountLosses(set, fresh, ranker->Rank(served), missing, &curve);
  }
  Smooth(options, &curve);
  return curve;
}

std::string ValueLossCurve::Text(const std::string& comment) const {
  std::string text =
      absl::StrCat("freshline-value-curve 1\n# ", comment,
                   "\n# n j loss; of so many queries, measured\n");
  for (const Bucket& bucket : buckets) {
    for (size_t j = 0; j < bucket.cells.size(); ++j) {
      const Cell& cell = bucket.cells[j];
      absl::StrAppendFormat(&text, "# %d, %.4f\n%d %d %.6f\n", cell.queries,
                            cell.measured, bucket.clicks_min, j + 1, cell.loss);
    }
  }
  return text;
}

}  // namespace freshline::bench
