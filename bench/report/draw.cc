// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/report/run_report.h"
#include "bench/stats/violations.h"

namespace freshline::bench {
namespace {

constexpr int kPanelWidth = 440;
constexpr int kPanelHeight = 300;
constexpr int kKeyWidth = 240;
// Readable in print and to most of those who do not see all colours (Okabe and
// Ito). Ours keeps the first one, whatever is drawn beside it.
constexpr std::array kColours = {"#0072b2", "#d55e00", "#e69f00", "#009e73",
                                 "#cc79a7", "#56b4e9", "#000000"};
constexpr char kEchoColour[] = "#888888";

// The runs of one curve at one load.
struct Point {
  double gap = 0, low = 0, high = 0, p50_ms = 0, p99_ms = 0;  // sums
  uint64_t queries = 0, violations = 0;
  uint64_t echo_requests = 0, echo_violations = 0;
  int runs = 0;
};

using Curve = std::map<double, Point>;  // by load

struct Panels {
  std::vector<std::string> names;  // of curves, in order of first appearance
  std::set<double> slos;
  std::map<std::pair<double, size_t>, Curve> curves;  // by SLO and name
  double load_max = 0;
};

// What tells curves apart, as far as it differs at all.
std::string CurveName(const RunReport& r, bool kinds, bool batches) {
  std::string name = r.policy;
  if (batches) absl::StrAppend(&name, ", batch ", r.batch_max);
  if (kinds) absl::StrAppend(&name, ", ", r.kind);
  return name;
}

Panels PanelsOf(const std::vector<RunReport>& runs) {
  Panels panels;
  std::set<std::string> kinds;
  std::set<uint32_t> batches;
  for (const RunReport& r : runs) {
    kinds.insert(r.kind);
    batches.insert(r.batch_max);
  }
  for (const RunReport& r : runs) {
    const std::string name = CurveName(r, kinds.size() > 1, batches.size() > 1);
    auto& names = panels.names;
    auto at = std::find(names.begin(), names.end(), name);
    if (at == names.end()) at = names.insert(names.end(), name);
    panels.slos.insert(r.slo_ms);
    panels.load_max = std::max(panels.load_max, r.load);
    Point& p = panels.curves[{r.slo_ms,
                              static_cast<size_t>(at - names.begin())}][r.load];
    p.gap += 100 * r.quality.gap_closed;
    p.low += 100 * r.quality.gap_closed_low;
    p.high += 100 * r.quality.gap_closed_high;
    p.p50_ms += r.latency_us.p50 / 1000;
    p.p99_ms += r.latency_us.p99 / 1000;
    p.queries += r.queries;
    p.violations += r.violations;
    p.echo_requests += r.echo.requests;
    p.echo_violations += r.echo.violations;
    ++p.runs;
  }
  return panels;
}

const char* ColourOf(size_t name) { return kColours[name % kColours.size()]; }

// "load rate upper-bound", in percent.
std::string RateLine(double load, uint64_t violations, uint64_t queries) {
  const double rate = queries == 0 ? 0
                                   : 100 * static_cast<double>(violations) /
                                         static_cast<double>(queries);
  return absl::StrCat(load, " ", rate, " ",
                      100 * ClopperPearsonUpper(violations, queries), "\n");
}

// Data blocks: $c<slo>_<name> of every curve, $e<slo> of the echo.
void WriteData(const Panels& panels, std::ofstream* out) {
  int column = 0;
  for (const double slo : panels.slos) {
    Curve echo;
    for (size_t n = 0; n < panels.names.size(); ++n) {
      const auto curve = panels.curves.find({slo, n});
      if (curve == panels.curves.end()) continue;
      *out << "$g" << column << "_" << n << " << EOD\n";
      for (const auto& [load, p] : curve->second) {
        const double runs = p.runs;
        *out << load << ' ' << p.gap / runs << ' ' << p.low / runs << ' '
             << p.high / runs << ' ' << p.p50_ms / runs << ' '
             << p.p99_ms / runs << '\n';
        echo[load].queries += p.echo_requests;
        echo[load].violations += p.echo_violations;
      }
      *out << "EOD\n$v" << column << "_" << n << " << EOD\n";
      for (const auto& [load, p] : curve->second) {
        *out << RateLine(load, p.violations, p.queries);
      }
      *out << "EOD\n";
    }
    *out << "$e" << column << " << EOD\n";
    for (const auto& [load, p] : echo) {
      if (p.queries > 0) *out << RateLine(load, p.violations, p.queries);
    }
    *out << "EOD\n";
    ++column;
  }
}

bool HasEcho(const Panels& panels, double slo) {
  for (const auto& [key, curve] : panels.curves) {
    if (key.first != slo) continue;
    for (const auto& [load, p] : curve) {
      if (p.echo_requests > 0) return true;
    }
  }
  return false;
}

enum class Row { kGap, kViolations, kLatency };

// Curves at the same loads stand side by side, or their intervals would hide
// each other. `place` 0 is in the middle.
std::string LoadColumn(const Panels& panels, size_t place) {
  const double step = 0.008 * panels.load_max;
  const auto half = static_cast<double>((place + 1) / 2);
  return absl::StrFormat("($1%+g)", (place % 2 == 0 ? half : -half) * step);
}

// The elements of one panel's plot command.
std::vector<std::string> Elements(const Panels& panels, Row row, double slo,
                                  int column) {
  std::vector<std::string> elements;
  if (row == Row::kViolations && HasEcho(panels, slo)) {
    elements.push_back(absl::StrFormat(
        "$e%d u %s:2:2:3 w yerrorlines lc rgb '%s' dt 2 lw 2 pt 4 ps 0.5",
        column, LoadColumn(panels, panels.names.size()), kEchoColour));
  }
  for (size_t n = panels.names.size(); n-- > 0;) {  // the first on top
    if (!panels.curves.contains({slo, n})) continue;
    const std::string block = absl::StrCat(column, "_", n);
    const std::string x = LoadColumn(panels, n);
    const std::string style =
        absl::StrFormat(" lc rgb '%s' lw 2 pt 7 ps 0.5", ColourOf(n));
    if (row == Row::kGap) {
      elements.push_back("$g" + block + " u " + x + ":2:3:4 w yerrorlines" +
                         style);
    } else if (row == Row::kViolations) {
      elements.push_back("$v" + block + " u " + x + ":2:2:3 w yerrorlines" +
                         style);
    } else {
      elements.push_back("$g" + block + " u 1:5 w linespoints dt 3" + style);
      elements.push_back("$g" + block + " u 1:6 w linespoints" + style);
    }
  }
  if (row == Row::kLatency) {
    elements.push_back(
        absl::StrFormat("%g w lines lc rgb '%s' dt 2 lw 1", slo, kEchoColour));
  }
  return elements;
}

void WritePanel(const Panels& panels, Row row, double slo, int column,
                std::ofstream* out) {
  *out << "set title 'SLO " << slo << " ms: ";
  if (row == Row::kGap) {
    *out << "HR@20, gap closed, 95 % interval'\n"
         << "set ylabel 'gap closed, %'\nset yrange [0:105]\n";
  } else if (row == Row::kViolations) {
    *out << "late or failed, with upper 95 % bound'\n"
         << "set ylabel 'violations, %'\nset yrange [0:*]\n";
  } else {
    *out << "latency, p50 (dotted) and p99'\n"
         << "set ylabel 'latency, ms'\nset yrange [0:" << 1.1 * slo << "<*]\n";
  }
  const char* separator = "plot ";
  for (const std::string& element : Elements(panels, row, slo, column)) {
    *out << separator << element << " notitle";
    separator = ", \\\n  ";
  }
  *out << "\n";
}

// One legend for all panels, on the right of them.
void WriteKey(const Panels& panels, std::ofstream* out) {
  *out << "unset title\nunset border\nunset tics\nunset xlabel\n"
       << "unset ylabel\nset key left top Left reverse samplen 2 "
          "width 0 spacing 1.3\nset lmargin 1\nset yrange [0:1]\n";
  const char* separator = "plot ";
  for (size_t n = 0; n < panels.names.size(); ++n) {
    *out << separator << "NaN w linespoints lc rgb '" << ColourOf(n)
         << "' lw 2 pt 7 ps 0.5 title '" << panels.names[n] << "'";
    separator = ", \\\n  ";
  }
  *out << separator << "NaN w linespoints lc rgb '" << kEchoColour
       << "' dt 2 lw 2 pt 4 ps 0.5 title 'bare gRPC echo', \\\n  NaN w lines"
       << " lc rgb '" << kEchoColour << "' dt 2 lw 1 title 'SLO'\n";
}

void WriteScript(const Panels& panels, const std::string& svg,
                 std::ofstream* out) {
  const int columns = static_cast<int>(panels.slos.size());
  const int width = columns * kPanelWidth + kKeyWidth;
  constexpr std::array kRows = {Row::kGap, Row::kViolations, Row::kLatency};
  *out << "set terminal svg size " << width << ","
       << kRows.size() * kPanelHeight
       << " noenhanced background rgb 'white' font 'sans,12'\n"
       << "set output '" << svg << "'\n"
       << "set multiplot\n"
       << "set grid lt 1 lc rgb '#dddddd'\nset border 3\nset tics nomirror\n"
       << "set lmargin 10\nset rmargin 2\nset tmargin 2.5\nset bmargin 3.5\n"
       << "set xrange [0:" << (panels.load_max > 0 ? panels.load_max : 1) * 1.08
       << "]\nset xlabel 'load (1: what the workers can compute)'\n";
  WriteData(panels, out);
  const double panel_width = static_cast<double>(kPanelWidth) / width;
  const double panel_height = 1.0 / kRows.size();
  *out << "set size " << panel_width << "," << panel_height << "\n";
  for (size_t row = 0; row < kRows.size(); ++row) {
    int column = 0;
    for (const double slo : panels.slos) {
      *out << "set origin " << column * panel_width << ","
           << 1 - static_cast<double>(row + 1) * panel_height << "\n";
      WritePanel(panels, kRows[row], slo, column, out);
      ++column;
    }
  }
  *out << "set size " << 1 - columns * panel_width << "," << panel_height
       << "\nset origin " << columns * panel_width << "," << 1 - panel_height
       << "\n";
  WriteKey(panels, out);
  *out << "unset multiplot\n";
}

}  // namespace

absl::Status DrawReport(const std::vector<RunReport>& runs,
                        const std::string& directory) {
  if (runs.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(directory, ": the report has no runs to draw"));
  }
  const std::string script = directory + "/report.gnuplot";
  const std::string log = directory + "/report.gnuplot.log";
  {
    std::ofstream out(script);
    WriteScript(PanelsOf(runs), directory + "/report.svg", &out);
    if (!out) {
      return absl::UnavailableError(
          absl::StrCat("cannot write \"", script, "\""));
    }
  }
  const std::string command = "gnuplot '" + script + "' 2> '" + log + "'";
  if (std::system(command.c_str()) != 0) {
    std::ifstream in(log);
    std::string message((std::istreambuf_iterator<char>(in)), {});
    return absl::UnavailableError(
        absl::StrCat("gnuplot failed (is gnuplot-nox installed?): ", message));
  }
  std::filesystem::remove(log);
  std::filesystem::remove(script);
  return absl::OkStatus();
}

}  // namespace freshline::bench
