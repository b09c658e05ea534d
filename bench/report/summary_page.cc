// SPDX-License-Identifier: Apache-2.0
#include "bench/report/summary_page.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/output_file.h"
#include "bench/report/summary_view.h"
#include "bench/report/verdicts.h"
#include "bench/stats/output_kinds.h"

namespace freshline::bench {
namespace {

class PageMaker {
 public:
  explicit PageMaker(const Summary& summary) : s_(summary), view_(summary) {}

  Page Make() const;

 private:
  double ReferenceLoad() const;
  // Eager, lazy and batched refresh, and ours.
  bool InReference(const std::string& policy) const;
  // The points of the headline setting that `wanted` is true of.
  template <typename Wanted>
  PageTable CostTable(double load, Wanted wanted) const;
  PageTable HitRateTable(double load) const;
  PageSection Reference() const;
  PageSection OverLoad() const;
  PageSection Shelf() const;
  PageSection Compute() const;
  PageSection Calibration() const;
  PageSection Settings() const;
  PageSection Against() const;
  PageSection Ablation() const;
  PageSection Targets() const;
  PageSection Policies() const;
  void FillConditions(Page* page) const;

  const Summary& s_;
  const SummaryView view_;
};

// The greatest load up to 2 that ours has run at.
double PageMaker::ReferenceLoad() const {
  std::set<double> loads;
  for (const Point& p : s_.points) {
    if (view_.IsHeadline(p.at)) loads.insert(p.at.load);
  }
  double chosen = loads.empty() ? 0 : *loads.begin();
  for (const double load : loads) {
    if (load <= 2) chosen = load;
  }
  return chosen;
}

bool PageMaker::InReference(const std::string& policy) const {
  const PolicyFacts facts = view_.FactsOf(policy);
  if (facts.role == PolicyRole::kAblation) return false;
  if (facts.role != PolicyRole::kShelf) return true;
  const std::string name = facts.family + " " + policy;
  return absl::StrContains(name, "lazy") || absl::StrContains(name, "batch");
}

template <typename Wanted>
PageTable PageMaker::CostTable(double load, Wanted wanted) const {
  PageTable table;
  table.caption =
      absl::StrFormat("At load %g, %s", load, SettingName(view_.headline()));
  table.columns = {"policy",        "SLO ms",        "HR@20",
                   "gap closed",    "p50 ms",        "p99 ms",
                   "staleness p50", "staleness p95", "pending p95",
                   "runs/query",    "wasted/query",  "violations"};
  double rows_max = 0;
  std::vector<const Point*> points;
  for (const Point& p : s_.points) {
    if (!view_.IsHeadline(p.at) || p.at.load != load) continue;
    if (!wanted(p)) continue;
    rows_max = std::max(rows_max, p.rows_per_query.value);
    points.push_back(&p);
  }
  // By SLO; in each, as in the figures, then the others.
  std::map<std::string, size_t> rank;
  for (const PolicyGroup& group : view_.groups()) {
    for (const std::string& name : group.policies) {
      rank.try_emplace(name, rank.size());
    }
  }
  std::stable_sort(points.begin(), points.end(),
                   [&](const Point* a, const Point* b) {
                     return std::pair(a->at.slo_ms, rank[a->at.policy]) <
                            std::pair(b->at.slo_ms, rank[b->at.policy]);
                   });
  for (const Point* p : points) {
    const bool ours = view_.FactsOf(p->at.policy).role == PolicyRole::kOurs;
    const auto text = [](std::string value) { return PageCell{value, {}, {}}; };
    table.rows.push_back(
        {{p->at.policy, {}, ours ? CellMark::kGood : CellMark::kNone},
         text(absl::StrFormat("%g", p->at.slo_ms)),
         text(absl::StrFormat("%.3f", p->hr20.value)),
         {absl::StrFormat("%.1f %%", 100 * p->gap_closed.value),
          p->gap_closed.value,
          {}},
         text(absl::StrFormat("%.2f", p->latency_ms_p50)),
         text(absl::StrFormat("%.2f", p->latency_ms_p99)),
         text(absl::StrFormat("%.2f s", p->staleness_ms_p50 / 1e3)),
         text(absl::StrFormat("%.2f s", p->staleness_ms_p95 / 1e3)),
         text(absl::StrFormat("%.3g", p->pending_p95)),
         {absl::StrFormat("%.3f", p->rows_per_query.value),
          rows_max > 0 ? p->rows_per_query.value / rows_max : 0,
          {}},
         text(absl::StrFormat("%.3f", p->wasted_per_query)),
         text(absl::StrFormat("%d of %d", p->violations, p->queries))});
  }
  return table;
}

// Hit rates of ours by SLO, a row for each staleness metric.
PageTable PageMaker::HitRateTable(double load) const {
  std::set<double> slos;
  std::map<std::pair<std::string, std::string>, std::map<double, const Point*>>
      rows;
  for (const Point& p : s_.points) {
    Condition at = SettingOf(p.at);
    at.metric = view_.headline().metric;
    const PolicyRole role = view_.FactsOf(p.at.policy).role;
    if (at != view_.headline() || p.at.load != load) continue;
    if (role != PolicyRole::kOurs && role != PolicyRole::kBaseline) continue;
    slos.insert(p.at.slo_ms);
    rows[{p.at.policy, p.at.metric}][p.at.slo_ms] = &p;
  }
  PageTable table;
  table.caption =
      absl::StrFormat("HR@20 by SLO and staleness metric, load %g", load);
  table.columns = {"policy", "metric"};
  for (const double slo : slos) {
    table.columns.push_back(absl::StrFormat("%g ms", slo));
  }
  for (const auto& [name, points] : rows) {
    std::vector<PageCell> row = {
        {name.first, {}, {}},
        {name.second.empty() ? "as defined" : name.second, {}, {}}};
    for (const double slo : slos) {
      const auto p = points.find(slo);
      if (p == points.end()) {
        row.push_back({"–", {}, CellMark::kQuiet});
        continue;
      }
      const Point& point = *p->second;
      std::string text = absl::StrFormat("%.3f", point.hr20.value);
      if (point.seeds > 1) {
        absl::StrAppendFormat(&text, " [%.3f, %.3f]", point.hr20.low95,
                              point.hr20.high95);
      }
      row.push_back(
          {std::move(text),
           point.hr20_infinite > 0 ? point.hr20.value / point.hr20_infinite : 0,
           {}});
    }
    table.rows.push_back(std::move(row));
  }
  table.note = "A full bar is the hit rate of infinite compute.";
  return table;
}

PageSection PageMaker::Reference() const {
  const double load = ReferenceLoad();
  PageSection section;
  section.title = "Latency, staleness, compute and hit rates";
  section.paragraphs = {
      "What each policy costs and buys on the same queries. Staleness is the "
      "time since the answer's row was computed; pending events are those "
      "that it had not seen; runs/query is what was computed."};
  section.tables = {
      CostTable(load, [&](const Point& p) { return InReference(p.at.policy); }),
      HitRateTable(load)};
  return section;
}

PageSection PageMaker::OverLoad() const {
  PageSection section;
  section.title = "Over load";
  section.paragraphs = {
      "Load 1 is what the workers can compute in full, row by row. Policies "
      "tie below saturation, so no single point stands for a policy. "
      "Bands are 95 % intervals. Gap closed: 0 is never refreshing after the "
      "warm-up, 100 % is infinite compute."};
  for (const auto& [at, curves] : view_.panels()) {
    if (!view_.IsHeadline(at)) continue;
    section.figures.push_back(view_.GapFigure(view_.groups()[0], at, curves));
    PageFigure bound = view_.Draw(
        view_.groups()[0], at, curves,
        [](const Point& p) { return p.value_of_bound; }, nullptr);
    bound.title = "Value captured / clairvoyant bound, " + bound.title;
    bound.y_label = "of the bound";
    bound.percent = true;
    bound.note = "The bound knows every arrival and run time beforehand.";
    if (!bound.series.empty()) section.figures.push_back(std::move(bound));
    section.figures.push_back(view_.ViolationFigure(at, curves));
    PageFigure fresh = view_.Draw(
        view_.groups()[0], at, curves,
        [](const Point& p) -> std::optional<Estimate> {
          return Estimate{p.fraction_fresh, p.fraction_fresh, p.fraction_fresh};
        },
        nullptr);
    fresh.title = "Answers that had seen every event, " + fresh.title;
    fresh.y_label = "fresh";
    fresh.percent = true;
    fresh.y_min = 0;
    section.figures.push_back(std::move(fresh));
    PageFigure pending = view_.Draw(
        view_.groups()[0], at, curves,
        [](const Point& p) -> std::optional<Estimate> {
          return Estimate{p.pending_p95, p.pending_p95, p.pending_p95};
        },
        nullptr);
    pending.title = "Pending events at the answer, p95, " + pending.title;
    pending.y_label = "events";
    pending.y_min = 0;
    section.figures.push_back(std::move(pending));
    PageFigure jain = view_.Draw(
        view_.groups()[0], at, curves,
        [](const Point& p) -> std::optional<Estimate> {
          if (!p.jain) return std::nullopt;
          return Estimate{*p.jain, *p.jain, *p.jain};
        },
        nullptr);
    jain.title = "Fairness: Jain's index of service, " + jain.title;
    jain.y_label = "Jain's index";
    jain.y_max = 1.02;
    if (!jain.series.empty()) section.figures.push_back(std::move(jain));
  }
  return section;
}

PageSection PageMaker::Shelf() const {
  PageSection section;
  section.title = "The other policies";
  PageTable table = CostTable(ReferenceLoad(), [&](const Point& p) {
    return p.at.slo_ms == 30 && !InReference(p.at.policy) &&
           view_.FactsOf(p.at.policy).role != PolicyRole::kAblation;
  });
  if (!table.rows.empty()) section.tables.push_back(std::move(table));
  for (const auto& [at, curves] : view_.panels()) {
    if (!view_.IsHeadline(at)) continue;
    for (size_t g = 1; g < view_.groups().size(); ++g) {
      PageFigure figure = view_.GapFigure(view_.groups()[g], at, curves);
      if (figure.series.size() > 1) {
        section.figures.push_back(std::move(figure));
      }
    }
  }
  return section;
}

PageSection PageMaker::Compute() const {
  PageSection section;
  section.title = "Compute against quality";
  for (const auto& [at, curves] : view_.panels()) {
    if (!view_.IsHeadline(at)) continue;
    for (const PolicyGroup& group : view_.groups()) {
      PageFigure figure = view_.ComputeFigure(group, at, curves);
      if (!figure.series.empty()) {
        section.figures.push_back(std::move(figure));
      }
    }
    PageTable table;
    table.caption = absl::StrFormat(
        "Featurizations per query where 70 %% of the gap is closed, SLO %g ms",
        at.slo_ms);
    table.columns = {"policy", "runs/query"};
    for (const auto& [policy, curve] : curves) {
      if (view_.FactsOf(policy).role == PolicyRole::kAblation) continue;
      const std::optional<double> rows = RowsPerQueryAt(0.7, curve);
      const CellMark mark = rows ? CellMark::kNone : CellMark::kQuiet;
      table.rows.push_back(
          {{policy, {}, {}},
           {rows ? absl::StrFormat("%.3f", *rows) : "not reached", {}, mark}});
    }
    section.tables.push_back(std::move(table));
  }
  return section;
}

PageSection PageMaker::Calibration() const {
  PageSection section;
  section.title = "Calibration";
  std::map<std::pair<Condition, double>, PageFigure> figures;
  for (const Point& p : s_.points) {
    if (view_.FactsOf(p.at.policy).role != PolicyRole::kOurs ||
        p.p99_coverage_windows.empty()) {
      continue;
    }
    Condition at = p.at;
    at.load = 0;
    PageFigure& figure = figures[{at, 0}];
    figure.title = absl::StrFormat(
        "Runs within their predicted p99, SLO %g "
        "ms, %s",
        p.at.slo_ms, SettingName(SettingOf(p.at)));
    figure.x_label = "window of runs";
    figure.y_label = "coverage";
    figure.percent = true;
    figure.rule = 0.99;
    figure.rule_label = "99 %";
    PageSeries series;
    series.name = absl::StrFormat("load %g", p.at.load);
    series.colour = figure.series.size();
    for (size_t i = 0; i < p.p99_coverage_windows.size(); ++i) {
      series.x.push_back(static_cast<double>(i + 1));
      series.y.push_back(p.p99_coverage_windows[i]);
    }
    figure.series.push_back(std::move(series));
  }
  for (auto& [key, figure] : figures) {
    section.figures.push_back(std::move(figure));
  }
  return section;
}

PageSection PageMaker::Settings() const {
  PageSection section;
  section.title = "Other workloads and settings";
  for (const auto& [at, curves] : view_.panels()) {
    if (view_.IsHeadline(at)) continue;
    PageFigure figure = view_.GapFigure(view_.groups()[0], at, curves);
    if (figure.series.empty()) continue;
    absl::StrAppend(&figure.title, ", ", SettingName(at));
    section.figures.push_back(std::move(figure));
  }
  return section;
}

std::string Points(const Estimate& e) {
  return absl::StrFormat("%+.1f [%+.1f, %+.1f]", 100 * e.value, 100 * e.low95,
                         100 * e.high95);
}

CellMark MarkOf(const Estimate& e) {
  if (e.high95 < 0) return CellMark::kBad;
  return e.low95 > 0 ? CellMark::kGood : CellMark::kQuiet;
}

PageSection PageMaker::Against() const {
  PageSection section;
  section.title = "Ours against the best baseline";
  PageTable table;
  table.caption = "Difference in gap closed, points, with paired 95 % interval";
  table.columns = {"setting", "SLO ms", "load", "against", "points"};
  for (const Difference& d : s_.differences) {
    if (view_.FactsOf(d.at.policy).role != PolicyRole::kOurs) continue;
    table.rows.push_back({{SettingName(SettingOf(d.at)), {}, {}},
                          {absl::StrFormat("%g", d.at.slo_ms), {}, {}},
                          {absl::StrFormat("%g", d.at.load), {}, {}},
                          {d.than, {}, {}},
                          {Points(d.gap), {}, MarkOf(d.gap)}});
  }
  table.note =
      "Against whichever baseline closes most at that very point. Users were "
      "drawn with all their queries, over all seeds (bootstrap).";
  if (!table.rows.empty()) section.tables.push_back(std::move(table));
  return section;
}

PageSection PageMaker::Ablation() const {
  PageSection section;
  section.title = "What each ingredient is worth";
  // A row for each ingredient and setting, a column for each SLO and load.
  std::set<std::pair<double, double>> columns;
  std::map<std::pair<std::string, Condition>,
           std::map<std::pair<double, double>, Estimate>>
      rows;
  for (const Difference& d : s_.differences) {
    if (view_.FactsOf(d.at.policy).role != PolicyRole::kAblation) continue;
    columns.insert({d.at.slo_ms, d.at.load});
    rows[{d.at.policy, SettingOf(d.at)}][{d.at.slo_ms, d.at.load}] = d.gap;
  }
  if (rows.empty()) return section;
  PageTable table;
  table.caption =
      "Gap closed without it, less with it, points with paired 95 % interval";
  table.columns = {"policy", "setting"};
  for (const auto& [slo, load] : columns) {
    table.columns.push_back(absl::StrFormat("%g ms, load %g", slo, load));
  }
  for (const auto& [name, cells] : rows) {
    std::vector<PageCell> row = {{name.first, {}, {}},
                                 {SettingName(name.second), {}, {}}};
    for (const auto& column : columns) {
      const auto cell = cells.find(column);
      if (cell == cells.end()) {
        row.push_back({"–", {}, CellMark::kQuiet});
      } else {
        row.push_back({Points(cell->second), {}, MarkOf(cell->second)});
      }
    }
    table.rows.push_back(std::move(row));
  }
  table.note =
      "Wholly below 0: the ingredient pays there. An interval over 0 shows "
      "nothing either way.";
  section.tables.push_back(std::move(table));
  return section;
}

PageSection PageMaker::Targets() const {
  PageSection section;
  section.title = "Targets";
  PageTable table;
  table.columns = {"verdict", "what", "measured", "target"};
  for (const Verdict& v : VerdictsOf(s_)) {
    CellMark mark = CellMark::kQuiet;
    if (v.state == VerdictState::kMet) mark = CellMark::kGood;
    if (v.state == VerdictState::kMissed) mark = CellMark::kBad;
    table.rows.push_back({{VerdictName(v.state), {}, mark},
                          {v.what, {}, {}},
                          {v.measured, {}, {}},
                          {v.target, {}, {}}});
  }
  section.tables.push_back(std::move(table));
  return section;
}

PageSection PageMaker::Policies() const {
  PageSection section;
  section.title = "Where the policies are from";
  PageTable table;
  table.columns = {"policy", "family", "source"};
  for (const auto& [policy, facts] : s_.policies) {
    if (facts.source.empty()) continue;
    table.rows.push_back(
        {{policy, {}, {}}, {facts.family, {}, {}}, {facts.source, {}, {}}});
  }
  if (!table.rows.empty()) section.tables.push_back(std::move(table));
  return section;
}

void PageMaker::FillConditions(Page* page) const {
  std::set<std::string> kinds;
  for (const Point& p : s_.points) kinds.insert(p.at.kind);
  std::vector<std::string> machine;
  for (const auto& [name, value] : s_.header.machine) {
    machine.push_back(absl::StrCat(name, " ", value));
  }
  page->conditions = {
      {"runs are", absl::StrJoin(kinds, " and ")},
      {"load 1",
       "workers / mean time of computing one row in full, alone, over the "
       "trace's own users"},
      {"seeds", absl::StrJoin(s_.seeds, ", ")},
      {"machine", absl::StrJoin(machine, "; ")},
      {"commit", s_.header.commit},
      {"build", s_.header.build},
      {"command", s_.header.command}};
  for (const std::string& note : s_.notes) {
    page->conditions.push_back({"note", note});
  }
}

Page PageMaker::Make() const {
  std::set<std::string> kinds;
  for (const Point& p : s_.points) kinds.insert(p.at.kind);
  Page page;
  page.title = s_.name.empty() ? "Freshline: policies compared"
                               : absl::StrCat("Freshline: ", s_.name);
  page.lead = absl::StrCat(
      s_.policies.size(), " policies over ", s_.seeds.size(),
      s_.seeds.size() == 1 ? " seed" : " seeds", ", ",
      absl::StrJoin(kinds, " and "), "; mainly ", SettingName(view_.headline()),
      ". The conditions stand at the end.");
  for (PageSection& section : std::vector<PageSection>{
           Reference(), OverLoad(), Shelf(), Compute(), Calibration(),
           Settings(), Against(), Ablation(), Targets(), Policies()}) {
    if (section.tables.empty() && section.figures.empty()) continue;
    page.sections.push_back(std::move(section));
  }
  FillConditions(&page);
  return page;
}

}  // namespace

Page SummaryPage(const Summary& summary) { return PageMaker(summary).Make(); }

absl::Status WriteSummaryPage(const Summary& summary, const std::string& path) {
  return base::WriteOutputFile(path, RenderPage(SummaryPage(summary)),
                               kPageKind);
}

}  // namespace freshline::bench
