// SPDX-License-Identifier: Apache-2.0
#include "bench/report/page.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/report/page_assets.h"

namespace freshline::bench {
namespace {

using nlohmann::json;

json Numbers(const std::vector<double>& values) {
  json list = json::array();
  for (const double v : values) {
    list.push_back(std::isfinite(v) ? json(v) : json(nullptr));
  }
  return list;
}

json FigureJson(const PageFigure& f) {
  const auto optional = [](const std::optional<double>& v) {
    return v.has_value() ? json(*v) : json(nullptr);
  };
  json series = json::array();
  for (const PageSeries& s : f.series) {
    series.push_back({{"name", s.name},
                      {"colour", s.colour},
                      {"x", Numbers(s.x)},
                      {"y", Numbers(s.y)},
                      {"low", Numbers(s.low)},
                      {"high", Numbers(s.high)}});
  }
  return {{"x_label", f.x_label},       {"y_label", f.y_label},
          {"percent", f.percent},       {"y_min", optional(f.y_min)},
          {"y_max", optional(f.y_max)}, {"rule", optional(f.rule)},
          {"rule_label", f.rule_label}, {"series", series}};
}

// Strings that are no UTF-8 come out with replacement characters.
std::string Dump(const json& j) {
  return j.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string Figures(double value, bool percent) {
  if (!std::isfinite(value)) return "–";
  if (percent) return absl::StrFormat("%.1f %%", 100 * value);
  return absl::StrFormat("%.4g", value);
}

std::string Element(absl::string_view tag, absl::string_view text) {
  if (text.empty()) return "";
  return absl::StrCat("<", tag, ">", EscapeHtml(text), "</", tag, ">\n");
}

std::string CellHtml(const PageCell& cell, bool text) {
  std::string classes;
  const auto add = [&](const char* name) {
    absl::StrAppend(&classes, classes.empty() ? "" : " ", name);
  };
  // What is short stays on a line; what is long needs room to break.
  if (text) add(cell.text.size() > 28 ? "text long" : "text");
  if (cell.bar) add("bar");
  if (cell.mark == CellMark::kGood) add("good");
  if (cell.mark == CellMark::kBad) add("bad");
  if (cell.mark == CellMark::kQuiet) add("quiet");
  std::string html = "<td";
  if (!classes.empty()) absl::StrAppend(&html, " class=\"", classes, "\"");
  if (cell.bar) {
    absl::StrAppendFormat(&html, " style=\"--share:%.1f%%\"",
                          100 * std::clamp(*cell.bar, 0.0, 1.0));
  }
  return absl::StrCat(html, ">", EscapeHtml(cell.text), "</td>");
}

// Numbers line up at the right, and words at the left.
bool IsWords(const PageTable& table, size_t column) {
  for (const std::vector<PageCell>& row : table.rows) {
    if (column >= row.size() || row[column].text.empty()) continue;
    const std::string& text = row[column].text;
    if (absl::ascii_isdigit(static_cast<unsigned char>(text[0]))) continue;
    if (text[0] == '+' || text[0] == '-' || text == "–") continue;
    return true;
  }
  return false;
}

std::string TableHtml(const PageTable& table) {
  std::string html = "<div class=\"wide\"><table>\n";
  absl::StrAppend(&html, Element("caption", table.caption), "<thead><tr>");
  std::vector<bool> words;
  for (const std::string& column : table.columns) {
    words.push_back(IsWords(table, words.size()));
    absl::StrAppend(&html, "<th scope=\"col\"",
                    words.back() ? " class=\"text\"" : "", ">",
                    EscapeHtml(column), "</th>");
  }
  absl::StrAppend(&html, "</tr></thead>\n<tbody>\n");
  for (const std::vector<PageCell>& row : table.rows) {
    absl::StrAppend(&html, "<tr>");
    for (size_t i = 0; i < table.columns.size(); ++i) {
      const PageCell cell = i < row.size() ? row[i] : PageCell{};
      absl::StrAppend(&html, CellHtml(cell, words[i]));
    }
    absl::StrAppend(&html, "</tr>\n");
  }
  absl::StrAppend(&html, "</tbody></table></div>\n");
  if (!table.note.empty()) {
    absl::StrAppend(&html, "<p class=\"note\">", EscapeHtml(table.note),
                    "</p>\n");
  }
  return html;
}

// The numbers of a figure: a row for each x, a column for each curve.
PageTable TableOf(const PageFigure& figure) {
  PageTable table;
  table.columns.push_back(figure.x_label);
  std::map<double, std::vector<PageCell>> rows;
  for (const PageSeries& s : figure.series) {
    for (const double x : s.x) rows[x].resize(figure.series.size());
  }
  for (size_t c = 0; c < figure.series.size(); ++c) {
    const PageSeries& s = figure.series[c];
    table.columns.push_back(s.name);
    for (size_t i = 0; i < s.x.size() && i < s.y.size(); ++i) {
      std::string& text = rows[s.x[i]][c].text;
      text = Figures(s.y[i], figure.percent);
      if (i >= s.low.size() || i >= s.high.size()) continue;
      absl::StrAppend(&text, " [", Figures(s.low[i], figure.percent), ", ",
                      Figures(s.high[i], figure.percent), "]");
    }
  }
  for (auto& [x, cells] : rows) {
    std::vector<PageCell> row = {{absl::StrFormat("%.4g", x), {}, {}}};
    row.insert(row.end(), cells.begin(), cells.end());
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::string FigureHtml(const PageFigure& figure, size_t index) {
  return absl::StrCat("<figure>\n", Element("h3", figure.title),
                      "<div class=\"chart\" role=\"img\" aria-label=\"",
                      EscapeHtml(figure.title), "\" data-figure=\"", index,
                      "\"></div>\n", Element("figcaption", figure.note),
                      "<details><summary>The figures</summary>\n",
                      TableHtml(TableOf(figure)), "</details>\n</figure>\n");
}

std::string SectionHtml(const PageSection& section, size_t number,
                        size_t* figures) {
  std::string html = absl::StrCat("<section id=\"s", number, "\">\n<h2>",
                                  EscapeHtml(section.title), "</h2>\n");
  for (const std::string& text : section.paragraphs) {
    absl::StrAppend(&html, Element("p", text));
  }
  for (const PageTable& table : section.tables) {
    absl::StrAppend(&html, TableHtml(table));
  }
  if (!section.figures.empty()) {
    absl::StrAppend(&html, "<div class=\"figures\">\n");
    for (const PageFigure& figure : section.figures) {
      absl::StrAppend(&html, FigureHtml(figure, (*figures)++));
    }
    absl::StrAppend(&html, "</div>\n");
  }
  return absl::StrCat(html, "</section>\n");
}

std::string Head(const Page& page) {
  return absl::StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, "
      "initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src "
      "'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n",
      Element("title", page.title), "<style>\n", kChartCss, "\n", kPageCss,
      "</style>\n</head>\n");
}

std::string Contents(const Page& page) {
  std::string html = "<nav><ul>\n";
  for (size_t i = 0; i < page.sections.size(); ++i) {
    absl::StrAppend(&html, "<li><a href=\"#s", i, "\">",
                    EscapeHtml(page.sections[i].title), "</a></li>\n");
  }
  return absl::StrCat(html, "</ul></nav>\n");
}

std::string Conditions(const Page& page) {
  if (page.conditions.empty()) return "";
  std::string html = "<section id=\"conditions\">\n<h2>Conditions</h2>\n<dl>\n";
  for (const auto& [name, value] : page.conditions) {
    absl::StrAppend(&html, "<dt>", EscapeHtml(name), "</dt><dd>",
                    EscapeHtml(value), "</dd>\n");
  }
  return absl::StrCat(html, "</dl>\n</section>\n");
}

}  // namespace

std::string EscapeHtml(absl::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        // A control character is no character of HTML.
        const auto byte = static_cast<unsigned char>(c);
        escaped += byte < 0x20 && c != '\n' && c != '\t' ? ' ' : c;
    }
  }
  return escaped;
}

std::string EscapeJsonForScript(absl::string_view json) {
  std::string escaped;
  escaped.reserve(json.size());
  for (const char c : json) {
    if (c == '<' || c == '>' || c == '&') {
      absl::StrAppendFormat(&escaped, "\\u%04x", c);
    } else {
      escaped += c;
    }
  }
  return escaped;
}

std::string RenderPage(const Page& page) {
  json figures = json::array();
  std::string sections;
  size_t count = 0;
  for (size_t i = 0; i < page.sections.size(); ++i) {
    absl::StrAppend(&sections, SectionHtml(page.sections[i], i, &count));
    for (const PageFigure& figure : page.sections[i].figures) {
      figures.push_back(FigureJson(figure));
    }
  }
  return absl::StrCat(
      Head(page), "<body>\n<header>\n", Element("h1", page.title),
      Element("p", page.lead), Contents(page), "</header>\n<main>\n", sections,
      Conditions(page), "</main>\n<!-- Charts by uPlot:\n", kChartLicense,
      "-->\n<script type=\"application/json\" id=\"figures\">",
      EscapeJsonForScript(Dump(figures)), "</script>\n<script>\n", kChartScript,
      "</script>\n<script>\n", kPageScript, "</script>\n</body>\n</html>\n");
}

}  // namespace freshline::bench
