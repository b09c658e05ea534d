// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "bench/report/run_report.h"

namespace freshline::bench {
namespace {

// The mean of a policy's runs at one load.
struct Point {
  double gap = 0, low = 0, high = 0, violations = 0, fresh = 0;
  int runs = 0;
};

using Curves = std::map<std::string, std::map<double, Point>>;

Curves CurvesOf(const std::vector<RunReport>& runs) {
  Curves curves;
  std::set<double> slos;
  for (const RunReport& r : runs) slos.insert(r.slo_ms);
  for (const RunReport& r : runs) {
    const std::string name =
        slos.size() > 1
            ? std::string(absl::StrCat(r.policy, " ", r.slo_ms, " ms"))
            : r.policy;
    Point& p = curves[name][r.load];
    p.gap += 100 * r.quality.gap_closed;
    p.low += 100 * r.quality.gap_closed_low;
    p.high += 100 * r.quality.gap_closed_high;
    p.fresh += 100 * r.fraction_fresh;
    p.violations += r.queries == 0 ? 0
                                   : 100.0 * static_cast<double>(r.violations) /
                                         static_cast<double>(r.queries);
    ++p.runs;
  }
  return curves;
}

// gnuplot reads underscores as subscripts.
std::string Label(std::string text) {
  std::replace(text.begin(), text.end(), '_', '-');
  return text;
}

void WriteScript(const Curves& curves, const std::string& svg,
                 std::ofstream* out) {
  *out << "set terminal svg size 900,760 dynamic font 'sans,13'\n"
       << "set output '" << svg << "'\n"
       << "set multiplot layout 2,1\n"
       << "set grid lc rgb '#dddddd'\nset border 3\nset tics nomirror\n"
       << "set key outside right top\n";
  int index = 0;
  for (const auto& [name, points] : curves) {
    *out << "$d" << index++ << " << EOD\n";
    for (const auto& [load, p] : points) {
      const double n = p.runs;
      *out << load << ' ' << p.gap / n << ' ' << p.low / n << ' ' << p.high / n
           << ' ' << p.violations / n << '\n';
    }
    *out << "EOD\n";
  }
  const auto plot = [&](const std::string& columns, const char* style) {
    *out << "plot ";
    int i = 0;
    for (const auto& [name, points] : curves) {
      *out << (i > 0 ? ", " : "") << "$d" << i << " using " << columns << " "
           << style << " lc " << i + 1 << " lw 2 pt 7 ps 0.6 title '"
           << Label(name) << "'";
      ++i;
    }
    *out << "\n";
  };
  *out << "set xrange [0:*]\nset title 'Gap closed in hit rate at 20 (never "
          "refreshed = 0, infinite compute = 100), with 95 % intervals'\n"
       << "set ylabel 'gap closed, %'\nset xlabel 'load (1 = capacity)'\n";
  plot("1:2:3:4", "with yerrorlines");
  *out << "set title 'SLO violations'\nset ylabel 'violations, %'\n"
       << "set yrange [0:*]\n";
  plot("1:5", "with linespoints");
  *out << "unset multiplot\n";
}

}  // namespace

absl::Status DrawReport(const std::vector<RunReport>& runs,
                        const std::string& directory) {
  const std::string script = directory + "/report.gnuplot";
  const std::string log = directory + "/report.gnuplot.log";
  {
    std::ofstream out(script);
    WriteScript(CurvesOf(runs), directory + "/report.svg", &out);
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
