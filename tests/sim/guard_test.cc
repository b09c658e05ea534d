// SPDX-License-Identifier: Apache-2.0
// What callers of one feature service, by what they report of their way to the
// daemon, do to each other: the daemon's guard, policy and estimator in virtual
// time.
#include "execute/guard.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "bench/sim/simulation.h"
#include "bench/sim/synthetic.h"

namespace freshline::bench {
namespace {

using base::Duration;
using base::MonoTime;
using execute::Guard;
using std::chrono::milliseconds;

constexpr base::FlowId kService{0};
constexpr Duration kSlo = milliseconds(30);
constexpr size_t kBrief = 0;
constexpr size_t kPatient = 1;
// Others' runs end at other times, and the workers are free at others.
constexpr double kRipple = 0.002;

// Two kinds of callers of the service: what they have for budget, which
// connection they come by, and what they say of every answer.
struct Callers {
  Duration budget{};
  uint64_t connection = 0;
  std::optional<int64_t> overhead_us = {};
};

class SloStream final : public SimStream {
 public:
  SloStream(std::unique_ptr<SimStream> inner, std::vector<Callers> callers)
      : inner_(std::move(inner)), callers_(std::move(callers)) {}
  bool Next(SimArrival* arrival) override {
    if (!inner_->Next(arrival)) return false;
    arrival->slo = callers_[base::ToInt(arrival->flow)].budget;
    return true;
  }

 private:
  const std::unique_ptr<SimStream> inner_;
  const std::vector<Callers> callers_;
};

struct Result {
  std::vector<double> fresh_share;  // by kind of callers
  Guard::FlowState state;
};

Result Simulate(const std::vector<Callers>& callers) {
  const CurveServiceTimes times{ServiceCurve{}};
  const Duration slos[] = {kSlo};
  Guard guard(Guard::Options{}, slos);
  SimOptions options;
  options.policy = *schedule::FindPolicy("slo_aware");
  options.groups = {{1}};
  std::vector<std::unique_ptr<SimStream>> streams;
  for (size_t i = 0; i < callers.size(); ++i) {
    SyntheticOptions stream;
    stream.seed = 1 + i;
    stream.duration = std::chrono::seconds(180);
    stream.value_sigma = 0;  // the share of value is the share of answers
    stream.queries_per_second =
        0.1 * options.workers / times.MeanMillis(stream) * 1000;
    options.profile_shapes = SyntheticStream::Shapes(stream);
    options.flows.push_back({1});
    streams.push_back(std::make_unique<SyntheticStream>(stream));
  }
  MonoTime last{};
  options.guard_of = [&](const SimArrival& arrival, MonoTime now) {
    const Callers& who = callers[base::ToInt(arrival.flow)];
    const Guard::Asker asker{kService, who.budget, who.connection};
    if (who.overhead_us.has_value()) {
      guard.Reported(asker, *who.overhead_us, now);
    }
    last = now;
    return guard.Of(asker, now);
  };
  SloStream stream(std::make_unique<FlowStreams>(std::move(streams)), callers);
  const SimResult result = RunSimulation(options, &stream, times);
  Result r;
  for (const SimFlow& flow : result.flows) {
    EXPECT_EQ(flow.late, 0U);
    r.fresh_share.push_back(flow.captured_share());
  }
  r.state = guard.States(last)[0];
  return r;
}

TEST(SimGuardTest, LongReportsOfPatientCallersCostBriefOnesNothing) {
  const Result before =
      Simulate({{milliseconds(10), 1}, {milliseconds(30), 2}});
  EXPECT_GT(before.fresh_share[kBrief], 0.75);
  // By a connection of their own, and by the same one, as a proxy's.
  for (const uint64_t connection : {2, 1}) {
    const Result after = Simulate(
        {{milliseconds(10), 1}, {milliseconds(30), connection, 11'000}});
    EXPECT_GE(after.state.overhead_reports, 10'000U);
    EXPECT_NEAR(after.fresh_share[kBrief], before.fresh_share[kBrief], kRipple);
    // Whoever says so has the less for it.
    EXPECT_LT(after.fresh_share[kPatient], before.fresh_share[kPatient] + 1e-9);
  }
}

TEST(SimGuardTest, ACallerCostsOthersOfItsKindNothing) {
  const Result before =
      Simulate({{milliseconds(10), 1}, {milliseconds(10), 2}});
  for (const int64_t report :
       {int64_t{4000}, int64_t{9000}, int64_t{30'001}, int64_t{-1}}) {
    SCOPED_TRACE(report);
    const Result after =
        Simulate({{milliseconds(10), 1}, {milliseconds(10), 2, report}});
    EXPECT_NEAR(after.fresh_share[0], before.fresh_share[0], kRipple);
  }
}

// The instrument can see: where one's own reports say so, it does cost.
TEST(SimGuardTest, WhoReportsMoreHasLess) {
  const Result modest =
      Simulate({{milliseconds(10), 1, 200}, {milliseconds(30), 2}});
  const Result far_off =
      Simulate({{milliseconds(10), 1, 4000}, {milliseconds(30), 2}});
  EXPECT_LT(far_off.fresh_share[kBrief], modest.fresh_share[kBrief] - 0.02);
}

}  // namespace
}  // namespace freshline::bench
