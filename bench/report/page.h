// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

// A page of figures and tables as one HTML file that needs no network: charts
// by uPlot, which is in it. It reads on a phone, in the dark and without
// scripts (each figure's numbers stand below it as a table).

namespace freshline::bench {

// A curve. `y`, and the band of `low` and `high` where there is one, belong to
// `x`, which ascends; NaN is left out.
struct PageSeries {
  std::string name;
  std::vector<double> x, y;
  std::vector<double> low, high;  // as long as y, or empty
  size_t colour = 0;              // of the page's palette, repeating
};

struct PageFigure {
  std::string title;
  std::string x_label, y_label;
  bool percent = false;  // y is a share, shown in percent
  std::optional<double> y_min, y_max;
  // A line across, with what it says.
  std::optional<double> rule;
  std::string rule_label;
  std::vector<PageSeries> series;
  std::string note;  // below it
};

enum class CellMark : uint8_t { kNone, kGood, kBad, kQuiet };

struct PageCell {
  std::string text;
  // In [0, 1]: how far a bar behind the text reaches.
  std::optional<double> bar;
  CellMark mark = CellMark::kNone;
};

struct PageTable {
  std::string caption;
  std::vector<std::string> columns;
  std::vector<std::vector<PageCell>> rows;  // of columns.size() cells
  std::string note;
};

struct PageSection {
  std::string title;
  std::vector<std::string> paragraphs;
  std::vector<PageTable> tables;  // before the figures
  std::vector<PageFigure> figures;
};

struct Page {
  std::string title;
  std::string lead;
  std::vector<PageSection> sections;
  // What the figures hold under: names and values, at the end.
  std::vector<std::pair<std::string, std::string>> conditions;
};

// Text for HTML, within elements and quoted attributes.
std::string EscapeHtml(absl::string_view text);

// JSON that may stand in a script element, whatever its strings hold.
std::string EscapeJsonForScript(absl::string_view json);

// All text is escaped. Deterministic. Rows that are too short are filled up.
std::string RenderPage(const Page& page);

}  // namespace freshline::bench
