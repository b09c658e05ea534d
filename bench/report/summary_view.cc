// SPDX-License-Identifier: Apache-2.0
#include "bench/report/summary_view.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/stats/violations.h"

namespace freshline::bench {
namespace {

// More curves than that in one figure are not told apart.
constexpr size_t kCurvesMax = 7;

}  // namespace

Condition SettingOf(Condition at) {
  at.slo_ms = 0;
  at.policy.clear();
  at.load = 0;
  return at;
}

std::string SettingName(const Condition& at) {
  std::string name = at.workload.empty() ? "the trace as it is" : at.workload;
  if (!at.metric.empty()) absl::StrAppend(&name, ", metric ", at.metric);
  if (at.gap_ms > 0) absl::StrAppend(&name, ", gap ", at.gap_ms, " ms");
  if (at.batch_max > 1) absl::StrAppend(&name, ", batch ", at.batch_max);
  if (at.approximate) absl::StrAppend(&name, ", approximate levels on");
  return absl::StrCat(name, ", ", at.kind);
}

SummaryView::SummaryView(const Summary& summary) : policies_(summary.policies) {
  std::map<Condition, size_t> settings;
  for (const Point& p : summary.points) {
    Condition at = p.at;
    at.policy.clear();
    at.load = 0;
    panels_[at][p.at.policy].push_back(&p);
    ++settings[SettingOf(p.at)];
  }
  size_t most = 0;
  for (const auto& [setting, points] : settings) {
    if (points > most) headline_ = setting;
    most = std::max(most, points);
  }
  groups_ = MakeGroups(summary);
}

PolicyFacts SummaryView::FactsOf(const std::string& policy) const {
  const auto it = policies_.find(policy);
  return it == policies_.end() ? PolicyFacts{} : it->second;
}

std::vector<PolicyGroup> SummaryView::MakeGroups(const Summary& summary) const {
  PolicyGroup first;
  std::vector<std::string> ours;
  std::map<std::string, std::vector<std::string>> families;
  for (const auto& [policy, facts] : summary.policies) {
    if (facts.role == PolicyRole::kOurs) ours.push_back(policy);
    if (facts.role == PolicyRole::kBaseline) first.policies.push_back(policy);
    if (facts.role == PolicyRole::kShelf) {
      families[facts.family].push_back(policy);
    }
  }
  first.policies.insert(first.policies.begin(), ours.begin(), ours.end());
  std::vector<PolicyGroup> groups = {first};
  for (const auto& [family, policies] : families) {
    const size_t room = kCurvesMax - std::min(kCurvesMax - 1, ours.size());
    for (size_t begin = 0; begin < policies.size(); begin += room) {
      PolicyGroup group{family, ours};
      const size_t end = std::min(policies.size(), begin + room);
      for (size_t i = begin; i < end; ++i) {
        group.policies.push_back(policies[i]);
      }
      groups.push_back(std::move(group));
    }
  }
  return groups;
}

PageFigure SummaryView::Draw(
    const PolicyGroup& group, const Condition& at, const Curves& curves,
    const Measure& measure,
    const std::function<double(const Point&)>& x) const {
  PageFigure figure;
  figure.title = absl::StrFormat("SLO %g ms", at.slo_ms);
  if (!group.title.empty()) absl::StrAppend(&figure.title, ", ", group.title);
  figure.x_label = "load";
  for (size_t n = 0; n < group.policies.size(); ++n) {
    const auto curve = curves.find(group.policies[n]);
    if (curve == curves.end()) continue;
    PageSeries series;
    series.name = group.policies[n];
    series.colour = n;
    std::map<double, Estimate> sorted;
    for (const Point* p : curve->second) {
      const std::optional<Estimate> value = measure(*p);
      if (value.has_value()) sorted[x ? x(*p) : p->at.load] = *value;
    }
    bool banded = false;
    for (const auto& [at_x, value] : sorted) {
      series.x.push_back(at_x);
      series.y.push_back(value.value);
      series.low.push_back(value.low95);
      series.high.push_back(value.high95);
      banded = banded || value.low95 != value.high95;
    }
    if (!banded) {
      series.low.clear();
      series.high.clear();
    }
    if (!series.x.empty()) figure.series.push_back(std::move(series));
  }
  return figure;
}

PageFigure SummaryView::GapFigure(const PolicyGroup& group, const Condition& at,
                                  const Curves& curves) const {
  PageFigure figure = Draw(
      group, at, curves,
      [](const Point& p) -> std::optional<Estimate> { return p.gap_closed; },
      nullptr);
  figure.title = "Gap closed in HR@20, " + figure.title;
  figure.y_label = "gap closed";
  figure.percent = true;
  return figure;
}

PageFigure SummaryView::ComputeFigure(const PolicyGroup& group,
                                      const Condition& at,
                                      const Curves& curves) const {
  PageFigure figure = Draw(
      group, at, curves,
      [](const Point& p) -> std::optional<Estimate> { return p.gap_closed; },
      [](const Point& p) { return p.rows_per_query.value; });
  figure.title = "Gap closed over compute, " + figure.title;
  figure.x_label = "featurizations per query";
  figure.y_label = "gap closed";
  figure.percent = true;
  figure.rule = 0.7;
  figure.rule_label = "70 % of the gap";
  return figure;
}

PageFigure SummaryView::ViolationFigure(const Condition& at,
                                        const Curves& curves) const {
  PageFigure figure = Draw(
      groups_[0], at, curves,
      [](const Point& p) -> std::optional<Estimate> {
        if (p.queries == 0) return std::nullopt;
        const double rate =
            static_cast<double>(p.violations) / static_cast<double>(p.queries);
        return Estimate{rate, rate, p.violations_upper95};
      },
      nullptr);
  PageSeries echo;
  echo.name = "bare gRPC echo";
  echo.colour = 6;
  std::map<double, std::pair<uint64_t, uint64_t>> counts;
  for (const auto& [policy, curve] : curves) {
    for (const Point* p : curve) {
      if (p->echo_requests == 0) continue;
      counts[p->at.load].first += p->echo_violations;
      counts[p->at.load].second += p->echo_requests;
    }
  }
  for (const auto& [load, count] : counts) {
    echo.x.push_back(load);
    echo.y.push_back(static_cast<double>(count.first) /
                     static_cast<double>(count.second));
    echo.low.push_back(echo.y.back());
    echo.high.push_back(ClopperPearsonUpper(count.first, count.second));
  }
  if (!echo.x.empty()) figure.series.push_back(std::move(echo));
  figure.title = "Late or failed, " + figure.title;
  figure.y_label = "violations";
  figure.percent = true;
  figure.y_min = 0;
  figure.note = "The band reaches to the one-sided 95 % bound of the rate.";
  return figure;
}

}  // namespace freshline::bench
