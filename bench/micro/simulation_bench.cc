// SPDX-License-Identifier: Apache-2.0
// Queries that the simulator takes through a policy in a second of one core.
#include <benchmark/benchmark.h>

#include <chrono>

#include "bench/sim/simulation.h"
#include "bench/sim/synthetic.h"
#include "schedule/policies.h"

namespace freshline::bench {
namespace {

void BM_Simulate(benchmark::State& state, const char* policy, double load) {
  const CurveServiceTimes times{ServiceCurve{}};
  SyntheticOptions stream_options;
  stream_options.duration = std::chrono::seconds(300);
  stream_options.queries_per_second =
      load * 2 / times.MeanMillis(stream_options) * 1000;
  SimOptions options;
  options.policy = *schedule::FindPolicy(policy);
  options.groups = {{1}};
  options.profile_shapes = SyntheticStream::Shapes(stream_options);
  int64_t queries = 0;
  for (auto _ : state) {
    SyntheticStream stream(stream_options);
    const SimResult result = RunSimulation(options, &stream, times);
    queries += static_cast<int64_t>(result.queries);
    benchmark::DoNotOptimize(result.actions_hash);
  }
  state.SetItemsProcessed(queries);
}

#define FRESHLINE_SIMULATE(policy)                      \
  BENCHMARK_CAPTURE(BM_Simulate, policy, #policy, 0.5); \
  BENCHMARK_CAPTURE(BM_Simulate, policy##_overload, #policy, 3.0)
FRESHLINE_SIMULATE(eager_fifo);
FRESHLINE_SIMULATE(fifo);
FRESHLINE_SIMULATE(slo_aware);

}  // namespace
}  // namespace freshline::bench
