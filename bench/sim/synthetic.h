// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/random.h"
#include "bench/sim/simulation.h"

namespace freshline::bench {

struct SyntheticOptions {
  double queries_per_second = 183;  // poster shape
  base::Duration duration = std::chrono::seconds(60);
  uint32_t users = 30'000;
  // 0: users are equally active; s > 0: user k is drawn as (k + 1)^-s.
  double zipf = 0;
  uint32_t groups = 1;  // a query asks for one row, of a random group
  // Shares of users with 1, 2, 3 and 4 interests.
  std::array<double, 4> interests = {0.4, 0.3, 0.15, 0.15};
  // Values are lognormal with mean 1 and this sigma.
  double value_sigma = 0.8;
  // A query carries its event (0), or follows it after this.
  base::Duration gap{};
  // From `crowd_at` on, for `crowd_for`, queries come `crowd_factor` as often.
  double crowd_factor = 1;
  base::Duration crowd_at{};
  base::Duration crowd_for{};
  // Share of callers who leave after an exponential time of patience_mean.
  double leave_share = 0;
  base::Duration patience_mean = std::chrono::milliseconds(10);
  uint64_t seed = 1;
};

// Poisson arrivals of users; cost follows the user. Deterministic by seed.
class SyntheticStream final : public SimStream {
 public:
  explicit SyntheticStream(const SyntheticOptions& options);
  bool Next(SimArrival* arrival) override;

  // The shape of a user's work, and every shape there is.
  static uint32_t InterestsOf(const SyntheticOptions& options, uint64_t user);
  static std::vector<base::JobShape> Shapes(const SyntheticOptions& options);

 private:
  SimArrival Draw();

  const SyntheticOptions options_;
  base::Rng rng_;
  double at_seconds_ = 0;
  std::vector<double> cumulative_;  // of zipf weights
  // With a gap: the events ahead of their queries.
  std::vector<SimArrival> pending_;
  size_t pending_head_ = 0;
  std::optional<SimArrival> drawn_;
};

// Several streams at once, in order of time: the arrivals of the i-th are of
// flow i, and of keys of their own.
class FlowStreams final : public SimStream {
 public:
  explicit FlowStreams(std::vector<std::unique_ptr<SimStream>> streams);
  bool Next(SimArrival* arrival) override;

 private:
  struct Head {
    std::unique_ptr<SimStream> stream;
    std::optional<SimArrival> next;
  };
  std::vector<Head> heads_;
};

// Lognormal run times around a mean by scans, growing with the batch as a
// fixed part (the pass over the table) and a part per row.
struct ServiceCurve {
  // Of 0 to 4 scans; beyond, linear in the last step.
  std::array<double, 5> mean_ms = {0.1, 1.9, 3.0, 4.3, 5.6};
  double sigma = 0.15;
  double batch_fixed_share = 0.4;
  // A run of 100x with this chance; a failure with this one.
  double outlier_share = 0;
  double failure_share = 0;
  // From `slow_at` on, for `slow_for`, everything takes `slow_factor` as long.
  double slow_factor = 1;
  base::Duration slow_at{};
  base::Duration slow_for{};
};

class CurveServiceTimes final : public SimServiceTimes {
 public:
  explicit CurveServiceTimes(const ServiceCurve& curve) : curve_(curve) {}
  SimRun Sample(const base::JobShape& shape, uint32_t batch, uint64_t draw,
                base::Duration at) const override;

  double MeanMillis(const base::JobShape& shape, uint32_t batch) const;
  // Over the users of a stream, unbatched: workers / this is load 1.0.
  double MeanMillis(const SyntheticOptions& options) const;

 private:
  const ServiceCurve curve_;
};

}  // namespace freshline::bench
