// SPDX-License-Identifier: Apache-2.0
#include "bench/study/plan.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"

namespace freshline::bench {
namespace {

size_t SizeOf(const StudyBlock& b) {
  size_t size = 1;
  for (const size_t choices :
       {b.policies.size(), b.workloads.size(), b.metrics.size(), b.loads.size(),
        b.slos_ms.size(), b.seeds.size(), b.gaps_ms.size(), b.batches.size(),
        b.approximate.size()}) {
    size =
        std::min(size * std::max<size_t>(1, choices), StudyPlan::kCellsMax + 1);
  }
  return size;
}

// Conditions of a block at its defaults, times one more choice at a time.
template <typename T, typename Set>
void Multiply(const std::vector<T>& values, Set set,
              std::vector<StudyCell>* cells) {
  if (values.empty()) return;
  std::vector<StudyCell> product;
  product.reserve(cells->size() * values.size());
  for (const StudyCell& cell : *cells) {
    for (const T& value : values) {
      product.push_back(cell);
      set(&product.back(), value);
    }
  }
  *cells = std::move(product);
}

void Append(const StudyBlock& b, std::vector<StudyCell>* cells) {
  using Cell = StudyCell*;
  std::vector<StudyCell> block(1);
  block[0].at.kind = "simulated";
  block[0].at.slo_ms = 30;
  block[0].at.load = 1;
  Multiply(
      b.policies, [](Cell c, const std::string& v) { c->at.policy = v; },
      &block);
  Multiply(
      b.workloads, [](Cell c, const std::string& v) { c->at.workload = v; },
      &block);
  Multiply(
      b.metrics, [](Cell c, const std::string& v) { c->at.metric = v; },
      &block);
  Multiply(
      b.loads, [](Cell c, double v) { c->at.load = v; }, &block);
  Multiply(
      b.slos_ms, [](Cell c, double v) { c->at.slo_ms = v; }, &block);
  Multiply(
      b.seeds, [](Cell c, uint64_t v) { c->seed = v; }, &block);
  Multiply(
      b.gaps_ms, [](Cell c, double v) { c->at.gap_ms = v; }, &block);
  Multiply(
      b.batches, [](Cell c, uint32_t v) { c->at.batch_max = v; }, &block);
  const std::vector<uint8_t> levels(b.approximate.begin(), b.approximate.end());
  Multiply(
      levels, [](Cell c, uint8_t v) { c->at.approximate = v != 0; }, &block);
  cells->insert(cells->end(), block.begin(), block.end());
}

std::vector<std::string> Named(const StudyChoices& choices,
                               std::initializer_list<PolicyRole> roles) {
  std::vector<std::string> names;
  for (const auto& [name, facts] : choices.policies) {
    if (std::find(roles.begin(), roles.end(), facts.role) != roles.end()) {
      names.push_back(name);
    }
  }
  return names;
}

// On every workload but the first: ours, what it has to beat, and what each of
// its ingredients is worth.
StudyBlock Elsewhere(const StudyBlock& all, const StudyChoices& choices) {
  StudyBlock elsewhere = all;
  elsewhere.policies = Named(choices, {PolicyRole::kOurs, PolicyRole::kBaseline,
                                       PolicyRole::kAblation});
  elsewhere.workloads.assign(choices.workloads.begin() + 1,
                             choices.workloads.end());
  elsewhere.loads = {0.9, 2, 3};
  elsewhere.slos_ms = {30};
  return elsewhere;
}

std::vector<StudyBlock> QuickBlocks(const StudyChoices& choices) {
  StudyBlock all;
  all.policies = Named(choices, {PolicyRole::kOurs, PolicyRole::kBaseline,
                                 PolicyRole::kShelf, PolicyRole::kAblation});
  all.workloads = {choices.workloads.front()};
  all.loads = {0.5, 1, 2, 3};
  all.slos_ms = {10, 30, 50};
  all.seeds = {1, 2};
  // On the same slices, which cost most.
  StudyBlock batched = all;
  batched.policies = Named(choices, {PolicyRole::kOurs, PolicyRole::kBaseline});
  batched.slos_ms = {30};
  StudyBlock metrics = batched;
  metrics.slos_ms = all.slos_ms;
  metrics.metrics = choices.metrics;
  StudyBlock approximate = batched;
  approximate.approximate = {true};
  batched.batches = {choices.batch_max};
  // More than batches can compute.
  batched.loads.push_back(4);
  StudyBlock elsewhere = Elsewhere(all, choices);
  // Idle workers have something to gain where queries follow their events.
  StudyBlock gaps = all;
  gaps.slos_ms = {30};
  gaps.loads = {0.5, 1, 2};
  gaps.gaps_ms = {1000};
  elsewhere.seeds = {1};
  std::vector<StudyBlock> blocks = {all, gaps};
  if (choices.batch_max > 1) blocks.push_back(batched);
  if (!choices.metrics.empty()) blocks.push_back(metrics);
  if (choices.approximate) blocks.push_back(approximate);
  if (!elsewhere.workloads.empty()) blocks.push_back(elsewhere);
  return blocks;
}

std::vector<StudyBlock> FullBlocks(const StudyChoices& choices) {
  StudyBlock all = QuickBlocks(choices)[0];
  all.loads = {0.3, 0.5, 0.9, 1.2, 1.5, 2, 3};
  all.seeds = {1, 2, 3, 4, 5};
  std::vector<StudyBlock> blocks = {all};

  StudyBlock headline = all;
  headline.policies =
      Named(choices, {PolicyRole::kOurs, PolicyRole::kBaseline});
  headline.slos_ms = {30};

  const StudyBlock elsewhere = Elsewhere(all, choices);
  if (!elsewhere.workloads.empty()) blocks.push_back(elsewhere);

  StudyBlock metrics = headline;
  metrics.metrics = choices.metrics;
  metrics.loads = {0.9, 2};
  metrics.slos_ms = all.slos_ms;
  if (!metrics.metrics.empty()) blocks.push_back(metrics);

  // A click whose query follows it: what eager refresh is good at.
  StudyBlock gaps = headline;
  gaps.gaps_ms = {100, 1000};
  gaps.loads = {0.9, 2, 3};
  blocks.push_back(gaps);

  StudyBlock batched = headline;
  batched.batches = {choices.batch_max};
  if (choices.batch_max > 1) blocks.push_back(batched);

  StudyBlock approximate = headline;
  approximate.approximate = {true};
  if (choices.approximate) blocks.push_back(approximate);
  return blocks;
}

}  // namespace

absl::StatusOr<std::vector<StudyCell>> CellsOf(
    const std::vector<StudyBlock>& blocks) {
  size_t size = 0;
  for (const StudyBlock& block : blocks) size += SizeOf(block);
  if (size > StudyPlan::kCellsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("a study of more than ", StudyPlan::kCellsMax,
                     " runs: take fewer loads, SLOs, seeds or policies"));
  }
  std::vector<StudyCell> cells;
  cells.reserve(size);
  for (const StudyBlock& block : blocks) Append(block, &cells);
  std::sort(cells.begin(), cells.end(),
            [](const StudyCell& a, const StudyCell& b) {
              return std::tie(a.seed, a.at.workload, a.at.load, a.at) <
                     std::tie(b.seed, b.at.workload, b.at.load, b.at);
            });
  cells.erase(std::unique(cells.begin(), cells.end()), cells.end());
  return cells;
}

std::string StudyPlan::Outline() const {
  struct Part {
    size_t runs = 0;
    std::set<std::pair<uint64_t, double>> slices;  // seed and load
    std::set<std::string> policies;
  };
  std::map<std::string, Part> parts;
  for (const StudyCell& cell : cells) {
    Part& part = parts[cell.at.workload];
    ++part.runs;
    part.slices.emplace(cell.seed, cell.at.load);
    part.policies.insert(cell.at.policy);
  }
  std::string text;
  for (const auto& [workload, part] : parts) {
    absl::StrAppendFormat(&text,
                          "%-13s %5d runs of %2d policies on %3d slices\n",
                          workload.empty() ? "poster" : workload, part.runs,
                          part.policies.size(), part.slices.size());
  }
  absl::StrAppendFormat(&text, "%d runs in all, of %d s each\n", cells.size(),
                        slice_seconds);
  return text;
}

std::vector<std::string> StudyNames() { return {"quick", "full"}; }

absl::StatusOr<StudyPlan> PlanStudy(absl::string_view name,
                                    const StudyChoices& choices) {
  StudyPlan plan;
  plan.name = std::string(name);
  std::vector<StudyBlock> blocks;
  if (choices.workloads.empty() || choices.policies.empty()) {
    return absl::InvalidArgumentError(
        "a study needs a workload and a policy at least");
  }
  if (name == "quick") {
    plan.slice_seconds = 10;
    blocks = QuickBlocks(choices);
  } else if (name == "full") {
    blocks = FullBlocks(choices);
  } else {
    return absl::NotFoundError(absl::StrCat("--study: there is no \"", name,
                                            "\", but ",
                                            absl::StrJoin(StudyNames(), ", ")));
  }
  FRESHLINE_ASSIGN_OR_RETURN(plan.cells, CellsOf(blocks));
  return plan;
}

}  // namespace freshline::bench
