// SPDX-License-Identifier: Apache-2.0
#include "bench/report/verdicts.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace freshline::bench {
namespace {

std::string Where(const Condition& at) {
  std::string text = absl::StrFormat("load %g, SLO %g ms", at.load, at.slo_ms);
  if (!at.workload.empty()) absl::StrAppend(&text, ", ", at.workload);
  if (!at.metric.empty()) absl::StrAppend(&text, ", ", at.metric);
  if (at.approximate) absl::StrAppend(&text, ", approximate levels on");
  if (at.batch_max > 1) absl::StrAppend(&text, ", batch ", at.batch_max);
  return text;
}

bool Ours(const Summary& s, const std::string& policy) {
  const auto facts = s.policies.find(policy);
  return facts != s.policies.end() && facts->second.role == PolicyRole::kOurs;
}

Verdict ValueOfBound(const Summary& s, double slo_ms, double asked) {
  Verdict v{absl::StrFormat("value captured / clairvoyant bound, unbatched, "
                            "SLO %g ms, loads 0.5 to 3",
                            slo_ms),
            absl::StrFormat(">= %.2f", asked),
            "",
            {}};
  const Point* worst = nullptr;
  for (const Point& p : s.points) {
    if (!Ours(s, p.at.policy) || !p.value_of_bound || p.at.batch_max != 1 ||
        p.at.slo_ms != slo_ms || p.at.load < 0.5 || p.at.load > 3 ||
        !p.at.metric.empty() || p.at.approximate) {
      continue;
    }
    if (worst == nullptr ||
        p.value_of_bound->value < worst->value_of_bound->value) {
      worst = &p;
    }
  }
  if (worst == nullptr) return v;
  const Estimate& e = *worst->value_of_bound;
  v.measured = absl::StrFormat("least %.3f [%.3f, %.3f] at %s", e.value,
                               e.low95, e.high95, Where(worst->at));
  v.state = e.value >= asked ? VerdictState::kMet : VerdictState::kMissed;
  return v;
}

Verdict BatchedValue(const Summary& s) {
  Verdict v{"the same with batching", "reported", "", {}};
  for (const Point& p : s.points) {
    if (!Ours(s, p.at.policy) || !p.value_of_bound || p.at.batch_max == 1) {
      continue;
    }
    absl::StrAppendFormat(&v.measured, "%s%.3f at %s",
                          v.measured.empty() ? "" : "; ",
                          p.value_of_bound->value, Where(p.at));
    v.state = VerdictState::kReported;
  }
  return v;
}

// Whether there is anything to close where `at` is: less than this of the hit
// rate between rows that are never and that are always refreshed is chance.
bool HasGap(const Summary& s, const Condition& at) {
  constexpr double kGapMin = 0.02;
  const auto p =
      std::find_if(s.points.begin(), s.points.end(),
                   [&](const Point& point) { return point.at == at; });
  return p == s.points.end() || p->hr20_infinite - p->hr20_never >= kGapMin;
}

// Ours against the best baseline: differences that are not of an ablation.
Verdict NeverBelow(const Summary& s) {
  Verdict v{"gap closed against the best baseline, every workload and load",
            "no paired 95 % interval wholly below 0",
            "",
            {}};
  const Difference* worst = nullptr;
  int below = 0;
  int count = 0;
  for (const Difference& d : s.differences) {
    if (!Ours(s, d.at.policy) || !HasGap(s, d.at)) continue;
    ++count;
    below += d.gap.high95 < 0 ? 1 : 0;
    if (worst == nullptr || d.gap.high95 < worst->gap.high95) worst = &d;
  }
  if (worst == nullptr) return v;
  v.measured = absl::StrFormat(
      "%d of %d below; worst %+.1f points [%+.1f, %+.1f] against %s at %s",
      below, count, 100 * worst->gap.value, 100 * worst->gap.low95,
      100 * worst->gap.high95, worst->than, Where(worst->at));
  v.state = below == 0 ? VerdictState::kMet : VerdictState::kMissed;
  return v;
}

Verdict TenAbove(const Summary& s) {
  Verdict v{"the same at loads 2 and 3 on poster shape, SLO 30 ms",
            ">= 10 points above",
            "",
            {}};
  const Difference* worst = nullptr;
  for (const Difference& d : s.differences) {
    const Condition& at = d.at;
    const bool poster = at.workload.empty() || at.workload == "poster";
    if (!Ours(s, at.policy) || !poster || at.slo_ms != 30 || at.gap_ms > 0 ||
        at.batch_max != 1 || at.approximate || !at.metric.empty() ||
        (at.load != 2 && at.load != 3)) {
      continue;
    }
    if (worst == nullptr || d.gap.value < worst->gap.value) worst = &d;
  }
  if (worst == nullptr) return v;
  v.measured =
      absl::StrFormat("least %+.1f points [%+.1f, %+.1f] against %s at %s",
                      100 * worst->gap.value, 100 * worst->gap.low95,
                      100 * worst->gap.high95, worst->than, Where(worst->at));
  v.state =
      worst->gap.value >= 0.1 ? VerdictState::kMet : VerdictState::kMissed;
  return v;
}

Verdict Violations(const Summary& s) {
  Verdict v{"SLO violations beyond a bare echo's, live",
            "<= 0.02 points at 10 ms, 0.01 above",
            "",
            {}};
  double worst = -std::numeric_limits<double>::infinity();
  bool met = true;
  for (const Point& p : s.points) {
    if (p.at.kind != "live" || !Ours(s, p.at.policy) || p.echo_requests == 0 ||
        p.queries == 0) {
      continue;
    }
    const double beyond =
        static_cast<double>(p.violations) / static_cast<double>(p.queries) -
        static_cast<double>(p.echo_violations) /
            static_cast<double>(p.echo_requests);
    met = met && beyond <= (p.at.slo_ms <= 10 ? 0.0002 : 0.0001);
    v.state = met ? VerdictState::kMet : VerdictState::kMissed;
    if (beyond <= worst) continue;
    worst = beyond;
    v.measured = absl::StrFormat(
        "worst %+.4f points (%d of %d queries, at most %.4f %%) at %s",
        100 * beyond, p.violations, p.queries, 100 * p.violations_upper95,
        Where(p.at));
  }
  if (v.measured.empty()) {
    v.measured = "simulated answers are never late: ask live runs";
  }
  return v;
}

// Policies that recompute lazily or by RALF's rules, by name or family.
bool LazyOrRalf(const std::string& policy, const PolicyFacts& facts) {
  for (const char* word : {"lazy", "ralf", "stale"}) {
    if (absl::StrContains(facts.family, word) ||
        absl::StrContains(policy, word)) {
      return true;
    }
  }
  return false;
}

// Points by condition but for policy and load, then by policy.
std::map<Condition, std::map<std::string, std::vector<const Point*>>> Panels(
    const Summary& s) {
  std::map<Condition, std::map<std::string, std::vector<const Point*>>> panels;
  for (const Point& p : s.points) {
    Condition at = p.at;
    at.policy.clear();
    at.load = 0;
    panels[at][p.at.policy].push_back(&p);
  }
  return panels;
}

Verdict Compute(const Summary& s) {
  Verdict v{
      "featurizations per query where 70 % of the gap is closed, "
      "against lazy refresh and RALF's best",
      "<= 0.6 times",
      "",
      {}};
  double worst = 0;
  for (const auto& [at, curves] : Panels(s)) {
    // An approximate answer closes most of it without a featurization.
    if (at.approximate) continue;
    std::optional<double> ours;
    std::optional<double> theirs;
    std::string than;
    for (const auto& [policy, curve] : curves) {
      const std::optional<double> rows = RowsPerQueryAt(0.7, curve);
      if (!rows.has_value()) continue;
      const auto facts = s.policies.find(policy);
      if (facts == s.policies.end()) continue;
      if (facts->second.role == PolicyRole::kOurs) ours = rows;
      if (!LazyOrRalf(policy, facts->second)) continue;
      if (!theirs.has_value() || *rows < *theirs) {
        theirs = rows;
        than = policy;
      }
    }
    const std::string where =
        absl::StrFormat("SLO %g ms%s%s", at.slo_ms,
                        at.workload.empty() ? "" : ", ", at.workload);
    if (ours && !theirs && v.state == VerdictState::kNotMeasured) {
      v.measured = absl::StrCat("they never close it where ours does: ", where);
      v.state = VerdictState::kMet;
    }
    if (!theirs || *theirs <= 0) continue;
    const double ratio =
        ours ? *ours / *theirs : std::numeric_limits<double>::infinity();
    if (ratio <= worst) continue;
    worst = ratio;
    v.measured =
        ours ? absl::StrFormat("%.2f times: %.2f against %.2f of %s, %s", ratio,
                               *ours, *theirs, than, where)
             : absl::StrFormat("ours never closes it, %s does at %.2f, %s",
                               than, *theirs, where);
    v.state = ratio <= 0.6 ? VerdictState::kMet : VerdictState::kMissed;
  }
  if (v.measured.empty()) {
    v.measured = "no policy of those crosses 70 % in these runs";
  }
  return v;
}

Verdict CalibrationVerdict(const Summary& s) {
  constexpr uint64_t kRunsMin = 20'000;
  Verdict v{"long-run coverage of the predicted p99",
            "99 % +- 0.5 over >= 20,000 runs",
            "",
            {}};
  double worst = -1;
  for (const Point& p : s.points) {
    if (!Ours(s, p.at.policy) || p.featurizations < kRunsMin) continue;
    const double off = std::abs(p.p99_coverage - 0.99);
    if (off <= worst) continue;
    worst = off;
    v.measured =
        absl::StrFormat("furthest %.2f %% over %d runs at %s",
                        100 * p.p99_coverage, p.featurizations, Where(p.at));
    v.state = off <= 0.005 ? VerdictState::kMet : VerdictState::kMissed;
  }
  if (v.measured.empty()) {
    v.measured = absl::StrCat("no point has ", kRunsMin, " runs");
  }
  return v;
}

Verdict FairnessVerdict(const Summary& s) {
  Verdict v{"Jain's index of service over its fair share, with a noisy flow",
            ">= 0.98",
            "",
            {}};
  const Point* worst = nullptr;
  for (const Point& p : s.points) {
    // Where there is room for all, nobody's share is anybody's loss.
    if (!Ours(s, p.at.policy) || !p.jain || p.at.load < 1 ||
        !absl::StrContains(p.at.workload, "noisy")) {
      continue;
    }
    if (worst == nullptr || *p.jain < *worst->jain) worst = &p;
  }
  if (worst == nullptr) return v;
  v.measured =
      absl::StrFormat("least %.3f at %s", *worst->jain, Where(worst->at));
  v.state = *worst->jain >= 0.98 ? VerdictState::kMet : VerdictState::kMissed;
  return v;
}

// Rows in time where more is asked than can be computed.
Verdict BatchCapacity(const Summary& s) {
  Verdict v{"batching: capacity at 30 ms",
            ">= 0.8 of what the kernel's batch curve allows",
            "",
            {}};
  const auto speedup = s.figures.find(kBatchSpeedup);
  if (speedup == s.figures.end() || speedup->second <= 0) return v;
  const Point* most = nullptr;
  for (const Point& p : s.points) {
    if (!Ours(s, p.at.policy) || p.at.batch_max == 1 || p.at.slo_ms != 30 ||
        p.at.approximate || p.at.load < speedup->second) {
      continue;
    }
    if (most == nullptr ||
        p.fraction_fresh * p.at.load > most->fraction_fresh * most->at.load) {
      most = &p;
    }
  }
  if (most == nullptr) {
    v.measured = absl::StrFormat(
        "no batched run of a load above the %.2f that the curve allows",
        speedup->second);
    return v;
  }
  const double reached = most->fraction_fresh * most->at.load;
  v.measured = absl::StrFormat(
      "%.2f of it: %.2f fresh answers for each row of unbatched capacity, of "
      "%.2f, at %s",
      reached / speedup->second, reached, speedup->second, Where(most->at));
  v.state = reached >= 0.8 * speedup->second ? VerdictState::kMet
                                             : VerdictState::kMissed;
  return v;
}

// The most of the bound that is lost without an ingredient, of all conditions.
double ValueLostWithout(const Summary& s, const std::string& ablation) {
  std::map<Condition, double> ours;
  for (const Point& p : s.points) {
    if (!Ours(s, p.at.policy) || !p.value_of_bound) continue;
    Condition at = p.at;
    at.policy = ablation;
    ours[at] = p.value_of_bound->value;
  }
  double most = 0;
  for (const Point& p : s.points) {
    const auto it = ours.find(p.at);
    if (it == ours.end() || !p.value_of_bound) continue;
    most = std::max(most, it->second - p.value_of_bound->value);
  }
  return most;
}

// Rows that have something else in an ingredient's place are no ingredients.
Verdict AblationVerdict(const Summary& s) {
  constexpr double kValueMin = 0.005;
  Verdict v{"every ingredient pays in some workload",
            "without it, an interval of the gap wholly below 0, or .005 of the "
            "bound",
            "",
            {}};
  std::map<std::string, bool> pays;
  for (const Difference& d : s.differences) {
    const auto facts = s.policies.find(d.at.policy);
    if (facts == s.policies.end() ||
        facts->second.role != PolicyRole::kAblation ||
        !absl::StrContains(d.at.policy, "_less_")) {
      continue;
    }
    bool& paid = pays[d.at.policy];
    paid = paid || d.gap.high95 < 0;
  }
  for (auto& [policy, paid] : pays) {
    paid = paid || ValueLostWithout(s, policy) >= kValueMin;
  }
  if (pays.empty()) return v;
  std::string idle;
  for (const auto& [policy, paid] : pays) {
    if (!paid) absl::StrAppend(&idle, idle.empty() ? "" : ", ", policy);
  }
  v.measured = idle.empty() ? absl::StrCat("all ", pays.size(), " do")
                            : absl::StrCat("no loss is shown in: ", idle);
  v.state = idle.empty() ? VerdictState::kMet : VerdictState::kMissed;
  return v;
}

}  // namespace

const char* VerdictName(VerdictState state) {
  switch (state) {
    case VerdictState::kMet:
      return "met";
    case VerdictState::kMissed:
      return "MISSED";
    case VerdictState::kReported:
      return "reported";
    case VerdictState::kNotMeasured:
      return "not measured here";
  }
  return "";
}

std::optional<double> RowsPerQueryAt(double share,
                                     const std::vector<const Point*>& curve) {
  std::vector<const Point*> by_load = curve;
  std::sort(by_load.begin(), by_load.end(), [](const Point* a, const Point* b) {
    return a->at.load < b->at.load;
  });
  std::optional<double> least;
  const auto take = [&](double rows) {
    if (!least.has_value() || rows < *least) least = rows;
  };
  for (size_t i = 0; i < by_load.size(); ++i) {
    const Point& p = *by_load[i];
    if (p.gap_closed.value >= share) take(p.rows_per_query.value);
    if (i == 0) continue;
    const Point& before = *by_load[i - 1];
    const double a = before.gap_closed.value - share;
    const double b = p.gap_closed.value - share;
    if (a * b >= 0) continue;
    take(std::lerp(before.rows_per_query.value, p.rows_per_query.value,
                   a / (a - b)));
  }
  return least;
}

std::vector<Verdict> VerdictsOf(const Summary& s) {
  std::vector<Verdict> verdicts = {ValueOfBound(s, 30, 0.97),
                                   ValueOfBound(s, 50, 0.97),
                                   ValueOfBound(s, 10, 0.85),
                                   BatchedValue(s),
                                   NeverBelow(s),
                                   TenAbove(s),
                                   Violations(s),
                                   Compute(s),
                                   CalibrationVerdict(s),
                                   FairnessVerdict(s),
                                   AblationVerdict(s),
                                   BatchCapacity(s)};
  verdicts.push_back({"noisy flow at 10 times its share",
                      "another flow's gap closed moves <= 2 points, its "
                      "violations not at all",
                      "",
                      {}});
  verdicts.push_back({"decision cost at 10,000 waiting tickets",
                      "<= 5 us",
                      "the micro-benchmark policy_bench measures it",
                      {}});
  verdicts.push_back({"what-if against a live run with those settings",
                      "as the simulator's agreement",
                      "",
                      {}});
  return verdicts;
}

}  // namespace freshline::bench
