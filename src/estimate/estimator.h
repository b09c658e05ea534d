// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "base/ids.h"
#include "base/job_shape.h"
#include "base/time.h"
#include "estimate/cost_model.h"
#include "estimate/quantile_tracker.h"
#include "estimate/time_sketch.h"
#include "estimate/worker_speeds.h"

namespace freshline::estimate {

// How well the runs of one group were predicted. "Decayed" counts recent runs
// more (half-life 1,024 runs), so that drift shows.
struct Calibration {
  uint64_t runs = 0;        // observed; seeds do not count
  uint64_t within_p99 = 0;  // of them, inside the p99 predicted before the run
  double within_p99_decayed = 0;  // a share, in [0, 1]
  // Decayed means over the runs: what was predicted, and what it took.
  base::Duration predicted_mean{};
  base::Duration predicted_p99{};
  base::Duration actual_mean{};
  // The conformal correction in force: what is beyond the p90 of a size is
  // predicted so many times as far beyond it as its own recent runs say.
  double tail_stretch = 1;
};

// A run that ended.
struct Observation {
  base::JobShape shape;
  uint32_t batch = 1;
  base::Duration time{};  // negative counts as 0
  // Who ran it, where that is known.
  std::optional<base::WorkerId> worker;
  // The p99 that was predicted when it started, which is judged; absent: the
  // one that would be predicted now.
  std::optional<base::Duration> predicted_p99;
  // A run of a profile: learned, but not a test of a prediction.
  bool is_seed = false;
  // What of the time it had a processor, where that is known.
  std::optional<base::Duration> cpu_time = {};
};

// Learns how long the work of each feature group takes from the runs
// themselves: one decayed sketch per group and size bucket (scans 0 to 4
// exactly and 5+; events and batch by powers of two).
//
// An empty bucket answers like the nearest filled one, its times scaled by
// max(scans, 1) and by batch (both linear: pessimistic where passes are
// shared) and, where nothing is scanned, by events. When it is first observed
// it starts as that copy, which fades with the square of the runs that follow.
// A group that was never observed is predicted by `prior_mean`, log-uniform
// within a factor of four either way.
//
// Four runs in a row in the same 5 % tail of their bucket are taken as a
// change, not as chance (6e-6). Faster than known: only those four count from
// now on. Slower: what the bucket knew is discounted to eight runs. Slow runs
// go on teaching, while an estimate that is too high keeps work from running,
// so it is quick to hope and needs a dozen runs to despair.
//
// The tail beyond the p90 of a size is stretched by an adaptive conformal
// correction of its group (QuantileTracker on the logarithm), so that in the
// long run 99 % of the runs end within their predicted p99 whatever the
// distribution, the share of sizes and their drift. Runs on a worker that is
// slower than the others are learned as if it were average (WorkerSpeeds).
//
// A run that other programs kept from the processor for most of its time, and
// for more than 10 ms, says nothing of its work: it is neither learned nor
// judged. It moves one factor on all predictions, by how far it is beyond the
// mean of its size, which a few runs that are not kept waiting bring back to 1.
// Otherwise three seconds of foreign load would be believed for minutes: what
// is predicted to take seconds is not run, and what is not run is not learned
// anew.
//
// Thread-safety: none; a pure value without clock, owned by one thread.
// Bounds: GroupId below groups_max (beyond: predicted by the prior, not
// learned); 768 buckets of 1 KB per group, made when first observed.
// Cost: Mean, ChanceWithin and Quantile ~100 ns without allocation; Observe
// below 1 us, and a few us when it makes a bucket.
class Estimator final : public CostModel {
 public:
  struct Options {
    double half_life_runs = 64;
    base::Duration prior_mean = std::chrono::milliseconds(5);
    uint32_t groups_max = 1024;
  };
  // Told of every seed and observation, in order, before it is learned.
  using Listener = absl::AnyInvocable<void(const Observation&)>;

  Estimator() : Estimator(Options{}) {}
  explicit Estimator(Options options);

  base::Duration Mean(const base::JobShape& shape,
                      uint32_t batch) const override;
  base::Duration Quantile(const base::JobShape& shape, uint32_t batch,
                          double q) const override;
  double ChanceWithin(const base::JobShape& shape, uint32_t batch,
                      base::Duration limit) const override;
  double WorkerFactor(base::WorkerId worker) const override {
    return speeds_.FactorOf(worker);
  }

  // A run of the start-up profile: learned, but not a test of a prediction.
  void Seed(const base::JobShape& shape, uint32_t batch, base::Duration time);

  // A run that ended.
  void Observe(const Observation& run);
  void Observe(const base::JobShape& shape, uint32_t batch,
               base::Duration time) {
    Observe(Observation{shape, batch, time, {}, {}, false});
  }

  // Runs that were starved, and the factor that they left.
  uint64_t starved() const { return starved_; }
  double contention() const { return contention_; }

  // All zero for a group never observed.
  Calibration CalibrationOf(base::GroupId group) const;

  // One listener; an empty one ends it. For recording a run to replay.
  void SetListener(Listener listener) { listener_ = std::move(listener); }

  const Options& options() const { return options_; }

 private:
  static constexpr int kScans = 6;
  static constexpr int kEvents = 16;
  static constexpr int kBatches = 8;
  static constexpr int kBuckets = kScans * kEvents * kBatches;

  struct Bucket {
    explicit Bucket(double half_life_runs) : sketch(half_life_runs) {}
    TimeSketch sketch;
    uint32_t runs = 0;  // of its own, up to kEarlyRuns
    int tail_run = 0;   // > 0: so many in the upper tail; < 0: in the lower
    // The tails before that run, which must not move them.
    base::Duration lower{};
    base::Duration upper{};
    std::array<base::Duration, 4> latest{};  // the last first
  };
  struct Group {
    std::array<std::unique_ptr<Bucket>, kBuckets> buckets;
    // Of each bucket the filled one that answers for it, and the factor on
    // its times; itself and 1 where filled.
    std::array<int16_t, kBuckets> nearest;
    std::array<float, kBuckets> factor;
    uint64_t runs = 0;
    uint64_t within_p99 = 0;
    // Decayed weights and sums of the calibration.
    double weight = 0;
    double weight_within = 0;
    double sum_predicted_ns = 0;
    double sum_p99_ns = 0;
    double sum_actual_ns = 0;
    QuantileTracker correction{kCorrection};  // the logarithm of `stretch`
    double stretch = 1;
  };
  struct Source {
    const TimeSketch* sketch;
    double factor;   // on all of its times
    double stretch;  // of its tail
  };

  static const QuantileTracker::Options kCorrection;

  // Whether the run was starved; moves contention_.
  bool NoteContention(const Observation& run);

  static int BucketOf(const base::JobShape& shape, uint32_t batch);
  static double SizeOf(int bucket);
  static int Distance(int a, int b);

  Source Find(const base::JobShape& shape, uint32_t batch) const;
  Group* GroupOf(base::GroupId id);
  Bucket& Fill(Group* group, int bucket);
  void Learn(const base::JobShape& shape, uint32_t batch, base::Duration time);
  void Judge(Group* group, const Source& predicted, const Observation& run);
  static base::Duration QuantileOf(const Source& source, double q);

  const Options options_;
  TimeSketch prior_;
  std::vector<std::unique_ptr<Group>> groups_;  // by GroupId
  WorkerSpeeds speeds_;
  double contention_ = 1;  // on every time that is predicted
  uint64_t starved_ = 0;
  Listener listener_;
};

}  // namespace freshline::estimate
