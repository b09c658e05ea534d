// SPDX-License-Identifier: Apache-2.0
// What flows get from each other, in virtual time.
#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "bench/sim/simulation.h"
#include "bench/sim/synthetic.h"
#include "gtest/gtest.h"

namespace freshline::bench {
namespace {

using base::Duration;
using base::FromMillis;

struct FlowLoad {
  double load = 0;  // of all workers
  double weight = 1;
};

struct Setting {
  std::vector<FlowLoad> flows;
  double slo_ms = 30;
  uint64_t seed = 1;
  uint32_t batch_max = 1;
};

SimResult Simulate(const schedule::PolicyConfig& policy,
                   const Setting& setting) {
  const CurveServiceTimes times{ServiceCurve{}};
  SimOptions options;
  options.policy = policy;
  options.slo = FromMillis(setting.slo_ms);
  options.groups = {{setting.batch_max}};
  options.seed = setting.seed;
  options.warm_up = std::chrono::seconds(1);
  std::vector<std::unique_ptr<SimStream>> streams;
  for (size_t f = 0; f < setting.flows.size(); ++f) {
    SyntheticOptions stream;
    stream.seed = setting.seed + 100 * f;
    stream.duration = std::chrono::seconds(5);
    stream.queries_per_second = setting.flows[f].load * options.workers /
                                times.MeanMillis(stream) * 1000;
    options.profile_shapes = SyntheticStream::Shapes(stream);
    options.flows.push_back({setting.flows[f].weight});
    streams.push_back(std::make_unique<SyntheticStream>(stream));
  }
  FlowStreams stream(std::move(streams));
  return RunSimulation(options, &stream, times);
}

schedule::PolicyConfig Ours(bool fairness = true) {
  schedule::PolicyConfig policy = *schedule::FindPolicy("slo_aware");
  policy.fairness = fairness;
  return policy;
}

double Jain(const SimResult& result, const std::vector<FlowLoad>& flows) {
  double sum = 0;
  double squares = 0;
  for (size_t f = 0; f < flows.size(); ++f) {
    const double normalised =
        base::ToMillis(result.policy.flow_service[f]) / flows[f].weight;
    sum += normalised;
    squares += normalised * normalised;
  }
  return sum * sum / (static_cast<double>(flows.size()) * squares);
}

TEST(FairnessTest, ANoisyFlowTakesNothingFromAnother) {
  for (uint64_t seed = 1; seed <= 2; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    // Each alone would fill its half by nine tenths.
    const SimResult calm = Simulate(Ours(), {{{0.45}, {0.45}}, 30, seed});
    const SimResult noisy = Simulate(Ours(), {{{0.45}, {4.5}}, 30, seed});
    EXPECT_EQ(calm.flows[0].queries, noisy.flows[0].queries);
    EXPECT_GT(noisy.flows[0].captured_share(),
              calm.flows[0].captured_share() - 0.01);
    EXPECT_EQ(noisy.flows[0].late, 0U);
  }
}

// With little slack a run of the other flow, which nothing interrupts, may
// take all of it.
TEST(FairnessTest, WithLittleSlackANoisyFlowCostsTheWaitForARun) {
  for (uint64_t seed = 1; seed <= 2; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const Setting setting{{{0.45}, {4.5}}, 10, seed};
    EXPECT_GT(Simulate(Ours(), setting).flows[0].captured_share(),
              Simulate(Ours(false), setting).flows[0].captured_share() + 0.15);
  }
}

TEST(FairnessTest, BackloggedFlowsGetTheirWeights) {
  for (const uint32_t batch_max : {1U, 8U}) {
    for (const std::vector<FlowLoad>& flows :
         {std::vector<FlowLoad>{{2, 1}, {4, 1}, {8, 1}},
          std::vector<FlowLoad>{{5, 1}, {5, 2}, {5, 5}}}) {
      SCOPED_TRACE(testing::Message() << "batch " << batch_max);
      const Setting setting{flows, 30, 1, batch_max};
      EXPECT_GT(Jain(Simulate(Ours(), setting), flows), 0.98);
      EXPECT_LT(Jain(Simulate(Ours(false), setting), flows), 0.9);
    }
  }
}

TEST(FairnessTest, EqualFlowsLoseLittleValueByIt) {
  for (const double load : {0.9, 2.0}) {
    SCOPED_TRACE(testing::Message() << "load " << load);
    const Setting setting{{{load / 2}, {load / 2}}, 30, 1};
    EXPECT_GT(Simulate(Ours(), setting).captured_share(),
              Simulate(Ours(false), setting).captured_share() - 0.02);
  }
}

TEST(FairnessTest, OneFlowIsServedAsIfThereWereNoFlows) {
  for (const double load : {0.7, 2.5}) {
    const Setting setting{{{load}}, 30, 1};
    EXPECT_EQ(Simulate(Ours(), setting).actions_hash,
              Simulate(Ours(false), setting).actions_hash);
  }
}

}  // namespace
}  // namespace freshline::bench
