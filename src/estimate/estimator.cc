// SPDX-License-Identifier: Apache-2.0
#include "estimate/estimator.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "base/check.h"

namespace freshline::estimate {

using base::Duration;
using base::JobShape;

namespace {

constexpr double kCopyWeightRuns = 2;
// While a bucket has so few runs of its own, the nth finds those before it
// discounted to n / 2: a copy or a prior is down to 2 / n^2 of the whole then.
constexpr uint32_t kEarlyRuns = 32;
constexpr double kTail = 0.05;
constexpr int kTailRuns = 4;
constexpr double kChangedWeightRuns = 8;
// exp2(-1 / 1024).
constexpr double kCalibrationDecay = 0.99932333;
// More than the time slice of another thread, which is in every distribution.
constexpr Duration kStarvedMin = std::chrono::milliseconds(10);
constexpr double kContentionMax = 20;
constexpr double kContentionStep = 0.25;
constexpr double kContentionEnd = 0.02;
// Where the tail that is corrected begins.
constexpr double kBody = 0.9;

Duration Times(Duration d, double factor) {
  // Callers may ask about limits that are nearly infinite.
  constexpr double kMax = 9e18;
  const double ns = static_cast<double>(d.count()) * factor;
  return Duration(static_cast<int64_t>(std::clamp(ns, -kMax, kMax)));
}

}  // namespace

// A step of 0.1 against bounds 6 apart: within 0.3 % of 99 % after 20,000 runs
// at the very worst.
const QuantileTracker::Options Estimator::kCorrection = {
    /*share=*/0.01, /*step=*/0.1, /*low=*/-3, /*high=*/3, /*start=*/0};

Estimator::Estimator(Options options)
    : options_(options), prior_(options.half_life_runs) {
  FRESHLINE_CHECK(options.prior_mean > Duration::zero());
  TimeSketch around(options.half_life_runs);
  for (int i = -8; i <= 8; ++i)
    around.Add(Times(options.prior_mean, std::exp2(i / 4.0)));
  const double to_mean = static_cast<double>(options.prior_mean.count()) /
                         static_cast<double>(around.mean().count());
  prior_.CopyScaled(around, to_mean, 1);
}

int Estimator::BucketOf(const JobShape& shape, uint32_t batch) {
  const int scans = static_cast<int>(std::min(shape.scans, kScans - 1U));
  const int events =
      std::min(static_cast<int>(std::bit_width(shape.events)), kEvents - 1);
  // 1, 2, 3-4, 5-8, ...
  const int batches = std::min(
      static_cast<int>(std::bit_width(std::max(batch, 1U) - 1)), kBatches - 1);
  return (scans * kEvents + events) * kBatches + batches;
}

double Estimator::SizeOf(int bucket) {
  const int batches = bucket % kBatches;
  const int events = bucket / kBatches % kEvents;
  const int scans = bucket / kBatches / kEvents;
  const double per_row = scans > 0 ? scans : std::exp2(std::max(events - 1, 0));
  return per_row * std::exp2(batches);
}

int Estimator::Distance(int a, int b) {
  const auto part = [](int x, int divisor, int size) {
    return x / divisor % size;
  };
  const int batches = std::abs(part(a, 1, kBatches) - part(b, 1, kBatches));
  const int events =
      std::abs(part(a, kBatches, kEvents) - part(b, kBatches, kEvents));
  const int scans_a = part(a, kBatches * kEvents, kScans);
  const int scans_b = part(b, kBatches * kEvents, kScans);
  // Whether a table is scanned at all says most; then how often, how many
  // rows at once, and last how many events.
  const int kind = (scans_a > 0) != (scans_b > 0) ? 1000 : 0;
  return kind + 40 * std::abs(scans_a - scans_b) + 40 * batches + events;
}

Estimator::Source Estimator::Find(const JobShape& shape, uint32_t batch) const {
  const int bucket = BucketOf(shape, batch);
  const uint32_t id = base::ToInt(shape.group);
  if (id >= groups_.size() || groups_[id] == nullptr) {
    return {&prior_, contention_, 1};
  }
  const Group& group = *groups_[id];
  const auto b = static_cast<size_t>(bucket);
  const auto nearest = static_cast<size_t>(group.nearest[b]);
  return {&group.buckets[nearest]->sketch, contention_ * group.factor[b],
          group.stretch};
}

Duration Estimator::Mean(const JobShape& shape, uint32_t batch) const {
  const Source source = Find(shape, batch);
  return Times(source.sketch->mean(), source.factor);
}

Duration Estimator::Quantile(const JobShape& shape, uint32_t batch,
                             double q) const {
  return QuantileOf(Find(shape, batch), q);
}

Duration Estimator::QuantileOf(const Source& source, double q) {
  const Duration plain = source.sketch->Quantile(q);
  if (q <= kBody || source.stretch == 1) return Times(plain, source.factor);
  const Duration body = source.sketch->Quantile(kBody);
  return Times(body + Times(plain - body, source.stretch), source.factor);
}

double Estimator::ChanceWithin(const JobShape& shape, uint32_t batch,
                               Duration limit) const {
  const Source source = Find(shape, batch);
  limit = Times(limit, 1 / source.factor);
  const double plain = source.sketch->ChanceWithin(limit);
  if (plain <= kBody || source.stretch == 1) return plain;
  const Duration body = source.sketch->Quantile(kBody);
  return std::max(kBody, source.sketch->ChanceWithin(
                             body + Times(limit - body, 1 / source.stretch)));
}

Estimator::Group* Estimator::GroupOf(base::GroupId id) {
  const uint32_t index = base::ToInt(id);
  if (index >= options_.groups_max) return nullptr;
  if (index >= groups_.size()) groups_.resize(index + 1);
  if (groups_[index] == nullptr) {
    groups_[index] = std::make_unique<Group>();
    groups_[index]->nearest.fill(-1);
  }
  return groups_[index].get();
}

Estimator::Bucket& Estimator::Fill(Group* group, int bucket) {
  const auto b = static_cast<size_t>(bucket);
  if (group->buckets[b] != nullptr) return *group->buckets[b];
  auto made = std::make_unique<Bucket>(options_.half_life_runs);
  const int nearest = group->nearest[b];
  if (nearest < 0) {
    made->sketch = prior_;
  } else {
    made->sketch.CopyScaled(
        group->buckets[static_cast<size_t>(nearest)]->sketch, group->factor[b],
        kCopyWeightRuns);
  }
  group->buckets[b] = std::move(made);
  for (int x = 0; x < kBuckets; ++x) {
    const auto i = static_cast<size_t>(x);
    if (group->nearest[i] >= 0 &&
        Distance(x, group->nearest[i]) <= Distance(x, bucket)) {
      continue;
    }
    group->nearest[i] = static_cast<int16_t>(bucket);
    group->factor[i] = static_cast<float>(SizeOf(x) / SizeOf(bucket));
  }
  return *group->buckets[b];
}

void Estimator::Learn(const JobShape& shape, uint32_t batch, Duration time) {
  Group* group = GroupOf(shape.group);
  if (group == nullptr) return;
  Bucket& bucket = Fill(group, BucketOf(shape, batch));
  const bool goes_on = (bucket.tail_run > 0 && time > bucket.upper) ||
                       (bucket.tail_run < 0 && time < bucket.lower);
  if (!goes_on) {
    bucket.tail_run = 0;
    bucket.lower = bucket.sketch.Quantile(kTail);
    bucket.upper = bucket.sketch.Quantile(1 - kTail);
  }
  if (time > bucket.upper) ++bucket.tail_run;
  if (time < bucket.lower) --bucket.tail_run;
  std::rotate(bucket.latest.begin(), bucket.latest.end() - 1,
              bucket.latest.end());
  bucket.latest[0] = time;
  if (bucket.tail_run <= -kTailRuns) {
    bucket.tail_run = 0;
    bucket.sketch = TimeSketch(options_.half_life_runs);
    for (const Duration latest : bucket.latest) bucket.sketch.Add(latest);
    return;
  }
  if (bucket.tail_run >= kTailRuns) {
    bucket.tail_run = 0;
    bucket.sketch.Discount(kChangedWeightRuns);
  }
  if (bucket.runs < kEarlyRuns) {
    ++bucket.runs;
    bucket.sketch.Discount(bucket.runs / 2.0);
  }
  bucket.sketch.Add(time);
}

void Estimator::Judge(Group* group, const Source& predicted,
                      const Observation& run) {
  const double speed = speeds_.FactorOf(run.worker);
  const Duration p99 = run.predicted_p99.has_value()
                           ? *run.predicted_p99
                           : Times(QuantileOf(predicted, 0.99), speed);
  const bool within = run.time <= p99;
  ++group->runs;
  if (within) ++group->within_p99;
  group->correction.Update(!within);
  group->stretch = std::exp(group->correction.value());
  for (double* sum :
       {&group->weight, &group->weight_within, &group->sum_predicted_ns,
        &group->sum_p99_ns, &group->sum_actual_ns}) {
    *sum *= kCalibrationDecay;
  }
  const double mean_ns =
      predicted.factor * static_cast<double>(predicted.sketch->mean().count());
  const auto time_ns = static_cast<double>(run.time.count());
  group->weight += 1;
  group->weight_within += within ? 1 : 0;
  group->sum_predicted_ns += mean_ns * speed;
  group->sum_p99_ns += static_cast<double>(p99.count());
  group->sum_actual_ns += time_ns;
  if (run.worker.has_value() && mean_ns > 0) {
    speeds_.Observe(*run.worker, time_ns / mean_ns);
  }
}

void Estimator::Seed(const JobShape& shape, uint32_t batch, Duration time) {
  Observe(Observation{shape, batch, time, {}, {}, /*is_seed=*/true});
}

void Estimator::Observe(const Observation& run) {
  Observation sane = run;
  sane.time = std::max(run.time, Duration::zero());
  if (listener_) listener_(sane);
  if (NoteContention(sane)) return;
  // Judged by what was known before the run was learned.
  const double speed = speeds_.FactorOf(run.worker);
  const uint32_t id = base::ToInt(run.shape.group);
  if (!run.is_seed && id < options_.groups_max) {
    const bool known = id < groups_.size() && groups_[id] != nullptr;
    const Source predicted =
        known ? Find(run.shape, run.batch) : Source{&prior_, 1, 1};
    Judge(GroupOf(run.shape.group), predicted, sane);
  }
  Learn(run.shape, run.batch, Times(sane.time, 1 / speed));
}

bool Estimator::NoteContention(const Observation& run) {
  if (run.is_seed || !run.cpu_time.has_value()) return false;
  const Duration cpu = std::max(*run.cpu_time, Duration(1));
  const Duration waited = run.time - cpu;
  const bool starved = waited > kStarvedMin && waited > cpu;
  // Beside what would be predicted without: what a size was learned to wait
  // for is in that already.
  const double expected =
      static_cast<double>(Mean(run.shape, run.batch).count()) / contention_;
  const double seen = starved
                          ? std::clamp(static_cast<double>(run.time.count()) /
                                           std::max(expected, 1.0),
                                       1.0, kContentionMax)
                          : 1.0;
  contention_ += kContentionStep * (seen - contention_);
  // A sum of such steps never ends by itself.
  if (contention_ < 1 + kContentionEnd) contention_ = 1;
  if (starved) ++starved_;
  return starved;
}

Calibration Estimator::CalibrationOf(base::GroupId id) const {
  Calibration result;
  const uint32_t index = base::ToInt(id);
  if (index >= groups_.size() || groups_[index] == nullptr) return result;
  const Group& group = *groups_[index];
  if (group.runs == 0) return result;
  const auto average = [&](double sum) {
    return Duration(static_cast<int64_t>(sum / group.weight));
  };
  result.runs = group.runs;
  result.within_p99 = group.within_p99;
  result.within_p99_decayed = group.weight_within / group.weight;
  result.predicted_mean = average(group.sum_predicted_ns);
  result.predicted_p99 = average(group.sum_p99_ns);
  result.actual_mean = average(group.sum_actual_ns);
  result.tail_stretch = group.stretch;
  return result;
}

}  // namespace freshline::estimate
