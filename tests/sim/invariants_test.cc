// SPDX-License-Identifier: Apache-2.0
// What every policy keeps to in every workload, checked at every step.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "bench/shelf/shelf.h"
#include "bench/sim/simulation.h"
#include "bench/sim/synthetic.h"
#include "gtest/gtest.h"
#include "schedule/recorder.h"
#include "tests/sim/checked_policy.h"

namespace freshline::bench {
namespace {

using base::FromMillis;
using staleness::StalenessMetric;

struct Workload {
  SimOptions options;
  SyntheticOptions stream;
  ServiceCurve curve;
};

// None as often as any.
std::shared_ptr<const StalenessMetric> DrawMetric(base::Rng* rng) {
  const bool none = rng->Chance(0.5);
  StalenessMetric metrics[] = {StalenessMetric::PendingShare(),
                               StalenessMetric::PendingEvents(),
                               StalenessMetric::Age()};
  StalenessMetric& drawn = metrics[rng->Below(3)];
  if (none) return nullptr;
  return std::make_shared<const StalenessMetric>(std::move(drawn));
}

Workload Draw(absl::string_view policy, uint64_t seed) {
  base::Rng rng(seed * 7919);
  Workload w;
  w.options.policy = *ShelfCatalogue().Find(policy);
  w.options.workers = static_cast<uint32_t>(1 + rng.Below(4));
  w.options.slo = FromMillis(5 + 60 * rng.Uniform());
  w.options.guard = FromMillis(4 * rng.Uniform());
  w.options.metric = DrawMetric(&rng);
  w.options.profile_runs = static_cast<uint32_t>(rng.Below(2) * 10);
  w.options.seed = seed;
  w.stream.seed = seed;
  w.stream.groups = static_cast<uint32_t>(1 + rng.Below(3));
  const auto batch_max = static_cast<uint32_t>(1 + rng.Below(2) * 7);
  w.options.groups.assign(w.stream.groups, {batch_max});
  w.options.profile_shapes = SyntheticStream::Shapes(w.stream);
  // Few keys, so that queries meet on rows.
  w.stream.users = static_cast<uint32_t>(5 + rng.Below(300));
  w.stream.zipf = rng.Chance(0.5) ? 1.2 : 0;
  w.stream.queries_per_second =
      w.options.workers * 350 * (0.2 + 4 * rng.Uniform());
  w.stream.duration = FromMillis(1500);
  w.stream.gap = rng.Chance(0.3) ? FromMillis(20) : base::Duration{};
  w.stream.leave_share = rng.Chance(0.5) ? 0.2 : 0;
  w.stream.crowd_factor = rng.Chance(0.3) ? 10 : 1;
  w.stream.crowd_at = FromMillis(500);
  w.stream.crowd_for = FromMillis(200);
  w.curve.sigma = 0.6 * rng.Uniform();
  w.curve.outlier_share = rng.Chance(0.3) ? 0.01 : 0;
  w.curve.failure_share = rng.Chance(0.3) ? 0.1 : 0;
  if (rng.Chance(0.2)) {
    w.options.policy.tickets_max = 10;
    w.options.policy.rows_max = 5;
    w.options.policy.background_max = 5;
  }
  return w;
}

class InvariantsTest : public testing::TestWithParam<std::string> {};

TEST_P(InvariantsTest, HoldAtEveryStepOfRandomWorkloads) {
  uint64_t refreshed = 0;
  for (uint64_t seed = 1; seed <= 25; ++seed) {
    SCOPED_TRACE(testing::Message() << GetParam() << " seed " << seed);
    const Workload w = Draw(GetParam(), seed);
    const CurveServiceTimes times(w.curve);
    estimate::Estimator estimator(w.options.estimator);
    SeedEstimator(w.options, times, &estimator);
    const auto policy =
        schedule::MakePolicy(w.options.policy, &estimator, w.options.groups);
    test::CheckedPolicy checked(policy.get());
    SyntheticStream stream(w.stream);
    const SimResult result =
        RunSimulation(w.options, &stream, times, &checked, &estimator);
    ASSERT_FALSE(HasFatalFailure());
    EXPECT_EQ(checked.waiting(), 0U);
    EXPECT_EQ(result.queries, result.answered + result.cancelled);
    EXPECT_EQ(result.late, 0U);
    EXPECT_GE(checked.spare_min, base::Duration::zero());
    refreshed += checked.refreshed;
  }
  if (ShelfCatalogue().Find(GetParam())->guard) {
    EXPECT_GT(refreshed, 0U);
  }
}

TEST_P(InvariantsTest, TheSameSeedGivesTheSameActions) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    const Workload w = Draw(GetParam(), seed);
    const CurveServiceTimes times(w.curve);
    SyntheticStream first(w.stream);
    SyntheticStream second(w.stream);
    const SimResult a = RunSimulation(w.options, &first, times);
    const SimResult b = RunSimulation(w.options, &second, times);
    EXPECT_EQ(a.actions_hash, b.actions_hash) << seed;
    EXPECT_NE(a.actions_hash, 0U);
    SyntheticOptions other = w.stream;
    other.seed += 1000;
    SyntheticStream third(other);
    EXPECT_NE(RunSimulation(w.options, &third, times).actions_hash,
              a.actions_hash);
  }
}

// The policy is pure: what it did in the simulator it does again from its
// recorded inputs alone.
TEST_P(InvariantsTest, ARecordedRunReplaysActionForAction) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE(testing::Message() << GetParam() << " seed " << seed);
    const Workload w = Draw(GetParam(), seed);
    const CurveServiceTimes times(w.curve);
    estimate::Estimator estimator(w.options.estimator);
    const auto policy =
        schedule::MakePolicy(w.options.policy, &estimator, w.options.groups);
    schedule::Recording recording(1'000'000);
    schedule::PolicyRecorder recorder(policy.get(), &recording);
    recorder.ListenTo(&estimator);
    SeedEstimator(w.options, times, &estimator);
    SyntheticStream stream(w.stream);
    RunSimulation(w.options, &stream, times, &recorder, &estimator);
    estimate::Estimator fresh_estimator(w.options.estimator);
    const auto fresh = schedule::MakePolicy(w.options.policy, &fresh_estimator,
                                            w.options.groups);
    const schedule::ReplayResult replay =
        schedule::Replay(recording, fresh.get(), &fresh_estimator);
    EXPECT_FALSE(replay.differs_at.has_value()) << replay.difference;
    EXPECT_GT(replay.calls, 1000U);
  }
}

std::vector<std::string> Names() {
  std::vector<std::string> names;
  const schedule::PolicyCatalogue catalogue = ShelfCatalogue();
  for (const schedule::PolicyConfig& policy : catalogue.policies()) {
    names.push_back(policy.name);
  }
  return names;
}

INSTANTIATE_TEST_SUITE_P(Policies, InvariantsTest, testing::ValuesIn(Names()),
                         [](const testing::TestParamInfo<std::string>& param) {
                           return param.param;
                         });

}  // namespace
}  // namespace freshline::bench
