// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bench/report/page.h"
#include "bench/report/summary.h"

// A summary's points, arranged for figures.

namespace freshline::bench {

// Points by policy.
using Curves = std::map<std::string, std::vector<const Point*>>;

// Conditions that differ by SLO, policy and load alone are one setting.
Condition SettingOf(Condition at);
std::string SettingName(const Condition& setting);

// Policies that are drawn together, ours first and in all of them.
struct PolicyGroup {
  std::string title;
  std::vector<std::string> policies;
};

// The summary outlives it. Immutable.
class SummaryView {
 public:
  explicit SummaryView(const Summary& summary);

  // By condition but for policy and load.
  const std::map<Condition, Curves>& panels() const { return panels_; }
  // The setting with the most points.
  const Condition& headline() const { return headline_; }
  bool IsHeadline(const Condition& at) const {
    return SettingOf(at) == headline_;
  }
  // Ours and the baselines first; then the others by family, as many together
  // as are told apart.
  const std::vector<PolicyGroup>& groups() const { return groups_; }
  PolicyFacts FactsOf(const std::string& policy) const;

  // A figure of `measure` over load, or over `x` where there is one. Points
  // without a measure are left out, and curves without points.
  using Measure = std::function<std::optional<Estimate>(const Point&)>;
  PageFigure Draw(const PolicyGroup& group, const Condition& at,
                  const Curves& curves, const Measure& measure,
                  const std::function<double(const Point&)>& x) const;
  PageFigure GapFigure(const PolicyGroup& group, const Condition& at,
                       const Curves& curves) const;
  PageFigure ComputeFigure(const PolicyGroup& group, const Condition& at,
                           const Curves& curves) const;
  // Of the first group, beside the echo where there was one.
  PageFigure ViolationFigure(const Condition& at, const Curves& curves) const;

 private:
  std::vector<PolicyGroup> MakeGroups(const Summary& summary) const;

  const std::map<std::string, PolicyFacts>& policies_;
  std::map<Condition, Curves> panels_;
  Condition headline_;
  std::vector<PolicyGroup> groups_;
};

}  // namespace freshline::bench
