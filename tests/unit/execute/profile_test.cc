// SPDX-License-Identifier: Apache-2.0
#include "execute/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_execution.h"
#include "tests/support/status_matchers.h"

namespace freshline::execute {
namespace {

// Takes as many milliseconds as it sees events, on a fake clock.
class SlowFunction final : public featurize::FeatureFunction {
 public:
  SlowFunction(const registry::FeatureGroup& group, test::FakeClock* clock)
      : counting_(group, false), clock_(clock) {}
  uint32_t events_needed() const override { return 4; }
  base::JobShape Shape(const featurize::Input& input,
                       featurize::Scratch* scratch) const override {
    return counting_.Shape(input, scratch);
  }
  bool always_inline() const override { return false; }
  std::unique_ptr<featurize::Scratch> MakeScratch() const override {
    return counting_.MakeScratch();
  }
  absl::Status Compute(std::span<const featurize::Input> inputs,
                       std::span<registry::RowBytes* const> outputs,
                       featurize::Scratch* scratch) const override {
    for (const featurize::Input& input : inputs) {
      clock_->Advance(std::chrono::milliseconds(input.events.size));
    }
    return counting_.Compute(inputs, outputs, scratch);
  }

 private:
  test::CountingFunction counting_;
  test::FakeClock* const clock_;
};

struct Fixture {
  Fixture() {
    group.layout = registry::RowLayout(
        {registry::ValueType::Of(registry::Scalar::kInt64)});
    group.batch_max = 2;
    source.columns = {{"item", registry::Scalar::kInt64},
                      {"brand", registry::Scalar::kString},
                      {"price", registry::Scalar::kFloat64}};
    source.events_max = 100;
  }
  registry::FeatureGroup group;
  registry::Source source;
  test::FakeClock clock;
  estimate::Estimator estimator;
  estimate::InlineCosts costs{1, std::chrono::microseconds(10)};
};

TEST(ProfileTest, SeedsTheEstimatorForEverySize) {
  Fixture f;
  const SlowFunction function(f.group, &f.clock);
  ASSERT_THAT(ProfileGroup(f.group, f.source, function, {}, {100, 2, 1},
                           f.clock, &f.estimator, &f.costs),
              test::IsOk());
  for (const uint32_t events : {1U, 2U, 4U}) {
    const double mean_ms =
        base::ToMillis(f.estimator.Mean({f.group.id, events, 1}, /*batch=*/1));
    EXPECT_NEAR(mean_ms, events, 0.1 * events) << events;
    const double pair_ms =
        base::ToMillis(f.estimator.Mean({f.group.id, events, 1}, /*batch=*/2));
    EXPECT_NEAR(pair_ms, 2 * events, 0.2 * events) << events;
    EXPECT_NEAR(base::ToMillis(f.costs.Predict(f.group.id, events)), events,
                0.01 * events);
  }
}

TEST(ProfileTest, ZeroRunsLearnNothing) {
  Fixture f;
  const SlowFunction function(f.group, &f.clock);
  ASSERT_THAT(ProfileGroup(f.group, f.source, function, {}, {0, 2, 1}, f.clock,
                           &f.estimator, &f.costs),
              test::IsOk());
  EXPECT_EQ(f.costs.Predict(f.group.id, 1), std::chrono::microseconds(10));
}

TEST(ProfileTest, ReportsAFunctionThatFails) {
  Fixture f;
  test::CountingFunction function(f.group, false);
  function.fail_with = absl::InternalError("broken model");
  EXPECT_THAT(ProfileGroup(f.group, f.source, function, {}, {2, 2, 1}, f.clock,
                           &f.estimator, &f.costs),
              test::StatusIs(absl::StatusCode::kInternal, "broken model"));
}

}  // namespace
}  // namespace freshline::execute
