// SPDX-License-Identifier: Apache-2.0
#include "bench/study/summarise.h"

#include <optional>
#include <set>

namespace freshline::bench {
namespace {

// By condition, then by seed.
using Grouped = std::map<Condition, std::map<uint64_t, const StudyResult*>>;

std::vector<SeedHits> HitsOf(
    const std::map<uint64_t, const StudyResult*>& seeds) {
  std::vector<SeedHits> hits;
  for (const auto& [seed, result] : seeds) {
    hits.push_back({result->users.get(), result->run.hits});
  }
  return hits;
}

// Of the seeds that both ran, `a` less `b`.
std::optional<Estimate> Compare(const std::map<uint64_t, const StudyResult*>& a,
                                const std::map<uint64_t, const StudyResult*>& b,
                                const BootstrapOptions& options) {
  std::vector<SeedHits> hits_a;
  std::vector<SeedHits> hits_b;
  for (const auto& [seed, result] : a) {
    const auto other = b.find(seed);
    if (other == b.end() || other->second->users != result->users) continue;
    hits_a.push_back({result->users.get(), result->run.hits});
    hits_b.push_back({result->users.get(), other->second->run.hits});
  }
  return GapDifference(hits_a, hits_b, options);
}

Point PointOfSeeds(const std::map<uint64_t, const StudyResult*>& seeds,
                   const BootstrapOptions& options) {
  std::vector<const RunReport*> reports;
  for (const auto& [seed, result] : seeds) {
    reports.push_back(&result->run.report);
  }
  Point point = PointOf(reports);
  const std::optional<Estimate> gap = GapClosed(HitsOf(seeds), options);
  if (gap.has_value()) point.gap_closed = *gap;
  return point;
}

// The baseline that closes most at the condition of `ours`; null without any.
const Point* BestBaseline(const Point& ours, const Summary& summary) {
  const Point* best = nullptr;
  for (const Point& p : summary.points) {
    Condition at = p.at;
    at.policy = ours.at.policy;
    const auto facts = summary.policies.find(p.at.policy);
    if (at != ours.at || facts == summary.policies.end() ||
        facts->second.role != PolicyRole::kBaseline) {
      continue;
    }
    if (best == nullptr || p.gap_closed.value > best->gap_closed.value) {
      best = &p;
    }
  }
  return best;
}

// What the policy at `p` is compared with, if anything.
std::optional<Condition> OtherOf(const Point& p, const Summary& summary,
                                 const Grouped& grouped) {
  const PolicyRole role = summary.policies.at(p.at.policy).role;
  if (role == PolicyRole::kOurs) {
    const Point* best = BestBaseline(p, summary);
    if (best == nullptr) return std::nullopt;
    return best->at;
  }
  if (role != PolicyRole::kAblation) return std::nullopt;
  for (const auto& [policy, facts] : summary.policies) {
    if (facts.role != PolicyRole::kOurs) continue;
    Condition at = p.at;
    at.policy = policy;
    if (grouped.contains(at)) return at;
  }
  return std::nullopt;
}

}  // namespace

Summary SummariseStudy(const std::string& name, const ReportHeader& header,
                       const std::map<std::string, PolicyFacts>& policies,
                       const std::vector<StudyResult>& results,
                       const BootstrapOptions& options) {
  Summary summary;
  summary.name = name;
  summary.header = header;
  Grouped grouped;
  std::set<uint64_t> seeds;
  for (const StudyResult& result : results) {
    grouped[result.cell.at][result.cell.seed] = &result;
    seeds.insert(result.cell.seed);
    const auto facts = policies.find(result.cell.at.policy);
    summary.policies[result.cell.at.policy] =
        facts == policies.end() ? PolicyFacts{} : facts->second;
  }
  summary.seeds.assign(seeds.begin(), seeds.end());
  for (const auto& [at, by_seed] : grouped) {
    summary.points.push_back(PointOfSeeds(by_seed, options));
    summary.points.back().at = at;
  }
  for (const Point& p : summary.points) {
    const std::optional<Condition> other = OtherOf(p, summary, grouped);
    if (!other.has_value()) continue;
    const std::optional<Estimate> gap =
        Compare(grouped.at(p.at), grouped.at(*other), options);
    if (!gap.has_value()) continue;
    summary.differences.push_back({p.at, other->policy, *gap});
  }
  return summary;
}

}  // namespace freshline::bench
