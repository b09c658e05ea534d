// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "bench/report/summary.h"

// What a study runs, declared.

namespace freshline::bench {

// One run: a condition and a seed.
struct StudyCell {
  Condition at;  // at.kind is "simulated"
  uint64_t seed = 1;
  auto operator<=>(const StudyCell&) const = default;
};

// Every combination of these; an empty list stands for one default.
struct StudyBlock {
  std::vector<std::string> policies;
  std::vector<std::string> workloads;
  std::vector<std::string> metrics;
  std::vector<double> loads;
  std::vector<double> slos_ms;
  std::vector<uint64_t> seeds;
  std::vector<double> gaps_ms;
  std::vector<uint32_t> batches;
  std::vector<bool> approximate;
};

// What there is to choose from: the bench knows, a plan takes all of it.
struct StudyChoices {
  std::map<std::string, PolicyFacts> policies;
  // The first is the one that headlines are made of.
  std::vector<std::string> workloads = {""};
  std::vector<std::string> metrics;  // beside the definitions' own
  uint32_t batch_max = 1;
  bool approximate = false;
};

struct StudyPlan {
  static constexpr size_t kCellsMax = 50'000;

  std::string name;
  int64_t slice_seconds = 60;
  // Runs that share a slice stand together, in order of seed, workload, load.
  std::vector<StudyCell> cells;

  // Runs and slices by workload: lines of text.
  std::string Outline() const;
};

// The blocks' runs, each once.
// Returns: INVALID_ARGUMENT for more than kCellsMax.
absl::StatusOr<std::vector<StudyCell>> CellsOf(
    const std::vector<StudyBlock>& blocks);

// The names that PlanStudy() knows.
//   quick  every policy over four loads and three SLOs, two seeds of 10 s;
//          ours and the baselines batched, by every staleness metric, and
//          with approximate levels;
//          every policy with queries 1 s after their clicks; one seed of ours,
//          the baselines and the ablation on every other workload
//   full   every policy over seven loads and three SLOs, five seeds of 60 s;
//          ours, the baselines and the ablation on every other workload; all
//          staleness metrics, batching and approximate levels
std::vector<std::string> StudyNames();

// Returns: NOT_FOUND naming the studies that there are.
absl::StatusOr<StudyPlan> PlanStudy(absl::string_view name,
                                    const StudyChoices& choices);

}  // namespace freshline::bench
