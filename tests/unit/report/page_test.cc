// SPDX-License-Identifier: Apache-2.0
#include "bench/report/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "bench/report/page_assets.h"

namespace freshline::bench {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

constexpr char kHostile[] = "</script><img src=x onerror='alert(\"1\")'>&amp;";

size_t Count(const std::string& text, const std::string& what) {
  size_t count = 0;
  for (size_t at = text.find(what); at != std::string::npos;
       at = text.find(what, at + 1)) {
    ++count;
  }
  return count;
}

Page PageWith(const std::string& name) {
  PageFigure figure;
  figure.title = name;
  figure.x_label = name;
  figure.y_label = name;
  figure.rule_label = name;
  figure.note = name;
  figure.series = {{name, {1, 2}, {0.25, 0.5}, {0.125, 0.375}, {0.5, 1}, 0}};
  PageSection section;
  section.title = name;
  section.paragraphs = {name};
  section.tables = {
      {name, {name, "b"}, {{{name, 0.5, CellMark::kGood}}}, name}};
  section.figures = {figure, figure};
  return {name, name, {section}, {{name, name}}};
}

// What the page's own script reads.
nlohmann::json FiguresOf(const std::string& html) {
  const std::string open = "id=\"figures\">";
  const size_t begin = html.find(open) + open.size();
  const size_t end = html.find("</script>", begin);
  return nlohmann::json::parse(html.substr(begin, end - begin));
}

TEST(PageTest, HostileTextStaysText) {
  const std::string html = RenderPage(PageWith(kHostile));
  EXPECT_THAT(html, Not(HasSubstr("<img")));
  EXPECT_THAT(html, HasSubstr("&lt;/script&gt;&lt;img src=x onerror=&#39;"));
  EXPECT_THAT(html, HasSubstr("&amp;amp;"));
  // The page's own three and the data, each closed once.
  EXPECT_EQ(Count(html, "<script"), 3U);
  EXPECT_EQ(Count(html, "</script>"), 3U);
  // It comes back whole where a script reads it.
  const nlohmann::json figures = FiguresOf(html);
  EXPECT_EQ(figures[0]["series"][0]["name"], kHostile);
  EXPECT_EQ(figures[0]["x_label"], kHostile);
}

TEST(PageTest, TextThatIsNoUtf8IsShownWithReplacements) {
  const std::string html = RenderPage(PageWith("bad \xff\xfe name"));
  EXPECT_THAT(FiguresOf(html), SizeIs(2));
  EXPECT_EQ(FiguresOf(html)[0]["series"][0]["name"],
            "bad \xEF\xBF\xBD\xEF\xBF\xBD name");
}

TEST(PageTest, NeedsNothingFromOutside) {
  const std::string html = RenderPage(PageWith("p"));
  EXPECT_THAT(html, HasSubstr("default-src 'none'"));
  EXPECT_THAT(html, HasSubstr("name=\"viewport\""));
  EXPECT_THAT(html, HasSubstr("prefers-color-scheme: dark"));
  for (const char* outside : {"<link", "@import", "src=\"", "url(http"}) {
    EXPECT_THAT(html, Not(HasSubstr(outside))) << outside;
  }
  // The library is whole, with the words that its licence asks for.
  EXPECT_THAT(html, HasSubstr(kChartScript));
  EXPECT_THAT(html, HasSubstr("The MIT License"));
  EXPECT_GT(std::string(kChartScript).size(), 40'000U);
  EXPECT_THAT(std::string(kChartLicense), Not(HasSubstr("--")));
}

TEST(PageTest, EveryFigureHasItsNumbersAsATable) {
  Page page = PageWith("p");
  page.sections[0].tables.clear();
  page.sections[0].figures[0].percent = true;
  const std::string html = RenderPage(page);
  EXPECT_EQ(Count(html, "class=\"chart\""), 2U);
  EXPECT_EQ(Count(html, "<details>"), 2U);
  EXPECT_THAT(html, HasSubstr("<td>25.0 % [12.5 %, 50.0 %]</td>"));
  EXPECT_THAT(html, HasSubstr("<td>0.25 [0.125, 0.5]</td>"));
  EXPECT_THAT(html, HasSubstr("data-figure=\"1\""));
}

TEST(PageTest, CurvesOfDifferentLengthsShareATable) {
  Page page = PageWith("p");
  page.sections[0].figures.pop_back();
  page.sections[0].figures[0].series.push_back(
      {"other",
       {2, 3},
       {std::numeric_limits<double>::quiet_NaN(), 7},
       {},
       {},
       1});
  const std::string html = RenderPage(page);
  EXPECT_THAT(html, HasSubstr("<tr><td>1</td><td>0.25 [0.125, 0.5]</td>"
                              "<td></td></tr>"));
  EXPECT_THAT(html, HasSubstr("<tr><td>3</td><td></td><td>7</td></tr>"));
  EXPECT_TRUE(FiguresOf(html)[0]["series"][1]["y"][0].is_null());
}

TEST(PageTest, EveryTagThatIsOpenedIsClosed) {
  std::string html = RenderPage(PageWith("p"));
  html.resize(html.find("<!-- Charts"));
  for (const char* tag :
       {"section", "table", "thead", "tbody", "tr", "td", "figure", "details",
        "div", "nav", "ul", "li", "p", "h1", "h2", "h3", "dl", "dt", "dd"}) {
    EXPECT_EQ(Count(html, absl::StrCat("<", tag, ">")) +
                  Count(html, absl::StrCat("<", tag, " ")),
              Count(html, absl::StrCat("</", tag, ">")))
        << tag;
  }
}

TEST(PageTest, WordsStandAtTheLeftAndNumbersAtTheRight) {
  Page page;
  PageTable table{"t", {"name", "points"}, {}, ""};
  table.rows = {{{"1st", {}, {}}, {"+1.5 [-1, 2]", {}, {}}},
                {{"other", {}, {}}, {"–", {}, {}}},
                {{"third", {}, {}}}};
  page.sections = {{"s", {}, {table}, {}}};
  const std::string html = RenderPage(page);
  EXPECT_THAT(html, HasSubstr("<th scope=\"col\" class=\"text\">name</th>"
                              "<th scope=\"col\">points</th>"));
  EXPECT_THAT(html, HasSubstr("<td class=\"text\">1st</td>"));
  EXPECT_THAT(html, HasSubstr("<td>+1.5 [-1, 2]</td>"));
}

TEST(PageTest, ABarStaysInItsCell) {
  Page page;
  page.sections = {{"s", {}, {{"t", {"a"}, {}, ""}}, {}}};
  page.sections[0].tables[0].rows = {{{"x", 7.0, {}}}, {{"y", -1.0, {}}}};
  const std::string html = RenderPage(page);
  EXPECT_THAT(html, HasSubstr("--share:100.0%"));
  EXPECT_THAT(html, HasSubstr("--share:0.0%"));
}

}  // namespace
}  // namespace freshline::bench
