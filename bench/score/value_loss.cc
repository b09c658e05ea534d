// SPDX-License-Identifier: Apache-2.0
#include "bench/score/value_loss.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace freshline::bench {

namespace {

// Where buckets of n begin.
constexpr uint64_t kClicksMin[] = {1, 2, 3, 4, 6, 8, 11, 16, 23, 32, 46, 64};

size_t BucketOf(uint64_t clicks) {
  const auto* const end = std::end(kClicksMin);
  return static_cast<size_t>(
      std::upper_bound(std::begin(kClicksMin), end, clicks) -
      std::begin(kClicksMin) - 1);
}

bool Hit(uint8_t rank) { return rank > 0; }

// The most that a user of the bucket may lack, all of its clicks.
uint64_t LackedMax(size_t bucket, uint32_t missing_max) {
  if (bucket + 1 == std::size(kClicksMin)) return missing_max;
  return std::min<uint64_t>(missing_max, kClicksMin[bucket + 1] - 1);
}

// Of the rows without their newest j clicks.
void CountLosses(const QuerySet& set, const Ranks& fresh, const Ranks& ranks,
                 uint32_t missing, ValueLossCurve* curve) {
  for (size_t i = 0; i < set.queries.size(); ++i) {
    const Query& query = set.queries[i];
    if (!query.scored || query.fresh < missing) continue;
    ValueLossCurve::Cell& cell =
        curve->buckets[BucketOf(query.fresh)].cells[missing - 1];
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
  for (ValueLossCurve::Bucket& bucket : curve->buckets) {
    std::vector<double> losses;
    std::vector<double> weights;
    for (size_t j = 0; j < bucket.cells.size(); ++j) {
      ValueLossCurve::Cell& cell = bucket.cells[j];
      const double pooled = counts[j] > 0 ? sums[j] / counts[j] : 0;
      const double weight =
          static_cast<double>(cell.queries) + options.shrinkage;
      losses.push_back((cell.measured + options.shrinkage * pooled) /
                       std::max(weight, 1e-9));
      weights.push_back(std::max(weight, 1e-9));
      if (cell.queries > 0) {
        cell.measured /= static_cast<double>(cell.queries);
      }
    }
    const std::vector<double> rising = Isotonic(losses, weights);
    for (size_t j = 0; j < bucket.cells.size(); ++j) {
      bucket.cells[j].loss = std::max(0.0, rising[j]);
    }
  }
}

}  // namespace

std::vector<double> Isotonic(const std::vector<double>& values,
                             const std::vector<double>& weights) {
  struct Pool {
    double mean;
    double weight;
    size_t count;
  };
  std::vector<Pool> pools;
  for (size_t i = 0; i < values.size(); ++i) {
    pools.push_back({values[i], weights[i], 1});
    while (pools.size() > 1 &&
           pools[pools.size() - 2].mean >= pools.back().mean) {
      const Pool last = pools.back();
      pools.pop_back();
      Pool& into = pools.back();
      const double weight = into.weight + last.weight;
      into.mean = (into.mean * into.weight + last.mean * last.weight) / weight;
      into.weight = weight;
      into.count += last.count;
    }
  }
  std::vector<double> rising;
  for (const Pool& pool : pools) {
    rising.insert(rising.end(), pool.count, pool.mean);
  }
  return rising;
}

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
  for (size_t b = 0; b < std::size(kClicksMin); ++b) {
    ValueLossCurve::Bucket& bucket = curve.buckets.emplace_back();
    bucket.clicks_min = kClicksMin[b];
    bucket.cells.resize(LackedMax(b, options.missing_max));
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
